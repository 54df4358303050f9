//! Entries of `virtual_ipaddress` and `unicast_peer`.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr};

use vrrp_common::wire::ladder::{Peer, TtlRange};

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::config::source::Span;
use crate::proto::LinkId;
use crate::proto::model::VirtualAddress;

/// The kernel's limit for a label, without the final zero (IFNAMSIZ).
const LABEL_LEN: usize = 15;

/// Peers with their places, each once.
#[derive(Debug, Default)]
pub(super) struct Peers {
    pub(super) list: Vec<(Peer, Span)>,
    seen: HashSet<IpAddr>,
}

impl Lowering<'_> {
    /// The addresses of a block, in their order, each with its place. `link` is where they are added unless
    /// an entry says otherwise.
    pub(super) fn addresses(&mut self, block: &Statement, link: LinkId) -> Vec<(VirtualAddress, Span)> {
        let mut addresses: Vec<(VirtualAddress, Span)> = Vec::new();
        for line in block.entries() {
            let mut words = line.iter();
            let start = addresses.len();
            while let Some(word) = words.next() {
                if let Some((address, prefix)) = address_and_prefix(&word.text) {
                    addresses.push((
                        VirtualAddress {
                            address,
                            prefix,
                            link,
                            label: None,
                            scope: 0,
                            broadcast: None,
                            dad: false,
                        },
                        word.span,
                    ));
                } else if let (true, Some((address, _))) = (addresses.len() > start, addresses.last_mut()) {
                    self.address_option(word, &mut words, address);
                } else {
                    self.sink.push(
                        Diagnostic::warning(format!("`{}` is not an address", word.text))
                            .at(word.span, "the line is ignored")
                            .help("an entry begins with ADDRESS or ADDRESS/PREFIX"),
                    );
                    break;
                }
            }
        }
        addresses
    }

    fn address_option<'w>(
        &mut self,
        option: &Word,
        rest: &mut impl Iterator<Item = &'w Word>,
        address: &mut VirtualAddress,
    ) {
        match option.text.as_str() {
            "dev" => {
                if let Some(name) = self.option_value(option, rest) {
                    address.link = self.link(&name.text, name.span);
                }
            }
            "scope" => {
                if let Some(word) = self.option_value(option, rest) {
                    match scope(&word.text) {
                        Some(scope) => address.scope = scope,
                        None => self.bad_option(word, "global, site, link, host, nowhere or a number"),
                    }
                }
            }
            "brd" | "broadcast" => {
                if let Some(word) = self.option_value(option, rest) {
                    match broadcast(&word.text, address) {
                        Some(broadcast) => address.broadcast = Some(broadcast),
                        None => self.bad_option(word, "an IPv4 address, or + or - with a prefix below 31"),
                    }
                }
            }
            "label" => {
                if let Some(word) = self.option_value(option, rest) {
                    if address.address.is_ipv4() && word.text.len() <= LABEL_LEN {
                        address.label = Some(word.text.clone());
                    } else {
                        self.bad_option(word, "at most 15 characters, and an IPv4 address");
                    }
                }
            }
            "-nodad" => address.dad = true,
            "peer" | "preferred_lft" | "track_group" => {
                self.option_missing(option);
                rest.next();
            }
            "use_vmac" => {
                self.option_missing(option);
                rest.for_each(drop);
            }
            "home" | "mngtmpaddr" | "noprefixroute" | "autojoin" | "no_track" => self.option_missing(option),
            _ => self.sink.push(
                Diagnostic::warning(format!("unknown option `{}` of an address", option.text))
                    .at(option.span, "ignored")
                    .help("known: dev, scope, brd, label, -nodad"),
            ),
        }
    }

    fn option_value<'w>(
        &mut self,
        option: &Word,
        rest: &mut impl Iterator<Item = &'w Word>,
    ) -> Option<&'w Word> {
        let value = rest.next();
        if value.is_none() {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has no value", option.text))
                    .at(option.span, "ignored")
                    .help("give it, or remove the option"),
            );
        }
        value
    }

    fn bad_option(&mut self, word: &Word, wanted: &str) {
        self.sink.push(
            Diagnostic::warning(format!("`{}` does not fit here", word.text))
                .at(word.span, "ignored")
                .help(format!("this option takes {wanted}")),
        );
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
                            None => self.bad_option(given.unwrap_or(word), "a number from 0 to 255"),
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
fn address_and_prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    match prefix {
        None => Some((address, longest)),
        Some(prefix) => {
            let prefix = prefix.parse().ok().filter(|prefix| *prefix <= longest)?;
            Some((address, prefix))
        }
    }
}

/// A scope by name or number, as in /etc/iproute2/rt_scopes.
fn scope(text: &str) -> Option<u8> {
    match text {
        "global" => Some(0),
        "site" => Some(200),
        "link" => Some(253),
        "host" => Some(254),
        "nowhere" => Some(255),
        _ => text.parse().ok(),
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
