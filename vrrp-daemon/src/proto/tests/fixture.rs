//! Small models, and a bench that feeds them.

use std::net::{IpAddr, Ipv4Addr};

use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::ladder::Auth;

use crate::proto::model::{
    AddressExtra, Announce, File, FileId, GroupId, LinkId, Model, Preempt, Process, ProcessId, RouterId,
    Script, ScriptId, SyncGroup, Track, TrackObject, Transport, Uncommon, Unit, UnitId, V3Checksum,
    VirtualAddress, VirtualRouter,
};
use crate::proto::{Effect, Heard, Input, LinkState, NotifyState, Reason, Remark, State, Subject, Vrrp};

pub(super) const R0: RouterId = RouterId(0);
pub(super) const R1: RouterId = RouterId(1);
pub(super) const R2: RouterId = RouterId(2);
pub(super) const L0: LinkId = LinkId(0);
pub(super) const L1: LinkId = LinkId(1);
pub(super) const L2: LinkId = LinkId(2);
pub(super) const S0: ScriptId = ScriptId(0);
pub(super) const S1: ScriptId = ScriptId(1);
pub(super) const F0: FileId = FileId(0);
pub(super) const P0: ProcessId = ProcessId(0);
pub(super) const U0: UnitId = UnitId(0);
pub(super) const G0: GroupId = GroupId(0);

/// Our own address, between [`LOW`] and [`HIGH`].
pub(super) const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));
pub(super) const LOW: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9));
pub(super) const HIGH: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 200));

/// A point in time, in milliseconds.
pub(super) fn ms(millis: u64) -> MonoNanos {
    MonoNanos(millis * 1_000_000)
}

/// A point in time, in microseconds.
pub(super) fn us(micros: u64) -> MonoNanos {
    MonoNanos(micros * 1_000)
}

pub(super) fn centis(value: u16) -> Centis {
    Centis::new(value).unwrap()
}

/// VRRPv3, 1 s, preempting, 5 + 5 gratuitous ARPs: keepalived's defaults. At priority 100 and 1 s the
/// Master_Down_Interval is 3609.375 ms and the skew 609.375 ms.
pub(super) fn router(priority: u8) -> VirtualRouter {
    VirtualRouter {
        name: "VI_1".to_owned(),
        link: L0,
        vrid: Vrid::new(51).unwrap(),
        version: Version::V3,
        family: Family::V4,
        priority: Priority(priority),
        interval: Centis::DEFAULT,
        initially_master: false,
        preempt: Preempt::After(Nanos::ZERO),
        down_adverts: 3,
        auth: Auth::None,
        transport: Transport::Multicast {
            group: IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
            source: None,
        },
        v3_checksum: V3Checksum::PseudoHeader,
        addresses: vec![VirtualAddress {
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
            prefix: 32,
            link: L0,
            label: None,
            scope: 0,
            broadcast: None,
            dad: false,
            extra: AddressExtra::default(),
        }],
        excluded: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        track: Vec::new(),
        track_primary: true,
        announce: Announce {
            repeat: 5,
            delay: Nanos::from_secs(5),
            refresh: Nanos::ZERO,
            refresh_repeat: 1,
            lower_repeat: 3,
            lower_delay: Nanos::from_secs(4),
        },
        advert_on_lower: true,
        advert_on_higher: false,
        group: None,
        uncommon: Uncommon::default(),
    }
}

pub(super) fn numbered(vrid: u8, priority: u8) -> VirtualRouter {
    VirtualRouter {
        name: format!("VI_{vrid}"),
        vrid: Vrid::new(vrid).unwrap(),
        ..router(priority)
    }
}

pub(super) fn track(object: TrackObject, weight: i16) -> Track {
    Track {
        object,
        weight,
        reverse: false,
    }
}

/// Three links, two scripts, a file, a process and a unit for the given routers to use.
pub(super) fn model(routers: Vec<VirtualRouter>) -> Model {
    Model {
        links: ["eth0", "eth1", "eth2"].map(str::to_owned).to_vec(),
        routers,
        groups: Vec::new(),
        scripts: ["check_a", "check_b"]
            .map(|name| Script {
                name: name.to_owned(),
                disabled: false,
            })
            .to_vec(),
        files: vec![File {
            name: "load".to_owned(),
        }],
        processes: vec![Process {
            name: "nginx".to_owned(),
        }],
        units: vec![Unit {
            name: "haproxy.service 5 600".to_owned(),
        }],
        ..Model::default()
    }
}

/// The same with all routers in one sync group, each on its own link.
pub(super) fn grouped(mut routers: Vec<VirtualRouter>) -> Model {
    let members: Vec<_> = (0..).map(RouterId).take(routers.len()).collect();
    for (router, link) in routers.iter_mut().zip(0..) {
        router.link = LinkId(link);
        router.group = Some(G0);
    }
    Model {
        groups: vec![SyncGroup {
            name: "VG_1".to_owned(),
            members,
            track: Vec::new(),
            keep_weights: false,
        }],
        ..model(routers)
    }
}

