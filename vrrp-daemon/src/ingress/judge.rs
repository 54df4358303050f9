//! Judges a message: whose is it, and does it hold every rule? The raw path and the XDP ring both ask here,
//! so that they cannot differ.

use std::collections::HashMap;
use std::net::IpAddr;

use vrrp_common::id::{Family, Vrid};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::{self, Datagram};
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::{HEAD_LEN, Head, Peer, Refusal, Rules, Sources};

use crate::proto::model::{LinkId, Model, RouterId, Transport, VirtualRouter};
use crate::proto::{Clue, Heard, Input};

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// An advert of one of our virtual routers that held every rule.
    Heard(Heard),
    /// Adverts that the kernel judged, found to be the same as the last one of their sender, and kept to itself.
    Unchanged {
        /// The virtual router.
        router: RouterId,
        /// The sender.
        source: IpAddr,
        /// Arrival of the last of them.
        at: MonoNanos,
        /// How many.
        adverts: u64,
    },
    /// It broke a rule.
    Refused {
        /// The virtual router it named, if it is ours.
        router: Option<RouterId>,
        /// The sender.
        source: IpAddr,
        /// Its Ethernet address, if the path tells.
        mac: Option<Mac>,
        /// The rung it failed at.
        refusal: Refusal,
    },
    /// A virtual router that does not run here, with something about it that tells of a mistake.
    Stranger {
        /// The virtual router of ours that it concerns, if one.
        router: Option<RouterId>,
        /// The sender.
        source: IpAddr,
        /// Its Ethernet address, if the path tells.
        mac: Option<Mac>,
        /// The virtual router that it names.
        vrid: Vrid,
        /// What is strange about it.
        clue: Clue,
    },
    /// A virtual router that does not run here: somebody else's business.
    NotOurs,
}

impl Judged {
    /// What the protocol is told of it, if anything.
    #[must_use]
    pub fn input(self) -> Option<Input> {
        match self {
            Self::Heard(heard) => Some(Input::Advert(heard)),
            Self::Unchanged {
                router,
                source,
                at,
                adverts,
            } => Some(Input::StillThere {
                router,
                source,
                at,
                adverts,
            }),
            Self::Refused {
                router,
                source,
                mac,
                refusal,
            } => Some(Input::Refused {
                router,
                source,
                mac,
                refusal,
            }),
            Self::Stranger {
                router,
                source,
                mac,
                vrid,
                clue,
            } => Some(Input::Stranger {
                router,
                source,
                mac,
                vrid,
                clue,
            }),
            Self::NotOurs => None,
        }
    }
}

impl Judged {
    /// The same with the sender's Ethernet address, if the path did not tell it and `of` knows it.
    #[must_use]
    pub fn sent_by(mut self, of: impl FnOnce(Option<RouterId>, IpAddr) -> Option<Mac>) -> Self {
        let (router, source, mac) = match &mut self {
            Self::Heard(heard) => (Some(heard.router), heard.source, &mut heard.mac),
            Self::Refused {
                router, source, mac, ..
            }
            | Self::Stranger {
                router, source, mac, ..
            } => (*router, *source, mac),
            Self::Unchanged { .. } | Self::NotOurs => return self,
        };
        *mac = mac.or_else(|| of(router, source));
        self
    }
}

/// The rules of every virtual router, to be found by what a message says.
#[derive(Debug)]
pub struct Judge {
    /// Sorted by key; routers of one key differ in group, source or peers.
    entries: Vec<(Key, Entry)>,
    /// The first address of each virtual router: who advertises it under another VRID means ours.
    firsts: HashMap<(LinkId, IpAddr), RouterId>,
    log_unknown_vrids: bool,
}

type Key = (LinkId, Family, Vrid);

#[derive(Debug)]
struct Entry {
    router: RouterId,
    /// The group it listens to; `None` for unicast.
    group: Option<IpAddr>,
    /// The address it is sent to, if configured; for unicast.
    local: Option<IpAddr>,
    peers: Vec<Peer>,
    check_source: bool,
    rules: Rules<'static>,
    addresses: Vec<IpAddr>,
}

