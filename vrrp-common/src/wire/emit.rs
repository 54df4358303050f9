//! Sending VRRP advertisements: the message without its IP header, which [`ipv4`](super::ipv4) and
//! [`ipv6`](super::ipv6) put before it.

use core::fmt;
use core::net::IpAddr;

use super::auth::Auth;
use super::checksum::{self, ChecksumForm, Sum};
use super::ladder::HEAD_LEN;
use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;

/// Byte positions in the message.
mod offset {
    /// Priority; the address count follows it, in the same 16 bit word.
    pub(super) const PRIORITY: core::ops::Range<usize> = 2..4;
    /// Checksum, big endian.
    pub(super) const CHECKSUM: core::ops::Range<usize> = 6..8;
}

/// An advert to be sent. Version 2 travels over IPv4 only.
#[derive(Clone, Copy, Debug)]
pub struct Message<'a> {
    /// Version of the message.
    pub version: Version,
    /// Virtual router.
    pub vrid: Vrid,
    /// Priority; 0 to stand down.
    pub priority: Priority,
    /// Interval; whole seconds up to 255 s for VRRPv2, at most [`Centis::MAX_V3`] for VRRPv3.
    pub interval: Centis,
    /// VRRPv2 only; ignored for VRRPv3.
    pub auth: Auth,
    /// The virtual router's addresses, up to 255, all of the family of `source` and `destination`; none with VRRPv2
    /// only.
    pub addresses: &'a [IpAddr],
    /// The checksum's reading for VRRPv3 over IPv4; everything else has only one.
    pub checksum: ChecksumForm,
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
}

/// Why a [`Message`] cannot be put on the wire. The configuration rules all of these out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EmitError {
    /// No address in VRRPv3, which every receiver refuses (RFC 9568 erratum 8299).
    NoAddress,
    /// More than the 255 addresses that the count byte can say.
    TooManyAddresses,
    /// Source, destination and addresses are not of one family, or VRRPv2 meets IPv6.
    Family,
    /// The interval does not fit the version's field.
    Interval,
    /// The buffer is shorter than the message.
    Buffer,
}

impl fmt::Display for EmitError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoAddress => "an advert of version 3 must list at least one address",
            Self::TooManyAddresses => "an advert can list at most 255 addresses",
            Self::Family => "source, destination and addresses must be of one family (IPv4 for version 2)",
            Self::Interval => {
                "the interval must be 1..=255 whole seconds (version 2) or at most 40.95 s (version 3)"
            }
            Self::Buffer => "the buffer is shorter than the message",
        })
    }
}

impl core::error::Error for EmitError {}

/// Length in bytes of an advert with `count` addresses.
#[must_use]
pub fn emitted_len(version: Version, family: Family, count: u8) -> usize {
    let tail = match version {
        Version::V2 => 8,
        Version::V3 => 0,
    };
    HEAD_LEN + usize::from(count) * usize::from(family.address_len()) + tail
}

/// Write `message` to the front of `buffer`; returns its length in bytes. Nothing behind it is touched.
///
/// # Errors
/// See [`EmitError`]; the buffer's content is then undefined.
pub fn emit(buffer: &mut [u8], message: &Message<'_>) -> Result<usize, EmitError> {
    if message.version == Version::V3 && message.addresses.is_empty() {
        return Err(EmitError::NoAddress);
    }
    let count = u8::try_from(message.addresses.len()).map_err(|_| EmitError::TooManyAddresses)?;
    let family = Family::of(message.source);
    if message.version == Version::V2 && family == Family::V6 {
        return Err(EmitError::Family);
    }
    let [fourth, fifth] = interval_bytes(message)?;
    let length = emitted_len(message.version, family, count);
    let pdu = buffer.get_mut(..length).ok_or(EmitError::Buffer)?;

    let (head, mut rest) = pdu.split_first_chunk_mut::<HEAD_LEN>().ok_or(EmitError::Buffer)?;
    *head = [
        message.version.number() << 4 | 1,
        message.vrid.value(),
        message.priority.0,
        count,
        fourth,
        fifth,
        0,
        0,
    ];
    for address in message.addresses {
        rest = match (family, address) {
            (Family::V4, IpAddr::V4(address)) => put(rest, &address.octets())?,
            (Family::V6, IpAddr::V6(address)) => put(rest, &address.octets())?,
            (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => return Err(EmitError::Family),
        };
    }
    if message.version == Version::V2 {
        // The eight bytes are always there, also without authentication (RFC 3768 §5.3.10).
        put(rest, &message.auth.wire_data())?;
    }

    let pdu_len = u16::try_from(length).map_err(|_| EmitError::TooManyAddresses)?;
    let (pseudo, group) =
        checksum::pseudo(message.source, message.destination, pdu_len).ok_or(EmitError::Family)?;
    let before = match (message.version, family, message.checksum) {
        (Version::V2, _, _) | (Version::V3, Family::V4, ChecksumForm::Message) => Sum::ZERO,
        (Version::V3, Family::V4, ChecksumForm::PseudoGroup) => group,
        (Version::V3, Family::V4, ChecksumForm::Pseudo) | (Version::V3, Family::V6, _) => pseudo,
    };
    let checksum = before.bytes(pdu).finish();
    *word_at(pdu, offset::CHECKSUM)? = checksum.to_be_bytes();
    Ok(length)
}

/// Change the priority of an emitted message and its checksum with it, whatever the checksum's reading:
/// only the difference of one word counts (RFC 1624, equation 3).
///
/// # Errors
/// [`EmitError::Buffer`] if `pdu` is shorter than an advert's head.
pub fn set_priority(pdu: &mut [u8], priority: Priority) -> Result<(), EmitError> {
    let word = word_at(pdu, offset::PRIORITY)?;
    let old = u16::from_be_bytes(*word);
    let [_, count] = *word;
    *word = [priority.0, count];
    let new = u16::from_be_bytes(*word);

    let checksum = word_at(pdu, offset::CHECKSUM)?;
    let sum = Sum::ZERO
        .word(!u16::from_be_bytes(*checksum))
        .word(!old)
        .word(new);
    *checksum = sum.finish().to_be_bytes();
    Ok(())
}

/// Bytes 4 and 5 of the head: authentication type and seconds, or four zero bits and centiseconds.
fn interval_bytes(message: &Message<'_>) -> Result<[u8; 2], EmitError> {
    let centis = message.interval.value();
    match message.version {
        Version::V2 if centis.is_multiple_of(100) => {
            let secs = u8::try_from(centis / 100).map_err(|_| EmitError::Interval)?;
            Ok([message.auth.wire_type(), secs])
        }
        Version::V3 if message.interval <= Centis::MAX_V3 => Ok(centis.to_be_bytes()),
        Version::V2 | Version::V3 => Err(EmitError::Interval),
    }
}

/// Copy `bytes` to the front of `buffer`; returns what is left of it.
fn put<'a, const N: usize>(buffer: &'a mut [u8], bytes: &[u8; N]) -> Result<&'a mut [u8], EmitError> {
    let (slot, rest) = buffer.split_first_chunk_mut::<N>().ok_or(EmitError::Buffer)?;
    *slot = *bytes;
    Ok(rest)
}

/// Two bytes of the message's head.
fn word_at(pdu: &mut [u8], range: core::ops::Range<usize>) -> Result<&mut [u8; 2], EmitError> {
    pdu.get_mut(range)
        .and_then(<[u8]>::first_chunk_mut)
        .ok_or(EmitError::Buffer)
}

#[cfg(test)]
mod tests;
