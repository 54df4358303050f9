//! ARP for IPv4 over Ethernet (RFC 826): gratuitous ARP, which moves a virtual address in the caches of
//! hosts and the tables of switches (RFC 9568 §6.4.1).
//!
//! | byte | field |
//! |---|---|
//! | 0-5 | hardware type 1, protocol 0x0800, lengths 6 and 4 |
//! | 6-7 | operation: 1 request, 2 reply |
//! | 8-13, 14-17 | sender's hardware and IPv4 address |
//! | 18-23, 24-27 | target's hardware and IPv4 address |

use core::net::Ipv4Addr;

use super::ethernet::{self, EtherType, Mac};
use super::{Malformed, concat};

/// Bytes of a frame with an ARP packet; Ethernet pads it.
pub const FRAME_LEN: usize = ethernet::HEADER_LEN + 28;
/// Hardware type Ethernet, protocol IPv4, address lengths 6 and 4.
const FORMAT: [u8; 6] = [0, 1, 0x08, 0x00, 6, 4];
const REQUEST: u16 = 1;
const REPLY: u16 = 2;

/// What the sender wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Who has the target address?
    Request,
    /// An answer, asked for or not.
    Reply,
}

/// A received packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packet {
    /// Request or reply.
    pub operation: Operation,
    /// Sender's hardware address.
    pub sender_mac: Mac,
    /// Sender's address.
    pub sender: Ipv4Addr,
    /// Target's hardware address.
    pub target_mac: Mac,
    /// Target's address.
    pub target: Ipv4Addr,
}

impl Packet {
    /// Announces its own sender.
    #[must_use]
    pub fn is_gratuitous(&self) -> bool {
        self.sender == self.target
    }
}

/// A whole frame that says to everyone on the link that `address` is at `mac`: a request with sender and
/// target the same address, target hardware address all ones, as keepalived sends it.
#[must_use]
pub fn gratuitous(mac: Mac, address: Ipv4Addr) -> [u8; FRAME_LEN] {
    concat(&[
        &ethernet::emit(Mac::BROADCAST, mac, EtherType::ARP),
        &FORMAT,
        &REQUEST.to_be_bytes(),
        &mac.0,
        &address.octets(),
        &Mac::BROADCAST.0,
        &address.octets(),
    ])
}

/// Read the payload of a frame of type [`EtherType::ARP`].
///
/// # Errors
/// [`Malformed::Truncated`], or [`Malformed::Unexpected`] if it is not IPv4 over Ethernet or neither request
/// nor reply.
pub fn parse(payload: &[u8]) -> Result<Packet, Malformed> {
    let (format, rest) = payload.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (operation, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (sender_mac, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (sender, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (target_mac, rest) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    let (target, _) = rest.split_first_chunk().ok_or(Malformed::Truncated)?;
    if *format != FORMAT {
        return Err(Malformed::Unexpected);
    }
    let operation = match u16::from_be_bytes(*operation) {
        REQUEST => Operation::Request,
        REPLY => Operation::Reply,
        _ => return Err(Malformed::Unexpected),
    };
    Ok(Packet {
        operation,
        sender_mac: Mac(*sender_mac),
        sender: Ipv4Addr::from_octets(*sender),
        target_mac: Mac(*target_mac),
        target: Ipv4Addr::from_octets(*target),
    })
}

#[cfg(test)]
mod tests {
    use super::{FRAME_LEN, Operation, gratuitous, parse};
    use crate::wire::Malformed;
    use crate::wire::ethernet::{self, EtherType, Mac};

    const OURS: Mac = Mac([0x02, 0x00, 0x00, 0x00, 0x00, 0x0a]);
    /// The shape of keepalived 2.2.7's announcement, for 192.0.2.100.
    const FRAME: [u8; FRAME_LEN] = [
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, // to everyone
        0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, // from us
        0x08, 0x06, // ARP
        0x00, 0x01, 0x08, 0x00, 0x06, 0x04, // IPv4 over Ethernet
        0x00, 0x01, // request
        0x02, 0x00, 0x00, 0x00, 0x00, 0x0a, 0xc0, 0x00, 0x02, 0x64, // sender
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x00, 0x02, 0x64, // target
    ];

    #[test]
    fn gratuitous_request_byte_for_byte() {
        assert_eq!(gratuitous(OURS, [192, 0, 2, 100].into()), FRAME);
    }

    #[test]
    fn read_back_from_a_padded_frame() {
        let padded = [FRAME.as_slice(), &[0; 18]].concat();
        let frame = ethernet::parse(&padded).unwrap();
        assert_eq!(frame.ethertype, EtherType::ARP);
        let packet = parse(frame.payload).unwrap();
        assert!(packet.is_gratuitous());
        assert_eq!(packet.operation, Operation::Request);
        assert_eq!((packet.sender_mac, packet.target_mac), (OURS, Mac::BROADCAST));
        assert_eq!(packet.sender.octets(), [192, 0, 2, 100]);
    }

    #[test]
    fn other_operations_and_formats() {
        let mut reply = FRAME;
        reply[21] = 2;
        reply[41] = 0x65;
        let packet = parse(&reply[14..]).unwrap();
        assert_eq!(packet.operation, Operation::Reply);
        assert!(!packet.is_gratuitous());

        let mut reverse = FRAME;
        reverse[21] = 3;
        assert_eq!(parse(&reverse[14..]), Err(Malformed::Unexpected));
        let mut token_ring = FRAME;
        token_ring[15] = 6;
        assert_eq!(parse(&token_ring[14..]), Err(Malformed::Unexpected));
        for len in 0..28 {
            assert_eq!(
                parse(&FRAME[14..14 + len]),
                Err(Malformed::Truncated),
                "{len} bytes"
            );
        }
    }
}
