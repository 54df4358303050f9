//! Neighbour Discovery (RFC 4861): the unsolicited Neighbour Advertisement, which moves a virtual IPv6
//! address in its neighbours' caches (RFC 9568 §6.4.1).
//!
//! | byte of the ICMPv6 message | field |
//! |---|---|
//! | 0-1 | type 136, code 0 |
//! | 2-3 | checksum |
//! | 4 | flags: Router 0x80, Solicited 0x40, Override 0x20 |
//! | 8-23 | target: the address |
//! | 24-31 | option 2, length 1: target's link-layer address |

use core::net::Ipv6Addr;

use super::checksum::pseudo_v6;
use super::ethernet::{self, EtherType, Mac};
use super::{Malformed, concat, ipv6};

/// IP protocol number of ICMPv6.
pub const ICMPV6: u8 = 58;
/// Bytes of the ICMPv6 message with its one option.
const MESSAGE_LEN: usize = 32;
/// Bytes of a frame with an unsolicited advertisement.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + ipv6::HEADER_LEN + MESSAGE_LEN;
/// Every node on the link.
pub const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;
/// Option 2 (target's link-layer address) of one unit of 8 bytes.
const TARGET_LINK_LAYER: [u8; 2] = [2, 1];

/// A received Neighbour Advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advertisement {
    /// The sender forwards packets.
    pub router: bool,
    /// It answers a solicitation.
    pub solicited: bool,
    /// It replaces what caches hold.
    pub overrides: bool,
    /// The address it is about.
    pub target: Ipv6Addr,
    /// Where that address is, if the option is the first one.
    pub mac: Option<Mac>,
}

/// A whole frame that says to every node on the link that `address` is at `mac`: from the address itself,
/// hop limit 255, Override set, not solicited. `router`: this host forwards.
#[must_use]
pub fn unsolicited(mac: Mac, address: Ipv6Addr, router: bool) -> [u8; FRAME_LEN] {
    let flags = if router { ROUTER | OVERRIDE } else { OVERRIDE };
    let message = |checksum: u16| -> [u8; MESSAGE_LEN] {
        concat(&[
            &[NEIGHBOUR_ADVERTISEMENT, 0],
            &checksum.to_be_bytes(),
            &[flags, 0, 0, 0],
            &address.octets(),
            &TARGET_LINK_LAYER,
            &mac.0,
        ])
    };
    let checksum = pseudo_v6(address, ALL_NODES, ICMPV6, 32)
        .bytes(&message(0))
        .finish();
    let header = ipv6::Header {
        source: address,
        destination: ALL_NODES,
        traffic_class: 0,
        hop_limit: 255,
        next_header: ICMPV6,
        payload_len: 32,
    };
    concat(&[
        &ethernet::emit(Mac::of_group_v6(ALL_NODES), mac, EtherType::IPV6),
        &header.emit(),
        &message(checksum),
    ])
}

/// Read the Neighbour Advertisement in `packet`.
///
/// # Errors
/// [`Malformed::Truncated`], [`Malformed::Checksum`], or [`Malformed::Unexpected`] if it is something else or
/// came from off the link (RFC 4861 §7.1.2).
pub fn parse(packet: &ipv6::Packet<'_>) -> Result<Advertisement, Malformed> {
    if packet.next_header != ICMPV6 || packet.hop_limit != 255 {
        return Err(Malformed::Unexpected);
    }
    let (head, rest) = packet
        .payload
        .split_first_chunk::<8>()
        .ok_or(Malformed::Truncated)?;
    let [NEIGHBOUR_ADVERTISEMENT, 0, _, _, flags, _, _, _] = *head else {
        return Err(Malformed::Unexpected);
    };
    let (target, options) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let length = u32::try_from(packet.payload.len()).map_err(|_| Malformed::Unexpected)?;
    let sum = pseudo_v6(packet.source, packet.destination, ICMPV6, length).bytes(packet.payload);
    if !sum.holds() {
        return Err(Malformed::Checksum);
    }
    let mac = options
        .strip_prefix(&TARGET_LINK_LAYER)
        .and_then(<[u8]>::first_chunk)
        .map(|mac| Mac(*mac));
    Ok(Advertisement {
        router: flags & ROUTER != 0,
        solicited: flags & SOLICITED != 0,
        overrides: flags & OVERRIDE != 0,
        target: Ipv6Addr::from_octets(*target),
        mac,
    })
}

