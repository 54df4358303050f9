//! Interfaces come to grief, and mastership stays where it belongs: flapping, another MTU or MAC address, deleted and made
//! anew, renamed, and events of all that lost.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(dead_code, reason = "the sieges share more than each of them needs")]

mod siege;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use siege::{LIMIT, RAW, Trio, all_at_once, await_holder, await_state, instance, settle, start};
use vrrp_tests::lab::{Daemon, Settings, Side, Stamp, root_or_skip, until};

const VIP: Ipv4Addr = Settings::ADDRESS;

fn pair(trio: &Trio, before: &'static str, multicast: bool) -> (Daemon, Daemon) {
    let settings = |own: &Side, peer: &Side, priority| {
        let unicast = Settings::unicast(own.address, peer.address, priority);
        Settings {
            before,
            peer: unicast.peer.filter(|_| !multicast),
            ..unicast
        }
    };
    let (a, b) = (&trio.a, &trio.b);
    let on_a = start(a, &settings(a, b, 200).to_string()).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(b, &settings(b, a, 100).to_string()).unwrap();
    settle(&on_a, &on_b).unwrap();
    (on_a, on_b)
}

fn became_master(daemon: &Daemon) -> u64 {
    let counters = &instance(daemon, 0).unwrap()["counters"];
    counters["became_master"].as_u64().unwrap()
}

/// B still follows A: it hears it and knows when it dies.
fn takes_over(trio: &Trio, on_a: Daemon) {
    trio.a.port.isolate().unwrap();
    let died = Stamp::now();
    on_a.crash();
    let taken = trio.b.await_announcement(VIP, died, LIMIT).unwrap();
    assert!(
        taken.since(died) < Duration::from_secs(2),
        "{:?}",
        taken.since(died)
    );
}

/// A hundred times the Backup's cable, and the Master's: in the end each is what it was, and the Backup never rose while
/// its cable alone was out.
#[test]
fn a_cable_that_flaps_a_hundred_times() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", false);
    let flap = |side: &Side| {
        for _ in 0..100 {
            side.port.pull().unwrap();
            side.port.plug().unwrap();
        }
    };
    flap(&trio.b);
    settle(&on_a, &on_b).unwrap();
    assert_eq!(became_master(&on_b), 0);
    flap(&trio.a);
    await_state(&on_a, "MASTER").unwrap();
    await_state(&on_b, "BACKUP").unwrap();
    await_holder(&trio.a, &trio.b, &[IpAddr::V4(VIP)]).unwrap();
    assert_eq!(instance(&on_b, 0).unwrap()["receive_path"], "xdp-generic");
    takes_over(&trio, on_a);
}

/// Neither is a reason for anything, on either side.
#[test]
fn another_mtu_and_another_mac_address_under_way() {
    all_at_once([
        ("unicast, behind XDP", &|| changed_under_way("", false)),
        ("multicast, behind XDP", &|| changed_under_way("", true)),
        ("unicast, raw socket", &|| changed_under_way(RAW, false)),
    ]);
}

fn changed_under_way(before: &'static str, multicast: bool) {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, before, multicast);
    let since = Stamp::now();
    let mut of_a = since;
    for (side, last) in [(&trio.b, "b1"), (&trio.a, "a1")] {
        let set = |what: &str, value: &str| {
            side.host
                .run("ip", &["link", "set", "eth0", what, value])
                .unwrap();
        };
        set("mtu", "1400");
        trio.a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
        of_a = Stamp::now();
        set("address", &format!("02:00:00:00:00:{last}"));
        trio.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
        set("mtu", "1500");
        trio.a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    }
    assert_eq!(trio.b.sent(since), []);
    assert_eq!((became_master(&on_a), became_master(&on_b)), (1, 0));
    // Who has the Master's addresses in its ARP table learns where they are now.
    trio.a.await_announcement(VIP, of_a, LIMIT).unwrap();
    takes_over(&trio, on_a);
}

/// Under the same name, with the program on it again.
#[test]
fn a_device_that_is_made_anew_or_renamed_and_back() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", false);
    let back = |what: &str| {
        until(what, LIMIT, || {
            let instance = instance(&on_b, 0)?;
            Ok(instance["state"] == "BACKUP"
                && instance["receive_path"] == "xdp-generic"
                && instance["master"]["address"] == "192.0.2.1")
        })
        .unwrap();
    };
    let ip = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        trio.b.host.run("ip", &words).unwrap();
    };
    for _ in 0..3 {
        ip("link del eth0");
        await_state(&on_b, "FAULT").unwrap();
        trio.lab
            .connect(&trio.b.host, "eth0", "front", &["192.0.2.2/24"])
            .unwrap();
        back("B follows A on the new device");
        ip("link set eth0 down");
        ip("link set eth0 name away0");
        ip("link set away0 up");
        await_state(&on_b, "FAULT").unwrap();
        ip("link set away0 down");
        ip("link set away0 name eth0");
        ip("link set eth0 up");
        back("B follows A on the device that has its name back");
    }
    // Where the switch does not pass frames yet when B's link is up, B may stand up for a moment; A never yields.
    assert_eq!(became_master(&on_a), 1);
    await_holder(&trio.a, &trio.b, &[IpAddr::V4(VIP)]).unwrap();
    let ends = |daemon: &Daemon| daemon.log().unwrap().matches("XDP attached").count();
    // At the start, and twice in each round.
    assert_eq!(ends(&on_b), 7);
}

/// B is stopped while more happens than its netlink socket holds, and the last thing that happens is what counts.
#[test]
fn events_that_were_lost_are_asked_for() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", false);
    let host = &trio.b.host;
    let mut many = String::new();
    for _ in 0..10 {
        for last in 1..=100 {
            many.push_str(&format!("addr add 198.51.100.{last}/32 dev lo\n"));
        }
        for last in 1..=100 {
            many.push_str(&format!("addr del 198.51.100.{last}/32 dev lo\n"));
        }
    }
    host.install("/run/many", &many, 0o644).unwrap();
    let processes = host.namespace().processes();
    let all = |signal| processes.iter().for_each(|pid| kill(*pid, signal).unwrap());
    // The column "Drops" of all netlink sockets of the host.
    let dropped = || -> u64 {
        let table = host
            .namespace()
            .inside(|| Ok(std::fs::read_to_string("/proc/thread-self/net/netlink")?));
        let table = table.unwrap();
        let drops = table
            .lines()
            .skip(1)
            .filter_map(|line| line.split_whitespace().nth(8)?.parse::<u64>().ok());
        drops.sum()
    };
    let mut before = dropped();
    for (end, state) in [("down", "FAULT"), ("up", "BACKUP")] {
        all(Signal::SIGSTOP);
        host.run("ip", &["-batch", "/run/many"]).unwrap();
        host.run("ip", &["link", "set", "eth0", end]).unwrap();
        let lost = dropped();
        assert!(lost > before, "no event was lost");
        before = lost;
        all(Signal::SIGCONT);
        await_state(&on_b, state).unwrap();
    }
    settle(&on_a, &on_b).unwrap();
    assert_eq!(became_master(&on_b), 0);
    takes_over(&trio, on_a);
}
