//! The XDP program on single frames, through `BPF_PROG_TEST_RUN`: what it does with each, why, and what it
//! tells the daemon. Each row is judged a second time by the daemon's own parser, which must agree.

#![expect(clippy::unwrap_used, reason = "a test that cannot be set up has failed")]

use std::net::IpAddr;

use aya::programs::{TestRun, TestRunOptions};
use vrrp_common::abi::MAX_PDU;
use vrrp_common::id::Version;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::{self, Datagram};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ethernet::{self, EtherType};
use vrrp_common::wire::ladder::{IP_PROTOCOL, Peer, Refusal, Rules, Sources, TtlRange};
use vrrp_common::wire::{ipv4, ipv6};
use vrrp_daemon::proto::model::{Transport, VirtualRouter};
use vrrp_daemon::proto::{Model, RouterId};
use vrrp_daemon::xdp::{Counters, Place, XdpPath};
use vrrp_tests::lab::root_or_skip;

mod packets;

use packets::bench::{monotonic, object_or_skip, router};
use packets::{Frame, hex, summed};

/// `BPF_PROG_TEST_RUN` hands frames in as if they came from the loopback device.
const LOOPBACK: u32 = 1;
const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// The messages of known routers: captured from keepalived 2.2.7, or published golden vectors.
const V2_PASS: &str = "2133 9602 0101 3169 c0000264 c0000265 6162636465666768";
const V3_MULTICAST: &str = "3134 c801 0019 a1b1 c000026e";
const V3_UNICAST: &str = "3135 c801 0019 bfbf c000026f";
const V3_MESSAGE_ONLY: &str = "310a c802 0064 828a c0000201 c0000202";
const V3_GROUP: &str = "310a c802 0064 defb c0000201 c0000202";
const V3_IPV6: &str = "310a 6402 0064 3f5d fe800000000000000000000000000001 20010db8000000000000000000000001";

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    /// Consumed, stamped, in the ring; for the router at this position.
    Accepted(u16),
    /// Dropped and counted.
    Refused(Refusal),
    /// Protocol 112, passed and counted as nobody's of ours.
    NotOurs,
    /// Protocol 112, passed and counted as left to the stack.
    NotJudged,
    /// Passed without a trace.
    Other,
}

struct Row {
    what: &'static str,
    frame: Vec<u8>,
    fate: Fate,
}

fn row(what: &'static str, frame: &Frame, fate: Fate) -> Row {
    Row {
        what,
        frame: frame.bytes(),
        fate,
    }
}

/// Our side: 192.0.2.2 (and 192.0.2.251's group), fe80::2.
fn model() -> (Model, Vec<Place>) {
    let peer = |address: &str, ttl| Peer {
        address: address.parse().unwrap(),
        ttl,
    };
    let unicast = |peers, check_source| Transport::Unicast {
        source: None,
        peers,
        ttl: 255,
        check_source,
    };
    let listed = |address| unicast(vec![peer(address, TtlRange::ANY)], true);
    let group = |address: &str| Transport::Multicast {
        group: address.parse().unwrap(),
        source: None,
    };
    let pass = Auth::Pass(*b"abcdefgh");
    let routers = vec![
        router(51, Version::V2, 100, pass, listed("192.0.2.1")),
        router(52, Version::V3, 25, Auth::None, group("224.0.0.18")),
        router(53, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(10, Version::V3, 100, Auth::None, group("224.0.0.18")),
        router(10, Version::V3, 100, Auth::None, group("ff02::12")),
        router(
            10,
            Version::V3,
            100,
            Auth::None,
            unicast(vec![peer("192.0.2.251", TtlRange { min: 250, max: 254 })], true),
        ),
        router(
            60,
            Version::V3,
            100,
            Auth::None,
            unicast(vec![peer("192.0.2.1", TtlRange::ANY)], false),
        ),
        router(61, Version::V2, 100, Auth::None, group("224.0.0.18")),
        router(62, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(63, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(63, Version::V3, 100, Auth::None, listed("192.0.2.7")),
    ];
    let ours = IpAddr::from([192, 0, 2, 2]);
    let places = routers
        .iter()
        .map(|router| Place {
            // VRID 62 lives on another device.
            ifindex: Some(if router.vrid.value() == 62 { 77 } else { LOOPBACK }),
            source: Some(ours),
        })
        .collect();
    (
        Model {
            links: vec!["lo".into()],
            routers,
            groups: Vec::new(),
            scripts: Vec::new(),
        },
        places,
    )
}

fn v2_pass() -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", hex(V2_PASS))
}

fn v3_unicast() -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", hex(V3_UNICAST))
}

fn v3_ipv6() -> Frame {
    Frame::new("fe80::c8", "ff02::12", hex(V3_IPV6))
}

fn to_group(pdu: &str) -> Frame {
    Frame::new("192.0.2.1", "224.0.0.18", hex(pdu))
}

/// A message for VRID 60, whose checksum is right however wrong the rest is.
fn for_60(pdu: &str) -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", summed(hex(pdu)))
}

