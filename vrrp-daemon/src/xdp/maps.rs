//! What the kernel is told of our virtual routers, and what it tells of their peers.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use aya::maps::MapError;
use vrrp_common::abi::{
    self, AddressWords, PeerKey, PeerState, RING_FULL_COUNTER, RouterKey, RouterRules, Verdict,
};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::ladder::{HEAD_LEN, Refusal, TtlRange};

use super::XdpPath;
use crate::proto::model::{Model, RouterId, Transport, VirtualRouter, XdpMode};

/// Where a virtual router's adverts arrive. Both come and go with devices and addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// Index of its device, `None` while there is none.
    pub ifindex: Option<u32>,
    /// The address it sends from: what its peers' unicast adverts are sent to.
    pub source: Option<IpAddr>,
}

/// A map could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the XDP program's maps cannot be accessed: {0}")]
pub struct MapsError(#[from] MapError);

/// The last advert that the kernel accepted from a sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Its arrival.
    pub at: MonoNanos,
    /// Its first eight bytes, the checksum among them: equal heads mean equal adverts.
    pub head: [u8; HEAD_LEN],
}

/// What the program counted since it was loaded, all CPUs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Adverts that held every rule.
    pub accepted: u64,
    /// Protocol 112 for no virtual router of ours; passed on.
    pub not_ours: u64,
    /// Protocol 112 that the kernel leaves to the stack (too long, a later fragment, a broken IP header).
    pub not_judged: u64,
    /// Accepted adverts that found the ring full; they were stamped.
    pub ring_full: u64,
    /// Refused and dropped, by rung; index is the refusal's discriminant.
    pub refused: [u64; Refusal::ALL.len()],
}

/// What the maps hold, and which virtual router each entry stands for.
#[derive(Debug, Default)]
pub(super) struct Table {
    entries: BTreeMap<RouterKey, Entry>,
    keys: HashMap<RouterId, RouterKey>,
    slots: HashMap<u32, RouterId>,
    /// The slot given last; a slot is never given twice, so an old record is never taken for another router.
    last_slot: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    router: RouterId,
    slot: u32,
    rules: Demand,
    /// Listed peers, or the source that is followed.
    peers: BTreeMap<AddressWords, TtlRange>,
}

/// [`RouterRules`] before a slot is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Demand {
    version: vrrp_common::id::Version,
    interval: vrrp_common::time::Centis,
    auth: vrrp_common::wire::auth::Auth,
    ttl: TtlRange,
    flags: u16,
}

impl Demand {
    fn with_slot(&self, slot: u32) -> RouterRules {
        RouterRules::new(slot, self.version, self.interval, self.auth, self.ttl, self.flags)
    }

    const fn checks_source(&self) -> bool {
        self.flags & RouterRules::CHECK_SOURCE != 0
    }
}

impl Table {
    /// The virtual router behind a slot.
    pub(super) fn router(&self, slot: u32) -> Option<RouterId> {
        self.slots.get(&slot).copied()
    }

    fn entry(&self, router: RouterId) -> Option<&Entry> {
        self.entries.get(self.keys.get(&router)?)
    }

    fn entry_mut(&mut self, router: RouterId) -> Option<&mut Entry> {
        self.entries.get_mut(self.keys.get(&router)?)
    }

