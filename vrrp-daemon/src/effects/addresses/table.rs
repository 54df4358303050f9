//! What is held (addresses, routes, rules) with everything prepared that can be: requests and frames, rebuilt
//! when a link changes and not while anybody waits.

use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, Ipv6Addr};

use nix::errno::Errno;
use vrrp_common::wire::ethernet::Mac;

use super::LinkChange;
use crate::effects::announce::Frame;
use crate::proto::model::{
    Carried, Holding, LinkId, Model, RouterId, VirtualAddress, VirtualRoute, VirtualRule,
};
use crate::sys::address::{Entry, Wanted};
use crate::sys::interface::PromoteSecondaries;
use crate::sys::netlink::Request;
use crate::sys::packet_sock::PacketSender;
use crate::sys::{interface, route, rule};

/// Links, and what every virtual router holds; the static items are the last holder's.
#[derive(Debug)]
pub(super) struct Table {
    links: Vec<Link>,
    routers: Vec<Vec<Item>>,
    /// The places of each router's items, in the order in which they are removed.
    leaving: Vec<Vec<usize>>,
}

#[derive(Debug)]
struct Link {
    name: String,
    ifindex: Option<u32>,
    mac: Option<Mac>,
    up: bool,
    sender: Option<PacketSender>,
    /// A virtual router on it has `promote_secondaries`.
    promotes: bool,
    promoting: Option<PromoteSecondaries>,
}

impl Link {
    fn set_promotion(&mut self) {
        self.promoting = match (self.promotes, self.promoting.take()) {
            (true, None) => self.ifindex.and_then(PromoteSecondaries::set),
            (true, known) => known,
            (false, _) => None,
        };
    }
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
    /// Came with the last additions.
    pub(super) fresh: bool,
    /// Waits for its turn to be announced.
    pub(super) waits: bool,
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
    /// Somebody else removed it.
    Lost,
    /// Was there before we asked.
    Found,
    /// We added it.
    Added,
}

/// Addresses that the kernel keeps together: those of one network on one interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Subnet {
    pub(super) ifindex: u32,
    prefix: u8,
    /// The network's bits alone.
    network: u32,
}

/// What a link's news means for what is on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    None,
    /// It is to be asked for, and announced again.
    Again,
}

impl Presence {
    pub(super) fn is_there(self) -> bool {
        matches!(self, Self::Found | Self::Added)
    }
}

impl Item {
    /// How it is announced, if it is there: on which interface, whether by ARP, and the frame.
    pub(super) fn announcement(&self) -> Option<(LinkId, bool, Frame)> {
        let What::Address(address) = &self.what else {
            return None;
        };
        let frame = self.frame.filter(|_| self.presence.is_there())?;
        Some((address.link, address.address.is_ipv4(), frame))
    }

    /// The IPv4 subnet it is in, unless it is alone in it: removing the first address of one takes the others
    /// along. `ifindexes` by link.
    pub(super) fn subnet(&self, ifindexes: &[Option<u32>]) -> Option<Subnet> {
        let What::Address(address) = &self.what else {
            return None;
        };
        let network = Subnet::network(address)?;
        Some(Subnet {
            ifindex: ifindexes.get(address.link.index()).copied().flatten()?,
            prefix: address.prefix,
            network,
        })
    }

    /// What an IPv6 address is to the kernel: one of these has one prefix length. `ifindexes` by link.
    pub(super) fn v6(&self, ifindexes: &[Option<u32>]) -> Option<(u32, Ipv6Addr)> {
        let What::Address(address) = &self.what else {
            return None;
        };
        let IpAddr::V6(ip) = address.address else {
            return None;
        };
        Some((ifindexes.get(address.link.index()).copied().flatten()?, ip))
    }