/// `V2_PASS` with other bytes 4 and 5 (authentication type and interval) and another password.
fn v2_with(auth_and_interval: &str, password: &str) -> Frame {
    let pdu = hex(&format!(
        "2133 9602 {auth_and_interval} 0000 c0000264 c0000265 {password}"
    ));
    Frame::new("192.0.2.1", "192.0.2.2", summed(pdu))
}

/// A message with `count` IPv4 addresses for VRID 60.
fn long(count: u8) -> Frame {
    let mut pdu = vec![0x31, 60, 100, count, 0, 100, 0, 0];
    pdu.extend((0..count).flat_map(|last| [10, 0, 0, last]));
    Frame::new("192.0.2.1", "192.0.2.2", summed(pdu))
}

fn accepted() -> Vec<Row> {
    use Fate::Accepted;
    vec![
        row("VRRPv2 with a password, unicast", &v2_pass(), Accepted(0)),
        row(
            "VRRPv3 over IPv4, multicast, as captured",
            &to_group(V3_MULTICAST),
            Accepted(1),
        ),
        row(
            "VRRPv3 unicast, keepalived's checksum",
            &v3_unicast(),
            Accepted(2),
        ),
        row(
            "VRRPv3, checksum over the message alone",
            &Frame::new("192.0.2.251", "224.0.0.18", hex(V3_MESSAGE_ONLY)),
            Accepted(3),
        ),
        row(
            "VRRPv3, golden vector with pseudo-header",
            &Frame::new("192.0.2.251", "224.0.0.18", hex(V3_GROUP)),
            Accepted(3),
        ),
        row(
            "VRRPv3 unicast with the group's pseudo-header",
            &Frame::new("192.0.2.251", "192.0.2.2", hex(V3_GROUP)).ttl(250),
            Accepted(5),
        ),
        row("VRRPv3 over IPv6, multicast", &v3_ipv6(), Accepted(4)),
        row(
            "VRRPv2 without authentication",
            &to_group("213d 6401 0001 b85b c0000264 0000000000000000"),
            Accepted(7),
        ),
        row(
            "unicast with a TTL of 1, no TTL policy",
            &v3_unicast().ttl(1),
            Accepted(2),
        ),
        row(
            "anyone may send, any TTL",
            &Frame::new(
                "203.0.113.9",
                "192.0.2.2",
                summed(hex("313c 6401 0064 0000 c0000264")),
            )
            .ttl(3),
            Accepted(6),
        ),
        row(
            "IPv4 options (IHL 6)",
            &v3_unicast().options(&[0x94, 4, 0, 0]),
            Accepted(2),
        ),
        row(
            "IPv4 options (IHL 15)",
            &v3_unicast().options(&[1; 40]),
            Accepted(2),
        ),
        row("Ethernet padding", &v3_unicast().padded(60), Accepted(2)),
        row("Ethernet padding over IPv6", &v3_ipv6().padded(200), Accepted(4)),
        row(
            "don't-fragment is no fragment",
            &v3_unicast().fragment(0x4000),
            Accepted(2),
        ),
        row(
            "a priority tag is no VLAN",
            &v3_unicast().tag(0x8100, 0xe000),
            Accepted(2),
        ),
        row(
            "v3's reserved bits are ignored",
            &for_60("313c 6401 f064 0000 c0000264"),
            Accepted(6),
        ),
        row("255 addresses", &long(255), Accepted(6)),
    ]
}

