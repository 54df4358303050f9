//! Several engines on a virtual clock and a bad network. Everything follows from the seed.

mod host;
mod network;
mod plan;
mod random;

use std::collections::BTreeSet;

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_daemon::proto::model::Preempt;
use vrrp_daemon::proto::{Effect, Input, LinkState, Reason, ScriptId, ScriptState, State};

pub(crate) use host::Host;
use host::{address, link, router};
use network::{Flight, Network};
pub(crate) use plan::{CHECK, Plan, WEIGHTED};
use plan::{WEIGHT, model};
pub(crate) use random::Random;

/// A change of state, with what the host had heard before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Change {
    pub(crate) at: MonoNanos,
    pub(crate) host: usize,
    pub(crate) segment: usize,
    pub(crate) to: State,
    pub(crate) reason: Reason,
    /// Arrival of the last advert that the host had to respect, if any since it came up.
    pub(crate) respected: Option<MonoNanos>,
}

pub(crate) struct Sim {
    pub(crate) plan: Plan,
    pub(crate) now: MonoNanos,
    pub(crate) hosts: Vec<Host>,
    pub(crate) network: Network,
    pub(crate) random: Random,
    /// Hosts whose cable to a segment is out.
    pub(crate) unplugged: BTreeSet<(usize, usize)>,
    pub(crate) changes: Vec<Change>,
    respected: Vec<Vec<Option<(usize, MonoNanos)>>>,
    /// Since when a segment has two Masters.
    split_since: Vec<Option<MonoNanos>>,
    /// The longest time two hosts held a segment's addresses, since it was last cleared.
    pub(crate) longest_split: Nanos,
    /// A moment at which a segment had no Master, since it was last cleared.
    pub(crate) orphaned: Option<MonoNanos>,
    reloads: u32,
}

impl Sim {
    pub(crate) fn new(seed: u64, plan: Plan) -> Self {
        let now = MonoNanos(1_000_000_000);
        let mut sim = Self {
            now,
            hosts: (0..plan.priorities.len())
                .map(|host| Host::new(host, model(&plan, host), plan.silent, now))
                .collect(),
            network: Network::new(plan.delay, plan.jitter),
            random: Random::new(seed),
            unplugged: BTreeSet::new(),
            changes: Vec::new(),
            respected: vec![vec![None; plan.segments]; plan.priorities.len()],
            split_since: vec![None; plan.segments],
            longest_split: Nanos::ZERO,
            orphaned: None,
            reloads: 0,
            plan,
        };
        for host in 0..sim.hosts.len() {
            let effects = sim.hosts[host].boot(now);
            sim.carry_out(host, &effects);
        }
        sim
    }

    /// Times of the interval.
    pub(crate) fn intervals(&self, count: u64) -> Nanos {
        self.plan.interval.nanos().times(count)
    }

    /// Let time pass.
    pub(crate) fn run(&mut self, span: Nanos) {
        let end = self.now + span;
        loop {
            let wake = self
                .hosts
                .iter()
                .enumerate()
                .filter_map(|(index, host)| Some((host.next_wake()?, index)))
                .min();
            let arrival = self.network.next_arrival();
            match (arrival, wake) {
                (Some(at), wake) if at <= end && wake.is_none_or(|(wakes, _)| at <= wakes) => {
                    self.now = at;
                    self.deliver();
                }
                (_, Some((at, host))) if at <= end => {
                    self.now = at.max(self.now);
                    self.wake(host);
                }
                (_, _) => break,
            }
        }
        self.now = end;
        self.observe();
    }

    fn deliver(&mut self) {
        while let Some(flight) = self.network.arrived(self.now) {
            let Flight {
                from, to, segment, ..
            } = flight;
            if self.unplugged.contains(&(from, segment)) || self.unplugged.contains(&(to, segment)) {
                continue;
            }
            if !flight.damaged {
                // The third byte of every advert.
                self.note(to, from, segment, Priority(flight.pdu[2]));
            }
            if self.hosts[to].arrive(&flight) {
                let lateness = Nanos(self.random.below(self.plan.lateness.0 + 1));
                let at = self.now + lateness;
                let wakes = &mut self.hosts[to].wakes;
                *wakes = Some(wakes.map_or(at, |wakes| wakes.min(at)));
            }
        }
    }

