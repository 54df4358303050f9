//! What a captured frame is. A decoder of the lab's own, written from the RFCs: it judges the daemon, so it
//! must not share the daemon's code (nor its faults). It reads what honest hosts send and checks nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What a frame is, as far as the lab cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A VRRP advert.
    Advert(Advert),
    /// A gratuitous ARP: sender and target address are the same.
    GratuitousArp {
        /// The address that is announced.
        address: Ipv4Addr,
        /// The hardware address it is announced at.
        hardware: [u8; 6],
        /// The operation: 1 request, 2 reply.
        operation: u16,
    },
    /// A neighbour advertisement that nobody asked for (RFC 4861 §7.2.6).
    UnsolicitedNa {
        /// The address that is announced.
        address: Ipv6Addr,
        /// Whether the Override flag is set.
        overrides: bool,
        /// The hardware address it is announced at: the target link-layer address option.
        hardware: Option<[u8; 6]>,
        /// IP source.
        source: IpAddr,
        /// IP destination.
        destination: IpAddr,
        /// Hop limit.
        hop_limit: u8,
    },
    /// A neighbour solicitation from the unspecified address: duplicate address detection (RFC 4862 §5.4).
    DuplicateProbe {
        /// The address that is tried.
        address: Ipv6Addr,
    },
    /// An ICMP echo request or reply.
    Echo {
        /// IP source.
        source: IpAddr,
        /// IP destination.
        destination: IpAddr,
        /// A reply, not a request.
        reply: bool,
    },
    /// Anything else.
    Other,
}

/// A VRRP advert with its IP header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert {
    /// IP source.
    pub source: IpAddr,
    /// IP destination.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub ttl: u8,
    /// VRRP version.
    pub version: u8,
    /// Virtual router.
    pub vrid: u8,
    /// Priority; 0 when the Master stands down.
    pub priority: u8,
    /// Interval in milliseconds.
    pub interval_ms: u32,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// The message as it was sent.
    pub pdu: Vec<u8>,
}

impl Frame {
    /// Read one Ethernet frame.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Self {
        Self::try_read(bytes).unwrap_or(Self::Other)
    }

    /// The advert, if it is one.
    #[must_use]
    pub fn advert(self) -> Option<Advert> {
        match self {
            Self::Advert(advert) => Some(advert),
            _ => None,
        }
    }

    fn try_read(bytes: &[u8]) -> Option<Self> {
        let payload = bytes.get(14..)?;
        match be16(bytes, 12)? {
            0x0800 => Self::ipv4(payload),
            0x0806 => Self::arp(payload),
            0x86dd => Self::ipv6(payload),
            _ => None,
        }
    }

    fn ipv4(packet: &[u8]) -> Option<Self> {
        let header = usize::from(packet.first()? & 0x0f) * 4;
        let payload = packet.get(header..usize::from(be16(packet, 2)?))?;
        let source = IpAddr::from(array::<4>(packet, 12)?);
        let destination = IpAddr::from(array::<4>(packet, 16)?);
        match packet.get(9)? {
            1 => match payload.first()? {
                kind @ (0 | 8) => Some(Self::Echo {
                    source,
                    destination,
                    reply: *kind == 0,
                }),
                _ => None,
            },
            112 => Advert::read(payload, source, destination, *packet.get(8)?).map(Self::Advert),
            _ => None,
        }
    }

    fn ipv6(packet: &[u8]) -> Option<Self> {
        let length = usize::from(be16(packet, 4)?);
        let payload = packet.get(40..40 + length)?;
        let source = IpAddr::from(array::<16>(packet, 8)?);
        let destination = IpAddr::from(array::<16>(packet, 24)?);
        match packet.get(6)? {
            58 => match payload.first()? {
                // Flags: Router, Solicited, Override.
                136 if payload.get(4)? & 0x40 == 0 => Some(Self::UnsolicitedNa {
                    address: Ipv6Addr::from(array::<16>(payload, 8)?),
                    overrides: payload.get(4)? & 0x20 != 0,
                    hardware: match payload.get(24..26) {
                        Some([2, 1]) => array(payload, 26),
                        _ => None,
                    },
                    source,
                    destination,
                    hop_limit: *packet.get(7)?,
                }),
                135 if source == IpAddr::V6(Ipv6Addr::UNSPECIFIED) => Some(Self::DuplicateProbe {
                    address: Ipv6Addr::from(array::<16>(payload, 8)?),
                }),
                kind @ (128 | 129) => Some(Self::Echo {
                    source,
                    destination,
                    reply: *kind == 129,
                }),
                _ => None,
            },
            112 => Advert::read(payload, source, destination, *packet.get(7)?).map(Self::Advert),
            _ => None,
        }
    }

    fn arp(packet: &[u8]) -> Option<Self> {
        let sender = array::<4>(packet, 14)?;
        let target = array::<4>(packet, 24)?;
        (sender == target).then_some(Self::GratuitousArp {
            address: Ipv4Addr::from(sender),
            hardware: array::<6>(packet, 8)?,
            operation: be16(packet, 6)?,
        })
    }
}

