//! The protocol thread does the same few things for months: hear the Master, or advertise. That allocates nothing.
#![allow(unsafe_code, reason = "an allocator that counts is unsafe by its trait")]
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::checksum::{ChecksumForm, GROUP_V4};
use vrrp_common::wire::emit::{self, Message};
use vrrp_daemon::effects::advert_tx::AdvertSender;
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::proto::model::{
    AddressExtra, Announce, Preempt, SyncGroup, Transport, Uncommon, V3Checksum, VirtualAddress,
    VirtualRouter,
};
use vrrp_daemon::proto::{Effect, GroupId, Input, LinkId, LinkState, Model, RouterId, State, Vrrp};
use vrrp_daemon::sys::interface;
use vrrp_tests::lab::{Duo, Stamp, root_or_skip};

/// The system's allocator, and how often this thread asked it for memory.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: every call is handed on to the system's allocator as it came; counting allocates nothing, since the
// counter is built at compile time and has nothing to drop.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        // SAFETY: as above.
        unsafe { System.realloc(memory, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How often `work` asked for memory.
fn allocations(work: impl FnOnce()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

const OURS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const MASTER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 3));
const VIRTUAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
const GROUP: IpAddr = IpAddr::V4(GROUP_V4);
const ROUTERS: [RouterId; 2] = [RouterId(0), RouterId(1)];

/// Two virtual routers of one sync group, on one link.
fn model() -> Model {
    let router = |vrid| VirtualRouter {
        name: format!("VI_{vrid}"),
        link: LinkId(0),
        vrid: Vrid::new(vrid).unwrap(),
        version: Version::V3,
        family: Family::V4,
        priority: Priority(100),
        interval: Centis::MIN,
        initially_master: false,
        preempt: Preempt::After(Nanos::ZERO),
        down_adverts: 3,
        auth: Auth::None,
        transport: Transport::Multicast {
            group: GROUP,
            source: None,
        },
        v3_checksum: V3Checksum::PseudoHeader,
        addresses: vec![VirtualAddress {
            address: VIRTUAL,
            prefix: 32,
            link: LinkId(0),
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
            delay: Nanos::from_millis(20),
            refresh: Nanos::from_millis(70),
            refresh_repeat: 1,
            lower_repeat: 5,
            lower_delay: Nanos::from_millis(20),
        },
        advert_on_lower: true,
        advert_on_higher: false,
        group: Some(GroupId(0)),
        uncommon: Uncommon::default(),
    };
    Model {
        links: vec!["eth0".to_owned()],
        routers: vec![router(51), router(52)],
        groups: vec![SyncGroup {
            name: "VG".to_owned(),
            members: ROUTERS.to_vec(),
            track: Vec::new(),
            keep_weights: false,
        }],
        ..Model::default()
    }
}

/// An engine with what a driver keeps around it.
struct Bench {
    vrrp: Vrrp,
    judge: Judge,
    effects: Vec<Effect>,
    now: MonoNanos,
    /// Effects so far.
    done: usize,
}

impl Bench {
    fn new() -> Self {
        let now = MonoNanos(1_000_000_000);
        let mut bench = Self {
            judge: Judge::new(&model()),
            vrrp: Vrrp::new(model(), now),
            effects: Vec::with_capacity(64),
            now,
            done: 0,
        };
        bench.feed(Input::Link {
            link: LinkId(0),
            state: LinkState::Up,
        });
        for router in ROUTERS {
            bench.feed(Input::Source {
                router,
                address: Some(OURS),
            });
        }
        bench.feed(Input::Start);
        bench
    }

    fn feed(&mut self, input: Input) {
        self.vrrp.handle(self.now, input, &mut self.effects);
        self.done += self.effects.drain(..).count();
    }

    fn hear(&mut self, pdu: &[u8]) {
        let datagram = Datagram {
            source_mac: None,
            source: MASTER,
            destination: GROUP,
            ttl: 255,
            pdu,
        };
        match self.judge.judge(LinkId(0), &datagram, self.now) {
            Judged::Heard(heard) => self.feed(Input::Advert(heard)),
            Judged::Refused {
                router,
                source,
                mac,
                refusal,
            } => self.feed(Input::Refused {
                mac,
                router,
                source,
                refusal,
            }),
            Judged::Unchanged { .. } | Judged::Stranger { .. } | Judged::NotOurs => {}
        }
    }

    /// Go to the next deadline and let it pass.
    fn tick(&mut self) {
        self.now = self.vrrp.next_deadline().unwrap().max(self.now);
        self.feed(Input::Tick);
    }

    fn states(&self) -> [State; 2] {
        ROUTERS.map(|router| self.vrrp.status(router).unwrap().state)
    }
}

fn advert(vrid: u8, priority: u8) -> Vec<u8> {
    let message = Message {
        version: Version::V3,
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority(priority),
        interval: Centis::MIN,
        auth: Auth::None,
        addresses: &[VIRTUAL],
        checksum: ChecksumForm::Pseudo,
        source: MASTER,
        destination: GROUP,
    };
    let mut buffer = vec![0; 64];
    let length = emit::emit(&mut buffer, &message).unwrap();
    buffer.truncate(length);
    buffer
}

const ROUNDS: usize = 10_000;

#[test]
fn a_backup_that_hears_its_master_allocates_nothing() {
    let mut bench = Bench::new();
    let adverts = [advert(51, 150), advert(52, 150)];
    let mut damaged = advert(51, 150);
    damaged[6] ^= 1;
    let mut hear = || {
        for router in ROUTERS {
            bench.now = bench.now + Nanos::from_millis(5);
            bench.hear(&adverts[router.index()]);
            bench.hear(&damaged);
            let stamp = Input::StillThere {
                adverts: 0,
                router,
                source: MASTER,
                at: bench.now,
            };
            bench.feed(stamp);
            bench.feed(Input::Tick);
        }
    };
    hear();
    let counted = allocations(|| (0..ROUNDS).for_each(|_| hear()));
    assert_eq!(counted, 0);
    assert_eq!(bench.states(), [State::Backup; 2]);
    let received = bench.vrrp.status(RouterId(0)).unwrap().counters.adverts_received;
    assert_eq!(received, 10_001);
}

/// Adverts, gratuitous ARPs, and every now and then a router that has to be told who is Master.
#[test]
fn a_master_allocates_nothing() {
    let mut bench = Bench::new();
    let lower = advert(51, 50);
    while bench.states() != [State::Master; 2] {
        bench.tick();
    }
    let mut lead = |round: usize| {
        bench.tick();
        if round.is_multiple_of(100) {
            bench.hear(&lower);
        }
    };
    lead(0);
    let counted = allocations(|| (1..=ROUNDS).for_each(&mut lead));
    assert_eq!(counted, 0);
    assert_eq!(bench.states(), [State::Master; 2]);
    assert!(bench.done > ROUNDS, "{} effects", bench.done);
}

/// The way out, with what a batch takes: it keeps its room.
#[test]
fn sending_allocates_nothing() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let source = Some(duo.a.address.into());
    let counted = duo.a.host.namespace().inside(|| {
        let ifindex = interface::index_of("eth0");
        let mut sender = AdvertSender::new(&model());
        for router in ROUTERS {
            sender.set_source(router, source, ifindex)?;
        }
        let mut send = |priority| {
            for router in ROUTERS {
                sender.queue(router, Priority(priority), &mut |_, error| panic!("{error}"));
            }
            sender.flush(&mut |_, error| panic!("{error}"));
        };
        send(100);
        Ok(allocations(|| {
            for _ in 0..500 {
                send(100);
                send(101);
            }
        }))
    });
    assert_eq!(counted.unwrap(), 0);
    let sent = duo.a.await_adverts(2_002, Stamp(0), Duration::from_secs(20));
    assert!(sent.is_ok(), "{sent:?}");
}

/// So that a count of zero above means something.
#[test]
fn the_allocator_counts() {
    let counted = allocations(|| drop(std::hint::black_box(Box::new(7_u64))));
    assert_eq!(counted, 1);
}
