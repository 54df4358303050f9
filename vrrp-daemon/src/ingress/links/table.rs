//! What the kernel has told, and what of it has been passed on. No I/O.

mod device;

use std::collections::{HashMap, HashSet};
use std::iter::repeat;
use std::mem;
use std::net::IpAddr;

use netlink_packet_route::link::{LinkAttribute, LinkMessage};
use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use vrrp_common::id::Family;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;

use super::LinkEvent;
use super::held::Held;
use super::proof::{Proofs, Received, Seen, Up};
use super::routing::{Routing, Ways};
use crate::config::LinkDelays;
use crate::proto::LinkState;
use crate::proto::model::{Carried, LinkId, Model, RouterId, Transport};
use crate::sys::address::{Entry, is_link_local};
use device::{Around, Device};

/// Interfaces and addresses of the host, as far as they concern our virtual routers.
#[derive(Debug)]
pub(super) struct Table {
    links: Vec<Link>,
    routers: Vec<Router>,
    vips: HashMap<IpAddr, Vec<Vip>>,
    routing: Routing,
    ways: Ways,
    /// IPv4 addresses by interface: without one there are no IPv4 routes over it.
    v4: HashMap<u32, HashSet<(IpAddr, u8)>>,
    devices: HashMap<u32, Device>,
    /// Addresses that may be a source, by interface, in the kernel's order.
    addresses: HashMap<u32, Vec<Entry>>,
    /// Virtual addresses, routes and rules that are there.
    present: HashSet<(RouterId, Carried)>,
    /// `present` as it was before a resync.
    before: HashSet<(RouterId, Carried)>,
    /// Those that came (`true`) or went since the last report.
    moved: Vec<(RouterId, Carried, bool)>,
    proofs: Proofs,
    /// Something changed that links or sources depend on.
    dirty: bool,
}

#[derive(Debug)]
struct Link {
    name: String,
    told: Option<(Option<u32>, Option<Mac>, LinkState)>,
    held: Held,
    /// While it is up and has received nothing: since when.
    unproven: Option<MonoNanos>,
    told_proven: bool,
    /// Somebody waits for it to receive something, for so long after that at most.
    patience: Nanos,
    around: Around,
}

#[derive(Debug)]
struct Router {
    link: LinkId,
    family: Family,
    /// The source that the configuration demands.
    configured: Option<IpAddr>,
    /// That need not be there: what goes to a group is sent from any IPv4 address, and its answers come to the group.
    borrowed: bool,
    /// IPv6: the peers are beyond the link-local scope, so a source of their scope is needed.
    routed: bool,
    told: Option<Option<IpAddr>>,
}

#[derive(Debug)]
struct Vip {
    router: RouterId,
    link: LinkId,
    /// Somebody else's of another prefix length is another one.
    prefix: u8,
    /// It may be the interface's own address.
    owner: bool,
    /// It is there whoever is Master (`static_ipaddress`).
    fixed: bool,
}

impl Table {
    pub(super) fn new(model: &Model, delays: &[LinkDelays], proofs: Proofs) -> Self {
        let mut vips: HashMap<_, Vec<_>> = HashMap::new();
        for (id, holding) in model.holders() {
            for address in holding.addresses() {
                let vip = Vip {
                    router: id,
                    link: address.link,
                    prefix: address.extra.peer.map_or(address.prefix, |peer| peer.length),
                    owner: holding.owner,
                    fixed: id == model.statics_id(),
                };
                vips.entry(address.address).or_default().push(vip);
            }
        }
        let routers = model.routers.iter().map(|router| {
            let (configured, peer) = match &router.transport {
                Transport::Multicast { source, .. } => (*source, None),
                Transport::Unicast { source, peers, .. } => (*source, peers.first()),
            };
            Router {
                link: router.link,
                family: router.family,
                configured,
                borrowed: matches!(router.transport, Transport::Multicast { .. })
                    && !router.uncommon.source_is_tracked,
                routed: peer.is_some_and(|peer| !link_local(peer.address)),
                told: None,
            }
        });
        let delays = delays.iter().copied().chain(repeat(LinkDelays::default()));
        let links = (0..).map(LinkId).zip(&model.links).zip(delays);
        Self {
            links: links
                .map(|((id, name), delays)| Link {
                    name: name.clone(),
                    told: None,
                    held: Held::new(delays),
                    unproven: None,
                    told_proven: false,
                    patience: longest_hold(model, id).map_or(Nanos::ZERO, |hold| delays.up + hold),
                    around: Around::default(),
                })
                .collect(),
            routers: routers.collect(),
            vips,
            routing: Routing::new(model),
            ways: Ways::default(),
            v4: HashMap::new(),
            devices: HashMap::new(),
            addresses: HashMap::new(),
            present: HashSet::new(),
            before: HashSet::new(),
            moved: Vec::new(),
            proofs,
            dirty: true,
        }
    }

