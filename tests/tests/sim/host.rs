//! One host: an engine, and the driver's part around it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr};

use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_daemon::proto::{
    Effect, Heard, Input, LinkId, LinkState, Model, RouterId, ScriptId, ScriptState, State, Vrrp,
};

use super::network::Flight;

/// The address of a host on a segment. A later host has a higher one.
pub(crate) fn address(host: usize, segment: usize) -> IpAddr {
    let octet = |number: usize| u8::try_from(number + 1).unwrap();
    IpAddr::V4(Ipv4Addr::new(192, 0, octet(segment), octet(host)))
}

pub(crate) fn router(segment: usize) -> RouterId {
    RouterId(u16::try_from(segment).unwrap())
}

pub(crate) struct Host {
    pub(crate) vrrp: Vrrp,
    pub(crate) segments: usize,
    index: usize,
    /// The kernel keeps unchanged adverts of the Master that is followed to itself, and stamps them.
    silent: bool,
    inbox: VecDeque<Heard>,
    /// Facts not yet handed to the engine.
    pub(crate) told: VecDeque<Input>,
    /// The last advert that reached the engine, and the last stamp, of each source.
    stamps: BTreeMap<(usize, IpAddr), (Heard, MonoNanos)>,
    /// Not scheduled until then.
    pub(crate) stopped_until: Option<MonoNanos>,
    /// When the timer that is set goes off, the lateness of waking included.
    pub(crate) wakes: Option<MonoNanos>,
    pub(crate) holds: Vec<bool>,
}

impl Host {
    pub(crate) fn new(index: usize, model: Model, silent: bool, now: MonoNanos) -> Self {
        let segments = model.routers.len();
        Self {
            vrrp: Vrrp::new(model, now),
            segments,
            index,
            silent,
            inbox: VecDeque::new(),
            told: VecDeque::new(),
            stamps: BTreeMap::new(),
            stopped_until: None,
            wakes: None,
            holds: vec![false; segments],
        }
    }

    /// What a driver tells before the start.
    pub(crate) fn boot(&mut self, now: MonoNanos) -> Vec<Effect> {
        let mut effects = Vec::new();
        for segment in 0..self.segments {
            let link = LinkId(u16::try_from(segment).unwrap());
            self.vrrp.handle(
                now,
                Input::Link {
                    link,
                    state: LinkState::Up,
                },
                &mut effects,
            );
            let source = Input::Source {
                router: router(segment),
                address: Some(address(self.index, segment)),
            };
            self.vrrp.handle(now, source, &mut effects);
        }
        let passing = Input::Script {
            script: ScriptId(0),
            state: ScriptState::Passing,
        };
        self.vrrp.handle(now, passing, &mut effects);
        self.vrrp.handle(now, Input::Start, &mut effects);
        effects
    }

    /// When it will be scheduled.
    pub(crate) fn next_wake(&self) -> Option<MonoNanos> {
        self.wakes
            .map(|at| self.stopped_until.map_or(at, |until| until.max(at)))
    }

    /// An advert reaches the kernel; whether the daemon is to be woken for it.
    pub(crate) fn arrive(&mut self, flight: &Flight) -> bool {
        let source = address(flight.from, flight.segment);
        let heard = Heard {
            router: router(flight.segment),
            source,
            priority: flight.priority,
            interval: flight.interval,
            at: flight.arrives,
            checksum: ChecksumForm::Pseudo,
            same_addresses: true,
        };
        let status = self.vrrp.status(heard.router).unwrap();
        let followed =
            status.state == State::Backup && status.master.is_some_and(|master| master.address == source);
        let known = self
            .stamps
            .get_mut(&(flight.segment, source))
            .filter(|(last, _)| (last.priority, last.interval) == (heard.priority, heard.interval));
        if self.silent
            && followed
            && self.inbox.is_empty()
            && let Some((_, stamp)) = known
        {
            *stamp = heard.at;
            return false;
        }
        self.inbox.push_back(heard);
        true
    }

    /// What a driver does when it wakes: facts and adverts first, then stamps, then the tick.
    pub(crate) fn wake(&mut self, now: MonoNanos) -> Vec<Effect> {
        let mut effects = Vec::new();
        while let Some(input) = self.told.pop_front() {
            self.vrrp.handle(now, input, &mut effects);
        }
        while let Some(heard) = self.inbox.pop_front() {
            self.stamps
                .insert((usize::from(heard.router.0), heard.source), (heard, heard.at));
            self.vrrp.handle(now, Input::Advert(heard), &mut effects);
        }
        let due: Vec<_> = self.vrrp.down_timers_due(now).collect();
        for due in due {
            let last = self
                .stamps
                .iter()
                .filter(|((segment, _), _)| router(*segment) == due);
            let stamps: Vec<_> = last.map(|((_, source), (_, at))| (*source, *at)).collect();
            for (source, at) in stamps {
                self.vrrp.handle(
                    now,
                    Input::StillThere {
                        router: due,
                        source,
                        at,
                    },
                    &mut effects,
                );
            }
        }
        self.vrrp.handle(now, Input::Tick, &mut effects);
        effects
    }

    pub(crate) fn states(&self) -> Vec<State> {
        (0..self.segments)
            .map(|segment| self.vrrp.status(router(segment)).unwrap().state)
            .collect()
    }
}
