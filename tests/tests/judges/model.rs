//! The virtual routers that both judges know: those of the packet tables, and what these lack.

use std::net::IpAddr;

use vrrp_common::id::{Family, Version};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::{Peer, TtlRange};
use vrrp_daemon::proto::Model;
use vrrp_daemon::proto::model::{LinkId, Transport, VirtualRouter, XdpMode};
use vrrp_daemon::xdp::Place;

use crate::packets::bench::{LOOPBACK, model, router};

/// Our network card.
pub(crate) const OURS: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// The one that some peers are pinned to.
pub(crate) const PINNED: [u8; 6] = [2, 0, 0, 0, 0, 7];

/// The interface itself, VLAN 10 on it, and VLAN 10 within service VLAN 20; with the tags that lead there.
pub(crate) const LINKS: [(&str, &[(u16, u16)]); 3] = [
    ("lo", &[]),
    ("lo.10", &[(0x8100, 10)]),
    ("lo.20.10", &[(0x88a8, 20), (0x8100, 10)]),
];

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Those of [`model`] keep their numbers; the first one here has 11.
pub(crate) fn wide_model() -> (Model, Vec<Place>) {
    let (mut model, mut places) = model();
    let peer = |address, (min, max), mac: Option<[u8; 6]>| Peer {
        address: ip(address),
        ttl: TtlRange { min, max },
        mac: mac.map(Mac),
    };
    let unicast = |source, peers, check_source| Transport::Unicast {
        source: Some(ip(source)),
        peers,
        ttl: 255,
        check_source,
    };
    let group = |group| Transport::Multicast {
        group: ip(group),
        source: None,
    };
    let v3 = |vrid, transport| router(vrid, Version::V3, 100, Auth::None, transport);
    let any = (0, 255);
    let on_vlan = |link, router| VirtualRouter {
        link: LinkId(link),
        ..router
    };
    let mut v6 = v3(
        64,
        unicast(
            "fe80::2",
            vec![
                peer("fe80::1", (255, 255), Some(PINNED)),
                peer("fe80::9", any, None),
            ],
            true,
        ),
    );
    v6.family = Family::V6;
    let mut empty = router(66, Version::V2, 100, Auth::None, group("224.0.0.18"));
    empty.addresses.clear();
    let mut off = v3(68, group("224.0.0.18"));
    off.uncommon.xdp = XdpMode::Off;
    let pass = Auth::Pass(*b"secret\0\0");
    let more = [
        // VRID 53 is at our other address too, with other peers.
        v3(
            53,
            unicast(
                "192.0.2.3",
                vec![
                    peer("192.0.2.7", (255, 255), Some(PINNED)),
                    peer("192.0.2.8", any, None),
                ],
                true,
            ),
        ),
        v6,
        on_vlan(1, v3(51, group("224.0.0.18"))),
        on_vlan(
            2,
            v3(51, unicast("192.0.2.2", vec![peer("192.0.2.1", any, None)], true)),
        ),
        empty,
        router(
            67,
            Version::V2,
            25_500,
            pass,
            unicast("192.0.2.2", vec![peer("192.0.2.1", any, Some(PINNED))], false),
        ),
        off,
        v3(52, group("239.1.2.3")),
    ];
    for router in more {
        places.push(Place {
            ifindex: Some(LOOPBACK),
            vlan: [0, 10, (0x1000 | 20) << 13 | 10][router.link.index()],
            source: match &router.transport {
                Transport::Unicast { source, .. } => *source,
                Transport::Multicast { .. } => None,
            },
            ..Place::default()
        });
        model.routers.push(router);
    }
    model.links = LINKS.iter().map(|(name, _)| (*name).to_owned()).collect();
    for (router, place) in model.routers.iter().zip(&mut places) {
        // Of VRID 67 our network card is not known.
        place.mac = (router.vrid.value() != 67).then_some(Mac(OURS));
    }
    (model, places)
}