impl Advert {
    fn read(pdu: &[u8], source: IpAddr, destination: IpAddr, ttl: u8) -> Option<Self> {
        let version = pdu.first()? >> 4;
        let interval_ms = match version {
            2 => u32::from(*pdu.get(5)?) * 1_000,
            3 => u32::from(be16(pdu, 4)? & 0x0fff) * 10,
            _ => return None,
        };
        let count = usize::from(*pdu.get(3)?);
        let addresses = (0..count)
            .map(|index| match source {
                IpAddr::V4(_) => array::<4>(pdu, 8 + 4 * index).map(IpAddr::from),
                IpAddr::V6(_) => array::<16>(pdu, 8 + 16 * index).map(IpAddr::from),
            })
            .collect::<Option<_>>()?;
        Some(Self {
            source,
            destination,
            ttl,
            version,
            vrid: *pdu.get(1)?,
            priority: *pdu.get(2)?,
            interval_ms,
            addresses,
            pdu: pdu.to_vec(),
        })
    }
}

/// `N` bytes from `offset`.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..offset + N)?.try_into().ok()
}

/// Two bytes from `offset`, big endian.
fn be16(bytes: &[u8], offset: usize) -> Option<u16> {
    array(bytes, offset).map(u16::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::{Advert, Frame};

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<u32> = hex.chars().filter_map(|digit| digit.to_digit(16)).collect();
        digits
            .chunks(2)
            .map(|pair| u8::try_from(pair[0] << 4 | pair[1]).unwrap())
            .collect()
    }

    /// Captured from keepalived 2.2.7.
    #[test]
    fn a_captured_v2_advert() {
        let frame = bytes(
            "01005e000012 020000000001 0800
             45c0002c 00010000 ff70188d c0000201 e0000012
             2133960201013169 c0000264c0000265 6162636465666768",
        );
        let advert = Frame::read(&frame).advert().unwrap();
        assert_eq!(
            advert,
            Advert {
                source: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
                destination: IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18)),
                ttl: 255,
                version: 2,
                vrid: 51,
                priority: 150,
                interval_ms: 1_000,
                addresses: vec![
                    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100)),
                    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 101))
                ],
                pdu: bytes("2133960201013169c0000264c00002656162636465666768"),
            }
        );
    }

    #[test]
    fn a_gratuitous_arp_and_an_arp_that_is_not() {
        let head = "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001";
        assert_eq!(
            Frame::read(&bytes(&format!("{head} c0000264 ffffffffffff c0000264"))),
            Frame::GratuitousArp {
                address: Ipv4Addr::new(192, 0, 2, 100),
                hardware: [2, 0, 0, 0, 0, 1],
                operation: 1,
            }
        );
        assert_eq!(
            Frame::read(&bytes(&format!("{head} c0000264 000000000000 c0000265"))),
            Frame::Other
        );
    }

    #[test]
    fn a_frame_cut_short_is_nothing() {
        assert_eq!(
            Frame::read(&bytes("01005e000012 020000000001 0800 45c0002c")),
            Frame::Other
        );
        assert_eq!(Frame::read(&[]), Frame::Other);
    }
}
