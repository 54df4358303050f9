//! Judges a message: whose is it, and does it hold every rule? The raw path and the XDP ring both ask here,
//! so that they cannot differ.

use std::net::IpAddr;

use vrrp_common::id::{Family, Vrid};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::{self, Datagram};
use vrrp_common::wire::ladder::{Peer, Refusal, Rules, Sources};

use crate::proto::Heard;
use crate::proto::model::{LinkId, Model, RouterId, Transport, VirtualRouter};

/// What a message turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// An advert of one of our virtual routers that held every rule.
    Heard(Heard),
    /// It broke a rule.
    Refused {
        /// The virtual router it named, if it is ours.
        router: Option<RouterId>,
        /// The sender.
        source: IpAddr,
        /// The rung it failed at.
        refusal: Refusal,
    },
    /// A virtual router that does not run here: somebody else's business.
    NotOurs,
}

/// The rules of every virtual router, to be found by what a message says.
#[derive(Debug)]
pub struct Judge {
    /// Sorted by key; routers of one key differ in group, source or peers.
    entries: Vec<(Key, Entry)>,
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
        Self { entries }
    }

    /// Judge a message that arrived on `link` at `at`. Allocates nothing.
    #[must_use]
    pub fn judge(&self, link: LinkId, datagram: &Datagram<'_>, at: MonoNanos) -> Judged {
        let refused = |router, refusal| Judged::Refused {
            router,
            source: datagram.source,
            refusal,
        };
        let head = match advert::peek(datagram.pdu) {
            Ok(head) => head,
            Err(refusal) => return refused(None, refusal),
        };
        let Some(entry) = self.find((link, Family::of(datagram.source), head.vrid), datagram) else {
            return Judged::NotOurs;
        };
        match advert::parse(datagram, &entry.rules()) {
            Err(refusal) => refused(Some(entry.router), refusal),
            Ok(advert) => Judged::Heard(Heard {
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

    /// The virtual router that a message is for. Unicast ones may share a VRID if their addresses or peers
    /// differ: then the one that knows both ends, else the one that knows the sender, else the one that knows
    /// the destination has it, to refuse it by name.
    fn find(&self, key: Key, datagram: &Datagram<'_>) -> Option<&Entry> {
        let start = self.entries.partition_point(|(entry, _)| *entry < key);
        let candidates = || {
            let rest = self.entries.get(start..).unwrap_or_default();
            rest.iter()
                .take_while(|(entry, _)| *entry == key)
                .map(|(_, entry)| entry)
        };
        if datagram.destination.is_multicast() {
            return candidates().find(|entry| entry.group == Some(datagram.destination));
        }
        candidates()
            .filter(|entry| entry.group.is_none())
            .max_by_key(|entry| {
                let here = entry.local.is_none_or(|local| local == datagram.destination);
                let known = entry.peers.iter().any(|peer| peer.address == datagram.source);
                (here && known, known, here)
            })
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
