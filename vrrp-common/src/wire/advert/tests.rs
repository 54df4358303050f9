use core::net::IpAddr;
use std::vec::Vec;

use proptest::prelude::{any, prop, proptest};

use super::{ChecksumForm, Datagram, parse, peek};
use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;
use crate::wire::auth::Auth;
use crate::wire::ethernet::Mac;
use crate::wire::golden::{self, bytes, ip};
use crate::wire::ladder::{Peer, Refusal, Rules, Sources, TtlRange};

#[test]
fn golden_adverts_say_what_they_say() {
    for golden in golden::ALL {
        let pdu = bytes(golden.hex);
        let datagram = Datagram {
            source_mac: None,
            source: ip(golden.source),
            destination: ip(golden.destination),
            ttl: 255,
            pdu: &pdu,
        };
        let advert = parse(&datagram, &golden.rules()).unwrap();
        assert_eq!(advert.version, golden.version, "{}", golden.name);
        assert_eq!(advert.vrid, Vrid::new(golden.vrid).unwrap(), "{}", golden.name);
        assert_eq!(advert.priority, Priority(golden.priority), "{}", golden.name);
        assert_eq!(advert.interval.value(), golden.centis, "{}", golden.name);
        assert_eq!(advert.checksum, golden.checksum, "{}", golden.name);
        assert_eq!(
            advert.ips().collect::<Vec<_>>(),
            golden.addresses(),
            "{}",
            golden.name
        );
        assert_eq!(peek(&pdu).unwrap().vrid, advert.vrid);
    }
}

/// A received message and the rules it meets, open to damage.
#[derive(Clone)]
struct Case {
    source: IpAddr,
    source_mac: Option<Mac>,
    ttl: u8,
    pdu: Vec<u8>,
    peers: Vec<Peer>,
    version: Version,
    auth: Auth,
    interval: u16,
    /// Compute the checksum anew after the damage, so that it is not the checksum that shows it.
    repair: bool,
}

impl Case {
    /// A message that holds every rule: all rungs have something to refuse in version 2.
    fn v2() -> Self {
        Self {
            source: ip("192.0.2.1"),
            source_mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            ttl: 255,
            pdu: bytes("2133960201013169 c0000264 c0000265 6162636465666768"),
            peers: [Peer {
                mac: Some(Mac([2, 0, 0, 0, 0, 1])),
                address: ip("192.0.2.1"),
                ttl: TtlRange { min: 254, max: 255 },
            }]
            .into(),
            version: Version::V2,
            auth: Auth::Pass(*b"abcdefgh"),
            interval: 100,
            repair: true,
        }
    }

    /// A version 3 message, checksum over the message alone.
    fn v3() -> Self {
        Self {
            pdu: bytes("310ac8020064828a c0000201 c0000202"),
            version: Version::V3,
            auth: Auth::None,
            ..Self::v2()
        }
    }

    fn verdict(&self) -> Result<Centis, Refusal> {
        let mut pdu = self.pdu.clone();
        if self.repair && pdu.len() >= 8 {
            repair(&mut pdu);
        }
        let rules = Rules {
            version: self.version,
            family: Family::V4,
            sources: Sources::Listed(&self.peers),
            auth: self.auth,
            interval: Centis::new(self.interval).unwrap(),
            may_be_empty: false,
        };
        let datagram = Datagram {
            source_mac: self.source_mac,
            source: self.source,
            destination: ip("192.0.2.2"),
            ttl: self.ttl,
            pdu: &pdu,
        };
        parse(&datagram, &rules).map(|advert| advert.interval)
    }
}

/// Checksum over the message alone, summed the slow way.
fn repair(pdu: &mut [u8]) {
    pdu[6..8].fill(0);
    let mut sum: u32 = 0;
    for (at, byte) in pdu.iter().enumerate() {
        sum += u32::from(*byte) << if at % 2 == 0 { 8 } else { 0 };
        sum = (sum & 0xffff) + (sum >> 16);
    }
    pdu[6..8].copy_from_slice(&(!u16::try_from(sum).unwrap()).to_be_bytes());
}

/// What makes a good message a bad one.
type Damage = fn(&mut Case);

