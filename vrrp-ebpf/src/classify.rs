//! From a frame to an IP packet of protocol 112.

use aya_ebpf::programs::XdpContext;
use vrrp_common::abi::{Record, family_byte};
use vrrp_common::id::Family;
use vrrp_common::wire::ethernet::EtherType;
use vrrp_common::wire::ladder::IP_PROTOCOL;

use crate::cursor::{self, Cursor};
use crate::maps;

/// Tags we look behind; more than two pass.
const MAX_TAGS: usize = 2;

/// What a frame is.
pub(crate) enum Class {
    /// Nothing to do with VRRP.
    Other,
    /// Protocol 112, but the IP header does not hold, or the message is too long or too short to be judged
    /// here: the stack's business.
    Unsound,
    /// Protocol 112 in a sound IP packet.
    Vrrp(Packet),
}

/// An IP packet of protocol 112.
pub(crate) struct Packet {
    /// This CPU's buffer with the message and all that Ethernet and IP say; the rest is still to be filled.
    pub(crate) record: &'static mut Record,
    /// Its place if it is a fragment.
    pub(crate) fragment: Fragment,
}

/// Fragmentation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fragment {
    /// Not fragmented.
    Whole,
    /// The fragment that holds the start of the message.
    First,
    /// A fragment that does not.
    Later,
}

/// Look through Ethernet, VLAN tags and IP. What is not protocol 112 leaves after a few loads.
#[inline(always)]
pub(crate) fn frame(context: &XdpContext) -> Class {
    let mut cursor = Cursor::new(context);
    let Some(ethernet) = cursor.take::<14>() else {
        return Class::Other;
    };
    let [.., high, low] = *ethernet;
    let mut ethertype = EtherType(u16::from_be_bytes([high, low]));
    let mut vlan = 0;
    for _ in 0..MAX_TAGS {
        if !ethertype.is_tag() {
            break;
        }
        let Some([id_high, id_low, high, low]) = cursor.take::<4>() else {
            return Class::Other;
        };
        vlan = vlan << 12 | u32::from(u16::from_be_bytes([*id_high, *id_low]) & 0x0fff);
        ethertype = EtherType(u16::from_be_bytes([*high, *low]));
    }
    let link = Link {
        context,
        ethernet,
        vlan,
    };
    match ethertype {
        EtherType::IPV4 => ipv4(cursor, link),
        EtherType::IPV6 => ipv6(cursor, link),
        _ => Class::Other,
    }
}

/// What lies below IP.
struct Link<'a> {
    context: &'a XdpContext,
    ethernet: &'a [u8; 14],
    vlan: u32,
}

impl Link<'_> {
    /// This CPU's record with what Ethernet says.
    #[inline(always)]
    fn record(&self) -> Option<&'static mut Record> {
        let record = maps::scratch()?;
        let [_, _, _, _, _, _, a, b, c, d, e, f, _, _] = *self.ethernet;
        record.header.ifindex = self.context.ingress_ifindex() as u32;
        record.header.vlan = self.vlan;
        record.header.source_mac = [a, b, c, d, e, f];
        Some(record)
    }
}

/// What is consumed here never reaches the stack's own checks (`ip_rcv_core`), so they are made here.
#[inline(always)]
fn ipv4<'a>(mut cursor: Cursor<'a>, link: Link<'a>) -> Class {
    let start = cursor;
    let Some(header) = cursor.take::<20>() else {
        return Class::Other;
    };
    let [
        first,
        _,
        len_high,
        len_low,
        _,
        _,
        frag_high,
        frag_low,
        ttl,
        protocol,
        ..,
    ] = *header;
    if protocol != IP_PROTOCOL {
        return Class::Other;
    }
    let Some(record) = link.record() else {
        return Class::Unsound;
    };
    let header_len = u16::from(first & 0x0f) * 4;
    let total_len = u16::from_be_bytes([len_high, len_low]);
    if first >> 4 != 4 || header_len < 20 || total_len < header_len {
        return Class::Unsound;
    }
    // Where the message will lie; the header is needed there for a moment only.
    if !start.load(header_len, &mut record.pdu) || !cursor::sum(&mut record.pdu, header_len).holds() {
        return Class::Unsound;
    }
    let [.., s0, s1, s2, s3, d0, d1, d2, d3] = *header;
    record.header.source = [u32::from_ne_bytes([s0, s1, s2, s3]), 0, 0, 0];
    record.header.destination = [u32::from_ne_bytes([d0, d1, d2, d3]), 0, 0, 0];
    record.header.family = family_byte(Family::V4);
    record.header.ttl = ttl;
    let fragment = match u16::from_be_bytes([frag_high, frag_low]) & 0x3fff {
        0 => Fragment::Whole,
        0x2000 => Fragment::First,
        _ => Fragment::Later,
    };
    cursor.skip(usize::from(header_len - 20));
    with_message(cursor, record, fragment, total_len - header_len)
}

/// Protocol 112 directly after the fixed header. Extension headers pass, fragments among them.
#[inline(always)]
fn ipv6<'a>(mut cursor: Cursor<'a>, link: Link<'a>) -> Class {
    let Some([first, _, _, _, len_high, len_low, next, ttl]) = cursor.take::<8>() else {
        return Class::Other;
    };
    if *next != IP_PROTOCOL {
        return Class::Other;
    }
    let Some(record) = link.record() else {
        return Class::Unsound;
    };
    if first >> 4 != 6
        || !cursor.take_address(&mut record.header.source)
        || !cursor.take_address(&mut record.header.destination)
    {
        return Class::Unsound;
    }
    record.header.family = family_byte(Family::V6);
    record.header.ttl = *ttl;
    with_message(
        cursor,
        record,
        Fragment::Whole,
        u16::from_be_bytes([*len_high, *len_low]),
    )
}

/// The message itself, of the length that the IP header gives: Ethernet pads.
#[inline(always)]
fn with_message(cursor: Cursor<'_>, record: &'static mut Record, fragment: Fragment, pdu_len: u16) -> Class {
    record.header.pdu_len = pdu_len;
    // Without its VRID, the second byte, a packet cannot be called ours.
    if pdu_len < 2 || !cursor.load(pdu_len, &mut record.pdu) {
        return Class::Unsound;
    }
    Class::Vrrp(Packet { record, fragment })
}
