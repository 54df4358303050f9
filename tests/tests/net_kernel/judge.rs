//! Whose is a message, and does it hold? The raw path and the XDP ring both ask [`Judge`].

use vrrp_common::id::{Priority, Version, Vrid};
use vrrp_common::time::{Centis, MonoNanos};
use vrrp_common::wire::advert::{ChecksumForm, Datagram};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::emit::{Message, emit};
use vrrp_common::wire::ladder::Refusal;
use vrrp_daemon::ingress::judge::{Judge, Judged};
use vrrp_daemon::proto::Clue;
use vrrp_daemon::proto::model::{LinkId, RouterId, Transport};

use super::model::{BOND0, ip, model, router, unicast};

const AT: MonoNanos = MonoNanos(7);

fn advert(vrid: u8, source: &str, destination: &str, addresses: &[&str]) -> Vec<u8> {
    let addresses: Vec<_> = addresses.iter().map(|address| ip(address)).collect();
    let mut buffer = [0; 128];
    let message = Message {
        version: Version::V3,
        vrid: Vrid::new(vrid).unwrap(),
        priority: Priority(100),
        interval: Centis::DEFAULT,
        auth: Auth::None,
        addresses: &addresses,
        checksum: ChecksumForm::Pseudo,
        source: ip(source),
        destination: ip(destination),
    };
    let length = emit(&mut buffer, &message).unwrap();
    buffer[..length].to_vec()
}

fn judge(judge: &Judge, link: LinkId, source: &str, destination: &str, pdu: &[u8]) -> Judged {
    let datagram = Datagram {
        source_mac: None,
        source: ip(source),
        destination: ip(destination),
        ttl: 255,
        pdu,
    };
    judge.judge(link, &datagram, AT)
}

/// The virtual router that heard it, or the one that refused it and why.
fn outcome(judged: Judged) -> (Option<u16>, Option<Refusal>) {
    match judged {
        Judged::Heard(heard) => {
            assert_eq!((heard.at, heard.priority), (AT, Priority(100)));
            (Some(heard.router.0), None)
        }
        Judged::Refused { router, refusal, .. } => (router.map(|RouterId(id)| id), Some(refusal)),
        Judged::Unchanged { .. } | Judged::Stranger { .. } | Judged::NotOurs => (None, None),
    }
}

/// The same VRID on one interface: by multicast, by unicast to two addresses, and over IPv6.
#[test]
fn the_virtual_router_is_found_by_link_family_vrid_and_destination() {
    let group = router(51, &["192.0.2.100"]);
    let mut one = router(51, &["192.0.2.101"]);
    one.transport = unicast("192.0.2.1", &["192.0.2.2"]);
    let mut two = router(51, &["192.0.2.102"]);
    two.transport = unicast("192.0.2.11", &["192.0.2.12", "192.0.2.13"]);
    let v6 = router(51, &["fe80::51"]);
    let mut elsewhere = router(51, &["192.0.2.104"]);
    elsewhere.link = LinkId(1);
    let mut model = model(vec![group, one, two, v6, elsewhere]);
    model.links.push("bond1".to_owned());
    let judge_all = Judge::new(&model);

    let bond1 = LinkId(1);
    let table = [
        (BOND0, 51, "192.0.2.2", "224.0.0.18", (Some(0), None)),
        (BOND0, 51, "192.0.2.2", "192.0.2.1", (Some(1), None)),
        (BOND0, 51, "192.0.2.13", "192.0.2.11", (Some(2), None)),
        (BOND0, 51, "fe80::2", "ff02::12", (Some(3), None)),
        (bond1, 51, "192.0.2.2", "224.0.0.18", (Some(4), None)),
        // A stranger is refused by the one whose address it wrote to.
        (
            BOND0,
            51,
            "192.0.2.66",
            "192.0.2.1",
            (Some(1), Some(Refusal::Source)),
        ),
        (
            BOND0,
            51,
            "192.0.2.66",
            "192.0.2.11",
            (Some(2), Some(Refusal::Source)),
        ),
        // A peer of the one writes to the other: two addresses are two virtual routers.
        (
            BOND0,
            51,
            "192.0.2.13",
            "192.0.2.1",
            (Some(1), Some(Refusal::Source)),
        ),
        // Unicast to a router that only listens to the group, and the other way round.
        (bond1, 51, "192.0.2.2", "192.0.2.1", (None, None)),
        (BOND0, 51, "192.0.2.2", "224.0.0.19", (None, None)),
        (BOND0, 52, "192.0.2.2", "224.0.0.18", (None, None)),
        (LinkId(2), 51, "192.0.2.2", "224.0.0.18", (None, None)),
    ];
    for (link, vrid, source, destination, expected) in table {
        let vip = if ip(source).is_ipv4() {
            "192.0.2.100"
        } else {
            "fe80::51"
        };
        let pdu = advert(vrid, source, destination, &[vip]);
        let judged = judge(&judge_all, link, source, destination, &pdu);
        assert_eq!(
            outcome(judged),
            expected,
            "{source} to {destination}, VRID {vrid} on {link:?}"
        );
    }
}

