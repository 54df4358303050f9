//! What the world does to a Master: an address removed by hand, a script that fails, a stranger who sends
//! rubbish, a rival who has to wait.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, Side, Stamp, root_or_skip, until};

const VIP: Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(10);

fn start(side: &Side, settings: Settings) -> anyhow::Result<Daemon> {
    Daemon::start(
        &side.host,
        &Program::ours()?,
        &settings.to_string(),
        Daemon::DETAILED,
    )
}

/// keepalived gives up its mastership then; network managers cause outages that way.
#[test]
fn an_address_removed_by_hand_is_put_back_and_mastership_kept() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let _b = start(b, Settings::unicast(b.address, a.address, 100)).unwrap();
    let _a = start(a, Settings::unicast(a.address, b.address, 200)).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let settled = a.await_adverts(3, Stamp::now(), LIMIT).unwrap().0;

    let removed = Stamp::now();
    a.host
        .run("ip", &["addr", "del", "192.0.2.100/24", "dev", "eth0"])
        .unwrap();
    a.await_announcement(VIP, removed, LIMIT).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    a.await_adverts(5, Stamp::now(), LIMIT).unwrap();
    assert!(a.sent(settled).iter().all(|(_, advert)| advert.priority == 200));
    assert_eq!(b.sent(settled), []);
}

/// B has the higher priority and waits for two seconds before it takes over from a Master that lives.
#[test]
fn a_higher_priority_waits_for_its_preempt_delay() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let _a = start(a, Settings::unicast(a.address, b.address, 100)).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let delayed = Settings {
        inside: "    preempt_delay 2",
        ..Settings::unicast(b.address, a.address, 200)
    };
    let began = Stamp::now();
    let _b = start(b, delayed).unwrap();
    let (first, _) = b.await_adverts(1, began, LIMIT).unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    let waited = first.since(began);
    // From its start, which takes a moment; then at most one Master_Down_Interval more.
    assert!(waited >= Duration::from_secs(2), "too early: {waited:?}");
    assert!(waited < Duration::from_millis(3_500), "too late: {waited:?}");
}

/// 3 x 10 ms + 156/256 x 10 ms: a skew of nought, or seconds for centiseconds, would show.
#[test]
fn adverts_every_ten_milliseconds() {
    if !root_or_skip() {
        return;
    }
    const MASTER_DOWN: Duration = Duration::from_micros(36_094);
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let fast = |own: &Side, peer: &Side, priority| Settings {
        interval: "0.01",
        ..Settings::unicast(own.address, peer.address, priority)
    };
    let _b = start(b, fast(b, a, 100)).unwrap();
    let on_a = start(a, fast(a, b, 200)).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let settled = a.await_adverts(10, Stamp::now(), LIMIT).unwrap().0;
    let (hundredth, advert) = a.await_adverts(100, settled, LIMIT).unwrap();
    assert_eq!(advert.interval_ms, 10);
    // 99 intervals between the first and the hundredth; a busy machine may lose a few.
    let took = hundredth.since(settled);
    assert!(took >= Duration::from_millis(980), "too often: {took:?}");
    assert!(took < Duration::from_millis(1_300), "too seldom: {took:?}");
    assert_eq!(b.sent(settled), []);

    let died = Stamp::now();
    a.port.isolate().unwrap();
    on_a.crash();
    let (priority, waited) = duo.takeover(VIP, died, LIMIT).unwrap();
    assert_eq!(priority, 200);
    assert!(
        waited + Duration::from_millis(1) >= MASTER_DOWN,
        "too early: {waited:?}"
    );
    assert!(waited < Duration::from_millis(100), "too late: {waited:?}");
}

/// The script that the tests below track: well while a file is there.
const CHECK: &str = "#!/bin/sh\ntest -e /run/well\n";

fn health(host: &Host, well: bool) -> anyhow::Result<()> {
    let program = if well { "touch" } else { "rm" };
    host.run(program, &["/run/well"]).map(drop)
}

/// A tracks a script in this file, B does not.
fn tracked(duo: &Duo, before: &'static str) -> anyhow::Result<[Daemon; 2]> {
    let (a, b) = (&duo.a, &duo.b);
    a.host.install("/usr/local/bin/check.sh", CHECK, 0o755)?;
    health(&a.host, true)?;
    let on_b = start(b, Settings::unicast(b.address, a.address, 150))?;
    let on_a = start(
        a,
        Settings {
            before,
            inside: "    track_script {\n        check\n    }",
            ..Settings::unicast(a.address, b.address, 200)
        },
    )?;
    a.await_mastery(VIP, b, LIMIT)?;
    Ok([on_a, on_b])
}

#[test]
fn a_failing_script_takes_its_weight_and_gives_it_back() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let script = "vrrp_script check {
    script /usr/local/bin/check.sh
    interval 0.2
    weight -100
}";
    let [on_a, _b] = tracked(&duo, script).unwrap();
    let failed = Stamp::now();
    health(&a.host, false).unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    let status = on_a.status().unwrap();
    let instance = &status["instances"][0];
    assert_eq!(
        [
            &instance["state"],
            &instance["priority_effective"],
            &instance["priority_configured"]
        ],
        [&serde_json::json!("BACKUP"), &100.into(), &200.into()]
    );
    assert!(
        a.sent(failed)
            .iter()
            .all(|(_, advert)| [200, 100].contains(&advert.priority))
    );

    health(&a.host, true).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    assert_eq!(on_a.status().unwrap()["instances"][0]["priority_effective"], 200);
}