fn refused() -> Vec<Row> {
    use Fate::Refused;
    vec![
        row(
            "first fragment",
            &v3_unicast().fragment(0x2000),
            Refused(Refusal::Fragment),
        ),
        row(
            "seven bytes of message",
            &Frame::new("192.0.2.1", "192.0.2.2", hex("313c 6401 0064 00")),
            Refused(Refusal::Truncated),
        ),
        row(
            "IP length of seven, more in the frame",
            &v3_unicast().lie(-5),
            Refused(Refusal::Truncated),
        ),
        row(
            "version 1",
            &for_60("113c 6401 0064 0000 c0000264"),
            Refused(Refusal::Version),
        ),
        row(
            "version 4",
            &for_60("413c 6401 0064 0000 c0000264"),
            Refused(Refusal::Version),
        ),
        row(
            "type 2",
            &for_60("323c 6401 0064 0000 c0000264"),
            Refused(Refusal::Type),
        ),
        row(
            "not a peer",
            &Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)),
            Refused(Refusal::Source),
        ),
        row(
            "multicast with TTL 254",
            &to_group(V3_MULTICAST).ttl(254),
            Refused(Refusal::Ttl),
        ),
        row(
            "multicast with hop limit 64",
            &v3_ipv6().ttl(64),
            Refused(Refusal::Ttl),
        ),
        row(
            "TTL above the peer's range",
            &Frame::new("192.0.2.251", "192.0.2.2", hex(V3_GROUP)),
            Refused(Refusal::Ttl),
        ),
        row(
            "TTL below the peer's range",
            &Frame::new("192.0.2.251", "192.0.2.2", hex(V3_GROUP)).ttl(249),
            Refused(Refusal::Ttl),
        ),
        row(
            "version 2 for a version 3 router",
            &for_60("213c 6401 0001 0000 c0000264 0000000000000000"),
            Refused(Refusal::RouterVersion),
        ),
        row(
            "version 3 for a version 2 router",
            &to_group("313d 6401 0064 0000 c0000264"),
            Refused(Refusal::RouterVersion),
        ),
        row(
            "no address",
            &for_60("313c 6400 0064 0000"),
            Refused(Refusal::Count),
        ),
        row(
            "one address, count says two",
            &for_60("313c 6402 0064 0000 c0000264"),
            Refused(Refusal::Length),
        ),
        row(
            "two addresses, count says one",
            &for_60("313c 6401 0064 0000 c0000264 c0000265"),
            Refused(Refusal::Length),
        ),
        row(
            "version 3 with version 2's tail",
            &for_60("313c 6401 0064 0000 c0000264 0000000000000000"),
            Refused(Refusal::Length),
        ),
        row(
            "padding counted into the IP length",
            &v3_unicast().padded(60).lie(14),
            Refused(Refusal::Length),
        ),
        row(
            "one bit of the checksum",
            &Frame::new("192.0.2.1", "192.0.2.2", hex("3135 c801 0019 bfbe c000026f")),
            Refused(Refusal::Checksum),
        ),
        row(
            "checksum for another source",
            &Frame::new("192.0.2.251", "224.0.0.18", hex(V3_MULTICAST)),
            Refused(Refusal::Checksum),
        ),
        row(
            "IPv6 with a checksum over the message alone",
            &Frame::new("fe80::c8", "ff02::12", summed(hex(V3_IPV6))),
            Refused(Refusal::Checksum),
        ),
        row(
            "authentication type none for PASS",
            &v2_with("0001", "6162636465666768"),
            Refused(Refusal::AuthType),
        ),
        row(
            "authentication type unknown",
            &v2_with("0701", "6162636465666768"),
            Refused(Refusal::AuthType),
        ),
        row(
            "first byte of the password",
            &v2_with("0101", "4162636465666768"),
            Refused(Refusal::AuthPassword),
        ),
        row(
            "last byte of the password",
            &v2_with("0101", "6162636465666769"),
            Refused(Refusal::AuthPassword),
        ),
        row(
            "version 2, two seconds for one",
            &v2_with("0102", "6162636465666768"),
            Refused(Refusal::Interval),
        ),
        row(
            "version 3, interval 0",
            &for_60("313c 6401 0000 0000 c0000264"),
            Refused(Refusal::Interval),
        ),
        row(
            "version 3, interval 0 under reserved bits",
            &for_60("313c 6401 f000 0000 c0000264"),
            Refused(Refusal::Interval),
        ),
    ]
}

