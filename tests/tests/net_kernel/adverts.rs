//! Adverts on the wire, and the raw sockets that hear them.

use std::os::fd::AsFd;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use vrrp_common::id::{Priority, Version};
use vrrp_common::time::Centis;
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ladder::Refusal;
use vrrp_daemon::effects::advert_tx::{AdvertSender, SendError};
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::ingress::raw::RawReceiver;
use vrrp_daemon::proto::model::{Model, RouterId, VirtualRouter};
use vrrp_daemon::proto::{Clue, Heard};
use vrrp_daemon::sys::packet_sock::PacketSender;
use vrrp_daemon::sys::{clock, interface};
use vrrp_tests::lab::{Captured, Direction, Host, Stamp, root_or_skip};

use super::model::{BOND0, Cabled, FIRST, LIMIT, cable, ip, lab, model, router, unicast};

/// Messages that keepalived 2.2.7 sent, without their IP headers.
const V3_MULTICAST: &str = "3134c8010019a1b1c000026e";
const V3_UNICAST: &str = "3135c8010019bfbfc000026f";
/// From fe80::1; the checksum was computed apart.
const V3_IPV6: &str = "3136c8020019db9cfe80000000000000000000000000005420010db8000000000000000000000054";
/// With its IP header: type of service 0xc0, identification 1, no "don't fragment", TTL 255.
const V2_PACKET: &str =
    "45c0002c00010000ff70188dc0000201e00000122133960201013169c0000264c00002656162636465666768";

fn ifindex(host: &Host) -> u32 {
    let found = host.namespace().inside(|| Ok(interface::index_of("bond0")));
    found.unwrap().unwrap()
}

fn sender(host: &Host, model: &Model, sources: &[&str]) -> AdvertSender {
    let ifindex = ifindex(host);
    let open = || {
        let mut sender = AdvertSender::new(model);
        for (router, source) in (0..).map(RouterId).zip(sources) {
            sender.set_source(router, Some(ip(source)), Some(ifindex))?;
        }
        Ok(sender)
    };
    host.namespace().inside(open).unwrap()
}

fn receiver(host: &Host, model: &Model) -> RawReceiver {
    let ifindex = ifindex(host);
    let open = || {
        let mut receiver = RawReceiver::new(model)?;
        receiver.set_link(BOND0, Some(ifindex));
        receiver.refresh()?;
        Ok(receiver)
    };
    host.namespace().inside(open).unwrap()
}

