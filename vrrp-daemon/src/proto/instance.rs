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
//!
//! Here is what can happen and who is asked; `hearing` judges adverts, `moves` changes the state.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::timers;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::backup::Backup;
use super::counters::Counters;
use super::effect::{Effect, NotifyState, Reason, Remark, Subject};
use super::input::Heard;
use super::master::Master;
use super::model::{Carried, RouterId, Transport, VirtualRouter, WhenLost};
use super::remarks::Said;
use super::router::{Outlook, State, Status};
use super::tracking::Standing;

mod hearing;
mod holding;
mod moves;
mod reload;
mod sending;
mod standby;

use sending::Sending;
use standby::Standby;

/// One virtual router at work.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Instance {
    id: RouterId,
    phase: Phase,
    since: MonoNanos,
    reason: Reason,
    /// Effective priority.
    priority: Priority,
    source: Option<IpAddr>,
    counters: Counters,
    #[serde(skip)]
    said: Said,
    sending: Sending,
    /// It is not to be Master.
    standby: Option<Standby>,
    /// Its link is unproven, which counts until then.
    hold_until: Option<MonoNanos>,
    /// Whose unchanged adverts may be going by unheard.
    #[serde(skip)]
    hushed: Option<IpAddr>,
}

/// The state, with what is valid in it alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Phase {
    Init,
    Backup(Backup),
    Master(Master),
    Fault,
}

