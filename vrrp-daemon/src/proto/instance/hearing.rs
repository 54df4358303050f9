//! What an instance makes of the adverts it hears, by its state.

use std::net::IpAddr;

use vrrp_common::id::{Family, Version};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::timers;
use vrrp_common::wire::advert::ChecksumForm;

use super::{Instance, Outcome, Phase, Step};
use crate::proto::backup::Backup;
use crate::proto::effect::{NotifyState, Reason, Remark};
use crate::proto::election::{self, AsMaster};
use crate::proto::input::Heard;
use crate::proto::master::Master;
use crate::proto::model::{Preempt, VirtualRouter};
use crate::proto::router::Quiet;

impl Instance {
    /// What is counted and remarked of an accepted advert in any state.
    pub(super) fn count(&mut self, step: &mut Step<'_>, heard: &Heard) {
        let source = heard.source;
        self.counters.adverts_received += 1;
        if heard.priority.is_release() {
            self.counters.priority_zero_received += 1;
        }
        self.count_form(step.config, heard.checksum, 1);
        if !heard.same_addresses {
            self.counters.address_list_errors += 1;
            self.remark(
                step,
                Remark::AddressesDiffer {
                    source,
                    mac: heard.mac,
                },
            );
        }
        if heard.priority.is_owner() && self.priority.is_owner() {
            self.remark(
                step,
                Remark::TwoOwners {
                    source,
                    mac: heard.mac,
                },
            );
        }
    }

    /// What is counted of adverts of `source` that the kernel kept to itself, since nothing in them was new.
    pub(super) fn count_unchanged(&mut self, config: &VirtualRouter, source: IpAddr, adverts: u64) {
        self.counters.adverts_received += adverts;
        let known = match &self.phase {
            Phase::Backup(backup) => backup.repeat_of(self.id, source, MonoNanos(0)),
            Phase::Init | Phase::Master(_) | Phase::Fault => None,
        };
        if let Some(known) = known {
            self.count_form(config, known.checksum, adverts);
            if !known.same_addresses {
                self.counters.address_list_errors += adverts;
            }
        }
    }

    fn count_form(&mut self, config: &VirtualRouter, form: ChecksumForm, adverts: u64) {
        match (form, config.version, config.family) {
            (ChecksumForm::Message, Version::V3, Family::V4) => {
                self.counters.checksum_message_only += adverts
            }
            (ChecksumForm::PseudoGroup, _, _) => self.counters.checksum_group += adverts,
            (ChecksumForm::Message | ChecksumForm::Pseudo, _, _) => {}
        }
    }

    /// Say so if the Master's advert was long in coming.
    fn remark_late(&mut self, step: &mut Step<'_>, backup: &Backup, heard: &Heard) {
        let master_down = self.master_down(step.config, backup.interval());
        let Some(gap) = backup.gap_before(heard) else {
            return;
        };
        if late_after(step.config, master_down).is_some_and(|limit| gap >= limit) {
            self.counters.late_adverts += 1;
            let source = heard.source;
            self.remark(
                step,
                Remark::Late {
                    source,
                    gap,
                    master_down,
                },
            );
        }
    }

    /// The Master whose unchanged adverts need not wake anybody.
    pub(in crate::proto) fn quiet(&self, config: &VirtualRouter) -> Option<Quiet> {
        let Phase::Backup(backup) = &self.phase else {
            return None;
        };
        let master_down = self.master_down(config, backup.interval());
        if self.is_alone() {
            return None;
        }
        Some(Quiet {
            source: backup.unchanging(config, self.standing_priority())?,
            late_after: late_after(config, master_down).unwrap_or(Nanos(u64::MAX)),
        })
    }

    pub(super) fn backup_hears_advert(&mut self, step: &mut Step<'_>, backup: Backup, heard: Heard) {
        self.remark_late(step, &backup, &heard);
        self.backup_hears(step, backup, heard);
    }

    pub(super) fn backup_hears(&mut self, step: &mut Step<'_>, mut backup: Backup, heard: Heard) {
        let heard = Heard {
            at: heard.at.min(step.now),
            ..heard
        };
        let remark = backup.hears(step.config, self.standing_priority(), &heard);
        self.phase = Phase::Backup(backup);
        self.heard_somebody(step.now, &backup);
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
                let mac = heard.mac;
                let reason = if priority == self.priority {
                    Reason::HigherAddress {
                        source,
                        mac,
                        priority,
                    }
                } else {
                    Reason::HigherPriority {
                        source,
                        mac,
                        priority,
                    }
                };
                self.become_backup(step, reason, Some(&heard));
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
                self.remark(
                    step,
                    Remark::LowerPriority {
                        source,
                        mac: heard.mac,
                        priority,
                    },
                );
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

/// The gap before an advert from which on it was late (`vrrp_late_advert`); `None`: never.
fn late_after(config: &VirtualRouter, master_down: Nanos) -> Option<Nanos> {
    let share = u64::from(config.uncommon.late_share);
    (share != 0).then(|| Nanos(master_down.0 / 100 * share))
}