#[test]
fn the_source_check_can_be_switched_off() {
    let mut open = router(51, &["192.0.2.100"]);
    open.transport = match unicast("192.0.2.1", &["192.0.2.2"]) {
        Transport::Unicast {
            source, peers, ttl, ..
        } => Transport::Unicast {
            source,
            peers,
            ttl,
            check_source: false,
        },
        multicast @ Transport::Multicast { .. } => multicast,
    };
    let pdu = advert(51, "192.0.2.66", "192.0.2.1", &["192.0.2.100"]);
    let judged = judge(
        &Judge::new(&model(vec![open])),
        BOND0,
        "192.0.2.66",
        "192.0.2.1",
        &pdu,
    );
    assert_eq!(outcome(judged), (Some(0), None));
}

#[test]
fn addresses_are_compared_in_any_order() {
    let mut ours = router(51, &["192.0.2.100", "192.0.2.101"]);
    // Not advertised, so not compared.
    ours.excluded = vec![super::model::vip("192.0.2.200")];
    let judge_ours = Judge::new(&model(vec![ours]));
    let table: [(&[&str], bool); 4] = [
        (&["192.0.2.100", "192.0.2.101"], true),
        (&["192.0.2.101", "192.0.2.100"], true),
        (&["192.0.2.100"], false),
        (&["192.0.2.100", "192.0.2.100"], false),
    ];
    for (theirs, same) in table {
        let pdu = advert(51, "192.0.2.2", "224.0.0.18", theirs);
        match judge(&judge_ours, BOND0, "192.0.2.2", "224.0.0.18", &pdu) {
            Judged::Heard(heard) => assert_eq!(heard.same_addresses, same, "{theirs:?}"),
            other => panic!("{theirs:?}: {other:?}"),
        }
    }
}

#[test]
fn what_names_no_virtual_router_is_refused_by_none() {
    let ours = Judge::new(&model(vec![router(51, &["192.0.2.100"])]));
    let good = advert(51, "192.0.2.2", "224.0.0.18", &["192.0.2.100"]);
    let with = |at: usize, byte: u8| {
        let mut pdu = good.clone();
        pdu[at] = byte;
        pdu
    };
    let table = [
        (Vec::new(), Refusal::Truncated),
        (good[..7].to_vec(), Refusal::Truncated),
        (with(0, 0x41), Refusal::Version),
        (with(0, 0x32), Refusal::Type),
        (with(1, 0), Refusal::Vrid),
    ];
    for (pdu, refusal) in table {
        let judged = judge(&ours, BOND0, "192.0.2.2", "224.0.0.18", &pdu);
        assert_eq!(outcome(judged), (None, Some(refusal)), "{pdu:02x?}");
    }
}

/// What none of ours hears and tells of a mistake: another VRID for our address, the other way of sending, and, if
/// asked for, any VRID that is not configured.
#[test]
fn strangers_are_told_apart() {
    let multicast = router(51, &["192.0.2.100", "192.0.2.101"]);
    let mut direct = router(52, &["192.0.2.110"]);
    direct.transport = unicast("192.0.2.2", &["192.0.2.1"]);
    let mut model = model(vec![multicast, direct]);
    let clue = |rules: &Judge, destination: &str, vrid: u8, addresses: &[&str]| {
        let pdu = advert(vrid, "192.0.2.1", destination, addresses);
        match judge(rules, BOND0, "192.0.2.1", destination, &pdu) {
            Judged::Stranger {
                router,
                source,
                mac: _,
                vrid: named,
                clue,
            } => {
                assert_eq!((source, named.value()), (ip("192.0.2.1"), vrid));
                Some((router.map(|RouterId(id)| id), clue))
            }
            Judged::NotOurs => None,
            other => panic!("{other:?}"),
        }
    };
    let (group, here) = ("224.0.0.18", "192.0.2.2");
    let rules = Judge::new(&model);
    assert_eq!(
        clue(&rules, group, 99, &["192.0.2.100"]),
        Some((Some(0), Clue::OurAddress))
    );
    assert_eq!(
        clue(&rules, here, 99, &["192.0.2.110"]),
        Some((Some(1), Clue::OurAddress))
    );
    assert_eq!(clue(&rules, group, 99, &["192.0.2.9"]), None);
    assert_eq!(
        clue(&rules, group, 52, &["192.0.2.110"]),
        Some((Some(1), Clue::Multicast))
    );
    assert_eq!(
        clue(&rules, here, 51, &["192.0.2.100"]),
        Some((Some(0), Clue::Unicast))
    );
    // Another group with our VRID and address is another virtual router.
    assert_eq!(clue(&rules, "224.0.0.19", 51, &["192.0.2.100"]), None);

    model.log_unknown_vrids = true;
    let rules = Judge::new(&model);
    assert_eq!(
        clue(&rules, group, 99, &["192.0.2.9"]),
        Some((None, Clue::UnknownVrid))
    );
    assert_eq!(
        clue(&rules, group, 99, &["192.0.2.100"]),
        Some((Some(0), Clue::OurAddress))
    );
}
