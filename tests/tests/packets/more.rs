//! More frames: what other routers were caught at, by the name of the mistake, and what a filter of frames has to get
//! right besides.

use vrrp_common::wire::ladder::Refusal;

use super::rows::{
    Fate, Row, V2_PASS, V3_IPV6, V3_MULTICAST, for_60, row, to_group, v2_with, v3_ipv6, v3_unicast,
};
use super::{Frame, checksum, hex};

/// Mistakes of other routers.
pub(crate) fn mistakes() -> Vec<Row> {
    use Fate::{Accepted, Refused};
    vec![
        row(
            "FRR: IPv6 pseudo-header length in the wrong byte order",
            &Frame::new("fe80::c8", "ff02::12", with_swapped_length(V3_IPV6)),
            Refused(Refusal::Checksum),
        ),
        row(
            "FRR: interval not masked to 12 bits",
            &for_60("313c 6401 7064 0000 c0000264"),
            Accepted(6),
        ),
        row(
            "FRR: a packet that reaches an assertion (count without addresses)",
            &for_60("313c 64ff 0064 0000"),
            Refused(Refusal::Length),
        ),
        row(
            "VPP: IHL ignored, with options that look like an advert",
            &v3_unicast().options(&hex("3135 c801 0019 bfbf c000026f")),
            Accepted(2),
        ),
        row(
            "VPP: count above what a buffer holds, one address there",
            &for_60("313c 64ff 0064 0000 c0000264"),
            Refused(Refusal::Length),
        ),
        row(
            "holo: another interval discarded in VRRPv3, where it is adopted",
            &for_60("313c 6401 0fff 0000 c0000264"),
            Accepted(6),
        ),
        row(
            "holo and vrrp-rs: one second taken for one centisecond",
            &v2_with("0164", "6162636465666768"),
            Refused(Refusal::Interval),
        ),
        row(
            "holo: TTL never checked",
            &to_group(V3_MULTICAST).ttl(1),
            Refused(Refusal::Ttl),
        ),
        row(
            "uvrrpd: a VRRPv3 advert with VRRPv2's tail",
            &for_60("313c 6401 0064 0000 c0000264 6162636465666768"),
            Refused(Refusal::Length),
        ),
        row(
            "an advert of the owner dropped (RFC 9568 erratum 8298)",
            &for_60("313c ff01 0064 0000 c0000264"),
            Accepted(6),
        ),
    ]
}

/// From an address that is nobody's, as the kernel's stack would not let it in.
fn nobody(what: &'static str, source: &str) -> Row {
    let frame = if source.contains(':') {
        Frame::new(source, "ff02::12", hex(V3_IPV6))
    } else {
        Frame::new(source, "224.0.0.18", hex(V3_MULTICAST))
    };
    row(what, &frame, Fate::Refused(Refusal::Source))
}

/// The rest of what may be in a frame.
pub(crate) fn rest() -> Vec<Row> {
    use Fate::{Accepted, NotOurs, Refused};
    vec![
        nobody("from nowhere, 0.0.0.0", "0.0.0.0"),
        nobody("from this network, 0.0.0.5", "0.0.0.5"),
        nobody("from loopback", "127.0.0.1"),
        nobody("from a group", "239.255.255.255"),
        nobody("from everybody", "255.255.255.255"),
        nobody("from nowhere, ::", "::"),
        nobody("from loopback, ::1", "::1"),
        nobody("from a group, ff02::12", "ff02::12"),
        row("priority 0", &for_60("313c 0001 0064 0000 c0000264"), Accepted(6)),
        row(
            "interval of one centisecond",
            &for_60("313c 6401 0001 0000 c0000264"),
            Accepted(6),
        ),
        row("IP's reserved bit", &v3_unicast().fragment(0x8000), Accepted(2)),
        row(
            "a service tag with nothing but a priority",
            &v3_unicast().tag(0x88a8, 0xe000),
            Accepted(2),
        ),
        row(
            "two priority tags",
            &v3_unicast().tag(0x8100, 0x2000).tag(0x8100, 0xf000),
            Accepted(2),
        ),
        row(
            "a VLAN behind a priority tag",
            &v3_unicast().tag(0x8100, 0xe000).tag(0x8100, 10),
            NotOurs,
        ),
        row(
            "a priority tag in a VLAN",
            &v3_unicast().tag(0x8100, 10).tag(0x8100, 0xe000),
            NotOurs,
        ),
        row(
            "a first fragment that asks not to be fragmented",
            &v3_unicast().fragment(0x6000),
            Refused(Refusal::Fragment),
        ),
        row(
            "type 0",
            &for_60("303c 6401 0064 0000 c0000264"),
            Refused(Refusal::Type),
        ),
        row(
            "version 2 without an address",
            &to_group("213d 6400 0001 0000 0000000000000000"),
            Refused(Refusal::Count),
        ),
        row(
            "28 bytes of auth_hmac trailer where none is configured",
            &for_60(
                "313c 6401 0064 0000 c0000264 01010000 68000000 80000000 00112233445566778899aabbccddeeff",
            ),
            Refused(Refusal::Length),
        ),
        row(
            "version 2 without its tail",
            &to_group("213d 6401 0001 0000 c0000264"),
            Refused(Refusal::Length),
        ),
        row(
            "version 2 with a checksum over a pseudo-header",
            &Frame::new("192.0.2.1", "192.0.2.2", with_pseudo_header(V2_PASS)),
            Refused(Refusal::Checksum),
        ),
        row(
            "authentication by password where there is none",
            &to_group("213d 6401 0101 b75b c0000264 0000000000000000"),
            Refused(Refusal::AuthType),
        ),
        row(
            "authentication type 2 (RFC 2338's header)",
            &v2_with("0201", "6162636465666768"),
            Refused(Refusal::AuthType),
        ),
        row(
            "version 2, no interval at all",
            &v2_with("0100", "6162636465666768"),
            Refused(Refusal::Interval),
        ),
    ]
}

