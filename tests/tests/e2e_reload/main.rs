//! Another configuration while running: what is the same is not touched, and what differs is done at once.

mod monitor;
mod random;

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context;
use nix::sys::signal::Signal;
use serde_json::Value;
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Side, Stamp, root_or_skip, until};

use self::monitor::Monitor;

const LIMIT: Duration = Duration::from_secs(10);
/// All instances here advertise every 100 ms: half of that is one too many, twice that one too few.
const EXTRA: Duration = Duration::from_millis(50);
const MISSED: Duration = Duration::from_millis(190);

/// An instance with unicast adverts every 100 ms.
struct Instance<'a> {
    name: &'a str,
    vrid: u8,
    priority: u8,
    /// Last bytes of its addresses.
    vips: Vec<u8>,
    inside: &'a str,
}

impl Default for Instance<'_> {
    fn default() -> Self {
        Self {
            name: "VI_1",
            vrid: 51,
            priority: 200,
            vips: vec![100],
            inside: "",
        }
    }
}

fn vip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(192, 0, 2, last)
}

fn held(last: &[u8]) -> Vec<IpAddr> {
    last.iter().map(|last| vip(*last).into()).collect()
}

/// The file of `side`, whose peer is `other`.
fn file(side: &Side, other: &Side, before: &str, instances: &[Instance<'_>]) -> String {
    let mut text = format!("{before}\n");
    for instance in instances {
        let Instance {
            name,
            vrid,
            priority,
            vips,
            inside,
        } = instance;
        let vips: String = vips.iter().map(|last| format!("{}/24\n", vip(*last))).collect();
        let _infallible = write!(
            text,
            "vrrp_instance {name} {{\n interface eth0\n version 3\n advert_int 0.1\n garp_master_delay 0\n \
             virtual_router_id {vrid}\n priority {priority}\n unicast_src_ip {}\n unicast_peer {{\n {}\n }}\n \
             virtual_ipaddress {{\n{vips} }}\n{inside}\n}}\n",
            side.address, other.address
        );
    }
    text
}

fn start(side: &Side, file: &str) -> anyhow::Result<Daemon> {
    Daemon::start(&side.host, &Program::ours()?, file, Daemon::DETAILED)
}

/// A is Master of all its instances, B, with priority 100, its Backup.
fn settle(duo: &Duo, before: &str, instances: &[Instance<'_>]) -> anyhow::Result<(Daemon, Daemon)> {
    let (a, b) = (&duo.a, &duo.b);
    let lower = instances.iter().map(|instance| Instance {
        priority: 100,
        vips: instance.vips.clone(),
        inside: "",
        ..*instance
    });
    let on_b = start(b, &file(b, a, "", &lower.collect::<Vec<_>>()))?;
    let on_a = start(a, &file(a, b, before, instances))?;
    for instance in instances {
        for last in &instance.vips {
            a.await_mastery(vip(*last), b, LIMIT)?;
        }
    }
    a.await_adverts(5 * instances.len(), Stamp::now(), LIMIT)?;
    Ok((on_a, on_b))
}

/// Put `file` in the place of the one before, whole: a daemon that is still reading must not see half of it.
fn replace(host: &Host, file: &str) -> anyhow::Result<()> {
    let new = format!("{}.new", Daemon::FILE);
    host.install(&new, file, 0o644)?;
    host.run("mv", &[&new, Daemon::FILE])?;
    Ok(())
}

/// Have `daemon` read `file`, and wait until it has.
fn reload(daemon: &Daemon, file: &str) -> anyhow::Result<String> {
    replace(daemon.host(), file)?;
    let vrrpctl = Program::ours()?.binary().with_file_name("vrrpctl");
    daemon.host().run(&vrrpctl.display().to_string(), &["reload"])
}

fn instance<'v>(status: &'v Value, name: &str) -> anyhow::Result<&'v Value> {
    let instances = status["instances"].as_array().context("instances")?;
    let found = instances.iter().find(|instance| instance["name"] == name);
    found.with_context(|| format!("no {name} in {status}"))
}

