//! Stamps decide: a daemon that was stopped, or came late, does not take its own lateness for the Master's death.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(dead_code, reason = "the sieges share more than each of them needs")]

mod siege;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use siege::{
    LIMIT, RAW, Trio, all_at_once, await_holder, await_state, mac, settle, start, stop_for, takeovers,
};
use vrrp_tests::lab::flood::{Flood, Job, Kind, Target};
use vrrp_tests::lab::{Side, Stamp, root_or_skip};

/// Virtual router, `advert_int`, and the Master_Down_Interval of VRRPv3 with priority 100: 3 and 156/256 intervals.
const ROUTERS: [(u8, &str, Duration); 3] = [
    (51, "0.01", Duration::from_nanos(36_093_750)),
    (52, "0.1", Duration::from_nanos(360_937_500)),
    (53, "1", Duration::from_nanos(3_609_375_000)),
];
/// From a flicker, in which the fastest is given up by a daemon without stamps, to one in which all three are.
const PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(5),
];
/// The captures stamp after the sender and before the receiver: that much may be missing from a wait.
const STAMPING: Duration = Duration::from_millis(1);

const fn address(vrid: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, 100 + vrid)
}

fn addresses() -> [IpAddr; 3] {
    ROUTERS.map(|(vrid, ..)| IpAddr::V4(address(vrid)))
}

/// Three virtual routers.
fn file(own: &Side, peer: &Side, priority: u8, before: &str, inside: &str) -> String {
    let mut file = format!("{before}\n");
    for (vrid, interval, _) in ROUTERS {
        write!(
            file,
            "vrrp_instance VI_{vrid} {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    version 3
    {inside}
    unicast_src_ip {}
    unicast_peer {{
        {}
    }}
    virtual_ipaddress {{
        {}/24
    }}
}}
",
            own.address,
            peer.address,
            address(vrid)
        )
        .unwrap();
    }
    file
}

/// C pretends to be a peer of B that it is not, or A with a wrong checksum.
fn flood(trio: &Trio, kind: Kind) -> Flood {
    let target = Target {
        mac: mac(2),
        sender_mac: mac(3),
        address: trio.b.address,
        peer: trio.a.address,
        stranger: Ipv4Addr::new(192, 0, 2, 66),
        routers: ROUTERS.map(|(vrid, ..)| (vrid, address(vrid))).to_vec(),
        unknown_vrid: 99,
        interval: 100,
    };
    let job = Job {
        interface: "eth0".to_owned(),
        frames: kind.frames(&target),
        per_second: Some(20_000),
        seconds: 30,
        count: 600_000,
    };
    Flood::start(&trio.c.host, &job).unwrap()
}

/// A lives, B is stopped again and again: B says nothing that A's silence on the wire does not excuse.
fn a_stopped_backup(before: &str, flooded: Option<Kind>) {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (a, b) = (&trio.a, &trio.b);
    let on_a = start(a, &file(a, b, 200, before, "")).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(b, &file(b, a, 100, before, "")).unwrap();
    settle(&on_a, &on_b).unwrap();
    let begun = Stamp::now();
    let under = flooded.map(|kind| flood(&trio, kind));
    for pause in PAUSES {
        stop_for(b, pause).unwrap();
        // What B makes of it, it makes at once; all three are heard again within a second.
        a.await_adverts(100, Stamp::now(), LIMIT).unwrap();
    }
    drop(under);
    for (vrid, _, master_down) in ROUTERS {
        let (early, _) = takeovers(a, b, vrid, begun, master_down - STAMPING);
        assert_eq!(early, [], "VRID {vrid}: so long after an advert of A");
    }
    await_holder(a, b, &addresses()).unwrap();
}

/// Under a flood in A's name behind XDP; on the raw socket under a stranger's, whose adverts its filter holds back but for
/// a sample, so that A's find room.
#[test]
fn a_stopped_backup_does_not_take_over_from_a_master_that_lives() {
    all_at_once([
        ("behind XDP", &|| a_stopped_backup("", None)),
        ("raw socket", &|| a_stopped_backup(RAW, None)),
        ("behind XDP, flooded", &|| {
            a_stopped_backup("", Some(Kind::BadChecksum))
        }),
        ("raw socket, flooded", &|| {
            a_stopped_backup(RAW, Some(Kind::Unlisted))
        }),
    ]);
}

/// A is stopped for longer than the longest Master_Down_Interval. B takes over once, and then there is one Master.
fn a_stopped_master(before: &str, nopreempt: bool) {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (a, b) = (&trio.a, &trio.b);
    let inside = if nopreempt { "nopreempt" } else { "" };
    // A first, or who may not take back would never be Master.
    let on_a = start(a, &file(a, b, 200, before, inside)).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(b, &file(b, a, 100, before, inside)).unwrap();
    settle(&on_a, &on_b).unwrap();
    let begun = Stamp::now();
    stop_for(a, Duration::from_secs(5)).unwrap();
    let woke = Stamp::now();
    let (master, backup) = if nopreempt { (b, a) } else { (a, b) };
    await_holder(master, backup, &addresses()).unwrap();
    let settled = Stamp::now();
    // The slowest has been heard twice.
    master.await_adverts(220, settled, LIMIT).unwrap();
    for (vrid, _, master_down) in ROUTERS {
        let (early, times) = takeovers(a, b, vrid, begun, master_down - STAMPING);
        assert_eq!(early, [], "VRID {vrid}");
        // Each beginning is excused by A's silence; that of a busy machine may be another one for the fastest.
        assert!(times == 1 || (vrid == 51 && times > 0), "VRID {vrid}: {times}");
        let sent = |side: &Side, since| {
            let sent = side.sent(since);
            sent.iter().filter(|(_, advert)| advert.vrid == vrid).count()
        };
        if nopreempt {
            assert_eq!(sent(a, woke), 0, "VRID {vrid}: A gave up without a word");
        } else if vrid != 51 {
            assert_eq!(sent(b, settled), 0, "VRID {vrid}");
        }
    }
    await_holder(master, backup, &addresses()).unwrap();
}

#[test]
fn a_stopped_master_is_replaced_once_and_then_there_is_one() {
    all_at_once([
        ("preempt, behind XDP", &|| a_stopped_master("", false)),
        ("preempt, raw socket", &|| a_stopped_master(RAW, false)),
        ("nopreempt, behind XDP", &|| a_stopped_master("", true)),
        ("nopreempt, raw socket", &|| a_stopped_master(RAW, true)),
    ]);
}