/// One fault per rung, in ladder order ("fragment" is in `ipv4`).
const FAULTS: [(Refusal, Damage); 14] = [
    (Refusal::Truncated, |case| case.pdu.truncate(7)),
    (Refusal::Version, |case| case.pdu[0] = 0x40 | case.pdu[0] & 0x0f),
    (Refusal::Type, |case| case.pdu[0] = case.pdu[0] & 0xf0 | 2),
    (Refusal::Vrid, |case| case.pdu[1] = 0),
    (Refusal::Source, |case| case.source = ip("192.0.2.3")),
    (Refusal::Mac, |case| {
        case.source_mac = Some(Mac([2, 0, 0, 0, 0, 9]))
    }),
    (Refusal::Ttl, |case| case.ttl = 253),
    (Refusal::RouterVersion, |case| case.version = Version::V3),
    (Refusal::Count, |case| case.pdu[3] = 0),
    (Refusal::Length, |case| case.pdu.push(0)),
    (Refusal::Checksum, |case| {
        case.repair = false;
        case.pdu[6] ^= 0x10;
    }),
    (Refusal::AuthType, |case| case.pdu[4] = 0),
    (Refusal::AuthPassword, |case| *case.pdu.last_mut().unwrap() ^= 1),
    (Refusal::Interval, |case| case.pdu[5] = 2),
];

#[test]
fn each_rung_refuses_its_own_fault() {
    assert_eq!(Case::v2().verdict(), Ok(Centis::DEFAULT));
    for (refusal, damage) in FAULTS {
        let mut case = Case::v2();
        damage(&mut case);
        assert_eq!(case.verdict(), Err(refusal));
    }
}

/// The kernel and the daemon must give one reason for the same bytes: the earlier rung's.
#[test]
fn of_two_faults_the_earlier_rung_is_named() {
    for (first, (refusal, damage)) in FAULTS.iter().enumerate() {
        for (later, damage_too) in FAULTS.iter().skip(first + 1) {
            let mut case = Case::v2();
            damage_too(&mut case);
            damage(&mut case);
            assert_eq!(case.verdict(), Err(*refusal), "{refusal:?} and {later:?}");
        }
    }
}

/// A raw socket does not tell the sender's MAC address; a pin asks nothing of what nobody knows.
#[test]
fn a_path_that_does_not_tell_the_mac_address_is_not_asked_for_it() {
    let mut case = Case::v2();
    case.source_mac = None;
    assert_eq!(case.verdict(), Ok(Centis::DEFAULT));
}

#[test]
fn the_ladder_is_numbered_in_its_order() {
    for (at, (refusal, _)) in FAULTS.iter().enumerate() {
        assert_eq!(Refusal::ALL[at + 1], *refusal);
    }
    for (at, refusal) in Refusal::ALL.iter().enumerate() {
        assert_eq!(usize::from(refusal.number()), at);
    }
}

/// Every length but the right one, shorter and longer.
#[test]
fn only_the_exact_length_will_do() {
    for length in 0..64 {
        let mut case = Case::v2();
        case.pdu.resize(length, 0);
        let expected = match length {
            0..8 => Err(Refusal::Truncated),
            // The last bytes, password and all, are there.
            24 => Ok(Centis::DEFAULT),
            _ => Err(Refusal::Length),
        };
        assert_eq!(case.verdict(), expected, "{length} bytes");
    }
    let mut case = Case::v3();
    case.pdu.resize(70_000, 0);
    assert_eq!(case.verdict(), Err(Refusal::Length));
}

/// Regression, seen in uvrrpd: version 3 has no authentication data, also when the checksum covers it.
#[test]
fn a_version_3_message_with_version_2_trailer_is_refused() {
    assert_eq!(Case::v3().verdict(), Ok(Centis::DEFAULT));
    let mut case = Case::v3();
    case.pdu.extend([0; 8]);
    assert_eq!(case.verdict(), Err(Refusal::Length));
}

/// Regression, seen in holo: the TTL was read and never looked at.
#[test]
fn multicast_is_accepted_with_ttl_255_only() {
    let golden = &golden::ALL[5];
    let pdu = bytes(golden.hex);
    let rules = Rules {
        sources: Sources::OnLink,
        ..golden.rules()
    };
    for ttl in 0..=255 {
        let datagram = Datagram {
            source_mac: None,
            source: ip(golden.source),
            destination: ip(golden.destination),
            ttl,
            pdu: &pdu,
        };
        let expected = if ttl == 255 { None } else { Some(Refusal::Ttl) };
        assert_eq!(parse(&datagram, &rules).err(), expected, "TTL {ttl}");
    }
}

