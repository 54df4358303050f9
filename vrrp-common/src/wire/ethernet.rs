//! Ethernet II headers, with up to two VLAN tags on receipt.
//!
//! | byte | field |
//! |---|---|
//! | 0-5 | destination |
//! | 6-11 | source |
//! | 12-13 | EtherType, big endian; a tag's TPID if tagged |
//! | +4 each | VLAN tag: 16 bits of control information, then the next EtherType |

use core::fmt;
use core::net::{Ipv4Addr, Ipv6Addr};

use super::{Malformed, concat};
use crate::id::{Family, Vrid};

/// Bytes of a header without tags.
pub const HEADER_LEN: usize = 14;

/// A 48 bit hardware address.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct Mac(pub [u8; 6]);

impl Mac {
    /// Every host on the link.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The virtual router's own address, 00-00-5E-00-{01|02}-VRID (RFC 9568 §7.3).
    #[must_use]
    pub const fn virtual_router(family: Family, vrid: Vrid) -> Self {
        let block = match family {
            Family::V4 => 1,
            Family::V6 => 2,
        };
        Self([0x00, 0x00, 0x5e, 0x00, block, vrid.value()])
    }

    /// Where frames for an IPv4 group go: its low 23 bits (RFC 1112 §6.4).
    #[must_use]
    pub const fn of_group_v4(group: Ipv4Addr) -> Self {
        let [_, b, c, d] = group.octets();
        Self([0x01, 0x00, 0x5e, b & 0x7f, c, d])
    }

    /// Where frames for an IPv6 group go: its low 32 bits (RFC 2464 §7).
    #[must_use]
    pub const fn of_group_v6(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }
}

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an Ethernet frame carries, in host byte order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EtherType(pub u16);

impl EtherType {
    /// IPv4.
    pub const IPV4: Self = Self(0x0800);
    /// ARP.
    pub const ARP: Self = Self(0x0806);
    /// IPv6.
    pub const IPV6: Self = Self(0x86dd);
    /// IEEE 802.1Q tag.
    pub const VLAN: Self = Self(0x8100);
    /// IEEE 802.1ad outer tag.
    pub const SERVICE_VLAN: Self = Self(0x88a8);

    /// Whether a VLAN tag follows.
    #[inline(always)]
    #[must_use]
    pub const fn is_tag(self) -> bool {
        self.0 == Self::VLAN.0 || self.0 == Self::SERVICE_VLAN.0
    }
}

/// A received frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// Destination.
    pub destination: Mac,
    /// Source.
    pub source: Mac,
    /// VLAN identifiers (12 bits), outer first.
    pub vlans: [Option<u16>; 2],
    /// What the payload is, behind the tags. [`EtherType::is_tag`] if there was a third tag.
    pub ethertype: EtherType,
    /// All that follows, padding included.
    pub payload: &'a [u8],
}

/// Read a frame and at most two tags.
///
/// # Errors
/// [`Malformed::Truncated`].
pub fn parse(frame: &[u8]) -> Result<Frame<'_>, Malformed> {
    let (destination, rest) = frame.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (source, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (mut ethertype, mut rest) = read_ethertype(rest)?;
    let mut vlans = [None; 2];
    for vlan in &mut vlans {
        if !ethertype.is_tag() {
            break;
        }
        let (control, behind) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
        *vlan = Some(u16::from_be_bytes(*control) & 0x0fff);
        (ethertype, rest) = read_ethertype(behind)?;
    }
    Ok(Frame {
        destination: Mac(*destination),
        source: Mac(*source),
        vlans,
        ethertype,
        payload: rest,
    })
}

/// The header of a frame without tags.
#[must_use]
pub fn emit(destination: Mac, source: Mac, ethertype: EtherType) -> [u8; HEADER_LEN] {
    concat(&[&destination.0, &source.0, &ethertype.0.to_be_bytes()])
}

