//! Entries of `virtual_ipaddress` and `unicast_peer`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use vrrp_common::wire::ladder::{Peer, TtlRange};

use super::Lowering;
use super::iproute::{Fate, Words, prefix};
use super::names::Names;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::Entry;
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::proto::LinkId;
use crate::proto::model::{AddressExtra, Preferred, Prefix, VirtualAddress};

/// The kernel's limit for a label, without the final zero (IFNAMSIZ).
const LABEL_LEN: usize = 15;

/// Peers with their places, each once.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) list: Vec<(Peer, Span)>,
    seen: HashSet<IpAddr>,
}

/// An address with its place.
pub(super) struct LoweredAddress<'w> {
    pub(super) address: VirtualAddress,
    pub(super) span: Span,
    /// Instances that it belongs to (static ones only).
    pub(super) track_group: Option<&'w Word>,
}

impl Lowering<'_> {
    /// The addresses of a block, in their order, each with its place. `link` is where they are added unless
    /// an entry says otherwise.
    pub(super) fn addresses(&mut self, block: &Statement, link: LinkId) -> Vec<(VirtualAddress, Span)> {
        let mut addresses = Vec::new();
        for line in block.entries() {
            let lowered = self.address_line(line, link).into_iter();
            addresses.extend(lowered.map(|lowered| (lowered.address, lowered.span)));
        }
        addresses
    }

    /// The addresses of a line: mostly one.
    pub(super) fn address_line<'w>(&mut self, line: &'w [Word], link: LinkId) -> Vec<LoweredAddress<'w>> {
        let mut addresses: Vec<LoweredAddress<'w>> = Vec::new();
        let mut words = line.iter();
        while let Some(word) = words.next() {
            if let Some(Prefix { address, length }) = self.held(word) {
                addresses.push(LoweredAddress {
                    address: VirtualAddress {
                        address,
                        prefix: length,
                        link,
                        label: None,
                        scope: 0,
                        broadcast: None,
                        dad: false,
                        extra: AddressExtra::default(),
                    },
                    span: word.span,
                    track_group: None,
                });
            } else if let Some(lowered) = addresses.last_mut() {
                self.address_option(word, &mut words, lowered);
            } else {
                self.sink.push(
                    Diagnostic::warning(format!("`{}` is not an address", word.text))
                        .at(word.span, "the line is ignored")
                        .help("an entry begins with ADDRESS or ADDRESS/PREFIX"),
                );
                break;
            }
        }
        addresses
    }

    /// An address to hold. With a prefix that cannot be it is held as a host's, as by keepalived: better than not
    /// at all.
    fn held(&mut self, word: &Word) -> Option<Prefix> {
        if let Some(prefix) = prefix_of(&word.text) {
            return Some(prefix);
        }
        let whole = prefix_of(word.text.split_once('/')?.0)?;
        self.sink.push(
            Diagnostic::warning(format!(
                "`{}` has no prefix length that an address can have; {} is used",
                word.text, whole.length
            ))
            .at(word.span, "")
            .help(format!("write a number from 0 to {}", whole.length)),
        );
        Some(whole)
    }

    fn address_option<'w>(
        &mut self,
        option: &'w Word,
        rest: &mut Words<'w>,
        lowered: &mut LoweredAddress<'w>,
    ) {
        let address = &mut lowered.address;
        match option.text.as_str() {
            "dev" => {
                if let Some(name) = self.value_of(option, rest, Fate::Kept) {
                    address.link = self.link(&name.text, name.span);
                }
            }
            "scope" => {
                if let Some(word) = self.value_of(option, rest, Fate::Kept) {
                    address.scope = self
                        .named_byte(Names::Scopes, word, Fate::Kept)
                        .unwrap_or(address.scope);
                }
            }
            "brd" | "broadcast" => {
                if let Some(word) = self.value_of(option, rest, Fate::Kept) {
                    match broadcast(&word.text, address) {
                        Some(broadcast) => address.broadcast = Some(broadcast),
                        None => self.unfit(
                            word,
                            "an IPv4 address, or + or - with a prefix below 31",
                            Fate::Kept,
                        ),
                    }
                }
            }
            "label" => {
                if let Some(word) = self.value_of(option, rest, Fate::Kept) {
                    if address.address.is_ipv4() && word.text.len() <= LABEL_LEN {
                        address.label = Some(word.text.clone());
                    } else {
                        self.unfit(word, "at most 15 characters, and an IPv4 address", Fate::Kept);
                    }
                }
            }
            "-nodad" => address.dad = true,
            // The prefix is then the other end's: a host's unless it is written there.
            "peer" => {
                let wanted = "ADDRESS[/PREFIX] of the same family";
                let own = address.address.is_ipv4();
                let same = |text: &str| prefix_of(text).filter(|peer| peer.address.is_ipv4() == own);
                address.extra.peer = self.parsed(option, rest, wanted, Fate::Kept, same);
            }
            "preferred_lft" => {
                let preferred = self.parsed(option, rest, "seconds, or forever", Fate::Kept, preferred);
                address.extra.preferred = preferred.unwrap_or_default();
            }
            "home" => address.extra.home |= self.v6_only(option, address.address),
            "mngtmpaddr" => address.extra.temporaries |= self.v6_only(option, address.address),
            "noprefixroute" => address.extra.no_prefix_route = true,
            "autojoin" => address.extra.autojoin = true,
            "no_track" => address.extra.untracked = true,
            "track_group" => lowered.track_group = self.value_of(option, rest, Fate::Kept),
            "use_vmac" => {
                self.option_missing(option);
                // A name and a MAC address may follow, and then other options or addresses.
                while let Some(word) = rest.as_slice().first()
                    && Entry::Address.find(&word.text).is_none()
                    && prefix_of(&word.text).is_none()
                {
                    rest.next();
                }
            }
            _ => self.sink.push(
                Diagnostic::warning(format!("unknown option `{}` of an address", option.text))
                    .at(option.span, "ignored")
                    .help("known: dev, scope, brd, label, peer, -nodad, no_track, preferred_lft and others"),
            ),
        }
    }

    /// Options that the kernel has for IPv6 alone.
    fn v6_only(&mut self, option: &Word, address: IpAddr) -> bool {
        if address.is_ipv4() {
            self.sink.push(
                Diagnostic::note(format!("`{}` is for IPv6 addresses", option.text))
                    .at(option.span, "ignored")
                    .help("remove it"),
            );
        }
        address.is_ipv6()
    }

    fn option_missing(&mut self, option: &Word) {
        let key = format!("address-{}", option.text);
        self.sink.push_once(
            &key,
            || {
                Diagnostic::warning(format!(
                    "`{}` of an address has no effect: it is not done",
                    option.text
                ))
                .remark(Remark::None)
                .at(option.span, "")
            },
            option.span,
        );
    }

    /// The peers of a `unicast_peer` block: `IP [min_ttl N] [max_ttl N]`, each with its place.
    pub(super) fn peers(&mut self, block: &Statement, peers: &mut Peers) {
        for line in block.entries() {
            let mut words = line.iter();
            let start = peers.list.len();
            while let Some(word) = words.next() {
                if let Ok(address) = word.text.parse() {
                    if !peers.seen.insert(address) {
                        self.sink.push(
                            Diagnostic::warning(format!("peer {address} is named twice"))
                                .remark(Remark::None)
                                .at(word.span, "ignored")
                                .help("remove one"),
                        );
                    } else {
                        peers.list.push((
                            Peer {
                                mac: None,
                                address,
                                ttl: TtlRange::ANY,
                            },
                            word.span,
                        ));
                    }
                    continue;
                }
                let current = if peers.list.len() > start {
                    peers.list.last_mut()
                } else {
                    None
                };
                match (current, word.text.as_str()) {
                    (Some((peer, _)), "min_ttl" | "max_ttl") => {
                        let given = words.next();
                        match given.and_then(|given| given.text.parse().ok()) {
                            Some(ttl) if word.text == "min_ttl" => peer.ttl.min = ttl,
                            Some(ttl) => peer.ttl.max = ttl,
                            None => self.unfit(given.unwrap_or(word), "a number from 0 to 255", Fate::Kept),
                        }
                    }
                    _ => {
                        self.sink.push(
                            Diagnostic::warning(format!("`{}` is not an IP address", word.text))
                                .at(word.span, "the rest of the line is ignored")
                                .help("an entry is ADDRESS [min_ttl N] [max_ttl N]; names are not looked up"),
                        );
                        break;
                    }
                }
            }
        }
        for (peer, span) in &mut peers.list {
            if peer.ttl.min > peer.ttl.max {
                self.sink.push(
                    Diagnostic::warning(format!("peer {}: min_ttl is above max_ttl", peer.address))
                        .at(*span, "any TTL is accepted from it")
                        .help("swap them"),
                );
                peer.ttl = TtlRange::ANY;
            }
        }
    }
}

/// `ADDRESS[/PREFIX]`.
fn prefix_of(text: &str) -> Option<Prefix> {
    text.contains(['.', ':']).then(|| prefix(text, None)).flatten()
}

/// `preferred_lft`: seconds, or `forever`.
fn preferred(text: &str) -> Option<Preferred> {
    match text {
        "forever" => Some(Preferred::Forever),
        _ => text.parse().ok().map(Preferred::Seconds),
    }
}

/// `+`: all host bits set; `-`: all clear; or an address.
fn broadcast(text: &str, address: &VirtualAddress) -> Option<IpAddr> {
    let IpAddr::V4(own) = address.address else {
        return None;
    };
    if !matches!(text, "+" | "-") {
        return text.parse::<Ipv4Addr>().ok().map(IpAddr::V4);
    }
    if address.prefix > 30 {
        return None;
    }
    let host = u32::MAX.checked_shr(u32::from(address.prefix))?;
    let bits = if text == "+" {
        own.to_bits() | host
    } else {
        own.to_bits() & !host
    };
    Some(IpAddr::V4(Ipv4Addr::from_bits(bits)))
}
