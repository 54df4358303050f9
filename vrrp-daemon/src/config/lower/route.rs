//! Entries of `virtual_routes` and `static_routes`.

use std::net::IpAddr;

use vrrp_common::id::Family;

use super::Lowering;
use super::iproute::{Fate, Unusable, Words, everywhere, milliseconds, number, prefix};
use super::names::Names;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::{Entry, Status};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::model::{NextHop, Placing, Prefix, VirtualRoute};

/// Number of the protocol "keepalived" in rt_protos: it marks what is ours.
pub(super) const KEEPALIVED: u8 = 18;
/// The main routing table.
const MAIN: u32 = 254;

/// `RTAX_…` with the word for it, as in linux/rtnetlink.h.
const METRICS: &[(&str, u16)] = &[
    ("mtu", 2),
    ("window", 3),
    ("rtt", 4),
    ("rttvar", 5),
    ("ssthresh", 6),
    ("cwnd", 7),
    ("advmss", 8),
    ("reordering", 9),
    ("hoplimit", 10),
    ("initcwnd", 11),
    ("features", 12),
    ("rto_min", 13),
    ("initrwnd", 14),
    ("quickack", 15),
    ("fastopen_no_cookie", 17),
];
const RTAX_CC_ALGO: u16 = 16;
const RTAX_FEATURE_ECN: u32 = 1;

/// `RTN_…` with the word for it.
const KINDS: &[(&str, u8)] = &[
    ("unicast", 1),
    ("local", 2),
    ("broadcast", 3),
    ("anycast", 4),
    ("multicast", 5),
    ("blackhole", 6),
    ("unreachable", 7),
    ("prohibit", 8),
    ("throw", 9),
    ("nat", 10),
    ("xresolve", 11),
];

/// A route as it is written.
#[derive(Default)]
struct Draft<'w> {
    family: Option<Family>,
    kind: Option<u8>,
    destination: Option<(Prefix, &'w Word)>,
    /// `default` before the family was known.
    default: bool,
    first: NextHop,
    /// What follows `or` or `nexthop`.
    more: Vec<NextHop>,
    track_group: Option<&'w Word>,
}

/// A route, and the instances that it belongs to (`track_group`, static ones only).
pub(super) struct Lowered<'w, T> {
    pub(super) item: T,
    pub(super) track_group: Option<&'w Word>,
}