    /// Forget what the kernel told; it will tell everything again.
    pub(super) fn begin_resync(&mut self) {
        self.devices.clear();
        self.addresses.clear();
        self.v4.clear();
        self.ways.clear();
        // A resync that broke off had not told anything yet: what was present before it still counts.
        self.before.extend(self.present.drain());
        self.dirty = true;
    }

    /// Everything has been told again: what was present and is not any more was removed meanwhile.
    pub(super) fn end_resync(&mut self) {
        let gone = mem::take(&mut self.before)
            .into_iter()
            .filter(|vip| !self.present.contains(vip));
        self.moved
            .extend(gone.map(|(router, carried)| (router, carried, false)));
    }

    /// What of routes and rules is to be asked for.
    pub(super) fn routing(&self) -> &Routing {
        &self.routing
    }

    /// Take in one message of the kernel. `replaces`: what it tells of took the place of another
    /// (`NLM_F_REPLACE`).
    pub(super) fn apply(&mut self, message: &RouteNetlinkMessage, replaces: bool) {
        match message {
            RouteNetlinkMessage::NewRoute(route) => self.new_route(route, replaces),
            RouteNetlinkMessage::DelRoute(route) => {
                for holder in self.routing.route(route, false).about {
                    self.ways.forget(holder);
                    self.went(holder);
                }
            }
            RouteNetlinkMessage::NewRule(rule) => {
                for holder in self.routing.rule(rule).to_vec() {
                    self.came(holder);
                }
            }
            RouteNetlinkMessage::DelRule(rule) => {
                for holder in self.routing.rule(rule).to_vec() {
                    self.went(holder);
                }
            }
            RouteNetlinkMessage::NewLink(link) => self.new_link(link),
            // A bridge tells of a port that left it in the same words, with its own family.
            RouteNetlinkMessage::DelLink(link) if is_device(link) => {
                self.devices.remove(&link.header.index);
                self.addresses.remove(&link.header.index);
                self.v4.remove(&link.header.index);
                self.routes_gone(link.header.index);
                self.dirty = true;
            }
            RouteNetlinkMessage::NewAddress(address) => {
                if let Some(entry) = Entry::read(address) {
                    self.new_address(entry);
                }
            }
            RouteNetlinkMessage::DelAddress(address) => {
                if let Some(entry) = Entry::read(address) {
                    self.del_address(&entry);
                }
            }
            _ => {}
        }
    }

