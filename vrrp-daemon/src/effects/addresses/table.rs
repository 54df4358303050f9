//! The addresses with everything prepared that can be: requests and frames, rebuilt when a link changes and
//! not while anybody waits.

use std::net::IpAddr;

use vrrp_common::wire::ethernet::Mac;

use super::LinkChange;
use crate::effects::announce::Frame;
use crate::proto::model::{LinkId, Model, RouterId, VirtualAddress};
use crate::sys::address::Wanted;
use crate::sys::interface;
use crate::sys::netlink::Request;
use crate::sys::packet_sock::PacketSender;

/// Links and addresses of all virtual routers.
#[derive(Debug)]
pub(super) struct Table {
    links: Vec<Link>,
    routers: Vec<Vec<Item>>,
}

#[derive(Debug)]
struct Link {
    name: String,
    ifindex: Option<u32>,
    mac: Option<Mac>,
    sender: Option<PacketSender>,
}

/// One address of a virtual router.
#[derive(Debug)]
pub(super) struct Item {
    address: VirtualAddress,
    /// The router's priority is 255: this may be the interface's own address.
    owner: bool,
    /// `None` while its interface is missing.
    pub(super) requests: Option<Requests>,
    /// `None` where there is nobody to announce to.
    pub(super) frame: Option<Frame>,
    pub(super) presence: Presence,
}

#[derive(Debug)]
pub(super) struct Requests {
    pub(super) add: Request,
    pub(super) remove: Request,
}

/// What we know of an address on its interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Presence {
    /// Never looked, refused, or removed.
    Absent,
    /// Was there before we asked.
    Found,
    /// We added it.
    Added,
}

impl Item {
    pub(super) fn ip(&self) -> IpAddr {
        self.address.address
    }

    pub(super) fn link(&self) -> LinkId {
        self.address.link
    }

    /// Whether giving up the virtual router takes this address away: always, except that an owner keeps what
    /// it had on its own.
    pub(super) fn goes_with_the_router(&self) -> bool {
        !self.owner || self.presence == Presence::Added
    }
}

impl Table {
    pub(super) fn new(model: &Model) -> Self {
        let links = model.links.iter().map(|name| Link {
            name: name.clone(),
            ifindex: None,
            mac: None,
            sender: None,
        });
        let routers = model.routers.iter().map(|router| {
            let addresses = router.addresses.iter().chain(&router.excluded);
            let items = addresses.map(|address| Item {
                address: address.clone(),
                owner: router.priority.is_owner(),
                requests: None,
                frame: None,
                presence: Presence::Absent,
            });
            items.collect()
        });
        Self {
            links: links.collect(),
            routers: routers.collect(),
        }
    }

    pub(super) fn items(&mut self, router: RouterId) -> &mut [Item] {
        self.routers
            .get_mut(router.index())
            .map(Vec::as_mut_slice)
            .unwrap_or_default()
    }

    pub(super) fn sender(&self, link: LinkId) -> Option<&PacketSender> {
        self.links.get(link.index())?.sender.as_ref()
    }

    /// Whether the change means another interface.
    pub(super) fn moves(&self, id: LinkId, change: LinkChange) -> bool {
        self.links
            .get(id.index())
            .is_some_and(|link| link.ifindex != change.ifindex)
    }

    /// The requests that remove what is on `link` and goes with its router.
    pub(super) fn held_on(&self, link: LinkId) -> impl Iterator<Item = &Request> {
        let items = self.routers.iter().flatten();
        let held = move |item: &&Item| {
            item.link() == link && item.presence != Presence::Absent && item.goes_with_the_router()
        };
        items
            .filter(held)
            .filter_map(|item| Some(&item.requests.as_ref()?.remove))
    }

    /// Virtual routers with an address on `link`.
    pub(super) fn routers_on(&self, link: LinkId) -> Vec<RouterId> {
        let routers = (0..).map(RouterId).zip(&self.routers);
        routers
            .filter(|(_, items)| items.iter().any(|item| item.link() == link))
            .map(|(router, _)| router)
            .collect()
    }

    /// Prepare everything on `link` anew; whether anything is new.
    pub(super) fn set_link(&mut self, id: LinkId, change: LinkChange) -> bool {
        let Some(link) = self.links.get_mut(id.index()) else {
            return false;
        };
        if (link.ifindex, link.mac) == (change.ifindex, change.mac) {
            return false;
        }
        link.mac = change.mac;
        if link.ifindex != change.ifindex {
            link.ifindex = change.ifindex;
            // Without a socket the addresses are added all the same, and each round says that it was not
            // announced.
            link.sender = change
                .ifindex
                .and_then(|ifindex| PacketSender::open(ifindex).ok());
            for item in on_link(&mut self.routers, id) {
                item.presence = Presence::Absent;
                item.requests = change
                    .ifindex
                    .map(|ifindex| Requests::new(&item.address, ifindex));
            }
        }
        for item in on_link(&mut self.routers, id) {
            item.frame = change.mac.map(|mac| announcement(item.ip(), mac, &link.name));
        }
        true
    }
}

fn on_link(routers: &mut [Vec<Item>], link: LinkId) -> impl Iterator<Item = &mut Item> {
    routers
        .iter_mut()
        .flatten()
        .filter(move |item| item.link() == link)
}

/// Only IPv6 says whether the sender is a router.
fn announcement(address: IpAddr, mac: Mac, link: &str) -> Frame {
    let router = address.is_ipv6() && interface::forwards(link, address);
    Frame::new(address, mac, router)
}

impl Requests {
    fn new(address: &VirtualAddress, ifindex: u32) -> Self {
        let wanted = Wanted {
            ifindex,
            address: address.address,
            prefix: address.prefix,
            label: address.label.as_deref(),
            scope: address.scope,
            broadcast: address.broadcast,
            dad: address.dad,
        };
        Self {
            add: wanted.add(),
            remove: wanted.remove(),
        }
    }
}