/// The adverts of one virtual router came in turn: none more, none less.
fn in_turn(side: &Side, vrid: u8, priority: u8, since: Stamp) {
    let sent: Vec<_> = side
        .sent(since)
        .into_iter()
        .filter(|(_, advert)| advert.vrid == vrid)
        .collect();
    assert!(sent.len() > 3, "{} adverts of {vrid}", sent.len());
    assert!(
        sent.iter().all(|(_, advert)| advert.priority == priority),
        "{sent:?}"
    );
    for pair in sent.windows(2) {
        let gap = pair[1].0.since(pair[0].0);
        assert!(gap > EXTRA, "an advert of {vrid} too many: {gap:?}");
        assert!(gap < MISSED, "no advert of {vrid} for {gap:?}");
    }
}

const ROUTED: &str = " virtual_routes {\n 203.0.113.0/24 via 192.0.2.253 dev eth0\n }\n \
                      virtual_rules {\n from 192.0.2.100 table 101 priority 1001\n }";

#[test]
fn an_unchanged_instance_does_not_notice() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let routed = |inside| Instance {
        inside,
        ..Instance::default()
    };
    let (on_a, on_b) = settle(&duo, "", &[routed(ROUTED)]).unwrap();
    let mut monitors = [&a.host, &b.host].map(|host| {
        // What the takeover wrote has been told.
        until("the route and the rule are as the state", LIMIT, || {
            let routes = host.run("ip", &["route"])? + &host.run("ip", &["rule"])?;
            let there = host.holds_all(&held(&[100]))?;
            Ok(["203.0.113.0/24 via", "1001:"]
                .iter()
                .all(|line| routes.contains(line) == there))
        })
        .unwrap();
        Monitor::of(host, &["address", "route", "rule"]).unwrap()
    });
    let began = Stamp::now();
    // The same file again, by the signal: one line in the log, and no more.
    for (number, daemon) in (1..).zip([&on_a, &on_a, &on_b]) {
        daemon.signal(Signal::SIGHUP).unwrap();
        until("it was read again", LIMIT, || {
            let log = daemon.log()?;
            Ok(log.matches("the configuration is as it was").count() == if number == 2 { 2 } else { 1 })
        })
        .unwrap();
    }
    for monitor in &mut monitors {
        assert_eq!(monitor.news().unwrap(), Vec::<String>::new());
    }
    // Another file, in which this instance is the same.
    let more = |priority, inside| {
        [
            Instance {
                name: "VI_2",
                vrid: 52,
                vips: vec![110],
                priority,
                ..Instance::default()
            },
            Instance {
                priority,
                ..routed(inside)
            },
        ]
    };
    let answer = reload(&on_a, &file(a, b, "# comment", &more(200, ROUTED))).unwrap();
    assert_eq!(answer, "reloaded\n");
    reload(&on_b, &file(b, a, "", &more(100, ""))).unwrap();
    a.await_adverts(20, Stamp::now(), LIMIT).unwrap();

    in_turn(a, 51, 200, began);
    assert_eq!(b.sent(began), []);
    assert_eq!(a.announced(vip(100), began), []);
    for monitor in &mut monitors {
        let news = monitor.news().unwrap();
        // Of its address and its rule, its route, and any rule.
        for mine in ["192.0.2.100", "203.0.113.0", "1001:"] {
            assert!(!news.iter().any(|line| line.contains(mine)), "{news:?}");
        }
    }
    let status = on_a.status().unwrap();
    let first = instance(&status, "VI_1").unwrap();
    assert_eq!(first["counters"]["became_master"], 1, "{first}");
    assert_eq!(status["daemon"]["reloads"], 1);
    assert!(
        status["daemon"]["last_reload"]["result"]["applied"].is_object(),
        "{status}"
    );
    // The new one takes its time like any other.
    until("VI_2 is Master, too", LIMIT, || {
        Ok(instance(&on_a.status()?, "VI_2")?["state"] == "MASTER")
    })
    .unwrap();

    // Another route is told of, and nothing of the rule: the monitor is not deaf.
    let other = ROUTED.replace("203.0.113.0/24", "198.18.0.0/15");
    let [of_a, _] = &mut monitors;
    until("its address is there", LIMIT, || a.host.holds_all(&held(&[110]))).unwrap();
    of_a.news().unwrap();
    reload(&on_a, &file(a, b, "", &more(200, &other))).unwrap();
    let mut news = Vec::new();
    until("one route went and one came", LIMIT, || {
        news.extend(of_a.news()?);
        Ok(news.len() >= 2)
    })
    .unwrap();
    news.sort();
    assert!(
        news.len() == 2
            && news[0].starts_with("198.18.0.0/15 ")
            && news[1].starts_with("Deleted 203.0.113.0/24 "),
        "{news:?}"
    );
}

