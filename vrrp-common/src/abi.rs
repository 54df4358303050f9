//! The layout that the XDP program and the daemon share: map keys and values, ring records, counters.
//!
//! Everything is `repr(C)`, made of integers, with its padding spelled out, because the kernel compares keys
//! byte by byte. Integers are in the machine's order; addresses are the bytes on the wire. Whoever changes
//! anything here raises [`ABI_VERSION`]; the loader refuses an object that was built with another one.
//!
//! | map | key -> value | written by |
//! |---|---|---|
//! | [`ROUTER_INDEX`] | [`bucket`] of [`RouterKey::hash`] -> [`Bucket`], through shared memory | the daemon |
//! | [`ROUTERS`] | cell -> [`Router`] | the daemon |
//! | [`PEER_INDEX`] | [`bucket`] of [`PeerKey::hash`] -> [`Bucket`], through shared memory | the daemon |
//! | [`PEERS`] | cell -> [`Peer`] | the daemon |
//! | [`SEEN`] | seat -> [`PeerSeen`], read by the daemon through shared memory | the kernel, but for a word |
//! | [`KEPT`] | seat -> [`Record`] | the kernel |
//! | [`REFUSED`] | [`refused_key`] -> [`RefusedState`] per CPU | the kernel |
//! | [`UNLISTED`] | [`RouterRules::seat`] -> [`RefusedState`] per CPU | the kernel |
//! | [`STRANGERS`] | [`StrangerKey`] -> [`stranger_mac`] | the kernel |
//! | [`COUNTERS`] | [`Verdict::counter`] -> `u64` per CPU | the kernel |
//! | [`RING`] | [`Record`]s | the kernel |

mod event;
mod index;
#[cfg(feature = "user")]
mod pod;
mod rules;
mod stats;

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::id::Family;

pub use event::{Record, RecordHeader};
pub use index::{BUCKET, Bucket, INDEX_MASK, MAX_CELLS, MAX_INDEX, bucket, cell, entry};
pub use rules::{
    ADVERTS_PER_INTERVAL, BURST, Known, Peer, PeerKey, PeerRules, Router, RouterKey, RouterRules, source_bit,
    with_tag,
};
pub use stats::{
    COUNTER_SLOTS, GAP_BUCKETS, PeerSeen, RING_FULL_COUNTER, RefusedState, StrangerKey, Verdict, gap_bucket,
    gap_bucket_start, refused_key, slot_and_refusal, stranger_mac,
};

/// Version of this layout.
pub const ABI_VERSION: u32 = 9;
/// The section of the object that holds [`ABI_VERSION`], as a `u32`.
pub const ABI_SECTION: &str = ".rodata.abi";

/// The program.
pub const PROGRAM: &str = "vrrp";

/// What is demanded of adverts for each virtual router, and which of them are no news.
pub const ROUTERS: &str = "ROUTERS";
/// Where in [`ROUTERS`].
pub const ROUTER_INDEX: &str = "ROUTER_INDEX";
/// What is demanded of each sender.
pub const PEERS: &str = "PEERS";
/// Where in [`PEERS`].
pub const PEER_INDEX: &str = "PEER_INDEX";
/// What the kernel saw of each sender.
pub const SEEN: &str = "SEEN";
/// The newest advert of each sender that did not get into the ring.
pub const KEPT: &str = "KEPT";
/// Refusals by virtual router and rung, but for those in [`UNLISTED`].
pub const REFUSED: &str = "REFUSED";
/// Refusals of unlisted sources ([`Refusal::Source`](crate::wire::ladder::Refusal::Source)) by virtual router: what
/// anybody can send as fast as the wire takes it. An array, which costs the least, and that of every CPU.
pub const UNLISTED: &str = "UNLISTED";
/// The Ethernet addresses of those who send what is for no virtual router of ours; the oldest go first.
pub const STRANGERS: &str = "STRANGERS";
/// Adverts for the daemon.
pub const RING: &str = "RING";
/// Verdicts of all frames.
pub const COUNTERS: &str = "COUNTERS";

/// The seat of nobody, in which the kernel adds up [`PeerSeen::kept`] of all.
pub const NO_SEAT: u32 = 0;

/// The longest message that the kernel judges: 255 IPv4 addresses, or 67 IPv6 ones; a multiple of 64,
/// in which the kernel compares. A longer one passes to the raw socket.
pub const MAX_PDU: usize = 1_088;

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

#[cfg(test)]
mod tests {
    use core::net::IpAddr;

    use super::{address, address_words};
    use crate::id::Family;

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
}
