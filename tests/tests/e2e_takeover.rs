//! What happens when a Master goes, in each of the ways it can, and when it comes back.

use std::net::IpAddr;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, Stamp, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(10);
/// 3 x 100 ms + 156/256 x 100 ms: VRRPv3, priority 100.
const MASTER_DOWN: Duration = Duration::from_nanos(360_937_500);
/// 156/256 x 100 ms.
const SKEW: Duration = Duration::from_nanos(60_937_500);
/// The protocol's own granularity, and more than a busy machine takes.
const INTERVAL: Duration = Duration::from_millis(100);
/// The captures stamp after the sender and before the receiver: that much may be missing from a wait.
const STAMPING: Duration = Duration::from_millis(1);

fn start(side: &Side, settings: &Settings) -> anyhow::Result<Daemon> {
    Daemon::start(
        &side.host,
        &Program::ours()?,
        &settings.to_string(),
        Daemon::DETAILED,
    )
}

/// A is Master with priority 200, B its Backup with 100, both for a while.
fn settle(duo: &Duo) -> anyhow::Result<(Daemon, Daemon)> {
    let (a, b) = (&duo.a, &duo.b);
    let on_b = start(b, &Settings::unicast(b.address, a.address, 100))?;
    let on_a = start(a, &Settings::unicast(a.address, b.address, 200))?;
    a.await_mastery(VIP, b, LIMIT)?;
    a.await_adverts(5, Stamp::now(), LIMIT)?;
    Ok((on_a, on_b))
}

#[test]
fn a_crash_is_detected_after_master_down_interval_and_its_leftovers_go_at_the_next_start() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (on_a, _b) = settle(&duo).unwrap();
    let crash = Stamp::now();
    duo.a.port.isolate().unwrap();
    on_a.crash();
    let (priority, waited) = duo.takeover(VIP, crash, LIMIT).unwrap();
    assert_eq!(priority, 200);
    assert!(
        waited + STAMPING >= MASTER_DOWN,
        "too early: {waited:?} after the last advert"
    );
    assert!(
        waited <= MASTER_DOWN + INTERVAL,
        "too late: {waited:?} after the last advert"
    );

    let vip = [IpAddr::V4(VIP)];
    assert!(
        duo.a.host.holds_all(&vip).unwrap(),
        "kill -9 leaves the address behind"
    );
    let restart = Stamp::now();
    let settings = Settings {
        nopreempt: true,
        ..Settings::unicast(duo.a.address, duo.b.address, 200)
    };
    let _a = start(&duo.a, &settings).unwrap();
    until("the leftover address is gone", LIMIT, || {
        duo.a.host.holds_none(&vip)
    })
    .unwrap();
    assert_eq!(
        duo.a.announced(VIP, restart),
        [],
        "a leftover must not be announced"
    );
    duo.a.port.heal().unwrap();
    duo.b.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    duo.b.await_mastery(VIP, &duo.a, LIMIT).unwrap();
}

#[test]
fn a_stop_says_priority_zero_and_the_backup_waits_for_its_skew_only() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (on_a, _b) = settle(&duo).unwrap();
    let stop = Stamp::now();
    let status = on_a.stop(LIMIT).unwrap();
    assert!(status.success(), "{status}");
    assert!(duo.a.host.holds_none(&[IpAddr::V4(VIP)]).unwrap());
    assert_eq!(duo.a.host.read("/run/keepalived.pid").unwrap(), "");
    let (priority, waited) = duo.takeover(VIP, stop, LIMIT).unwrap();
    assert_eq!(priority, 0);
    assert!(
        waited + STAMPING >= SKEW,
        "too early: {waited:?} after the last advert"
    );
    assert!(
        waited <= SKEW + INTERVAL,
        "too late: {waited:?} after the last advert"
    );
}

