//! The frames of floods. Built from the RFCs, without the daemon's code.

use std::net::Ipv4Addr;

/// What a flood consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Adverts that would be accepted, of a higher priority, from a host that is no peer.
    Unlisted,
    /// A peer's adverts with one bit of the checksum wrong.
    BadChecksum,
    /// A peer's adverts for virtual routers that nobody has.
    UnknownVrid,
    /// UDP datagrams to a port that is closed.
    NotVrrp,
    /// The first three in turn, from 4096 addresses.
    RandomSources,
}

/// Whom a flood is for, and what it pretends.
#[derive(Clone, Debug)]
pub struct Target {
    /// Ethernet destination.
    pub mac: [u8; 6],
    /// Ethernet source: the sender's own, or switches send the peer's frames the wrong way.
    pub sender_mac: [u8; 6],
    /// IP destination.
    pub address: Ipv4Addr,
    /// A peer of the target.
    pub peer: Ipv4Addr,
    /// A host that is no peer.
    pub stranger: Ipv4Addr,
    /// The virtual routers that the target has, and an address of each.
    pub routers: Vec<(u8, Ipv4Addr)>,
    /// A virtual router that it does not have.
    pub unknown_vrid: u8,
    /// The interval that adverts tell, in centiseconds.
    pub interval: u16,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Unlisted,
        Self::BadChecksum,
        Self::UnknownVrid,
        Self::NotVrrp,
        Self::RandomSources,
    ];
    /// Distinct sources of [`Kind::RandomSources`].
    const SOURCES: u32 = 4_096;
    /// Higher than any that the target or its peer has.
    const PRIORITY: u8 = 250;

    /// For tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unlisted => "unlisted source",
            Self::BadChecksum => "listed, bad checksum",
            Self::UnknownVrid => "unknown VRID",
            Self::NotVrrp => "not VRRP (UDP)",
            Self::RandomSources => "mixed, random sources",
        }
    }

    /// Its frames, to be sent in turn.
    #[must_use]
    pub fn frames(self, target: &Target) -> Vec<Vec<u8>> {
        match self {
            Self::Unlisted => target.adverts(target.stranger, false),
            Self::BadChecksum => target.adverts(target.peer, true),
            Self::UnknownVrid => vec![target.unknown(target.peer)],
            Self::NotVrrp => {
                // From and to "discard", no checksum.
                let datagram = [0, 9, 0, 9, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
                vec![target.frame(target.stranger, 17, &datagram)]
            }
            Self::RandomSources => {
                let mut random = 0x9e37_79b9_7f4a_7c15;
                (0..Self::SOURCES)
                    .flat_map(|_| {
                        let [_, b, c, d, ..] = next(&mut random).to_be_bytes();
                        let source = Ipv4Addr::new(10, b, c, d);
                        let mut frames = target.adverts(source, false);
                        frames.extend(target.adverts(source, true));
                        frames.push(target.unknown(source));
                        frames
                    })
                    .collect()
            }
        }
    }
}

impl Target {
    /// An advert for each of its virtual routers.
    fn adverts(&self, source: Ipv4Addr, spoil: bool) -> Vec<Vec<u8>> {
        self.routers
            .iter()
            .map(|&(vrid, address)| {
                let mut pdu = self.advert(source, vrid, address);
                if spoil && let Some(byte) = pdu.get_mut(7) {
                    *byte ^= 1;
                }
                self.frame(source, 112, &pdu)
            })
            .collect()
    }

    fn unknown(&self, source: Ipv4Addr) -> Vec<u8> {
        let pdu = self.advert(source, self.unknown_vrid, self.address);
        self.frame(source, 112, &pdu)
    }

    fn advert(&self, source: Ipv4Addr, vrid: u8, address: Ipv4Addr) -> Vec<u8> {
        advert(
            source,
            self.address,
            vrid,
            Kind::PRIORITY,
            self.interval,
            &[address],
        )
    }

    fn frame(&self, source: Ipv4Addr, protocol: u8, payload: &[u8]) -> Vec<u8> {
        frame(self.mac, self.sender_mac, source, self.address, protocol, payload)
    }
}

/// A VRRPv3 advert for at most 255 addresses, its checksum over the pseudo-header of RFC 9568 §5.2.8.
/// `interval` in centiseconds.
#[must_use]
pub fn advert(
    source: Ipv4Addr,
    destination: Ipv4Addr,
    vrid: u8,
    priority: u8,
    interval: u16,
    addresses: &[Ipv4Addr],
) -> Vec<u8> {
    let count = u8::try_from(addresses.len()).unwrap_or(u8::MAX);
    let [high, low] = interval.to_be_bytes();
    let mut pdu = vec![0x31, vrid, priority, count, high, low, 0, 0];
    for address in addresses.iter().take(usize::from(count)) {
        pdu.extend(address.octets());
    }
    let length = u16::try_from(pdu.len()).unwrap_or(u16::MAX).to_be_bytes();
    let pseudo = [&source.octets(), &destination.octets(), &[0, 112][..], &length];
    let sum = checksum(&[&pseudo.concat()[..], &pdu].concat());
    put(&mut pdu, 6, sum);
    pdu
}