/// What arrives, until `enough` says so.
fn hear(receiver: &mut RawReceiver, judge: &Judge, enough: impl Fn(&[Judged]) -> bool) -> Vec<Judged> {
    let deadline = std::time::Instant::now() + LIMIT;
    let mut heard = Vec::new();
    while !enough(&heard) {
        assert!(std::time::Instant::now() < deadline, "only {heard:?}");
        let mut fds = [PollFd::new(receiver.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(100_u8)).unwrap();
        receiver
            .drain(judge, clock::now(), &mut |judged| heard.push(judged))
            .unwrap();
    }
    heard
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The IP packet of an advert from the host.
fn packet(captured: &Captured) -> Option<Vec<u8>> {
    let advert = captured.frame().advert().is_some() && captured.direction == Direction::FromHost;
    advert.then(|| captured.bytes[14..].to_vec())
}

/// The captured ones of these many adverts from `a`.
fn packets(a: &Cabled, count: usize) -> Vec<Vec<u8>> {
    let all = || {
        a.capture
            .pick(Stamp(0), packet)
            .into_iter()
            .map(|(_, packet)| packet)
            .collect::<Vec<_>>()
    };
    vrrp_tests::lab::until("the adverts were sent", LIMIT, || Ok(all().len() >= count)).unwrap();
    all()
}

fn v2() -> VirtualRouter {
    let mut v2 = router(51, &["192.0.2.100", "192.0.2.101"]);
    v2.version = Version::V2;
    v2.priority = Priority(150);
    v2.interval = Centis::DEFAULT;
    v2.auth = Auth::Pass(*b"abcdefgh");
    v2
}

/// Byte for byte what keepalived 2.2.7 sends.
#[test]
fn adverts_on_the_wire() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24", "fe80::1/64"]);
    let _b = cable(&lab, "B", &["192.0.2.2/24"]);
    let mut direct = router(53, &["192.0.2.111"]);
    direct.transport = unicast("192.0.2.1", &["192.0.2.2"]);
    let model = model(vec![
        v2(),
        router(52, &["192.0.2.110"]),
        direct,
        router(54, &["fe80::54", "2001:db8::54"]),
    ]);
    let mut sender = sender(
        &a.host,
        &model,
        &["192.0.2.1", "192.0.2.1", "192.0.2.1", "fe80::1"],
    );
    sender.send(FIRST, Priority(150)).unwrap();
    for router in 1..4 {
        sender.send(RouterId(router), Priority(200)).unwrap();
    }
    sender.send(FIRST, Priority::RELEASE).unwrap();

    // The unicast one waits for an answer to ARP, so the order is not that of sending.
    let sent = packets(&a, 5);
    let of = |vrid: u8, at: usize| {
        let found = sent.iter().filter(|packet| packet.get(at + 1) == Some(&vrid));
        found.map(Vec::as_slice).collect::<Vec<_>>()
    };
    let [first, release] = of(51, 20)[..] else {
        panic!("{sent:?}");
    };
    assert_eq!(hex(first), V2_PACKET);
    assert_eq!(hex(&release[4..6]), "0002", "identification counts up");
    assert_eq!(
        hex(&release[20..28]),
        "213300020101c769",
        "priority 0 with its checksum"
    );
    assert_eq!(hex(&of(52, 20)[0][20..]), V3_MULTICAST);
    let direct = of(53, 20)[0];
    assert_eq!(hex(&direct[20..]), V3_UNICAST);
    assert_eq!(hex(&direct[12..20]), "c0000201c0000202");
    let ipv6 = of(54, 40)[0];
    assert_eq!(hex(&ipv6[40..]), V3_IPV6);
    // What follows is the flow label, which the kernel chooses.
    assert_eq!(hex(ipv6)[..3], *"6c0", "version 6, traffic class 0xc0");
    assert_eq!(hex(&ipv6[6..8]), "70ff", "protocol 112, hop limit 255");
    assert_eq!(
        hex(&ipv6[8..40]),
        "fe800000000000000000000000000001ff020000000000000000000000000012"
    );
    // To the group's own hardware address.
    let frame = a.capture.pick(Stamp(0), |captured| {
        packet(captured).map(|_| captured.bytes[..6].to_vec())
    });
    let frame = frame.iter().find(|(_, mac)| mac[0] == 0x33).unwrap();
    assert_eq!(hex(&frame.1), "333300000012");
}

#[test]
fn without_a_source_or_a_link_nothing_is_sent_and_it_is_said() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let model = model(vec![v2()]);
    let mut sender = sender(&a.host, &model, &["192.0.2.1"]);
    sender.send(FIRST, Priority(150)).unwrap();
    a.host.run("ip", &["link", "set", "bond0", "down"]).unwrap();
    let refused = sender.send(FIRST, Priority(150)).unwrap_err();
    assert!(
        matches!(refused, SendError::Refused { partly: false, .. }),
        "{refused:?}"
    );
    a.host.run("ip", &["link", "set", "bond0", "up"]).unwrap();
    sender.send(FIRST, Priority(150)).unwrap();
    sender.set_source(FIRST, None, Some(1)).unwrap();
    assert_eq!(sender.send(FIRST, Priority(150)), Err(SendError::NotOpen));
    assert_eq!(packets(&a, 2).len(), 2);
}

