//! IPv4 headers (RFC 791): read as they come, options and all; written as keepalived writes them.

use core::net::{IpAddr, Ipv4Addr};

use super::advert::Datagram;
use super::checksum::Sum;
use super::ladder::{IP_PROTOCOL, Refusal};
use super::{Malformed, concat};

/// Bytes of a header without options, which is what [`Header::emit`] writes.
pub const HEADER_LEN: usize = 20;
/// Precedence "internetwork control", as keepalived sends (and RFC 791 means for routing protocols).
pub const TOS: u8 = 0xc0;

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Source.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
    /// TTL as received.
    pub ttl: u8,
    /// Protocol of the payload.
    pub protocol: u8,
    /// Part of a packet: an offset, or more to come.
    pub fragment: bool,
    /// What follows the header and its options, cut to the total length: Ethernet's padding is not in it.
    pub payload: &'a [u8],
}

/// Read a packet. The header's checksum is left to the kernel.
///
/// # Errors
/// [`Malformed::Truncated`] when bytes are missing, [`Malformed::Unexpected`] for another IP version or
/// lengths that contradict each other.
pub fn parse(packet: &[u8]) -> Result<Packet<'_>, Malformed> {
    let (header, _) = packet
        .split_first_chunk::<HEADER_LEN>()
        .ok_or(Malformed::Truncated)?;
    let [
        version_ihl,
        _tos,
        len_high,
        len_low,
        _,
        _,
        flags,
        offset_low,
        ttl,
        protocol,
        _,
        _,
        s0,
        s1,
        s2,
        s3,
        d0,
        d1,
        d2,
        d3,
    ] = *header;
    let header_len = usize::from(version_ihl & 0x0f) * 4;
    let total_len = usize::from(u16::from_be_bytes([len_high, len_low]));
    if version_ihl >> 4 != 4 || header_len < HEADER_LEN || total_len < header_len {
        return Err(Malformed::Unexpected);
    }
    Ok(Packet {
        source: Ipv4Addr::new(s0, s1, s2, s3),
        destination: Ipv4Addr::new(d0, d1, d2, d3),
        ttl,
        protocol,
        // "More fragments" and the 13 bits of offset; "don't fragment" may be set.
        fragment: u16::from_be_bytes([flags & 0x3f, offset_low]) != 0,
        payload: packet.get(header_len..total_len).ok_or(Malformed::Truncated)?,
    })
}

impl<'a> Packet<'a> {
    /// The VRRP message in it.
    ///
    /// # Errors
    /// [`Refusal::Fragment`], the first rung of the ladder.
    pub fn datagram(&self) -> Result<Datagram<'a>, Refusal> {
        if self.fragment {
            return Err(Refusal::Fragment);
        }
        Ok(Datagram {
            source_mac: None,
            source: IpAddr::V4(self.source),
            destination: IpAddr::V4(self.destination),
            ttl: self.ttl,
            pdu: self.payload,
        })
    }
}

/// The header of a packet that carries an advert.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    /// Source.
    pub source: Ipv4Addr,
    /// Destination.
    pub destination: Ipv4Addr,
    /// Identification; keepalived counts up from 1.
    pub id: u16,
    /// TTL, 255 unless configured.
    pub ttl: u8,
    /// Bytes of the advert; together with the header at most 65535.
    pub payload_len: u16,
}