#[test]
fn a_failing_script_without_weight_is_a_fault() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let script = "vrrp_script check {
    script /usr/local/bin/check.sh
    interval 0.2
}";
    let [on_a, _b] = tracked(&duo, script).unwrap();
    let failed = Stamp::now();
    health(&a.host, false).unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    assert_eq!(on_a.status().unwrap()["instances"][0]["state"], "FAULT");
    let last = a.sent(failed).pop().unwrap().1;
    assert_eq!(last.priority, 0, "it says good-bye");
    // In FAULT it is silent.
    let settled = Stamp::now();
    b.await_adverts(10, settled, LIMIT).unwrap();
    assert_eq!(a.sent(settled), []);

    health(&a.host, true).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
}

/// VRRPv2, VRID 51, priority 150, 1 s, 192.0.2.100 and .101, password "abcdefgh": captured from keepalived 2.2.7.
const GENUINE: [u8; 24] = [
    0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0x31, 0x69, 192, 0, 2, 100, 192, 0, 2, 101, b'a', b'b', b'c', b'd',
    b'e', b'f', b'g', b'h',
];
/// The same with "bacdefgh": the sum is 0xff more, so the checksum is 0xff less.
const WRONG_PASSWORD: [u8; 24] = [
    0x21, 0x33, 0x96, 0x02, 0x01, 0x01, 0x30, 0x6a, 192, 0, 2, 100, 192, 0, 2, 101, b'b', b'a', b'c', b'd',
    b'e', b'f', b'g', b'h',
];

/// A packet to the group, from the host's own address.
fn send(side: &Side, ttl: u32, packet: &[u8]) -> anyhow::Result<()> {
    side.host.namespace().inside(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
        socket.bind(&SocketAddrV4::new(side.address, 0).into())?;
        socket.set_multicast_if_v4(&side.address)?;
        socket.set_multicast_ttl_v4(ttl)?;
        let group = SocketAddrV4::new(Ipv4Addr::new(224, 0, 0, 18), 0);
        socket.send_to(packet, &group.into())?;
        Ok(())
    })
}

/// keepalived (2.2.7, 2.4.3) starts its Master's advert timer anew for any packet with its VRID, rejected ones
/// too: one bad packet per 0.3 s, and it never advertises again.
fn bad_packets_do_not_silence(before: &'static str) -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let duo = Duo::new()?;
    let (a, stranger) = (&duo.a, &duo.b);
    let _a = start(
        a,
        Settings {
            peer: None,
            version: 2,
            interval: "1",
            password: Some("abcdefgh"),
            before,
            ..Settings::unicast(a.address, stranger.address, 200)
        },
    )?;
    a.await_mastery(VIP, stranger, LIMIT)?;
    let began = a.await_adverts(1, Stamp::now(), LIMIT)?.0;
    let mut bad = 0;
    until("four seconds are over", LIMIT, || {
        let now = Stamp::now();
        if now.since(began) >= Duration::from_millis(300) * (bad + 1) {
            bad += 1;
            match bad % 2 {
                0 => send(stranger, 255, &WRONG_PASSWORD)?,
                _ => send(stranger, 1, &GENUINE)?,
            }
        }
        Ok(now.since(began) >= Duration::from_millis(4_200))
    })?;
    let arrived = a.heard(began);
    anyhow::ensure!(arrived.len() >= 12, "only {} bad packets arrived", arrived.len());
    let adverts = a.sent(began);
    // Nor do they make it hurry: it is one every second.
    assert_eq!(adverts.len(), 5, "{adverts:?}");
    for pair in adverts.windows(2) {
        let gap = pair[1].0.since(pair[0].0);
        assert!(
            (900..1_100).contains(&gap.as_millis()),
            "{gap:?} between two adverts"
        );
    }
    Ok(())
}

#[test]
fn bad_packets_do_not_silence_a_master_behind_xdp() -> anyhow::Result<()> {
    bad_packets_do_not_silence("")
}

#[test]
fn bad_packets_do_not_silence_a_master_on_its_raw_socket() -> anyhow::Result<()> {
    bad_packets_do_not_silence("global_defs {\n    vrrp_xdp off\n}")
}

/// A tracks something of its own, in `before`, by the lines in `inside`; B tracks nothing.
fn pair(duo: &Duo, before: &'static str, inside: &'static str) -> anyhow::Result<[Daemon; 2]> {
    let (a, b) = (&duo.a, &duo.b);
    let on_b = start(b, Settings::unicast(b.address, a.address, 150))?;
    let settings = Settings {
        before,
        inside,
        ..Settings::unicast(a.address, b.address, 200)
    };
    let on_a = start(a, settings)?;
    Ok([on_a, on_b])
}

