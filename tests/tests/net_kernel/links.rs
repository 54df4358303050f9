//! The monitor of links and addresses.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::thread;

use tokio::sync::mpsc::{Receiver, channel};
use vrrp_common::id::Priority;
use vrrp_daemon::ingress::links::{self, LinkEvent, Proofs};
use vrrp_daemon::proto::LinkState;
use vrrp_daemon::proto::model::{Carried, LinkId, Model, RouterId, Transport};
use vrrp_tests::lab::{Host, root_or_skip};

use super::addresses::add_marked;
use super::model::{BOND0, FIRST, LIMIT, cable, ip, lab, model, router, unicast};

/// A monitor at work inside a host. It ends when this is dropped.
pub(crate) struct Monitor {
    events: Receiver<LinkEvent>,
    runtime: tokio::runtime::Runtime,
    /// As told last, of bond0 and of the first router.
    link: Option<(LinkState, Option<u32>)>,
    source: Option<IpAddr>,
}

impl Monitor {
    pub(crate) fn start(host: &Host, model: &Model, queue: usize) -> Self {
        let (sender, events) = channel(queue);
        let model = model.clone();
        let namespace = host.namespace().clone();
        thread::spawn(move || {
            namespace.inside(|| {
                let runtime = tokio::runtime::Builder::new_current_thread()
                    .enable_all()
                    .build()?;
                Ok(runtime.block_on(links::run(model, Vec::new(), Proofs::default(), sender))?)
            })
        });
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap();
        Self {
            events,
            runtime,
            link: None,
            source: None,
        }
    }

    fn next(&mut self) -> LinkEvent {
        let events = &mut self.events;
        let next = async { tokio::time::timeout(LIMIT, events.recv()).await };
        let next = self.runtime.block_on(next);
        next.expect("no event in time").expect("the monitor ended")
    }

    /// Wait until bond0 and the first router's source have been told to be so; answers bond0's index.
    fn until(&mut self, state: LinkState, source: Option<&str>) -> Option<u32> {
        let source = source.map(ip);
        loop {
            if let Some((told, ifindex)) = self.link
                && (told, self.source) == (state, source)
            {
                return ifindex;
            }
            match self.next() {
                LinkEvent::Link {
                    link: BOND0,
                    ifindex,
                    state,
                    ..
                } => self.link = Some((state, ifindex)),
                LinkEvent::Source {
                    router: FIRST,
                    address,
                } => self.source = address,
                _ => {}
            }
        }
    }

    /// Wait until this is told.
    pub(crate) fn wait_for(&mut self, event: LinkEvent) {
        while self.next() != event {}
    }

    /// Everything up to the next `Synced`.
    pub(crate) fn told(&mut self) -> VecDeque<LinkEvent> {
        let mut told = VecDeque::new();
        loop {
            match self.next() {
                LinkEvent::Synced => return told,
                event => told.push_back(event),
            }
        }
    }
}

fn run(host: &Host, line: &str) {
    host.run("ip", &line.split(' ').collect::<Vec<_>>()).unwrap();
}