#[test]
fn addresses_come_go_and_move_without_the_others() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let instances = |first: &[u8], second: &[u8]| {
        [
            Instance {
                vips: first.to_vec(),
                ..Instance::default()
            },
            Instance {
                name: "VI_2",
                vrid: 52,
                vips: second.to_vec(),
                ..Instance::default()
            },
        ]
    };
    let (on_a, _b) = settle(&duo, "", &instances(&[100, 101], &[110])).unwrap();
    let mut monitor = Monitor::start(&a.host).unwrap();
    let began = Stamp::now();
    // 101 moves, 102 is new.
    reload(&on_a, &file(a, b, "", &instances(&[100, 102], &[110, 101]))).unwrap();
    a.await_announcement(vip(102), began, LIMIT).unwrap();
    let news = monitor.news().unwrap();
    assert!(news.len() == 1 && news[0].contains("192.0.2.102/24"), "{news:?}");
    assert_eq!(a.announced(vip(100), began), []);
    assert!(a.host.holds_all(&held(&[100, 101, 102, 110])).unwrap());
    // What the adverts say is told at once: one of each more.
    let counts = |vrid| {
        let sent = a.sent(began);
        sent.iter()
            .rev()
            .find(|(_, advert)| advert.vrid == vrid)
            .map(|(_, advert)| advert.addresses.len())
    };
    assert_eq!((counts(51), counts(52)), (Some(2), Some(2)));

    // 100 goes, 101 moves back.
    let again = Stamp::now();
    reload(&on_a, &file(a, b, "", &instances(&[101, 102], &[110]))).unwrap();
    until("192.0.2.100 is gone", LIMIT, || a.host.holds_none(&held(&[100]))).unwrap();
    let news = monitor.news().unwrap();
    assert!(
        news.len() == 1 && news[0].contains("Deleted") && news[0].contains("192.0.2.100/24"),
        "{news:?}"
    );
    assert!(a.host.holds_all(&held(&[101, 102, 110])).unwrap());
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    assert!(a.sent(again).iter().all(|(_, advert)| advert.priority == 200));
    assert_eq!(b.sent(began), []);
}

#[test]
fn instances_are_renamed_deleted_and_added() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let two = || {
        [
            Instance::default(),
            Instance {
                name: "VI_2",
                vrid: 52,
                vips: vec![110],
                inside: " notify_fault \"/bin/sh -c 'echo $0 $1 $2 $3 >> /run/told' fault\"\n \
                         notify \"/bin/sh -c 'echo $0 $1 $2 $3 >> /run/told'\"",
                ..Instance::default()
            },
        ]
    };
    let (on_a, _b) = settle(&duo, "", &two()).unwrap();
    let before = on_a.status().unwrap();
    let began = Stamp::now();
    let renamed = Instance {
        name: "WEB",
        ..Instance::default()
    };
    reload(&on_a, &file(a, b, "", &[renamed])).unwrap();
    // Its peer hears of it, and has the address within its skew time.
    b.await_announcement(vip(110), began, LIMIT).unwrap();
    b.await_mastery(vip(110), a, LIMIT).unwrap();
    let of_second: Vec<_> = a
        .sent(began)
        .into_iter()
        .filter(|(_, advert)| advert.vrid == 52)
        .collect();
    assert_eq!(
        of_second.last().map(|(_, advert)| advert.priority),
        Some(0),
        "{of_second:?}"
    );
    until("it was told as keepalived tells it", LIMIT, || {
        Ok(a.host.read("/run/told")?.contains("INSTANCE VI_2 FAULT 200"))
    })
    .unwrap();

    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    in_turn(a, 51, 200, began);
    assert_eq!(a.announced(vip(100), began), []);
    let status = on_a.status().unwrap();
    let (was, is) = (
        instance(&before, "VI_1").unwrap(),
        instance(&status, "WEB").unwrap(),
    );
    assert_eq!(is["counters"]["became_master"], 1);
    assert!(is["since_ms"].as_u64() > was["since_ms"].as_u64(), "{was} {is}");

    // And back: the higher priority takes it again.
    let again = Stamp::now();
    reload(&on_a, &file(a, b, "", &two())).unwrap();
    a.await_announcement(vip(110), again, LIMIT).unwrap();
    a.await_mastery(vip(110), b, LIMIT).unwrap();
    in_turn(a, 51, 200, began);
}

