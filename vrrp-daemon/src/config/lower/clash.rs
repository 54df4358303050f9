//! Two instances that cannot be told apart on the wire.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_common::id::{Family, Vrid};

use super::Lowering;
use crate::config::diag::Diagnostic;
use crate::proto::LinkId;
use crate::proto::model::{Transport, VirtualRouter};

/// What an advert is told apart by: link, family and VRID, and the group or the sender.
type Place = (LinkId, Family, Vrid, IpAddr);

impl Lowering<'_> {
    /// Multicast instances may not share link, family, VRID and group; unicast ones not a peer as well.
    pub(super) fn clashes(&mut self) {
        let mut taken: HashMap<Place, usize> = HashMap::new();
        let mut found: Vec<(usize, usize)> = Vec::new();
        for (index, router) in self.config.model.routers.iter().enumerate() {
            for place in places(router) {
                match taken.get(&place) {
                    Some(first) => {
                        let mut of_this = found.iter().rev().take_while(|(_, second)| *second == index);
                        if !of_this.any(|(known, _)| known == first) {
                            found.push((*first, index));
                        }
                    }
                    None => {
                        taken.insert(place, index);
                    }
                }
            }
        }
        for (first, second) in found {
            let routers = &self.config.model.routers;
            let (Some(a), Some(b)) = (routers.get(first), routers.get(second)) else {
                continue;
            };
            let link = self
                .config
                .model
                .links
                .get(b.link.index())
                .map_or("?", String::as_str);
            let message = format!(
                "`{}` and `{}` both use VRID {} with {} on interface {link}",
                a.name, b.name, b.vrid, b.family
            );
            let mut diagnostic =
                Diagnostic::error(message).help("give one of them another `virtual_router_id`, on all hosts");
            if let (Some(a), Some(b)) = (self.router_spans.get(first), self.router_spans.get(second)) {
                diagnostic = diagnostic.at(*b, "the second").related(*a, "the first");
            }
            self.sink.push(diagnostic);
        }
    }
}

fn places(router: &VirtualRouter) -> Vec<Place> {
    let place = |address| (router.link, router.family, router.vrid, address);
    match &router.transport {
        Transport::Multicast { group, .. } => vec![place(*group)],
        Transport::Unicast { peers, .. } => peers.iter().map(|peer| place(peer.address)).collect(),
    }
}
