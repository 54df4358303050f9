//! Adverts put together byte by byte and sent from a host's own IP stack. Shares no code with what is tested.

use std::net::{Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::Side;

pub(crate) const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// A VRRPv3 advert for one address. Its checksum covers the message alone, which is accepted as well.
pub(crate) fn v3(vrid: u8, priority: u8, centis: u16, address: Ipv4Addr) -> Vec<u8> {
    let [high, low] = centis.to_be_bytes();
    let mut pdu = vec![0x31, vrid, priority, 1, high, low, 0, 0];
    pdu.extend(address.octets());
    summed(pdu)
}

/// A VRRPv2 advert for one address, with a password of eight characters, which its checksum covers too.
pub(crate) fn v2(vrid: u8, priority: u8, seconds: u8, address: Ipv4Addr, password: &[u8; 8]) -> Vec<u8> {
    let mut pdu = vec![0x21, vrid, priority, 1, 1, seconds, 0, 0];
    pdu.extend(address.octets());
    pdu.extend(password);
    summed(pdu)
}

/// With the checksum (RFC 1071) in bytes 6 and 7.
fn summed(mut pdu: Vec<u8>) -> Vec<u8> {
    let mut sum: u32 = pdu
        .chunks(2)
        .map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]])))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    let checksum = !u16::try_from(sum).unwrap();
    pdu[6..8].copy_from_slice(&checksum.to_be_bytes());
    pdu
}

/// Sends with any IP source, from the host's own Ethernet address.
pub(crate) struct Forger(Socket);

impl Forger {
    pub(crate) fn on(side: &Side) -> Self {
        let socket = side.host.namespace().inside(|| {
            let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))?;
            socket.set_header_included_v4(true)?;
            socket.set_multicast_if_v4(&side.address)?;
            Ok(socket)
        });
        Self(socket.unwrap())
    }

    pub(crate) fn send(&self, source: Ipv4Addr, destination: Ipv4Addr, pdu: &[u8]) {
        let length = u16::try_from(20 + pdu.len()).unwrap();
        // The kernel fills in the checksum.
        let mut packet = vec![0x45, 0xc0];
        packet.extend(length.to_be_bytes());
        packet.extend([0, 0, 0, 0, 255, 112, 0, 0]);
        packet.extend(source.octets());
        packet.extend(destination.octets());
        packet.extend(pdu);
        let sent = self.0.send_to(&packet, &SocketAddrV4::new(destination, 0).into());
        assert_eq!(sent.unwrap(), packet.len());
    }
}
