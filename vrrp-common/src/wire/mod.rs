//! Wire formats. Each file holds one protocol: a checked parse into values, an emit that can say nothing
//! illegal, tests against captured or published bytes.
//!
//! Adverts are parsed by [`advert`] under the rules of [`ladder`] and sent by [`emit`]; the other files are
//! the packets around them, and the announcements that move addresses.

pub mod advert;
pub mod arp;
pub mod auth;
pub mod checksum;
pub mod emit;
pub mod ethernet;
#[cfg(test)]
mod golden;
pub mod ipv4;
pub mod ipv6;
pub mod ladder;
pub mod ndisc;

use core::fmt;

/// Why bytes are not a packet of the protocol they were taken for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// They end before the header does, or before the length that the header gives.
    Truncated,
    /// A version, type or length field says that they are something else.
    Unexpected,
    /// The checksum is wrong.
    Checksum,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated packet",
            Self::Unexpected => "not a packet of this protocol",
            Self::Checksum => "wrong checksum",
        })
    }
}

impl core::error::Error for Malformed {}

/// Parts laid end to end in an array that is exactly as long as they are.
fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N);
    let mut whole = [0; N];
    for (slot, byte) in whole.iter_mut().zip(parts.iter().copied().flatten()) {
        *slot = *byte;
    }
    whole
}
