//! Which entry of the maps stands for whom.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use vrrp_common::abi::{self, AddressWords, Known, PeerRules, PeerSeen, Router, RouterKey};
use vrrp_common::id::Family;
use vrrp_common::time::Nanos;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::{Refusal, TtlRange};

use super::cells::Shown;
use super::maps::Demand;
use crate::proto::model::RouterId;

/// What the maps hold, and which virtual router each entry stands for.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) entries: BTreeMap<RouterKey, Entry>,
    keys: HashMap<RouterId, RouterKey>,
    slots: HashMap<u32, RouterId>,
    /// Devices whose frames are those of another one, a bond.
    pub(super) members: BTreeMap<u32, u32>,
    /// The slot given last; a slot is never given twice, so an old record is never taken for another router.
    pub(super) last_slot: u32,
}

/// A virtual router.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) router: RouterId,
    pub(super) slot: u32,
    pub(super) family: Family,
    pub(super) rules: Demand,
    /// Everybody whom `senders` does not have.
    pub(super) others: Seat,
    /// Listed peers, or the source that is followed.
    pub(super) senders: BTreeMap<AddressWords, Sender>,
    /// The one of them that is followed.
    pub(super) known: Option<KnownSender>,
    /// Where what the kernel has been told of it stands; `None`: nowhere, so that its adverts go to the raw socket.
    pub(super) shown: Option<Shown>,
    /// The kernel is still to be told what stands here.
    pub(super) owed: bool,
    /// What was refused silently, by rung, when the counters were cleared.
    pub(super) refused_when_cleared: [u64; Refusal::ALL.len()],
}

/// A sender with an entry of its own.
#[derive(Debug)]
pub(super) struct Sender {
    pub(super) seat: Seat,
    /// Where what the kernel has been told of it stands; `None` for one that is not listed, of whom it knows only as the one
    /// that is followed.
    pub(super) shown: Option<Shown>,
    pub(super) demand: SenderDemand,
}

/// Whom a virtual router follows.
#[derive(Debug)]
pub(super) struct KnownSender {
    pub(super) source: AddressWords,
    /// What it says; empty if what was accepted of it may not hold the rules any more.
    pub(super) message: Vec<u8>,
    /// That is no news.
    pub(super) hushed: bool,
    /// The gap that is news all the same.
    pub(super) late_after: Nanos,
}

/// What the configuration asks of a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SenderDemand {
    pub(super) ttl: TtlRange,
    pub(super) mac: Option<Mac>,
}

/// A seat, and what of it has been told already.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: u32,
    /// Unchanged adverts.
    pub(super) quiet: u64,
    /// The stamp of the last of them.
    pub(super) alive: u64,
    /// Adverts that did not get into the ring.
    pub(super) kept: u64,
    /// Of these, those that a newer one replaced before they were read.
    pub(super) lost: u64,
    /// Adverts of which a copy from the stack has been met, or is not looked for; see `copies`.
    pub(super) copies: u64,
    /// What was seen of it when the counters were cleared.
    pub(super) before: PeerSeen,
}

impl Seat {
    pub(super) fn new(number: u32) -> Self {
        Self {
            number,
            quiet: 0,
            alive: 0,
            kept: 0,
            lost: 0,
            copies: 0,
            before: PeerSeen::NOTHING,
        }
    }
}

impl SenderDemand {
    /// As the kernel is to have it of who sits in `seat`.
    pub(super) fn at(self, seat: u32) -> PeerRules {
        PeerRules::new(seat, self.ttl, self.mac)
    }
}

impl Entry {
    /// All that the kernel is to have.
    pub(super) fn at(&self, key: RouterKey) -> Router {
        let known = self.known.as_ref().and_then(|known| {
            let sender = self.senders.get(&known.source)?;
            Known::new(
                known.source,
                sender.demand.at(sender.seat.number),
                &known.message,
                known.late_after,
            )
        });
        Router {
            rules: Demand {
                slot: self.slot,
                seat: self.others.number,
                ..self.rules
            },
            key,
            pad: [0; 4],
            known: known.unwrap_or(Known::NOBODY),
        }
    }

    /// Whether `source` is the one that is followed.
    pub(super) fn follows(&self, source: AddressWords) -> bool {
        self.known.as_ref().is_some_and(|known| known.source == source)
    }

    pub(super) fn seats(&self) -> impl Iterator<Item = &Seat> {
        std::iter::once(&self.others).chain(self.senders.values().map(|sender| &sender.seat))
    }

    pub(super) fn seats_mut(&mut self) -> impl Iterator<Item = &mut Seat> {
        let senders = self.senders.values_mut().map(|sender| &mut sender.seat);
        std::iter::once(&mut self.others).chain(senders)
    }

    /// The seat with this number, if it is of this virtual router.
    pub(super) fn seat_mut(&mut self, number: u32) -> Option<&mut Seat> {
        self.seats_mut().find(|seat| seat.number == number)
    }
}

impl Table {
    /// The virtual router behind a slot.
    pub(super) fn router(&self, slot: u32) -> Option<RouterId> {
        self.slots.get(&slot).copied()
    }

    /// Where a virtual router is, if it is here.
    pub(super) fn key(&self, router: RouterId) -> Option<&RouterKey> {
        self.keys.get(&router)
    }

    /// The device that stands for the one at which a frame came in.
    pub(super) fn device(&self, ifindex: u32) -> u32 {
        self.members.get(&ifindex).copied().unwrap_or(ifindex)
    }

    /// The devices whose frames are those of this one.
    pub(super) fn members(&self, device: u32) -> impl Iterator<Item = u32> {
        let members = self.members.iter();
        members
            .filter(move |(_, of)| **of == device)
            .map(|(member, _)| *member)
    }

    /// The key, and the same for each member of its device.
    pub(super) fn aliases(&self, key: RouterKey) -> impl Iterator<Item = RouterKey> + use<> {
        let members: Vec<u32> = self.members(key.ifindex).collect();
        let members = members
            .into_iter()
            .map(move |ifindex| RouterKey { ifindex, ..key });
        std::iter::once(key).chain(members)
    }

    pub(super) fn entry(&self, router: RouterId) -> Option<&Entry> {
        self.entries.get(self.keys.get(&router)?)
    }

    pub(super) fn entry_mut(&mut self, router: RouterId) -> Option<&mut Entry> {
        self.entries.get_mut(self.keys.get(&router)?)
    }

    pub(super) fn sender_mut(&mut self, router: RouterId, source: IpAddr) -> Option<&mut Sender> {
        self.entry_mut(router)?
            .senders
            .get_mut(&abi::address_words(source))
    }

    /// To be called when `entries` have come or gone.
    pub(super) fn index(&mut self) {
        self.keys = self
            .entries
            .iter()
            .map(|(key, entry)| (entry.router, *key))
            .collect();
        self.slots = self
            .entries
            .values()
            .map(|entry| (entry.slot, entry.router))
            .collect();
    }
}
