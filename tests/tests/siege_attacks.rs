//! What a host on the link can and cannot do to a virtual router; docs/security.md has a row for each.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(
    dead_code,
    reason = "the sieges and the packet builder share more than each of them needs"
)]

mod packets;
mod siege;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use packets::Frame;
use siege::{LIMIT, RAW, Trio, await_holder, await_state, instance, mac, settle, start};
use vrrp_tests::lab::flood::{Flood, Job, advert};
use vrrp_tests::lab::{Daemon, Direction, Settings, Stamp, root_or_skip, until};

const VIP: Ipv4Addr = Settings::ADDRESS;
const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// A host that is nobody's peer, with an address higher than either's.
const STRANGER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 66);
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_MAC: [u8; 6] = [0x01, 0, 0x5e, 0, 0, 18];

/// A is Master with priority 200, B is Backup with 100; what stands `before` and the interval are the same for both.
fn pair(trio: &Trio, before: &'static str, interval: &'static str) -> (Daemon, Daemon) {
    let settings = |own, peer, priority| Settings {
        before,
        interval,
        ..Settings::unicast(own, peer, priority)
    };
    // A first, so that B never has been Master.
    let on_a = start(&trio.a, &settings(A, B, 200).to_string()).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(&trio.b, &settings(B, A, 100).to_string()).unwrap();
    settle(&on_a, &on_b).unwrap();
    (on_a, on_b)
}

/// An advert for VRID 51 that says what an honest one would, but for what the arguments say.
fn forged(source: Ipv4Addr, destination: Ipv4Addr, priority: u8, interval: u16) -> Frame {
    let pdu = advert(source, destination, 51, priority, interval, &[VIP]);
    Frame::new(&source.to_string(), &destination.to_string(), pdu)
}

/// As C sends it to the host with this number, or to the group.
fn sent(frame: &Frame, to: [u8; 6]) -> Vec<u8> {
    let mut bytes = frame.bytes();
    bytes[..6].copy_from_slice(&to);
    bytes[6..12].copy_from_slice(&mac(3));
    bytes
}

fn counter(daemon: &Daemon, name: &str) -> u64 {
    let counters = &instance(daemon, 0).unwrap()["counters"];
    counters[name].as_u64().unwrap()
}

fn refused(daemon: &Daemon, reason: &str) -> u64 {
    let counters = &instance(daemon, 0).unwrap()["counters"];
    counters["refused"][reason].as_u64().unwrap_or(0)
}

/// Priority 0 in A's name raises B after its skew of 61 ms, unless A's next advert, one every 100 ms, comes first: so
/// again until it does.
fn releases_until_b_rises(trio: &Trio, on_b: &Daemon, release: &[u8]) {
    until("B has taken over", LIMIT, || {
        trio.strike(vec![release.to_vec()])?;
        Ok(counter(on_b, "became_master") > 0)
    })
    .unwrap();
}

/// The state has not changed since it was settled, on either host, and the Backup has sent nothing.
fn nobody_moved(trio: &Trio, on_a: &Daemon, on_b: &Daemon, since: Stamp) {
    // Whatever the last one did has had time to show.
    trio.a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    assert_eq!(trio.b.sent(since), []);
    assert_eq!(
        (counter(on_a, "became_master"), counter(on_a, "released_master")),
        (1, 0)
    );
    assert_eq!(counter(on_b, "became_master"), 0);
}

