//! From one state to another, and what goes with it: adverts, addresses, notifications, in this order.

use vrrp_common::id::Priority;
use vrrp_common::timers;

use super::{Instance, Phase, Step};
use crate::proto::backup::Backup;
use crate::proto::effect::{Effect, NotifyState, Reason};
use crate::proto::input::Heard;
use crate::proto::master::Master;
use crate::proto::router::State;

impl Instance {
    /// The advert first, so that the peers stand down while we are still adding addresses.
    pub(super) fn become_master(&mut self, step: &mut Step<'_>, reason: Reason) {
        let announce = step.config.announce;
        self.send(step, self.priority);
        step.effects.push(Effect::Acquire {
            router: self.id,
            announce: announce.repeat,
        });
        self.counters.became_master += 1;
        let master = Master::new(step.now, step.config.interval, &announce);
        self.enter(step, Phase::Master(master), reason);
        self.notify(step, NotifyState::Master);
    }

    /// A full wait, or, having heard a better Master, the wait that its advert starts. No priority 0: whoever
    /// made us step back is there already.
    pub(super) fn become_backup(&mut self, step: &mut Step<'_>, reason: Reason, heard: Option<&Heard>) {
        self.release_if_master(step);
        let interval = step.config.interval;
        let mut backup = Backup::new(step.now, interval, self.master_down(step.config, interval));
        let remark = heard.and_then(|heard| backup.follows(step.config, self.priority, heard));
        self.enter(step, Phase::Backup(backup), reason);
        self.notify(step, NotifyState::Backup);
        if let Some(remark) = remark {
            self.remark(step, remark);
        }
    }

    /// Backup of our own accord: somebody else is to take over soon.
    pub(super) fn hand_over(&mut self, step: &mut Step<'_>, reason: Reason) {
        self.release_priority(step);
        self.become_backup(step, reason, None);
    }

    /// Backup of our own accord, for a skew time unless another takes over.
    pub(super) fn step_aside(&mut self, step: &mut Step<'_>, reason: Reason) {
        self.release_priority(step);
        self.release_if_master(step);
        let interval = step.config.interval;
        let skew = timers::skew(step.config.version, self.priority, interval);
        let backup = Backup::after_release(step.now, interval, skew);
        self.enter(step, Phase::Backup(backup), reason);
        self.notify(step, NotifyState::Backup);
    }

    pub(super) fn become_fault(&mut self, step: &mut Step<'_>, reason: Reason) {
        self.give_up_if_master(step);
        self.enter(step, Phase::Fault, reason);
        self.notify(step, NotifyState::Fault);
    }

    pub(super) fn stop(&mut self, step: &mut Step<'_>) {
        self.give_up_if_master(step);
        self.sending.probe_at = None;
        self.standby = None;
        if self.state() != State::Init {
            self.enter(step, Phase::Init, Reason::Shutdown);
        }
        self.notify(step, NotifyState::Stop);
    }

    fn give_up_if_master(&mut self, step: &mut Step<'_>) {
        self.release_priority(step);
        self.release_if_master(step);
    }

    /// Priority 0 from a Master, once, so that a Backup takes over within its skew time.
    pub(super) fn release_priority(&mut self, step: &mut Step<'_>) {
        if self.state() == State::Master && self.source.is_some() {
            self.send(step, Priority::RELEASE);
        }
    }

    fn release_if_master(&mut self, step: &mut Step<'_>) {
        if self.state() == State::Master {
            step.effects.push(Effect::Release { router: self.id });
            self.counters.released_master += 1;
        }
    }

    pub(super) fn enter(&mut self, step: &mut Step<'_>, phase: Phase, reason: Reason) {
        let from = self.state();
        let heard = match (&self.phase, &phase) {
            (Phase::Backup(backup), Phase::Master(_)) | (Phase::Master(_), Phase::Backup(backup)) => {
                backup.master()
            }
            _ => None,
        };
        self.phase = phase;
        self.since = step.now;
        self.reason = reason;
        self.said.reset(step.now);
        let to = self.state();
        step.effects.push(Effect::Transition {
            router: self.id,
            from,
            to,
            reason,
            heard,
        });
    }
}
