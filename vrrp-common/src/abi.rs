//! The layout that the XDP program and the daemon share: map keys and values, ring records, counters.
//!
//! Everything is `repr(C)`, made of integers, with its padding spelled out, because the kernel compares keys
//! byte by byte. Integers are in the machine's order; addresses are the bytes on the wire. Whoever changes
//! anything here raises [`ABI_VERSION`]; the loader refuses an object that was built with another one.
#![allow(
    unsafe_code,
    reason = "map types are plain data: aya asks for that as an unsafe impl"
)]

use core::mem::{offset_of, size_of};
use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::id::{Family, Version, Vrid};
use crate::time::Centis;
use crate::wire::auth::Auth;
use crate::wire::ladder::{HEAD_LEN, Refusal, TtlRange};

/// Version of this layout.
pub const ABI_VERSION: u32 = 2;
/// The section of the object that holds [`ABI_VERSION`], as a `u32`.
pub const ABI_SECTION: &str = ".rodata.abi";

/// The program.
pub const PROGRAM: &str = "vrrp";

/// [`RouterKey`] -> [`RouterRules`].
pub const ROUTERS: &str = "ROUTERS";
/// [`PeerKey`] -> [`PeerState`].
pub const PEERS: &str = "PEERS";
/// [`refused_key`] -> [`RefusedState`] per CPU.
pub const REFUSED: &str = "REFUSED";
/// Ring of [`Record`]s.
pub const RING: &str = "RING";
/// `u64` per CPU, by [`Verdict::counter`].
pub const COUNTERS: &str = "COUNTERS";

/// The longest message that the kernel judges: 255 IPv4 addresses, or 66 IPv6 ones. A longer one passes to
/// the raw socket.
pub const MAX_PDU: usize = 1_064;

/// An address as map keys hold it: 16 bytes on the wire, or 4 and then zeros. Words, so that the program need
/// not handle them byte by byte.
pub type AddressWords = [u32; 4];

/// The words of `address`.
#[must_use]
pub const fn address_words(address: IpAddr) -> AddressWords {
    match address {
        IpAddr::V4(address) => [u32::from_ne_bytes(address.octets()), 0, 0, 0],
        IpAddr::V6(address) => {
            let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = address.octets();
            [
                u32::from_ne_bytes([a, b, c, d]),
                u32::from_ne_bytes([e, f, g, h]),
                u32::from_ne_bytes([i, j, k, l]),
                u32::from_ne_bytes([m, n, o, p]),
            ]
        }
    }
}

/// The address in `words`.
#[must_use]
pub const fn address(family: Family, words: AddressWords) -> IpAddr {
    let [first, second, third, fourth] = words;
    let [a, b, c, d] = first.to_ne_bytes();
    match family {
        Family::V4 => IpAddr::V4(Ipv4Addr::new(a, b, c, d)),
        Family::V6 => {
            let [e, f, g, h] = second.to_ne_bytes();
            let [i, j, k, l] = third.to_ne_bytes();
            let [m, n, o, p] = fourth.to_ne_bytes();
            IpAddr::V6(Ipv6Addr::from_octets([
                a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p,
            ]))
        }
    }
}

/// The family of a [`family_byte`].
#[must_use]
pub const fn family(byte: u8) -> Option<Family> {
    match byte {
        4 => Some(Family::V4),
        6 => Some(Family::V6),
        _ => None,
    }
}

/// A family as a byte: 4 or 6, as in the IP header's version.
#[inline(always)]
#[must_use]
pub const fn family_byte(family: Family) -> u8 {
    match family {
        Family::V4 => 4,
        Family::V6 => 6,
    }
}

/// What names a virtual router on the wire. The destination is part of it, so a frame for another host (or
/// another group) finds nothing and passes.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RouterKey {
    /// The device the program is attached to.
    pub ifindex: u32,
    /// VLAN tags in the frame, 12 bits each, outermost first; 0 without a tag (or with a priority tag).
    pub vlan: u32,
    /// Our unicast source, or the group.
    pub destination: AddressWords,
    /// [`family_byte`].
    pub family: u8,
    /// Virtual router identifier.
    pub vrid: u8,
    /// Zero.
    pub pad: [u8; 2],
}

impl RouterKey {
    /// The key of a virtual router whose adverts reach `ifindex` without a VLAN tag.
    #[must_use]
    pub const fn untagged(ifindex: u32, vrid: Vrid, destination: IpAddr) -> Self {
        Self {
            ifindex,
            vlan: 0,
            destination: address_words(destination),
            family: family_byte(Family::of(destination)),
            vrid: vrid.value(),
            pad: [0; 2],
        }
    }
}