/// keepalived 2.2.7's advert of an instance without addresses: accepted by one without, refused by any other.
#[test]
fn an_advert_without_addresses() {
    let mut pdu = [0x21, 51, 255, 0, 0, 1, 0xdf, 0xca, 0, 0, 0, 0, 0, 0, 0, 0];
    let verdict = |pdu: &[u8], version, may_be_empty| {
        let rules = Rules {
            version,
            family: Family::V4,
            sources: Sources::OnLink,
            auth: Auth::None,
            interval: Centis::DEFAULT,
            may_be_empty,
        };
        let datagram = Datagram {
            source_mac: None,
            source: ip("192.0.2.1"),
            destination: ip("224.0.0.18"),
            ttl: 255,
            pdu,
        };
        parse(&datagram, &rules).map(|advert| advert.lists(&[]))
    };
    assert_eq!(verdict(&pdu, Version::V2, true), Ok(true));
    assert_eq!(verdict(&pdu, Version::V2, false), Err(Refusal::Count));
    assert_eq!(verdict(&pdu, Version::V3, true), Err(Refusal::RouterVersion));
    assert_eq!(verdict(&pdu[..12], Version::V2, true), Err(Refusal::Length));
    pdu[0] = 0x31;
    assert_eq!(verdict(&pdu[..8], Version::V3, true), Err(Refusal::Count));
}

#[test]
fn sources_and_their_ttls() {
    let golden = &golden::ALL[6];
    let pdu = bytes(golden.hex);
    let peers = [
        Peer {
            mac: None,
            address: ip("192.0.2.9"),
            ttl: TtlRange::ANY,
        },
        Peer {
            mac: None,
            address: ip("192.0.2.1"),
            ttl: TtlRange { min: 60, max: 64 },
        },
    ];
    let listed = Sources::Listed(&peers);
    let table = [
        (listed, "192.0.2.1", 60, None),
        (listed, "192.0.2.1", 64, None),
        (listed, "192.0.2.1", 59, Some(Refusal::Ttl)),
        (listed, "192.0.2.1", 65, Some(Refusal::Ttl)),
        (listed, "192.0.2.7", 64, Some(Refusal::Source)),
        // Another source, another pseudo-header: it got past its rung.
        (listed, "192.0.2.9", 1, Some(Refusal::Checksum)),
        (Sources::Listed(&[]), "192.0.2.1", 255, Some(Refusal::Source)),
        (Sources::Anyone, "192.0.2.1", 1, None),
        (Sources::Anyone, "192.0.2.7", 1, Some(Refusal::Checksum)),
        (Sources::Anyone, "fe80::1", 255, Some(Refusal::Source)),
        (Sources::OnLink, "192.0.2.1", 255, None),
    ];
    for (sources, source, ttl, expected) in table {
        let rules = Rules {
            sources,
            ..golden.rules()
        };
        let datagram = Datagram {
            source_mac: None,
            source: ip(source),
            destination: ip(golden.destination),
            ttl,
            pdu: &pdu,
        };
        assert_eq!(
            parse(&datagram, &rules).err(),
            expected,
            "{sources:?} {source} {ttl}"
        );
    }
}

/// keepalived before 1.3.6 sums 224.0.0.18 into a unicast message.
#[test]
fn a_unicast_message_summed_for_the_group_is_accepted_and_named() {
    let golden = &golden::ALL[6];
    let pdu = bytes("3135c8010019a1af c000026f");
    let datagram = Datagram {
        source_mac: None,
        source: ip(golden.source),
        destination: ip(golden.destination),
        ttl: 255,
        pdu: &pdu,
    };
    let advert = parse(&datagram, &golden.rules()).unwrap();
    assert_eq!(advert.checksum, ChecksumForm::PseudoGroup);
}

/// Regression, seen in FRR: the four bits above the interval are reserved, to be ignored. All 65536 values.
#[test]
fn version_3_interval_is_twelve_bits_of_centiseconds() {
    for code in 0..=u16::MAX {
        let mut case = Case::v3();
        case.pdu[4..6].copy_from_slice(&code.to_be_bytes());
        let expected = Centis::new(code % 4_096).ok_or(Refusal::Interval);
        assert_eq!(case.verdict(), expected, "{code:04x}");
    }
}