fn passed() -> Vec<Row> {
    use Fate::{NotJudged, NotOurs, Other};
    let mut broken_ip = v3_unicast().bytes();
    broken_ip[14 + 10] ^= 1;
    let mut ihl_four = v3_unicast().bytes();
    ihl_four[14] = 0x44;
    let mut cut = v3_unicast().bytes();
    cut.pop();
    let mut hop_by_hop = hex("7000 0104 00000000");
    hop_by_hop.extend(hex(V3_IPV6));
    let raw = |what, frame, fate| Row { what, frame, fate };
    vec![
        row(
            "VRID of somebody else",
            &Frame::new(
                "192.0.2.1",
                "192.0.2.2",
                summed(hex("3163 6401 0064 0000 c0000264")),
            ),
            NotOurs,
        ),
        row(
            "VRID 0",
            &Frame::new(
                "192.0.2.1",
                "192.0.2.2",
                summed(hex("3100 6401 0064 0000 c0000264")),
            ),
            NotOurs,
        ),
        row(
            "to another host",
            &Frame::new("192.0.2.1", "192.0.2.3", hex(V3_UNICAST)),
            NotOurs,
        ),
        row(
            "unicast router's VRID to the group",
            &to_group(V3_UNICAST),
            NotOurs,
        ),
        row(
            "multicast router's VRID to our address",
            &Frame::new("192.0.2.1", "192.0.2.2", hex(V3_MULTICAST)),
            NotOurs,
        ),
        row(
            "router of another device",
            &Frame::new(
                "192.0.2.1",
                "192.0.2.2",
                summed(hex("313e 6401 0064 0000 c0000264")),
            ),
            NotOurs,
        ),
        row(
            "two routers with this VRID and address",
            &Frame::new(
                "192.0.2.1",
                "192.0.2.2",
                summed(hex("313f 6401 0064 0000 c0000264")),
            ),
            NotOurs,
        ),
        row("in a VLAN", &v3_unicast().tag(0x8100, 10), NotOurs),
        row(
            "in two VLANs",
            &v3_unicast().tag(0x88a8, 20).tag(0x8100, 10),
            NotOurs,
        ),
        row(
            "garbage for somebody else's VRID",
            &Frame::new("192.0.2.1", "192.0.2.2", hex("ff63 ffff ffff ffff")),
            NotOurs,
        ),
        row("later fragment", &v3_unicast().fragment(0x0001), NotJudged),
        row("middle fragment", &v3_unicast().fragment(0x2001), NotJudged),
        row(
            "one byte of message",
            &Frame::new("192.0.2.1", "192.0.2.2", hex("31")),
            NotJudged,
        ),
        row(
            "no message at all",
            &Frame::new("192.0.2.1", "192.0.2.2", Vec::new()),
            NotJudged,
        ),
        raw("wrong IP header checksum", broken_ip, NotJudged),
        raw("IHL 4", ihl_four, NotJudged),
        raw("frame shorter than the IP length", cut, NotJudged),
        row(
            "three VLAN tags",
            &v3_unicast().tag(0x88a8, 30).tag(0x8100, 20).tag(0x8100, 10),
            Other,
        ),
        row(
            "IPv6 with a hop-by-hop header",
            &Frame::new("fe80::c8", "ff02::12", hop_by_hop).protocol(0),
            Other,
        ),
        row("TCP", &v3_unicast().protocol(6), Other),
        row("UDP over IPv6", &v3_ipv6().protocol(17), Other),
        raw(
            "ARP",
            hex("ffffffffffff 020000000001 0806 0001080006040001 020000000001c0000201 000000000000c0000202"),
            Other,
        ),
        raw(
            "an Ethernet header and nothing else",
            hex("020000000002 020000000001 0800"),
            Other,
        ),
    ]
}