/// Forgeries that `daemon`'s host (`own`, with this number) refuses, each with its reason. Their priority is the one
/// that would move it: 0 for a Backup, 255 for a Master.
fn forgeries(own: Ipv4Addr, number: u8, peer: Ipv4Addr, priority: u8) -> Vec<(&'static str, Vec<u8>)> {
    let good = forged(peer, own, priority, 10);
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut pdu = advert(peer, own, 51, priority, 10, &[VIP]);
        change(&mut pdu);
        Frame::new(&peer.to_string(), &own.to_string(), packets::summed(pdu))
    };
    let version_2 = vec![
        0x21, 51, priority, 1, 0, 1, 0, 0, 192, 0, 2, 100, 0, 0, 0, 0, 0, 0, 0, 0,
    ];
    let damaged = {
        let mut pdu = advert(peer, own, 51, priority, 10, &[VIP]);
        pdu[7] ^= 1;
        Frame::new(&peer.to_string(), &own.to_string(), pdu)
    };
    [
        ("source", forged(STRANGER, own, 255, 10)),
        ("source", forged(STRANGER, own, 200, 10)),
        ("source", forged(STRANGER, own, 0, 10)),
        (
            "count",
            with(&|pdu| {
                pdu[3] = 0;
                pdu.truncate(8);
            }),
        ),
        ("length", with(&|pdu| pdu[3] = 2)),
        ("interval", with(&|pdu| pdu[5] = 0)),
        ("checksum", damaged),
        (
            "router-version",
            Frame::new(&peer.to_string(), &own.to_string(), packets::summed(version_2)),
        ),
        ("fragment", good.fragment(0x2000)),
    ]
    .into_iter()
    .map(|(reason, frame)| (reason, sent(&frame, mac(number))))
    .collect()
}

/// Each is refused and counted by name, and moves nobody, be it a Master or a Backup that is attacked.
#[test]
fn refused_by_name_and_nobody_moves() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", "0.1");
    let since = Stamp::now();
    let to_a = forgeries(A, 1, B, 255).into_iter().map(|row| (&on_a, row));
    let to_b = forgeries(B, 2, A, 0).into_iter().map(|row| (&on_b, row));
    for (daemon, (reason, frame)) in to_a.chain(to_b) {
        let before = refused(daemon, reason);
        trio.strike(vec![frame]).unwrap();
        until(&format!("{reason} is counted"), LIMIT, || {
            Ok(refused(daemon, reason) == before + 1)
        })
        .unwrap();
    }
    nobody_moved(&trio, &on_a, &on_b, since);
}

/// The same without XDP. The socket's filter keeps strangers out uncounted; a fragment never comes alone.
#[test]
fn refused_by_name_without_xdp_too() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, RAW, "0.1");
    let since = Stamp::now();
    let to_a = forgeries(A, 1, B, 255).into_iter().map(|row| (&on_a, row));
    let to_b = forgeries(B, 2, A, 0).into_iter().map(|row| (&on_b, row));
    for (daemon, (reason, frame)) in to_a.chain(to_b) {
        let before = refused(daemon, reason);
        trio.strike(vec![frame]).unwrap();
        if !matches!(reason, "source" | "fragment") {
            until(&format!("{reason} is counted"), LIMIT, || {
                Ok(refused(daemon, reason) == before + 1)
            })
            .unwrap();
        }
    }
    nobody_moved(&trio, &on_a, &on_b, since);
}

/// Another interface is another network, also for a frame with the right addresses in it.
#[test]
fn another_interface_is_another_network() {
    if !root_or_skip() {
        return;
    }
    for before in ["", RAW] {
        let trio = Trio::new().unwrap();
        trio.lab.network("back").unwrap();
        let addresses = ["198.51.100.2/24", "198.51.100.3/24"];
        for (side, address) in [&trio.b, &trio.c].into_iter().zip(addresses) {
            trio.lab.connect(&side.host, "eth1", "back", &[address]).unwrap();
        }
        let eth1 = ["link", "set", "eth1", "address", "02:00:00:00:01:02"];
        trio.b.host.run("ip", &eth1).unwrap();
        let (on_a, on_b) = pair(&trio, before, "0.1");
        let since = Stamp::now();
        let release = sent(&forged(A, B, 0, 10), [2, 0, 0, 0, 1, 2]);
        trio.strike_from("eth1", vec![release; 3]).unwrap();
        nobody_moved(&trio, &on_a, &on_b, since);
        assert_eq!(counter(&on_b, "priority_zero_received"), 0);
    }
}

/// The stack drops a tagged frame where there is no such VLAN. The program sees the frame without the tag where the driver
/// takes it off (veth does), and believes it; where the tag stays in the frame it is another virtual router's.
#[test]
fn a_tagged_frame_is_refused_unless_the_driver_has_taken_its_tag() {
    if !root_or_skip() {
        return;
    }
    let tagged = || sent(&forged(A, B, 0, 10).tag(0x8100, 7), mac(2));
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, RAW, "0.1");
    let since = Stamp::now();
    trio.strike(vec![tagged(); 3]).unwrap();
    nobody_moved(&trio, &on_a, &on_b, since);

    // Not defended.
    let trio = Trio::new().unwrap();
    let (_a, on_b) = pair(&trio, "", "0.1");
    releases_until_b_rises(&trio, &on_b, &tagged());
    await_holder(&trio.a, &trio.b, &[IpAddr::V4(VIP)]).unwrap();
}

