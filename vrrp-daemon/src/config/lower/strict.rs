//! `vrrp_strict`, `strict_mode`: what the RFCs do not know is taken back, each with a remark as in keepalived.

use std::net::IpAddr;

use super::Lowering;
use super::instance::Draft;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::source::Span;
use crate::proto::model::{Announce, Transport, VirtualAddress};
use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::Nanos;

impl Lowering<'_> {
    /// A keyword that strict compliance takes back.
    pub(super) fn not_strict(&mut self, keyword: &str, at: Span) {
        self.sink.push(
            Diagnostic::warning(format!("`vrrp_strict` does not allow `{keyword}`"))
                .at(at, "ignored")
                .help("remove one of them"),
        );
    }

    /// Without an address an advert has nothing to say; VRRPv3 does not know such adverts (RFC 9568 erratum 8299).
    /// keepalived refuses to start as well.
    pub(super) fn no_address(&mut self, draft: &Draft<'_>, version: Version, strict: bool) {
        let name = draft.name;
        let message = format!("`{}` has no virtual address", name.text);
        let help = "name them in `virtual_ipaddress { … }`";
        let diagnostic = match (strict, version) {
            (true, _) => Diagnostic::error(message)
                .at(name.span, "`vrrp_strict` wants one")
                .help(help),
            (false, Version::V3) => Diagnostic::error(message)
                .at(name.span, "version 3 wants one")
                .help(format!("{help}; version 2 can do without")),
            (false, Version::V2) if draft.no_addresses => return,
            (false, Version::V2) => Diagnostic::warning(message).at(name.span, "").help(format!(
                "{help}, or write `no_virtual_ipaddress` if that is meant"
            )),
        };
        self.sink.push(diagnostic);
    }

    /// Every receiver compares IPv6 routers by the link-local address that comes first (RFC 9568 §5.2.9).
    pub(super) fn first_is_link_local(&mut self, first: Option<&VirtualAddress>, at: Span, strict: bool) {
        let Some(IpAddr::V6(address)) = first.map(|first| first.address) else {
            return;
        };
        if !address.is_unicast_link_local() {
            let word = if strict { "must" } else { "should" };
            self.sink.push(
                Diagnostic::warning(format!("the first IPv6 address, {address}, {word} be link-local"))
                    .at(at, "")
                    .help("put one of fe80::/10 first, the same on all hosts"),
            );
        }
    }

    /// What is left to say of a strict instance.
    pub(super) fn strict_instance(&mut self, draft: &Draft<'_>, priority: Priority, transport: &Transport) {
        let at = draft.name.span;
        if matches!(transport, Transport::Unicast { .. }) {
            self.sink.push(
                Diagnostic::note(
                    "the RFCs know multicast only; with `vrrp_strict` unicast is used all the same",
                )
                .remark(Remark::None)
                .at(draft.peer_block.unwrap_or(at), "as keepalived 2.2.7 does"),
            );
        }
        if !priority.is_owner() {
            self.sink.push_once(
                "strict",
                || {
                    Diagnostic::warning(
                        "`vrrp_strict` is done but for `no_accept`: no firewall rule drops traffic to the virtual \
                         addresses",
                    )
                    .remark(Remark::None)
                    .at(at, "")
                },
                at,
            );
        }
    }

    /// Whether a lower-priority advert is answered, whether a higher one is, and the missed adverts.
    pub(super) fn adverts(&mut self, draft: &Draft<'_>, strict: bool) -> (bool, bool, u8) {
        let lower_no_advert = draft.lower_no_advert.map(|(value, _)| value);
        let higher_send = draft.higher_send_advert.map(|(value, _)| value);
        if !strict {
            return (
                !lower_no_advert.or(self.defaults.lower_no_advert).unwrap_or(false),
                higher_send.unwrap_or(self.defaults.higher_send_advert),
                draft
                    .down_adverts
                    .map(|(count, _)| count)
                    .or(self.defaults.down_adverts)
                    .unwrap_or(3),
            );
        }
        if let Some((false, at)) = draft.lower_no_advert {
            self.not_strict("lower_prio_no_advert off", at);
        }
        if let Some((true, at)) = draft.higher_send_advert {
            self.not_strict("higher_prio_send_advert", at);
        }
        if let Some((_, at)) = draft.down_adverts.filter(|(count, _)| *count != 3) {
            self.not_strict("down_timer_adverts", at);
        }
        (false, false, 3)
    }

    /// How it announces its addresses.
    pub(super) fn announcements(&mut self, draft: &Draft<'_>, strict: bool) -> Announce {
        let announce = draft.garp.announce(self.defaults.garp);
        if !strict {
            return announce;
        }
        if draft.garp.says_lower() {
            self.not_strict("garp_lower_prio_…", draft.name.span);
        }
        Announce {
            lower_repeat: 0,
            lower_delay: Nanos::ZERO,
            ..announce
        }
    }

    /// The family that is asked for, before any address decides it.
    pub(super) fn asked_family(draft: &Draft<'_>) -> Option<Family> {
        if draft.uncommon.native_ipv6 {
            return Some(Family::V6);
        }
        let block = draft.addresses.first()?.span;
        let peer = draft.peers.list.first().map(|(peer, at)| (peer.address, *at));
        [draft.unicast_source, draft.multicast_source, peer]
            .into_iter()
            .flatten()
            .filter(|(_, at)| at.source == block.source && at.start < block.start)
            .min_by_key(|(_, at)| at.start)
            .map(|(address, _)| Family::of(address))
    }
}
