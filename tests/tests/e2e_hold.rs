//! A Backup whose switch port does not pass frames yet (spanning tree) does not take over from a Master that it cannot
//! hear (`vrrp_link_hold`); keepalived does.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::ensure;
use nix::sys::signal::Signal;
use serde_json::Value;
use vrrp_tests::lab::{Daemon, Host, Lab, Port, Program, Settings, root_or_skip, until};

const VIP: Ipv4Addr = Settings::ADDRESS;
const OF_A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const OF_B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
const LIMIT: Duration = Duration::from_secs(10);
/// When a down timer has run out that would have made a Master.
const WAITS: &str =
    "eth0 has carrier and has received nothing yet: waiting up to 30 s for it (vrrp_link_hold)";
const PROVEN: &str = "eth0 has received something, ";

fn lab() -> anyhow::Result<Lab> {
    let lab = Lab::new()?;
    lab.network("front")?;
    Ok(lab)
}

/// A host whose cable was just plugged in: it has carrier, and nothing passes.
fn blocked(lab: &Lab, name: &str, address: Ipv4Addr) -> anyhow::Result<(Host, Port)> {
    let host = lab.host(name)?;
    let port = lab.connect_blocked(&host, "eth0", "front", &[&format!("{address}/24")])?;
    assert_eq!(host.received("eth0")?, 0, "the port of {name} passes frames");
    Ok((host, port))
}

/// Host A, Master on a port that forwards.
fn master(lab: &Lab) -> anyhow::Result<Daemon> {
    let host = lab.host("A")?;
    lab.connect(&host, "eth0", "front", &[&format!("{OF_A}/24")])?;
    let daemon = start(&host, &file(OF_A, 200, ""))?;
    await_state(&daemon, "MASTER")?;
    Ok(daemon)
}

fn file(own: Ipv4Addr, priority: u8, inside: &'static str) -> Settings {
    Settings {
        peer: None,
        inside,
        ..Settings::unicast(own, own, priority)
    }
}

fn start(host: &Host, file: &Settings) -> anyhow::Result<Daemon> {
    Daemon::start(host, &Program::ours()?, &file.to_string(), Daemon::DETAILED)
}

fn instance(daemon: &Daemon) -> anyhow::Result<Value> {
    Ok(daemon.status()?["instances"][0].clone())
}

fn await_state(daemon: &Daemon, state: &str) -> anyhow::Result<()> {
    let what = format!("host {} is {state}", daemon.host().name());
    // Until the control socket is there, there is no answer.
    until(&what, LIMIT, || {
        Ok(instance(daemon).is_ok_and(|instance| instance["state"] == state))
    })
}

fn await_line(daemon: &Daemon, line: &str) -> anyhow::Result<()> {
    until(&format!("the log says `{line}`"), LIMIT, || {
        Ok(daemon.log()?.contains(line))
    })
}

/// Wait until it follows the Master on host A.
fn await_follower(daemon: &Daemon) -> anyhow::Result<()> {
    until("it follows A", LIMIT, || {
        Ok(instance(daemon).is_ok_and(|instance| instance["master"]["address"] == "192.0.2.1"))
    })
}

fn never_master(daemon: &Daemon) -> anyhow::Result<()> {
    let log = daemon.log()?;
    ensure!(!log.contains("Entering MASTER STATE"), "{log}");
    ensure!(daemon.host().holds_none(&[VIP.into()])?);
    Ok(())
}

#[test]
fn a_backup_on_a_port_that_does_not_forward_yet_waits_and_then_hears_the_master() {
    if !root_or_skip() {
        return;
    }
    let lab = lab().unwrap();
    let on_a = master(&lab).unwrap();
    let (b, port) = blocked(&lab, "B", OF_B).unwrap();
    let on_b = start(&b, &file(OF_B, 100, "")).unwrap();
    await_line(&on_b, WAITS).unwrap();
    let reason = "waiting for eth0 to receive something (vrrp_link_hold)";
    assert_eq!(instance(&on_b).unwrap()["reason"], reason);

    // A reload proves nothing.
    b.install(Daemon::FILE, file(OF_B, 110, "").to_string(), 0o644)
        .unwrap();
    on_b.signal(Signal::SIGHUP).unwrap();
    await_line(&on_b, "Reloaded: 1 virtual routers").unwrap();
    until("it waits on", LIMIT, || Ok(instance(&on_b)?["reason"] == reason)).unwrap();

    port.forward().unwrap();
    await_line(&on_b, PROVEN).unwrap();
    await_follower(&on_b).unwrap();
    never_master(&on_b).unwrap();
    assert_eq!(instance(&on_a).unwrap()["state"], "MASTER");
    assert_eq!(on_b.log().unwrap().matches(WAITS).count(), 1);
}

