//! What the kernel is told of our virtual routers and their peers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aya::maps::MapError;
use vrrp_common::abi::{self, AddressWords, Peer, PeerKey, RouterKey, RouterRules};
use vrrp_common::id::Family;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::{Refusal, TtlRange};

use super::XdpPath;
use super::cells::Shown;
use super::grace::Retired;
use super::refusals::ticks_a_second;
use super::seats::Seats;
use super::table::{Entry, Seat, Sender, SenderDemand};
use crate::proto::model::{Model, RouterId, Transport, VirtualRouter, XdpMode};

/// Where a virtual router's adverts arrive. All of it comes and goes with devices and addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of its device, `None` while there is none.
    pub ifindex: Option<u32>,
    /// VLAN tags in the frames that the program sees there, as [`abi::with_tag`] puts them together; 0: none.
    pub vlan: u32,
    /// Where unicast frames are sent to on it; `None`: not known, and any will do.
    pub mac: Option<Mac>,
    /// The address it sends from: what its peers' unicast adverts are sent to.
    pub source: Option<IpAddr>,
}

/// A map could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the XDP program's maps cannot be accessed: {0}")]
pub struct MapsError(#[from] MapError);

/// What the configuration and the device ask of adverts: [`RouterRules`] before numbers are given.
pub(super) type Demand = RouterRules;

impl XdpPath {
    /// Tell the kernel of the virtual routers of `model`, each at its place (same order). Call it again
    /// whenever a place changes: what is unchanged keeps its stamps, what has no place is taken out.
    /// `pass_accepted` lets accepted adverts go on to the stack, where tcpdump sees them.
    ///
    /// Answers the virtual routers that are left to the raw socket: those that the kernel cannot tell apart (same
    /// device, VRID and destination, as unicast instances with disjoint peers may have), and those for which it has no
    /// room.
    ///
    /// # Errors
    /// [`MapsError`]; the maps may then hold a part of it, and calling again mends that.
    pub fn configure(
        &mut self,
        model: &Model,
        places: &[Place],
        pass_accepted: bool,
    ) -> Result<Vec<RouterId>, MapsError> {
        self.collect();
        (self.owing, self.came_back) = (false, false);
        let (wanted, mut left_out) = wanted(model, places, pass_accepted);
        let gone: Vec<RouterKey> = self
            .table
            .entries
            .keys()
            .filter(|key| !wanted.contains_key(key))
            .copied()
            .collect();
        for key in gone {
            self.take_out(&key)?;
        }
        for (key, (router, demand, senders)) in wanted {
            if !self.admit_router(key, router, demand, &senders)? {
                left_out.push(router);
            }
        }
        self.table.index();
        Ok(left_out)
    }

    /// `members` are the devices of `device`, a bond: the driver runs the program there, and frames come in under their
    /// numbers. Cheap when nothing changes.
    pub fn set_members(&mut self, device: u32, members: &BTreeSet<u32>) {
        let known = self.table.members.iter();
        let known: BTreeSet<u32> = known
            .filter(|(_, of)| **of == device)
            .map(|(member, _)| *member)
            .collect();
        if known == *members {
            return;
        }
        for gone in known.difference(members) {
            self.table.members.remove(gone);
        }
        for new in members.difference(&known) {
            self.table.members.insert(*new, device);
        }
        // Of all: a device may have left another bond for this one.
        let keys: Vec<RouterKey> = self.table.entries.keys().copied().collect();
        for key in keys {
            let hashes = self.table.aliases(key).map(|key| key.hash());
            let Some(entry) = self.table.entries.get_mut(&key) else {
                continue;
            };
            if let Some(shown) = &entry.shown {
                entry.shown = Some(self.routers.show(hashes, Some(shown), shown.cell));
            }
        }
    }

    /// Whether some of what [`configure`](Self::configure) was told could not be told to the kernel.
    #[must_use]
    pub fn owes(&self) -> bool {
        self.owing
    }

    /// Whether there may be room for it now: then `configure` is to be called again.
    pub fn can_pay(&mut self) -> bool {
        self.owing && {
            self.collect();
            self.came_back
        }
    }

    /// Use again what nobody reads any more.
    fn collect(&mut self) {
        while let Some(retired) = self.grace.over() {
            self.came_back = true;
            match retired {
                Retired::Router(cell) => self.routers.give_back(cell),
                Retired::Peer(cell) => self.peers.give_back(cell),
                // One whose tally cannot be cleared is not given out again.
                Retired::Seat(seat) if self.refusals.clear(seat).is_ok() => self.seats.give_back(seat),
                Retired::Seat(_) => {}
            }
        }
    }

    /// The device at which the program judges adverts for `router`, `None` if they are the raw socket's.
    #[must_use]
    pub fn device_of(&self, router: RouterId) -> Option<u32> {
        self.table.key(router).map(|key| key.ifindex)
    }

    /// Have a seat for `source`, the Master that `router` follows now. Peers of a router that checks its sources
    /// have one anyway; for multicast there is one, so strangers cannot push the Master out. Cheap when nothing
    /// changes.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn follow(&mut self, router: RouterId, source: IpAddr) -> Result<(), MapsError> {
        let source = abi::address_words(source);
        let Some(entry) = self.table.entry(router) else {
            return Ok(());
        };
        if entry.rules.flags & RouterRules::CHECK_SOURCE != 0 || entry.senders.contains_key(&source) {
            return Ok(());
        }
        let ttl = TtlRange {
            min: entry.rules.ttl_min,
            max: entry.rules.ttl_max,
        };
        let before: Vec<AddressWords> = entry.senders.keys().copied().collect();
        let Some(key) = self.table.key(router).copied() else {
            return Ok(());
        };
        for source in before {
            self.take_out_sender(&key, source)?;
        }
        self.collect();
        let Some(seat) = self.seats.take()? else {
            return Ok(());
        };
        let sender = Sender {
            seat: Seat::new(seat),
            shown: None,
            demand: SenderDemand { ttl, mac: None },
        };
        if let Some(entry) = self.table.entry_mut(router) {
            entry.senders.insert(source, sender);
        }
        Ok(())
    }

    /// A listed peer that takes a seat. `None`: there is no room for it, or none at the moment.
    fn admit_sender(
        &mut self,
        key: PeerKey,
        seat: u32,
        demand: SenderDemand,
    ) -> Result<Option<Sender>, MapsError> {
        let rules = demand.at(seat);
        let cell = self.peers.write(Peer { key, rules });
        self.owing |= matches!(cell, Ok(None));
        let shown = match cell {
            Ok(Some(cell)) => Some(self.peers.show(std::iter::once(key.hash()), None, cell)),
            Ok(None) => None,
            Err(error) => {
                self.seats.give_back(seat);
                return Err(error.into());
            }
        };
        match shown {
            Some(shown) if shown.is_at(key.hash()) => Ok(Some(Sender {
                seat: Seat::new(seat),
                shown: Some(shown),
                demand,
            })),
            // Neither has been found by anybody.
            unseen => {
                if let Some(Shown { cell, .. }) = unseen {
                    self.peers.give_back(cell);
                }
                self.seats.give_back(seat);
                Ok(None)
            }
        }
    }

    /// A virtual router as it is wanted, new or known. False: there is no room for it.
    fn admit_router(
        &mut self,
        key: RouterKey,
        router: RouterId,
        demand: Demand,
        listed: &BTreeMap<AddressWords, SenderDemand>,
    ) -> Result<bool, MapsError> {
        if !self.table.entries.contains_key(&key) {
            // One for the others, and one for the Master of a router that lists nobody.
            if self.seats.left() < listed.len().max(1) + 1 {
                self.owing = true;
                return Ok(false);
            }
            let Some(seat) = self.seats.take()? else {
                return Ok(false);
            };
            self.table.last_slot += 1;
            let entry = Entry {
                router,
                slot: self.table.last_slot,
                family: router_family(&key),
                // Nothing that is ever asked for, so that it is told below.
                rules: Demand { version: 0, ..demand },
                others: Seat::new(seat),
                senders: BTreeMap::new(),
                known: None,
                shown: None,
                owed: true,
                refused_when_cleared: [0; Refusal::ALL.len()],
            };
            self.table.entries.insert(key, entry);
        }
        let Some(entry) = self.table.entries.get_mut(&key) else {
            return Ok(false);
        };
        entry.router = router;
        let changed = entry.rules != demand;
        if changed {
            // What was accepted by other rules may not hold these: everything is news again, as soon as they count.
            if let Some(known) = &mut entry.known {
                known.message.clear();
                known.hushed = false;
            }
            for seat in entry.seats() {
                self.seats.set_hushed(seat.number, false);
            }
        }
        if demand.flags & !entry.rules.flags & RouterRules::PASS_ACCEPTED != 0 {
            for seat in entry.seats_mut() {
                seat.expect_no_copies(&self.seats.seen(seat.number));
            }
        }
        let mut room = self.admit_senders(&key, demand, listed)?;
        if let Some(entry) = self.table.entries.get_mut(&key).filter(|_| room) {
            entry.rules = demand;
            if changed || entry.owed {
                // With nothing but a cell wanting, the old rules hold a little longer.
                room = self.publish(&key)? != Told::NoRoom;
            }
        }
        if !room {
            self.take_out(&key)?;
        }
        Ok(room)
    }

    /// Tell the kernel what stands in the table of a virtual router.
    pub(super) fn publish(&mut self, key: &RouterKey) -> Result<Told, MapsError> {
        self.collect();
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(Told::NoRoom);
        };
        // Should it fail, too.
        entry.owed = true;
        let Some(cell) = self.routers.write(entry.at(*key))? else {
            self.owing = true;
            return Ok(if entry.shown.is_some() {
                Told::Later
            } else {
                Told::NoRoom
            });
        };
        entry.owed = false;
        let before = entry.shown.take();
        let hashes = self.table.aliases(*key).map(|key| key.hash());
        let shown = self.routers.show(hashes, before.as_ref(), cell);
        if let Some(before) = before {
            self.grace.retire(Retired::Router(before.cell));
        }
        // What comes in at one of a bond's devices that found no room goes to the raw socket.
        let told = if shown.is_at(key.hash()) {
            Told::All
        } else {
            Told::NoRoom
        };
        if let Some(entry) = self.table.entries.get_mut(key) {
            entry.shown = Some(shown);
        }
        Ok(told)
    }

    /// From now on the adverts of a virtual router go to the raw socket.
    fn withdraw(&mut self, key: &RouterKey) {
        let Some(entry) = self.table.entries.get_mut(key) else {
            return;
        };
        entry.owed = true;
        if let Some(shown) = entry.shown.take() {
            self.routers.hide(&shown);
            self.grace.retire(Retired::Router(shown.cell));
        }
    }

    /// The peers of a virtual router as they are listed. False: there is no room for one of them.
    fn admit_senders(
        &mut self,
        key: &RouterKey,
        demand: Demand,
        listed: &BTreeMap<AddressWords, SenderDemand>,
    ) -> Result<bool, MapsError> {
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(false);
        };
        let slot = entry.slot;
        // Whom a router without a list follows is not in the configuration.
        if demand.flags & RouterRules::CHECK_SOURCE != 0 {
            let gone: Vec<AddressWords> = entry
                .senders
                .keys()
                .filter(|source| !listed.contains_key(*source))
                .copied()
                .collect();
            for source in gone {
                self.take_out_sender(key, source)?;
            }
        }
        for (source, demand) in listed {
            let peer = PeerKey {
                slot,
                source: *source,
            };
            let Some(entry) = self.table.entries.get_mut(key) else {
                return Ok(false);
            };
            if let Some(sender) = entry.senders.get_mut(source) {
                if sender.demand == *demand && sender.shown.is_some() {
                    continue;
                }
                let rules = demand.at(sender.seat.number);
                let Some(cell) = self.peers.write(Peer { key: peer, rules })? else {
                    self.owing = true;
                    if sender.shown.is_some() {
                        // The old rules hold a little longer.
                        continue;
                    }
                    return Ok(false);
                };
                let before = sender.shown.take();
                let shown = self
                    .peers
                    .show(std::iter::once(peer.hash()), before.as_ref(), cell);
                if let Some(before) = before {
                    self.grace.retire(Retired::Peer(before.cell));
                }
                let has_room = shown.is_at(peer.hash());
                (sender.demand, sender.shown) = (*demand, Some(shown));
                if !has_room {
                    return Ok(false);
                }
                entry.owed |= entry.follows(*source);
                continue;
            }
            let Some(seat) = self.seats.take()? else {
                self.owing = true;
                return Ok(false);
            };
            let Some(sender) = self.admit_sender(peer, seat, *demand)? else {
                return Ok(false);
            };
            if let Some(entry) = self.table.entries.get_mut(key) {
                entry.senders.insert(*source, sender);
            }
        }
        Ok(true)
    }

    /// A virtual router is not ours any more, or not here.
    fn take_out(&mut self, key: &RouterKey) -> Result<(), MapsError> {
        self.withdraw(key);
        let Some(entry) = self.table.entries.remove(key) else {
            return Ok(());
        };
        for sender in entry.senders.values() {
            self.forget_peer(sender);
        }
        for seat in entry.seats() {
            self.grace.retire(Retired::Seat(seat.number));
        }
        let refused = self.refusals.forget(entry.slot, entry.others.number)?;
        for (before, refused) in self.refused_before.iter_mut().zip(refused) {
            *before += refused;
        }
        for seat in entry.seats() {
            gone_is_fine(self.kept.remove(&seat.number))?;
        }
        Ok(())
    }

    /// A peer is not found any more.
    fn forget_peer(&mut self, sender: &Sender) {
        if let Some(shown) = &sender.shown {
            self.peers.hide(shown);
            self.grace.retire(Retired::Peer(shown.cell));
        }
    }

    fn take_out_sender(&mut self, key: &RouterKey, source: AddressWords) -> Result<(), MapsError> {
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(());
        };
        let follows = entry.follows(source);
        if follows {
            entry.known = None;
        }
        let Some(sender) = entry.senders.remove(&source) else {
            return Ok(());
        };
        entry.others.lost += unread(&self.seats, &sender.seat);
        self.forget_peer(&sender);
        // Before its seat can be another's.
        let told = if follows { self.publish(key) } else { Ok(Told::All) };
        if !matches!(told, Ok(Told::All)) {
            self.withdraw(key);
        }
        self.grace.retire(Retired::Seat(sender.seat.number));
        gone_is_fine(self.kept.remove(&sender.seat.number))?;
        told.map(drop)
    }
}

