//! What the kernel is told of our virtual routers and their peers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use aya::maps::MapError;
use vrrp_common::abi::{self, AddressWords, PeerKey, RouterKey, RouterRules};
use vrrp_common::id::Family;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::{Refusal, TtlRange};

use super::XdpPath;
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
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn set_members(&mut self, device: u32, members: &BTreeSet<u32>) -> Result<(), MapsError> {
        let known = self.table.members.iter();
        let known: BTreeSet<u32> = known
            .filter(|(_, of)| **of == device)
            .map(|(member, _)| *member)
            .collect();
        if known == *members {
            return Ok(());
        }
        for gone in known.difference(members) {
            self.table.members.remove(gone);
        }
        for new in members.difference(&known) {
            self.table.members.insert(*new, device);
        }
        for (key, entry) in self.table.entries.iter().filter(|(key, _)| key.ifindex == device) {
            for ifindex in known.difference(members) {
                let gone = RouterKey {
                    ifindex: *ifindex,
                    ..*key
                };
                gone_is_fine(self.routers.remove(&gone.number()))?;
            }
            for ifindex in members.difference(&known) {
                let key = RouterKey {
                    ifindex: *ifindex,
                    ..*key
                };
                self.routers.insert(key.number(), entry.at(key), 0)?;
            }
        }
        Ok(())
    }

    /// The device at which the program judges adverts for `router`, `None` if they are the raw socket's.
    #[must_use]
    pub fn device_of(&self, router: RouterId) -> Option<u32> {
        self.table.key(router).map(|key| key.ifindex)
    }

    /// Have an entry for `source`, the Master that `router` follows now. Peers of a router that checks its sources
    /// have one anyway; for multicast there is one, so strangers cannot push the Master's out. Cheap when nothing
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
        let (slot, ttl) = (
            entry.slot,
            TtlRange {
                min: entry.rules.ttl_min,
                max: entry.rules.ttl_max,
            },
        );
        let before: Vec<AddressWords> = entry.senders.keys().copied().collect();
        let Some(key) = self.table.key(router).copied() else {
            return Ok(());
        };
        for source in before {
            self.take_out_sender(&key, slot, source)?;
        }
        let Some(seat) = self.seats.take()? else {
            return Ok(());
        };
        let sender = Sender {
            seat: Seat::new(seat),
            demand: SenderDemand { ttl, mac: None },
        };
        self.peers.insert(PeerKey { slot, source }, sender.rules(), 0)?;
        if let Some(entry) = self.table.entry_mut(router) {
            entry.senders.insert(source, sender);
        }
        Ok(())
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
            }
        }
        if demand.flags & !entry.rules.flags & RouterRules::PASS_ACCEPTED != 0 {
            for seat in entry.seats_mut() {
                seat.expect_no_copies(&self.seats.seen(seat.number));
            }
        }
        let room = self.admit_senders(&key, demand, listed)?;
        if let Some(entry) = self.table.entries.get_mut(&key).filter(|_| changed && room) {
            entry.rules = demand;
            self.publish(&key)?;
        }
        if !room {
            self.take_out(&key)?;
        }
        Ok(room)
    }

    /// Tell the kernel what stands in the table, at all keys of a virtual router.
    pub(super) fn publish(&mut self, key: &RouterKey) -> Result<(), MapsError> {
        let Some(entry) = self.table.entries.get(key) else {
            return Ok(());
        };
        for key in self.table.aliases(*key) {
            self.routers.insert(key.number(), entry.at(key), 0)?;
        }
        Ok(())
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
                self.take_out_sender(key, slot, source)?;
            }
        }
        let mut known_changed = false;
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(false);
        };
        for (source, demand) in listed {
            let key = PeerKey {
                slot,
                source: *source,
            };
            if let Some(sender) = entry.senders.get_mut(source) {
                if sender.demand != *demand {
                    sender.demand = *demand;
                    self.peers.insert(key, sender.rules(), 0)?;
                    known_changed |= entry.follows(*source);
                }
                continue;
            }
            let Some(seat) = self.seats.take()? else {
                return Ok(false);
            };
            let sender = Sender {
                seat: Seat::new(seat),
                demand: *demand,
            };
            self.peers.insert(key, sender.rules(), 0)?;
            entry.senders.insert(*source, sender);
        }
        if known_changed {
            self.publish(key)?;
        }
        Ok(true)
    }

    /// A virtual router is not ours any more, or not here.
    fn take_out(&mut self, key: &RouterKey) -> Result<(), MapsError> {
        for key in self.table.aliases(*key) {
            gone_is_fine(self.routers.remove(&key.number()))?;
        }
        let Some(entry) = self.table.entries.remove(key) else {
            return Ok(());
        };
        let slot = entry.slot;
        let refused = self.refusals.forget(slot, entry.others.number)?;
        for (before, refused) in self.refused_before.iter_mut().zip(refused) {
            *before += refused;
        }
        for seat in entry.seats() {
            gone_is_fine(self.kept.remove(&seat.number))?;
            self.seats.give_back(seat.number);
        }
        for source in entry.senders.into_keys() {
            gone_is_fine(self.peers.remove(&PeerKey { slot, source }))?;
        }
        Ok(())
    }

    fn take_out_sender(&mut self, key: &RouterKey, slot: u32, source: AddressWords) -> Result<(), MapsError> {
        gone_is_fine(self.peers.remove(&PeerKey { slot, source }))?;
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(());
        };
        if entry.follows(source) {
            // Before its seat can be another's.
            entry.known = None;
            self.publish(key)?;
        }
        let Some(entry) = self.table.entries.get_mut(key) else {
            return Ok(());
        };
        if let Some(sender) = entry.senders.remove(&source) {
            gone_is_fine(self.kept.remove(&sender.seat.number))?;
            entry.others.lost += unread(&self.seats, &sender.seat);
            self.seats.give_back(sender.seat.number);
        }
        Ok(())
    }
}

/// Adverts of who sits there that nobody has read, nor will.
fn unread(seats: &Seats, seat: &Seat) -> u64 {
    seat.lost + seats.kept(seat.number).saturating_sub(seat.kept)
}

type Wanted = BTreeMap<RouterKey, (RouterId, Demand, BTreeMap<AddressWords, SenderDemand>)>;

/// What the maps should hold, and the virtual routers that share a key.
fn wanted(model: &Model, places: &[Place], pass_accepted: bool) -> (Wanted, Vec<RouterId>) {
    let mut wanted = Wanted::new();
    // Two keys that are not the same would have one number once in a lifetime.
    let mut shared: BTreeMap<u64, Vec<RouterId>> = BTreeMap::new();
    for ((index, router), place) in (0..).zip(&model.routers).zip(places) {
        let Some(key) = key(router, place) else {
            continue;
        };
        let id = RouterId(index);
        shared.entry(key.number()).or_default().push(id);
        wanted.insert(key, (id, demand(router, place, pass_accepted), listed(router)));
    }
    shared.retain(|_, routers| routers.len() > 1);
    wanted.retain(|key, _| !shared.contains_key(&key.number()));
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