#[test]
fn everything_is_told_at_the_start() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(
        &lab,
        "A",
        &["192.0.2.100/32", "192.0.2.1/24", "fe80::1/64", "2001:db8::1/64"],
    );
    run(&a.host, "addr add 192.0.2.3/24 dev bond0");
    run(&a.host, "link set bond0 address 02:00:00:00:00:0a");
    let mut configured = router(53, &["192.0.2.111"]);
    configured.transport = unicast("192.0.2.3", &["192.0.2.2"]);
    let mut absent = router(54, &["192.0.2.112"]);
    absent.transport = unicast("192.0.2.99", &["192.0.2.2"]);
    let mut routed = router(56, &["2001:db8::52"]);
    routed.transport = match unicast("::", &["2001:db8::2"]) {
        Transport::Unicast {
            peers,
            ttl,
            check_source,
            ..
        } => Transport::Unicast {
            source: None,
            peers,
            ttl,
            check_source,
        },
        multicast @ Transport::Multicast { .. } => multicast,
    };
    let mut elsewhere = router(57, &["192.0.2.113"]);
    elsewhere.link = LinkId(1);
    let mut model = model(vec![
        router(51, &["192.0.2.100"]),
        router(52, &["fe80::52"]),
        configured,
        absent,
        routed,
        elsewhere,
    ]);
    model.links.push("bond9".to_owned());

    let told = Monitor::start(&a.host, &model, 64).told();
    let mut told = told.into_iter();
    let Some(LinkEvent::Link {
        link: BOND0,
        ifindex: Some(_),
        mac: Some(mac),
        state: LinkState::Up,
    }) = told.next()
    else {
        panic!("bond0 is not up");
    };
    assert_eq!(mac.0, [2, 0, 0, 0, 0, 0x0a]);
    // The lab saw to it that a frame has come in.
    assert_eq!(told.next(), Some(LinkEvent::Proven { link: BOND0 }));
    let missing = LinkEvent::Link {
        link: LinkId(1),
        ifindex: None,
        mac: None,
        state: LinkState::Missing,
    };
    assert_eq!(told.next(), Some(missing));
    // The virtual address comes first on the interface and is no source all the same.
    let expected = [
        Some("192.0.2.1"),
        Some("fe80::1"),
        Some("192.0.2.3"),
        None,
        Some("2001:db8::1"),
        None,
    ];
    let mut sources: Vec<_> = told.collect();
    let left_over = LinkEvent::Carried {
        router: RouterId(0),
        carried: Carried::Address(ip("192.0.2.100")),
        present: true,
    };
    assert_eq!(sources.pop(), Some(left_over));
    let expected: Vec<_> = (0..)
        .map(RouterId)
        .zip(expected)
        .map(|(router, address)| LinkEvent::Source {
            router,
            address: address.map(ip),
        })
        .collect();
    // The kernel's own link-local address, made from the MAC, may stand before fe80::1.
    let without_v6 = |events: Vec<LinkEvent>| {
        let v6 = |event: &LinkEvent| {
            matches!(
                event,
                LinkEvent::Source {
                    router: RouterId(1),
                    ..
                }
            )
        };
        events.into_iter().filter(|event| !v6(event)).collect::<Vec<_>>()
    };
    let link_local = |event: &LinkEvent| {
        matches!(event, LinkEvent::Source { router: RouterId(1), address: Some(IpAddr::V6(address)) }
            if address.segments()[0] == 0xfe80)
    };
    assert!(sources.iter().any(link_local), "{sources:?}");
    assert_eq!(without_v6(sources), without_v6(expected));
}

#[test]
fn a_link_goes_down_comes_back_is_renamed_and_made_anew() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let mut monitor = Monitor::start(&a.host, &model(vec![router(51, &["192.0.2.100"])]), 64);
    let here = Some("192.0.2.1");
    let first = monitor.until(LinkState::Up, here);
    assert_ne!(first, None);
    a.port.pull().unwrap();
    assert_eq!(monitor.until(LinkState::Down, here), first);
    a.port.plug().unwrap();
    assert_eq!(monitor.until(LinkState::Up, here), first);
    run(&a.host, "link set bond0 down");
    assert_eq!(monitor.until(LinkState::Down, here), first);
    run(&a.host, "link set bond0 name other");
    assert_eq!(monitor.until(LinkState::Missing, None), None);
    run(&a.host, "link set other name bond0");
    assert_eq!(monitor.until(LinkState::Down, here), first);

    run(&a.host, "link del bond0");
    assert_eq!(monitor.until(LinkState::Missing, None), None);
    lab.connect(&a.host, "bond0", "front", &["192.0.2.7/24"]).unwrap();
    let again = monitor.until(LinkState::Up, Some("192.0.2.7"));
    assert!(again.is_some() && again != first, "{again:?} after {first:?}");
}

