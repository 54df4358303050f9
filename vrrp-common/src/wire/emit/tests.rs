use core::net::IpAddr;
use std::vec;
use std::vec::Vec;

use proptest::prelude::{Just, Strategy, any, prop, prop_assert, prop_assert_eq, prop_oneof, proptest};

use super::{EmitError, Message, emit, emitted_len, set_priority};
use crate::id::{Family, Priority, Version, Vrid};
use crate::time::Centis;
use crate::wire::advert::{Datagram, parse};
use crate::wire::auth::Auth;
use crate::wire::checksum::ChecksumForm;
use crate::wire::golden::{self, bytes, ip};
use crate::wire::ladder::{Rules, Sources};

/// Emit into a buffer that is longer than needed and not zero: what must be zero is written, what lies
/// behind is left alone.
fn emitted(message: &Message<'_>) -> Result<Vec<u8>, EmitError> {
    let mut buffer = vec![0xa5; 4_096];
    let length = emit(&mut buffer, message)?;
    assert!(buffer[length..].iter().all(|byte| *byte == 0xa5));
    buffer.truncate(length);
    Ok(buffer)
}

fn v3_message(addresses: &[IpAddr]) -> Message<'_> {
    Message {
        version: Version::V3,
        vrid: Vrid::new(51).unwrap(),
        priority: Priority(100),
        interval: Centis::DEFAULT,
        auth: Auth::None,
        addresses,
        checksum: ChecksumForm::Pseudo,
        source: ip("192.0.2.1"),
        destination: ip("224.0.0.18"),
    }
}

#[test]
fn golden_adverts_byte_for_byte() {
    for golden in golden::ALL {
        let addresses = golden.addresses();
        assert_eq!(
            emitted(&golden.message(&addresses)),
            Ok(bytes(golden.hex)),
            "{}",
            golden.name
        );
    }
}

/// What a keepalived before 1.3.6 sends to a unicast peer. By hand: 224.0.0.18 in place of 192.0.2.2 adds
/// e012 - c202 = 1e10 to the sum, so the captured bfbf becomes a1af.
#[test]
fn a_unicast_message_with_the_groups_pseudo_header() {
    let addresses = [ip("192.0.2.111")];
    let message = Message {
        vrid: Vrid::new(53).unwrap(),
        priority: Priority(200),
        interval: Centis::new(25).unwrap(),
        checksum: ChecksumForm::PseudoGroup,
        destination: ip("192.0.2.2"),
        ..v3_message(&addresses)
    };
    assert_eq!(emitted(&message), Ok(bytes("3135c8010019a1af c000026f")));
}

/// IPv6 and version 2 have one reading each, whatever is asked for.
#[test]
fn only_version_3_over_ipv4_has_a_choice_of_checksum() {
    for golden in golden::ALL {
        let addresses = golden.addresses();
        if golden.version == Version::V2 || ip(golden.source).is_ipv6() {
            for checksum in [
                ChecksumForm::Message,
                ChecksumForm::Pseudo,
                ChecksumForm::PseudoGroup,
            ] {
                let message = Message {
                    checksum,
                    ..golden.message(&addresses)
                };
                assert_eq!(emitted(&message), Ok(bytes(golden.hex)), "{}", golden.name);
            }
        }
    }
}

/// keepalived's own next packet is the witness: a Master of priority 200 that stands down.
#[test]
fn a_changed_priority_is_what_keepalived_sends_next() {
    let mut pdu = bytes("3136c8020019db9c fe800000000000000000000000000054 20010db8000000000000000000000054");
    set_priority(&mut pdu, Priority::RELEASE).unwrap();
    assert_eq!(
        pdu,
        bytes("313600020019a39d fe800000000000000000000000000054 20010db8000000000000000000000054")
    );
    assert_eq!(set_priority(&mut pdu[..7], Priority(1)), Err(EmitError::Buffer));
}

#[test]
fn lengths() {
    assert_eq!(emitted_len(Version::V2, Family::V4, 1), 20);
    assert_eq!(emitted_len(Version::V2, Family::V4, 255), 1_036);
    assert_eq!(emitted_len(Version::V3, Family::V4, 1), 12);
    assert_eq!(emitted_len(Version::V3, Family::V6, 2), 40);
    assert_eq!(emitted_len(Version::V3, Family::V6, 255), 4_088);
}

/// Captured from keepalived 2.2.7 with `priority 255` and `no_virtual_ipaddress`.
#[test]
fn version_2_can_do_without_addresses() {
    let message = Message {
        version: Version::V2,
        priority: Priority(255),
        interval: Centis::DEFAULT,
        ..v3_message(&[])
    };
    assert_eq!(
        emitted(&Message {
            vrid: Vrid::new(51).unwrap(),
            ..message
        })
        .unwrap(),
        [0x21, 51, 255, 0, 0, 1, 0xdf, 0xca, 0, 0, 0, 0, 0, 0, 0, 0]
    );
}