impl Header {
    /// The 20 bytes, checksum included: TOS 0xc0, no "don't fragment", protocol 112.
    #[must_use]
    pub fn emit(&self) -> [u8; HEADER_LEN] {
        let total_len = self.payload_len.saturating_add(20);
        let bytes = |checksum: u16| {
            concat(&[
                &[0x45, TOS],
                &total_len.to_be_bytes(),
                &self.id.to_be_bytes(),
                &[0, 0, self.ttl, IP_PROTOCOL],
                &checksum.to_be_bytes(),
                &self.source.octets(),
                &self.destination.octets(),
            ])
        };
        bytes(Sum::ZERO.bytes(&bytes(0)).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::{HEADER_LEN, Header, parse};
    use crate::wire::Malformed;
    use crate::wire::checksum::Sum;
    use crate::wire::ladder::Refusal;

    /// Captured from keepalived 2.2.7: 192.0.2.1 to the group, 24 bytes of advert.
    const KEEPALIVED: [u8; HEADER_LEN] = [
        0x45, 0xc0, 0x00, 0x2c, 0x00, 0x01, 0x00, 0x00, 0xff, 0x70, 0x18, 0x8d, 0xc0, 0x00, 0x02, 0x01, 0xe0,
        0x00, 0x00, 0x12,
    ];

    fn packet(header: &[u8], payload: &[u8]) -> std::vec::Vec<u8> {
        [header, payload].concat()
    }

    #[test]
    fn written_as_keepalived_writes_it() {
        let header = Header {
            source: [192, 0, 2, 1].into(),
            destination: [224, 0, 0, 18].into(),
            id: 1,
            ttl: 255,
            payload_len: 24,
        };
        assert_eq!(header.emit(), KEEPALIVED);
        assert!(Sum::ZERO.bytes(&header.emit()).holds());
    }

    #[test]
    fn read_back() {
        let bytes = packet(&KEEPALIVED, &[0x21; 24]);
        let packet = parse(&bytes).unwrap();
        assert_eq!(packet.source.octets(), [192, 0, 2, 1]);
        assert_eq!(packet.destination.octets(), [224, 0, 0, 18]);
        assert_eq!((packet.ttl, packet.protocol, packet.fragment), (255, 112, false));
        assert_eq!(packet.payload, [0x21; 24]);
        assert_eq!(packet.datagram().unwrap().pdu, [0x21; 24]);
    }

    /// A short frame is padded by Ethernet: the length is the header's word.
    #[test]
    fn padding_is_not_payload() {
        let mut header = KEEPALIVED;
        header[3] = 20 + 12;
        assert_eq!(parse(&packet(&header, &[0x31; 26])).unwrap().payload, [0x31; 12]);
    }

    /// Regression, seen in other routers: a fixed 20 bytes of header takes options for the advert.
    #[test]
    fn options_are_stepped_over_by_ihl() {
        let mut header = KEEPALIVED;
        header[0] = 0x46;
        header[3] = 24 + 2;
        let bytes = packet(&header, &[0x94, 0x04, 0x00, 0x00, 0x31, 0x33]);
        assert_eq!(parse(&bytes).unwrap().payload, [0x31, 0x33]);

        header[0] = 0x4f;
        header[3] = 60 + 1;
        let bytes = packet(&header, &[[0x01; 40].as_slice(), &[0x31]].concat());
        assert_eq!(parse(&bytes).unwrap().payload, [0x31]);
    }

    #[test]
    fn lengths_that_contradict_each_other() {
        let payload = [0; 24];
        for ihl in 0..5 {
            let mut header = KEEPALIVED;
            header[0] = 0x40 | ihl;
            assert_eq!(parse(&packet(&header, &payload)), Err(Malformed::Unexpected));
        }
        let mut header = KEEPALIVED;
        header[3] = 19;
        assert_eq!(parse(&packet(&header, &payload)), Err(Malformed::Unexpected));
        header[3] = 45;
        assert_eq!(parse(&packet(&header, &payload)), Err(Malformed::Truncated));
        header[0] = 0x65;
        assert_eq!(parse(&packet(&header, &payload)), Err(Malformed::Unexpected));
        for len in 0..HEADER_LEN {
            assert_eq!(
                parse(&KEEPALIVED[..len]),
                Err(Malformed::Truncated),
                "{len} bytes"
            );
        }
    }

    #[test]
    fn fragments_are_refused_and_dont_fragment_is_no_fragment() {
        // Flags and offset, whether that makes it a fragment.
        let table = [
            ([0x00, 0x00], false),
            ([0x40, 0x00], false),
            ([0x20, 0x00], true),
            ([0x00, 0x01], true),
            ([0x1f, 0xff], true),
            ([0x01, 0x00], true),
        ];
        for (bits, fragment) in table {
            let mut header = KEEPALIVED;
            header[6..8].copy_from_slice(&bits);
            let bytes = packet(&header, &[0; 24]);
            let packet = parse(&bytes).unwrap();
            assert_eq!(packet.fragment, fragment, "{bits:02x?}");
            assert_eq!(packet.datagram().err(), fragment.then_some(Refusal::Fragment));
        }
    }
}