/// By multicast the TTL says that a router is between; every priority is believed from the link itself.
#[test]
fn multicast_from_afar_is_refused_and_from_the_link_believed() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let settings = |own, priority| Settings {
        peer: None,
        ..Settings::unicast(own, own, priority)
    };
    let on_a = start(&trio.a, &settings(A, 200).to_string()).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(&trio.b, &settings(B, 100).to_string()).unwrap();
    settle(&on_a, &on_b).unwrap();
    let since = Stamp::now();
    let attack = forged(STRANGER, GROUP, 255, 10);
    trio.strike(vec![sent(&attack.clone().ttl(254), GROUP_MAC)])
        .unwrap();
    for daemon in [&on_a, &on_b] {
        until("ttl is counted", LIMIT, || Ok(refused(daemon, "ttl") == 1)).unwrap();
    }
    nobody_moved(&trio, &on_a, &on_b, since);

    // Not defended: a stranger of priority 255 is the Master as long as it says so, and not longer.
    trio.strike(vec![sent(&attack, GROUP_MAC)]).unwrap();
    until("A gives up", LIMIT, || Ok(counter(&on_a, "released_master") == 1)).unwrap();
    await_holder(&trio.a, &trio.b, &[IpAddr::V4(VIP)]).unwrap();
    assert_eq!(counter(&on_a, "became_master"), 2);
}

/// Not defended without a pin: what a listed peer could say is believed of whoever forges its address. It lasts as long
/// as the forging does.
#[test]
fn in_a_peers_name_a_master_is_deposed_and_a_backup_raised_for_a_moment() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", "0.1");
    let vip = [IpAddr::V4(VIP)];
    // Priority 0 from the Master's address: B takes over after its skew, and A, which lives, takes back.
    releases_until_b_rises(&trio, &on_b, &sent(&forged(A, B, 0, 10), mac(2)));
    await_state(&on_b, "BACKUP").unwrap();
    await_holder(&trio.a, &trio.b, &vip).unwrap();
    assert_eq!(counter(&on_a, "released_master"), 0);
    // Priority 255, and A's own priority from the higher address: A stands down each time.
    for (round, priority) in [(1, 255), (2, 200)] {
        trio.strike(vec![sent(&forged(B, A, priority, 10), mac(1))])
            .unwrap();
        until("A gives up", LIMIT, || {
            Ok(counter(&on_a, "released_master") == round)
        })
        .unwrap();
        await_state(&on_a, "MASTER").unwrap();
        await_state(&on_b, "BACKUP").unwrap();
        await_holder(&trio.a, &trio.b, &vip).unwrap();
    }
    // The log names who did it.
    let log = on_a.log().unwrap();
    assert!(log.contains("02:00:00:00:00:03"), "{log}");
}

/// A lying interval: 40.95 s is not adopted, so the Master's death is noticed all the same; a hundredth of ours neither,
/// so a living Master is not taken for dead. A tenth is.
#[test]
fn a_forged_interval_beyond_a_factor_of_ten_changes_nothing() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", "1");
    let since = Stamp::now();
    trio.strike(vec![sent(&forged(A, B, 200, 1), mac(2))]).unwrap();
    let received = counter(&on_b, "adverts_received");
    until("B hears A twice more", LIMIT, || {
        Ok(counter(&on_b, "adverts_received") >= received + 2)
    })
    .unwrap();
    assert_eq!(trio.b.sent(since), []);
    // Not defended: down to a tenth the interval is believed, and B takes over before A's next advert.
    let next = trio.a.await_adverts(1, Stamp::now(), LIMIT).unwrap().0;
    trio.strike(vec![sent(&forged(A, B, 200, 10), mac(2))]).unwrap();
    let early = trio.b.await_adverts(1, next, LIMIT).unwrap().0;
    assert!(
        early.since(next) < Duration::from_secs(3),
        "{:?}",
        early.since(next)
    );
    await_state(&on_b, "BACKUP").unwrap();
    await_holder(&trio.a, &trio.b, &[IpAddr::V4(VIP)]).unwrap();

    let told = Stamp::now();
    trio.strike(vec![sent(&forged(A, B, 200, 4_095), mac(2))])
        .unwrap();
    trio.a.port.isolate().unwrap();
    on_a.crash();
    let taken = trio.b.await_announcement(VIP, told, LIMIT).unwrap();
    // 3 and 156/256 s after the last of A; of 40.95 s it would be two minutes.
    assert!(
        taken.since(told) < Duration::from_secs(6),
        "{:?}",
        taken.since(told)
    );
}