/// A bridge tells of a port that leaves it in the words of an interface that is deleted.
#[test]
fn leaving_a_bridge_is_not_being_deleted() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    run(&a.host, "link add br0 type bridge");
    run(&a.host, "link set bond0 master br0");
    let mut monitor = Monitor::start(&a.host, &model(vec![router(51, &["192.0.2.100"])]), 64);
    monitor.told();
    run(&a.host, "link set bond0 nomaster");
    run(&a.host, "addr del 192.0.2.1/24 dev bond0");
    let told = monitor.next();
    assert_eq!(
        told,
        LinkEvent::Source {
            router: FIRST,
            address: None
        }
    );
}

#[test]
fn a_virtual_address_that_comes_and_goes_is_told() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let mut monitor = Monitor::start(&a.host, &model(vec![router(51, &["192.0.2.100"])]), 64);
    monitor.told();
    run(&a.host, "addr add 192.0.2.100/32 dev bond0");
    run(&a.host, "addr del 192.0.2.100/32 dev bond0");
    for present in [true, false] {
        let moved = LinkEvent::Carried {
            router: FIRST,
            carried: Carried::Address(ip("192.0.2.100")),
            present,
        };
        assert_eq!(monitor.next(), moved);
    }
}

/// More events than the kernel keeps for us: then everything is asked for again.
#[test]
fn lost_events_are_made_good() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let mut model = model(vec![router(51, &["192.0.2.100"])]);
    model.links.push("burst".to_owned());
    // A queue of one that nobody reads: the monitor waits, and the kernel's buffer runs over.
    let mut monitor = Monitor::start(&a.host, &model, 1);
    monitor.told();
    run(&a.host, "addr add 192.0.2.100/32 dev bond0");
    run(&a.host, "link add burst type veth peer name peer");
    let changes = (0..1_000).map(|n| format!("link set burst address 02:00:00:00:00:{:02x}", n % 2));
    let changes = changes.collect::<Vec<_>>().join("\n");
    a.host.install("/run/changes", changes, 0o600).unwrap();
    run(&a.host, "-batch /run/changes");
    run(&a.host, "addr del 192.0.2.100/32 dev bond0");
    run(&a.host, "addr del 192.0.2.1/24 dev bond0");

    // The buffer may run over before the last of these changes: then they are told in the ordinary way.
    let mut missing = vec![
        LinkEvent::Source {
            router: FIRST,
            address: None,
        },
        LinkEvent::Carried {
            router: FIRST,
            carried: Carried::Address(ip("192.0.2.100")),
            present: false,
        },
        LinkEvent::Synced,
    ];
    while !missing.is_empty() {
        let event = monitor.next();
        missing.retain(|missed| *missed != event);
    }
}

/// An owner's address is the interface's own, and a good source, unless this daemon put it there.
#[test]
fn an_owner_sends_from_its_own_address() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &[]);
    let mut owner = router(51, &["192.0.2.1", "192.0.2.2"]);
    owner.priority = Priority::OWNER;
    let model = model(vec![owner]);
    let mut monitor = Monitor::start(&a.host, &model, 64);
    assert!(monitor.until(LinkState::Up, None).is_some());
    add_marked(&a.host, "192.0.2.1", 32);
    run(&a.host, "addr add 192.0.2.2/24 dev bond0");
    monitor.until(LinkState::Up, Some("192.0.2.2"));
}

/// `mcast_src_ip` that is not on the host: what keepalived 2.2.7 does is to send from it, as long as there is the
/// interface; `track_src_ip` waits for it.
#[test]
fn a_borrowed_multicast_source() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let from = |vrid, tracked| {
        let mut router = router(vrid, &["192.0.2.100"]);
        router.transport = Transport::Multicast {
            group: ip("224.0.0.18"),
            source: Some(ip("203.0.113.9")),
        };
        router.uncommon.source_is_tracked = tracked;
        router
    };
    let told = Monitor::start(&a.host, &model(vec![from(51, false), from(52, true)]), 64).told();
    let sources: Vec<_> = told
        .into_iter()
        .filter_map(|event| match event {
            LinkEvent::Source { address, .. } => Some(address),
            _ => None,
        })
        .collect();
    assert_eq!(sources, [Some(ip("203.0.113.9")), None]);
}