/// What the kernel demands of an advert for a virtual router.
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RouterRules {
    /// Number of the router in [`PeerKey`] and [`Record`]; never given twice while a program is loaded.
    pub slot: u32,
    /// Our interval in centiseconds.
    pub interval: u16,
    /// 2 or 3.
    pub version: u8,
    /// VRRPv2's Auth Type.
    pub auth_type: u8,
    /// Lowest TTL accepted, unless [`RouterRules::CHECK_SOURCE`]: then the peer's counts.
    pub ttl_min: u8,
    /// Highest TTL accepted, likewise.
    pub ttl_max: u8,
    /// [`RouterRules::CHECK_SOURCE`], [`RouterRules::PASS_ACCEPTED`].
    pub flags: u16,
    /// VRRPv2's password, if `auth_type` is 1.
    pub password: [u8; 8],
}

impl RouterRules {
    /// Only sources with a [`PeerState`] may send.
    pub const CHECK_SOURCE: u16 = 1;
    /// Accepted adverts go on to the stack too, where tcpdump sees them.
    pub const PASS_ACCEPTED: u16 = 2;

    /// Rules that depend on the configuration alone.
    #[must_use]
    pub const fn new(
        slot: u32,
        version: Version,
        interval: Centis,
        auth: Auth,
        ttl: TtlRange,
        flags: u16,
    ) -> Self {
        Self {
            slot,
            interval: interval.value(),
            version: version.number(),
            auth_type: auth.wire_type(),
            ttl_min: ttl.min,
            ttl_max: ttl.max,
            flags,
            password: match auth {
                Auth::None => [0; 8],
                Auth::Pass(password) => password,
            },
        }
    }
}

/// A sender of adverts for one virtual router.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerKey {
    /// [`RouterRules::slot`].
    pub slot: u32,
    /// IP source.
    pub source: AddressWords,
}

/// What is known of a sender. The daemon makes the entry, the kernel writes `stamp` and `head`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PeerState {
    /// `bpf_ktime_get_ns` at the last accepted advert; 0: none yet.
    pub stamp: u64,
    /// That advert's first eight bytes. The checksum is in them, so they differ when the rest does.
    pub head: [u8; HEAD_LEN],
    /// Lowest TTL accepted from a listed peer.
    pub ttl_min: u8,
    /// Highest TTL accepted from a listed peer.
    pub ttl_max: u8,
    /// Zero; room for what later arms the kernel to stay silent.
    pub pad: [u8; 6],
}

/// Key of the refusals at one rung for one virtual router.
#[inline(always)]
#[must_use]
#[expect(
    clippy::as_conversions,
    reason = "the discriminant of a field-less repr(u8) enum"
)]
pub const fn refused_key(slot: u32, refusal: Refusal) -> u32 {
    slot << 4 | refusal as u32
}

/// Slot and rung of a [`refused_key`]; `None` for a number that is none.
#[must_use]
pub fn slot_and_refusal(key: u32) -> Option<(u32, Refusal)> {
    let rung = usize::try_from(key & 0xf).ok()?;
    Some((key >> 4, *Refusal::ALL.get(rung)?))
}

/// Refused adverts at one rung for one virtual router. The kernel makes the entry.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RefusedState {
    /// Those that did not go into the ring.
    pub silent: u64,
    /// `bpf_ktime_get_ns` when one went into the ring last; 0: none yet.
    pub told: u64,
}

/// What comes before the message in a ring record.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// `bpf_ktime_get_ns` at arrival.
    pub stamp: u64,
    /// Where it arrived.
    pub ifindex: u32,
    /// As in [`RouterKey`].
    pub vlan: u32,
    /// IP source.
    pub source: AddressWords,
    /// IP destination.
    pub destination: AddressWords,
    /// [`RouterRules::slot`] of the router that it was judged for.
    pub slot: u32,
    /// Bytes of the message that follow.
    pub pdu_len: u16,
    /// Ethernet source.
    pub source_mac: [u8; 6],
    /// [`family_byte`].
    pub family: u8,
    /// TTL or hop limit.
    pub ttl: u8,
    /// [`Verdict::counter`]: accepted, or one of the refused that the daemon is shown.
    pub verdict: u8,
    /// Zero.
    pub pad: u8,
}

/// A ring record. Only `pdu_len` bytes of the message are in the ring.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct Record {
    /// Everything but the message.
    pub header: RecordHeader,
    /// The message.
    pub pdu: [u8; MAX_PDU],
}

impl RecordHeader {
    /// Bytes of it.
    pub const LEN: usize = size_of::<Self>();

    /// The header at the front of a ring record, and the message behind it. `None` for a record that is not
    /// as long as it says.
    #[must_use]
    pub fn split(record: &[u8]) -> Option<(Self, &[u8])> {
        let (header, rest) = record.split_first_chunk::<{ Self::LEN }>()?;
        // SAFETY: same size, and integers and arrays of integers take every bit pattern.
        let header = unsafe { core::mem::transmute::<[u8; Self::LEN], Self>(*header) };
        Some((header, rest.get(..usize::from(header.pdu_len))?))
    }
}

/// What became of a frame with IP protocol 112. Other frames pass uncounted: counting them would cost every
/// frame of the host a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Held every rule; stamped.
    Accepted,
    /// For one of our virtual routers, and against a rule; dropped.
    Refused(Refusal),
    /// For no virtual router of ours; passed on untouched.
    NotOurs,
    /// Not for the kernel to judge (too long, a later fragment, a broken IP header); passed on untouched.
    NotJudged,
}

