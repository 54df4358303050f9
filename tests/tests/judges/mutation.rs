//! Adverts that some virtual router of [`wide_model`](super::model::wide_model) accepts, and what chance does to them.

use std::net::IpAddr;

use super::Random;
use super::frame::{Form, Parts};
use super::model::{OURS, PINNED};

/// A frame before it is put together: an advert, and what is done to it, which can be left out one by one.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) advert: Parts,
    pub(crate) mutations: Vec<Mutation>,
}

/// One thing that is done to a frame.
#[derive(Clone, Debug)]
pub(crate) enum Mutation {
    DestinationMac([u8; 6]),
    SourceMac([u8; 6]),
    Tags(Vec<(u16, u16)>),
    EtherType(u16),
    Source(IpAddr),
    Destination(IpAddr),
    Ttl(u8),
    Protocol(u8),
    IpVersion(u8),
    HeaderWords(u8),
    Options(Vec<u8>),
    /// The first header's number, then all of them, which lead to protocol 112.
    Extensions(u8, Vec<u8>),
    Fragment(u16),
    WrongLength(i16),
    WrongHeaderChecksum(u16),
    /// A byte of the message, before its checksum is made.
    Byte(usize, u8),
    /// So many more addresses than the advert says.
    Addresses(u8),
    CutMessage(usize),
    /// So many bytes more.
    LongerMessage(usize),
    Checksum(Form),
    ChecksumField([u8; 2]),
    Padding(usize),
    FlipBit(usize),
    CutFrame(usize),
    /// The message.
    Noise(Vec<u8>),
    /// All that follows the hardware addresses.
    Raw(Vec<u8>),
}

const ADVERTS: [(&str, &str, &str); 17] = [
    (
        "192.0.2.1",
        "192.0.2.2",
        "2133 9602 0101 0000 c0000264 c0000265 6162636465666768",
    ),
    ("192.0.2.1", "224.0.0.18", "3134 c801 0019 0000 c000026e"),
    ("192.0.2.1", "192.0.2.2", "3135 c801 0019 0000 c000026f"),
    (
        "192.0.2.251",
        "224.0.0.18",
        "310a c802 0064 0000 c0000201 c0000202",
    ),
    (
        "fe80::c8",
        "ff02::12",
        "310a 6402 0064 0000 fe800000000000000000000000000001 20010db8000000000000000000000001",
    ),
    (
        "192.0.2.251",
        "192.0.2.2",
        "310a c802 0064 0000 c0000201 c0000202",
    ),
    ("203.0.113.9", "192.0.2.2", "313c 6401 f064 0000 c0000264"),
    (
        "192.0.2.1",
        "224.0.0.18",
        "213d 6401 0001 0000 c0000264 0000000000000000",
    ),
    ("192.0.2.1", "192.0.2.2", "313f 6401 0064 0000 c0000264"),
    ("192.0.2.7", "192.0.2.3", "3135 6401 0064 0000 c0000264"),
    ("192.0.2.8", "192.0.2.3", "3135 6401 0064 0000 c0000264"),
    (
        "fe80::1",
        "fe80::2",
        "3140 6401 0064 0000 20010db8000000000000000000000001",
    ),
    ("192.0.2.9", "224.0.0.18", "3133 6401 0064 0000 c0000264"),
    ("192.0.2.1", "192.0.2.2", "3133 6401 0064 0000 c0000264"),
    (
        "192.0.2.1",
        "192.0.2.2",
        "2143 6401 01ff 0000 c0000264 7365637265740000",
    ),
    ("192.0.2.1", "224.0.0.18", "2142 6400 0001 0000 0000000000000000"),
    ("192.0.2.1", "239.1.2.3", "3134 6401 0064 0000 c0000264"),
];
const V4: [&str; 17] = [
    "0.0.0.5",
    "127.0.0.9",
    "240.0.0.1",
    "192.0.2.1",
    "192.0.2.2",
    "192.0.2.3",
    "192.0.2.7",
    "192.0.2.8",
    "192.0.2.9",
    "192.0.2.251",
    "203.0.113.9",
    "224.0.0.18",
    "239.1.2.3",
    "224.0.0.1",
    "255.255.255.255",
    "0.0.0.0",
    "127.0.0.1",
];
const V6: [&str; 11] = [
    "::2",
    "ff05::12",
    "fe80::1",
    "fe80::2",
    "fe80::9",
    "fe80::c8",
    "ff02::12",
    "ff02::1",
    "2001:db8::1",
    "::",
    "::1",
];
const MACS: [[u8; 6]; 6] = [
    OURS,
    PINNED,
    [2, 0, 0, 0, 0, 3],
    [0xff; 6],
    [1, 0, 0x5e, 0, 0, 0x12],
    [0, 0, 0x5e, 0, 1, 0x33],
];
const TPIDS: [u16; 6] = [0x8100, 0x8100, 0x8100, 0x88a8, 0x88a8, 0x9100];
const VLANS: [u16; 6] = [0, 0, 10, 10, 20, 0xfff];