#[test]
fn what_the_wire_cannot_say() {
    let one = [ip("192.0.2.100")];
    let v6 = [ip("2001:db8::54")];
    let most = [one[0]; 255];
    let too_many = [one[0]; 256];
    let good = v3_message(&one);
    let v2 = Message {
        version: Version::V2,
        ..good
    };
    let centis = |value| Centis::new(value).unwrap();

    assert_eq!(
        emitted(&Message {
            addresses: &most,
            ..good
        })
        .map(|pdu| pdu.len()),
        Ok(1_028)
    );
    let table = [
        (
            Message {
                addresses: &[],
                ..good
            },
            EmitError::NoAddress,
        ),
        (
            Message {
                addresses: &too_many,
                ..good
            },
            EmitError::TooManyAddresses,
        ),
        (
            Message {
                addresses: &v6,
                ..good
            },
            EmitError::Family,
        ),
        (
            Message {
                source: ip("fe80::1"),
                ..good
            },
            EmitError::Family,
        ),
        (
            Message {
                destination: ip("ff02::12"),
                ..good
            },
            EmitError::Family,
        ),
        (
            Message {
                source: ip("fe80::1"),
                destination: ip("ff02::12"),
                addresses: &v6,
                ..v2
            },
            EmitError::Family,
        ),
        (
            Message {
                interval: centis(4_096),
                ..good
            },
            EmitError::Interval,
        ),
        (
            Message {
                interval: centis(150),
                ..v2
            },
            EmitError::Interval,
        ),
        (
            Message {
                interval: centis(25_600),
                ..v2
            },
            EmitError::Interval,
        ),
    ];
    for (message, expected) in table {
        assert_eq!(emitted(&message), Err(expected), "{message:?}");
    }
    for len in 0..12 {
        assert_eq!(
            emit(&mut vec![0; len], &good),
            Err(EmitError::Buffer),
            "{len} bytes"
        );
    }
}

/// Addresses of one family, at least one.
fn addresses(family: Family) -> impl Strategy<Value = Vec<IpAddr>> {
    let one = match family {
        Family::V4 => any::<[u8; 4]>().prop_map(IpAddr::from).boxed(),
        Family::V6 => any::<[u8; 16]>().prop_map(IpAddr::from).boxed(),
    };
    prop::collection::vec(one, 1..=255)
}

/// Anything that can be sent, with the interval as version 2 or 3 can say it. The endpoints are such that no
/// two readings of the checksum coincide.
fn sendable() -> impl Strategy<Value = (Version, Family, Centis, Vec<IpAddr>)> {
    prop_oneof![
        (Just(Version::V2), Just(Family::V4), 1_u16..=255).prop_map(|(v, f, secs)| (v, f, secs * 100)),
        (Just(Version::V3), Just(Family::V4), 1_u16..=4_095),
        (Just(Version::V3), Just(Family::V6), 1_u16..=4_095),
    ]
    .prop_flat_map(|(version, family, centis)| {
        (
            Just(version),
            Just(family),
            Just(Centis::new(centis).unwrap()),
            addresses(family),
        )
    })
}

proptest! {
    #[test]
    fn what_is_emitted_is_parsed_again(
        (version, family, interval, addresses) in sendable(),
        vrid in 1_u8..=255,
        priority in any::<u8>(),
        later_priority in any::<u8>(),
        password in any::<Option<[u8; 8]>>(),
        form in prop_oneof![
            Just(ChecksumForm::Message),
            Just(ChecksumForm::Pseudo),
            Just(ChecksumForm::PseudoGroup),
        ],
    ) {
        let (source, destination) = match family {
            Family::V4 => (ip("192.0.2.1"), ip("192.0.2.2")),
            Family::V6 => (ip("fe80::1"), ip("ff02::12")),
        };
        let message = Message {
            version,
            vrid: Vrid::new(vrid).unwrap(),
            priority: Priority(priority),
            interval,
            auth: password.map_or(Auth::None, Auth::Pass),
            addresses: &addresses,
            checksum: form,
            source,
            destination,
        };
        let rules = Rules {
            version,
            family,
            sources: Sources::Anyone,
            auth: message.auth,
            interval, may_be_empty: false,
};
        let mut pdu = emitted(&message).unwrap();
        let count = u8::try_from(addresses.len()).unwrap();
        prop_assert_eq!(pdu.len(), emitted_len(version, family, count));

        let parsed = parse(&Datagram { source_mac: None, source, destination, ttl: 255, pdu: &pdu }, &rules).unwrap();
        prop_assert_eq!(parsed.version, version);
        prop_assert_eq!(parsed.vrid.value(), vrid);
        prop_assert_eq!(parsed.priority, Priority(priority));
        prop_assert_eq!(parsed.interval, interval);
        let expected_form = match (version, family) {
            (Version::V2, _) => ChecksumForm::Message,
            (Version::V3, Family::V4) => form,
            (Version::V3, Family::V6) => ChecksumForm::Pseudo,
        };
        prop_assert_eq!(parsed.checksum, expected_form);
        prop_assert_eq!(parsed.ips().collect::<Vec<_>>(), addresses.clone());
        prop_assert!(parsed.lists(&addresses));

        // Changed in place, it is the message that would have been emitted.
        set_priority(&mut pdu, Priority(later_priority)).unwrap();
        let later = Message { priority: Priority(later_priority), ..message };
        prop_assert_eq!(pdu, emitted(&later).unwrap());
    }
}
