//! Routes as rtnetlink tells and takes them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteMplsTtlPropagation,
    RouteNextHop, RouteNextHopFlags, RoutePreference, RouteProtocol, RouteRealm, RouteScope, RouteType,
    RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use vrrp_common::id::Family;

use super::netlink::Request;
use crate::proto::model::{LinkId, NextHop, Placing, Prefix, VirtualRoute};

/// `RTAX_…`, as in linux/rtnetlink.h.
const RTAX_LOCK: u16 = 1;
/// `RT_SCOPE_…`
const GLOBAL: u8 = 0;
const LINK: u8 = 253;
const HOST: u8 = 254;
const NOWHERE: u8 = 255;

/// The request to add it; the answer is `EEXIST` if one to the same destination with the same metric is there.
/// `None` while an interface of it is missing.
#[must_use]
pub fn add(route: &VirtualRoute, ifindex: impl Fn(LinkId) -> Option<u32>) -> Option<Request> {
    let mut message = identity(route, &ifindex)?;
    message.header.scope = RouteScope::from(scope(route));
    let attributes = &mut message.attributes;
    attributes.extend(
        route
            .source
            .map(|source| RouteAttribute::PrefSource(source.into())),
    );
    attributes.extend(
        route
            .preference
            .map(|preference| RouteAttribute::Preference(RoutePreference::from(preference))),
    );
    attributes.extend(route.expires.map(RouteAttribute::Expires));
    attributes.extend(route.ttl_propagate.map(|propagate| {
        RouteAttribute::TtlPropagate(if propagate {
            RouteMplsTtlPropagation::Enabled
        } else {
            RouteMplsTtlPropagation::Disabled
        })
    }));
    let metrics = metrics(route);
    if !metrics.is_empty() {
        attributes.push(RouteAttribute::Metrics(metrics));
    }
    let flags = match route.placing {
        Placing::Only => NLM_F_CREATE | NLM_F_EXCL,
        Placing::First => NLM_F_CREATE,
        Placing::Last => NLM_F_CREATE | NLM_F_APPEND,
    };
    Some(Request::new(RouteNetlinkMessage::NewRoute(message), flags))
}

/// The request to remove it, and no other; the answer is `ESRCH` if it is not there.
#[must_use]
pub fn remove(route: &VirtualRoute, ifindex: impl Fn(LinkId) -> Option<u32>) -> Option<Request> {
    let mut message = identity(route, &ifindex)?;
    // Whatever its scope is.
    message.header.scope = RouteScope::from(match route.family {
        Family::V4 => NOWHERE,
        Family::V6 => GLOBAL,
    });
    Some(Request::new(RouteNetlinkMessage::DelRoute(message), 0))
}

/// What tells it from other routes.
fn identity(route: &VirtualRoute, ifindex: &impl Fn(LinkId) -> Option<u32>) -> Option<RouteMessage> {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.family);
    header.destination_prefix_length = route.destination.length;
    header.tos = route.tos;
    // Tables beyond a byte are in the attribute alone.
    header.table = u8::try_from(route.table).unwrap_or_default();
    header.protocol = RouteProtocol::from(route.protocol);
    header.kind = RouteType::from(route.kind);
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if route.destination.length > 0 {
        attributes.push(RouteAttribute::Destination(route.destination.address.into()));
    }
    if let Some(from) = route.from {
        header.source_prefix_length = from.length;
        attributes.push(RouteAttribute::Source(from.address.into()));
    }
    attributes.extend(route.metric.map(RouteAttribute::Priority));
    match route.hops.as_slice() {
        [] => {}
        [hop] => {
            if hop.onlink {
                header.flags = RouteFlags::Onlink;
            }
            attributes.extend(way(hop, route.family));
            if let Some(link) = hop.link {
                attributes.push(RouteAttribute::Oif(ifindex(link)?));
            }
        }
        hops => {
            let hops = hops.iter().map(|hop| next_hop(hop, route.family, ifindex));
            attributes.push(RouteAttribute::MultiPath(hops.collect::<Option<_>>()?));
        }
    }
    Some(message)
}

fn next_hop(hop: &NextHop, family: Family, ifindex: &impl Fn(LinkId) -> Option<u32>) -> Option<RouteNextHop> {
    let mut entry = RouteNextHop::default();
    entry.interface_index = match hop.link {
        Some(link) => ifindex(link)?,
        None => 0,
    };
    // The kernel counts from 0.
    let weight = hop.weight.unwrap_or(1).saturating_sub(1);
    entry.hops = u8::try_from(weight).unwrap_or(u8::MAX);
    if hop.onlink {
        entry.flags = RouteNextHopFlags::Onlink;
    }
    entry.attributes = way(hop, family).collect();
    Some(entry)
}

/// Gateway and realms.
fn way(hop: &NextHop, family: Family) -> impl Iterator<Item = RouteAttribute> {
    let gateway = hop.via.map(|via| match (family, via) {
        (Family::V4, IpAddr::V6(_)) | (Family::V6, IpAddr::V4(_)) => RouteAttribute::Via(RouteVia::from(via)),
        (Family::V4, IpAddr::V4(_)) | (Family::V6, IpAddr::V6(_)) => RouteAttribute::Gateway(via.into()),
    });
    let realms = hop.realms.map(|realms| RouteAttribute::Realm(realm(realms)));
    gateway.into_iter().chain(realms)
}

/// Two halves of one number.
pub(super) fn realm(realms: u32) -> RouteRealm {
    let [a, b, c, d] = realms.to_be_bytes();
    RouteRealm {
        source: u16::from_be_bytes([a, b]),
        destination: u16::from_be_bytes([c, d]),
    }
}

