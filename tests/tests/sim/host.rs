//! One host: an engine, and the driver's part around it.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_common::id::{Family, Priority};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::checksum::ChecksumForm;
use vrrp_common::wire::emit::{self, Message};
use vrrp_common::wire::ladder::TTL;
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::proto::model::{Transport, V3Checksum};
use vrrp_daemon::proto::{
    Correspondence, Effect, Heard, Input, LinkId, LinkState, Model, RouterId, ScriptState, State, Vrrp,
};

use super::network::Flight;
use super::{CHECK, WEIGHTED};

/// The address of a host on a segment. A later host has a higher one.
pub(crate) fn address(family: Family, host: usize, segment: usize) -> IpAddr {
    let octet = |number: usize| u8::try_from(number + 1).unwrap();
    let (segment, host) = (octet(segment), octet(host));
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(192, 0, segment, host)),
        Family::V6 => IpAddr::V6(Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, segment.into(), host.into())),
    }
}

pub(crate) fn link(segment: usize) -> LinkId {
    LinkId(u16::try_from(segment).unwrap())
}

pub(crate) fn router(segment: usize) -> RouterId {
    RouterId(u16::try_from(segment).unwrap())
}

pub(crate) struct Host {
    pub(crate) vrrp: Vrrp,
    pub(crate) segments: usize,
    judge: Judge,
    family: Family,
    index: usize,
    /// The kernel keeps unchanged adverts of the Master that is followed to itself, and stamps them.
    silent: bool,
    inbox: VecDeque<Judged>,
    /// Facts not yet handed to the engine.
    pub(crate) told: VecDeque<Input>,
    /// The last advert that reached the engine, and the last stamp, of each source.
    stamps: BTreeMap<(usize, IpAddr), (Heard, MonoNanos)>,
    /// The weighted script fails, and the engine knows.
    pub(crate) lowered: bool,
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
            judge: Judge::new(&model),
            family: model.routers[0].family,
            lowered: false,
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
        let up = (0..self.segments).map(|segment| Input::Link {
            link: link(segment),
            state: LinkState::Up,
        });
        let sources = (0..self.segments).map(|segment| Input::Source {
            router: router(segment),
            address: Some(address(self.family, self.index, segment)),
        });
        let passing = [CHECK, WEIGHTED].map(|script| Input::Script {
            script,
            state: ScriptState::Passing,
        });
        for input in up.chain(sources).chain(passing) {
            self.vrrp.handle(now, input, &mut effects);
        }
        self.vrrp.handle(now, Input::Start, &mut effects);
        effects
    }

    /// Another configuration, taken over as a driver does it; for the same segments.
    pub(crate) fn reload(&mut self, now: MonoNanos, model: Model) -> Vec<Effect> {
        let mut effects = self.wake(now, true);
        let correspondence = Correspondence::between(self.vrrp.model(), &model);
        self.vrrp.retire(now, &correspondence, &mut effects);
        self.judge = Judge::new(&model);
        self.vrrp.adopt(now, model, &correspondence);
        self.vrrp.handle(now, Input::Start, &mut effects);
        self.vrrp.handle(now, Input::Tick, &mut effects);
        effects
    }

    /// When it will be scheduled.
    pub(crate) fn next_wake(&self) -> Option<MonoNanos> {
        self.wakes
            .map(|at| self.stopped_until.map_or(at, |until| until.max(at)))
    }

    /// The adverts of a virtual router, each with its destination.
    pub(crate) fn adverts(&self, router: RouterId, priority: Priority) -> Vec<(IpAddr, Vec<u8>)> {
        let config = &self.vrrp.model().routers[router.index()];
        let addresses: Vec<_> = config.addresses.iter().map(|virtual_| virtual_.address).collect();
        let destinations = match &config.transport {
            Transport::Multicast { group, .. } => vec![*group],
            Transport::Unicast { peers, .. } => peers.iter().map(|peer| peer.address).collect(),
        };
        let advert = |destination| {
            let message = Message {
                version: config.version,
                vrid: config.vrid,
                priority,
                interval: config.interval,
                auth: config.auth,
                addresses: &addresses,
                checksum: match config.v3_checksum {
                    V3Checksum::PseudoHeader => ChecksumForm::Pseudo,
                    V3Checksum::MessageOnly => ChecksumForm::Message,
                    V3Checksum::Group => ChecksumForm::PseudoGroup,
                },
                source: address(self.family, self.index, router.index()),
                destination,
            };
            let mut buffer = [0; 256];
            let length = emit::emit(&mut buffer, &message).unwrap();
            (destination, buffer[..length].to_vec())
        };
        destinations.into_iter().map(advert).collect()
    }

    /// An advert reaches the kernel; whether the daemon is to be woken for it.
    pub(crate) fn arrive(&mut self, flight: &Flight) -> bool {
        let datagram = Datagram {
            source_mac: None,
            source: flight.source,
            destination: flight.destination,
            ttl: TTL,
            pdu: &flight.pdu,
        };
        let judged = self.judge.judge(link(flight.segment), &datagram, flight.arrives);
        assert_eq!(
            matches!(judged, Judged::Heard(_)),
            !flight.damaged,
            "{judged:?} of {flight:?}"
        );
        let heard = match judged {
            Judged::Heard(heard) => heard,
            Judged::Refused { .. } => {
                self.inbox.push_back(judged);
                return true;
            }
            Judged::Unchanged { .. } | Judged::Stranger { .. } | Judged::NotOurs => return false,
        };
        assert!(heard.same_addresses);
        let quiet = self.vrrp.quiet(heard.router);
        let followed = quiet.is_some_and(|quiet| quiet.source == heard.source);
        let known = self
            .stamps
            .get_mut(&(flight.segment, heard.source))
            .filter(|(last, _)| (last.priority, last.interval) == (heard.priority, heard.interval));
        if self.silent
            && followed
            && self.inbox.is_empty()
            && let Some((_, stamp)) = known
        {
            *stamp = heard.at;
            return false;
        }
        self.inbox.push_back(judged);
        true
    }

    /// What a driver does when it wakes: facts before or after what arrived, as the channels have it, then stamps,
    /// then the tick.
    pub(crate) fn wake(&mut self, now: MonoNanos, facts_first: bool) -> Vec<Effect> {
        let mut effects = Vec::new();
        if facts_first {
            self.take_facts(now, &mut effects);
        }
        while let Some(judged) = self.inbox.pop_front() {
            let input = match judged {
                Judged::Heard(heard) => {
                    let last = (heard, heard.at);
                    if let Some((_, stamp)) = self.stamps.insert((heard.router.index(), heard.source), last) {
                        // What the kernel kept to itself came before.
                        let unchanged = Input::StillThere {
                            adverts: 0,
                            router: heard.router,
                            source: heard.source,
                            at: stamp,
                        };
                        self.vrrp.handle(now, unchanged, &mut effects);
                    }
                    Input::Advert(heard)
                }
                Judged::Refused {
                    router,
                    source,
                    mac,
                    refusal,
                } => Input::Refused {
                    router,
                    source,
                    mac,
                    refusal,
                },
                Judged::Unchanged { .. } | Judged::Stranger { .. } | Judged::NotOurs => continue,
            };
            self.vrrp.handle(now, input, &mut effects);
        }
        let due: Vec<_> = self.vrrp.down_timers_due(now).collect();
        for router in due {
            let stamps = self
                .stamps
                .iter()
                .filter(|((segment, _), _)| *segment == router.index());
            for ((_, source), (_, at)) in stamps {
                let input = Input::StillThere {
                    adverts: 0,
                    router,
                    source: *source,
                    at: *at,
                };
                self.vrrp.handle(now, input, &mut effects);
            }
        }
        self.vrrp.handle(now, Input::Tick, &mut effects);
        self.take_facts(now, &mut effects);
        effects
    }

    fn take_facts(&mut self, now: MonoNanos, effects: &mut Vec<Effect>) {
        while let Some(input) = self.told.pop_front() {
            if let Input::Script {
                script: WEIGHTED,
                state,
            } = input
            {
                self.lowered = state == ScriptState::Failing;
            }
            self.vrrp.handle(now, input, effects);
        }
    }

    pub(crate) fn states(&self) -> Vec<State> {
        (0..self.segments)
            .map(|segment| self.vrrp.status(router(segment)).unwrap().state)
            .collect()
    }
}