fn read_ethertype(bytes: &[u8]) -> Result<(EtherType, &[u8]), Malformed> {
    let (number, rest) = bytes.split_first_chunk().ok_or(Malformed::Truncated)?;
    Ok((EtherType(u16::from_be_bytes(*number)), rest))
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::{EtherType, Mac, emit, parse};
    use crate::id::{Family, Vrid};
    use crate::wire::Malformed;
    use crate::wire::checksum::{GROUP_V4, GROUP_V6};

    const PLAIN: [u8; 16] = [
        0x01, 0x00, 0x5e, 0x00, 0x00, 0x12, // destination
        0x00, 0x00, 0x5e, 0x00, 0x01, 0x33, // source
        0x08, 0x00, // IPv4
        0x45, 0xc0, // payload
    ];

    #[test]
    fn a_plain_frame() {
        let frame = parse(&PLAIN).unwrap();
        assert_eq!(frame.destination, Mac::of_group_v4(GROUP_V4));
        assert_eq!(
            frame.source,
            Mac::virtual_router(Family::V4, Vrid::new(0x33).unwrap())
        );
        assert_eq!(frame.vlans, [None, None]);
        assert_eq!(frame.ethertype, EtherType::IPV4);
        assert_eq!(frame.payload, [0x45, 0xc0]);
        assert_eq!(
            emit(frame.destination, frame.source, frame.ethertype),
            PLAIN[..14]
        );
    }

    #[test]
    fn one_and_two_tags_are_stepped_over_and_a_third_is_left() {
        let mut frame = PLAIN[..12].to_vec();
        frame.extend([0x81, 0x00, 0xe0, 0x64, 0x86, 0xdd, 0x60]);
        let one = parse(&frame).unwrap();
        assert_eq!(one.vlans, [Some(100), None]);
        assert_eq!(one.ethertype, EtherType::IPV6);
        assert_eq!(one.payload, [0x60]);

        let mut frame = PLAIN[..12].to_vec();
        frame.extend([0x88, 0xa8, 0x0f, 0xff, 0x81, 0x00, 0x00, 0x02, 0x08, 0x00, 0x45]);
        let two = parse(&frame).unwrap();
        assert_eq!(two.vlans, [Some(4_095), Some(2)]);
        assert_eq!(two.ethertype, EtherType::IPV4);
        assert_eq!(two.payload, [0x45]);

        let mut frame = PLAIN[..12].to_vec();
        frame.extend([0x88, 0xa8, 0, 1, 0x81, 0x00, 0, 2, 0x81, 0x00, 0, 3, 0x08, 0x00]);
        let three = parse(&frame).unwrap();
        assert!(three.ethertype.is_tag());
        assert_eq!(three.payload, [0, 3, 0x08, 0x00]);
    }

    #[test]
    fn a_frame_that_ends_in_its_header_is_truncated() {
        for len in 0..14 {
            assert_eq!(parse(&PLAIN[..len]), Err(Malformed::Truncated), "{len} bytes");
        }
        let mut tagged = PLAIN[..12].to_vec();
        tagged.extend([0x81, 0x00, 0x00, 0x64, 0x08]);
        assert_eq!(parse(&tagged), Err(Malformed::Truncated));
    }

    #[test]
    fn hardware_addresses_of_groups_and_virtual_routers() {
        let vrid = Vrid::new(200).unwrap();
        assert_eq!(Mac::of_group_v4(GROUP_V4).to_string(), "01:00:5e:00:00:12");
        assert_eq!(
            Mac::of_group_v4([239, 255, 0, 1].into()).to_string(),
            "01:00:5e:7f:00:01"
        );
        assert_eq!(Mac::of_group_v6(GROUP_V6).to_string(), "33:33:00:00:00:12");
        assert_eq!(
            Mac::virtual_router(Family::V4, vrid).to_string(),
            "00:00:5e:00:01:c8"
        );
        assert_eq!(
            Mac::virtual_router(Family::V6, vrid).to_string(),
            "00:00:5e:00:02:c8"
        );
    }
}
