//! Routes as rtnetlink tells and takes them.

use std::net::IpAddr;

use netlink_packet_core::{NLM_F_APPEND, NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::route::{
    RouteAttribute, RouteFlags, RouteMessage, RouteMetric, RouteMplsTtlPropagation, RouteNextHop,
    RouteNextHopFlags, RoutePreference, RouteProtocol, RouteRealm, RouteScope, RouteType, RouteVia,
};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use vrrp_common::id::Family;

use super::netlink::Request;
use crate::proto::model::{LinkId, NextHop, Placing, VirtualRoute};

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