/// An Ethernet frame with an IPv4 packet of TTL 255, padded to the least that Ethernet carries.
#[must_use]
pub fn frame(
    to: [u8; 6],
    from: [u8; 6],
    source: Ipv4Addr,
    destination: Ipv4Addr,
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    /// Without its check sequence, as a packet socket has it.
    const SHORTEST: usize = 60;
    let total = u16::try_from(20 + payload.len())
        .unwrap_or(u16::MAX)
        .to_be_bytes();
    let mut header = [&[0x45, 0xc0][..], &total, &[0, 1, 0, 0, 255, protocol, 0, 0]].concat();
    header.extend(source.octets());
    header.extend(destination.octets());
    let sum = checksum(&header);
    put(&mut header, 10, sum);
    let mut frame = [&to[..], &from, &[0x08, 0x00], &header, payload].concat();
    if frame.len() < SHORTEST {
        frame.resize(SHORTEST, 0);
    }
    frame
}

fn put(bytes: &mut [u8], at: usize, value: u16) {
    if let Some(place) = bytes.get_mut(at..at + 2) {
        place.copy_from_slice(&value.to_be_bytes());
    }
}

/// The Internet checksum (RFC 1071) of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let (words, _) = bytes.as_chunks::<2>();
    let sum: u32 = words
        .iter()
        .map(|word| u32::from(u16::from_be_bytes(*word)))
        .sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let [_, _, high, low] = ((folded & 0xffff) + (folded >> 16)).to_be_bytes();
    !u16::from_be_bytes([high, low])
}

/// Marsaglia's xorshift: the same sources in every run.
const fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::{Kind, Target, advert, frame};

    const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
    const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);

    /// Captured from keepalived 2.2.7: VRRPv3 by unicast, VRID 53, priority 200, 250 ms.
    #[test]
    fn an_advert_as_keepalived_sends_it() {
        let pdu = advert(A, B, 53, 200, 25, &[Ipv4Addr::new(192, 0, 2, 111)]);
        assert_eq!(
            pdu,
            [
                0x31, 0x35, 0xc8, 0x01, 0x00, 0x19, 0xbf, 0xbf, 0xc0, 0x00, 0x02, 0x6f
            ]
        );
    }

    /// The header of a captured VRRPv2 advert with 24 bytes of message.
    #[test]
    fn a_header_as_captured_and_padding() {
        let group = Ipv4Addr::new(224, 0, 0, 18);
        let bytes = frame([2, 0, 0, 0, 0, 2], [2, 0, 0, 0, 0, 1], A, group, 112, &[0xaa; 24]);
        assert_eq!(
            bytes[..34],
            [
                2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1, 0x08, 0x00, 0x45, 0xc0, 0x00, 0x2c, 0x00, 0x01, 0x00,
                0x00, 0xff, 0x70, 0x18, 0x8d, 192, 0, 2, 1, 224, 0, 0, 18
            ]
        );
        assert_eq!((bytes.len(), &bytes[58..]), (60, &[0, 0][..]));
    }

    #[test]
    fn each_kind_differs_in_what_it_is_named_for() {
        let target = Target {
            mac: [2, 0, 0, 0, 0, 2],
            sender_mac: [2, 0, 0, 0, 0, 3],
            address: B,
            peer: A,
            stranger: Ipv4Addr::new(192, 0, 2, 66),
            routers: vec![(53, Ipv4Addr::new(192, 0, 2, 111))],
            unknown_vrid: 99,
            interval: 25,
        };
        // Source address, protocol, VRID, checksum.
        let of = |kind: Kind| {
            let frames = kind.frames(&target);
            let frame = &frames[0];
            (
                frames.len(),
                frame[29],
                frame[23],
                frame[35],
                [frame[40], frame[41]],
            )
        };
        assert_eq!(of(Kind::Unlisted), (1, 66, 112, 53, [0x8d, 0x7e]));
        assert_eq!(of(Kind::BadChecksum), (1, 1, 112, 53, [0x8d, 0xbe]));
        assert_eq!(of(Kind::UnknownVrid).3, 99);
        assert_eq!(of(Kind::NotVrrp).2, 17);
        let mixed = Kind::RandomSources.frames(&target);
        assert_eq!(mixed.len(), 3 * 4_096);
        assert!(mixed.iter().all(|frame| frame[26] == 10));
    }
}