/// What became of what the kernel was to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told {
    /// It has been told.
    All,
    /// It will be, when a cell is free again; till then what it was told before holds.
    Later,
    /// There is no room for it.
    NoRoom,
}

/// Adverts of who sits there that nobody has read, nor will.
fn unread(seats: &Seats, seat: &Seat) -> u64 {
    seat.lost + seats.kept(seat.number).saturating_sub(seat.kept)
}

type Wanted = BTreeMap<RouterKey, (RouterId, Demand, BTreeMap<AddressWords, SenderDemand>)>;

/// What the maps should hold, and the virtual routers that share a key.
fn wanted(model: &Model, places: &[Place], pass_accepted: bool) -> (Wanted, Vec<RouterId>) {
    let mut wanted = Wanted::new();
    let mut shared: BTreeMap<RouterKey, Vec<RouterId>> = BTreeMap::new();
    for ((index, router), place) in (0..).zip(&model.routers).zip(places) {
        let Some(key) = key(router, place) else {
            continue;
        };
        let id = RouterId(index);
        shared.entry(key).or_default().push(id);
        wanted.insert(key, (id, demand(router, place, pass_accepted), listed(router)));
    }
    shared.retain(|_, routers| routers.len() > 1);
    wanted.retain(|key, _| !shared.contains_key(key));
    (wanted, shared.into_values().flatten().collect())
}

