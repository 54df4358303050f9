//! Planned moves: a virtual router stands by together with its sync group.

use vrrp_common::time::MonoNanos;

use super::{Life, Vrrp};
use crate::proto::effect::Effect;
use crate::proto::model::RouterId;

impl Vrrp {
    /// It and its group give up, and stay Backup until then, or until told otherwise.
    pub(super) fn stand_by(
        &mut self,
        now: MonoNanos,
        router: RouterId,
        until: Option<MonoNanos>,
        effects: &mut Vec<Effect>,
    ) {
        if self.life == Life::Stopped {
            return;
        }
        for &member in self.company(router).iter() {
            self.at(now, member, effects, |instance, step| {
                instance.stand_by(step, until);
            });
        }
        self.tell_group(router, effects);
    }

    /// They take part again.
    pub(super) fn end_standby(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        for &member in self.company(router).iter() {
            self.at(now, member, effects, |instance, step| {
                instance.resume(step, false);
            });
        }
    }

    /// A reload may have put those that stand by into one group with others: these do, too.
    pub(super) fn join_standby(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        for router in (0..=u16::MAX).map(RouterId).take(self.instances.len()) {
            let until = self.until(router);
            let Some(until) = until else { continue };
            let differs = |member: &RouterId| self.until(*member) != Some(until);
            if self.company(router).iter().any(differs) {
                self.stand_by(now, router, until, effects);
            }
        }
    }

    pub(super) fn stands_by(&self, router: RouterId) -> bool {
        self.until(router).is_some()
    }

    fn until(&self, router: RouterId) -> Option<Option<MonoNanos>> {
        self.instances.get(router.index())?.stands_by()
    }
}
