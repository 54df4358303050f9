use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoBond, InfoData, InfoKind, LinkAttribute, LinkHeader, LinkInfo, LinkLayerType, LinkMessage,
};
use vrrp_common::time::MonoNanos;

use super::super::LinkEvent;
use super::super::proof::Proofs;
use super::Table;
use crate::proto::model::{LinkId, Model};

const BOND: u32 = 5;
const NOW: MonoNanos = MonoNanos(1);

/// A table that watches `bond0` and `eth0`, and has told all of nothing.
fn table() -> Table {
    let model = Model {
        links: vec!["bond0".into(), "eth0".into()],
        ..Model::default()
    };
    let mut table = Table::new(&model, &[], Proofs::default());
    let _ = table.changes(NOW);
    table
}

fn device(index: u32, name: &str, attributes: Vec<LinkAttribute>) -> RouteNetlinkMessage {
    let mut message = LinkMessage::default();
    message.header = LinkHeader {
        index,
        link_layer_type: LinkLayerType::Ether,
        ..LinkHeader::default()
    };
    message.attributes = vec![LinkAttribute::IfName(name.into())];
    message.attributes.extend(attributes);
    RouteNetlinkMessage::NewLink(message)
}

fn bond(active: Option<u32>) -> RouteNetlinkMessage {
    let mut info = vec![LinkInfo::Kind(InfoKind::Bond)];
    info.extend(active.map(|index| LinkInfo::Data(InfoData::Bond(vec![InfoBond::ActivePort(index)]))));
    device(BOND, "bond0", vec![LinkAttribute::LinkInfo(info)])
}

fn member(index: u32, of: Option<u32>) -> RouteNetlinkMessage {
    let attributes = of.map(LinkAttribute::Controller).into_iter().collect();
    device(index, &format!("p{index}"), attributes)
}

/// What is told of members and VLANs.
fn told(table: &mut Table, messages: &[RouteNetlinkMessage]) -> Vec<LinkEvent> {
    for message in messages {
        table.apply(message, false);
    }
    let mut events = table.changes(NOW);
    events.retain(|event| matches!(event, LinkEvent::Member { .. } | LinkEvent::Vlans { .. }));
    events
}

fn moved(ifindex: u32, joined: bool) -> LinkEvent {
    LinkEvent::Member {
        link: LinkId(0),
        ifindex,
        joined,
    }
}

#[test]
fn devices_of_a_bond_are_told_as_they_join_and_leave() {
    let mut table = table();
    let both = [
        bond(None),
        member(7, Some(BOND)),
        member(8, Some(BOND)),
        member(9, None),
    ];
    assert_eq!(told(&mut table, &both), [moved(7, true), moved(8, true)]);
    assert_eq!(told(&mut table, &[member(7, None)]), [moved(7, false)]);
    assert_eq!(told(&mut table, &[member(7, Some(BOND))]), [moved(7, true)]);
}

/// The kernel drops what the others of an active-backup bond hear.
#[test]
fn of_an_active_backup_bond_the_active_device_alone_is_told() {
    let mut table = table();
    let both = [bond(Some(7)), member(7, Some(BOND)), member(8, Some(BOND))];
    assert_eq!(told(&mut table, &both), [moved(7, true)]);
    let mut failover = told(&mut table, &[bond(Some(8))]);
    failover.sort_by_key(|event| matches!(event, LinkEvent::Member { ifindex: 8, .. }));
    assert_eq!(failover, [moved(7, false), moved(8, true)]);
}

/// A port's frames are the bridge's only when they are sent to it.
#[test]
fn ports_of_a_bridge_are_no_members() {
    let mut table = table();
    let bridge = device(
        BOND,
        "bond0",
        vec![LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Bridge)])],
    );
    assert_eq!(told(&mut table, &[bridge, member(7, Some(BOND))]), []);
}

#[test]
fn vlan_devices_on_an_interface_are_told() {
    let mut table = table();
    let vlan = |below: Vec<LinkAttribute>| {
        let mut attributes = below;
        attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Vlan)]));
        device(9, "eth0.10", attributes)
    };
    let events = [device(6, "eth0", vec![]), vlan(vec![LinkAttribute::Link(6)])];
    let some = |some| LinkEvent::Vlans {
        link: LinkId(1),
        some,
    };
    assert_eq!(told(&mut table, &events), [some(true)]);
    // The same number in another namespace is another device.
    let elsewhere = vlan(vec![LinkAttribute::Link(6), LinkAttribute::LinkNetNsId(0)]);
    assert_eq!(told(&mut table, &[elsewhere]), [some(false)]);
}