    /// Whether this is the same IPv6 address, put there by somebody else with another prefix length; on which
    /// interface.
    pub(super) fn has_other_prefix(&self, entry: &Entry, ifindexes: &[Option<u32>]) -> Option<LinkId> {
        let What::Address(address) = &self.what else {
            return None;
        };
        let (ifindex, ip) = self.v6(ifindexes)?;
        let prefix = address.extra.peer.map_or(address.prefix, |peer| peer.length);
        let same = entry.ifindex == ifindex && entry.address == IpAddr::V6(ip);
        (same && entry.prefix != prefix && !self.owner).then_some(address.link)
    }

    /// It was found on the host, and whose it is makes a difference: an owner may have it on its own.
    pub(super) fn may_be_the_hosts(&self) -> bool {
        self.owner && self.presence == Presence::Found && matches!(self.what, What::Address(_))
    }

    /// Whether this is the same address, put there by us (`IFA_PROTO`): an earlier process of this daemon's.
    pub(super) fn was_put_there(&self, entry: &Entry, ifindexes: &[Option<u32>]) -> bool {
        let What::Address(address) = &self.what else {
            return false;
        };
        let here = ifindexes.get(address.link.index()).copied().flatten() == Some(entry.ifindex);
        here && entry.ours && entry.address == address.address
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

/// Whether this is what the kernel answers when it is not there to be removed, or its interface is not.
pub(super) fn is_gone(carried: Carried, errno: Errno) -> bool {
    match carried {
        Carried::Address(_) => matches!(errno, Errno::EADDRNOTAVAIL | Errno::ENODEV),
        // The gateway of one that is not there may not be to be reached either.
        Carried::Route(_) => {
            matches!(
                errno,
                Errno::ESRCH | Errno::ENODEV | Errno::ENETDOWN | Errno::ENETUNREACH | Errno::EHOSTUNREACH
            )
        }
        Carried::Rule(_) => errno == Errno::ENOENT,
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
            fresh: false,
            waits: false,
        })
}

/// Rules and routes go before addresses, the last added first. So do addresses, save those of a subnet beyond its
/// first: they stand at the end of the kernel's list and are looked for from its begin, so the first added is the first
/// found. The subnet's first comes after them, for it would take them along, or the kernel would promote one.
fn leaving(items: &[Item]) -> Vec<usize> {
    let mut subnets = HashSet::new();
    let (mut routing, mut seconds, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for (place, item) in items.iter().enumerate() {
        let What::Address(address) = &item.what else {
            routing.push(place);
            continue;
        };
        match Subnet::network(address) {
            Some(network) if !subnets.insert((address.link, address.prefix, network)) => seconds.push(place),
            _ => others.push(place),
        }
    }
    let routing = routing.into_iter().rev();
    routing.chain(seconds).chain(others.into_iter().rev()).collect()
}

impl Subnet {
    /// The network's bits alone, of an IPv4 address that others can share a subnet with.
    fn network(address: &VirtualAddress) -> Option<u32> {
        let IpAddr::V4(ip) = address.address else {
            return None;
        };
        let host_bits = 32_u32
            .checked_sub(u32::from(address.prefix))
            .filter(|bits| *bits > 0)?;
        Some(ip.to_bits().checked_shr(host_bits).unwrap_or(0))
    }
}

impl Table {
    pub(super) fn new(model: &Model) -> Self {
        let promotes: HashSet<_> = model
            .routers
            .iter()
            .filter(|router| router.uncommon.promote_secondaries)
            .map(|router| router.link)
            .collect();
        let links = (0..).map(LinkId).zip(&model.links).map(|(id, name)| Link {
            name: name.clone(),
            ifindex: None,
            mac: None,
            up: false,
            sender: None,
            promotes: promotes.contains(&id),
            promoting: None,
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
        let leaving = routers.iter().map(|items| leaving(items)).collect();
        Self {
            links,
            routers,
            leaving,
        }
    }

    /// A table for a new model, with what this one knows of links of the same names; those that it does not know
    /// are looked up. Nothing counts as being there yet.
    pub(super) fn successor(&mut self, model: &Model) -> Self {
        let mut next = Self::new(model);
        let known = self.links.drain(..).map(|link| (link.name.clone(), link));
        let mut known: HashMap<_, _> = known.collect();
        for (id, name) in (0..).map(LinkId).zip(&model.links) {
            match known.remove(name) {
                Some(link) => {
                    if let Some(place) = next.links.get_mut(id.index()) {
                        let promotes = place.promotes;
                        *place = Link { promotes, ..link };
                        place.set_promotion();
                    }
                    next.prepare_requests(id);
                    next.prepare_frames(id);
                }
                None => {
                    // What is about to be told anyway; addresses that move here should not wait for it.
                    let (ifindex, mac) = (interface::index_of(name), interface::mac_of(name));
                    let up = ifindex.is_some();
                    let _ = next.set_link(id, LinkChange { ifindex, mac, up });
                }
            }
        }
        next
    }

    /// Every item, by holder.
    pub(super) fn all(&mut self) -> impl Iterator<Item = (RouterId, &mut [Item])> {
        let routers = self.routers.iter_mut().map(Vec::as_mut_slice);
        (0..).map(RouterId).zip(routers)
    }

    /// By link.
    pub(super) fn ifindexes(&self) -> Vec<Option<u32>> {
        self.links.iter().map(|link| link.ifindex).collect()
    }

    pub(super) fn items(&mut self, router: RouterId) -> &mut [Item] {
        self.routers
            .get_mut(router.index())
            .map(Vec::as_mut_slice)
            .unwrap_or_default()
    }

    /// The places of what `router` holds, in the order in which it is removed.
    pub(super) fn leaving(&self, router: RouterId) -> &[usize] {
        self.leaving
            .get(router.index())
            .map(Vec::as_slice)
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
        let held =
            move |item: &&Item| item.is_on(link) && item.presence.is_there() && item.goes_with_the_router();
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

    /// Prepare everything on `link` anew.
    pub(super) fn set_link(&mut self, id: LinkId, change: LinkChange) -> News {
        let Some(link) = self.links.get_mut(id.index()) else {
            return News::None;
        };
        let LinkChange { ifindex, mac, up } = change;
        let came_up = up && !link.up;
        link.up = up;
        if (link.ifindex, link.mac) == (ifindex, mac) {
            return if came_up { News::Again } else { News::None };
        }
        link.mac = mac;
        if link.ifindex != ifindex {
            link.ifindex = ifindex;
            link.promoting = None;
            link.set_promotion();
            // Without a socket the addresses are added all the same, and each round says that it was not
            // announced.
            link.sender = ifindex.and_then(|ifindex| PacketSender::open(ifindex).ok());
            self.prepare_requests(id);
        }
        self.prepare_frames(id);
        News::Again
    }

    fn prepare_requests(&mut self, id: LinkId) {
        for item in on_link(&mut self.routers, id) {
            item.presence = Presence::Absent;
            item.prepare(&self.links);
        }
    }

    fn prepare_frames(&mut self, id: LinkId) {
        let Some(link) = self.links.get(id.index()) else {
            return;
        };
        // Only IPv6 says whether the sender is a router, and to ask is to read a file.
        let mut router = None;
        for item in on_link(&mut self.routers, id) {
            let What::Address(address) = &item.what else {
                continue;
            };
            let address = address.address;
            let router =
                address.is_ipv6() && *router.get_or_insert_with(|| interface::forwards(&link.name, address));
            item.frame = link.mac.map(|mac| Frame::new(address, mac, router));
        }
    }
}

fn on_link(routers: &mut [Vec<Item>], link: LinkId) -> impl Iterator<Item = &mut Item> {
    routers.iter_mut().flatten().filter(move |item| item.is_on(link))
}

impl Requests {
    fn address(address: &VirtualAddress, ifindex: u32) -> Self {
        let wanted = Wanted::new(address, ifindex);
        Self {
            add: wanted.add(),
            remove: wanted.remove(),
        }
    }
}
