//! Which routes and rules somebody may hold, and how the kernel tells of them. No I/O.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::net::IpAddr;

use netlink_packet_route::route::RouteMessage;
use netlink_packet_route::rule::RuleMessage;
use vrrp_common::id::Family;

use crate::proto::model::{Carried, Model, RouterId, VirtualRoute};
use crate::sys::route::{Entry, Slot};
use crate::sys::rule::Key;

/// The routes and rules of a model, by what the kernel says of them.
#[derive(Debug, Default)]
pub(super) struct Routing {
    routes: HashMap<Slot, Vec<Route>>,
    rules: HashMap<Key, Vec<(RouterId, Carried)>>,
    /// IPv4 routes by their `src`, with which the kernel drops them unsaid.
    sourced: HashMap<IpAddr, Vec<(RouterId, Carried)>>,
    protocols: BTreeSet<u8>,
}

#[derive(Debug)]
struct Route {
    holder: (RouterId, Carried),
    route: VirtualRoute,
}

/// What a message of the kernel means for what we hold.
#[derive(Debug, Default)]
pub(super) struct Meaning {
    /// It is about these.
    pub(super) about: Vec<(RouterId, Carried)>,
    /// It took the place of these.
    pub(super) replaced: Vec<(RouterId, Carried)>,
    /// IPv4: the interfaces that it leads to, with which it vanishes unsaid.
    pub(super) ifindexes: Vec<u32>,
}

impl Routing {
    pub(super) fn new(model: &Model) -> Self {
        let mut routing = Self::default();
        for (id, holding) in model.holders() {
            for (index, route) in (0..).zip(holding.routes) {
                routing.protocols.insert(route.protocol);
                if let Some(source @ IpAddr::V4(_)) = route.source {
                    let known = routing.sourced.entry(source).or_default();
                    known.push((id, Carried::Route(index)));
                }
                routing.routes.entry(Slot::of(route)).or_default().push(Route {
                    holder: (id, Carried::Route(index)),
                    route: route.clone(),
                });
            }
            for (index, rule) in (0..).zip(holding.rules) {
                let known = routing.rules.entry(Key::of(rule)).or_default();
                known.push((id, Carried::Rule(index)));
            }
        }
        routing
    }

    /// The families and protocols of our routes, to ask the kernel for; empty if there are none.
    pub(super) fn protocols(&self) -> impl Iterator<Item = u8> {
        self.protocols.iter().copied()
    }

    /// Routes that this host uses with this source address.
    pub(super) fn sourced(&self, address: IpAddr) -> &[(RouterId, Carried)] {
        self.sourced.get(&address).map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn has_rules(&self) -> bool {
        !self.rules.is_empty()
    }

    /// A route came or went. `replaces`: it took the place of the one that was there.
    pub(super) fn route(&self, message: &RouteMessage, replaces: bool) -> Meaning {
        let mut meaning = Meaning::default();
        let Some(entry) = Entry::read(message) else {
            return meaning;
        };
        let Some(known) = self.routes.get(&entry.slot) else {
            return meaning;
        };
        for Route { holder, route } in known {
            if entry.is(route) {
                meaning.about.push(*holder);
                if route.family == Family::V4 {
                    meaning.ifindexes.clone_from(&entry.ifindexes);
                }
            } else if replaces {
                meaning.replaced.push(*holder);
            }
        }
        meaning
    }

    /// Whose rule that is.
    pub(super) fn rule(&self, message: &RuleMessage) -> &[(RouterId, Carried)] {
        let key = Key::read(message);
        key.and_then(|key| self.rules.get(&key))
            .map(Vec::as_slice)
            .unwrap_or_default()
    }
}

/// Where our IPv4 routes lead: the kernel says nothing when they vanish with their interface.
#[derive(Debug, Default)]
pub(super) struct Ways(HashMap<u32, HashSet<(RouterId, Carried)>>);

impl Ways {
    pub(super) fn note(&mut self, holder: (RouterId, Carried), ifindexes: &[u32]) {
        for ifindex in ifindexes {
            self.0.entry(*ifindex).or_default().insert(holder);
        }
    }

    pub(super) fn forget(&mut self, holder: (RouterId, Carried)) {
        for holders in self.0.values_mut() {
            holders.remove(&holder);
        }
    }

    /// What led over this interface, and does no more.
    pub(super) fn take(&mut self, ifindex: u32) -> HashSet<(RouterId, Carried)> {
        self.0.remove(&ifindex).unwrap_or_default()
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}