/// An event, to keep.
#[derive(Debug)]
struct Told {
    router: u16,
    pdu: Vec<u8>,
    at: MonoNanos,
}

/// The program, loaded and told of [`model`].
struct Bench {
    xdp: XdpPath,
    model: Model,
    places: Vec<Place>,
}

impl Bench {
    /// `None` where the test cannot run, which has been said then.
    fn new() -> Option<Self> {
        if !root_or_skip() {
            return None;
        }
        let object = object_or_skip()?;
        let mut xdp = XdpPath::load(object).unwrap();
        let (model, places) = model();
        let ambiguous = xdp.configure(&model, &places, false).unwrap();
        assert_eq!(ambiguous, [RouterId(9), RouterId(10)]);
        for id in 0..9 {
            xdp.follow(RouterId(id), IpAddr::from([192, 0, 2, 1])).unwrap();
        }
        Some(Self { xdp, model, places })
    }

    fn run(&mut self, frame: &[u8], repeat: u32) -> (u32, std::time::Duration) {
        let options = TestRunOptions {
            data_in: Some(frame),
            repeat,
            ..TestRunOptions::new()
        };
        let result = self.xdp.program().unwrap().test_run(options).unwrap();
        (result.return_value, result.duration)
    }

    fn counters(&self) -> Counters {
        self.xdp.counters().unwrap()
    }

    /// What the program did, from its action, its counters and the ring, which must tell one story.
    fn observe(&mut self, frame: &[u8]) -> (u32, Fate, Option<Told>) {
        let before = self.counters();
        let (action, _) = self.run(frame, 1);
        let after = self.counters();
        let mut events = Vec::new();
        self.xdp.drain(|event| {
            events.push(Told {
                router: event.router.unwrap().0,
                pdu: event.datagram.pdu.to_vec(),
                at: event.at,
            });
        });
        let mut fates = Vec::new();
        fates.extend((after.accepted > before.accepted).then(|| Fate::Accepted(events[0].router)));
        fates.extend((after.not_ours > before.not_ours).then_some(Fate::NotOurs));
        fates.extend((after.not_judged > before.not_judged).then_some(Fate::NotJudged));
        for refusal in Refusal::ALL {
            let at = refusal as usize;
            fates.extend((after.refused[at] > before.refused[at]).then_some(Fate::Refused(refusal)));
        }
        assert!(fates.len() <= 1 && events.len() <= 1, "{fates:?} {events:?}");
        (action, fates.pop().unwrap_or(Fate::Other), events.pop())
    }