/// The next frame.
pub(crate) fn case(random: &mut Random) -> Case {
    let number = random.below(ADVERTS.len());
    let (source, destination, message) = ADVERTS[number];
    let form = match random.below(8) {
        0 | 1 => Form::Message,
        2 => Form::For("224.0.0.18".parse().unwrap()),
        _ => Form::Pseudo,
    };
    let (source, destination): (IpAddr, IpAddr) = (source.parse().unwrap(), destination.parse().unwrap());
    let mut advert = Parts::new(source, destination, crate::packets::hex(message), form);
    let v2 = advert.pdu[0] == 0x21;
    if v2 {
        advert.form = Form::Message;
    } else if source.is_ipv6() {
        advert.form = Form::Pseudo;
    }
    match number {
        // The peer of VRID 10 is a few routers away.
        5 => advert.ttl = 250,
        9 | 11 => advert.source_mac = PINNED,
        12 => advert.tags = vec![(0x8100, 10)],
        13 => advert.tags = vec![(0x88a8, 20), (0x8100, 10)],
        _ => {}
    }
    // Many are left as they are, and few have much done to them.
    let many = [0, 1, 1, 1, 1, 2, 2, 3, 4, 6];
    let mutations = (0..random.pick(&many))
        .map(|_| mutation(random, &advert))
        .collect();
    Case { advert, mutations }
}

fn mutation(random: &mut Random, advert: &Parts) -> Mutation {
    let v4 = advert.source.is_ipv4();
    let address = |random: &mut Random| -> IpAddr {
        let text = if v4 { random.pick(&V4) } else { random.pick(&V6) };
        text.parse().unwrap()
    };
    match random.below(35) {
        0 => Mutation::DestinationMac(random.pick(&MACS)),
        1 => Mutation::SourceMac(random.pick(&MACS)),
        2 | 3 => Mutation::Tags((0..random.below(4)).map(|_| tag(random)).collect()),
        4 => Mutation::EtherType(random.pick(&[0x0800, 0x86dd, 0x0806, 0x8847, 0x8100, 0x9100])),
        5 => Mutation::Source(address(random)),
        6 => Mutation::Destination(address(random)),
        7 | 8 => Mutation::Ttl(random.pick(&[0, 1, 64, 249, 250, 251, 253, 254, 255])),
        9 => Mutation::Protocol(random.pick(&[0, 6, 17, 43, 44, 50, 51, 60, 89, 113])),
        10 => Mutation::IpVersion(random.pick(&[0, 4, 5, 6, 7, 15])),
        11 => Mutation::HeaderWords(random.byte() & 0xf),
        12 | 13 => {
            let len = 4 * (1 + random.below(10));
            Mutation::Options(random.bytes(len))
        }
        14 => extensions(random),
        15 => Mutation::Fragment(random.pick(&[0x2000, 0x4000, 0x8000, 0x6000, 1, 0x2001, 0x1fff, 0x0100])),
        16 => Mutation::Fragment(random.word()),
        17 => Mutation::WrongLength(
            random.pick(&[-20, -13, -12, -11, -10, -8, -5, -4, -3, -1, 1, 4, 8, 14, 28]),
        ),
        18 => Mutation::WrongLength(random.word().cast_signed()),
        19 => Mutation::WrongHeaderChecksum(random.pick(&[1, 0x8000, 0xffff])),
        // A byte of the head, or any other.
        20 => Mutation::Byte(0, random.pick(&[0x11, 0x21, 0x31, 0x32, 0x30, 0x41, 0xff, 0])),
        21 => Mutation::Byte(
            1,
            random.pick(&[0, 10, 51, 52, 53, 60, 61, 62, 63, 64, 66, 67, 68, 99]),
        ),
        22 => Mutation::Byte(3, random.pick(&[0, 1, 2, 3, 20, 255])),
        23 => Mutation::Byte(
            4 + random.below(2),
            random.pick(&[0, 1, 2, 7, 0x0f, 0x64, 0xf0, 0xff]),
        ),
        24 => Mutation::Byte(random.below(24), random.byte()),
        25 => Mutation::Addresses(addresses(random)),
        26 => Mutation::CutMessage(random.below(20)),
        27 => Mutation::LongerMessage(random.pick(&[1, 2, 4, 8, 16, 28, 1_056, 1_200])),
        28 => Mutation::Checksum(match random.below(4) {
            0 => Form::Message,
            1 => Form::Pseudo,
            2 => Form::AsItIs,
            _ => Form::For(address(random)),
        }),
        29 => Mutation::ChecksumField(random.pick(&[[0, 0], [0xff, 0xff], [0, 1], [0x12, 0x34]])),
        30 => Mutation::Padding(random.pick(&[1, 2, 6, 20, 46, 200, 1_500])),
        31 => Mutation::FlipBit(random.below(100 * 8)),
        32 => Mutation::CutFrame(14 + random.below(90)),
        33 => {
            let len = random.below(64);
            Mutation::Noise(random.bytes(len))
        }
        _ => Mutation::Raw(raw(random)),
    }
}

