//! What is held (addresses, routes, rules) with everything prepared that can be: requests and frames, rebuilt
//! when a link changes and not while anybody waits.

use std::net::IpAddr;

use nix::errno::Errno;
use vrrp_common::wire::ethernet::Mac;

use super::LinkChange;
use crate::effects::announce::Frame;
use crate::proto::model::{
    Carried, Holding, LinkId, Model, RouterId, VirtualAddress, VirtualRoute, VirtualRule,
};
use crate::sys::address::Wanted;
use crate::sys::netlink::Request;
use crate::sys::packet_sock::PacketSender;
use crate::sys::{interface, route, rule};

/// Links, and what every virtual router holds; the static items are the last holder's.
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

/// One thing that a virtual router holds. They stand in the order in which they are added.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) carried: Carried,
    what: What,
    /// The router's priority is 255: this may be the interface's own address.
    owner: bool,
    /// `None` while an interface of it is missing.
    pub(super) requests: Option<Requests>,
    /// `None` where there is nobody to announce to, or nothing to announce.
    pub(super) frame: Option<Frame>,
    pub(super) presence: Presence,
}

#[derive(Debug)]
enum What {
    Address(VirtualAddress),
    Route(VirtualRoute),
    Rule(VirtualRule),
}

#[derive(Debug)]
pub(super) struct Requests {
    pub(super) add: Request,
    pub(super) remove: Request,
}

/// What we know of an item on the host.
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
    /// The interface that it is announced on.
    pub(super) fn announced_on(&self) -> Option<LinkId> {
        match &self.what {
            What::Address(address) => Some(address.link),
            What::Route(_) | What::Rule(_) => None,
        }
    }

    /// Whether it is on this interface, or leads there.
    fn is_on(&self, link: LinkId) -> bool {
        match &self.what {
            What::Address(address) => address.link == link,
            What::Route(route) => route.links().any(|way| way == link),
            What::Rule(_) => false,
        }
    }

    /// Whether giving up the virtual router takes this away: always, except that an owner keeps the addresses
    /// that it had on its own, and that nothing is taken of somebody else's routes and rules.
    pub(super) fn goes_with_the_router(&self) -> bool {
        let kept = match self.what {
            What::Address(_) => self.owner,
            // A route that is the same to the kernel may lead elsewhere.
            What::Route(_) | What::Rule(_) => false,
        };
        !kept || self.presence == Presence::Added
    }

    /// What the kernel answers when it is not there to be removed, or its interface is not.
    pub(super) fn is_gone(&self, errno: Errno) -> bool {
        match self.what {
            What::Address(_) => matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV),
            What::Route(_) => matches!(errno, Errno::ESRCH | Errno::ENODEV | Errno::ENETDOWN),
            What::Rule(_) => matches!(errno, Errno::ENOENT),
        }
    }

    fn prepare(&mut self, links: &[Link]) {
        let ifindex = |link: LinkId| links.get(link.index())?.ifindex;
        self.requests = match &self.what {
            What::Address(address) => {
                ifindex(address.link).map(|ifindex| Requests::address(address, ifindex))
            }
            What::Route(route) => route::add(route, ifindex)
                .zip(route::remove(route, ifindex))
                .map(|(add, remove)| Requests { add, remove }),
            What::Rule(rule) => Some(Requests {
                add: rule::add(rule),
                remove: rule::remove(rule),
            }),
        };
    }
}

/// Everything that a holder adds, in order: addresses before the routes that need them, routes before the rules
/// that lead to them.
fn items_of(holding: Holding<'_>) -> impl Iterator<Item = Item> {
    let addresses = holding.addresses().map(|address| {
        let carried = Carried::Address(address.address);
        (carried, What::Address(address.clone()))
    });
    let routes = (0..).zip(holding.routes);
    let routes = routes.map(|(index, route)| (Carried::Route(index), What::Route(route.clone())));
    let rules = (0..).zip(holding.rules);
    let rules = rules.map(|(index, rule)| (Carried::Rule(index), What::Rule(rule.clone())));
    addresses
        .chain(routes)
        .chain(rules)
        .map(move |(carried, what)| Item {
            carried,
            what,
            owner: holding.owner,
            requests: None,
            frame: None,
            presence: Presence::Absent,
        })
}

impl Table {
    pub(super) fn new(model: &Model) -> Self {
        let links = model.links.iter().map(|name| Link {
            name: name.clone(),
            ifindex: None,
            mac: None,
            sender: None,
        });
        let links: Vec<_> = links.collect();
        let mut routers: Vec<Vec<_>> = model
            .holders()
            .map(|(_, holding)| items_of(holding).collect())
            .collect();
        // Rules need no interface, nor do some routes.
        for item in routers.iter_mut().flatten() {
            item.prepare(&links);
        }
        Self { links, routers }
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

    /// The requests that remove what is on `link` and goes with its router, in order.
    pub(super) fn held_on(&self, link: LinkId) -> impl Iterator<Item = &Request> {
        let items = self.routers.iter().flatten();
        let held = move |item: &&Item| {
            item.is_on(link) && item.presence != Presence::Absent && item.goes_with_the_router()
        };
        items
            .filter(held)
            .filter_map(|item| Some(&item.requests.as_ref()?.remove))
    }

    /// Virtual routers with something on `link`.
    pub(super) fn routers_on(&self, link: LinkId) -> Vec<RouterId> {
        let routers = (0..).map(RouterId).zip(&self.routers);
        routers
            .filter(|(_, items)| items.iter().any(|item| item.is_on(link)))
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
                item.prepare(&self.links);
            }
        }
        let name = self.links.get(id.index()).map_or("", |link| &link.name);
        for item in on_link(&mut self.routers, id) {
            if let What::Address(address) = &item.what {
                item.frame = change.mac.map(|mac| announcement(address.address, mac, name));
            }
        }
        true
    }
}

fn on_link(routers: &mut [Vec<Item>], link: LinkId) -> impl Iterator<Item = &mut Item> {
    routers.iter_mut().flatten().filter(move |item| item.is_on(link))
}

/// Only IPv6 says whether the sender is a router.
fn announcement(address: IpAddr, mac: Mac, link: &str) -> Frame {
    let router = address.is_ipv6() && interface::forwards(link, address);
    Frame::new(address, mac, router)
}

impl Requests {
    fn address(address: &VirtualAddress, ifindex: u32) -> Self {
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