    /// The same frame in the daemon's eyes.
    fn judged_by_the_daemon(&self, frame: &[u8]) -> Fate {
        let Ok(frame) = ethernet::parse(frame) else {
            return Fate::Other;
        };
        let datagram = match frame.ethertype {
            EtherType::IPV4 => match ipv4::parse(frame.payload) {
                Ok(packet) if packet.protocol == IP_PROTOCOL => packet.datagram(),
                _ => return Fate::Other,
            },
            EtherType::IPV6 => match ipv6::parse(frame.payload) {
                Ok(packet) if packet.next_header == IP_PROTOCOL => Ok(packet.datagram()),
                _ => return Fate::Other,
            },
            _ => return Fate::Other,
        };
        let datagram = match datagram {
            Ok(datagram) => datagram,
            Err(refusal) => return Fate::Refused(refusal),
        };
        let untagged = frame.vlans.iter().flatten().all(|vlan| *vlan == 0);
        let found = untagged.then(|| self.router(&datagram)).flatten();
        let Some((at, router)) = found else {
            return Fate::NotOurs;
        };
        let sources = match &router.transport {
            Transport::Multicast { .. } => Sources::OnLink,
            Transport::Unicast {
                check_source: false, ..
            } => Sources::Anyone,
            Transport::Unicast { peers, .. } => Sources::Listed(peers),
        };
        let rules = Rules {
            version: router.version,
            family: router.family,
            sources,
            auth: router.auth,
            interval: router.interval,
        };
        match advert::parse(&datagram, &rules) {
            Ok(_) => Fate::Accepted(at),
            Err(refusal) => Fate::Refused(refusal),
        }
    }

    /// The virtual router that a message names, unless two share the name.
    fn router(&self, datagram: &Datagram<'_>) -> Option<(u16, &VirtualRouter)> {
        let vrid = *datagram.pdu.get(1)?;
        let mut found =
            (0..)
                .zip(&self.model.routers)
                .zip(&self.places)
                .filter_map(|((at, router), place)| {
                    let destination = match router.transport {
                        Transport::Multicast { group, .. } => group,
                        Transport::Unicast { .. } => place.source?,
                    };
                    let ours = place.ifindex == Some(LOOPBACK)
                        && router.vrid.value() == vrid
                        && datagram.destination == destination;
                    ours.then_some((at, router))
                });
        let first = found.next()?;
        found.next().is_none().then_some(first)
    }
}

/// Whether the two judges may differ like this: only where the kernel leaves a packet to the stack, or where
/// the stack takes care of it before the daemon could see it (fragments).
fn agree(kernel: Fate, daemon: Fate) -> bool {
    match kernel {
        Fate::NotJudged => true,
        Fate::NotOurs => matches!(daemon, Fate::NotOurs | Fate::Refused(Refusal::Fragment)),
        kernel => kernel == daemon,
    }
}

#[test]
fn every_row_meets_its_fate() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for Row { what, frame, fate } in accepted().into_iter().chain(refused()).chain(passed()) {
        let before = monotonic();
        let (action, observed, event) = bench.observe(&frame);
        let after = monotonic();
        assert_eq!(observed, fate, "{what}");
        let expected_action = match fate {
            Fate::Accepted(_) | Fate::Refused(_) => XDP_DROP,
            Fate::NotOurs | Fate::NotJudged | Fate::Other => XDP_PASS,
        };
        assert_eq!(action, expected_action, "{what}");
        if let Fate::Accepted(router) = fate {
            let Told { router: to, pdu, at } = event.expect(what);
            assert_eq!(to, router, "{what}");
            assert!(
                frame.windows(pdu.len()).any(|window| window == pdu) && pdu.len() >= 12,
                "{what}"
            );
            assert!(before <= at && at <= after, "{what}: {before:?} {at:?} {after:?}");
        } else {
            assert!(event.is_none(), "{what}");
        }
        let daemon = bench.judged_by_the_daemon(&frame);
        assert!(agree(fate, daemon), "{what}: kernel {fate:?}, daemon {daemon:?}");
    }
}