/// Many leave by one call, and one that the kernel refuses keeps no other back, before it or after it.
#[test]
fn a_refused_advert_of_a_batch_is_the_only_one_that_stays() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24", "fe80::1/64"]);
    let _b = cable(&lab, "B", &["192.0.2.2/24"]);
    let direct = |vrid, peers: &[&str]| {
        let mut direct = router(vrid, &["192.0.2.111"]);
        direct.transport = unicast("192.0.2.1", peers);
        direct
    };
    // A broadcast takes a permission that the socket has not.
    let model = model(vec![
        direct(51, &["192.0.2.2"]),
        direct(52, &["192.0.2.255"]),
        direct(53, &["192.0.2.255", "192.0.2.2"]),
        router(54, &["192.0.2.111"]),
        direct(55, &["192.0.2.2"]),
        router(56, &["fe80::56", "2001:db8::56"]),
        direct(57, &["192.0.2.2"]),
    ]);
    let from = "192.0.2.1";
    let sources = [from, from, from, from, from, "fe80::1"];
    let mut sender = sender(&a.host, &model, &sources);
    let mut failed = Vec::new();
    for router in (0..7).map(RouterId) {
        sender.queue(router, Priority(200), &mut |router, error| {
            failed.push((router, error))
        });
    }
    // The last one has no source.
    assert_eq!(failed, [(RouterId(6), SendError::NotOpen)]);
    failed.clear();
    sender.flush(&mut |router, error| failed.push((router, error)));
    failed.sort_by_key(|(router, _)| *router);
    let refused = |partly| SendError::Refused {
        errno: nix::errno::Errno::EACCES,
        partly,
    };
    assert_eq!(
        failed,
        [(RouterId(1), refused(false)), (RouterId(2), refused(true))]
    );
    let vrids = |count| {
        let mut vrids: Vec<u8> = packets(&a, count)
            .iter()
            .map(|packet| packet[if packet[0] >> 4 == 4 { 21 } else { 41 }])
            .collect();
        vrids.sort_unstable();
        vrids
    };
    assert_eq!(vrids(5), [51, 53, 54, 55, 56]);

    // Two of one virtual router are two, each as it was asked for.
    failed.clear();
    for priority in [200, 0] {
        sender.queue(RouterId(3), Priority(priority), &mut |router, error| {
            failed.push((router, error));
        });
    }
    sender.flush(&mut |router, error| failed.push((router, error)));
    assert_eq!(failed, []);
    let sent = packets(&a, 7);
    let priorities: Vec<u8> = sent
        .iter()
        .filter(|packet| packet[0] >> 4 == 4 && packet[21] == 54)
        .map(|packet| packet[22])
        .collect();
    assert_eq!(priorities, [200, 200, 0]);
}

/// What one host sends, the other hears: each transport once.
#[test]
fn raw_sockets_hear_what_is_sent() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24", "fe80::1/64"]);
    let b = cable(&lab, "B", &["192.0.2.2/24", "fe80::2/64"]);
    let routers = |source: &str, peer: &str| {
        let mut direct = router(53, &["192.0.2.111"]);
        direct.transport = unicast(source, &[peer]);
        model(vec![
            v2(),
            router(52, &["192.0.2.110"]),
            direct,
            router(54, &["fe80::54", "2001:db8::54"]),
        ])
    };
    let mut sender = sender(
        &a.host,
        &routers("192.0.2.1", "192.0.2.2"),
        &["192.0.2.1", "192.0.2.1", "192.0.2.1", "fe80::1"],
    );
    let ours = routers("192.0.2.2", "192.0.2.1");
    let judge = Judge::new(&ours);
    let mut receiver = receiver(&b.host, &ours);
    let before = clock::now();
    for router in 0..4 {
        sender.send(RouterId(router), Priority(100)).unwrap();
    }
    let mut heard = hear(&mut receiver, &judge, |heard| heard.len() >= 4);
    heard.sort_by_key(|judged| match judged {
        Judged::Heard(heard) => heard.router,
        other => panic!("{other:?}"),
    });
    let expected = [
        ("192.0.2.1", Centis::DEFAULT, ChecksumForm::Message),
        ("192.0.2.1", Centis::new(25).unwrap(), ChecksumForm::Pseudo),
        ("192.0.2.1", Centis::new(25).unwrap(), ChecksumForm::Pseudo),
        ("fe80::1", Centis::new(25).unwrap(), ChecksumForm::Pseudo),
    ];
    for (router, (judged, (source, interval, checksum))) in (0..).zip(heard.into_iter().zip(expected)) {
        let Judged::Heard(heard) = judged else {
            panic!("{judged:?}");
        };
        assert!(heard.at >= before && heard.at <= clock::now());
        let expected = Heard {
            mac: None,
            router: RouterId(router),
            source: ip(source),
            priority: Priority(100),
            interval,
            at: heard.at,
            checksum,
            same_addresses: true,
        };
        assert_eq!(heard, expected);
    }
}

/// An Ethernet frame with this IPv4 packet, its header's checksum set right.
fn frame(group: [u8; 6], mut packet: Vec<u8>) -> Vec<u8> {
    let header = usize::from(packet[0] & 0x0f) * 4;
    let total = u16::try_from(packet.len()).unwrap().to_be_bytes();
    packet[2..4].copy_from_slice(&total);
    packet[10..12].fill(0);
    let words = packet[..header]
        .chunks(2)
        .map(|word| u32::from_be_bytes([0, 0, word[0], word[1]]));
    // Ones' complement: the sum of a header this short carries once at most.
    let sum = words.sum::<u32>();
    let checksum = !((sum & 0xffff) + (sum >> 16));
    packet[10..12].copy_from_slice(&checksum.to_be_bytes()[2..]);
    [&group[..], &[2, 0, 0, 0, 0, 1, 8, 0], &packet].concat()
}