/// Not defended: the dead Master's own adverts, again and again, keep a Backup down. It ends with them.
#[test]
fn a_replayed_master_holds_a_backup_down_and_no_longer() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", "0.1");
    let recorded = trio.a.capture.pick(Stamp(0), |captured| {
        let ours = captured.direction == Direction::FromHost && captured.frame().advert().is_some();
        ours.then(|| captured.bytes.clone())
    });
    let (_, frame) = recorded.last().unwrap().clone();
    let replay = Job {
        interface: "eth0".to_owned(),
        frames: vec![frame],
        per_second: Some(20),
        seconds: 2,
        count: 40,
    };
    let replay = Flood::start(&trio.c.host, &replay).unwrap();
    let died = Stamp::now();
    trio.a.port.isolate().unwrap();
    on_a.crash();
    replay.finish().unwrap();
    let ended = Stamp::now();
    // On a busy machine the replay may pause for longer than Master_Down_Interval, which ends it too.
    let taken = trio.b.await_announcement(VIP, died, LIMIT).unwrap();
    assert!(
        taken.since(died) > Duration::from_millis(1_000),
        "{:?}",
        taken.since(died)
    );
    assert!(taken < Stamp(ended.0 + 1_000_000_000), "{:?}", taken.since(ended));
    await_state(&on_b, "MASTER").unwrap();
}

/// A flood in the Master's name in which every advert is news: the budget lets a few wake the daemon, the rest is kept,
/// and when A dies B is there.
#[test]
fn a_flood_of_news_in_the_masters_name_hides_nothing() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio, "", "0.1");
    let since = Stamp::now();
    let frames = (201..=250).map(|priority| sent(&forged(A, B, priority, 10), mac(2)));
    let flood = Job {
        interface: "eth0".to_owned(),
        frames: frames.collect(),
        per_second: Some(50_000),
        seconds: 3,
        count: 150_000,
    };
    let report = Flood::start(&trio.c.host, &flood).unwrap().finish().unwrap();
    assert!(report.sent > 1_000, "{report:?}");
    nobody_moved(&trio, &on_a, &on_b, since);
    let died = Stamp::now();
    trio.a.port.isolate().unwrap();
    on_a.crash();
    let taken = trio.b.await_announcement(VIP, died, LIMIT).unwrap();
    assert!(
        taken.since(died) < Duration::from_secs(2),
        "{:?}",
        taken.since(died)
    );
}

/// What a burst in its name keeps from waking a Master, a better router's advert, is read when the Master sends its own.
#[test]
fn a_master_heeds_an_advert_that_woke_nobody() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, _on_b) = pair(&trio, "", "0.1");
    let yields = || -> anyhow::Result<usize> { Ok(on_a.log()?.matches("Entering BACKUP STATE").count()) };
    let before = yields().unwrap();
    // The daemon may be woken 32 times at once.
    let worse = sent(&forged(B, A, 100, 10), mac(1));
    let mut frames = vec![worse; 64];
    frames.push(sent(&forged(B, A, 250, 10), mac(1)));
    let burst = Job {
        interface: "eth0".to_owned(),
        frames,
        per_second: Some(50_000),
        seconds: 5,
        count: 65,
    };
    let report = Flood::start(&trio.c.host, &burst).unwrap().finish().unwrap();
    assert_eq!(report.sent, 65, "{report:?}");
    // From the log: to be asked for its status would make it read everything.
    until("A has given way", LIMIT, || Ok(yields()? > before)).unwrap();
}
