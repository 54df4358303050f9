//! Standing by: somebody asked for a planned move. It gives up as at a stop, and stays a Backup that follows whoever
//! is Master, whatever its priority, until it is told to resume or the time is over. Then it waits in full, and the
//! rules of preemption decide.

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::MonoNanos;

use super::{Instance, Phase, Step, earlier};
use crate::proto::backup::Backup;
use crate::proto::effect::{Reason, Remark};
use crate::proto::router::StandbySeen;

/// Not to be Master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Standby {
    until: Option<MonoNanos>,
    /// Its down timer ran out: nobody else is there.
    alone: bool,
}

impl Standby {
    /// The end of it, or what would be the time to take over: somebody may want to know.
    pub(super) fn deadline(&self, backup: &Backup) -> Option<MonoNanos> {
        earlier(self.until, (!self.alone).then_some(backup.down_at()))
    }

    pub(super) fn seen(self) -> StandbySeen {
        StandbySeen {
            until: self.until,
            alone: self.alone,
        }
    }
}

impl Instance {
    /// Give up if it is Master, and stand by until then; `None`: until it is told otherwise.
    pub(in crate::proto) fn stand_by(&mut self, step: &mut Step<'_>, until: Option<MonoNanos>) {
        let before = self.standby.replace(Standby { until, alone: false });
        if before.is_none_or(|before| before.until != until) {
            let length = until.map(|until| until.since(step.now));
            self.remark(step, Remark::Standby { length });
        }
        match &mut self.phase {
            Phase::Init | Phase::Fault => {}
            Phase::Backup(backup) => backup.ask_link_again(),
            Phase::Master(_) => self.hand_over(step, Reason::Standby),
        }
    }

    /// Take part again. What was heard meanwhile was read for another purpose, so it is a full wait.
    pub(in crate::proto) fn resume(&mut self, step: &mut Step<'_>, over: bool) {
        if self.standby.take().is_none() {
            return;
        }
        self.remark(step, Remark::Resumed { over });
        if let Phase::Backup(backup) = &self.phase {
            let interval = backup.interval();
            let wait = self.master_down(step.config, interval);
            self.phase = Phase::Backup(Backup::new(step.now, interval, wait));
            self.reason = Reason::Resumed;
        }
    }

    /// Until when it stands by; `None` if it does not.
    pub(in crate::proto) fn stands_by(&self) -> Option<Option<MonoNanos>> {
        self.standby.map(|standby| standby.until)
    }

    pub(super) fn standby_until(&self) -> Option<MonoNanos> {
        self.stands_by().flatten()
    }

    pub(super) fn standby_is_over(&self, now: MonoNanos) -> bool {
        self.standby_until().is_some_and(|until| until <= now)
    }

    /// What it judges a Master by: standing by it follows everybody.
    pub(super) fn standing_priority(&self) -> Priority {
        match self.standby {
            Some(_) => Priority(1),
            None => self.priority,
        }
    }

    /// It stands by, and nobody is Master as far as it has heard.
    pub(super) fn is_alone(&self) -> bool {
        self.standby.is_some_and(|standby| standby.alone)
    }

    pub(super) fn nobody_heard(&mut self, step: &mut Step<'_>) {
        if let Some(standby) = &mut self.standby
            && !std::mem::replace(&mut standby.alone, true)
        {
            self.remark(step, Remark::StandbyAlone);
        }
    }

    pub(super) fn heard_somebody(&mut self, now: MonoNanos, backup: &Backup) {
        if let Some(standby) = &mut self.standby
            && backup.down_at() > now
        {
            standby.alone = false;
        }
    }
}
