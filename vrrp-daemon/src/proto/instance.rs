//! The machine of one virtual router (RFC 9568 §6.4), with FAULT as in keepalived.
//!
//! ```text
//!          all known          Master_Down, and the group agrees
//!   Init ------------> Backup --------------------------------> Master
//!    |                 ^    |  <-------------------------------   |
//!    |   well again    |    |        a better Master is heard     |
//!    +------------> Fault <-+-------------------------------------+
//!                        something without a weight fails
//! ```
//!
//! Each state carries its own deadlines, so no timer can outlive the state it belongs to. An instance knows
//! nothing of its sync group: it says what happened ([`Outcome`]) and `router` moves the siblings.

use std::net::IpAddr;

use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::timers;
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::ladder::Refusal;

use super::backup::Backup;
use super::counters::Counters;
use super::effect::{Effect, NotifyState, Reason, Remark, Subject};
use super::election::{self, AsMaster};
use super::input::Heard;
use super::master::Master;
use super::model::{Preempt, RouterId, VirtualRouter};
use super::remarks::Said;
use super::router::{State, Status};
use super::tracking::Standing;

/// One virtual router at work.
#[derive(Debug)]
pub(super) struct Instance {
    id: RouterId,
    phase: Phase,
    since: MonoNanos,
    reason: Reason,
    /// Effective priority.
    priority: Priority,
    source: Option<IpAddr>,
    counters: Counters,
    said: Said,
    sending: Sending,
}

/// The state, with what is valid in it alone.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Init,
    Backup(Backup),
    Master(Master),
    Fault,
}

/// Whether adverts leave the host. There is no word of success: a send counts as one when the next is due
/// and no failure was told in between.
#[derive(Clone, Copy, Debug, Default)]
struct Sending {
    /// The last send, until it is known to have failed.
    last: Option<Priority>,
    /// A failure was remarked and no success since.
    failing: bool,
}

/// What can happen to one instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A deadline may have passed.
    Due,
    /// An accepted advert.
    Advert(Heard),
    /// A repeat of the last advert of `source`, at `at`.
    StillThere { source: IpAddr, at: MonoNanos },
    /// What it tracks, or its group, stands thus. `owner_starts`: nothing keeps an owner from being Master
    /// from the start.
    Standing { standing: Standing, owner_starts: bool },
    /// Become Master: the down timer ran out here and everywhere in the group.
    Promote,
    /// A sibling of the group went to Backup.
    StandDown { leader: RouterId },
    /// A sibling of the group won a contention: announce as it does.
    Contested,
    /// The daemon stops.
    Stop,
}

/// What an [`Event`] led to, as far as the sync group is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Outcome {
    /// Nothing that the siblings need to know.
    Settled,
    /// The down timer ran out: Master as soon as the group agrees.
    Wants,
    /// Was Master, is Backup.
    StoodDown,
    /// Is Master, and announced itself against a lower one.
    Contested,
}

/// What one step is made with.
pub(super) struct Step<'a> {
    /// The virtual router's configuration.
    pub(super) config: &'a VirtualRouter,
    /// The time.
    pub(super) now: MonoNanos,
    /// Where effects go.
    pub(super) effects: &'a mut Vec<Effect>,
}

impl Instance {
    /// In [`State::Init`].
    pub(super) fn new(id: RouterId, configured: Priority, now: MonoNanos) -> Self {
        Self {
            id,
            phase: Phase::Init,
            since: now,
            reason: Reason::Started,
            priority: configured,
            source: None,
            counters: Counters::default(),
            said: Said::default(),
            sending: Sending::default(),
        }
    }