    /// What a Backup has to respect, kept apart from the engine's own opinion.
    fn note(&mut self, to: usize, from: usize, segment: usize, priority: Priority) {
        let host = &self.hosts[to];
        let configured = self.plan.priority(to, segment);
        // Whatever waits to be told may raise it again.
        let lowered = host.lowered && host.told.is_empty() && !configured.is_owner();
        let weight = if lowered { WEIGHT.unsigned_abs() } else { 0 };
        let ours = Priority(configured.0.saturating_sub(u8::try_from(weight).unwrap()).max(1));
        let preempts = self.plan.preempt != Preempt::Never || configured.is_owner();
        if !matches!(self.hosts[to].states()[segment], State::Backup | State::Master) {
            return;
        }
        let respected = &mut self.respected[to][segment];
        if priority.is_release() {
            // Only the Master itself can release us from it.
            *respected = respected.filter(|(source, _)| *source != from);
        } else if priority >= ours || !preempts {
            *respected = Some((from, self.now));
        }
    }

    fn wake(&mut self, host: usize) {
        self.hosts[host].stopped_until = None;
        self.hosts[host].wakes = None;
        let facts_first = self.random.chance(50);
        let was_lowered = self.hosts[host].lowered;
        let effects = self.hosts[host].wake(self.now, facts_first);
        if was_lowered && !self.hosts[host].lowered {
            // Better than its Master again, perhaps: what it heard until now no longer binds it.
            self.respected[host].fill(None);
        }
        self.carry_out(host, &effects);
    }

    pub(crate) fn feed(&mut self, host: usize, input: Input) {
        // A stopped host learns of it when it wakes.
        self.hosts[host].told.push_back(input);
        if self.hosts[host]
            .stopped_until
            .is_none_or(|until| until <= self.now)
        {
            self.wake(host);
        } else {
            self.hosts[host].wakes.get_or_insert(self.now);
        }
    }

    fn carry_out(&mut self, host: usize, effects: &[Effect]) {
        for effect in effects {
            match *effect {
                Effect::Send { router, priority } => self.send(host, usize::from(router.0), priority),
                Effect::Acquire { router, .. } => self.hosts[host].holds[usize::from(router.0)] = true,
                Effect::Release { router } => self.hosts[host].holds[usize::from(router.0)] = false,
                Effect::Transition {
                    router, to, reason, ..
                } => {
                    let segment = usize::from(router.0);
                    if matches!(to, State::Init | State::Fault) {
                        // Whatever is heard there, the full wait begins afterwards.
                        self.respected[host][segment] = None;
                    }
                    let respected = self.respected[host][segment].map(|(_, at)| at);
                    self.changes.push(Change {
                        at: self.now,
                        host,
                        segment,
                        to,
                        reason,
                        respected,
                    });
                }
                Effect::Restore { .. }
                | Effect::Announce { .. }
                | Effect::AnnounceSource { .. }
                | Effect::Listen { .. }
                | Effect::Probe { .. }
                | Effect::Notify { .. }
                | Effect::Remark { .. } => {}
            }
        }
        let lateness = Nanos(self.random.below(self.plan.lateness.0 + 1));
        self.hosts[host].wakes = self.hosts[host]
            .vrrp
            .next_deadline()
            .map(|at| at.max(self.now) + lateness);
        self.observe();
    }

    fn send(&mut self, host: usize, segment: usize, priority: Priority) {
        if self.unplugged.contains(&(host, segment)) {
            return;
        }
        let source = address(self.plan.family, host, segment);
        for (destination, pdu) in self.hosts[host].adverts(router(segment), priority) {
            for to in (0..self.hosts.len()).filter(|&to| to != host) {
                if destination.is_multicast() || destination == address(self.plan.family, to, segment) {
                    let way = (host, to, segment);
                    self.network
                        .carry(&mut self.random, self.now, way, (source, destination), &pdu);
                }
            }
        }
    }

    /// Look at who holds what, after every step of every host.
    fn observe(&mut self) {
        for segment in 0..self.plan.segments {
            let holders = self.hosts.iter().filter(|host| host.holds[segment]).count();
            if holders == 0 {
                self.orphaned = Some(self.now);
            }
            if let Some(since) = self.split_since[segment] {
                self.longest_split = self.longest_split.max(self.now.since(since));
            }
            self.split_since[segment] = (holders > 1).then(|| self.split_since[segment].unwrap_or(self.now));
        }
        for host in &self.hosts {
            let states = host.states();
            let masters = states.iter().filter(|state| **state == State::Master).count();
            assert!(
                masters == 0 || masters == states.len(),
                "a group that is half Master: {states:?}"
            );
            let held: Vec<_> = states.iter().map(|state| *state == State::Master).collect();
            assert_eq!(
                held, host.holds,
                "addresses held without being Master, or the reverse"
            );
        }
    }

