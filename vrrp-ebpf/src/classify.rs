//! From a frame to an IP packet of protocol 112.

use aya_ebpf::programs::XdpContext;
use vrrp_common::abi::{AddressWords, MAX_PDU, Record, family_byte, with_tag};
use vrrp_common::id::Family;
use vrrp_common::wire::checksum::Sum;
use vrrp_common::wire::ethernet::EtherType;
use vrrp_common::wire::ladder::{HEAD_LEN, IP_PROTOCOL};

use crate::cursor::{self, Cursor};
use crate::maps;
use crate::opaque::unknown_to_the_verifier;

/// Tags we look behind; more than two pass.
const MAX_TAGS: usize = 2;

/// What a frame is.
pub(crate) enum Class<'a> {
    /// Nothing to do with VRRP.
    Other,
    /// Protocol 112, but the IP header does not hold, or the message is too short to be judged here: the
    /// stack's business.
    Unsound,
    /// Protocol 112 in a sound IP packet.
    Vrrp(Packet<'a>),
}

/// An IP packet of protocol 112. Of its message nothing but the first bytes has been read.
#[derive(Clone, Copy)]
pub(crate) struct Packet<'a> {
    link: Link<'a>,
    /// At the message.
    message: Cursor<'a>,
    /// IP source.
    pub(crate) source: AddressWords,
    /// IP destination.
    pub(crate) destination: AddressWords,
    /// Of both.
    pub(crate) family: Family,
    /// TTL or hop limit.
    pub(crate) ttl: u8,
    /// Its place if it is a fragment.
    pub(crate) fragment: Fragment,
    /// Length of the message, from the IP header: Ethernet pads. At least 2.
    pub(crate) pdu_len: u16,
    /// The first bytes of the message; zeros behind a shorter one.
    pub(crate) head: [u8; HEAD_LEN],
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
pub(crate) fn frame(context: &XdpContext) -> Class<'_> {
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
        vlan = with_tag(vlan, ethertype, u16::from_be_bytes([*id_high, *id_low]));
        ethertype = EtherType(u16::from_be_bytes([*high, *low]));
    }
    let link = Link { context, vlan };
    match ethertype {
        EtherType::IPV4 => ipv4(cursor, link),
        EtherType::IPV6 => ipv6(cursor, link),
        _ => Class::Other,
    }
}

/// What lies below IP.
#[derive(Clone, Copy)]
struct Link<'a> {
    context: &'a XdpContext,
    vlan: u32,
}

/// What is consumed here never reaches the stack's own checks (`ip_rcv_core`), so they are made here.
#[inline(always)]
fn ipv4<'a>(mut cursor: Cursor<'a>, link: Link<'a>) -> Class<'a> {
    let start = cursor;
    let Some(header) = cursor.words::<10>() else {
        return Class::Other;
    };
    let [
        first,
        total_len,
        id,
        offset,
        ttl_protocol,
        checksum,
        s0,
        s1,
        d0,
        d1,
    ] = *header;
    let [ttl, protocol] = ttl_protocol.to_ne_bytes();
    if protocol != IP_PROTOCOL {
        return Class::Other;
    }
    // Written out: as a loop the compiler keeps one.
    let sum = Sum::ZERO
        .word(first)
        .word(total_len)
        .word(id)
        .word(offset)
        .word(ttl_protocol)
        .word(checksum)
        .word(s0)
        .word(s1)
        .word(d0)
        .word(d1);
    let [first, _] = first.to_ne_bytes();
    let header_len = u16::from(first & 0x0f) * 4;
    let total_len = u16::from_be(total_len);
    if first >> 4 != 4 || header_len < 20 || total_len < header_len {
        return Class::Unsound;
    }
    if header_len == 20 {
        if !sum.holds() {
            return Class::Unsound;
        }
    } else {
        let Some(scratch) = maps::scratch() else {
            return Class::Unsound;
        };
        if !start.load(header_len, &mut scratch.pdu) || !cursor::sum(&mut scratch.pdu, header_len).holds() {
            return Class::Unsound;
        }
    }
    let fragment = match u16::from_be(offset) & 0x3fff {
        0 => Fragment::Whole,
        0x2000 => Fragment::First,
        _ => Fragment::Later,
    };
    let options = usize::from(header_len - 20);
    with_message(
        cursor,
        options,
        Packet {
            link,
            message: cursor,
            source: [word(s0, s1), 0, 0, 0],
            destination: [word(d0, d1), 0, 0, 0],
            family: Family::V4,
            ttl,
            fragment,
            pdu_len: total_len - header_len,
            head: [0; HEAD_LEN],
        },
    )
}

/// Protocol 112 directly after the fixed header. Extension headers pass, fragments among them.
#[inline(always)]
fn ipv6<'a>(mut cursor: Cursor<'a>, link: Link<'a>) -> Class<'a> {
    let Some([first, _, payload_len, next]) = cursor.words::<4>() else {
        return Class::Other;
    };
    let [next, ttl] = next.to_ne_bytes();
    if next != IP_PROTOCOL {
        return Class::Other;
    }
    let [first, _] = first.to_ne_bytes();
    let Some([s0, s1, s2, s3, s4, s5, s6, s7, d0, d1, d2, d3, d4, d5, d6, d7]) = cursor.words::<16>() else {
        return Class::Unsound;
    };
    if first >> 4 != 6 {
        return Class::Unsound;
    }
    with_message(
        cursor,
        0,
        Packet {
            link,
            message: cursor,
            source: [word(*s0, *s1), word(*s2, *s3), word(*s4, *s5), word(*s6, *s7)],
            destination: [word(*d0, *d1), word(*d2, *d3), word(*d4, *d5), word(*d6, *d7)],
            family: Family::V6,
            ttl,
            fragment: Fragment::Whole,
            pdu_len: u16::from_be(*payload_len),
            head: [0; HEAD_LEN],
        },
    )
}