fn effective(daemon: &Daemon) -> anyhow::Result<serde_json::Value> {
    Ok(daemon.status()?["instances"][0]["priority_effective"].clone())
}

#[test]
fn a_number_in_a_file_moves_the_mastership() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let file = "track_file load {
    file /run/load/number
    weight -1
}";
    let [on_a, _b] = pair(&duo, file, "    track_file {\n        load\n    }").unwrap();
    // The file is not there, nor its directory.
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let write = |number: &str| {
        let script =
            format!("mkdir -p /run/load; echo {number} > /run/load/new; mv /run/load/new /run/load/number");
        a.host.run("sh", &["-c", &script]).unwrap();
    };
    write("60");
    b.await_mastery(VIP, a, LIMIT).unwrap();
    assert_eq!(effective(&on_a).unwrap(), 140);
    assert_eq!(on_a.status().unwrap()["files"][0]["value"], 60);
    write("40");
    a.await_mastery(VIP, b, LIMIT).unwrap();
    assert_eq!(effective(&on_a).unwrap(), 160);
    // Not a low priority but a fault.
    write("254");
    b.await_mastery(VIP, a, LIMIT).unwrap();
    let status = on_a.status().unwrap();
    assert_eq!(status["instances"][0]["state"], "FAULT");
    assert_eq!(
        status["instances"][0]["reason"],
        "the number in tracked file load says so"
    );
    a.host.run("rm", &["-r", "/run/load"]).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    assert_eq!(effective(&on_a).unwrap(), 200);
}

/// In a network namespace, where the kernel tells nobody of processes.
#[test]
fn a_process_that_ends_is_a_fault_until_it_runs_again() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let process = "vrrp_track_process served {
    process e2e-served
}";
    let copy = a.host.run("cp", &["/bin/sleep", "/usr/local/bin/e2e-served"]);
    copy.unwrap();
    let [on_a, _b] = pair(&duo, process, "    track_process {\n        served\n    }").unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    until("A has looked for it", LIMIT, || {
        Ok(on_a.status()?["instances"][0]["state"] == "FAULT")
    })
    .unwrap();
    assert_eq!(on_a.status().unwrap()["processes"][0]["quorum"], false);
    let mut served = a.host.namespace().command("/usr/local/bin/e2e-served");
    let mut served = served.arg("1000").spawn().unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    served.kill().unwrap();
    served.wait().unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    assert_eq!(on_a.status().unwrap()["instances"][0]["state"], "FAULT");
}

/// A cable that is out for a moment is no fault; one that stays out is.
#[test]
fn a_link_that_flaps_is_held() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    a.host
        .run(
            "ip",
            &["link", "add", "up0", "type", "veth", "peer", "name", "up1"],
        )
        .unwrap();
    for link in ["up0", "up1"] {
        a.host.run("ip", &["link", "set", link, "up"]).unwrap();
    }
    let delays = "interface_up_down_delays {
    up0 1.5 0
}";
    let [on_a, _b] = pair(&duo, delays, "    track_interface {\n        up0\n    }").unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    let out = |state: &str| {
        a.host.run("ip", &["link", "set", "up1", state]).unwrap();
        Stamp::now()
    };
    let settled = out("down");
    // More than a Master_Down_Interval of B's, less than the delay.
    a.await_adverts(6, settled, LIMIT).unwrap();
    let back = out("up");
    a.await_adverts(20, back, LIMIT).unwrap();
    assert!(a.sent(settled).iter().all(|(_, advert)| advert.priority == 200));
    assert_eq!(b.sent(settled), []);

    let gone = out("down");
    b.await_mastery(VIP, a, LIMIT).unwrap();
    let (last, advert) = a.sent(gone).pop().unwrap();
    assert_eq!(advert.priority, 0);
    let held = last.since(gone);
    assert!(held >= Duration::from_millis(1_400), "too early: {held:?}");
    assert_eq!(on_a.status().unwrap()["instances"][0]["state"], "FAULT");
    out("up");
    a.await_mastery(VIP, b, LIMIT).unwrap();
}

/// What a group tracks moves every member, and a member that tracks the same counts it once.
#[test]
fn a_group_tracks_for_its_members() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let group = "vrrp_script check {
    script /usr/local/bin/check.sh
    interval 0.2
    weight -100
}
track_file load {
    file /run/load
}
vrrp_sync_group G {
    group {
        VI_1
    }
    track_script {
        check
    }
    track_file {
        load
    }
}";
    a.host.install("/usr/local/bin/check.sh", CHECK, 0o755).unwrap();
    health(&a.host, true).unwrap();
    let [on_a, _b] = pair(&duo, group, "    track_file {\n        load weight 2\n    }").unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
    a.host.run("sh", &["-c", "echo -7 > /run/load"]).unwrap();
    until("the number counts, once", LIMIT, || Ok(effective(&on_a)? == 193)).unwrap();
    health(&a.host, false).unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    assert_eq!(effective(&on_a).unwrap(), 93);
    health(&a.host, true).unwrap();
    a.await_mastery(VIP, b, LIMIT).unwrap();
}
