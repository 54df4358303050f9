//! The XDP program comes to grief, and mastership stays where it belongs: taken off from outside, no room in its ring,
//! another program in its place, an end by `kill -9`.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]
#![expect(
    dead_code,
    reason = "the sieges and the packet builder share more than each of them needs"
)]

mod packets;
mod siege;

use std::net::IpAddr;

use aya::Ebpf;
use aya::programs::loaded_links;
use aya::programs::xdp::XdpMode;
use aya::programs::{TestRun, TestRunOptions, Xdp};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use packets::Frame;
use packets::bench::{LOOPBACK, object_or_skip, router};
use siege::{LIMIT, Trio, await_holder, await_state, instance, settle, start};
use vrrp_common::id::Version;
use vrrp_common::wire::auth::Auth;
use vrrp_daemon::proto::model::Transport;
use vrrp_daemon::proto::{Model, RouterId};
use vrrp_daemon::xdp::{Place, XdpPath, embedded};
use vrrp_tests::lab::{Daemon, Host, Settings, Stamp, detach_bpf_link, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;

fn pair(trio: &Trio) -> (Daemon, Daemon) {
    let (a, b) = (&trio.a, &trio.b);
    let settings = |own, peer, priority| Settings {
        before: "global_defs {\n    vrrp_xdp native\n}",
        ..Settings::unicast(own, peer, priority)
    };
    let on_a = start(a, &settings(a.address, b.address, 200).to_string()).unwrap();
    await_state(&on_a, "MASTER").unwrap();
    let on_b = start(b, &settings(b.address, a.address, 100).to_string()).unwrap();
    settle(&on_a, &on_b).unwrap();
    (on_a, on_b)
}

/// The number of the program on eth0.
fn program(host: &Host) -> anyhow::Result<Option<u64>> {
    let listing: serde_json::Value =
        serde_json::from_str(&host.run("ip", &["-j", "link", "show", "dev", "eth0"])?)?;
    Ok(listing[0]["xdp"]["prog"]["id"].as_u64())
}

/// The numbers of the bpf links of that program.
fn links(program: u64) -> Vec<u32> {
    loaded_links()
        .flatten()
        .filter(|link| u64::from(link.program_id()) == program)
        .map(|link| link.id())
        .collect()
}

fn said(daemon: &Daemon, what: &str) -> usize {
    let log = daemon.log().unwrap();
    log.lines().filter(|line| line.contains(what)).count()
}

fn became_master(daemon: &Daemon) -> u64 {
    let counters = &instance(daemon, 0).unwrap()["counters"];
    counters["became_master"].as_u64().unwrap()
}

/// Nobody is told of it; the next advert comes by the raw socket, which is the sign to look.
#[test]
fn a_program_that_is_taken_off_is_missed_and_put_back() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (on_a, on_b) = pair(&trio);
    let host = &trio.b.host;
    let since = Stamp::now();
    for times in 1..=2 {
        let number = program(host).unwrap().unwrap();
        let found = links(number);
        assert_eq!(found.len(), 1);
        detach_bpf_link(found[0]).unwrap();
        until("the program is back", LIMIT, || {
            Ok(program(host)?.is_some() && said(&on_b, "taken off from outside") == times)
        })
        .unwrap();
        assert_eq!(links(number).len(), 1);
        assert_eq!(instance(&on_b, 0).unwrap()["receive_path"], "xdp-native");
    }
    // And it does its work: B is woken by nobody, yet follows A.
    trio.a.await_adverts(10, Stamp::now(), LIMIT).unwrap();
    assert_eq!(trio.b.sent(since), []);
    assert_eq!(became_master(&on_b), 0);
    on_b.crash();
    until("nothing is left attached", LIMIT, || Ok(program(host)?.is_none())).unwrap();
    drop(on_a);
}