/// Every single-bit error in every accepted frame: the kernel and the daemon give the same verdict and the
/// same reason, and never accept a message that the other refuses.
#[test]
fn both_judges_agree_on_every_flipped_bit() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let mut judged = 0;
    for Row { what, frame, .. } in accepted() {
        for bit in 0..frame.len().min(120) * 8 {
            let mut flipped = frame.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let (_, kernel, _) = bench.observe(&flipped);
            let daemon = bench.judged_by_the_daemon(&flipped);
            assert!(
                agree(kernel, daemon),
                "{what}, bit {bit}: kernel {kernel:?}, daemon {daemon:?}"
            );
            judged += usize::from(kernel != Fate::NotJudged && kernel != Fate::Other);
        }
    }
    assert!(judged > 1_000, "only {judged} frames got as far as the ladder");
}

/// Frames cut short anywhere never get further than the rungs that need no more than is there.
#[test]
fn a_frame_cut_anywhere_is_left_to_the_stack() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for frame in [v2_pass().bytes(), v3_ipv6().bytes()] {
        // The kernel takes no test frame shorter than an Ethernet header.
        for len in 14..frame.len() {
            let (action, fate, _) = bench.observe(&frame[..len]);
            assert_eq!(action, XDP_PASS, "{len} bytes");
            assert!(
                matches!(fate, Fate::Other | Fate::NotJudged),
                "{len} bytes: {fate:?}"
            );
        }
    }
}

/// keepalived's VRRPv2 packet, the IP header as captured too.
#[test]
fn a_captured_packet_is_accepted_whole() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (mut model, places) = model();
    model.routers[0].transport = Transport::Multicast {
        group: IpAddr::from([224, 0, 0, 18]),
        source: None,
    };
    bench.xdp.configure(&model, &places, false).unwrap();
    let mut frame = hex("01005e000012 020000000001 0800 45c0002c 00010000 ff70188d c0000201 e0000012");
    frame.extend(hex(V2_PASS));
    let (action, fate, event) = bench.observe(&frame);
    assert_eq!((action, fate), (XDP_DROP, Fate::Accepted(0)));
    assert_eq!(event.unwrap().pdu, hex(V2_PASS));
}

#[test]
fn the_stamp_survives_a_full_ring_and_the_counter_tells() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let peer = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(bench.xdp.last_seen(RouterId(2), peer), None);
    bench.run(&v3_unicast().bytes(), 100_000);
    assert!(bench.counters().ring_full > 0);
    assert_eq!(bench.counters().accepted, 100_000);
    let before = monotonic();
    bench.run(&v3_unicast().bytes(), 1);
    let seen = bench.xdp.last_seen(RouterId(2), peer).unwrap();
    assert!(before <= seen.at && seen.at <= monotonic());
    assert_eq!(seen.head.to_vec(), hex("3135 c801 0019 bfbf"));
    let mut events = 0_u64;
    bench.xdp.drain(|_| events += 1);
    assert_eq!(events + bench.counters().ring_full, 100_001);
}

/// A refused advert, and one from a stranger, leave the stamp alone.
#[test]
fn only_accepted_adverts_move_the_stamp() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let peer = IpAddr::from([192, 0, 2, 1]);
    bench.run(&v3_unicast().bytes(), 1);
    let seen = bench.xdp.last_seen(RouterId(2), peer).unwrap();
    bench.run(
        &Frame::new("192.0.2.1", "192.0.2.2", hex("3135 c801 0019 bfbe c000026f")).bytes(),
        1,
    );
    bench.run(&Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)).bytes(), 1);
    assert_eq!(bench.xdp.last_seen(RouterId(2), peer), Some(seen));

    // Multicast: a stranger's advert neither moves nor pushes out the stamp of the Master that is followed.
    let group = IpAddr::from([192, 0, 2, 251]);
    bench.xdp.follow(RouterId(3), group).unwrap();
    bench.run(
        &Frame::new("192.0.2.251", "224.0.0.18", hex(V3_MESSAGE_ONLY)).bytes(),
        1,
    );
    let seen = bench.xdp.last_seen(RouterId(3), group).unwrap();
    bench.run(
        &Frame::new("192.0.2.9", "224.0.0.18", hex(V3_MESSAGE_ONLY)).bytes(),
        1,
    );
    assert_eq!(bench.xdp.last_seen(RouterId(3), group), Some(seen));
    assert_eq!(
        bench.xdp.last_seen(RouterId(3), IpAddr::from([192, 0, 2, 9])),
        None
    );
}

