//! The frames that the XDP program is shown, and what is to become of each.

use vrrp_common::wire::ladder::Refusal;

use super::{Frame, hex, more, summed};

/// The messages of known routers: captured from keepalived 2.2.7, or published golden vectors.
pub(crate) const V2_PASS: &str = "2133 9602 0101 3169 c0000264 c0000265 6162636465666768";
pub(crate) const V3_MULTICAST: &str = "3134 c801 0019 a1b1 c000026e";
pub(crate) const V3_UNICAST: &str = "3135 c801 0019 bfbf c000026f";
pub(crate) const V3_MESSAGE_ONLY: &str = "310a c802 0064 828a c0000201 c0000202";
pub(crate) const V3_GROUP: &str = "310a c802 0064 defb c0000201 c0000202";
pub(crate) const V3_IPV6: &str =
    "310a 6402 0064 3f5d fe800000000000000000000000000001 20010db8000000000000000000000001";

/// What is to become of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Consumed, stamped, in the ring; for the router at this position.
    Accepted(u16),
    /// Consumed and stamped; no news.
    Unchanged,
    /// Consumed, and kept until it is asked for.
    Kept,
    /// Dropped and counted.
    Refused(Refusal),
    /// Protocol 112, passed and counted as nobody's of ours.
    NotOurs,
    /// Protocol 112, passed and counted as left to the stack.
    NotJudged,
    /// Passed without a trace.
    Other,
}

pub(crate) struct Row {
    pub(crate) what: &'static str,
    pub(crate) frame: Vec<u8>,
    pub(crate) fate: Fate,
}

pub(crate) fn row(what: &'static str, frame: &Frame, fate: Fate) -> Row {
    Row {
        what,
        frame: frame.bytes(),
        fate,
    }
}

pub(crate) fn v2_pass() -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", hex(V2_PASS))
}

pub(crate) fn v3_unicast() -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", hex(V3_UNICAST))
}

pub(crate) fn v3_ipv6() -> Frame {
    Frame::new("fe80::c8", "ff02::12", hex(V3_IPV6))
}

pub(crate) fn to_group(pdu: &str) -> Frame {
    Frame::new("192.0.2.1", "224.0.0.18", hex(pdu))
}

/// A message for VRID 60, whose checksum is right however wrong the rest is.
pub(crate) fn for_60(pdu: &str) -> Frame {
    Frame::new("192.0.2.1", "192.0.2.2", summed(hex(pdu)))
}

/// `V2_PASS` with other bytes 4 and 5 (authentication type and interval) and another password.
pub(crate) fn v2_with(auth_and_interval: &str, password: &str) -> Frame {
    let pdu = hex(&format!(
        "2133 9602 {auth_and_interval} 0000 c0000264 c0000265 {password}"
    ));
    Frame::new("192.0.2.1", "192.0.2.2", summed(pdu))
}

/// A message with `count` IPv4 addresses for VRID 60.
pub(crate) fn long(count: u8) -> Frame {
    let mut pdu = vec![0x31, 60, 100, count, 0, 100, 0, 0];
    pdu.extend((0..count).flat_map(|last| [10, 0, 0, last]));
    Frame::new("192.0.2.1", "192.0.2.2", summed(pdu))
}

/// All rows there are.
pub(crate) fn all() -> impl Iterator<Item = Row> {
    [
        accepted(),
        refused(),
        passed(),
        more::mistakes(),
        more::rest(),
        more::wrapped(),
    ]
    .into_iter()
    .flatten()
}

pub(crate) fn accepted() -> Vec<Row> {
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

pub(crate) fn refused() -> Vec<Row> {
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

pub(crate) fn passed() -> Vec<Row> {
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
            &Frame::new("192.0.2.1", "192.0.2.4", hex(V3_UNICAST)),
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