#[cfg(test)]
mod tests {
    use super::{ALL_NODES, FRAME_LEN, parse, unsolicited};
    use crate::wire::ethernet::{self, EtherType, Mac};
    use crate::wire::{Malformed, golden, ipv6};

    const OURS: Mac = Mac([0x02, 0x00, 0x00, 0x00, 0x00, 0x0a]);
    /// 2001:db8::54 at OURS, Router and Override set.
    const FRAME: [u8; FRAME_LEN] = [
        0x33, 0x33, 0x00, 0x00, 0x00, 0x01, // to all nodes
        0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, // from us
        0x86, 0xdd, // IPv6
        0x60, 0x00, 0x00, 0x00, 0x00, 0x20, 0x3a, 0xff, // 32 bytes of ICMPv6, hop limit 255
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x54, // from the address
        0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x01, // to all nodes
        0x88, 0x00, 0x78, 0x7b, 0xa0, 0x00, 0x00, 0x00, // advertisement, checksum, flags
        0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x54, // target
        0x02, 0x01, 0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, // its link-layer address
    ];

    fn with_byte(at: usize, byte: u8) -> [u8; FRAME_LEN] {
        let mut frame = FRAME;
        frame[at] = byte;
        frame
    }

    #[test]
    fn unsolicited_advertisement_byte_for_byte() {
        let address = "2001:db8::54".parse().unwrap();
        assert_eq!(unsolicited(OURS, address, true), FRAME);
        let host = unsolicited(OURS, address, false);
        assert_eq!(host[58], 0x20, "Override alone");
    }

    /// Captured from keepalived 2.2.7 on a host that does not forward.
    #[test]
    fn as_keepalived_announces() {
        let mac = Mac([0x02, 0x00, 0x00, 0x00, 0x00, 0x01]);
        let table = [
            (
                "fe80::54",
                "333300000001 020000000001 86dd 6000000000203aff
                 fe800000000000000000000000000054 ff020000000000000000000000000001
                 880056f520000000 fe800000000000000000000000000054 0201020000000001",
            ),
            (
                "2001:db8::54",
                "333300000001 020000000001 86dd 6000000000203aff
                 20010db8000000000000000000000054 ff020000000000000000000000000001
                 8800f88420000000 20010db8000000000000000000000054 0201020000000001",
            ),
        ];
        for (address, frame) in table {
            assert_eq!(
                unsolicited(mac, address.parse().unwrap(), false).to_vec(),
                golden::bytes(frame)
            );
        }
    }

    #[test]
    fn read_back() {
        let frame = ethernet::parse(&FRAME).unwrap();
        assert_eq!(frame.ethertype, EtherType::IPV6);
        let packet = ipv6::parse(frame.payload).unwrap();
        assert_eq!(packet.destination, ALL_NODES);
        let read = parse(&packet).unwrap();
        assert_eq!((read.router, read.solicited, read.overrides), (true, false, true));
        assert_eq!(read.target, packet.source);
        assert_eq!(read.mac, Some(OURS));
    }

    #[test]
    fn what_is_wrong_is_named() {
        // Offset of a byte, its value, what that makes of the frame.
        let table = [
            (20, 17, Malformed::Unexpected),  // UDP
            (21, 254, Malformed::Unexpected), // from off the link
            (54, 135, Malformed::Unexpected), // solicitation
            (57, 0x00, Malformed::Checksum),
            (85, 0x0b, Malformed::Checksum),
            (19, 23, Malformed::Truncated), // no room for the target
        ];
        for (at, byte, expected) in table {
            let frame = with_byte(at, byte);
            let packet = ipv6::parse(&frame[14..]).unwrap();
            assert_eq!(parse(&packet), Err(expected), "byte {at} = {byte}");
        }
    }
}
