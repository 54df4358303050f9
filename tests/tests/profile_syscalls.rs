//! How many system calls the protocol thread makes.
//!
//! A wake-up is an `epoll_wait` that brought something. Sums are compared, not single wake-ups: what else wakes the thread
//! now and then (a signal, a link) is a wake-up, too, and may cost as much.

#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Program, Side, Stamp, SyscallTrace, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(20);
const INSTANCES: u8 = 20;
/// Adverts of all virtual routers together, while it is looked.
const ADVERTS: usize = 1_000;
/// The most system calls that a wake-up may take, sending included.
const PER_WAKE_UP: usize = 4;

fn address(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 100 + vrid)
}

/// VRRPv3 by unicast every 10 ms, all alike.
fn file(own: &Side, peer: &Side, priority: u8) -> String {
    let mut text = String::new();
    for vrid in 1..=INSTANCES {
        write!(
            text,
            "vrrp_instance V{vrid} {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int 0.01
    version 3
    garp_master_delay 0
    unicast_src_ip {}
    unicast_peer {{
        {}
    }}
    virtual_ipaddress {{
        {}/32
    }}
}}
",
            own.address,
            peer.address,
            address(vrid)
        )
        .unwrap();
    }
    text
}

/// A is Master of all, B their Backup.
fn start(duo: &Duo) -> [Daemon; 2] {
    let (a, b) = (&duo.a, &duo.b);
    let program = Program::ours().unwrap();
    let on_b = Daemon::start(&b.host, &program, &file(b, a, 100), Daemon::QUIET).unwrap();
    let on_a = Daemon::start(&a.host, &program, &file(a, b, 200), Daemon::QUIET).unwrap();
    let all: Vec<IpAddr> = (1..=INSTANCES).map(|vrid| address(vrid).into()).collect();
    until("A holds all addresses and B none", LIMIT, || {
        Ok(a.host.holds_all(&all)? && b.host.holds_none(&all)?)
    })
    .unwrap();
    // What belongs to the takeover is over.
    a.await_adverts(ADVERTS, Stamp::now(), LIMIT).unwrap();
    [on_a, on_b]
}

#[test]
fn a_master_sends_all_that_is_due_at_once() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let _daemons = start(&duo);
    let trace = SyscallTrace::start(&duo.a.host).unwrap();
    let since = Stamp::now();
    // One round more than what is counted: the last call may be under way when strace goes.
    let seen = ADVERTS + usize::from(INSTANCES);
    duo.a.await_adverts(seen, since, LIMIT).unwrap();
    let counts = trace.finish().unwrap();
    assert!(counts.sent >= ADVERTS, "not all was seen: {counts:?}");
    assert!(
        counts.sends <= counts.turns(),
        "more than one send to a wake-up: {counts:?}"
    );
    assert!(
        counts.all <= PER_WAKE_UP * counts.turns(),
        "more than {PER_WAKE_UP} calls to a wake-up: {counts:?}"
    );
}

/// The kernel stamps what says nothing new: the thread looks at the stamps when timers are due.
#[test]
fn a_backup_asks_nothing_for_an_unchanged_advert() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let [_a, on_b] = start(&duo);
    assert_eq!(
        on_b.status().unwrap()["instances"][0]["receive_path"],
        "xdp-generic"
    );
    let trace = SyscallTrace::start(&duo.b.host).unwrap();
    let since = Stamp::now();
    duo.a.await_adverts(ADVERTS, since, LIMIT).unwrap();
    let counts = trace.finish().unwrap();
    assert!(counts.wake_ups > 0, "nothing was seen: {counts:?}");
    assert_eq!(counts.receives, 0, "{counts:?}");
    // Twenty timers of 36 ms each that go off together: 28 a second, where 2000 adverts come.
    assert!(counts.wake_ups <= ADVERTS / 4, "{counts:?}");
    assert!(
        counts.all <= PER_WAKE_UP * counts.turns(),
        "more than {PER_WAKE_UP} calls to a wake-up: {counts:?}"
    );
}