/// Pitfalls: a header with options (IHL 6), and a TTL that shows a router on the way.
#[test]
fn the_ip_header_is_read_and_not_assumed() {
    if !root_or_skip() {
        return;
    }
    const GROUP: [u8; 6] = [0x01, 0x00, 0x5e, 0x00, 0x00, 0x12];
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let b = cable(&lab, "B", &["192.0.2.2/24"]);
    let ours = model(vec![v2()]);
    let judge = Judge::new(&ours);
    let mut receiver = receiver(&b.host, &ours);
    let index = ifindex(&a.host);
    let wire = a
        .host
        .namespace()
        .inside(|| Ok(PacketSender::open(index)?))
        .unwrap();

    let good = unhex(V2_PACKET);
    let mut options = good.clone();
    options[0] = 0x46;
    options.splice(20..20, [1, 1, 1, 0]);
    let mut far = good.clone();
    far[8] = 254;
    let mut stranger = good.clone();
    stranger[21] = 99;
    // Another's address: one of ours under that VRID would be told.
    stranger[20 + 8 + 3] = 9;
    let padded = [frame(GROUP, good.clone()), vec![0; 6]].concat();
    let frames = [
        frame(GROUP, far),
        frame(GROUP, stranger),
        frame(GROUP, options),
        padded,
    ];
    wire.send(&frames).unwrap();

    let heard = hear(&mut receiver, &judge, |heard| heard.len() >= 3);
    let source = ip("192.0.2.1");
    let [refused, with_options, plain] = heard[..] else {
        panic!("the stranger's advert was let through: {heard:?}");
    };
    assert_eq!(
        refused,
        Judged::Refused {
            mac: None,
            router: Some(FIRST),
            source,
            refusal: Refusal::Ttl
        }
    );
    for judged in [with_options, plain] {
        assert!(matches!(
            judged,
            Judged::Heard(Heard {
                mac: None,
                router: FIRST,
                priority: Priority(150),
                ..
            })
        ));
    }
}

/// An unlisted sender is named, and a flood of its adverts hardly wakes anybody.
#[test]
fn of_an_unlisted_source_a_sample_is_heard() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24", "192.0.2.66/24"]);
    let b = cable(&lab, "B", &["192.0.2.2/24"]);
    let routers = |source: &str, peer: &str| {
        let mut direct = router(53, &["192.0.2.111"]);
        direct.transport = unicast(source, &[peer]);
        model(vec![direct])
    };
    let mut stranger = sender(&a.host, &routers("192.0.2.66", "192.0.2.2"), &["192.0.2.66"]);
    let mut peer = sender(&a.host, &routers("192.0.2.1", "192.0.2.2"), &["192.0.2.1"]);
    let ours = routers("192.0.2.2", "192.0.2.1");
    let judge = Judge::new(&ours);
    let mut receiver = receiver(&b.host, &ours);
    let is_peer = |judged: &Judged| matches!(judged, Judged::Heard(_));
    peer.send(FIRST, Priority(100)).unwrap();
    hear(&mut receiver, &judge, |heard| heard.iter().any(is_peer));

    for _ in 0..800 {
        stranger.send(FIRST, Priority(100)).unwrap();
    }
    peer.send(FIRST, Priority(100)).unwrap();
    let heard = hear(&mut receiver, &judge, |heard| heard.iter().any(is_peer));
    let refused = Judged::Refused {
        mac: None,
        router: Some(FIRST),
        source: ip("192.0.2.66"),
        refusal: Refusal::Source,
    };
    // Of 800, 50 are to be expected; fewer than 10 or more than 120 happen less than once in a billion runs.
    let sampled = heard.iter().filter(|judged| **judged == refused).count();
    assert!((10..=120).contains(&sampled), "{sampled} of 800");
    assert_eq!(heard.len(), sampled + 1);
}

