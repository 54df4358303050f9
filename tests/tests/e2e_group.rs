//! The examples' deployment: two cards in a sync group, notify scripts, a monitor script, and a cable that
//! somebody pulls.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Duration;

use anyhow::Context;
use vrrp_tests::lab::{
    Capture, Daemon, Direction, Frame, Host, Lab, Port, Program, Stamp, root_or_skip, until,
};

const LIMIT: Duration = Duration::from_secs(15);
/// 3 x 1 s + 156/256 s: VRRPv2, priority 100.
const MASTER_DOWN: Duration = Duration::from_micros(3_609_375);
const INTERVAL: Duration = Duration::from_secs(1);
/// The captures stamp after the sender and before the receiver: that much may be missing from a wait.
const STAMPING: Duration = Duration::from_millis(1);
const VIPS: [IpAddr; 4] = [
    IpAddr::V4(Ipv4Addr::new(20, 31, 250, 13)),
    IpAddr::V4(Ipv4Addr::new(20, 31, 250, 14)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 10, 13)),
    IpAddr::V4(Ipv4Addr::new(192, 168, 10, 14)),
];
/// Slow on purpose: two calls that overlap would leave two begins in a row.
const NOTIFY: &str = "#!/bin/sh
echo \"begin $1\" >>/run/notify.log
sleep 0.2
echo \"end $1\" >>/run/notify.log
";

fn example(name: &str) -> anyhow::Result<String> {
    Ok(fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../examples")
            .join(name),
    )?)
}

fn machine(lab: &Lab, name: &str, last: u8) -> anyhow::Result<(Host, [Port; 2])> {
    let host = lab.host(name)?;
    let front = lab.connect(&host, "bond0", "front", &[&format!("20.31.250.{last}/24")])?;
    let back = lab.connect(&host, "eth2", "back", &[&format!("192.168.10.{last}/24")])?;
    host.install("/etc/keepalived/notify.sh", NOTIFY, 0o755)?;
    host.install(
        "/usr/local/bin/monitor_service.sh",
        example("monitor_service.sh")?,
        0o755,
    )?;
    Ok((host, [front, back]))
}

/// The states of VI_1, VI_2 and VG_1.
fn states(daemon: &Daemon) -> anyhow::Result<[String; 3]> {
    let status = daemon.status()?;
    let state = |list: &str, index: usize, name: &str| {
        let entry = &status[list][index];
        assert_eq!(entry["name"], name, "{status}");
        entry["state"].as_str().unwrap_or("none").to_owned()
    };
    Ok([
        state("instances", 0, "VI_1"),
        state("instances", 1, "VI_2"),
        state("groups", 0, "VG_1"),
    ])
}

/// The last advert that reached B before `since`, and B's first gratuitous ARP after it, on one of its cables.
fn takeover(capture: &Capture, since: Stamp) -> anyhow::Result<(Stamp, Stamp)> {
    let adverts = capture.pick(Stamp(0), |captured| {
        (captured.direction == Direction::ToHost)
            .then(|| captured.frame().advert())
            .flatten()
    });
    let last = adverts.last().context("B heard no advert")?.0;
    let (announced, ()) = capture.wait_for("a gratuitous ARP of B", since, LIMIT, |captured| {
        let ours = captured.direction == Direction::FromHost;
        (ours && matches!(captured.frame(), Frame::GratuitousArp { .. })).then_some(())
    })?;
    Ok((last, announced))
}

fn notified(host: &Host) -> anyhow::Result<Vec<String>> {
    Ok(host.read("/run/notify.log")?.lines().map(str::to_owned).collect())
}

#[test]
fn a_pulled_cable_moves_the_group_and_tells_the_scripts_in_order() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    lab.network("back").unwrap();
    let (a, [a_front, _]) = machine(&lab, "A", 10).unwrap();
    let (b, b_ports) = machine(&lab, "B", 11).unwrap();
    let captures = b_ports.map(|port| port.capture().unwrap());
    let program = Program::ours().unwrap();
    let start = |host: &Host, file: &str| {
        Daemon::start(host, &program, &example(file).unwrap(), Daemon::DETAILED).unwrap()
    };
    let on_a = start(&a, "node-a.conf");
    until("A has all four addresses", LIMIT, || a.holds_all(&VIPS)).unwrap();
    let on_b = start(&b, "node-b.conf");
    until("B is Backup", LIMIT, || {
        Ok(states(&on_b).is_ok_and(|states| states == ["BACKUP"; 3]))
    })
    .unwrap();
    assert_eq!(states(&on_a).unwrap(), ["MASTER"; 3]);

    let pulled = Stamp::now();
    a_front.pull().unwrap();
    until("B has all four addresses and A none", LIMIT, || {
        Ok(b.holds_all(&VIPS)? && a.holds_none(&VIPS)?)
    })
    .unwrap();
    assert_eq!(states(&on_b).unwrap(), ["MASTER"; 3]);
    assert_eq!(states(&on_a).unwrap(), ["FAULT"; 3]);
    // bond0's instance could not say good-bye: 3 x 1 s + 156/256 s after its last advert, and at most one
    // interval late. eth2's could, but waits: a group moves as one.
    let [front, back] = captures.map(|capture| takeover(&capture, pulled).unwrap());
    let waited = front.1.since(front.0);
    assert!(waited + STAMPING >= MASTER_DOWN, "too early: {waited:?}");
    assert!(waited <= MASTER_DOWN + INTERVAL, "too late: {waited:?}");
    let apart = front.1.since(back.1).max(back.1.since(front.1));
    assert!(apart < INTERVAL / 10, "{apart:?} between the two cards");

    a_front.plug().unwrap();
    let expected = [
        "begin backup",
        "end backup",
        "begin master",
        "end master",
        "begin fault",
        "end fault",
        "begin backup",
        "end backup",
    ];
    until("A's script was called four times", LIMIT, || {
        Ok(notified(&a)?.len() >= expected.len())
    })
    .unwrap();
    assert_eq!(notified(&a).unwrap(), expected);
    assert_eq!(states(&on_a).unwrap(), ["BACKUP"; 3]);
    assert_eq!(
        notified(&b).unwrap(),
        ["begin backup", "end backup", "begin master", "end master"]
    );
    assert!(b.holds_all(&VIPS).unwrap() && a.holds_none(&VIPS).unwrap());
}
