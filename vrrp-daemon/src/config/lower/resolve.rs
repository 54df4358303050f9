//! What a `vrrp_instance` means: defaults, and keywords that decide over one another.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::ladder::{Auth, Peer};

use super::Lowering;
use super::instance::{At, Draft, Initial};
use super::track::Tracks;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::source::Span;
use crate::proto::LinkId;
use crate::proto::model::{Preempt, Transport, Uncommon, V3Checksum, VirtualAddress, VirtualRouter};

/// Bytes of a password that a VRRPv2 advert carries (RFC 2338 §5.3.6).
const PASSWORD_LEN: usize = 8;
/// Addresses that one advert names: the count is one byte.
const MOST_V4: usize = 255;
/// IPv6 addresses that fit one advert at Ethernet's MTU: (1500 - 40 - 8) / 16.
const MOST_V6: usize = 90;

impl Lowering<'_> {
    pub(super) fn resolve(&mut self, draft: Draft<'_>) {
        let name = draft.name;
        let link = self.own_link(&draft);
        let vrid = match draft.vrid {
            Some((vrid, _)) => Some(vrid),
            None if draft.vrid_bad => None,
            None => {
                self.sink.push(
                    Diagnostic::error(format!("`{}` has no virtual router id", name.text))
                        .at(name.span, "")
                        .help("add `virtual_router_id N`, 1 to 255, the same on all hosts of this virtual router"),
                );
                None
            }
        };
        // Going on with stand-ins finds the rest of the errors; the configuration is given to nobody.
        let link = link.unwrap_or(LinkId(0));
        let strict = draft.strict.unwrap_or(self.defaults.strict);
        let (addresses, excluded) = self.all_addresses(&draft, link);
        let family = family_of(&addresses, &draft);
        let version = self.resolve_version(&draft, family);
        let (priority, initially_master) = self.priority(&draft, strict);
        let interval = self.interval(&draft, version);
        let preempt = self.preempt(&draft, priority, strict);
        let auth = self.auth(&draft, version, strict);
        let transport = self.transport(&draft, family);
        let mut tracks = Tracks::default();
        for block in &draft.track_links {
            self.track_links(block, &mut tracks);
        }
        for block in &draft.track_scripts {
            self.track_scripts(block, &mut tracks);
        }
        let Some(vrid) = vrid else { return };
        let id = self.router_id(name.span);
        self.routers.insert(name.text.clone(), id);
        self.router_spans.push(name.span);
        let lower_no_advert = draft
            .lower_no_advert
            .or(self.defaults.lower_no_advert)
            .unwrap_or(strict);
        let message_only = draft.checksum_as_v2.unwrap_or(self.defaults.checksum_as_v2);
        self.config.model.routers.push(VirtualRouter {
            name: name.text.clone(),
            link,
            vrid,
            version,
            family,
            priority,
            interval,
            initially_master,
            preempt,
            down_adverts: draft.down_adverts.or(self.defaults.down_adverts).unwrap_or(3),
            auth,
            transport,
            v3_checksum: if message_only {
                V3Checksum::MessageOnly
            } else {
                V3Checksum::PseudoHeader
            },
            addresses,
            excluded,
            routes: Vec::new(),
            rules: Vec::new(),
            track: tracks.list,
            track_primary: draft.track_primary,
            announce: draft.garp.announce(self.defaults.garp),
            advert_on_lower: !lower_no_advert,
            advert_on_higher: !strict
                && draft
                    .higher_send_advert
                    .unwrap_or(self.defaults.higher_send_advert),
            group: None,
            uncommon: Uncommon::default(),
        });
        self.config.router_notify.push(draft.notify);
    }

    /// The interface; for unicast without one, that which carries the source address.
    fn own_link(&mut self, draft: &Draft<'_>) -> Option<LinkId> {
        if let Some(word) = draft.interface {
            return Some(self.link(&word.text, word.span));
        }
        let name = draft.name;
        let source = draft.unicast_source.filter(|_| draft.peer_block.is_some());
        let Some((source, at)) = source else {
            self.sink.push(
                Diagnostic::error(format!("`{}` has no interface", name.text))
                    .at(name.span, "")
                    .help("add `interface NAME`; only unicast with `unicast_src_ip` can do without"),
            );
            return None;
        };
        match self.environment.interface_with(source) {
            Some(found) => Some(self.link(&found, at)),
            None => {
                self.sink.push(
                    Diagnostic::error(format!("no interface of this host has the address {source}"))
                        .at(at, "`interface` is not given, so this address must name it")
                        .help("add `interface NAME`, or give this host the address first"),
                );
                None
            }
        }
    }

    /// Advertised and excluded addresses. The first one decides the family of those advertised.
    fn all_addresses(
        &mut self,
        draft: &Draft<'_>,
        link: LinkId,
    ) -> (Vec<VirtualAddress>, Vec<VirtualAddress>) {
        let mut seen = HashSet::new();
        let mut advertised: Vec<VirtualAddress> = Vec::new();
        let mut excluded: Vec<VirtualAddress> = Vec::new();
        let blocks = draft.addresses.iter().map(|block| (*block, true));
        let blocks = blocks.chain(draft.excluded.iter().map(|block| (*block, false)));
        let mut overflow: Option<Span> = None;
        for (block, in_adverts) in blocks {
            for (address, span) in self.addresses(block, link) {
                if !seen.insert(address.address) {
                    self.duplicate_address(&address, span);
                    continue;
                }
                let first = advertised.first().map(|first| first.address.is_ipv4());
                if !in_adverts {
                    excluded.push(address);
                } else if first.is_some_and(|v4| v4 != address.address.is_ipv4()) {
                    self.wrong_family(&address, span);
                } else if advertised.len()
                    >= if address.address.is_ipv4() {
                        MOST_V4
                    } else {
                        MOST_V6
                    }
                {
                    overflow.get_or_insert(span);
                    excluded.push(address);
                } else {
                    advertised.push(address);
                }
            }
        }
        if let Some(span) = overflow {
            let count = advertised.len();
            self.sink.push(
                Diagnostic::warning(format!("more than {count} addresses do not fit an advert"))
                    .at(span, "this and the following are held, and not named in adverts")
                    .help("move them to `virtual_ipaddress_excluded`, on all hosts"),
            );
        }
        if advertised.is_empty() && !draft.no_addresses {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has no virtual address", draft.name.text))
                    .at(draft.name.span, "")
                    .help("name them in `virtual_ipaddress { … }`, or write `no_virtual_ipaddress` if that is meant"),
            );
        }
        (advertised, excluded)
    }

    fn duplicate_address(&mut self, address: &VirtualAddress, span: Span) {
        self.sink.push(
            Diagnostic::warning(format!("{} is named twice", address.address))
                .at(span, "ignored")
                .help("remove one"),
        );
    }

    fn wrong_family(&mut self, address: &VirtualAddress, span: Span) {
        let family = if address.address.is_ipv4() { "IPv4" } else { "IPv6" };
        self.sink.push(
            Diagnostic::warning(format!(
                "{} is {family}, and the first virtual address is not",
                address.address
            ))
            .at(span, "left out: it is NOT held")
            .help("move it to `virtual_ipaddress_excluded`, where families may mix"),
        );
    }

    fn resolve_version(&mut self, draft: &Draft<'_>, family: Family) -> Version {
        match (draft.version, family) {
            (Some((Version::V2, at)), Family::V6) => {
                self.sink.push(
                    Diagnostic::warning("VRRP version 2 has no IPv6; version 3 is used")
                        .at(at, "")
                        .help("write `version 3`, on all hosts"),
                );
                Version::V3
            }
            (Some((version, _)), _) => version,
            (None, Family::V6) => Version::V3,
            (None, Family::V4) => self.defaults.version.unwrap_or(Version::V2),
        }
    }

    /// Priority and whether it begins as Master. `state MASTER` without a priority is the owner, as in
    /// keepalived.
    fn priority(&mut self, draft: &Draft<'_>, strict: bool) -> (Priority, bool) {
        let master = draft.state.is_some_and(|(state, _)| state == Initial::Master);
        let priority = match draft.priority {
            Some((priority, _)) => priority,
            None if master => {
                self.sink.push(
                    Diagnostic::note("`state MASTER` without `priority` makes it the owner, priority 255")
                        .at(draft.name.span, "")
                        .help("give every host its own `priority` below 255 unless the addresses are the host's own"),
                );
                Priority::OWNER
            }
            None => Priority::DEFAULT,
        };
        if let Some((Initial::Backup, at)) = draft.state
            && priority.is_owner()
        {
            self.sink.push(
                Diagnostic::warning("priority 255 owns the addresses and begins as Master")
                    .at(at, "BACKUP is not heeded")
                    .help("write `state MASTER`, or a priority below 255"),
            );
        }
        if let Some((Initial::Master, at)) = draft.state
            && strict
            && !priority.is_owner()
        {
            self.sink.push(
                Diagnostic::warning("with `vrrp_strict` only priority 255 begins as Master")
                    .at(at, "BACKUP is used")
                    .help("write `state BACKUP`"),
            );
            return (priority, false);
        }
        (priority, master || priority.is_owner())
    }

    fn interval(&mut self, draft: &Draft<'_>, version: Version) -> Centis {
        const SECOND: u64 = 1_000_000_000;
        const CENTI: u64 = 10_000_000;
        let Some((given, at)) = draft.interval else {
            return Centis::DEFAULT;
        };
        let (unit, most) = match version {
            Version::V2 => (SECOND, 25_500),
            Version::V3 => (CENTI, Centis::MAX_V3.value()),
        };
        let rounded = ((given.0 + unit / 2) / unit).max(1) * unit;
        let centis = u16::try_from(rounded / CENTI)
            .ok()
            .filter(|centis| *centis <= most)
            .and_then(Centis::new);
        let Some(centis) = centis else {
            self.sink.push(
                Diagnostic::warning(format!(
                    "`advert_int` is too long for version {version}; 1 s is used"
                ))
                .at(at, "")
                .help("version 2 takes 1 to 255 s, version 3 takes 0.01 to 40.95 s"),
            );
            return Centis::DEFAULT;
        };
        if rounded != given.0 {
            let used = super::value::in_seconds(Nanos(rounded));
            let (message, help) = match version {
                Version::V2 => (
                    format!("version 2 takes whole seconds; {used} s is used"),
                    "write whole seconds, or `version 3` on all hosts",
                ),
                Version::V3 => (
                    format!("version 3 counts in hundredths of a second; {used} s is used"),
                    "round it",
                ),
            };
            self.sink.push(Diagnostic::warning(message).at(at, "").help(help));
        }
        centis
    }

    fn preempt(&mut self, draft: &Draft<'_>, priority: Priority, strict: bool) -> Preempt {
        let master = draft.state.filter(|(state, _)| *state == Initial::Master);
        let delay = draft.preempt_delay.filter(|(delay, _)| *delay > Nanos::ZERO);
        let cleared = match (master, priority.is_owner()) {
            (Some(_), _) => Some("`state MASTER`"),
            (None, true) => Some("priority 255"),
            (None, false) => None,
        };
        if let Some(by) = cleared {
            for (span, keyword) in [
                (draft.no_preempt, "nopreempt"),
                (delay.map(|delay| delay.1), "preempt_delay"),
            ] {
                let Some(span) = span else { continue };
                let mut diagnostic =
                    Diagnostic::warning(format!("{by} clears `{keyword}`")).at(span, "ignored");
                if let Some((_, at)) = master {
                    diagnostic = diagnostic.related(at, "because of this");
                }
                self.sink
                    .push(diagnostic.help("write `state BACKUP` on all hosts"));
            }
            return Preempt::After(Nanos::ZERO);
        }
        match (draft.no_preempt, delay) {
            (Some(_), Some((_, at))) => {
                self.sink.push(
                    Diagnostic::warning("`nopreempt` makes `preempt_delay` needless")
                        .at(at, "ignored")
                        .help("remove one of them"),
                );
                Preempt::Never
            }
            (Some(_), None) => Preempt::Never,
            (None, Some((_, at))) if strict => {
                self.sink.push(
                    Diagnostic::warning("`vrrp_strict` does not allow `preempt_delay`")
                        .at(at, "ignored")
                        .help("remove one of them"),
                );
                Preempt::After(Nanos::ZERO)
            }
            (None, delay) => Preempt::After(delay.map_or(Nanos::ZERO, |(delay, _)| delay)),
        }
    }

    /// The password never enters a message.
    fn auth(&mut self, draft: &Draft<'_>, version: Version, strict: bool) -> Auth {
        let place = draft.auth_type.or(draft.password).map(|word| word.span);
        let Some(place) = place else { return Auth::None };
        if version == Version::V3 || strict {
            let who = if strict { "`vrrp_strict`" } else { "VRRP version 3" };
            self.sink.push(
                Diagnostic::warning(format!("{who} does not support authentication"))
                    .at(place, "ignored: adverts carry no password")
                    .help("remove the `authentication` block"),
            );
            return Auth::None;
        }
        match draft.auth_type.map(|word| word.text.as_str()) {
            Some("PASS") => {}
            Some("AH") => {
                self.sink.push(
                    Diagnostic::error("`auth_type AH` is not supported, and going on without it is not safe")
                        .at(place, "")
                        .help("write `auth_type PASS` on all hosts; RFC 3768 has no AH any more"),
                );
                return Auth::None;
            }
            Some(unknown) => {
                self.sink.push(
                    Diagnostic::warning(format!("unknown auth_type `{unknown}`"))
                        .at(place, "adverts carry no password")
                        .help("write `auth_type PASS`"),
                );
                return Auth::None;
            }
            None => {
                self.sink.push(
                    Diagnostic::warning("`auth_pass` without `auth_type`")
                        .at(place, "adverts carry no password")
                        .help("add `auth_type PASS`, on all hosts"),
                );
                return Auth::None;
            }
        }
        let Some(password) = draft.password.filter(|word| !word.text.is_empty()) else {
            self.sink.push(
                Diagnostic::warning("`auth_type PASS` without `auth_pass`")
                    .at(place, "adverts carry no password")
                    .help("add `auth_pass` with up to 8 characters"),
            );
            return Auth::None;
        };
        let bytes = password.text.as_bytes();
        if bytes.len() > PASSWORD_LEN {
            self.sink.push(
                Diagnostic::warning(format!(
                    "`auth_pass` is cut to 8 characters, of {}, as keepalived does",
                    password.text.chars().count()
                ))
                .at(password.span, "")
                .help("write the first 8 only; the others never took part"),
            );
        }
        let mut padded = [0; PASSWORD_LEN];
        for (slot, byte) in padded.iter_mut().zip(bytes) {
            *slot = *byte;
        }
        Auth::Pass(padded)
    }

    fn transport(&mut self, draft: &Draft<'_>, family: Family) -> Transport {
        let mut peers: Vec<Peer> = Vec::new();
        for (peer, span) in &draft.peers.list {
            if self.of_family(peer.address, *span, family).is_some() {
                peers.push(*peer);
            }
        }
        let own = |this: &mut Self, source: At<IpAddr>| {
            source.and_then(|(address, span)| this.of_family(address, span, family))
        };
        let unicast_source = own(self, draft.unicast_source);
        let multicast_source = own(self, draft.multicast_source);
        let source = unicast_source.or(multicast_source);
        if !peers.is_empty() {
            return Transport::Unicast {
                source,
                peers,
                ttl: draft.unicast_ttl.unwrap_or(255),
                check_source: draft.check_source.or(self.defaults.check_source).unwrap_or(true),
            };
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
fn family_of(addresses: &[VirtualAddress], draft: &Draft<'_>) -> Family {
    let virtual_address = addresses.first().map(|first| first.address);
    let decides = virtual_address
        .or(draft.unicast_source.map(|(source, _)| source))
        .or(draft.peers.list.first().map(|(peer, _)| peer.address));
    match decides {
        Some(IpAddr::V6(_)) => Family::V6,
        Some(IpAddr::V4(_)) | None => Family::V4,
    }
}