/// Sockets follow their interface and their address.
#[test]
fn sockets_follow_the_interface() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let b = cable(&lab, "B", &["192.0.2.2/24"]);
    let mut direct = router(53, &["192.0.2.111"]);
    direct.transport = unicast("192.0.2.1", &["192.0.2.2"]);
    let mut sender = sender(&a.host, &model(vec![direct.clone()]), &["192.0.2.1"]);
    direct.transport = unicast("192.0.2.7", &["192.0.2.1"]);
    let ours = model(vec![direct]);
    let judge = Judge::new(&ours);
    let mut receiver = receiver(&b.host, &ours);

    // Bound to an address that is not there (yet), so nothing is heard until it is told the right one.
    let set = |receiver: &mut RawReceiver| {
        receiver.set_source(FIRST, Some(ip("192.0.2.2")));
        Ok(receiver.refresh()?)
    };
    b.host.namespace().inside(|| set(&mut receiver)).unwrap();
    sender.send(FIRST, Priority(100)).unwrap();
    hear(&mut receiver, &judge, |heard| !heard.is_empty());

    let move_to = |receiver: &mut RawReceiver, ifindex| {
        b.host.namespace().inside(|| {
            receiver.set_link(BOND0, ifindex);
            Ok(receiver.refresh()?)
        })
    };
    b.host.run("ip", &["link", "del", "bond0"]).unwrap();
    move_to(&mut receiver, None).unwrap();
    lab.connect(&b.host, "bond0", "front", &["192.0.2.2/24"]).unwrap();
    let again = ifindex(&b.host);
    move_to(&mut receiver, Some(again)).unwrap();
    sender.set_source(FIRST, None, None).unwrap();
    let here = ifindex(&a.host);
    let set = |sender: &mut AdvertSender| Ok(sender.set_source(FIRST, Some(ip("192.0.2.1")), Some(here))?);
    a.host.namespace().inside(|| set(&mut sender)).unwrap();
    a.host.run("ip", &["neigh", "flush", "all"]).unwrap();
    sender.send(FIRST, Priority(100)).unwrap();
    hear(&mut receiver, &judge, |heard| !heard.is_empty());
}

/// The socket lets through what tells of a mistake, also what is sent where nobody listens, and nothing else.
#[test]
fn strangers_come_through() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let b = cable(&lab, "B", &["192.0.2.2/24"]);
    let to_group = |vrid, address| router(vrid, &[address]);
    let to_peer = |vrid, address, from, peer| {
        let mut direct = router(vrid, &[address]);
        direct.transport = unicast(from, &[peer]);
        direct
    };
    let theirs = model(vec![
        to_group(99, "192.0.2.9"),
        to_group(98, "192.0.2.100"),
        to_group(52, "192.0.2.110"),
        to_peer(51, "192.0.2.100", "192.0.2.1", "192.0.2.2"),
        to_group(51, "192.0.2.100"),
    ]);
    let mut sender = sender(&a.host, &theirs, &["192.0.2.1"; 5]);
    let ours = model(vec![
        to_group(51, "192.0.2.100"),
        to_peer(52, "192.0.2.110", "192.0.2.2", "192.0.2.1"),
    ]);
    let judge = Judge::new(&ours);
    let mut receiver = receiver(&b.host, &ours);
    let set = |receiver: &mut RawReceiver| {
        receiver.set_source(FIRST, Some(ip("192.0.2.2")));
        Ok(receiver.refresh()?)
    };
    b.host.namespace().inside(|| set(&mut receiver)).unwrap();

    for router in (0..5).map(RouterId) {
        sender.send(router, Priority(100)).unwrap();
    }
    let is_heard = |judged: &Judged| matches!(judged, Judged::Heard(_));
    let heard = hear(&mut receiver, &judge, |heard| {
        heard.len() >= 4 && heard.iter().any(is_heard)
    });
    let mut clues: Vec<_> = heard
        .iter()
        .filter_map(|judged| match judged {
            Judged::Stranger { vrid, clue, .. } => Some((vrid.value(), *clue)),
            _ => None,
        })
        .collect();
    clues.sort_by_key(|(vrid, _)| *vrid);
    assert_eq!(
        clues,
        [(51, Clue::Unicast), (52, Clue::Multicast), (98, Clue::OurAddress)]
    );
    assert_eq!(heard.len(), 4);
}

/// A probe leaves the host as an advert of nobody's, and the next advert is as ever.
#[test]
fn a_probe_is_nobodys_advert() {
    if !root_or_skip() {
        return;
    }
    let lab = lab();
    let a = cable(&lab, "A", &["192.0.2.1/24"]);
    let model = model(vec![v2()]);
    let mut sender = sender(&a.host, &model, &["192.0.2.1"]);
    sender.send(FIRST, Priority(150)).unwrap();
    sender.probe(FIRST).unwrap();
    sender.send(FIRST, Priority(150)).unwrap();
    let vrids: Vec<_> = packets(&a, 3).iter().map(|packet| packet[20 + 1]).collect();
    assert_eq!(vrids, [51, 0, 51]);
    a.host.run("ip", &["link", "set", "bond0", "down"]).unwrap();
    assert!(sender.probe(FIRST).is_err());
}
