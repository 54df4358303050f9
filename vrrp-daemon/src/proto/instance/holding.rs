//! A Backup whose link has not passed a frame yet waits for that (see `proto::hold`).

use vrrp_common::time::{MonoNanos, Nanos};

use super::{Instance, Phase, Step};
use crate::proto::backup::Backup;
use crate::proto::effect::Reason;
use crate::proto::model::VirtualRouter;

impl Instance {
    /// Its link is unproven since then, or is not. The owner of the addresses waits for nobody (RFC 9568 §6.4.1).
    pub(in crate::proto) fn set_unproven(&mut self, config: &VirtualRouter, since: Option<MonoNanos>) {
        let hold = config.uncommon.link_hold;
        let since = since.filter(|_| hold > Nanos::ZERO && !config.priority.is_owner());
        self.hold_until = since.map(|since| since + hold);
        if let (Phase::Backup(backup), Some(_)) = (&mut self.phase, self.hold_until) {
            backup.ask_link_again();
        }
    }

    /// Its link has passed a frame at `at`. A Master can be heard from then on, so the wait begins there; not if it is
    /// over with the hold.
    pub(in crate::proto) fn link_proven(&mut self, step: &Step<'_>, at: MonoNanos) {
        let counts = self.hold_until.take().is_some_and(|until| at < until);
        if let Phase::Backup(backup) = self.phase
            && counts
        {
            let mut backup = backup;
            backup.count_from(at, self.master_down(step.config, backup.interval()));
            self.phase = Phase::Backup(backup);
        }
    }

    pub(super) fn is_held(&self, now: MonoNanos) -> bool {
        self.hold_until.is_some_and(|until| now < until)
    }

    /// The down timer, or, once that ran out on an unproven link, the end of the hold.
    pub(super) fn backup_deadline(&self, backup: &Backup) -> Option<MonoNanos> {
        let end = self.hold_until.filter(|_| backup.held());
        Some(backup.deadline()?.max(end.unwrap_or_default()))
    }

    /// What a status display should show instead of how it became Backup.
    pub(super) fn link_waited_for(&self, config: &VirtualRouter) -> Option<Reason> {
        match &self.phase {
            Phase::Backup(backup) if backup.held() => Some(Reason::LinkUnproven { link: config.link }),
            Phase::Init | Phase::Backup(_) | Phase::Master(_) | Phase::Fault => None,
        }
    }
}