/// Regression, seen in holo and vrrp-rs: a version 2 interval of 1 is a second and not 10 ms. All 256 values.
#[test]
fn version_2_interval_is_seconds() {
    for secs in 0..=255_u8 {
        let mut case = Case::v2();
        case.pdu[5] = secs;
        case.interval = u16::from(secs.max(1)) * 100;
        let expected = if secs == 0 {
            Err(Refusal::Interval)
        } else {
            Ok(u16::from(secs) * 100)
        };
        assert_eq!(case.verdict().map(Centis::value), expected, "{secs} s");
    }
    let mut case = Case::v2();
    case.interval = 1;
    assert_eq!(case.verdict(), Err(Refusal::Interval), "1 s is not 1 cs");
}

/// RFC 9568 §7.1: a version 3 interval other than ours is adopted, never refused (holo refuses it).
#[test]
fn version_3_interval_may_differ_from_ours() {
    let mut case = Case::v3();
    case.interval = 25;
    assert_eq!(case.verdict(), Ok(Centis::DEFAULT));
}

#[test]
fn authentication_types() {
    let none = Auth::None;
    let pass = Auth::Pass(*b"abcdefgh");
    // Ours, type on the wire, verdict.
    let table = [
        (none, 0, None),
        (none, 1, Some(Refusal::AuthType)),
        (none, 2, Some(Refusal::AuthType)),
        (pass, 0, Some(Refusal::AuthType)),
        (pass, 1, None),
        (pass, 2, Some(Refusal::AuthType)),
        (pass, 255, Some(Refusal::AuthType)),
    ];
    for (auth, wire_type, expected) in table {
        let mut case = Case::v2();
        case.auth = auth;
        case.pdu[4] = wire_type;
        assert_eq!(case.verdict().err(), expected, "{auth:?} {wire_type}");
    }
    // Version 3 has none; what the router would demand in version 2 is not looked at.
    let mut case = Case::v3();
    case.auth = pass;
    assert_eq!(case.verdict(), Ok(Centis::DEFAULT));
}

#[test]
fn address_lists_are_compared_in_any_order() {
    let mut pdu = bytes("310ac8030064828a c0000201 c0000202 c0000203");
    repair(&mut pdu);
    let datagram = Datagram {
        source_mac: None,
        source: ip("192.0.2.251"),
        destination: ip("224.0.0.18"),
        ttl: 255,
        pdu: &pdu,
    };
    let advert = parse(&datagram, &golden::ALL[1].rules()).unwrap();
    let (a, b, c, d) = (ip("192.0.2.1"), ip("192.0.2.2"), ip("192.0.2.3"), ip("192.0.2.4"));
    assert_eq!(advert.ips().len(), 3);
    assert!(advert.lists(&[a, b, c]));
    assert!(advert.lists(&[c, a, b]));
    assert!(!advert.lists(&[a, b]));
    assert!(!advert.lists(&[a, b, d]));
    assert!(!advert.lists(&[a, b, c, d]));
    assert!(!advert.lists(&[a, b, b]), "an address twice is not two addresses");
    assert!(!advert.lists(&[a, b, c, c]), "nor are three addresses four");
    assert!(!advert.lists(&[]));
}

proptest! {
    /// Regression, seen in FRR: an assertion that a packet could reach.
    #[test]
    fn no_bytes_make_it_panic(
        pdu in prop::collection::vec(any::<u8>(), 0..128),
        version in prop::bool::ANY,
        v6 in prop::bool::ANY,
        ttl in any::<u8>(),
    ) {
        let endpoint = if v6 { ip("fe80::1") } else { ip("192.0.2.1") };
        let rules = Rules {
            version: if version { Version::V2 } else { Version::V3 },
            family: Family::of(endpoint),
            sources: Sources::Anyone,
            auth: Auth::None,
            interval: Centis::DEFAULT, may_be_empty: false,
};
        let datagram = Datagram { source_mac: None, source: endpoint, destination: endpoint, ttl, pdu: &pdu };
        let _ = parse(&datagram, &rules);
        let _ = crate::wire::ethernet::parse(&pdu);
        let _ = crate::wire::arp::parse(&pdu);
        let _ = crate::wire::ipv4::parse(&pdu).map(|packet| packet.datagram());
        let _ = crate::wire::ipv6::parse(&pdu).map(|packet| crate::wire::ndisc::parse(&packet));
    }

    /// The same with a plausible head, so that the later rungs are reached.
    #[test]
    fn no_damage_to_a_good_advert_makes_it_panic(
        at in 0_usize..24,
        byte in any::<u8>(),
        length in 0_usize..40,
    ) {
        let mut case = Case::v2();
        case.pdu[at] = byte;
        case.pdu.resize(length, 0);
        let _ = case.verdict();
    }
}