    fn index(&mut self) {
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

impl XdpPath {
    /// Tell the kernel of the virtual routers of `model`, each at its place (same order). Call it again
    /// whenever a place changes: what is unchanged keeps its stamps, what has no place is taken out.
    /// `pass_accepted` lets accepted adverts go on to the stack, where tcpdump sees them.
    ///
    /// Answers the virtual routers that the kernel cannot tell apart (same device, VRID and destination, as
    /// unicast instances with disjoint peers may have): these are left to the raw socket.
    ///
    /// # Errors
    /// [`MapsError`]; the maps may then hold a part of it, and calling again mends that.
    pub fn configure(
        &mut self,
        model: &Model,
        places: &[Place],
        pass_accepted: bool,
    ) -> Result<Vec<RouterId>, MapsError> {
        let (wanted, ambiguous) = wanted(model, places, pass_accepted);
        let gone: Vec<RouterKey> = self
            .table
            .entries
            .keys()
            .filter(|key| !wanted.contains_key(key))
            .copied()
            .collect();
        for key in gone {
            gone_is_fine(self.routers.remove(&key))?;
            if let Some(entry) = self.table.entries.remove(&key) {
                self.forget_refused(entry.slot)?;
                for source in entry.peers.into_keys() {
                    gone_is_fine(self.peers.remove(&PeerKey {
                        slot: entry.slot,
                        source,
                    }))?;
                }
            }
        }
        for (key, (router, rules, mut peers)) in wanted {
            let known = self.table.entries.remove(&key);
            let slot = known.as_ref().map_or_else(
                || {
                    self.table.last_slot += 1;
                    self.table.last_slot
                },
                |entry| entry.slot,
            );
            let before = known.as_ref().map(|entry| &entry.peers);
            for source in before.into_iter().flat_map(BTreeMap::keys) {
                if rules.checks_source() {
                    if !peers.contains_key(source) {
                        gone_is_fine(self.peers.remove(&PeerKey {
                            slot,
                            source: *source,
                        }))?;
                    }
                } else {
                    // Whom we follow is not in the configuration.
                    peers.insert(*source, rules.ttl);
                }
            }
            for (source, ttl) in &peers {
                if before.and_then(|before| before.get(source)) != Some(ttl) {
                    self.admit(
                        PeerKey {
                            slot,
                            source: *source,
                        },
                        *ttl,
                    )?;
                }
            }
            if known.as_ref().is_none_or(|entry| entry.rules != rules) {
                self.routers.insert(key, rules.with_slot(slot), 0)?;
            }
            self.table.entries.insert(
                key,
                Entry {
                    router,
                    slot,
                    rules,
                    peers,
                },
            );
        }
        self.table.index();
        Ok(ambiguous)
    }

    /// Keep stamps of adverts from `source`, the Master that `router` follows now. Peers of a router that
    /// checks its sources are stamped anyway; for multicast there is one entry, so strangers cannot push the
    /// Master's out. Cheap when nothing changes.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn follow(&mut self, router: RouterId, source: IpAddr) -> Result<(), MapsError> {
        let source = abi::address_words(source);
        let Some(entry) = self.table.entry_mut(router) else {
            return Ok(());
        };
        if entry.rules.checks_source() || entry.peers.contains_key(&source) {
            return Ok(());
        }
        let (slot, ttl) = (entry.slot, entry.rules.ttl);
        let before = std::mem::take(&mut entry.peers);
        entry.peers.insert(source, ttl);
        for source in before.into_keys() {
            gone_is_fine(self.peers.remove(&PeerKey { slot, source }))?;
        }
        self.admit(PeerKey { slot, source }, ttl)
    }

    /// The last advert for `router` that the kernel accepted from `source`; also one that found the ring full.
    /// `None` if there was none, or if nobody asked for stamps of this source ([`XdpPath::follow`]).
    #[must_use]
    pub fn last_seen(&self, router: RouterId, source: IpAddr) -> Option<Seen> {
        let slot = self.table.entry(router)?.slot;
        let key = PeerKey {
            slot,
            source: abi::address_words(source),
        };
        let state = self.peers.get(&key, 0).ok()?;
        (state.stamp != 0).then(|| Seen {
            at: self.clock.here(state.stamp),
            head: state.head,
        })
    }

    /// What was counted so far.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn counters(&self) -> Result<Counters, MapsError> {
        let sum =
            |counter: u32| -> Result<u64, MapsError> { Ok(self.counters.get(&counter, 0)?.iter().sum()) };
        let mut refused = [0; Refusal::ALL.len()];
        for (count, refusal) in refused.iter_mut().zip(Refusal::ALL) {
            *count = sum(Verdict::Refused(refusal).counter())?;
        }
        Ok(Counters {
            accepted: sum(Verdict::Accepted.counter())?,
            not_ours: sum(Verdict::NotOurs.counter())?,
            not_judged: sum(Verdict::NotJudged.counter())?,
            ring_full: sum(RING_FULL_COUNTER)?,
            refused,
        })
    }

    /// What the kernel refused for each virtual router and did not show, by rung; index is the refusal's
    /// discriminant. Together with the refused [events](super::Event) that is all of it.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn refused_silently(&self) -> Result<HashMap<RouterId, [u64; Refusal::ALL.len()]>, MapsError> {
        let mut refused = HashMap::new();
        for item in self.refused.iter() {
            let (key, states) = item?;
            let Some((slot, refusal)) = abi::slot_and_refusal(key) else {
                continue;
            };
            let Some(router) = self.table.router(slot) else {
                continue;
            };
            let rungs: &mut [u64; Refusal::ALL.len()] = refused.entry(router).or_default();
            for (count, _) in rungs
                .iter_mut()
                .zip(Refusal::ALL)
                .filter(|(_, rung)| *rung == refusal)
            {
                *count += states.iter().map(|state| state.silent).sum::<u64>();
            }
        }
        Ok(refused)
    }

    /// Forget what was refused for a slot that is not in use any more.
    fn forget_refused(&mut self, slot: u32) -> Result<(), MapsError> {
        for refusal in Refusal::ALL {
            gone_is_fine(self.refused.remove(&abi::refused_key(slot, refusal)))?;
        }
        Ok(())
    }

    /// Make or change a sender's entry; what the kernel wrote into it stays.
    fn admit(&mut self, key: PeerKey, ttl: TtlRange) -> Result<(), MapsError> {
        let before = match self.peers.get(&key, 0) {
            Ok(state) => state,
            Err(MapError::KeyNotFound) => PeerState::default(),
            Err(error) => return Err(error.into()),
        };
        let state = PeerState {
            ttl_min: ttl.min,
            ttl_max: ttl.max,
            ..before
        };
        Ok(self.peers.insert(key, state, 0)?)
    }
}

type Wanted = BTreeMap<RouterKey, (RouterId, Demand, BTreeMap<AddressWords, TtlRange>)>;

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
        wanted.insert(key, (id, demand(router, pass_accepted), listed(router)));
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
    Some(RouterKey::untagged(place.ifindex?, router.vrid, destination))
}

fn demand(router: &VirtualRouter, pass_accepted: bool) -> Demand {
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
    Demand {
        version: router.version,
        interval: router.interval,
        auth: router.auth,
        ttl,
        flags: check | pass,
    }
}

fn listed(router: &VirtualRouter) -> BTreeMap<AddressWords, TtlRange> {
    match &router.transport {
        Transport::Unicast {
            peers,
            check_source: true,
            ..
        } => peers
            .iter()
            .map(|peer| (abi::address_words(peer.address), peer.ttl))
            .collect(),
        Transport::Unicast {
            check_source: false, ..
        }
        | Transport::Multicast { .. } => BTreeMap::new(),
    }
}

fn gone_is_fine(result: Result<(), MapError>) -> Result<(), MapsError> {
    match result {
        Ok(()) | Err(MapError::KeyNotFound) => Ok(()),
        Err(MapError::SyscallError(error)) if error.io_error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