/// A [`Vrrp`] with what it did last.
pub(super) struct Bench {
    pub(super) vrrp: Vrrp,
}

impl Bench {
    /// Nothing told yet.
    pub(super) fn new(model: Model) -> Self {
        Self {
            vrrp: Vrrp::new(model, ms(0)),
        }
    }

    /// All links up, every source known, at time 0; not started.
    pub(super) fn told(model: Model) -> Self {
        let mut bench = Self::new(model);
        for link in [L0, L1, L2] {
            assert_eq!(
                bench.feed(
                    ms(0),
                    Input::Link {
                        link,
                        state: LinkState::Up
                    }
                ),
                []
            );
        }
        for router in (0..).map(RouterId).take(bench.vrrp.model().routers.len()) {
            assert_eq!(
                bench.feed(
                    ms(0),
                    Input::Source {
                        router,
                        address: Some(OURS)
                    }
                ),
                []
            );
        }
        bench
    }

    /// Told and started at time 0.
    pub(super) fn started(model: Model) -> Self {
        let mut bench = Self::told(model);
        bench.feed(ms(0), Input::Start);
        bench
    }

    /// One router that is Backup since time 0 and has heard nobody.
    pub(super) fn backup(config: VirtualRouter) -> Self {
        let bench = Self::started(model(vec![config]));
        assert_eq!(bench.state(R0), State::Backup);
        bench
    }

    /// One router that became Master when its down timer ran out; answers the time of that.
    pub(super) fn master(config: VirtualRouter) -> (Self, MonoNanos) {
        let mut bench = Self::backup(config);
        let now = bench.deadline().unwrap();
        bench.feed(now, Input::Tick);
        assert_eq!(bench.state(R0), State::Master);
        (bench, now)
    }

    /// All but [`Effect::Listen`] and the advert that a transition goes with, which have tests of their own.
    pub(super) fn feed(&mut self, now: MonoNanos, input: Input) -> Vec<Effect> {
        let mut effects = self.feed_whole(now, input);
        effects.retain(|effect| !matches!(effect, Effect::Listen { .. }));
        for effect in &mut effects {
            if let Effect::Transition { heard, .. } = effect {
                *heard = None;
            }
        }
        effects
    }

    pub(super) fn feed_whole(&mut self, now: MonoNanos, input: Input) -> Vec<Effect> {
        let mut effects = Vec::new();
        self.vrrp.handle(now, input, &mut effects);
        effects
    }

    /// An advert that arrives as it is read.
    pub(super) fn hear(
        &mut self,
        now: MonoNanos,
        router: RouterId,
        source: IpAddr,
        priority: u8,
    ) -> Vec<Effect> {
        self.feed(now, advert(now, router, source, priority))
    }

    pub(super) fn tick(&mut self, now: MonoNanos) -> Vec<Effect> {
        self.feed(now, Input::Tick)
    }

    pub(super) fn state(&self, router: RouterId) -> State {
        self.vrrp.status(router).unwrap().state
    }

    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.vrrp.next_deadline()
    }
}

pub(super) fn heard(at: MonoNanos, router: RouterId, source: IpAddr, priority: u8) -> Heard {
    Heard {
        mac: None,
        router,
        source,
        priority: Priority(priority),
        interval: Centis::DEFAULT,
        at,
        checksum: ChecksumForm::Pseudo,
        same_addresses: true,
    }
}

pub(super) fn advert(at: MonoNanos, router: RouterId, source: IpAddr, priority: u8) -> Input {
    Input::Advert(heard(at, router, source, priority))
}

pub(super) fn link(link: LinkId, state: LinkState) -> Input {
    Input::Link { link, state }
}

pub(super) fn send(router: RouterId, priority: u8) -> Effect {
    Effect::Send {
        router,
        priority: Priority(priority),
    }
}

pub(super) fn acquire(router: RouterId) -> Effect {
    Effect::Acquire { router, announce: 5 }
}

pub(super) fn release(router: RouterId) -> Effect {
    Effect::Release { router }
}

pub(super) fn announce(router: RouterId, rounds: u8) -> Effect {
    Effect::Announce { router, rounds }
}

pub(super) fn notify(router: RouterId, state: NotifyState, priority: u8) -> Effect {
    Effect::Notify {
        subject: Subject::Router(router),
        state,
        priority: Priority(priority),
    }
}

pub(super) fn notify_group(state: NotifyState) -> Effect {
    Effect::Notify {
        subject: Subject::Group(G0),
        state,
        priority: Priority(0),
    }
}

pub(super) fn went(router: RouterId, from: State, to: State, reason: Reason) -> Effect {
    Effect::Transition {
        router,
        from,
        to,
        reason,
        heard: None,
    }
}

pub(super) fn remark(router: RouterId, remark: Remark) -> Effect {
    Effect::Remark {
        router: Some(router),
        remark,
    }
}
