//! What an instance makes of the adverts it hears, by its state.

use vrrp_common::id::{Family, Version};
use vrrp_common::time::Nanos;
use vrrp_common::timers;
use vrrp_common::wire::advert::ChecksumForm;

use super::{Instance, Outcome, Phase, Step};
use crate::proto::backup::Backup;
use crate::proto::effect::{NotifyState, Reason, Remark};
use crate::proto::election::{self, AsMaster};
use crate::proto::input::Heard;
use crate::proto::master::Master;
use crate::proto::model::Preempt;

impl Instance {
    /// What is counted and remarked of an accepted advert in any state.
    pub(super) fn count(&mut self, step: &mut Step<'_>, heard: &Heard) {
        let source = heard.source;
        self.counters.adverts_received += 1;
        if heard.priority.is_release() {
            self.counters.priority_zero_received += 1;
        }
        match (heard.checksum, step.config.version, step.config.family) {
            (ChecksumForm::Message, Version::V3, Family::V4) => self.counters.checksum_message_only += 1,
            (ChecksumForm::PseudoGroup, _, _) => self.counters.checksum_group += 1,
            (ChecksumForm::Message | ChecksumForm::Pseudo, _, _) => {}
        }
        if !heard.same_addresses {
            self.counters.address_list_errors += 1;
            self.remark(step, Remark::AddressesDiffer { source });
        }
        if heard.priority.is_owner() && self.priority.is_owner() {
            self.remark(step, Remark::TwoOwners { source });
        }
    }

    pub(super) fn backup_hears(&mut self, step: &mut Step<'_>, mut backup: Backup, heard: Heard) {
        let heard = Heard {
            at: heard.at.min(step.now),
            ..heard
        };
        let remark = backup.hears(step.config, self.priority, &heard);
        self.phase = Phase::Backup(backup);
        if let Some(remark) = remark {
            self.remark(step, remark);
        }
    }

    pub(super) fn master_hears(&mut self, step: &mut Step<'_>, mut master: Master, heard: Heard) -> Outcome {
        let Some(ours) = self.source else {
            // Without a source there is no Master: it is a fault.
            return Outcome::Settled;
        };
        let heard = Heard {
            at: heard.at.min(step.now),
            ..heard
        };
        let (source, priority) = (heard.source, heard.priority);
        let overslept = self.overslept(step, &master);
        if overslept.is_some() {
            self.counters.overslept += 1;
        }
        let verdict = election::as_master((priority, source), (self.priority, ours));
        match (verdict, overslept) {
            (AsMaster::Higher, _) => {
                if step.config.advert_on_higher && overslept.is_none() {
                    self.send(step, self.priority);
                }
                self.become_backup(step, Reason::HigherPriority { source, priority }, Some(&heard));
                Outcome::StoodDown {
                    to_higher_address: source > ours,
                }
            }
            // It was sent after our advert was due: they no longer heard us and have a new Master.
            (AsMaster::Lower, Some(late))
                if step.config.preempt == Preempt::Never
                    && !self.priority.is_owner()
                    && heard.at >= master.advert_at() =>
            {
                self.become_backup(step, Reason::OversleptTakenOver { source, late }, Some(&heard));
                Outcome::StoodDown {
                    to_higher_address: source > ours,
                }
            }
            (AsMaster::Lower, _) => {
                if overslept.is_some() {
                    master.contest_anew();
                }
                if step.config.advert_on_lower || overslept.is_some() {
                    self.answer(step, &mut master);
                }
                self.remark(step, Remark::LowerPriority { source, priority });
                self.announce_contested(step, master);
                Outcome::Contested
            }
            (AsMaster::Released, _) => {
                self.answer(step, &mut master);
                self.phase = Phase::Master(master);
                Outcome::Settled
            }
        }
    }

    /// Advertise at once, unless an answer has just been sent or this very advert is about to be.
    fn answer(&mut self, step: &mut Step<'_>, master: &mut Master) {
        if master.may_answer(step.now, election::answer_spacing(step.config.interval)) {
            self.send(step, self.priority);
            master.sent_out_of_turn(step.now, step.config.interval);
        }
    }

    /// A contention was won: whoever listened to the other one has to learn better.
    pub(super) fn announce_contested(&mut self, step: &mut Step<'_>, mut master: Master) {
        let rounds = step.config.announce.lower_repeat;
        let at_once = master.contested(step.now, step.config.announce.lower_delay);
        self.phase = Phase::Master(master);
        if at_once {
            self.announce(step, rounds);
            self.notify(step, NotifyState::MasterRxLowerPri);
        }
    }

    /// By how much the advert is overdue, if the others may have taken us for dead: they count from our last
    /// advert, and none of those that would lose to us waits less than our own Master_Down_Interval.
    pub(super) fn overslept(&self, step: &Step<'_>, master: &Master) -> Option<Nanos> {
        let silent = master.silence(step.now) > self.master_down(step.config, step.config.interval);
        silent.then(|| step.now.since(master.advert_at()))
    }

    /// By how much the advert is overdue, if `timer_expired_backup` says that another may be Master by now: a
    /// Backup of the highest priority that the others have.
    pub(super) fn makes_way(&self, step: &Step<'_>, master: &Master) -> Option<Nanos> {
        let config = step.config;
        let highest = config.uncommon.late_is_backup?;
        let applies = config.preempt == Preempt::Never && !self.priority.is_owner();
        let wait = timers::master_down(config.version, highest, config.interval, config.down_adverts);
        (applies && master.silence(step.now) > wait).then(|| step.now.since(master.advert_at()))
    }
}