impl Judge {
    /// Prepare the rules of every virtual router.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        let mut entries: Vec<_> = (0..)
            .map(RouterId)
            .zip(&model.routers)
            .map(|(id, router)| ((router.link, router.family, router.vrid), Entry::new(id, router)))
            .collect();
        entries.sort_by_key(|(key, _)| *key);
        let firsts = (0..)
            .map(RouterId)
            .zip(&model.routers)
            .filter_map(|(id, router)| {
                let first = router.addresses.first()?;
                Some(((router.link, first.address), id))
            });
        Self {
            entries,
            firsts: firsts.collect(),
            log_unknown_vrids: model.log_unknown_vrids,
        }
    }

    /// Judge a message that arrived on `link` at `at`. Allocates nothing.
    #[must_use]
    pub fn judge(&self, link: LinkId, datagram: &Datagram<'_>, at: MonoNanos) -> Judged {
        let refused = |router, refusal| Judged::Refused {
            router,
            source: datagram.source,
            mac: datagram.source_mac,
            refusal,
        };
        let head = match advert::peek(datagram.pdu) {
            Ok(head) => head,
            Err(refusal) => return refused(None, refusal),
        };
        let Some(entry) = self.find((link, Family::of(datagram.source), head.vrid), datagram) else {
            return self.strange(link, &head, datagram);
        };
        match advert::parse(datagram, &entry.rules()) {
            Err(refusal) => refused(Some(entry.router), refusal),
            Ok(advert) => Judged::Heard(Heard {
                mac: datagram.source_mac,
                router: entry.router,
                source: datagram.source,
                priority: advert.priority,
                interval: advert.interval,
                at,
                checksum: advert.checksum,
                same_addresses: advert.lists(&entry.addresses),
            }),
        }
    }

    /// What is to be said of a message that none of ours hears.
    fn strange(&self, link: LinkId, head: &Head, datagram: &Datagram<'_>) -> Judged {
        let vrid = head.vrid;
        let told = |router, clue| Judged::Stranger {
            router,
            source: datagram.source,
            mac: datagram.source_mac,
            vrid,
            clue,
        };
        let multicast = datagram.destination.is_multicast();
        let alike = self.candidates((link, Family::of(datagram.source), vrid));
        let other_way = alike.clone().find(|entry| entry.group.is_some() != multicast);
        if let Some(entry) = other_way {
            let clue = if multicast { Clue::Multicast } else { Clue::Unicast };
            return told(Some(entry.router), clue);
        }
        // The same VRID in another group is another virtual router, which may have our addresses for all we know.
        if alike.count() == 0
            && let Some(first) = first_address(datagram)
            && let Some(router) = self.firsts.get(&(link, first))
        {
            return told(Some(*router), Clue::OurAddress);
        }
        if self.log_unknown_vrids {
            return told(None, Clue::UnknownVrid);
        }
        Judged::NotOurs
    }

    fn candidates(&self, key: Key) -> impl Iterator<Item = &Entry> + Clone {
        let start = self.entries.partition_point(|(entry, _)| *entry < key);
        let rest = self.entries.get(start..).unwrap_or_default();
        rest.iter()
            .take_while(move |(entry, _)| *entry == key)
            .map(|(_, entry)| entry)
    }

    /// The virtual router that a message is for. Unicast ones may share a VRID if their addresses or peers differ.
    /// Then the destination tells, as it does for the XDP program and the raw sockets: the one that has it, else one
    /// that has none configured; and of several the one that knows the sender, else any, to refuse it by name.
    fn find(&self, key: Key, datagram: &Datagram<'_>) -> Option<&Entry> {
        let candidates = self.candidates(key);
        if datagram.destination.is_multicast() {
            return { candidates }.find(|entry| entry.group == Some(datagram.destination));
        }
        candidates
            .filter(|entry| entry.group.is_none())
            .max_by_key(|entry| {
                let here = entry.local == Some(datagram.destination);
                let known = entry.peers.iter().any(|peer| peer.address == datagram.source);
                (here, entry.local.is_none(), known)
            })
    }
}

/// The first address that an advert lists.
fn first_address(datagram: &Datagram<'_>) -> Option<IpAddr> {
    let rest = datagram.pdu.get(HEAD_LEN..)?;
    match Family::of(datagram.source) {
        Family::V4 => rest.first_chunk::<4>().map(|octets| IpAddr::from(*octets)),
        Family::V6 => rest.first_chunk::<16>().map(|octets| IpAddr::from(*octets)),
    }
}

impl Entry {
    fn new(id: RouterId, router: &VirtualRouter) -> Self {
        let (group, local, peers, check_source) = match &router.transport {
            Transport::Multicast { group, .. } => (Some(*group), None, Vec::new(), false),
            Transport::Unicast {
                source,
                peers,
                check_source,
                ..
            } => (None, *source, peers.clone(), *check_source),
        };
        Self {
            router: id,
            group,
            local,
            peers,
            check_source,
            rules: Rules {
                version: router.version,
                family: router.family,
                sources: Sources::OnLink,
                auth: router.auth,
                interval: router.interval,
                may_be_empty: router.addresses.is_empty(),
            },
            addresses: router.addresses.iter().map(|address| address.address).collect(),
        }
    }

    fn rules(&self) -> Rules<'_> {
        let sources = match (self.group, self.check_source) {
            (Some(_), _) => Sources::OnLink,
            (None, true) => Sources::Listed(&self.peers),
            (None, false) => Sources::Anyone,
        };
        Rules {
            sources,
            ..self.rules
        }
    }
}