/// Two words as they lie in memory.
#[inline(always)]
fn word(first: u16, second: u16) -> u32 {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    u32::from_ne_bytes([a, b, c, d])
}

/// The first bytes of the message, which begins `options` bytes further on.
#[inline(always)]
fn with_message<'a>(mut cursor: Cursor<'a>, options: usize, mut packet: Packet<'a>) -> Class<'a> {
    packet.message.skip(options);
    // Without its VRID, the second byte, a packet cannot be called ours. What lies beyond the linear data, as some
    // drivers arrange it for large frames, is not judged here.
    if packet.pdu_len < 2 || !packet.message.has(packet.pdu_len) {
        return Class::Unsound;
    }
    if options == 0 && usize::from(packet.pdu_len) >= HEAD_LEN {
        let Some([k, p, f, s]) = cursor.words::<{ HEAD_LEN / 2 }>() else {
            return Class::Unsound;
        };
        let ([a, b], [c, d]) = (k.to_ne_bytes(), p.to_ne_bytes());
        let ([e, f], [g, h]) = (f.to_ne_bytes(), s.to_ne_bytes());
        packet.head = [a, b, c, d, e, f, g, h];
        return Class::Vrrp(packet.like_any_other());
    }
    // Options, or a message that is cut short: rare, so that copying costs nothing.
    let Some(scratch) = maps::scratch() else {
        return Class::Unsound;
    };
    if let Some(head) = scratch.pdu.first_chunk_mut::<HEAD_LEN>() {
        *head = [0; HEAD_LEN];
    }
    let len = if packet.pdu_len < HEAD_LEN as u16 {
        packet.pdu_len
    } else {
        HEAD_LEN as u16
    };
    if !packet.message.load(len, &mut scratch.pdu) {
        return Class::Unsound;
    }
    let [a, b, c, d, e, f, g, h, ..] = scratch.pdu;
    packet.head = [a, b, c, d, e, f, g, h];
    Class::Vrrp(packet.like_any_other())
}

impl Packet<'_> {
    /// To the verifier the same whichever headers came before: see [`unknown_to_the_verifier`].
    #[inline(always)]
    fn like_any_other(mut self) -> Self {
        let [source, ..] = self.source;
        let both = unknown_to_the_verifier(u64::from(self.pdu_len) | (self.message.offset() << 16), source);
        self.pdu_len = both as u16;
        self.message = self.message.at(both >> 16);
        self
    }

    /// The device.
    #[inline(always)]
    pub(crate) fn ifindex(&self) -> u32 {
        self.link.context.ingress_ifindex() as u32
    }

    /// The VLAN tags, as map keys hold them.
    #[inline(always)]
    pub(crate) fn vlan(&self) -> u32 {
        self.link.vlan
    }

    /// Ethernet destination.
    #[inline(always)]
    pub(crate) fn destination_mac(&self) -> [u8; 6] {
        let [a, b, c, d, e, f, ..] = self.ethernet();
        [a, b, c, d, e, f]
    }

    /// Ethernet source.
    #[inline(always)]
    pub(crate) fn source_mac(&self) -> [u8; 6] {
        let [_, _, _, _, _, _, a, b, c, d, e, f] = self.ethernet();
        [a, b, c, d, e, f]
    }

    /// Both addresses, read again: a pointer that is kept makes the verifier tell packets by how much of them was read.
    #[inline(always)]
    fn ethernet(&self) -> [u8; 12] {
        // They are there: all that came after them has been read.
        Cursor::new(self.link.context).take().copied().unwrap_or_default()
    }

    /// Whether the message, of eight bytes at least, is the first `pdu_len` bytes of `known`.
    #[inline(always)]
    pub(crate) fn is(&self, known: &[u8; MAX_PDU]) -> bool {
        self.message.is(self.pdu_len, known)
    }

    /// This CPU's record with the message and its length; the rest is still to be filled in. `None` for a message that
    /// is too long.
    #[inline(always)]
    pub(crate) fn message(&self) -> Option<&'static mut Record> {
        let record = maps::scratch()?;
        if !self.message.load(self.pdu_len, &mut record.pdu) {
            return None;
        }
        record.header.pdu_len = self.pdu_len;
        Some(record)
    }

    /// Fill in all that Ethernet and IP say; stamps, numbers and verdict are still to come.
    #[inline(always)]
    pub(crate) fn describe(&self, record: &mut Record) {
        let header = &mut record.header;
        header.ifindex = self.ifindex();
        header.vlan = self.link.vlan;
        header.source_mac = self.source_mac();
        // Word by word: a copy of the whole becomes a call of `memmove`, which compares pointers, which takes
        // CAP_PERFMON.
        let [a, b, c, d] = self.source;
        header.source = [a, b, c, d];
        let [a, b, c, d] = self.destination;
        header.destination = [a, b, c, d];
        header.family = family_byte(self.family);
        header.ttl = self.ttl;
    }
}
