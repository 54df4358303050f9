//! What a reload does to an instance.

use vrrp_common::time::MonoNanos;

use super::{Instance, Phase, Step};
use crate::proto::effect::{NotifyState, Reason};
use crate::proto::model::{RouterId, VirtualRouter};
use crate::proto::reload::Correspondence;
use crate::proto::router::State;

impl Instance {
    /// It is not in the new configuration.
    pub(in crate::proto) fn retire(&mut self, step: &mut Step<'_>) {
        self.release_priority(step);
        if self.state() == State::Master {
            self.counters.released_master += 1;
        }
        if self.state() != State::Init {
            self.enter(step, Phase::Init, Reason::Removed);
        }
        self.notify(step, NotifyState::Deleted);
    }

    /// Go on under another id and configuration. The effective priority stays until the facts are judged anew.
    pub(in crate::proto) fn adopt(
        mut self,
        now: MonoNanos,
        id: RouterId,
        (old, new): (&VirtualRouter, &VirtualRouter),
        correspondence: &Correspondence,
    ) -> Self {
        self.id = id;
        self.reason = self.reason.renumbered(correspondence);
        self.adopt_sending(new);
        match &mut self.phase {
            Phase::Init | Phase::Fault => {}
            Phase::Backup(backup) => backup.adopt(now, (old, new), self.priority),
            Phase::Master(master) => master.adopt(now, old, new),
        }
        self
    }

    /// What another process was, this one is from `now` on, under this id. Nothing was heard by it yet, so nothing goes
    /// by unheard.
    pub(in crate::proto) fn succeed(mut self, now: MonoNanos, id: RouterId) -> Self {
        self.id = id;
        if let Phase::Master(master) = &mut self.phase {
            master.succeed(now);
        }
        self
    }

    /// A Backup with a living Master.
    pub(in crate::proto) fn follows(&self) -> bool {
        match &self.phase {
            Phase::Backup(backup) => backup.follows_somebody(),
            Phase::Init | Phase::Fault | Phase::Master(_) => false,
        }
    }
}
