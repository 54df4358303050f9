//! What the rival says, byte by byte: RFC 3768 §5.3 and RFC 2338 §5.3.6 for version 2, RFC 9568 §5.2 for version 3.

use std::net::IpAddr;

use super::{Speech, VRID, Version};

/// What both versions have before the addresses.
const HEADER: usize = 8;
/// Priority, in either version.
const PRIORITY: usize = 2;
const CHECKSUM: std::ops::Range<usize> = 6..8;

/// One advert of this priority. The checksum has a pseudo-header in version 3, with the real destination.
pub(super) fn advert(speech: &Speech, source: IpAddr, destination: IpAddr, priority: u8) -> Vec<u8> {
    let addresses = speech.addresses();
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let mut message = match speech.version {
        Version::Two(password) => vec![0x21, VRID, priority, count, u8::from(password.is_some()), 1],
        // A tenth of a second, in centiseconds.
        Version::Three => vec![0x31, VRID, priority, count, 0, 10],
    };
    message.resize(HEADER, 0);
    message.extend(addresses.iter().flat_map(octets));
    let mut summed = Vec::new();
    match speech.version {
        Version::Two(password) => {
            let mut data = password.unwrap_or_default().as_bytes().to_vec();
            data.resize(8, 0);
            message.extend(data);
        }
        Version::Three => {
            let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
            summed.extend(octets(&source));
            summed.extend(octets(&destination));
            // The same sum for both families: IPv6's longer fields begin with zeros.
            summed.extend([0, 112, 0, length]);
        }
    }
    summed.extend(&message);
    message[CHECKSUM].copy_from_slice(&checksum(&summed).to_be_bytes());
    message
}

/// The priority in what a raw socket of this family has read; `None` if it is not about our virtual router.
pub(super) fn priority(speech: &Speech, packet: &[u8]) -> Option<u8> {
    // IPv4's sockets hand the header over, 20 bytes without options; IPv6's do not.
    let message = packet.get(if speech.six { 0 } else { 20 }..)?;
    (*message.get(1)? == VRID).then(|| message.get(PRIORITY).copied())?
}

fn octets(address: &IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}

/// RFC 1071, of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    !u16::try_from((folded & 0xffff) + (folded >> 16)).unwrap_or(0)
}
