//! Builds frames byte by byte, also wrong ones. Shares no code with what is tested.

pub(crate) mod bench;
pub(crate) mod more;
pub(crate) mod rows;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// `02:…:02 <- 02:…:01`: the program does not look at who a frame is for.
const MACS: [u8; 12] = [2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1];

/// Bytes written in hexadecimal; blanks are ignored.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text
        .chars()
        .filter(|c| !c.is_whitespace())
        .map(|c| c.to_digit(16).unwrap())
        .collect();
    digits
        .chunks_exact(2)
        .map(|pair| u8::try_from(pair[0] * 16 + pair[1]).unwrap())
        .collect()
}

/// A frame with an IP packet of protocol 112 in it, as far as nothing else is said.
#[derive(Clone)]
pub(crate) struct Frame {
    tags: Vec<(u16, u16)>,
    source: IpAddr,
    destination: IpAddr,
    ttl: u8,
    protocol: u8,
    options: Vec<u8>,
    fragment: u16,
    /// Added to the length in the IP header.
    lie: i16,
    pad_to: usize,
    pdu: Vec<u8>,
}

impl Frame {
    /// From `source` to `destination` with TTL 255.
    pub(crate) fn new(source: &str, destination: &str, pdu: Vec<u8>) -> Self {
        Self {
            tags: Vec::new(),
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            ttl: 255,
            protocol: 112,
            options: Vec::new(),
            fragment: 0,
            lie: 0,
            pad_to: 0,
            pdu,
        }
    }

    /// With a VLAN tag; the first call gives the outermost.
    pub(crate) fn tag(mut self, ethertype: u16, vlan: u16) -> Self {
        self.tags.push((ethertype, vlan));
        self
    }

    /// With this TTL or hop limit.
    pub(crate) fn ttl(mut self, ttl: u8) -> Self {
        self.ttl = ttl;
        self
    }

    /// With this protocol or next header.
    pub(crate) fn protocol(mut self, protocol: u8) -> Self {
        self.protocol = protocol;
        self
    }

    /// With IPv4 options, a multiple of four bytes.
    pub(crate) fn options(mut self, options: &[u8]) -> Self {
        self.options = options.to_vec();
        self
    }

    /// With this flags-and-offset word (IPv4).
    pub(crate) fn fragment(mut self, fragment: u16) -> Self {
        self.fragment = fragment;
        self
    }

    /// With an IP length that is wrong by so many bytes.
    pub(crate) fn lie(mut self, bytes: i16) -> Self {
        self.lie = bytes;
        self
    }

    /// Padded as a switch would, with bytes that are not zero.
    pub(crate) fn padded(mut self, len: usize) -> Self {
        self.pad_to = len;
        self
    }

    /// The frame's bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut frame = MACS.to_vec();
        for (ethertype, vlan) in &self.tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(vlan.to_be_bytes());
        }
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => self.ipv4(&mut frame, source, destination),
            (IpAddr::V6(source), IpAddr::V6(destination)) => self.ipv6(&mut frame, source, destination),
            _ => panic!("two families"),
        }
        frame.extend(&self.pdu);
        while frame.len() < self.pad_to {
            frame.push(0xa5);
        }
        frame
    }

    fn ipv4(&self, frame: &mut Vec<u8>, source: Ipv4Addr, destination: Ipv4Addr) {
        let header_len = 20 + self.options.len();
        let total = u16::try_from(header_len + self.pdu.len())
            .unwrap()
            .checked_add_signed(self.lie)
            .unwrap();
        let mut header = vec![0x40 | u8::try_from(header_len / 4).unwrap(), 0xc0];
        header.extend(total.to_be_bytes());
        header.extend([0, 1]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(source.octets());
        header.extend(destination.octets());
        header.extend(&self.options);
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        frame.extend([0x08, 0x00]);
        frame.extend(header);
    }

    fn ipv6(&self, frame: &mut Vec<u8>, source: Ipv6Addr, destination: Ipv6Addr) {
        let len = u16::try_from(self.pdu.len())
            .unwrap()
            .checked_add_signed(self.lie)
            .unwrap();
        frame.extend([0x86, 0xdd, 0x6c, 0, 0, 0]);
        frame.extend(len.to_be_bytes());
        frame.extend([self.protocol, self.ttl]);
        frame.extend(source.octets());
        frame.extend(destination.octets());
    }
}

/// A message with its checksum over the message alone put into place.
pub(crate) fn summed(mut pdu: Vec<u8>) -> Vec<u8> {
    pdu[6..8].copy_from_slice(&[0, 0]);
    let sum = checksum(&[&pdu]);
    pdu[6..8].copy_from_slice(&sum.to_be_bytes());
    pdu
}

/// A message with its checksum over IPv6's pseudo-header and the message put into place.
pub(crate) fn summed_ipv6(source: &str, destination: &str, mut pdu: Vec<u8>) -> Vec<u8> {
    let (source, destination): (Ipv6Addr, Ipv6Addr) = (source.parse().unwrap(), destination.parse().unwrap());
    let len = u32::try_from(pdu.len()).unwrap().to_be_bytes();
    pdu[6..8].copy_from_slice(&[0, 0]);
    let sum = checksum(&[
        &source.octets(),
        &destination.octets(),
        &len,
        &[0, 0, 0, 112],
        &pdu,
    ]);
    pdu[6..8].copy_from_slice(&sum.to_be_bytes());
    pdu
}

/// The Internet checksum of parts that are of even length, all but the last.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let bytes: Vec<u8> = parts.concat();
    let mut sum: u32 = bytes
        .chunks(2)
        .map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)))
        .sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap()
}