impl Lowering<'_> {
    /// The routes of a block, in their order.
    pub(super) fn routes<'w>(&mut self, block: &'w Statement) -> Vec<Lowered<'w, VirtualRoute>> {
        let entries = block.entries().iter();
        entries.filter_map(|line| self.route(line).ok()).collect()
    }

    fn route<'w>(&mut self, line: &'w [Word]) -> Result<Lowered<'w, VirtualRoute>, Unusable> {
        let Some(first) = line.first() else {
            return Err(Unusable);
        };
        let mut route = VirtualRoute {
            family: Family::V4,
            kind: 1,
            destination: everywhere(Family::V4),
            from: None,
            hops: Vec::new(),
            source: None,
            table: MAIN,
            protocol: KEEPALIVED,
            scope: None,
            tos: 0,
            metric: None,
            preference: None,
            expires: None,
            metrics: Vec::new(),
            locked: 0,
            congestion: None,
            ttl_propagate: None,
            placing: Placing::default(),
            tracked: true,
        };
        let mut draft = Draft::default();
        let mut words = line.iter();
        while let Some(word) = words.next() {
            self.route_word(word, &mut words, &mut route, &mut draft)?;
        }
        self.finish_route(first, route, draft)
    }

    fn route_word<'w>(
        &mut self,
        word: &'w Word,
        words: &mut Words<'w>,
        route: &mut VirtualRoute,
        draft: &mut Draft<'w>,
    ) -> Result<(), Unusable> {
        let text = word.text.as_str();
        if let Some((_, metric)) = METRICS.iter().find(|(name, _)| *name == text) {
            return self.route_metric(word, *metric, words, route);
        }
        if let Some((_, kind)) = KINDS.iter().find(|(name, _)| *name == text) {
            draft.kind = Some(*kind);
            return Ok(());
        }
        match text {
            "inet" => draft.family = Some(Family::V4),
            "inet6" => draft.family = Some(Family::V6),
            "src" => route.source = Some(self.ip(word, words)?),
            "from" => route.from = Some(self.required_prefix(word, words, draft.family)?),
            "to" => {
                let destination = self.required_word(word, words)?;
                self.destination(destination, draft)?;
            }
            "via" | "gw" => {
                let via = self.gateway(word, words)?;
                draft.hop().via = Some(via);
                if text == "gw" {
                    self.deprecated(word, "via");
                }
            }
            "or" => {
                let via = self.gateway(word, words)?;
                draft.more.push(NextHop {
                    via: Some(via),
                    ..NextHop::default()
                });
                self.deprecated(word, "nexthop");
            }
            "nexthop" => draft.more.push(NextHop::default()),
            "weight" => {
                let weight = |text: &str| text.parse().ok().filter(|weight| (1..=256).contains(weight));
                draft.hop().weight = Some(self.required(word, words, "1 to 256", weight)?);
            }
            "dev" | "oif" => {
                let name = self.required_word(word, words)?;
                draft.hop().link = Some(self.link(&name.text, name.span));
            }
            "onlink" => draft.hop().onlink = true,
            "realms" | "realm" => draft.hop().realms = Some(self.realms(word, words)?),
            "scope" => route.scope = Some(self.required_byte(Names::Scopes, word, words)?),
            "protocol" | "proto" => route.protocol = self.required_byte(Names::Protocols, word, words)?,
            "tos" | "dsfield" => route.tos = self.required_byte(Names::Services, word, words)?,
            "table" => route.table = self.required_number(Names::Tables, word, words)?,
            "metric" | "priority" | "preference" => {
                route.metric = Some(self.required(word, words, "a number", number)?);
            }
            "pref" => {
                route.preference = Some(self.required(word, words, "low, medium or high", preference)?);
            }
            "expires" => {
                route.expires = Some(self.required(word, words, "seconds", number)?);
            }
            "congctl" => {
                let lock = take_lock(words);
                let name = self.required_word(word, words)?;
                route.congestion = Some(name.text.clone());
                lock_metric(route, RTAX_CC_ALGO, lock);
            }
            "ttl-propagate" => {
                let propagate = self.required(word, words, "enabled or disabled", |text| match text {
                    "enabled" => Some(true),
                    "disabled" => Some(false),
                    _ => None,
                });
                route.ttl_propagate = Some(propagate?);
            }
            "add" => route.placing = Placing::Only,
            "prepend" => route.placing = Placing::First,
            "append" => route.placing = Placing::Last,
            "no_track" => route.tracked = false,
            "track_group" => draft.track_group = self.value_of(word, words, Fate::Kept),
            _ => match Entry::Route.find(text).map(|known| known.status) {
                Some(Status::Missing(_)) => {
                    return Err(self.left_out("route", word, &format!("`{text}` is not done"), Remark::None));
                }
                _ => self.destination(word, draft)?,
            },
        }
        Ok(())
    }

    fn finish_route<'w>(
        &mut self,
        first: &Word,
        mut route: VirtualRoute,
        draft: Draft<'w>,
    ) -> Result<Lowered<'w, VirtualRoute>, Unusable> {
        // Before `nexthop` nothing need stand.
        let hops = [draft.first].into_iter().chain(draft.more);
        let hops: Vec<_> = hops.filter(|hop| *hop != NextHop::default()).collect();
        let vias = hops.iter().filter_map(|hop| hop.via);
        let family = draft
            .destination
            .map(|(prefix, _)| Family::of(prefix.address))
            .or(draft.family)
            .or(route.source.map(Family::of))
            .or(vias.map(Family::of).next())
            .unwrap_or(Family::V4);
        route.family = family;
        route.destination = match draft.destination {
            Some((prefix, _)) => prefix,
            None if draft.default => everywhere(family),
            None => {
                return Err(self.left_out("route", first, "the route has no destination", Remark::General));
            }
        };
        let mixed = draft.family.is_some_and(|said| said != family)
            || route.source.is_some_and(|source| Family::of(source) != family)
            || route.from.is_some_and(|from| Family::of(from.address) != family);
        if mixed {
            let why = "IPv4 and IPv6 addresses do not go together in a route";
            return Err(self.left_out("route", first, why, Remark::General));
        }
        if family == Family::V4 && route.expires.is_some() {
            return Err(self.left_out("route", first, "`expires` is for IPv6", Remark::General));
        }
        self.clear_host_bits(first, &mut route.destination);
        route.kind = draft.kind.unwrap_or(1);
        route.hops = hops;
        if route.links().next().is_none() && route.tracked {
            self.sink.push(
                Diagnostic::note(format!("route {} names no interface", route))
                    .remark(Remark::General)
                    .at(
                        first.span,
                        "keepalived would not put it back when somebody removes it; here it is put back",
                    )
                    .help("add `dev INTERFACE`, or `no_track`"),
            );
        }
        Ok(Lowered {
            item: route,
            track_group: draft.track_group,
        })
    }

    /// The kernel refuses a destination with bits set beyond its prefix, and keepalived says nothing before that.
    fn clear_host_bits(&mut self, first: &Word, prefix: &mut Prefix) {
        let network = prefix.network();
        if network != prefix.address {
            self.sink.push(
                Diagnostic::warning(format!("{prefix} names a host, not a network"))
                    .remark(Remark::None)
                    .at(first.span, format!("{network}/{} is used", prefix.length))
                    .help("the kernel takes a network: clear the bits beyond its length"),
            );
            prefix.address = network;
        }
    }

    fn destination<'w>(&mut self, word: &'w Word, draft: &mut Draft<'w>) -> Result<(), Unusable> {
        if let Some((_, other)) = draft.destination {
            self.sink.push(
                Diagnostic::warning(format!(
                    "unknown word `{}` in a route, which is left out",
                    word.text
                ))
                .at(word.span, "")
                .related(other.span, "this is where it leads")
                .help("`man 8 ip-route` has the words; a route stands on one line"),
            );
            return Err(Unusable);
        }
        if matches!(word.text.as_str(), "default" | "any" | "all") {
            draft.default = true;
            return Ok(());
        }
        let Some(prefix) = prefix(&word.text, draft.family) else {
            let why = format!("`{}` is neither a word of a route nor an address", word.text);
            return Err(self.left_out("route", word, &why, Remark::General));
        };
        draft.destination = Some((prefix, word));
        Ok(())
    }

    fn route_metric(
        &mut self,
        word: &Word,
        metric: u16,
        words: &mut Words<'_>,
        route: &mut VirtualRoute,
    ) -> Result<(), Unusable> {
        let lock = take_lock(words);
        let value = match word.text.as_str() {
            "features" => self.required(word, words, "ecn", |text| {
                (text == "ecn").then_some(RTAX_FEATURE_ECN)
            }),
            // The kernel keeps these scaled; a number without a unit is in its own scale, as in iproute2.
            "rtt" => self.required(word, words, "milliseconds", |text| scaled(text, 8)),
            "rttvar" => self.required(word, words, "milliseconds", |text| scaled(text, 4)),
            "rto_min" => self.required(word, words, "milliseconds", |text| scaled(text, 1)),
            _ => self.required(word, words, "a number", number),
        };
        route.metrics.push((metric, value?));
        lock_metric(route, metric, lock);
        Ok(())
    }

    /// `[inet|inet6] ADDRESS`
    fn gateway(&mut self, word: &Word, words: &mut Words<'_>) -> Result<IpAddr, Unusable> {
        if let Some("inet" | "inet6") = words.as_slice().first().map(|word| word.text.as_str()) {
            words.next();
        }
        self.ip(word, words)
    }

    fn ip(&mut self, word: &Word, words: &mut Words<'_>) -> Result<IpAddr, Unusable> {
        self.required(word, words, "an IP address", |text| text.parse().ok())
    }

    fn deprecated(&mut self, word: &Word, instead: &str) {
        self.sink.push(
            Diagnostic::note(format!("`{}` is deprecated", word.text))
                .remark(Remark::General)
                .at(word.span, "")
                .help(format!("use {instead}")),
        );
    }
}

impl Draft<'_> {
    /// The hop that is being described.
    fn hop(&mut self) -> &mut NextHop {
        self.more.last_mut().unwrap_or(&mut self.first)
    }
}

fn lock_metric(route: &mut VirtualRoute, metric: u16, lock: bool) {
    if lock {
        route.locked |= 1 << metric;
    }
}

fn take_lock(words: &mut Words<'_>) -> bool {
    let lock = words.as_slice().first().is_some_and(|word| word.text == "lock");
    if lock {
        words.next();
    }
    lock
}

fn scaled(text: &str, scale: u32) -> Option<u32> {
    match milliseconds(text)? {
        (value, true) => value.checked_mul(scale),
        (value, false) => Some(value),
    }
}

/// RFC 4191, as `RTA_PREF` has it.
fn preference(text: &str) -> Option<u8> {
    match text {
        "medium" => Some(0),
        "high" => Some(1),
        "low" => Some(3),
        _ => None,
    }
}