/// A new source address, another device, a router taken out: the maps follow, and what stays keeps its stamp.
#[test]
fn the_maps_follow_places_and_keep_stamps() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let peer = IpAddr::from([192, 0, 2, 1]);
    bench.run(&v3_unicast().bytes(), 1);
    let seen = bench.xdp.last_seen(RouterId(2), peer);
    assert!(seen.is_some());

    let (model, mut places) = model();
    places[0].source = Some(IpAddr::from([192, 0, 2, 3]));
    bench.xdp.configure(&model, &places, false).unwrap();
    assert_eq!(bench.xdp.last_seen(RouterId(2), peer), seen);
    assert_eq!(bench.observe(&v2_pass().bytes()).1, Fate::NotOurs);
    let moved = Frame::new("192.0.2.1", "192.0.2.3", hex(V2_PASS));
    assert_eq!(bench.observe(&moved.bytes()).1, Fate::Accepted(0));

    places[2].ifindex = None;
    bench.xdp.configure(&model, &places, false).unwrap();
    assert_eq!(bench.observe(&v3_unicast().bytes()).1, Fate::NotOurs);
    assert_eq!(bench.xdp.last_seen(RouterId(2), peer), None);
}

#[test]
fn accepted_adverts_go_on_to_the_stack_if_asked() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let (model, places) = model();
    bench.xdp.configure(&model, &places, true).unwrap();
    let (action, fate, event) = bench.observe(&v3_unicast().bytes());
    assert_eq!((action, fate), (XDP_PASS, Fate::Accepted(2)));
    assert!(event.is_some());
}

/// Above [`MAX_PDU`] an IPv6 advert is the raw socket's; one address less is not.
#[test]
fn very_long_adverts_are_left_to_the_raw_socket() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    for (count, fate) in [(66, Fate::Accepted(4)), (67, Fate::NotJudged)] {
        let mut pdu = vec![0x31, 10, 100, count, 0, 100, 0, 0];
        pdu.extend((0..count).flat_map(|last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]));
        assert_eq!(pdu.len() <= MAX_PDU, fate != Fate::NotJudged);
        let pseudo = Frame::new(
            "fe80::c8",
            "ff02::12",
            packets::summed_ipv6("fe80::c8", "ff02::12", pdu),
        );
        assert_eq!(bench.observe(&pseudo.bytes()).1, fate, "{count} addresses");
    }
}

/// Not a bar, a figure: `cargo test --release … -- --nocapture costs` prints it.
#[test]
fn costs_per_frame_are_printed() {
    let Some(mut bench) = Bench::new() else {
        return;
    };
    let frames = [
        ("TCP frame, passed", v3_unicast().protocol(6).bytes()),
        ("somebody else's advert, passed", to_group(V3_UNICAST).bytes()),
        (
            "stranger's advert, refused",
            Frame::new("192.0.2.9", "192.0.2.2", hex(V3_UNICAST)).bytes(),
        ),
        ("advert with two addresses, accepted", v2_pass().bytes()),
    ];
    for (what, frame) in frames {
        let mut best = std::time::Duration::MAX;
        for _ in 0..20 {
            // Few enough for the ring.
            best = best.min(bench.run(&frame, 2_000).1);
            bench.xdp.drain(|_| ());
        }
        println!("{what}: {} ns", best.as_nanos());
        assert!(best.as_micros() < 100, "{what}");
    }
    assert_eq!(bench.counters().ring_full, 0);
}