    /// One event. Every state and event is named: a new one does not compile until it is thought of here.
    pub(super) fn step(&mut self, step: &mut Step<'_>, event: Event) -> Outcome {
        if let Event::Advert(heard) = event {
            self.count(step, &heard);
            if self.source == Some(heard.source) {
                self.remark(step, Remark::SameAddress { source: heard.source });
                return Outcome::Settled;
            }
        }
        match (self.phase, event) {
            (
                Phase::Init | Phase::Fault,
                Event::Due
                | Event::Advert(_)
                | Event::StillThere { .. }
                | Event::Promote
                | Event::StandDown { .. }
                | Event::Contested,
            ) => Outcome::Settled,
            (
                Phase::Init,
                Event::Standing {
                    standing,
                    owner_starts,
                },
            ) => {
                match standing {
                    Standing::Ready if owner_starts => self.become_master(step, Reason::Owner),
                    Standing::Ready => self.become_backup(step, Reason::Started, None),
                    Standing::Pending => {}
                    Standing::Failing(reason) => self.become_fault(step, reason),
                }
                Outcome::Settled
            }
            (Phase::Fault, Event::Standing { standing, .. }) => {
                match standing {
                    Standing::Ready => self.become_backup(step, Reason::Recovered, None),
                    Standing::Pending => {}
                    // Not a change of state, but the display should name what is wrong now.
                    Standing::Failing(reason) => self.reason = reason,
                }
                Outcome::Settled
            }
            (Phase::Backup(_) | Phase::Master(_), Event::Standing { standing, .. }) => {
                match standing {
                    Standing::Ready | Standing::Pending => {}
                    Standing::Failing(reason) => self.become_fault(step, reason),
                }
                Outcome::Settled
            }
            (Phase::Backup(backup), Event::Due) => self.backup_due(step, backup),
            (Phase::Backup(backup), Event::Advert(heard)) => {
                self.backup_hears(step, backup, heard);
                Outcome::Settled
            }
            (Phase::Backup(backup), Event::StillThere { source, at }) => {
                if let Some(repeat) = backup.repeat_of(self.id, source, at) {
                    self.backup_hears(step, backup, repeat);
                }
                Outcome::Settled
            }
            (Phase::Backup(backup), Event::Promote) => {
                let reason = backup.reason_to_take_over(self.master_down(step.config, backup.interval()));
                self.become_master(step, reason);
                Outcome::Settled
            }
            (Phase::Backup(_), Event::StandDown { .. } | Event::Contested) => Outcome::Settled,
            (Phase::Master(master), Event::Due) => {
                self.master_due(step, master);
                Outcome::Settled
            }
            (Phase::Master(master), Event::Advert(heard)) => self.master_hears(step, master, heard),
            // The kernel is silent about repeats only while we are Backup.
            (Phase::Master(_), Event::StillThere { .. } | Event::Promote) => Outcome::Settled,
            (Phase::Master(_), Event::StandDown { leader }) => {
                self.become_backup(step, Reason::Group { leader }, None);
                Outcome::Settled
            }
            (Phase::Master(master), Event::Contested) => {
                self.announce_contested(step, master);
                Outcome::Settled
            }
            (Phase::Init | Phase::Backup(_) | Phase::Fault | Phase::Master(_), Event::Stop) => {
                self.stop(step);
                Outcome::Settled
            }
        }
    }

