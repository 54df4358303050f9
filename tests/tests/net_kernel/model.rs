//! Configurations and a cabled host for these tests.

use std::net::IpAddr;
use std::time::Duration;

use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::ladder::{Peer, TtlRange};
use vrrp_daemon::proto::model::{
    AddressExtra, Announce, LinkId, Model, Preempt, RouterId, Transport, Uncommon, V3Checksum,
    VirtualAddress, VirtualRouter,
};
use vrrp_tests::lab::{Capture, Host, Lab, Port};

/// The first virtual router of a model.
pub(crate) const FIRST: RouterId = RouterId(0);
/// The first link of a model, "bond0".
pub(crate) const BOND0: LinkId = LinkId(0);
/// Until something that should happen has to have happened.
pub(crate) const LIMIT: Duration = Duration::from_secs(10);

/// A host cabled to a switch.
pub(crate) struct Cabled {
    pub(crate) host: Host,
    pub(crate) port: Port,
    pub(crate) capture: Capture,
}

/// Put a host with "bond0" and these addresses on the network "front".
pub(crate) fn cable(lab: &Lab, name: &str, addresses: &[&str]) -> Cabled {
    let host = lab.host(name).unwrap();
    let port = lab.connect(&host, "bond0", "front", addresses).unwrap();
    let capture = port.capture().unwrap();
    Cabled { host, port, capture }
}

/// A switch with the network "front".
pub(crate) fn lab() -> Lab {
    let lab = Lab::new().unwrap();
    lab.network("front").unwrap();
    lab
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn model(routers: Vec<VirtualRouter>) -> Model {
    Model {
        links: vec!["bond0".to_owned()],
        routers,
        ..Model::default()
    }
}

/// Version 3, 25 cs, priority 200, multicast on bond0.
pub(crate) fn router(vrid: u8, addresses: &[&str]) -> VirtualRouter {
    let addresses: Vec<_> = addresses.iter().map(|address| vip(address)).collect();
    let family = addresses
        .first()
        .map_or(Family::V4, |vip| Family::of(vip.address));
    let group = match family {
        Family::V4 => ip("224.0.0.18"),
        Family::V6 => ip("ff02::12"),
    };
    VirtualRouter {
        name: format!("VI_{vrid}"),
        link: BOND0,
        vrid: Vrid::new(vrid).unwrap(),
        version: Version::V3,
        family,
        priority: Priority(200),
        interval: Centis::new(25).unwrap(),
        initially_master: false,
        preempt: Preempt::After(Nanos::ZERO),
        down_adverts: 3,
        auth: Auth::None,
        transport: Transport::Multicast { group, source: None },
        v3_checksum: V3Checksum::PseudoHeader,
        addresses,
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

/// `ADDRESS[/PREFIX]` on bond0.
pub(crate) fn vip(text: &str) -> VirtualAddress {
    let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
    let address = ip(address);
    let whole = if address.is_ipv4() { 32 } else { 128 };
    VirtualAddress {
        address,
        prefix: prefix.parse().unwrap_or(whole),
        link: BOND0,
        label: None,
        scope: 0,
        broadcast: None,
        dad: false,
        extra: AddressExtra::default(),
    }
}

pub(crate) fn unicast(source: &str, peers: &[&str]) -> Transport {
    Transport::Unicast {
        source: Some(ip(source)),
        peers: peers
            .iter()
            .map(|peer| Peer {
                mac: None,
                address: ip(peer),
                ttl: TtlRange::ANY,
            })
            .collect(),
        ttl: 255,
        check_source: true,
    }
}
