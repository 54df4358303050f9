//! Which virtual router of a new configuration is which of the old one.

use std::net::{IpAddr, Ipv4Addr};

use vrrp_common::id::{Priority, Vrid};
use vrrp_common::wire::ladder::{Peer, TtlRange};

use super::fixture::{G0, L0, L1, L2, R0, R1, R2, S0, S1, grouped, model, router};
use crate::proto::Correspondence;
use crate::proto::model::{GroupId, Transport, VirtualRouter};

fn named(name: &str, vrid: u8) -> VirtualRouter {
    VirtualRouter {
        name: name.to_owned(),
        vrid: Vrid::new(vrid).unwrap(),
        ..router(100)
    }
}

fn unicast(name: &str, source: Option<u8>, peer: u8) -> VirtualRouter {
    let host = |last| IpAddr::V4(Ipv4Addr::new(192, 0, 2, last));
    VirtualRouter {
        transport: Transport::Unicast {
            source: source.map(host),
            peers: vec![Peer {
                mac: None,
                address: host(peer),
                ttl: TtlRange::ANY,
            }],
            ttl: 255,
            check_source: true,
        },
        ..named(name, 51)
    }
}

/// The old index of each new router.
fn before(old: Vec<VirtualRouter>, new: Vec<VirtualRouter>) -> Vec<Option<u16>> {
    let count = new.len();
    let found = Correspondence::between(&model(old), &model(new));
    (0..count)
        .map(|index| {
            let old = found.routers.before(u16::try_from(index).unwrap().into());
            old.map(|id| id.0)
        })
        .collect()
}

#[test]
fn order_and_names_do_not_matter() {
    let old = || vec![named("A", 51), named("B", 52)];
    assert_eq!(
        before(old(), vec![named("B", 52), named("A", 51)]),
        [Some(1), Some(0)]
    );
    assert_eq!(
        before(old(), vec![named("B", 51), named("A", 52)]),
        [Some(0), Some(1)]
    );
    assert_eq!(
        before(old(), vec![named("new", 53), named("renamed", 52)]),
        [None, Some(1)]
    );
}

#[test]
fn what_peers_know_it_by_makes_another_router() {
    let elsewhere = VirtualRouter {
        link: L1,
        ..named("A", 51)
    };
    assert_eq!(before(vec![named("A", 51)], vec![named("A", 52)]), [None]);
    assert_eq!(before(vec![named("A", 51)], vec![elsewhere]), [None]);
    let better = VirtualRouter {
        priority: Priority(200),
        ..named("A", 51)
    };
    assert_eq!(before(vec![named("A", 51)], vec![better]), [Some(0)]);
}

#[test]
fn a_name_decides_where_the_place_changed() {
    assert_eq!(
        before(vec![named("A", 51)], vec![unicast("A", Some(1), 2)]),
        [Some(0)]
    );
    assert_eq!(
        before(vec![named("A", 51)], vec![unicast("B", Some(1), 2)]),
        [None]
    );
}

#[test]
fn unicast_routers_of_one_vrid_are_told_apart() {
    let old = || {
        vec![
            unicast("A", Some(1), 11),
            unicast("B", Some(2), 12),
            unicast("C", None, 13),
        ]
    };
    // By source, whatever the names and the order say.
    assert_eq!(
        before(
            old(),
            vec![
                unicast("C", None, 13),
                unicast("A", Some(2), 12),
                unicast("B", Some(1), 11)
            ]
        ),
        [Some(2), Some(1), Some(0)]
    );
    // Without a source by name, then by peers.
    let two = || vec![unicast("A", None, 11), unicast("B", None, 12)];
    assert_eq!(
        before(two(), vec![unicast("B", None, 14), unicast("A", None, 13)]),
        [Some(1), Some(0)]
    );
    assert_eq!(
        before(two(), vec![unicast("D", None, 12), unicast("C", None, 11)]),
        [Some(1), Some(0)]
    );
}

#[test]
fn links_and_scripts_go_by_name_and_groups_by_their_members_too() {
    let old = grouped(vec![named("A", 51), named("B", 52)]);
    let mut new = grouped(vec![named("C", 53), named("B", 52), named("A", 51)]);
    new.links.rotate_left(1);
    for (router, link) in new.routers.iter_mut().zip([L0, L0, L2]) {
        router.link = link;
    }
    new.scripts.remove(0);
    let members = |members: &[_]| crate::proto::model::SyncGroup {
        members: members.to_vec(),
        ..new.groups[0].clone()
    };
    let same_name = members(&[R0]);
    let mut renamed = members(&[R2, R1]);
    renamed.name = "VG_2".to_owned();
    new.groups = vec![renamed];
    let found = Correspondence::between(&old, &new);
    assert_eq!(
        (found.links.before(L0), found.links.before(L2)),
        (Some(L1), Some(L0))
    );
    assert_eq!(
        (found.scripts.before(S0), found.scripts.after(S0)),
        (Some(S1), None)
    );
    assert_eq!(found.routers.after(R0), Some(R2));
    assert_eq!(found.groups.before(G0), Some(G0));
    assert_eq!(found.routers.gone().count(), 0);
    new.groups.push(same_name);
    let found = Correspondence::between(&old, &new);
    assert_eq!(
        (found.groups.before(G0), found.groups.before(GroupId(1))),
        (None, Some(G0))
    );
}