    /// Hosts that hold the addresses of a segment.
    pub(crate) fn masters(&self, segment: usize) -> Vec<usize> {
        (0..self.hosts.len())
            .filter(|&host| self.hosts[host].holds[segment])
            .collect()
    }

    /// Begin to measure splits and gaps from here.
    pub(crate) fn clear_measures(&mut self) {
        self.longest_split = Nanos::ZERO;
        self.orphaned = None;
        self.split_since.fill(None);
    }

    pub(crate) fn unplug(&mut self, host: usize, segment: usize) {
        self.unplugged.insert((host, segment));
        self.feed(
            host,
            Input::Link {
                link: link(segment),
                state: LinkState::Down,
            },
        );
    }

    pub(crate) fn plug(&mut self, host: usize, segment: usize) {
        self.unplugged.remove(&(host, segment));
        self.feed(
            host,
            Input::Link {
                link: link(segment),
                state: LinkState::Up,
            },
        );
    }

    pub(crate) fn script(&mut self, host: usize, script: ScriptId, state: ScriptState) {
        self.feed(host, Input::Script { script, state });
    }

    /// Another file in which everything has another name, and, where `priority` says so, the host another priority.
    pub(crate) fn reload(&mut self, host: usize, priority: Option<u8>) {
        if self.hosts[host]
            .stopped_until
            .is_some_and(|until| until > self.now)
        {
            return;
        }
        self.wake(host);
        if let Some(priority) = priority {
            self.plan.priorities[host] = priority;
            // Better than its Master now, perhaps.
            self.respected[host].fill(None);
        }
        self.reloads += 1;
        let mut model = model(&self.plan, host);
        for router in &mut model.routers {
            router.name = format!("{}, {}", router.name, self.reloads);
        }
        for group in &mut model.groups {
            group.name = format!("{}, {}", group.name, self.reloads);
        }
        let effects = self.hosts[host].reload(self.now, model);
        self.carry_out(host, &effects);
    }

    /// A stop in good order, and a start at once.
    pub(crate) fn restart(&mut self, host: usize) {
        let mut effects = Vec::new();
        self.hosts[host]
            .vrrp
            .handle(self.now, Input::Shutdown, &mut effects);
        self.carry_out(host, &effects);
        assert!(
            !self.hosts[host].holds.contains(&true),
            "addresses kept after the stop"
        );
        self.crash(host);
    }

    /// `kill -9`, and a supervisor that starts it again at once: the addresses are gone, no priority 0.
    pub(crate) fn crash(&mut self, host: usize) {
        self.hosts[host] = Host::new(host, model(&self.plan, host), self.plan.silent, self.now);
        self.respected[host].fill(None);
        let effects = self.hosts[host].boot(self.now);
        self.carry_out(host, &effects);
        let unplugged: Vec<_> = self
            .unplugged
            .iter()
            .copied()
            .filter(|(whose, _)| *whose == host)
            .collect();
        for (host, segment) in unplugged {
            self.unplug(host, segment);
        }
    }

    /// A whole host is cut off, or joined again, without any cable knowing.
    pub(crate) fn isolate(&mut self, host: usize, segment: usize, cut: bool) {
        for other in (0..self.hosts.len()).filter(|&other| other != host) {
            for pair in [(host, other, segment), (other, host, segment)] {
                if cut {
                    self.network.cut.insert(pair);
                } else {
                    self.network.cut.remove(&pair);
                }
            }
        }
    }

    /// Everything is well again from now on.
    pub(crate) fn heal(&mut self) {
        self.network.cut.clear();
        self.network.loss = 0;
        self.network.damage = 0;
        for host in 0..self.hosts.len() {
            if self.hosts[host].stopped_until.take().is_some() {
                self.wake(host);
            }
            for script in [CHECK, WEIGHTED] {
                self.script(host, script, ScriptState::Passing);
            }
            for segment in 0..self.plan.segments {
                self.plug(host, segment);
            }
        }
    }

    /// The status line of every host, for a failure's message.
    pub(crate) fn describe(&self) -> String {
        let lines = self.hosts.iter().enumerate().map(|(index, host)| {
            let sources: Vec<_> = (0..host.segments)
                .map(|segment| {
                    let ours = address(self.plan.family, index, segment);
                    (ours, host.vrrp.status(router(segment)))
                })
                .collect();
            format!("host {index}: {sources:?}")
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}
