//! The Internet checksum (RFC 1071) and the readings in which a VRRP checksum may hold.
//!
//! Sums are taken over big-endian words. A sum over words of the other byte order is the same sum with its
//! bytes swapped, and the only question asked of it ("is it all ones?") has the same answer, so the XDP
//! program may bring sums from `bpf_csum_diff` through [`Sum::from_raw`], as long as all of them come from there.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::ladder::IP_PROTOCOL;
use crate::id::{Family, Version};

/// The group of IPv4 adverts (RFC 9568 §5.1.1.2).
pub const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
/// The group of IPv6 adverts (RFC 9568 §5.1.2.2).
pub const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// Which reading of the checksum rules a message's checksum holds in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "user", serde(rename_all = "kebab-case"))]
pub enum ChecksumForm {
    /// Over the message alone: VRRPv2, and VRRPv3 over IPv4 as RFC 9568 §5.2.8 reads.
    Message,
    /// With the pseudo-header: VRRPv3 over IPv6, and keepalived's VRRPv3 over IPv4 (RFC 5798 §5.2.8).
    Pseudo,
    /// With a pseudo-header for 224.0.0.18 in a unicast message: keepalived before 1.3.6.
    PseudoGroup,
}

/// A one's complement sum that is still being added to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum(u64);

impl Sum {
    /// The sum of nothing.
    pub const ZERO: Self = Self(0);

    /// A sum made elsewhere, such as `bpf_csum_diff`'s result.
    #[inline(always)]
    #[must_use]
    pub const fn from_raw(sum: u32) -> Self {
        let [a, b, c, d] = sum.to_be_bytes();
        Self(u64::from_be_bytes([0, 0, 0, 0, a, b, c, d]))
    }

    /// Add one 16 bit word.
    #[inline(always)]
    #[must_use]
    pub const fn word(self, word: u16) -> Self {
        let [high, low] = word.to_be_bytes();
        Self(
            self.0
                .wrapping_add(u64::from_be_bytes([0, 0, 0, 0, 0, 0, high, low])),
        )
    }

    /// Add bytes as big-endian words; an odd last byte is the high half of its word.
    #[inline]
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        let (words, rest) = bytes.as_chunks::<2>();
        let sum = words
            .iter()
            .fold(self, |sum, word| sum.word(u16::from_be_bytes(*word)));
        match rest {
            [last] => sum.word(u16::from_be_bytes([*last, 0])),
            _ => sum,
        }
    }

    /// Add another sum, as when a pseudo-header's is known already.
    #[inline(always)]
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        self.word(other.fold())
    }

    /// The sum in 16 bits, carries added back in.
    #[inline(always)]
    #[must_use]
    pub const fn fold(self) -> u16 {
        // Twice each: the first round may carry once more.
        let mut sum = (self.0 & 0xffff_ffff) + (self.0 >> 32);
        sum = (sum & 0xffff_ffff) + (sum >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        let [.., high, low] = sum.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// What goes into the checksum field, after a sum in which that field was zero.
    #[inline(always)]
    #[must_use]
    pub const fn finish(self) -> u16 {
        !self.fold()
    }

    /// Whether a sum that includes the checksum field says that the bytes are whole.
    #[inline(always)]
    #[must_use]
    pub const fn holds(self) -> bool {
        self.fold() == 0xffff
    }
}

/// The sum of an IPv4 pseudo-header (RFC 768): addresses, protocol, length of the payload in bytes.
#[must_use]
pub fn pseudo_v4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: u16) -> Sum {
    Sum::ZERO
        .bytes(&source.octets())
        .bytes(&destination.octets())
        .word(u16::from(protocol))
        .word(length)
}

/// The sum of an IPv6 pseudo-header (RFC 8200 §8.1): addresses, payload length in 32 bits, next header.
#[must_use]
pub fn pseudo_v6(source: Ipv6Addr, destination: Ipv6Addr, next_header: u8, length: u32) -> Sum {
    Sum::ZERO
        .bytes(&source.octets())
        .bytes(&destination.octets())
        .bytes(&length.to_be_bytes())
        .word(u16::from(next_header))
}

/// The sums of the pseudo-headers of a VRRP message of `length` bytes: with its real destination, and with
/// 224.0.0.18 in its place. `None` when source and destination are not of one family.
#[must_use]
pub fn pseudo(source: IpAddr, destination: IpAddr, length: u16) -> Option<(Sum, Sum)> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => Some((
            pseudo_v4(source, destination, IP_PROTOCOL, length),
            pseudo_v4(source, GROUP_V4, IP_PROTOCOL, length),
        )),
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let sum = pseudo_v6(source, destination, IP_PROTOCOL, u32::from(length));
            // There is no second reading over IPv6.
            Some((sum, sum))
        }
        (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => None,
    }
}

/// The reading in which a received checksum holds, `None` if in none: the rung "checksum" of the ladder,
/// shared by the XDP program and the daemon.
///
/// `message` sums the whole message, its checksum field included; `pseudo` and `group` sum the
/// pseudo-headers with the real destination and with 224.0.0.18. Where two readings hold at once,
/// keepalived's own form is named.
#[inline(always)]
#[must_use]
pub const fn form(
    version: Version,
    family: Family,
    message: Sum,
    pseudo: Sum,
    group: Sum,
) -> Option<ChecksumForm> {
    match (version, family) {
        (Version::V2, _) => {
            if message.holds() {
                return Some(ChecksumForm::Message);
            }
        }
        (Version::V3, Family::V4) => {
            if message.plus(pseudo).holds() {
                return Some(ChecksumForm::Pseudo);
            }
            if message.holds() {
                return Some(ChecksumForm::Message);
            }
            if message.plus(group).holds() {
                return Some(ChecksumForm::PseudoGroup);
            }
        }
        (Version::V3, Family::V6) => {
            if message.plus(pseudo).holds() {
                return Some(ChecksumForm::Pseudo);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests;
