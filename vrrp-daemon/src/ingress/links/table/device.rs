//! A network device, and how it hangs together with others.

use std::collections::{BTreeSet, HashMap};

use netlink_packet_route::link::{
    InfoBond, InfoData, InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkLayerType, LinkMessage,
};
use vrrp_common::wire::ethernet::Mac;

use super::super::proof::Received;

#[derive(Debug)]
pub(super) struct Device {
    pub(super) name: String,
    pub(super) mac: Option<Mac>,
    /// Operational.
    pub(super) up: bool,
    /// Switched on: without that there are no IPv4 routes over it.
    pub(super) on: bool,
    /// What has arrived so far, if it counts.
    pub(super) received: Option<Received>,
    /// What arrives at its members arrives here: a bond or a team.
    gathers: bool,
    /// Of a bond whose other members are silent: the one that is used.
    active: Option<u32>,
    /// The device it belongs to, of whatever kind.
    belongs_to: Option<u32>,
    /// It is a VLAN of this device.
    vlan_of: Option<u32>,
}

impl Device {
    /// As the kernel tells of it.
    pub(super) fn read(name: String, link: &LinkMessage) -> Self {
        let mac = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::Address(bytes) => bytes.as_slice().try_into().ok().map(Mac),
            _ => None,
        });
        let ethernet = link.header.link_layer_type == LinkLayerType::Ether;
        // RUNNING says that it is operational, which for a bond or a bridge means: through some port.
        let up = LinkFlags::Up | LinkFlags::Running | LinkFlags::LowerUp;
        Self {
            name,
            mac: mac.filter(|_| ethernet),
            up: link.header.flags.contains(up),
            on: link.header.flags.contains(LinkFlags::Up),
            received: Received::read(link),
            gathers: false,
            active: None,
            belongs_to: None,
            vlan_of: None,
        }
        .related(link)
    }

    /// Read the parts that have to do with other devices.
    fn related(mut self, link: &LinkMessage) -> Self {
        let (mut below, mut elsewhere, mut vlan) = (None, false, false);
        for attribute in &link.attributes {
            match attribute {
                LinkAttribute::Controller(index) => self.belongs_to = Some(*index),
                LinkAttribute::Link(index) => below = Some(*index),
                // The number is another namespace's.
                LinkAttribute::LinkNetNsId(_) => elsewhere = true,
                LinkAttribute::LinkInfo(infos) => {
                    for info in infos {
                        match info {
                            LinkInfo::Kind(kind) => {
                                vlan |= *kind == InfoKind::Vlan;
                                self.gathers |= *kind == InfoKind::Bond
                                    || matches!(kind, InfoKind::Other(name) if name == "team");
                            }
                            LinkInfo::Data(InfoData::Bond(bond)) => {
                                self.active = bond.iter().find_map(|info| match info {
                                    InfoBond::ActivePort(index) if *index != 0 => Some(*index),
                                    _ => None,
                                });
                            }
                            _ => {}
                        }
                    }
                }
                _ => {}
            }
        }
        self.vlan_of = below.filter(|_| vlan && !elsewhere);
        self
    }
}

/// What hangs together with an interface.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Around {
    /// Of a bond: its devices, or the one in use.
    pub(super) members: BTreeSet<u32>,
    /// There are VLAN devices on it.
    pub(super) vlans: bool,
}

impl Around {
    /// Of the interface of this name.
    pub(super) fn of(name: &str, devices: &HashMap<u32, Device>) -> Self {
        let mut around = Self::default();
        if let Some((index, bond)) = devices.iter().find(|(_, device)| device.name == name) {
            for (other, device) in devices {
                // What the others of an active-backup bond hear is dropped by the kernel, too.
                let used = bond.active.is_none_or(|active| active == *other);
                if bond.gathers && used && device.belongs_to == Some(*index) {
                    around.members.insert(*other);
                }
                around.vlans |= device.vlan_of == Some(*index);
            }
        }
        around
    }
}