pub(super) fn family(family: Family) -> AddressFamily {
    match family {
        Family::V4 => AddressFamily::Inet,
        Family::V6 => AddressFamily::Inet6,
    }
}

/// As given, else by its kind. keepalived gives an ordinary route without a gateway scope global, where iproute2
/// would say link.
fn scope(route: &VirtualRoute) -> u8 {
    if let Some(scope) = route.scope {
        return scope;
    }
    match (route.family, route.kind) {
        (Family::V6, _) => GLOBAL,
        // Local and NAT.
        (Family::V4, 2 | 10) => HOST,
        // Broadcast, anycast, multicast.
        (Family::V4, 3..=5) => LINK,
        (Family::V4, _) => GLOBAL,
    }
}

fn metrics(route: &VirtualRoute) -> Vec<RouteMetric> {
    use netlink_packet_core::DefaultNla;
    let number =
        |(kind, value): (u16, u32)| RouteMetric::Other(DefaultNla::new(kind, value.to_ne_bytes().to_vec()));
    let lock = (route.locked != 0).then_some((RTAX_LOCK, route.locked));
    let mut metrics: Vec<_> = lock
        .into_iter()
        .chain(route.metrics.iter().copied())
        .map(number)
        .collect();
    metrics.extend(route.congestion.clone().map(RouteMetric::CcAlgo));
    metrics
}

/// What the kernel tells routes apart by when it looks for one that is there already.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    family: Family,
    destination: Prefix,
    from: Option<Prefix>,
    table: u32,
    tos: u8,
    metric: u32,
}

impl Slot {
    /// Where this route goes.
    #[must_use]
    pub fn of(route: &VirtualRoute) -> Self {
        Self {
            family: route.family,
            destination: route.destination,
            from: route.from.filter(|from| from.length > 0),
            table: route.table,
            tos: route.tos,
            metric: metric(route.family, route.metric.unwrap_or_default()),
        }
    }
}

/// IPv6 has no metric 0.
fn metric(family: Family, metric: u32) -> u32 {
    const USUAL_V6: u32 = 1024;
    match (family, metric) {
        (Family::V6, 0) => USUAL_V6,
        (_, metric) => metric,
    }
}

/// A route that the kernel has, as far as is needed to know one of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub slot: Slot,
    kind: u8,
    protocol: u8,
    gateway: Option<IpAddr>,
    /// The interfaces that it leads to.
    pub ifindexes: Vec<u32>,
}

impl Entry {
    /// Read a message of type `RTM_NEWROUTE` or `RTM_DELROUTE`; `None` for other families, and for what the kernel
    /// only remembers of its use.
    #[must_use]
    pub fn read(message: &RouteMessage) -> Option<Self> {
        let header = &message.header;
        let family = match header.address_family {
            AddressFamily::Inet => Family::V4,
            AddressFamily::Inet6 => Family::V6,
            _ => return None,
        };
        if header.flags.contains(RouteFlags::Cloned) {
            return None;
        }
        let anywhere = match family {
            Family::V4 => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            Family::V6 => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let mut destination = Prefix {
            address: anywhere,
            length: header.destination_prefix_length,
        };
        let mut from = Prefix {
            address: anywhere,
            length: header.source_prefix_length,
        };
        let (mut table, mut priority) = (u32::from(header.table), 0);
        let (mut gateway, mut ifindexes) = (None, Vec::new());
        for attribute in &message.attributes {
            match attribute {
                RouteAttribute::Destination(address) => destination.address = ip(address)?,
                RouteAttribute::Source(address) => from.address = ip(address)?,
                RouteAttribute::Table(number) => table = *number,
                RouteAttribute::Priority(number) => priority = *number,
                RouteAttribute::Gateway(address) => gateway = ip(address),
                RouteAttribute::Via(via) => gateway = via_ip(via),
                RouteAttribute::Oif(index) => ifindexes.push(*index),
                RouteAttribute::MultiPath(hops) => {
                    ifindexes.extend(hops.iter().map(|hop| hop.interface_index));
                }
                _ => {}
            }
        }
        Some(Self {
            slot: Slot {
                family,
                destination,
                from: Some(from).filter(|from| from.length > 0),
                table,
                tos: header.tos,
                metric: metric(family, priority),
            },
            kind: u8::from(header.kind),
            protocol: u8::from(header.protocol),
            gateway,
            ifindexes,
        })
    }

    /// Whether it is this route, given that it is in its slot.
    #[must_use]
    pub fn is(&self, route: &VirtualRoute) -> bool {
        let gateway = match route.hops.as_slice() {
            [hop] => self.gateway == hop.via,
            _ => true,
        };
        self.protocol == route.protocol && self.kind == route.kind && gateway
    }
}

fn ip(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(address) => Some(IpAddr::V4(*address)),
        RouteAddress::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

fn via_ip(via: &RouteVia) -> Option<IpAddr> {
    match via {
        RouteVia::Inet(address) => Some(IpAddr::V4(*address)),
        RouteVia::Inet6(address) => Some(IpAddr::V6(*address)),
        _ => None,
    }
}

/// Asks for all routes of a family that this protocol has made; to be sent on a strict connection.
#[must_use]
pub fn made_by(protocol: u8, family: Family) -> RouteNetlinkMessage {
    let mut message = RouteMessage::default();
    message.header.address_family = self::family(family);
    message.header.protocol = RouteProtocol::from(protocol);
    RouteNetlinkMessage::GetRoute(message)
}