/// Bytes by chance, which now and then begin like something that is looked at further.
fn raw(random: &mut Random) -> Vec<u8> {
    let len = 2 + random.below(120);
    let mut bytes = random.bytes(len);
    let begin = random.pick(&[
        "",
        "0800",
        "86dd",
        "080045",
        "86dd60",
        "8100000a0800",
        "08004500002800000000ff70",
    ]);
    let begin = crate::packets::hex(begin);
    bytes.splice(..begin.len().min(len), begin);
    bytes
}

fn tag(random: &mut Random) -> (u16, u16) {
    // Priority and drop eligibility are above the twelve bits.
    let above = random.pick(&[0, 0, 0xe000, 0x1000]);
    (random.pick(&TPIDS), above | random.pick(&VLANS))
}

/// Few as a rule; as many as there can be now and then.
fn addresses(random: &mut Random) -> u8 {
    match random.below(8) {
        0 => random.pick(&[66, 67, 68, 254, 255]),
        1 => random.byte(),
        _ => random.byte() & 7,
    }
}

/// Hop-by-hop, routing, destination options, a fragment header; one or two.
fn extensions(random: &mut Random) -> Mutation {
    let kinds = [0, 43, 44, 60];
    let first = random.pick(&kinds);
    let mut headers = vec![112, 0, 0, 0, 0, 0, 0, 0];
    if random.one_in(3) {
        let second = random.pick(&kinds);
        headers.splice(0..0, [second, 0, 1, 4, 0, 0, 0, 0]);
    }
    Mutation::Extensions(first, headers)
}

impl Case {
    /// The frame.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut parts = self.advert.clone();
        for mutation in &self.mutations {
            mutation.apply(&mut parts);
        }
        parts.bytes()
    }

    /// The same without one of its mutations, each in turn.
    pub(crate) fn with_one_less(&self) -> Vec<Self> {
        let less = |at| {
            let mut fewer = self.clone();
            fewer.mutations.remove(at);
            fewer
        };
        (0..self.mutations.len()).map(less).collect()
    }
}

impl Mutation {
    fn apply(&self, parts: &mut Parts) {
        match self {
            Self::DestinationMac(mac) => parts.destination_mac = *mac,
            Self::SourceMac(mac) => parts.source_mac = *mac,
            Self::Tags(tags) => parts.tags.clone_from(tags),
            Self::EtherType(ethertype) => parts.ethertype = Some(*ethertype),
            Self::Source(source) => parts.source = *source,
            Self::Destination(destination) => parts.destination = *destination,
            Self::Ttl(ttl) => parts.ttl = *ttl,
            Self::Protocol(protocol) => parts.protocol = *protocol,
            Self::IpVersion(version) => parts.version = Some(*version),
            Self::HeaderWords(words) => parts.ihl = Some(*words),
            Self::Options(options) => parts.options.clone_from(options),
            Self::Extensions(first, headers) => {
                parts.protocol = *first;
                parts.extensions.clone_from(headers);
            }
            Self::Fragment(word) => parts.fragment = *word,
            Self::WrongLength(by) => parts.lie = *by,
            Self::WrongHeaderChecksum(by) => parts.damage = *by,
            Self::Byte(at, value) => {
                if let Some(byte) = parts.pdu.get_mut(*at) {
                    *byte = *value;
                }
            }
            Self::Addresses(count) => parts.list(*count),
            Self::CutMessage(len) => parts.pdu.truncate(*len),
            Self::LongerMessage(bytes) => parts.pdu.extend(std::iter::repeat_n(0x5a, *bytes)),
            Self::Checksum(form) => parts.form = *form,
            Self::ChecksumField(value) => {
                if let Some(field) = parts.pdu.get_mut(6..8) {
                    field.copy_from_slice(value);
                }
                parts.form = Form::AsItIs;
            }
            Self::Padding(bytes) => parts.padding = vec![0xa5; *bytes],
            Self::FlipBit(bit) => parts.flips.push(*bit),
            Self::CutFrame(len) => parts.length = Some(*len),
            Self::Noise(bytes) => {
                parts.pdu.clone_from(bytes);
                parts.form = Form::AsItIs;
            }
            Self::Raw(bytes) => parts.raw = Some(bytes.clone()),
        }
    }
}

impl Parts {
    /// List `count` addresses, and say so.
    fn list(&mut self, count: u8) {
        let Some((head, rest)) = self.pdu.split_first_chunk::<8>() else {
            return;
        };
        let mut pdu = head.to_vec();
        pdu[3] = count;
        for last in 0..count {
            if self.source.is_ipv4() {
                pdu.extend([10, 0, 0, last]);
            } else {
                pdu.extend([0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last]);
            }
        }
        if pdu[0] == 0x21 {
            pdu.extend(rest.last_chunk::<8>().unwrap_or(&[0; 8]));
        }
        self.pdu = pdu;
    }
}