#[test]
fn a_bad_file_changes_nothing() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (on_a, _b) = settle(&duo, "", &[Instance::default()]).unwrap();
    let mut monitor = Monitor::start(&a.host).unwrap();
    let began = Stamp::now();
    let bad = Instance {
        vips: vec![101],
        inside: " virtual_router_id 51x\n",
        ..Instance::default()
    };
    let refused = reload(&on_a, &file(a, b, "", &[bad])).unwrap_err();
    assert!(
        format!("{refused:#}").contains("the old configuration runs on"),
        "{refused:#}"
    );
    // The log is written apart from the answer.
    until("the log says what is wrong", LIMIT, || {
        let log = on_a.log()?;
        Ok(log.contains("nothing was changed") && log.contains("51x"))
    })
    .unwrap();
    // By the signal, too; and a file that is not there.
    a.host.run("rm", &[Daemon::FILE]).unwrap();
    on_a.signal(Signal::SIGHUP).unwrap();
    until("two were refused", LIMIT, || {
        Ok(on_a.status()?["daemon"]["reloads_refused"] == 2)
    })
    .unwrap();
    assert_eq!(
        on_a.status().unwrap()["daemon"]["last_reload"]["result"],
        "refused"
    );
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    in_turn(a, 51, 200, began);
    assert_eq!(monitor.news().unwrap(), Vec::<String>::new());
    // A good one afterwards is taken.
    let more = Instance {
        vips: vec![100, 101],
        ..Instance::default()
    };
    assert_eq!(reload(&on_a, &file(a, b, "", &[more])).unwrap(), "reloaded\n");
    until("the new address is there", LIMIT, || {
        a.host.holds_all(&held(&[100, 101]))
    })
    .unwrap();
}

/// It takes a second to run, and is not run for a minute: waiting for it would be FAULT or INIT.
#[test]
fn the_verdict_on_a_slow_script_is_carried_over() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let script =
        |command: &str| format!("vrrp_script slow {{\n script \"{command}\"\n interval 60\n timeout 50\n}}");
    let tracking = |vips: &[u8]| {
        [Instance {
            vips: vips.to_vec(),
            inside: " track_script {\n slow\n }",
            ..Instance::default()
        }]
    };
    let (on_a, _b) = settle(&duo, &script("/bin/sleep 1"), &tracking(&[100])).unwrap();
    let began = Stamp::now();
    reload(
        &on_a,
        &file(a, b, &script("/bin/sleep 1"), &tracking(&[100, 101])),
    )
    .unwrap();
    reload(
        &on_a,
        &file(a, b, &script("/bin/sleep 2"), &tracking(&[100, 101])),
    )
    .unwrap();
    until("the new address is there", LIMIT, || {
        a.host.holds_all(&held(&[100, 101]))
    })
    .unwrap();
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    assert!(a.sent(began).iter().all(|(_, advert)| advert.priority == 200));
    let status = on_a.status().unwrap();
    assert_eq!(instance(&status, "VI_1").unwrap()["counters"]["became_master"], 1);
    assert_eq!(status["scripts"][0]["state"], "passing", "{status}");
}