    /// When [`Event::Due`] is due.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        match &self.phase {
            Phase::Init | Phase::Fault => None,
            Phase::Backup(backup) => backup.deadline(),
            Phase::Master(master) => Some(master.deadline()),
        }
    }

    /// A Backup whose down timer has run out, whether or not it waits for its group.
    pub(super) fn down_timer_passed(&self, now: MonoNanos) -> bool {
        match &self.phase {
            Phase::Backup(backup) => backup.down_at() <= now,
            Phase::Init | Phase::Fault | Phase::Master(_) => false,
        }
    }

    /// Master already, or a Backup that would be: nothing here keeps its group from being Master.
    pub(super) fn may_be_master(&self) -> bool {
        match &self.phase {
            Phase::Backup(backup) => backup.wants(),
            Phase::Master(_) => true,
            Phase::Init | Phase::Fault => false,
        }
    }

    /// The state's name.
    pub(super) fn state(&self) -> State {
        match self.phase {
            Phase::Init => State::Init,
            Phase::Backup(_) => State::Backup,
            Phase::Master(_) => State::Master,
            Phase::Fault => State::Fault,
        }
    }

    /// The address adverts leave from.
    pub(super) fn source(&self) -> Option<IpAddr> {
        self.source
    }

    /// The address adverts leave from has changed.
    pub(super) fn set_source(&mut self, source: Option<IpAddr>) {
        self.source = source;
    }

    /// Another effective priority. In Backup the running timer moves by the difference of the skews.
    pub(super) fn set_priority(&mut self, config: &VirtualRouter, priority: Priority) -> Option<Remark> {
        let from = std::mem::replace(&mut self.priority, priority);
        if from == priority {
            return None;
        }
        if let Phase::Backup(backup) = &mut self.phase {
            let skew = |priority| timers::skew(config.version, priority, backup.interval());
            let (before, after) = (skew(from), skew(priority));
            backup.shift(before, after);
        }
        Some(Remark::PriorityChanged { from, to: priority })
    }

    /// A message that named this virtual router was refused. Counted; no timer moves (keepalived re-arms the
    /// Master's advert timer here, which silences it).
    pub(super) fn refused(&mut self, step: &mut Step<'_>, source: IpAddr, refusal: Refusal) {
        if let Some(count) = self.counters.refused.get_mut(usize::from(refusal.number())) {
            *count += 1;
        }
        self.remark(step, Remark::Refused { source, refusal });
    }

    /// The last advert did not leave the host (or did not reach one of the peers).
    pub(super) fn send_failed(&mut self, step: &mut Step<'_>, errno: i32) {
        self.counters.send_failures += 1;
        if let Some(priority) = self.sending.last.take() {
            self.counters.adverts_sent = self.counters.adverts_sent.saturating_sub(1);
            if priority.is_release() {
                self.counters.priority_zero_sent = self.counters.priority_zero_sent.saturating_sub(1);
            }
        }
        if !std::mem::replace(&mut self.sending.failing, true) {
            self.remark(step, Remark::SendFailed { errno });
        }
    }

    /// Write `remark` unless its kind was written lately.
    pub(super) fn remark(&mut self, step: &mut Step<'_>, remark: Remark) {
        if self.said.admits(step.now, &remark) {
            step.effects.push(Effect::Remark {
                router: Some(self.id),
                remark,
            });
        }
    }

    /// For the status display.
    pub(super) fn status(&self, config: &VirtualRouter) -> Status {
        let (interval, master) = match &self.phase {
            Phase::Backup(backup) => (backup.interval(), backup.master()),
            Phase::Init | Phase::Master(_) | Phase::Fault => (config.interval, None),
        };
        Status {
            state: self.state(),
            since: self.since,
            reason: self.reason,
            priority: self.priority,
            master,
            master_down: self.master_down(config, interval),
            counters: self.counters,
        }
    }

    fn master_down(&self, config: &VirtualRouter, interval: Centis) -> Nanos {
        timers::master_down(config.version, self.priority, interval, config.down_adverts)
    }

    /// What is counted and remarked of an accepted advert in any state.
    fn count(&mut self, step: &mut Step<'_>, heard: &Heard) {
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

    fn backup_due(&mut self, step: &mut Step<'_>, mut backup: Backup) -> Outcome {
        if step.now < backup.down_at() {
            return Outcome::Settled;
        }
        backup.want();
        self.phase = Phase::Backup(backup);
        Outcome::Wants
    }

    fn backup_hears(&mut self, step: &mut Step<'_>, mut backup: Backup, heard: Heard) {
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

    fn master_due(&mut self, step: &mut Step<'_>, mut master: Master) {
        let (now, announce) = (step.now, step.config.announce);
        if now >= master.advert_at() {
            if let Some(late) = self.overslept(step, &master) {
                self.counters.overslept += 1;
                self.remark(step, Remark::Overslept { late });
            }
            self.send(step, self.priority);
            master.sent_in_turn(now, step.config.interval);
        }
        let rounds = master.announcements_due(now, &announce);
        self.phase = Phase::Master(master);
        self.announce(step, rounds);
    }

    /// By how much the advert is overdue, if by more than the Master_Down_Interval: the others may have taken
    /// us for dead.
    fn overslept(&self, step: &Step<'_>, master: &Master) -> Option<Nanos> {
        let late = step.now.since(master.advert_at());
        (late > self.master_down(step.config, step.config.interval)).then_some(late)
    }

    fn master_hears(&mut self, step: &mut Step<'_>, mut master: Master, heard: Heard) -> Outcome {
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
                Outcome::StoodDown
            }
            // It was sent after our advert was due: they no longer heard us and have a new Master.
            (AsMaster::Lower, Some(late))
                if step.config.preempt == Preempt::Never
                    && !self.priority.is_owner()
                    && heard.at >= master.advert_at() =>
            {
                self.become_backup(step, Reason::OversleptTakenOver { source, late }, Some(&heard));
                Outcome::StoodDown
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
    fn announce_contested(&mut self, step: &mut Step<'_>, mut master: Master) {
        let rounds = step.config.announce.lower_repeat;
        let at_once = master.contested(step.now, step.config.announce.lower_delay);
        self.phase = Phase::Master(master);
        if at_once {
            self.announce(step, rounds);
            self.notify(step, NotifyState::MasterRxLowerPri);
        }
    }

    /// The advert first, so that the peers stand down while we are still adding addresses.
    fn become_master(&mut self, step: &mut Step<'_>, reason: Reason) {
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
    fn become_backup(&mut self, step: &mut Step<'_>, reason: Reason, heard: Option<&Heard>) {
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

    fn become_fault(&mut self, step: &mut Step<'_>, reason: Reason) {
        self.give_up_if_master(step);
        self.enter(step, Phase::Fault, reason);
        self.notify(step, NotifyState::Fault);
    }

    fn stop(&mut self, step: &mut Step<'_>) {
        self.give_up_if_master(step);
        if self.state() != State::Init {
            self.enter(step, Phase::Init, Reason::Shutdown);
        }
        self.notify(step, NotifyState::Stop);
    }

    /// Priority 0, once, so that a Backup takes over within its skew time.
    fn give_up_if_master(&mut self, step: &mut Step<'_>) {
        if self.state() == State::Master && self.source.is_some() {
            self.send(step, Priority::RELEASE);
        }
        self.release_if_master(step);
    }

    fn release_if_master(&mut self, step: &mut Step<'_>) {
        if self.state() == State::Master {
            step.effects.push(Effect::Release { router: self.id });
            self.counters.released_master += 1;
        }
    }

    fn enter(&mut self, step: &mut Step<'_>, phase: Phase, reason: Reason) {
        let from = self.state();
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
        });
    }

    fn send(&mut self, step: &mut Step<'_>, priority: Priority) {
        if self.sending.failing && self.sending.last.is_some() {
            self.sending.failing = false;
            self.remark(step, Remark::SendRecovered);
        }
        self.sending.last = Some(priority);
        self.counters.adverts_sent += 1;
        if priority.is_release() {
            self.counters.priority_zero_sent += 1;
        }
        step.effects.push(Effect::Send {
            router: self.id,
            priority,
        });
    }

    fn announce(&self, step: &mut Step<'_>, rounds: u8) {
        if rounds > 0 {
            step.effects.push(Effect::Announce {
                router: self.id,
                rounds,
            });
        }
    }

    fn notify(&self, step: &mut Step<'_>, state: NotifyState) {
        step.effects.push(Effect::Notify {
            subject: Subject::Router(self.id),
            state,
            priority: self.priority,
        });
    }
}
