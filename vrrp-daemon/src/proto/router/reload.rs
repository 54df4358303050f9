//! Another configuration while running. What is the same goes on as if nothing had happened: state, timers,
//! counters, the Master that is followed, and what is known of links and scripts.
//!
//! 1. [`Vrrp::retire`]: virtual routers without a successor give up. Effects carry old ids.
//! 2. [`Vrrp::adopt`]: the new configuration, without effects. Facts may be told now; they are only noted.
//! 3. [`Input::Start`](super::Input::Start): everything is judged anew, by what is known now. New ids.
//!
//! | changed | Master | Backup |
//! |---|---|---|
//! | nothing | | |
//! | addresses, peers | advert at once | |
//! | group or peers instead, version, kind of authentication | stays, advert at once | forgets the Master, waits anew |
//! | interval (VRRPv2) | next advert an interval from now at the latest | forgets the Master, waits anew |
//! | interval (VRRPv3), `down_timer_adverts` | as above | waits by it, counted from the last advert heard |
//! | priority, weights | from the next advert on | the running timer moves by the difference of the skews |
//!
//! A Backup that could not understand the Master's adverts any more waits anew, so that both may be reloaded one
//! after the other; a Master that stood down meanwhile would leave the addresses to nobody.

use std::mem;

use vrrp_common::time::MonoNanos;

use super::group::Group;
use super::{Life, State, Vrrp};
use crate::proto::deadlines::Deadlines;
use crate::proto::effect::Effect;
use crate::proto::instance::Instance;
use crate::proto::model::{Model, RouterId};
use crate::proto::reload::Correspondence;
use crate::proto::tracking::Watch;

impl Vrrp {
    /// Virtual routers that have no successor give up: priority 0 from a Master, and the word that they are gone.
    /// Their addresses are not released here: the new configuration may hold them elsewhere, and whoever holds
    /// addresses knows both.
    pub fn retire(&mut self, now: MonoNanos, correspondence: &Correspondence, effects: &mut Vec<Effect>) {
        self.leave_out(now, correspondence.routers.gone(), effects);
    }

    /// As [`retire`](Self::retire), for these.
    pub fn leave_out(
        &mut self,
        now: MonoNanos,
        routers: impl Iterator<Item = RouterId>,
        effects: &mut Vec<Effect>,
    ) {
        if self.life != Life::Running {
            return;
        }
        for router in routers {
            self.at(now, router, effects, Instance::retire);
        }
    }

    /// Run `model` from now on. Hand over what is known of new links and sources, then
    /// [`Input::Start`](super::Input::Start).
    pub fn adopt(&mut self, now: MonoNanos, model: Model, correspondence: &Correspondence) {
        let old = mem::replace(&mut self.model, model);
        let model = &self.model;
        self.facts.carry(correspondence);
        self.holds.carry(correspondence);
        let ids = || (0..=u16::MAX).map(RouterId);
        let watches = ids().zip(&model.routers).map(|(id, _)| Watch::new(model, id));
        self.watches = watches.collect();

        let carried = correspondence.routers.carry(mem::take(&mut self.instances));
        let instances = ids()
            .zip(&model.routers)
            .zip(carried)
            .map(|((id, config), carried)| {
                let before = correspondence.routers.before(id);
                let before = before.and_then(|before| old.routers.get(before.index()));
                match carried.zip(before) {
                    None => Instance::new(id, config.priority, now),
                    Some((instance, before)) => instance.adopt(now, id, (before, config), correspondence),
                }
            });
        self.instances = instances.collect();
        let groups = correspondence.groups.carry(mem::take(&mut self.groups));
        self.groups = groups.into_iter().map(Group::joining).collect();

        self.deadlines = Deadlines::new(model.routers.len());
        for ((id, instance), config) in ids().zip(&mut self.instances).zip(&model.routers) {
            instance.set_unproven(config, self.holds.since(config.link));
            self.deadlines.set(id, instance.deadline());
        }
        if self.life == Life::Running {
            self.life = Life::Resuming;
        }
    }

    /// The facts are known: judge everything anew.
    pub(super) fn resume(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        self.life = Life::Running;
        for ((watch, config), instance) in self
            .watches
            .iter()
            .zip(&self.model.routers)
            .zip(&mut self.instances)
        {
            if instance.state() == State::Init {
                // There is no change of priority to remark on yet.
                let _ = instance.set_priority(config, self.facts.priority(config.priority, &watch.tracks));
            }
        }
        self.reconsider(now, effects, |_| true);
        self.join_standby(now, effects);
        for router in (0..=u16::MAX).map(RouterId).take(self.instances.len()) {
            // Whom it waited for may be in its group no longer.
            let wants = |instance: &Instance| instance.state() == State::Backup && instance.may_be_master();
            if self.instances.get(router.index()).is_some_and(wants) {
                self.promote_if_agreed(now, router, effects);
            }
            self.reunite(now, router, effects);
            self.tell_group(router, effects);
        }
    }
}