/// What can happen to one instance.
#[derive(Clone, Copy, Debug)]
pub(super) enum Event {
    /// A deadline may have passed.
    Due,
    /// An accepted advert.
    Advert(Heard),
    /// Repeats of the last advert of `source`, the last one at `at`.
    StillThere {
        source: IpAddr,
        at: MonoNanos,
        adverts: u64,
    },
    /// What it tracks, or its group, stands thus. `owner_starts`: nothing keeps an owner from being Master
    /// at once.
    Standing { standing: Standing, owner_starts: bool },
    /// Become Master: the down timer ran out here and everywhere in the group.
    Promote,
    /// A sibling of the group went to Backup.
    StandDown { leader: RouterId },
    /// The group yielded to a host with a higher address: let others go first for a while.
    LetPass,
    /// A sibling of the group won a contention: announce as it does.
    Contested,
    /// A reload put it into a group that has its Master elsewhere, as `leader` knows.
    HandOver { leader: RouterId },
    /// Somebody else removed one of its addresses.
    Lost { lost: Carried },
    /// A sibling of the group stepped aside because of that.
    StepAside { leader: RouterId },
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
    /// The down timer ran out, and the link has to be proven first.
    Held,
    /// Was Master, is Backup, because of another Master, whose address is higher or lower than ours.
    StoodDown { to_higher_address: bool },
    /// Is Master, and announced itself against a lower one.
    Contested,
    /// Was Master, is Backup for a skew time at least, with nobody else being Master.
    SteppedAside,
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
            standby: None,
            hold_until: None,
            hushed: None,
        }
    }

    /// Have every advert heard again if one that may be going by unheard could mean something else now.
    pub(super) fn note_quiet(&mut self, step: &mut Step<'_>) {
        let quiet = self.quiet(step.config).map(|quiet| quiet.source);
        if std::mem::replace(&mut self.hushed, quiet).is_some_and(|before| quiet != Some(before)) {
            step.effects.push(Effect::Listen { router: self.id });
        }
    }

    /// One event. Every state and event is named: a new one does not compile until it is thought of here.
    pub(super) fn step(&mut self, step: &mut Step<'_>, event: Event) -> Outcome {
        if let Event::Advert(heard) = event {
            if step.config.priority.is_owner() && step.config.uncommon.owner_is_deaf {
                return Outcome::Settled;
            }
            self.count(step, &heard);
            if self.source == Some(heard.source) {
                self.remark(
                    step,
                    Remark::SameAddress {
                        source: heard.source,
                        mac: heard.mac,
                    },
                );
                return Outcome::Settled;
            }
        }
        if matches!(event, Event::Due) && self.standby_is_over(step.now) {
            self.resume(step, true);
        }
        if let Event::StillThere { source, adverts, .. } = event {
            self.count_unchanged(step.config, source, adverts);
        }
        match (self.phase, event) {
            (Phase::Init | Phase::Fault, Event::Due) => {
                self.probe_due(step);
                Outcome::Settled
            }
            (
                Phase::Init | Phase::Fault,
                Event::Advert(_)
                | Event::StillThere { .. }
                | Event::Promote
                | Event::StandDown { .. }
                | Event::LetPass
                | Event::Contested
                | Event::HandOver { .. }
                | Event::Lost { .. }
                | Event::StepAside { .. },
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
            (
                Phase::Fault,
                Event::Standing {
                    standing,
                    owner_starts,
                },
            ) => {
                if standing == Standing::Ready {
                    self.announce_source(step);
                }
                match standing {
                    Standing::Ready if owner_starts => self.become_master(step, Reason::Owner),
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
                self.backup_hears_advert(step, backup, heard);
                Outcome::Settled
            }
            (Phase::Backup(backup), Event::StillThere { source, at, .. }) => {
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
            (Phase::Backup(mut backup), Event::LetPass) => {
                backup.let_pass(step.now, step.config.interval.nanos());
                self.phase = Phase::Backup(backup);
                Outcome::Settled
            }
            (
                Phase::Backup(_),
                Event::StandDown { .. }
                | Event::Contested
                | Event::HandOver { .. }
                | Event::Lost { .. }
                | Event::StepAside { .. },
            ) => Outcome::Settled,
            (Phase::Master(master), Event::Due) => self.master_due(step, master),
            (Phase::Master(master), Event::Advert(heard)) => self.master_hears(step, master, heard),
            // The kernel is silent about repeats only while we are Backup.
            (Phase::Master(_), Event::StillThere { .. } | Event::Promote | Event::LetPass) => {
                Outcome::Settled
            }
            (Phase::Master(_), Event::StandDown { leader }) => {
                self.become_backup(step, Reason::Group { leader }, None);
                Outcome::Settled
            }
            (Phase::Master(_), Event::HandOver { leader }) => {
                self.hand_over(step, Reason::Group { leader });
                Outcome::Settled
            }
            (Phase::Master(_), Event::Lost { lost }) => self.lost(step, lost),
            (Phase::Master(_), Event::StepAside { leader }) => {
                self.step_aside(step, Reason::Group { leader });
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
            Phase::Init | Phase::Fault => earlier(self.sending.probe_at, self.standby_until()),
            Phase::Backup(backup) => match &self.standby {
                Some(standby) => standby.deadline(backup),
                None => self.backup_deadline(backup),
            },
            Phase::Master(master) => Some(master.deadline()),
        }
    }

    /// A Backup whose down timer has run out, whether or not it waits for its group.
    pub(super) fn down_timer_passed(&self, now: MonoNanos) -> bool {
        self.down_at().is_some_and(|at| at <= now)
    }

    /// When a Backup takes its Master for dead.
    pub(super) fn down_at(&self) -> Option<MonoNanos> {
        match &self.phase {
            Phase::Backup(backup) => Some(backup.down_at()),
            Phase::Init | Phase::Fault | Phase::Master(_) => None,
        }
    }

    /// When a Backup becomes Master, if nothing is heard and its group does not keep it.
    pub(super) fn takes_over_at(&self) -> Option<MonoNanos> {
        self.down_at().filter(|_| self.standby.is_none())
    }

    /// Master already, or a Backup that would be: nothing here keeps its group from being Master.
    pub(super) fn may_be_master(&self) -> bool {
        match &self.phase {
            Phase::Backup(backup) => backup.wants() && self.standby.is_none(),
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

    /// The effective priority.
    pub(super) fn effective_priority(&self) -> Priority {
        self.priority
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
        if let Phase::Backup(backup) = &mut self.phase
            && self.standby.is_none()
        {
            let skew = |priority| timers::skew(config.version, priority, backup.interval());
            let (before, after) = (skew(from), skew(priority));
            backup.shift(before, after);
        }
        Some(Remark::PriorityChanged { from, to: priority })
    }

    /// A message that named this virtual router was refused. Counted; no timer moves (keepalived re-arms the
    /// Master's advert timer here, which silences it).
    pub(super) fn refused(
        &mut self,
        step: &mut Step<'_>,
        source: IpAddr,
        mac: Option<Mac>,
        refusal: Refusal,
    ) {
        if let Some(count) = self.counters.refused.get_mut(usize::from(refusal.number())) {
            *count += 1;
        }
        self.remark(step, Remark::Refused { source, mac, refusal });
    }

    /// A link that was away may be in another place of the network now. Multicast tells the switches by itself;
    /// unicast is sent to where the peers last saw us.
    fn announce_source(&self, step: &mut Step<'_>) {
        if matches!(step.config.transport, Transport::Unicast { .. }) {
            step.effects.push(Effect::AnnounceSource { router: self.id });
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

    /// Count from zero again.
    pub(super) fn clear_counters(&mut self) {
        self.counters = Counters::default();
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
            reason: self.shown_reason(config),
            priority: self.priority,
            master,
            master_down: self.master_down(config, interval),
            outlook: self.outlook(config),
            counters: self.counters,
        }
    }

    /// Why it is in its state now, which need not be how it came into it.
    fn shown_reason(&self, config: &VirtualRouter) -> Reason {
        match (&self.phase, &self.standby) {
            (Phase::Backup(_), Some(_)) => Reason::Standby,
            _ => self.link_waited_for(config).unwrap_or(self.reason),
        }
    }

    fn outlook(&self, config: &VirtualRouter) -> Outlook {
        let standby = self.standby.map(Standby::seen);
        match &self.phase {
            Phase::Init | Phase::Fault => Outlook {
                standby,
                ..Outlook::default()
            },
            Phase::Backup(backup) => Outlook {
                down_at: standby.is_none().then_some(backup.down_at()),
                waits_for_group: backup.wants(),
                hold_until: self.hold_until,
                preempt_at: backup.preempt_at(config, self.priority),
                interval: Some(backup.interval()),
                advert_at: None,
                standby,
            },
            Phase::Master(master) => Outlook {
                advert_at: Some(master.advert_at()),
                ..Outlook::default()
            },
        }
    }

    fn master_down(&self, config: &VirtualRouter, interval: Centis) -> Nanos {
        timers::master_down(config.version, self.priority, interval, config.down_adverts)
    }

    fn lost(&mut self, step: &mut Step<'_>, lost: Carried) -> Outcome {
        self.counters.addresses_lost += 1;
        match step.config.uncommon.when_lost {
            WhenLost::Restore => {
                let router = self.id;
                step.effects.push(Effect::Restore { router, lost });
                Outcome::Settled
            }
            WhenLost::Backup => {
                self.step_aside(step, Reason::Lost { lost });
                Outcome::SteppedAside
            }
        }
    }

    fn backup_due(&mut self, step: &mut Step<'_>, mut backup: Backup) -> Outcome {
        if step.now < backup.down_at() {
            return Outcome::Settled;
        }
        if self.standby.is_some() {
            self.nobody_heard(step);
            return Outcome::Settled;
        }
        if self.is_held(step.now) {
            backup.hold();
            self.phase = Phase::Backup(backup);
            return Outcome::Held;
        }
        backup.want();
        self.phase = Phase::Backup(backup);
        Outcome::Wants
    }

    fn master_due(&mut self, step: &mut Step<'_>, mut master: Master) -> Outcome {
        let (now, announce) = (step.now, step.config.announce);
        if now >= master.advert_at() {
            if let Some(late) = self.makes_way(step, &master) {
                self.counters.overslept += 1;
                self.become_backup(step, Reason::Overslept { late }, None);
                return Outcome::StoodDown {
                    to_higher_address: false,
                };
            }
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
        Outcome::Settled
    }

    /// A Master's next advert comes `after` the one that it has just sent.
    pub(super) fn spread(&mut self, after: Nanos) {
        if let Phase::Master(master) = &mut self.phase {
            master.spread(after);
        }
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

fn earlier(one: Option<MonoNanos>, other: Option<MonoNanos>) -> Option<MonoNanos> {
    one.into_iter().chain(other).min()
}