#[test]
fn fifty_reloads_in_a_row() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let two = |last: u8| {
        [
            Instance::default(),
            Instance {
                name: "VI_2",
                vrid: 52,
                vips: vec![last],
                ..Instance::default()
            },
        ]
    };
    let (on_a, _b) = settle(&duo, "", &two(110)).unwrap();
    let descriptors = || -> anyhow::Result<usize> {
        let pid = a.host.read("/run/keepalived_vrrp.pid")?;
        Ok(std::fs::read_dir(format!("/proc/{}/fd", pid.trim()))?.count())
    };
    let began = Stamp::now();
    let mut before = None;
    for round in 1..=50 {
        reload(&on_a, &file(a, b, "", &two(110 + round % 2))).unwrap();
        if round == 2 {
            before = Some(descriptors().unwrap());
        }
    }
    until("the last address is there alone", LIMIT, || {
        Ok(a.host.holds_all(&held(&[100, 110]))? && a.host.holds_none(&held(&[111]))?)
    })
    .unwrap();
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    in_turn(a, 51, 200, began);
    assert_eq!(b.sent(began), []);
    // The watch that was replaced last may take a moment to end.
    until("as many descriptors as after the second", LIMIT, || {
        Ok(before.is_some_and(|before| descriptors().is_ok_and(|now| now <= before + 3)))
    })
    .unwrap();
    assert_eq!(on_a.status().unwrap()["daemon"]["reloads"], 50);
}

/// B takes over two hundred addresses, and is told of thirty more and ten fewer before it is done.
#[test]
fn a_reload_in_the_middle_of_a_takeover() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let of = |vips: std::ops::Range<u8>, priority| {
        [Instance {
            vips: vips.collect(),
            priority,
            ..Instance::default()
        }]
    };
    let on_b = start(b, &file(b, a, "", &of(20..220, 100))).unwrap();
    let on_a = start(a, &file(a, b, "", &of(20..220, 200))).unwrap();
    a.await_mastery(vip(219), b, LIMIT).unwrap();
    a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    let takeovers = || -> anyhow::Result<u64> {
        let status = on_b.status()?;
        let takeovers = &instance(&status, "VI_1")?["counters"]["became_master"];
        takeovers.as_u64().context("became_master")
    };
    let before = takeovers().unwrap();
    let new = file(b, a, "", &of(30..250, 100));
    b.host.install(Daemon::FILE, &new, 0o644).unwrap();
    let crash = Stamp::now();
    a.port.isolate().unwrap();
    on_a.crash();
    b.await_announcement(vip(20), crash, LIMIT).unwrap();
    on_b.signal(Signal::SIGHUP).unwrap();
    let wanted: Vec<u8> = (30..250).collect();
    let unwanted: Vec<u8> = (20..30).collect();
    until("B holds what the new file says", LIMIT, || {
        Ok(b.host.holds_all(&held(&wanted))? && b.host.holds_none(&held(&unwanted))?)
    })
    .unwrap();
    for last in wanted {
        b.await_announcement(vip(last), crash, LIMIT).unwrap();
    }
    assert_eq!(takeovers().unwrap(), before + 1);
}

/// From 100 ms to 200 ms, the Master first: its Backup goes by what it says. Then the priorities change places, too.
#[test]
fn another_interval_on_one_after_the_other() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let (on_a, on_b) = settle(&duo, "", &[Instance::default()]).unwrap();
    let began = Stamp::now();
    let slower = |side: &Side, other: &Side, priority| {
        let instance = Instance {
            priority,
            ..Instance::default()
        };
        file(side, other, "", &[instance]).replace("advert_int 0.1", "advert_int 0.2")
    };
    reload(&on_a, &slower(a, b, 200)).unwrap();
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    reload(&on_b, &slower(b, a, 100)).unwrap();
    a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    assert_eq!(b.sent(began), []);
    assert_eq!(
        a.sent(began).last().map(|(_, advert)| advert.interval_ms),
        Some(200)
    );
    let now = Stamp::now();
    reload(&on_b, &slower(b, a, 250)).unwrap();
    b.await_announcement(vip(100), now, LIMIT).unwrap();
    b.await_mastery(vip(100), a, LIMIT).unwrap();
}
