//! What a `vrrp_instance` means: defaults, and keywords that decide over one another.

use std::collections::HashSet;

use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::ladder::Auth;

use super::Lowering;
use super::instance::{Draft, Initial};
use super::track::Tracks;
use super::transport::family_of;
use super::uncommon::Resolved;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::source::Span;
use crate::proto::LinkId;
use crate::proto::model::{Preempt, VirtualAddress, VirtualRouter};

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
        if addresses.is_empty() {
            self.no_address(&draft, version, strict);
        }
        let place = draft.addresses.first().map_or(name.span, |block| block.span);
        self.first_is_link_local(addresses.first(), place, strict);
        let (priority, initially_master) = self.priority(&draft, strict);
        let interval = self.interval(&draft, version);
        let preempt = self.preempt(&draft, priority, strict);
        let auth = self.auth(&draft, version, strict);
        let transport = self.transport(&draft, family);
        if strict {
            self.strict_instance(&draft, priority, &transport);
        }
        let (advert_on_lower, advert_on_higher, down_adverts) = self.adverts(&draft, strict);
        let announce = self.announcements(&draft, strict);
        let resolved = Resolved {
            strict,
            version,
            family,
            interval,
            down_adverts,
            preempt,
            transport: &transport,
            addresses: addresses.len(),
        };
        let uncommon = self.uncommon(&draft, resolved);
        let mut tracks = Tracks::default();
        for block in &draft.track_links {
            self.track_links(block, Some(link), &mut tracks);
        }
        for block in &draft.track_scripts {
            self.track_scripts(block, &mut tracks);
        }
        for block in &draft.track_files {
            self.track_files(block, &mut tracks);
        }
        for block in &draft.track_processes {
            self.track_processes(block, &mut tracks);
        }
        for line in &draft.track_restarts {
            self.track_restarts(line, &mut tracks);
        }
        let (routes, rules) = self.routes_and_rules(&draft, link, &mut tracks);
        for address in addresses.iter().chain(&excluded) {
            if !address.extra.untracked && address.link != link {
                tracks.needs(address.link);
            }
        }
        if priority.is_owner() {
            self.weights_of_owner(&name.text, &tracks.list, name.span);
        }
        let Some(vrid) = vrid else { return };
        let id = self.router_id(name.span);
        self.routers.insert(name.text.clone(), id);
        self.router_spans.push(name.span);
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
            down_adverts,
            auth,
            transport,
            v3_checksum: self.checksum(&draft),
            addresses,
            excluded,
            routes,
            rules,
            track: tracks.list,
            track_primary: draft.track_primary,
            announce,
            advert_on_lower,
            advert_on_higher,
            group: None,
            uncommon,
        });
        let mut notify = draft.notify;
        if self.defaults.priority_changes {
            notify.priority_changes.get_or_insert(true);
        }
        self.config.router_notify.push(notify);
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
                let first = advertised.first().map(|first| Family::of(first.address));
                let family = Self::asked_family(draft).or(first);
                if !in_adverts {
                    excluded.push(address);
                } else if family.is_some_and(|family| family != Family::of(address.address)) {
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
        (advertised, excluded)
    }

    fn duplicate_address(&mut self, address: &VirtualAddress, span: Span) {
        self.sink.push(
            Diagnostic::warning(format!("{} is named twice", address.address))
                .remark(Remark::None)
                .at(span, "ignored")
                .help("remove one"),
        );
    }

    fn wrong_family(&mut self, address: &VirtualAddress, span: Span) {
        let family = Family::of(address.address);
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
                        .remark(Remark::None)
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
            if strict {
                self.sink.push(
                    Diagnostic::warning("with `vrrp_strict` priority 255 begins as Master")
                        .at(at, "BACKUP is not heeded")
                        .help("write `state MASTER`, or a priority below 255"),
                );
            }
            return (priority, strict);
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
        if version == Version::V3 && centis.is_none() && given.0 <= 255 * SECOND {
            self.sink.push(
                Diagnostic::warning("`advert_int` is at most 40.95 s in version 3, which is used")
                    .at(at, "")
                    .help("write 40.95 or less, the same on all hosts"),
            );
            return Centis::MAX_V3;
        }
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
            let used = super::in_seconds(Nanos(rounded));
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
                        .remark(Remark::None)
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
        let bytes = password.bytes();
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
}
