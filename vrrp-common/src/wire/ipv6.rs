//! IPv6 headers (RFC 8200). Extension headers are not followed: no advert has any.

use core::net::{IpAddr, Ipv6Addr};

use super::advert::Datagram;
use super::{Malformed, concat};

/// Bytes of the header.
pub const HEADER_LEN: usize = 40;
/// Traffic class "internetwork control", as keepalived sends.
pub const TRAFFIC_CLASS: u8 = 0xc0;

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Source.
    pub source: Ipv6Addr,
    /// Destination.
    pub destination: Ipv6Addr,
    /// Hop limit as received.
    pub hop_limit: u8,
    /// What follows: 112 for VRRP, or the first extension header.
    pub next_header: u8,
    /// What follows the header, cut to the payload length: Ethernet's padding is not in it.
    pub payload: &'a [u8],
}

/// Read a packet.
///
/// # Errors
/// [`Malformed::Truncated`] when bytes are missing, [`Malformed::Unexpected`] for another IP version.
pub fn parse(packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (fixed, rest) = packet.split_first_chunk::<8>().ok_or(Malformed::Truncated)?;
    let [version, _, _, _, len_high, len_low, next_header, hop_limit] = *fixed;
    if version >> 4 != 6 {
        return Err(Malformed::Unexpected);
    }
    let (source, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (destination, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let payload_len = usize::from(u16::from_be_bytes([len_high, len_low]));
    Ok(Packet {
        source: Ipv6Addr::from_octets(*source),
        destination: Ipv6Addr::from_octets(*destination),
        hop_limit,
        next_header,
        payload: rest.get(..payload_len).ok_or(Malformed::Truncated)?,
    })
}

impl<'a> Packet<'a> {
    /// The VRRP message in it.
    #[must_use]
    pub const fn datagram(&self) -> Datagram<'a> {
        Datagram {
            source_mac: None,
            source: IpAddr::V6(self.source),
            destination: IpAddr::V6(self.destination),
            ttl: self.hop_limit,
            pdu: self.payload,
        }
    }
}

/// A header to be sent.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Source.
    pub source: Ipv6Addr,
    /// Destination.
    pub destination: Ipv6Addr,
    /// Traffic class.
    pub traffic_class: u8,
    /// Hop limit.
    pub hop_limit: u8,
    /// Protocol of the payload.
    pub next_header: u8,
    /// Bytes of the payload.
    pub payload_len: u16,
}

impl Header {
    /// The 40 bytes, flow label 0.
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        concat(&[
            &[0x60 | self.traffic_class >> 4, self.traffic_class << 4, 0, 0],
            &self.payload_len.to_be_bytes(),
            &[self.next_header, self.hop_limit],
            &self.source.octets(),
            &self.destination.octets(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_LEN, Header, TRAFFIC_CLASS, parse};
    use crate::wire::Malformed;
    use crate::wire::checksum::GROUP_V6;

    /// fe80::c8 to ff02::12, 40 bytes of VRRP, class 0xc0, hop limit 255.
    const HEADER: [u8; HEADER_LEN] = [
        0x6c, 0x00, 0x00, 0x00, 0x00, 0x28, 0x70, 0xff, // fixed part
        0xfe, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xc8, // source
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x12, // destination
    ];

    #[test]
    fn both_directions() {
        let header = Header {
            source: "fe80::c8".parse().unwrap(),
            destination: GROUP_V6,
            traffic_class: TRAFFIC_CLASS,
            hop_limit: 255,
            next_header: 112,
            payload_len: 40,
        };
        assert_eq!(header.emit(), HEADER);

        let bytes = [HEADER.as_slice(), &[0x31; 40], &[0; 6]].concat();
        let packet = parse(&bytes).unwrap();
        assert_eq!(packet.source, header.source);
        assert_eq!(packet.destination, GROUP_V6);
        assert_eq!((packet.hop_limit, packet.next_header), (255, 112));
        assert_eq!(packet.payload, [0x31; 40], "padding is not payload");
        assert_eq!(packet.datagram().pdu, [0x31; 40]);
    }

    #[test]
    fn truncated_or_another_version() {
        for len in 0..HEADER_LEN {
            assert_eq!(parse(&HEADER[..len]), Err(Malformed::Truncated), "{len} bytes");
        }
        let short = [HEADER.as_slice(), &[0x31; 39]].concat();
        assert_eq!(parse(&short), Err(Malformed::Truncated));
        let mut v4 = HEADER;
        v4[0] = 0x45;
        assert_eq!(parse(&v4), Err(Malformed::Unexpected));
    }
}
