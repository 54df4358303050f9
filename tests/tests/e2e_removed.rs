//! Virtual addresses that another program removes, again and again, or all at once; and keepalived's way with them.

#![expect(clippy::unwrap_used, reason = "a test's own helpers fail the test")]

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, Stamp, root_or_skip, until};

const VIP: Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(20);
const REMOVED: &str = "removed by another program";

fn start(side: &Side, program: &Program, settings: Settings) -> Daemon {
    Daemon::start(&side.host, program, &settings.to_string(), Daemon::DETAILED).unwrap()
}

fn lines(daemon: &Daemon, words: &str) -> usize {
    let log = daemon.log().unwrap();
    log.lines().filter(|line| line.contains(words)).count()
}

fn lost(daemon: &Daemon) -> u64 {
    daemon.status().unwrap()["instances"][0]["counters"]["addresses_lost"]
        .as_u64()
        .unwrap()
}

/// Two programs that disagree over an address must not keep the host busy, nor fill its log.
#[test]
fn somebody_who_insists_is_answered_ever_more_rarely() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let daemon = start(
        a,
        &Program::ours().unwrap(),
        Settings::unicast(a.address, b.address, 200),
    );
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let settled = a.await_adverts(3, Stamp::now(), LIMIT).unwrap().0;

    // As often as it can, for 1.6 s: puts back after 5, 100, 200, 400 and 800 ms at the soonest.
    let insist = "end=$(($(date +%s%N) + 1600000000)); while [ $(date +%s%N) -lt $end ]; do \
                  ip addr del 192.0.2.100/24 dev eth0 2>&-; done; true";
    a.host.run("sh", &["-c", insist]).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let times = lost(&daemon);
    assert!((2..=6).contains(&times), "lost {times} times");
    let said = lines(&daemon, REMOVED);
    assert!(
        (1..=6).contains(&said),
        "{said} lines:\n{}",
        daemon.log().unwrap()
    );
    assert!(a.sent(settled).iter().all(|(_, advert)| advert.priority == 200));
}

/// `ip addr flush`, as networkd and NetworkManager do it. One of them is nobody's business (`no_track`).
#[test]
fn a_flush_is_undone_at_once() {
    if !root_or_skip() {
        return;
    }
    const MANY: usize = 50;
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let many: String = (0..MANY)
        .map(|n| format!(" 198.51.100.{n} label eth0:v\n"))
        .collect();
    let inside = format!(" virtual_ipaddress_excluded {{\n{many} 198.51.100.200 label eth0:v no_track\n }}");
    let file = Settings::unicast(a.address, b.address, 200).to_string();
    let end = file.rfind('}').unwrap();
    let file = format!("{}{inside}\n}}\n", &file[..end]);
    let daemon = Daemon::start(&a.host, &Program::ours().unwrap(), &file, Daemon::DETAILED).unwrap();
    let all: Vec<_> = (0..MANY)
        .map(|n| Ipv4Addr::new(198, 51, 100, u8::try_from(n).unwrap()).into())
        .collect();
    let untracked = [Ipv4Addr::new(198, 51, 100, 200).into()];
    until("A holds all", LIMIT, || {
        Ok(a.host.holds_all(&all)? && a.host.holds_all(&untracked)?)
    })
    .unwrap();
    let settled = a.await_adverts(3, Stamp::now(), LIMIT).unwrap().0;

    a.host
        .run("ip", &["addr", "flush", "dev", "eth0", "label", "eth0:v"])
        .unwrap();
    until("A holds all again", LIMIT, || a.host.holds_all(&all)).unwrap();
    until("it is said", LIMIT, || Ok(lines(&daemon, REMOVED) > 0)).unwrap();
    assert!(lines(&daemon, REMOVED) <= 3, "{}", daemon.log().unwrap());
    a.await_adverts(3, Stamp::now(), LIMIT).unwrap();
    assert!(a.host.holds_none(&untracked).unwrap());
    assert!(lost(&daemon) >= u64::try_from(MANY).unwrap());
    assert!(a.sent(settled).iter().all(|(_, advert)| advert.priority == 200));
}

/// What both programs do when the address is removed: priority 0, and Master again after the skew time (219 ms at
/// priority 200 and 1 s).
fn steps_aside(program: &Program, inside: &'static str) -> Daemon {
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let settings = Settings {
        interval: "1",
        inside,
        ..Settings::unicast(a.address, b.address, 200)
    };
    let daemon = start(a, program, settings);
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let removed = a.await_adverts(2, Stamp::now(), LIMIT).unwrap().0;
    let began = Instant::now();
    a.host
        .run("ip", &["addr", "del", "192.0.2.100/24", "dev", "eth0"])
        .unwrap();
    a.await_announcement(VIP, removed, LIMIT).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    let sent: Vec<_> = a
        .sent(removed)
        .into_iter()
        .filter(|(at, _)| *at > removed)
        .take(2)
        .collect();
    assert_eq!(sent[0].1.priority, 0, "{sent:?}");
    assert_eq!(sent[1].1.priority, 200, "{sent:?}");
    let waited = sent[1].0.since(sent[0].0);
    assert!(waited >= Duration::from_millis(200), "{waited:?}");
    daemon
}

#[test]
fn keepalived_steps_aside() {
    if root_or_skip() {
        steps_aside(&Program::keepalived().unwrap(), "");
    }
}

#[test]
fn so_does_ours_if_told_to() {
    if root_or_skip() {
        let daemon = steps_aside(&Program::ours().unwrap(), " vrrp_vip_removed backup");
        assert_eq!(lost(&daemon), 1);
        assert_eq!(lines(&daemon, REMOVED), 0);
    }
}
