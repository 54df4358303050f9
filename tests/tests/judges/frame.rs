//! A frame in parts, each of which may be wrong.

use std::net::IpAddr;

use super::model::OURS;
use crate::packets::checksum;

/// What a frame is put together from.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) destination_mac: [u8; 6],
    pub(crate) source_mac: [u8; 6],
    /// EtherType and the whole control word, outermost first.
    pub(crate) tags: Vec<(u16, u16)>,
    pub(crate) ethertype: Option<u16>,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) ttl: u8,
    /// Protocol or next header.
    pub(crate) protocol: u8,
    /// IP's version and, for IPv4, the header's length in words; `None`: as they are.
    pub(crate) version: Option<u8>,
    pub(crate) ihl: Option<u8>,
    /// IPv4 options, a multiple of four bytes.
    pub(crate) options: Vec<u8>,
    /// Between the IP header and the message.
    pub(crate) extensions: Vec<u8>,
    /// Flags and offset.
    pub(crate) fragment: u16,
    /// Added to the IP length.
    pub(crate) lie: i16,
    /// What the IP header's checksum is wrong by.
    pub(crate) damage: u16,
    /// The message; its checksum as in `form`.
    pub(crate) pdu: Vec<u8>,
    pub(crate) form: Form,
    pub(crate) padding: Vec<u8>,
    /// All that follows the hardware addresses, instead.
    pub(crate) raw: Option<Vec<u8>>,
    pub(crate) length: Option<usize>,
    /// Bits that are turned at the end.
    pub(crate) flips: Vec<usize>,
}

/// How the message's checksum is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// With the pseudo-header.
    Pseudo,
    /// The message alone.
    Message,
    /// With the pseudo-header of another destination.
    For(IpAddr),
    /// Whatever stands in the message.
    AsItIs,
}

impl Parts {
    /// From `source` to `destination`, all else as it should be.
    pub(crate) fn new(source: IpAddr, destination: IpAddr, pdu: Vec<u8>, form: Form) -> Self {
        Self {
            destination_mac: OURS,
            source_mac: [2, 0, 0, 0, 0, 1],
            tags: Vec::new(),
            ethertype: None,
            source,
            destination,
            ttl: 255,
            protocol: 112,
            version: None,
            ihl: None,
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: 0,
            lie: 0,
            damage: 0,
            pdu,
            form,
            padding: Vec::new(),
            raw: None,
            length: None,
            flips: Vec::new(),
        }
    }

    /// The bytes; never fewer than an Ethernet header, which the kernel wants of a test frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut frame = [self.destination_mac, self.source_mac].concat();
        if let Some(raw) = &self.raw {
            frame.extend(raw);
        } else {
            self.rest(&mut frame);
        }
        for bit in &self.flips {
            let at = bit / 8 % frame.len();
            frame[at] ^= 1 << (bit % 8);
        }
        if let Some(length) = self.length {
            frame.truncate(length.max(14));
        }
        frame
    }

    fn rest(&self, frame: &mut Vec<u8>) {
        for (ethertype, control) in &self.tags {
            frame.extend(ethertype.to_be_bytes());
            frame.extend(control.to_be_bytes());
        }
        let v4 = self.source.is_ipv4();
        let ethertype = self.ethertype.unwrap_or(if v4 { 0x0800 } else { 0x86dd });
        frame.extend(ethertype.to_be_bytes());
        if v4 {
            self.ipv4(frame);
        } else {
            self.ipv6(frame);
        }
        frame.extend(&self.extensions);
        frame.extend(self.message());
        frame.extend(&self.padding);
    }

    /// The message with its checksum.
    pub(crate) fn message(&self) -> Vec<u8> {
        let mut pdu = self.pdu.clone();
        let destination = match self.form {
            Form::AsItIs => return pdu,
            Form::Message => None,
            Form::Pseudo => Some(self.destination),
            Form::For(destination) => Some(destination),
        };
        let Some(field) = pdu.get_mut(6..8) else {
            return pdu;
        };
        field.copy_from_slice(&[0, 0]);
        let pseudo = destination.map_or(Vec::new(), |destination| {
            let length = u32::try_from(pdu.len()).unwrap().to_be_bytes();
            let (source, destination) = (octets(self.source), octets(destination));
            [&source, &destination, &length[..], &[0, 0, 0, 112]].concat()
        });
        let sum = checksum(&[&pseudo, &pdu]);
        pdu[6..8].copy_from_slice(&sum.to_be_bytes());
        pdu
    }

    fn ipv4(&self, frame: &mut Vec<u8>) {
        let header_len = 20 + self.options.len();
        let total = self.length_with_lie(header_len);
        let ihl = self.ihl.unwrap_or(u8::try_from(header_len / 4).unwrap());
        let mut header = vec![self.version.unwrap_or(4) << 4 | ihl & 0xf, 0xc0];
        header.extend(total.to_be_bytes());
        header.extend([0, 1]);
        header.extend(self.fragment.to_be_bytes());
        header.extend([self.ttl, self.protocol, 0, 0]);
        header.extend(octets(self.source));
        header.extend(octets(self.destination));
        header.extend(&self.options);
        // Right by the length that the header gives itself, as far as that is there.
        let summed = header.len().min(usize::from(ihl & 0xf) * 4).max(20);
        let sum = checksum(&[&header[..summed]]) ^ self.damage;
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        frame.extend(header);
    }

    fn ipv6(&self, frame: &mut Vec<u8>) {
        frame.extend([self.version.unwrap_or(6) << 4 | 0xc, 0, 0, 0]);
        frame.extend(self.length_with_lie(0).to_be_bytes());
        frame.extend([self.protocol, self.ttl]);
        frame.extend(octets(self.source));
        frame.extend(octets(self.destination));
    }

    fn length_with_lie(&self, header: usize) -> u16 {
        let right = header + self.extensions.len() + self.pdu.len();
        u16::try_from(right).unwrap().wrapping_add_signed(self.lie)
    }
}

fn octets(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => address.octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    }
}