/// Somebody else's program is respected, said once, and succeeded when it goes.
#[test]
fn a_device_that_is_taken_is_tried_again_and_said_once() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let host = &trio.b.host;
    let object = embedded().unwrap();
    let foreign = host
        .namespace()
        .inside(|| {
            let mut loaded = Ebpf::load(object)?;
            for (_, program) in loaded.programs_mut() {
                let program: &mut Xdp = program.try_into()?;
                program.load()?;
                program.attach("eth0", XdpMode::Driver)?;
            }
            Ok(loaded)
        })
        .unwrap();
    let (_a, on_b) = pair(&trio);
    let theirs = program(host).unwrap();
    // Time for more than one try.
    trio.a.await_adverts(25, Stamp::now(), LIMIT).unwrap();
    assert_eq!(program(host).unwrap(), theirs);
    assert_eq!(said(&on_b, "another XDP program"), 1);
    assert_eq!(instance(&on_b, 0).unwrap()["receive_path"], "raw");
    drop(foreign);
    until("ours is attached", LIMIT, || {
        Ok(instance(&on_b, 0)?["receive_path"] == "xdp-native")
    })
    .unwrap();
    assert_eq!(said(&on_b, "now that nobody else's program is there"), 1);
    assert_eq!(became_master(&on_b), 0);
}

/// The protocol process alone is killed: the next one has the only link, and no address is left where it should not be.
#[test]
fn a_killed_protocol_process_leaves_no_link_and_no_address() {
    if !root_or_skip() {
        return;
    }
    let trio = Trio::new().unwrap();
    let (_a, _b) = pair(&trio);
    let vip = [IpAddr::V4(VIP)];
    for _ in 0..2 {
        await_holder(&trio.a, &trio.b, &vip).unwrap();
        let before = program(&trio.a.host).unwrap().unwrap();
        let pid = trio.a.host.read("/run/keepalived_vrrp.pid").unwrap();
        kill(Pid::from_raw(pid.trim().parse().unwrap()), Signal::SIGKILL).unwrap();
        until("another program is attached", LIMIT, || {
            Ok(program(&trio.a.host)?.is_some_and(|now| now != before))
        })
        .unwrap();
        until("the old link is gone", LIMIT, || Ok(links(before).is_empty())).unwrap();
    }
    await_holder(&trio.a, &trio.b, &vip).unwrap();
}

/// 300 virtual routers hear a full burst each at once, which is twice what the ring holds: what found no room is kept by
/// sender, the newest of each, and told when asked for.
#[test]
fn a_full_ring_costs_no_last_word() {
    if !root_or_skip() {
        return;
    }
    let Some(object) = object_or_skip() else { return };
    let group = |last| Transport::Multicast {
        group: IpAddr::from([224, 0, 0, last]),
        source: None,
    };
    // 150 VRIDs in each of two groups.
    let routers: Vec<_> = (0..300_u16)
        .map(|number| {
            let vrid = u8::try_from(number % 150 + 1).unwrap();
            let last = if number < 150 { 18 } else { 19 };
            router(vrid, Version::V3, 100, Auth::None, group(last))
        })
        .collect();
    let places = vec![
        Place {
            ifindex: Some(LOOPBACK),
            ..Place::default()
        };
        routers.len()
    ];
    let model = Model {
        links: vec!["lo".into()],
        routers,
        ..Model::default()
    };
    let mut xdp = XdpPath::load_for(object, 600).unwrap();
    assert_eq!(xdp.configure(&model, &places, false).unwrap(), []);
    let run = |xdp: &XdpPath, number: u16, priority: u8| {
        let (vrid, group) = (u8::try_from(number % 150 + 1).unwrap(), number / 150 + 18);
        let pdu = packets::summed(vec![0x31, vrid, priority, 1, 0, 100, 0, 0, 192, 0, 2, 254]);
        let frame = Frame::new("192.0.2.1", &format!("224.0.0.{group}"), pdu).bytes();
        let options = TestRunOptions {
            data_in: Some(&frame),
            ..TestRunOptions::new()
        };
        xdp.program().unwrap().test_run(options).unwrap();
    };
    for round in 1..=32 {
        for number in 0..300 {
            run(&xdp, number, round);
        }
    }
    let counters = xdp.counters().unwrap();
    assert!(counters.ring_full > 1_000, "{counters:?}");
    assert_eq!(counters.accepted + counters.kept, 300 * 32);
    let mut last = [0; 300];
    let mut note = |router: Option<RouterId>, pdu: &[u8]| last[router.unwrap().index()] = pdu[2];
    xdp.drain(|event| note(event.router, event.datagram.pdu));
    xdp.take_kept(|event| note(event.router, event.datagram.pdu))
        .unwrap();
    assert_eq!(last, [32; 300]);
    // There is room again.
    run(&xdp, 299, 33);
    assert_eq!(xdp.counters().unwrap().ring_full, counters.ring_full);
}