/// What happens without, and with keepalived: two Masters.
#[test]
fn without_the_hold_it_is_master_beside_the_master() {
    if !root_or_skip() {
        return;
    }
    let lab = lab().unwrap();
    let on_a = master(&lab).unwrap();
    let (b, _port) = blocked(&lab, "B", OF_B).unwrap();
    let on_b = start(&b, &file(OF_B, 100, "vrrp_link_hold off")).unwrap();
    await_state(&on_b, "MASTER").unwrap();
    on_b.stop(LIMIT).unwrap();

    let keepalived = Program::keepalived().unwrap();
    let text = file(OF_B, 100, "").to_string();
    let _theirs = Daemon::start(&b, &keepalived, &text, Daemon::DETAILED).unwrap();
    until("keepalived is Master", LIMIT, || b.holds_all(&[VIP.into()])).unwrap();
    assert_eq!(instance(&on_a).unwrap()["state"], "MASTER");
}

/// The switch of a running Backup starts again.
#[test]
fn a_link_that_comes_back_has_to_be_proven_again() {
    if !root_or_skip() {
        return;
    }
    let lab = lab().unwrap();
    let _on_a = master(&lab).unwrap();
    let (b, port) = blocked(&lab, "B", OF_B).unwrap();
    port.forward().unwrap();
    let on_b = start(&b, &file(OF_B, 100, "")).unwrap();
    await_follower(&on_b).unwrap();
    port.block().unwrap();
    port.pull().unwrap();
    await_state(&on_b, "FAULT").unwrap();
    port.plug().unwrap();
    await_line(&on_b, WAITS).unwrap();
    port.forward().unwrap();
    await_follower(&on_b).unwrap();
    never_master(&on_b).unwrap();
}

#[test]
fn a_lone_host_takes_over_after_the_proof() {
    if !root_or_skip() {
        return;
    }
    let lab = lab().unwrap();
    let (a, port) = blocked(&lab, "A", OF_A).unwrap();
    let on_a = start(&a, &file(OF_A, 100, "")).unwrap();
    await_line(&on_a, WAITS).unwrap();
    never_master(&on_a).unwrap();
    port.forward().unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let log = on_a.log().unwrap();
    let order: Vec<_> = [PROVEN, "Entering MASTER STATE: no Master heard for"]
        .map(|line| log.find(line))
        .into();
    assert!(order.is_sorted() && order[0].is_some(), "{log}");

    // It has been running: another start waits for nothing, wherever the port stands.
    on_a.stop(LIMIT).unwrap();
    port.block().unwrap();
    let again = start(&a, &file(OF_A, 100, "")).unwrap();
    await_state(&again, "MASTER").unwrap();
    assert_eq!(again.log().unwrap().matches(WAITS).count(), 1);
}

#[test]
fn where_nobody_ever_says_anything_it_takes_over_when_the_hold_ends() {
    if !root_or_skip() {
        return;
    }
    let lab = Lab::new().unwrap();
    lab.silent_network("front").unwrap();
    let a = lab.host("A").unwrap();
    let _port = lab.connect(&a, "eth0", "front", &["192.0.2.1/24"]).unwrap();
    let on_a = start(&a, &file(OF_A, 100, "vrrp_link_hold 1.5")).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let log = on_a.log().unwrap();
    let order: Vec<_> = [
        "waiting up to 1.5 s for it",
        "eth0 has received nothing in 1.5 s: going on as if nobody were there (vrrp_link_hold)",
        "Entering MASTER STATE: no Master heard for",
    ]
    .map(|line| log.find(line))
    .into();
    assert!(order.is_sorted() && order[0].is_some(), "{log}");
}