/// What the stack has to take apart, or what only looks like VRRP.
pub(crate) fn wrapped() -> Vec<Row> {
    use Fate::{NotJudged, Other};
    let behind = |first: u8, header: &str| {
        let message = [hex(header), hex(V3_IPV6)].concat();
        Frame::new("fe80::c8", "ff02::12", message).protocol(first)
    };
    let mut version_five = v3_ipv6().bytes();
    version_five[14] = 0x50;
    let mut header_cut = v3_ipv6().bytes();
    header_cut.truncate(14 + 39);
    let mut short_total = v3_unicast().bytes();
    short_total[16..18].copy_from_slice(&19_u16.to_be_bytes());
    // What was taken off the total length is put back into the checksum.
    let sum = u16::from_be_bytes([short_total[24], short_total[25]]) + 13;
    short_total[24..26].copy_from_slice(&sum.to_be_bytes());
    let mut length_field = v3_unicast().bytes();
    length_field[12..14].copy_from_slice(&32_u16.to_be_bytes());
    let raw = |what, frame, fate| Row { what, frame, fate };
    vec![
        row(
            "IPv6 with a routing header",
            &behind(43, "7000 0400 00000000"),
            Other,
        ),
        row(
            "IPv6 with destination options",
            &behind(60, "7000 0104 00000000"),
            Other,
        ),
        row(
            "IPv6 with a fragment header, whole",
            &behind(44, "7000 0000 00000001"),
            Other,
        ),
        row(
            "keepalived's authentication header over IPv4",
            &v3_unicast().protocol(51),
            Other,
        ),
        row("a tag of another kind", &v3_unicast().tag(0x9100, 10), Other),
        raw("802.3 with a length", length_field, Other),
        raw("IPv6 that says version 5", version_five, NotJudged),
        raw("IPv6 header cut short", header_cut, NotJudged),
        raw("IP length shorter than its header", short_total, NotJudged),
        row("IPv6 with no message", &v3_ipv6().lie(-40), NotJudged),
        row("IPv6 longer than the frame", &v3_ipv6().lie(1), NotJudged),
        row("the last fragment", &v3_unicast().fragment(0x00b9), NotJudged),
    ]
}

fn with_pseudo_header(message: &str) -> Vec<u8> {
    let mut pdu = hex(message);
    pdu[6..8].copy_from_slice(&[0, 0]);
    let pseudo = hex("c0000201 c0000202 0070 0018");
    let sum = checksum(&[&pseudo, &pdu]);
    pdu[6..8].copy_from_slice(&sum.to_be_bytes());
    pdu
}

/// 40 bytes, and the pseudo-header says so in the order of a little machine.
fn with_swapped_length(message: &str) -> Vec<u8> {
    let mut pdu = hex(message);
    pdu[6..8].copy_from_slice(&[0, 0]);
    let pseudo = hex("fe8000000000000000000000000000c8 ff020000000000000000000000000012 28000000 00000070");
    let sum = checksum(&[&pseudo, &pdu]);
    pdu[6..8].copy_from_slice(&sum.to_be_bytes());
    pdu
}
