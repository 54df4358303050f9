//! How adverts travel: family, group or peers, source.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_common::id::Family;
use vrrp_common::wire::ladder::{Peer, TtlRange};

use super::Lowering;
use super::instance::{At, Draft};
use crate::config::diag::{Diagnostic, Remark};
use crate::config::source::Span;
use crate::proto::model::{Transport, VirtualAddress};

impl Lowering<'_> {
    pub(super) fn transport(&mut self, draft: &Draft<'_>, family: Family) -> Transport {
        let mut peers: Vec<Peer> = Vec::new();
        for (peer, span) in &draft.peers.list {
            if self.of_family(peer.address, *span, family).is_some() {
                peers.push(*peer);
            }
        }
        self.pin_peers(draft, &mut peers);
        let own = |this: &mut Self, source: At<IpAddr>| {
            source.and_then(|(address, span)| this.of_family(address, span, family))
        };
        let unicast_source = own(self, draft.unicast_source);
        let multicast_source = own(self, draft.multicast_source);
        let source = unicast_source.or(multicast_source);
        if !peers.is_empty() {
            let check_source = self.check_source(draft, &peers);
            return Transport::Unicast {
                source,
                peers,
                ttl: draft.unicast_ttl.map_or(255, |(ttl, _)| ttl),
                check_source,
            };
        }
        let of_unicast = [
            ("unicast_src_ip", draft.unicast_source.map(|(_, at)| at)),
            ("unicast_ttl", draft.unicast_ttl.map(|(_, at)| at)),
            ("check_unicast_src", draft.check_source.map(|(_, at)| at)),
        ];
        for (keyword, at) in of_unicast {
            // `unicast_fault_no_peer` says it once for all.
            let said = draft.peer_block.is_some() || draft.uncommon.fault_no_peer.is_some();
            if let (Some(at), false) = (at, said) {
                self.sink.push(
                    Diagnostic::warning(format!("`{keyword}` without a unicast peer"))
                        .at(at, "adverts are multicast")
                        .help("name the other hosts in `unicast_peer { … }`, or remove it"),
                );
            }
        }
        if let Some(at) = draft.peer_block {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has no usable unicast peer", draft.name.text))
                    .at(at, "adverts are multicast")
                    .help("name the other hosts here, or remove the block"),
            );
        }
        let configured = own(self, draft.multicast_group).filter(|group| {
            let multicast = group.is_multicast();
            if let (false, Some((_, at))) = (multicast, draft.multicast_group) {
                self.sink.push(
                    Diagnostic::warning(format!("{group} is not a multicast address"))
                        .at(at, "ignored")
                        .help("remove `mcast_dst_ip` to use the standard group"),
                );
            }
            multicast
        });
        let group = configured.unwrap_or(match family {
            Family::V4 => self
                .defaults
                .group4
                .unwrap_or(IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18))),
            Family::V6 => self
                .defaults
                .group6
                .unwrap_or(IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12))),
        });
        Transport::Multicast { group, source }
    }

    /// Whether others than the peers are refused. A TTL is a peer's, so a range of TTLs asks who sends, and so is a MAC
    /// address.
    fn check_source(&mut self, draft: &Draft<'_>, peers: &[Peer]) -> bool {
        let asked = draft.check_source.map(|(value, _)| value);
        let check = asked.or(self.defaults.check_source).unwrap_or(true);
        let ranged = peers.iter().any(|peer| peer.ttl != TtlRange::ANY);
        let pinned = peers.iter().any(|peer| peer.mac.is_some());
        let keywords = match (ranged, pinned) {
            (true, _) => Some("`min_ttl` and `max_ttl` turn"),
            (false, true) => Some("`vrrp_peer_mac` turns"),
            (false, false) => None,
        };
        if let (false, Some(keywords)) = (check, keywords) {
            let at = draft.check_source.map_or(draft.name.span, |(_, at)| at);
            self.sink.push(
                Diagnostic::warning(format!("{keywords} `check_unicast_src` on"))
                    .at(at, "`off` is ignored")
                    .help("remove one of them"),
            );
        }
        check || ranged || pinned
    }

    /// The address if it is of the family that the adverts travel in.
    fn of_family(&mut self, address: IpAddr, at: Span, family: Family) -> Option<IpAddr> {
        let fits = address.is_ipv4() == (family == Family::V4);
        if !fits {
            self.sink.push(
                Diagnostic::warning(format!("{address} is not {family}, which the adverts travel in"))
                    .remark(Remark::General)
                    .at(at, "ignored")
                    .help("the first virtual address decides the family"),
            );
        }
        fits.then_some(address)
    }
}

/// The family of the adverts: of the first virtual address, else of the unicast source or the first peer.
pub(super) fn family_of(addresses: &[VirtualAddress], draft: &Draft<'_>) -> Family {
    let virtual_address = addresses.first().map(|first| first.address);
    if let Some(family) = Lowering::asked_family(draft) {
        return family;
    }
    let decides = virtual_address
        .or(draft.unicast_source.map(|(source, _)| source))
        .or(draft.peers.list.first().map(|(peer, _)| peer.address));
    match decides {
        Some(IpAddr::V6(_)) => Family::V6,
        Some(IpAddr::V4(_)) | None => Family::V4,
    }
}
