//! Adverts as published and as captured from keepalived, with what they say: read in one direction, written
//! in the other.

use core::net::IpAddr;
use std::vec::Vec;

use super::auth::Auth;
use super::checksum::ChecksumForm;
use super::emit::Message;
use super::ladder::{Rules, Sources};
use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;

/// One advert and its meaning.
pub(super) struct Golden {
    pub(super) name: &'static str,
    pub(super) source: &'static str,
    pub(super) destination: &'static str,
    pub(super) version: Version,
    pub(super) vrid: u8,
    pub(super) priority: u8,
    pub(super) centis: u16,
    pub(super) auth: Auth,
    pub(super) checksum: ChecksumForm,
    pub(super) addresses: &'static [&'static str],
    /// Bytes in hexadecimal, spaces between the fields' groups.
    pub(super) hex: &'static str,
}

pub(super) const ALL: [Golden; 10] = [
    Golden {
        name: "G1: version 2, two addresses, no authentication",
        source: "192.0.2.251",
        destination: "224.0.0.18",
        version: Version::V2,
        vrid: 10,
        priority: 200,
        centis: 100,
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: &["192.0.2.1", "192.0.2.2"],
        hex: "210ac802000192ed c0000201 c0000202 0000000000000000",
    },
    Golden {
        name: "G2: version 3 over IPv4, checksum as RFC 9568 reads",
        source: "192.0.2.251",
        destination: "224.0.0.18",
        version: Version::V3,
        vrid: 10,
        priority: 200,
        centis: 100,
        auth: Auth::None,
        checksum: ChecksumForm::Message,
        addresses: &["192.0.2.1", "192.0.2.2"],
        hex: "310ac8020064828a c0000201 c0000202",
    },
    Golden {
        name: "G2c: the same with the pseudo-header",
        source: "192.0.2.251",
        destination: "224.0.0.18",
        version: Version::V3,
        vrid: 10,
        priority: 200,
        centis: 100,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["192.0.2.1", "192.0.2.2"],
        hex: "310ac8020064defb c0000201 c0000202",
    },
    Golden {
        name: "G3: version 3 over IPv6",
        source: "fe80::c8",
        destination: "ff02::12",
        version: Version::V3,
        vrid: 10,
        priority: 100,
        centis: 100,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["fe80::1", "2001:db8::1"],
        hex: "310a640200643f5d fe800000000000000000000000000001 20010db8000000000000000000000001",
    },
    Golden {
        name: "keepalived 2.2.7: version 2 with password abcdefghIJ",
        source: "192.0.2.1",
        destination: "224.0.0.18",
        version: Version::V2,
        vrid: 51,
        priority: 150,
        centis: 100,
        auth: Auth::Pass(*b"abcdefgh"),
        checksum: ChecksumForm::Message,
        addresses: &["192.0.2.100", "192.0.2.101"],
        hex: "2133960201013169 c0000264 c0000265 6162636465666768",
    },
    Golden {
        name: "keepalived 2.2.7: version 3, multicast, 25 cs",
        source: "192.0.2.1",
        destination: "224.0.0.18",
        version: Version::V3,
        vrid: 52,
        priority: 200,
        centis: 25,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["192.0.2.110"],
        hex: "3134c8010019a1b1 c000026e",
    },
    Golden {
        name: "keepalived 2.2.7: version 3, unicast",
        source: "192.0.2.1",
        destination: "192.0.2.2",
        version: Version::V3,
        vrid: 53,
        priority: 200,
        centis: 25,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["192.0.2.111"],
        hex: "3135c8010019bfbf c000026f",
    },
    Golden {
        // The capture's link-local source was not kept; this one has the same sum.
        name: "keepalived 2.2.7: version 3 over IPv6, first capture",
        source: "fe80::e59e",
        destination: "ff02::12",
        version: Version::V3,
        vrid: 54,
        priority: 200,
        centis: 25,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["fe80::54", "2001:db8::54"],
        hex: "3136c8020019f5fe fe800000000000000000000000000054 20010db8000000000000000000000054",
    },
    Golden {
        name: "keepalived 2.2.7: version 3 over IPv6, second capture",
        source: "fe80::1",
        destination: "ff02::12",
        version: Version::V3,
        vrid: 54,
        priority: 200,
        centis: 25,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["fe80::54", "2001:db8::54"],
        hex: "3136c8020019db9c fe800000000000000000000000000054 20010db8000000000000000000000054",
    },
    Golden {
        name: "keepalived 2.2.7: the same Master stands down",
        source: "fe80::1",
        destination: "ff02::12",
        version: Version::V3,
        vrid: 54,
        priority: 0,
        centis: 25,
        auth: Auth::None,
        checksum: ChecksumForm::Pseudo,
        addresses: &["fe80::54", "2001:db8::54"],
        hex: "313600020019a39d fe800000000000000000000000000054 20010db8000000000000000000000054",
    },
];

/// Bytes from hexadecimal text.
pub(super) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex
        .bytes()
        .filter(|byte| !byte.is_ascii_whitespace())
        .map(|byte| u8::try_from(char::from(byte).to_digit(16).unwrap()).unwrap())
        .collect();
    digits
        .as_chunks::<2>()
        .0
        .iter()
        .map(|[high, low]| high << 4 | low)
        .collect()
}

pub(super) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

impl Golden {
    pub(super) fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(|text| ip(text)).collect()
    }

    pub(super) fn message<'a>(&self, addresses: &'a [IpAddr]) -> Message<'a> {
        Message {
            version: self.version,
            vrid: Vrid::new(self.vrid).unwrap(),
            priority: Priority(self.priority),
            interval: Centis::new(self.centis).unwrap(),
            auth: self.auth,
            addresses,
            checksum: self.checksum,
            source: ip(self.source),
            destination: ip(self.destination),
        }
    }

    /// Rules under which it is accepted, whoever sent it.
    pub(super) fn rules(&self) -> Rules<'static> {
        Rules {
            version: self.version,
            family: Family::of(ip(self.source)),
            sources: Sources::Anyone,
            auth: self.auth,
            interval: Centis::new(self.centis).unwrap(),
            may_be_empty: false,
        }
    }
}