/// `None`: its adverts go to the raw sockets. So do those of a virtual router without addresses, since the program
/// refuses whatever lists none.
fn key(router: &VirtualRouter, place: &Place) -> Option<RouterKey> {
    if router.uncommon.xdp == XdpMode::Off || router.addresses.is_empty() {
        return None;
    }
    let destination = match &router.transport {
        Transport::Multicast { group, .. } => *group,
        Transport::Unicast { .. } => place.source?,
    };
    Some(RouterKey::new(
        place.ifindex?,
        place.vlan,
        router.vrid,
        destination,
    ))
}

fn demand(router: &VirtualRouter, place: &Place, pass_accepted: bool) -> Demand {
    let (ttl, check) = match &router.transport {
        Transport::Multicast { .. } => (TtlRange::ON_LINK, 0),
        Transport::Unicast {
            check_source: false, ..
        } => (TtlRange::ANY, 0),
        Transport::Unicast {
            check_source: true, ..
        } => (TtlRange::ANY, RouterRules::CHECK_SOURCE),
    };
    let pass = if pass_accepted {
        RouterRules::PASS_ACCEPTED
    } else {
        0
    };
    let mac = place.mac.map_or(0, |_| RouterRules::CHECK_MAC);
    // Neither the order of the peers nor how often one is listed changes anything.
    let sources = listed(router)
        .keys()
        .fold(0, |bits, source| bits | abi::source_bit(source));
    Demand {
        sources,
        shown_every: ticks_a_second(),
        mac: place.mac.unwrap_or_default().0,
        ..Demand::new(
            router.version,
            router.interval,
            router.auth,
            ttl,
            check | pass | mac,
        )
    }
}

fn listed(router: &VirtualRouter) -> BTreeMap<AddressWords, SenderDemand> {
    match &router.transport {
        Transport::Unicast {
            peers,
            check_source: true,
            ..
        } => peers
            .iter()
            .map(|peer| {
                let demand = SenderDemand {
                    ttl: peer.ttl,
                    mac: peer.mac,
                };
                (abi::address_words(peer.address), demand)
            })
            .collect(),
        Transport::Unicast {
            check_source: false, ..
        }
        | Transport::Multicast { .. } => BTreeMap::new(),
    }
}

pub(super) fn router_family(key: &RouterKey) -> Family {
    match abi::family(key.family) {
        Some(Family::V6) => Family::V6,
        Some(Family::V4) | None => Family::V4,
    }
}

pub(super) fn gone_is_fine(result: Result<(), MapError>) -> Result<(), MapError> {
    match result {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(error),
    }
}
