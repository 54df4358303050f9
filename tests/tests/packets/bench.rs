//! What the tests of the XDP program share besides frames.

use std::net::IpAddr;

use nix::time::{ClockId, clock_gettime};
use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, MonoNanos};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ladder::{Peer, TtlRange};
use vrrp_daemon::proto::Model;
use vrrp_daemon::proto::model::{
    AddressExtra, Announce, LinkId, Preempt, Transport, Uncommon, V3Checksum, VirtualAddress, VirtualRouter,
};
use vrrp_daemon::xdp::{Place, embedded};
use vrrp_tests::lab::skip;

/// `BPF_PROG_TEST_RUN` hands frames in as if they came from the loopback device.
pub(crate) const LOOPBACK: u32 = 1;

/// A virtual router of which only what the kernel judges by matters.
pub(crate) fn router(
    vrid: u8,
    version: Version,
    interval: u16,
    auth: Auth,
    transport: Transport,
) -> VirtualRouter {
    let family = match &transport {
        Transport::Multicast {
            group: IpAddr::V6(_), ..
        } => Family::V6,
        _ => Family::V4,
    };
    VirtualRouter {
        name: format!("VI_{vrid}"),
        link: LinkId(0),
        vrid: Vrid::new(vrid).unwrap(),
        version,
        family,
        priority: Priority(100),
        interval: Centis::new(interval).unwrap(),
        initially_master: false,
        preempt: Preempt::Never,
        down_adverts: 3,
        auth,
        transport,
        v3_checksum: V3Checksum::PseudoHeader,
        // The program judges no virtual router without addresses. Whether adverts list these is not its business.
        addresses: vec![VirtualAddress {
            address: IpAddr::from([192, 0, 2, 254]),
            prefix: 32,
            link: LinkId(0),
            label: None,
            scope: 0,
            broadcast: None,
            dad: false,
            extra: AddressExtra::default(),
        }],
        excluded: Vec::new(),
        routes: Vec::new(),
        rules: Vec::new(),
        track: Vec::new(),
        track_primary: true,
        announce: Announce::default(),
        advert_on_lower: true,
        advert_on_higher: false,
        group: None,
        uncommon: Uncommon::default(),
    }
}

/// The XDP program in the daemon. Without it there is nothing to test, which is a fault where all must run.
pub(crate) fn object_or_skip() -> Option<&'static [u8]> {
    let object = embedded();
    if object.is_none() {
        skip("the daemon was built without the XDP program; run `cargo xtask build` first");
    }
    object
}

/// CLOCK_MONOTONIC.
pub(crate) fn monotonic() -> MonoNanos {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap();
    MonoNanos(u64::try_from(now.tv_sec() * 1_000_000_000 + now.tv_nsec()).unwrap())
}

/// Our side: 192.0.2.2 (and 192.0.2.251's group), fe80::2.
pub(crate) fn model() -> (Model, Vec<Place>) {
    let peer = |address: &str, ttl| Peer {
        mac: None,
        address: address.parse().unwrap(),
        ttl,
    };
    let unicast = |peers, check_source| Transport::Unicast {
        source: None,
        peers,
        ttl: 255,
        check_source,
    };
    let listed = |address| unicast(vec![peer(address, TtlRange::ANY)], true);
    let group = |address: &str| Transport::Multicast {
        group: address.parse().unwrap(),
        source: None,
    };
    let pass = Auth::Pass(*b"abcdefgh");
    let routers = vec![
        router(51, Version::V2, 100, pass, listed("192.0.2.1")),
        router(52, Version::V3, 25, Auth::None, group("224.0.0.18")),
        router(53, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(10, Version::V3, 100, Auth::None, group("224.0.0.18")),
        router(10, Version::V3, 100, Auth::None, group("ff02::12")),
        router(
            10,
            Version::V3,
            100,
            Auth::None,
            unicast(vec![peer("192.0.2.251", TtlRange { min: 250, max: 254 })], true),
        ),
        router(
            60,
            Version::V3,
            100,
            Auth::None,
            unicast(vec![peer("192.0.2.1", TtlRange::ANY)], false),
        ),
        router(61, Version::V2, 100, Auth::None, group("224.0.0.18")),
        router(62, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(63, Version::V3, 100, Auth::None, listed("192.0.2.1")),
        router(63, Version::V3, 100, Auth::None, listed("192.0.2.7")),
    ];
    let ours = IpAddr::from([192, 0, 2, 2]);
    let places = routers
        .iter()
        .map(|router| Place {
            // VRID 62 lives on another device.
            ifindex: Some(if router.vrid.value() == 62 { 77 } else { LOOPBACK }),
            source: Some(ours),
            ..Place::default()
        })
        .collect();
    (
        Model {
            links: vec!["lo".into()],
            routers,
            groups: Vec::new(),
            ..Model::default()
        },
        places,
    )
}