    fn new_link(&mut self, link: &LinkMessage) {
        let name = link.attributes.iter().find_map(|attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name.clone()),
            _ => None,
        });
        let Some(name) = name.filter(|_| is_device(link)) else {
            return;
        };
        let device = Device::read(name, link);
        let on = device.on;
        let before = self.devices.insert(link.header.index, device);
        if !on && before.is_some_and(|before| before.on) {
            self.routes_gone(link.header.index);
        }
        self.dirty = true;
    }

    /// How much an interface has received: nothing else of this message counts, since events may overtake it.
    pub(super) fn received(&mut self, link: &LinkMessage) {
        if let Some(device) = self.devices.get_mut(&link.header.index) {
            let received = Received::read(link);
            self.dirty |= device.received != received;
            device.received = received;
        }
    }

    /// The indices of the interfaces that somebody waits for to receive something.
    pub(super) fn unproven(&self, now: MonoNanos) -> Vec<u32> {
        let links = self.links.iter();
        let waited = links.filter(|link| link.unproven.is_some_and(|since| now < since + link.patience));
        waited
            .filter_map(|link| link.told.and_then(|told| told.0))
            .collect()
    }

    fn new_route(&mut self, message: &RouteMessage, replaces: bool) {
        let meaning = self.routing.route(message, replaces);
        for holder in meaning.replaced {
            self.ways.forget(holder);
            self.went(holder);
        }
        for holder in meaning.about {
            self.ways.note(holder, &meaning.ifindexes);
            self.came(holder);
        }
    }

    /// The kernel has dropped the IPv4 routes over this interface, and says nothing of it.
    fn routes_gone(&mut self, ifindex: u32) {
        for holder in self.ways.take(ifindex) {
            self.went(holder);
        }
    }

    fn came(&mut self, holder: (RouterId, Carried)) {
        if self.present.insert(holder) {
            self.moved.push((holder.0, holder.1, true));
        }
    }

    fn went(&mut self, holder: (RouterId, Carried)) {
        if self.present.remove(&holder) {
            self.moved.push((holder.0, holder.1, false));
        }
    }

    fn new_address(&mut self, entry: Entry) {
        let vips = self.vips_at(&entry);
        let source = self.may_be_source(&entry);
        for vip in vips {
            self.came(vip);
        }
        if entry.address.is_ipv4() {
            let known = self.v4.entry(entry.ifindex).or_default();
            known.insert((entry.address, entry.prefix));
        }
        if !source {
            return;
        }
        let known = self.addresses.entry(entry.ifindex).or_default();
        match known.iter_mut().find(|known| same(known, &entry)) {
            Some(known) => *known = entry,
            None => known.push(entry),
        }
        self.dirty = true;
    }

    fn del_address(&mut self, entry: &Entry) {
        for vip in self.vips_at(entry) {
            self.went(vip);
        }
        for holder in self.routing.sourced(entry.address).to_vec() {
            self.ways.forget(holder);
            self.went(holder);
        }
        if let Some(known) = self.v4.get_mut(&entry.ifindex)
            && known.remove(&(entry.address, entry.prefix))
            && known.is_empty()
        {
            self.routes_gone(entry.ifindex);
        }
        if let Some(known) = self.addresses.get_mut(&entry.ifindex) {
            known.retain(|known| !same(known, entry));
            self.dirty = true;
        }
    }

    /// The virtual routers whose address this is, on the interface where they want it.
    fn vips_at(&self, entry: &Entry) -> Vec<(RouterId, Carried)> {
        let Some(vips) = self.vips.get(&entry.address) else {
            return Vec::new();
        };
        let device = self.devices.get(&entry.ifindex);
        let here = |vip: &&Vip| {
            let link = self.links.get(vip.link.index());
            link.zip(device)
                .is_some_and(|(link, device)| link.name == device.name)
        };
        vips.iter()
            .filter(|vip| vip.prefix == entry.prefix)
            .filter(here)
            .map(|vip| (vip.router, Carried::Address(entry.address)))
            .collect()
    }

    /// A virtual address is no source, unless it is static, or the owner's and was not put there by us.
    fn may_be_source(&self, entry: &Entry) -> bool {
        match self.vips.get(&entry.address) {
            None => true,
            Some(vips) => vips.iter().all(|vip| vip.fixed || (vip.owner && !entry.ours)),
        }
    }

    /// When there may be something to tell, though the kernel told nothing.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.links.iter().filter_map(|link| link.held.deadline()).min()
    }

    /// What is to be told, links first.
    pub(super) fn changes(&mut self, now: MonoNanos) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        let due = self.deadline().is_some_and(|deadline| deadline <= now);
        if mem::take(&mut self.dirty) || due {
            // Before the links: what a program is told of them depends on it.
            self.changed_around(&mut events);
            self.changed_links(now, &mut events);
            self.changed_sources(&mut events);
        }
        let moved = self.moved.drain(..);
        events.extend(moved.map(|(router, carried, present)| LinkEvent::Carried {
            router,
            carried,
            present,
        }));
        events
    }

    fn changed_links(&mut self, now: MonoNanos, events: &mut Vec<LinkEvent>) {
        for (id, link) in (0..).map(LinkId).zip(&mut self.links) {
            let found = self.devices.iter().find(|(_, device)| device.name == link.name);
            let (ifindex, mac, state) = match found {
                None => (None, None, LinkState::Missing),
                Some((index, device)) if device.up => (Some(*index), device.mac, LinkState::Up),
                Some((index, device)) => (Some(*index), device.mac, LinkState::Down),
            };
            let up = found.filter(|_| state == LinkState::Up);
            let up = up.map(|(index, device)| Up {
                ifindex: *index,
                received: device.received,
            });
            let seen = self.proofs.look(&link.name, up, now);
            let state = link.held.settle(link.told.map(|told| told.2), state, now);
            if link.told.replace((ifindex, mac, state)) != Some((ifindex, mac, state)) {
                events.push(LinkEvent::Link {
                    link: id,
                    ifindex,
                    mac,
                    state,
                });
            }
            link.unproven = match seen {
                Seen::Unproven { since } => Some(since),
                Seen::Down | Seen::Proven => None,
            };
            let proven = seen == Seen::Proven && state == LinkState::Up;
            if !mem::replace(&mut link.told_proven, proven) && proven {
                events.push(LinkEvent::Proven { link: id });
            }
        }
    }

    fn changed_around(&mut self, events: &mut Vec<LinkEvent>) {
        for (id, link) in (0..).map(LinkId).zip(&mut self.links) {
            let around = Around::of(&link.name, &self.devices);
            let before = mem::replace(&mut link.around, around);
            let moved = link.around.members.symmetric_difference(&before.members);
            events.extend(moved.map(|ifindex| LinkEvent::Member {
                link: id,
                ifindex: *ifindex,
                joined: link.around.members.contains(ifindex),
            }));
            if link.around.vlans != before.vlans {
                events.push(LinkEvent::Vlans {
                    link: id,
                    some: link.around.vlans,
                });
            }
        }
    }

    fn changed_sources(&mut self, events: &mut Vec<LinkEvent>) {
        let sources: Vec<_> = self.routers.iter().map(|router| self.source(router)).collect();
        for ((id, router), address) in (0..).map(RouterId).zip(&mut self.routers).zip(sources) {
            if router.told.replace(address) != Some(address) {
                events.push(LinkEvent::Source { router: id, address });
            }
        }
    }

    fn source(&self, router: &Router) -> Option<IpAddr> {
        let ifindex = self
            .links
            .get(router.link.index())?
            .told
            .and_then(|(ifindex, ..)| ifindex);
        let on_link = ifindex.and_then(|ifindex| self.addresses.get(&ifindex));
        if let (Some(configured @ IpAddr::V4(_)), true) = (router.configured, router.borrowed) {
            return ifindex.map(|_| configured);
        }
        if let Some(configured) = router.configured {
            let here = |entry: &Entry| entry.address == configured && entry.usable;
            // A link-local address is one only on its own interface; any other may be anywhere on the host.
            let found = if link_local(configured) {
                on_link.is_some_and(|entries| entries.iter().any(here))
            } else {
                self.addresses.values().flatten().any(here)
            };
            return found.then_some(configured);
        }
        let fits = |entry: &&Entry| match (router.family, entry.address) {
            (Family::V4, IpAddr::V4(_)) => !entry.secondary,
            (Family::V6, IpAddr::V6(_)) => !entry.secondary && link_local(entry.address) != router.routed,
            (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => false,
        };
        let found = on_link?.iter().filter(|entry| entry.usable).find(fits);
        found.map(|entry| entry.address)
    }
}

/// The longest that somebody waits for this interface.
fn longest_hold(model: &Model, link: LinkId) -> Option<Nanos> {
    let routers = model.routers.iter().filter(|router| router.link == link);
    let holds = routers.map(|router| router.uncommon.link_hold);
    holds.filter(|hold| *hold > Nanos::ZERO).max()
}

fn is_device(link: &LinkMessage) -> bool {
    link.header.interface_family == AddressFamily::Unspec
}

fn same(one: &Entry, other: &Entry) -> bool {
    (one.address, one.prefix) == (other.address, other.prefix)
}

fn link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => is_link_local(address),
    }
}

#[cfg(test)]
mod tests;