/// A Backup that was stopped for longer than Master_Down_Interval finds its timer expired and its Master's
/// adverts waiting. It must read before it decides.
#[test]
fn a_stalled_backup_does_not_take_over_from_a_master_that_lives() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (_a, _on_b) = settle(&duo).unwrap();
    let stalled = Stamp::now();
    for _ in 0..3 {
        let processes = duo.b.host.namespace().processes();
        assert!(!processes.is_empty());
        for &pid in &processes {
            kill(pid, Signal::SIGSTOP).unwrap();
        }
        // Ten adverts: almost three Master_Down_Intervals.
        duo.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
        for &pid in &processes {
            kill(pid, Signal::SIGCONT).unwrap();
        }
        duo.a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    }
    assert_eq!(duo.b.sent(stalled), []);
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();
}

/// The parent starts the protocol process again at once, which then waits for ten adverts: B takes over in the
/// meantime, and A, which has the higher priority, takes back.
#[test]
fn a_killed_protocol_process_is_started_again() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let _b = start(b, &Settings::unicast(b.address, a.address, 100)).unwrap();
    let patient = Settings {
        inside: "    down_timer_adverts 10",
        ..Settings::unicast(a.address, b.address, 200)
    };
    let _a = start(a, &patient).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    let protocol =
        || -> anyhow::Result<i32> { Ok(duo.a.host.read("/run/keepalived_vrrp.pid")?.trim().parse()?) };
    let first = protocol().unwrap();
    let killed = Stamp::now();
    kill(Pid::from_raw(first), Signal::SIGKILL).unwrap();
    let (priority, waited) = duo.takeover(VIP, killed, LIMIT).unwrap();
    assert_eq!(priority, 200);
    assert!(waited + STAMPING >= MASTER_DOWN, "too early: {waited:?}");
    until("the protocol process is another", LIMIT, || {
        Ok(protocol().is_ok_and(|pid| pid != first))
    })
    .unwrap();
    let taken_over = duo.b.announced(VIP, killed)[0];
    let taken_back = duo.a.await_announcement(VIP, taken_over, LIMIT).unwrap();
    duo.a.await_mastery(VIP, &duo.b, LIMIT).unwrap();

    // B advertised while A was away, by its own priority, and not since.
    let by_b = duo.b.sent(killed);
    assert!(!by_b.is_empty());
    assert!(by_b.iter().all(|(_, advert)| advert.priority == 100), "{by_b:?}");
    let settled = Stamp::now();
    assert!(settled > taken_back);
    duo.a.await_adverts(5, settled, LIMIT).unwrap();
    assert_eq!(duo.b.sent(settled), []);
}

/// A thread of real-time priority that works for half a second without ever blocking is killed (RLIMIT_RTTIME), and
/// the kernel takes longer for thousands of IPv6 addresses. They would stay behind.
#[test]
fn thousands_of_ipv6_addresses_come_and_go_within_the_real_time_budget() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let addresses: Vec<String> = (1..=3_000).map(|n| format!("2001:db8::1:{n:x}")).collect();
    // An owner is Master at once.
    let configuration = format!(
        "vrrp_instance many {{
    interface eth0
    state MASTER
    virtual_router_id 51
    priority 255
    version 3
    advert_int 0.1
    garp_master_repeat 1
    virtual_ipaddress {{
        192.0.2.100
    }}
    virtual_ipaddress_excluded {{
        {}
    }}
}}
",
        addresses.join("\n        ")
    );
    let addresses: Vec<IpAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let daemon = Daemon::start(
        &duo.a.host,
        &Program::ours().unwrap(),
        &configuration,
        Daemon::QUIET,
    )
    .unwrap();
    let limit = Duration::from_secs(30);
    until("all addresses are there", limit, || {
        duo.a.host.holds_all(&addresses)
    })
    .unwrap();
    daemon.stop(limit).unwrap();
    assert!(
        duo.a.host.holds_none(&addresses).unwrap(),
        "addresses stayed behind"
    );
}