impl Verdict {
    /// Number of the verdict's counter: refusals first, in ladder order.
    #[inline(always)]
    #[must_use]
    pub const fn counter(self) -> u32 {
        match self {
            // `u32::from`, which is not const yet.
            Self::Refused(refusal) => u32::from_le_bytes([refusal.number(), 0, 0, 0]),
            Self::Accepted => FIRST_VERDICT,
            Self::NotOurs => FIRST_VERDICT + 1,
            Self::NotJudged => FIRST_VERDICT + 2,
        }
    }
}

impl Verdict {
    /// [`Verdict::counter`] as a ring record has it.
    #[inline(always)]
    #[must_use]
    #[expect(clippy::as_conversions, reason = "there are fewer than 256 counters")]
    pub const fn number(self) -> u8 {
        self.counter() as u8
    }
}

/// Refusals have the counters below this one; room is left for more of them.
const FIRST_VERDICT: u32 = 32;
/// Counter of accepted adverts that found the ring full. Their stamps were written all the same.
pub const RING_FULL_COUNTER: u32 = FIRST_VERDICT + 3;
/// Number of counters.
pub const COUNTER_SLOTS: u32 = FIRST_VERDICT + 4;

const _: () = {
    assert!(size_of::<RouterKey>() == 28);
    assert!(size_of::<RouterRules>() == 20);
    assert!(size_of::<PeerKey>() == 20);
    assert!(size_of::<PeerState>() == 24);
    assert!(size_of::<RecordHeader>() == 64);
    assert!(offset_of!(Record, pdu) == 64);
    assert!(size_of::<Record>() == 64 + MAX_PDU);
    assert!(MAX_PDU.is_multiple_of(8));
    // The four bits of `refused_key`.
    assert!(Refusal::ALL.len() <= 16);
    assert!(size_of::<RefusedState>() == 16);
};

#[cfg(feature = "user")]
mod pod {
    // SAFETY: for each: `repr(C)`, integers and arrays of integers only, no implicit padding (the size
    // assertions above), so every bit pattern is a value and every byte is initialised.
    unsafe impl aya::Pod for super::RouterKey {}
    // SAFETY: see above.
    unsafe impl aya::Pod for super::RouterRules {}
    // SAFETY: see above.
    unsafe impl aya::Pod for super::PeerKey {}
    // SAFETY: see above.
    unsafe impl aya::Pod for super::PeerState {}
    // SAFETY: see above.
    unsafe impl aya::Pod for super::RefusedState {}
}

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::{
        COUNTER_SLOTS, RING_FULL_COUNTER, RecordHeader, Verdict, address, address_words, refused_key,
        slot_and_refusal,
    };
    use crate::id::Family;
    use crate::wire::ladder::Refusal;

    #[test]
    fn addresses_lie_in_keys_as_they_lie_on_the_wire() {
        let v4 = IpAddr::from([192, 0, 2, 1]);
        assert_eq!(
            address_words(v4).map(u32::to_ne_bytes).as_flattened(),
            [192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
        );
        assert_eq!(address(Family::V4, address_words(v4)), v4);
        let bytes = [0xfe, 0x80, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
        let v6 = IpAddr::from(bytes);
        assert_eq!(address_words(v6).map(u32::to_ne_bytes).as_flattened(), bytes);
        assert_eq!(address(Family::V6, address_words(v6)), v6);
    }

    #[test]
    fn a_record_shorter_than_it_says_is_none() {
        let mut record = [0; RecordHeader::LEN + 12];
        record[52..54].copy_from_slice(&12_u16.to_ne_bytes());
        let whole = RecordHeader::split(&record).map(|(header, pdu)| (header.pdu_len, pdu.len()));
        assert_eq!(whole, Some((12, 12)));
        assert_eq!(RecordHeader::split(&record[..RecordHeader::LEN + 11]), None);
        assert_eq!(RecordHeader::split(&record[..RecordHeader::LEN - 1]), None);
    }

    #[test]
    fn a_refused_key_holds_slot_and_rung() {
        assert_eq!(refused_key(5, Refusal::Interval), 5 * 16 + 13);
        assert_eq!(slot_and_refusal(5 * 16 + 13), Some((5, Refusal::Interval)));
        assert_eq!(slot_and_refusal(5 * 16 + 14), None);
    }

    /// The numbers are the order of the ladder, and no two verdicts share one.
    #[test]
    fn every_verdict_has_a_counter_of_its_own() {
        for (number, refusal) in (0..).zip(Refusal::ALL) {
            assert_eq!(Verdict::Refused(refusal).counter(), number);
        }
        let others = [Verdict::Accepted, Verdict::NotOurs, Verdict::NotJudged].map(Verdict::counter);
        assert_eq!(others, [32, 33, 34]);
        assert_eq!((RING_FULL_COUNTER, COUNTER_SLOTS), (35, 36));
    }
}
