//! Receiving VRRP advertisements, versions 2 and 3: one parse function that applies every receive rule.
//! Sending is in [`emit`](super::emit).

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::checksum::{self, Sum};
use super::ethernet::Mac;
use super::ladder::{HEAD_LEN, Head, Refusal, Rules, Sources, TtlRange, may_be_source};
use crate::abi::address_words;
use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;

pub use super::checksum::ChecksumForm;

/// A VRRP message with what the IP layer said about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Datagram<'a> {
    /// IP source.
    pub source: IpAddr,
    /// IP destination, which a VRRPv3 checksum may cover.
    pub destination: IpAddr,
    /// Ethernet source; `None` where the path it came by does not tell, as raw sockets do not.
    pub source_mac: Option<Mac>,
    /// TTL or hop limit as received.
    pub ttl: u8,
    /// The message: IP payload, cut to the length in the IP header.
    pub pdu: &'a [u8],
}

/// An advert that held every rule of its virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advert<'a> {
    /// Version of the message.
    pub version: Version,
    /// Family of the addresses in it, which is that of the packet.
    pub family: Family,
    /// Virtual router.
    pub vrid: Vrid,
    /// Sender's priority.
    pub priority: Priority,
    /// Sender's interval.
    pub interval: Centis,
    /// The reading in which the checksum held.
    pub checksum: ChecksumForm,
    /// The addresses as they stand, `count` x 4 or 16 bytes; [`ips`](Self::ips) reads them.
    pub addresses: &'a [u8],
}

/// The rungs that need no configuration; the result names the virtual router to look up.
///
/// # Errors
/// [`Refusal::Truncated`], [`Refusal::Version`], [`Refusal::Type`] or [`Refusal::Vrid`].
pub fn peek(pdu: &[u8]) -> Result<Head, Refusal> {
    Head::read(pdu.first_chunk::<HEAD_LEN>().ok_or(Refusal::Truncated)?)
}

/// Parse one message under the rules of the virtual router it names ([`peek`]).
///
/// # Errors
/// The first rung of the [ladder](super::ladder) that does not hold.
pub fn parse<'a>(datagram: &Datagram<'a>, rules: &Rules<'_>) -> Result<Advert<'a>, Refusal> {
    let head = peek(datagram.pdu)?;

    let (ttl, pinned) = sender(datagram.source, rules).ok_or(Refusal::Source)?;
    if pinned.is_some_and(|mac| datagram.source_mac.is_some_and(|source| source != mac)) {
        return Err(Refusal::Mac);
    }
    if !ttl.admits(datagram.ttl) {
        return Err(Refusal::Ttl);
    }

    let pdu_len = u16::try_from(datagram.pdu.len()).map_err(|_| Refusal::Length)?;
    match (rules.may_be_empty, rules.version) {
        (true, Version::V2) => head.fits_empty(rules.version, rules.family, pdu_len)?,
        (false, _) | (true, Version::V3) => head.fits(rules.version, rules.family, pdu_len)?,
    }
    // `fits` has shown that the message is as long as its head says; nothing below can run off its end.
    let rest = datagram.pdu.get(HEAD_LEN..).ok_or(Refusal::Length)?;
    let (addresses, auth_data) = match head.version {
        Version::V2 => rest
            .split_last_chunk::<8>()
            .map(|(addresses, auth_data)| (addresses, Some(*auth_data)))
            .ok_or(Refusal::Length)?,
        Version::V3 => (rest, None),
    };

    let (pseudo, group) =
        checksum::pseudo(datagram.source, datagram.destination, pdu_len).ok_or(Refusal::Checksum)?;
    let message = Sum::ZERO.bytes(datagram.pdu);
    let checksum =
        checksum::form(head.version, rules.family, message, pseudo, group).ok_or(Refusal::Checksum)?;

    head.auth_type_is(rules.auth.wire_type())?;
    if auth_data.is_some_and(|data| !rules.auth.admits(data)) {
        return Err(Refusal::AuthPassword);
    }

    head.interval_fits(rules.interval.value())?;
    Ok(Advert {
        version: head.version,
        family: rules.family,
        vrid: head.vrid,
        priority: head.priority,
        interval: Centis::new(head.interval).ok_or(Refusal::Interval)?,
        checksum,
        addresses,
    })
}

/// The rung "source": the TTLs accepted from `source` and the Ethernet address it is pinned to, `None` if it may
/// not send at all.
fn sender(source: IpAddr, rules: &Rules<'_>) -> Option<(TtlRange, Option<Mac>)> {
    if Family::of(source) != rules.family {
        return None;
    }
    let listed = matches!(rules.sources, Sources::Listed(_));
    if !listed && !may_be_source(rules.family, &address_words(source)) {
        return None;
    }
    match rules.sources {
        Sources::OnLink => Some((TtlRange::ON_LINK, None)),
        Sources::Anyone => Some((TtlRange::ANY, None)),
        Sources::Listed(peers) => peers
            .iter()
            .find(|peer| peer.address == source)
            .map(|peer| (peer.ttl, peer.mac)),
    }
}

impl<'a> Advert<'a> {
    /// The addresses in the order they stand in.
    pub fn ips(&self) -> impl ExactSizeIterator<Item = IpAddr> + use<'a> {
        Ips {
            family: self.family,
            bytes: self.addresses,
        }
    }

    /// Whether the advert lists exactly `expected`, in any order. The RFC leaves the order open, and a peer
    /// that lists the same addresses in its file's order is the usual case, so that is tried first.
    #[must_use]
    pub fn lists(&self, expected: &[IpAddr]) -> bool {
        self.ips().eq(expected.iter().copied())
            || (self.ips().len() == expected.len()
                && self.ips().all(|address| expected.contains(&address))
                && expected
                    .iter()
                    .all(|address| self.ips().any(|listed| listed == *address)))
    }
}

/// Iterator of [`Advert::ips`].
struct Ips<'a> {
    family: Family,
    bytes: &'a [u8],
}

impl Iterator for Ips<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        let (address, rest) = match self.family {
            Family::V4 => {
                let (octets, rest) = self.bytes.split_first_chunk::<4>()?;
                (IpAddr::V4(Ipv4Addr::from_octets(*octets)), rest)
            }
            Family::V6 => {
                let (octets, rest) = self.bytes.split_first_chunk::<16>()?;
                (IpAddr::V6(Ipv6Addr::from_octets(*octets)), rest)
            }
        };
        self.bytes = rest;
        Some(address)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.bytes.len() / usize::from(self.family.address_len());
        (left, Some(left))
    }
}

impl ExactSizeIterator for Ips<'_> {}

#[cfg(test)]
mod tests;
