//! Silent liveness: of an advert that the daemon knows already the program writes down the arrival, and wakes nobody.
//!
//! The daemon says which advert that is ([`XdpPath::hush`]), asks when a timer is due ([`XdpPath::life`]), and wants to
//! hear everything again as soon as the same advert would mean something else ([`XdpPath::listen`]).

use std::net::IpAddr;

use vrrp_common::abi::{self, Record, StrangerKey};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;

use super::events::Event;
use super::maps::Told;
use super::table::KnownSender;
use super::tallies::subtract;
use super::{MapsError, XdpPath};
use crate::proto::model::RouterId;

/// Unchanged adverts of one sender since it was last asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Life {
    /// The last one's arrival.
    pub at: MonoNanos,
    /// How many.
    pub adverts: u64,
}

/// How adverts of one sender come in, since the counters were cleared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrivals {
    /// The sender; `None` for all together that have no place of their own.
    pub source: Option<IpAddr>,
    /// The last good advert.
    pub last: Option<MonoNanos>,
    /// Those that a newer one replaced before anybody read them.
    pub unread: u64,
    /// Gaps that were longer than was allowed.
    pub late: u64,
    /// Gaps by length; see [`abi::gap_bucket`].
    pub gaps: [u64; abi::GAP_BUCKETS],
}

impl XdpPath {
    /// `message` of `source`, which was accepted, is no news for `router` from now on, unless it comes `late_after` after
    /// the one before; what anybody else sends is news. Cheap when nothing changes.
    ///
    /// # Errors
    /// [`MapsError`]; then everything is news still.
    pub fn hush(
        &mut self,
        router: RouterId,
        source: IpAddr,
        message: &[u8],
        late_after: Nanos,
    ) -> Result<(), MapsError> {
        self.follow(router, source)?;
        let source = abi::address_words(source);
        let Some(key) = self.table.key(router).copied() else {
            return Ok(());
        };
        let Some(entry) = self.table.entries.get_mut(&key) else {
            return Ok(());
        };
        let Some(seat) = entry.senders.get(&source).map(|sender| sender.seat.number) else {
            return Ok(());
        };
        if message.len() > abi::MAX_PDU {
            return Ok(());
        }
        let told = !entry.owed
            && entry.known.as_ref().is_some_and(|known| {
                known.source == source && known.message == message && known.late_after == late_after
            });
        if !told {
            for seat in entry.seats() {
                self.seats.set_hushed(seat.number, false);
            }
            entry.known = Some(KnownSender {
                source,
                message: message.to_vec(),
                hushed: false,
                late_after,
            });
            if self.publish(&key)? != Told::All {
                return Ok(());
            }
        }
        if let Some(known) = self
            .table
            .entry_mut(router)
            .and_then(|entry| entry.known.as_mut())
            && !known.hushed
        {
            known.hushed = true;
            self.seats.set_hushed(seat, true);
        }
        Ok(())
    }

    /// From now on an advert of `source` is news if it comes `late_after` after the one before. Of use for one whose adverts
    /// are no news otherwise; cheap when nothing changes.
    ///
    /// # Errors
    /// [`MapsError`]; then the old limit holds.
    pub fn set_late_after(
        &mut self,
        router: RouterId,
        source: IpAddr,
        late_after: Nanos,
    ) -> Result<(), MapsError> {
        let source = abi::address_words(source);
        let Some(key) = self.table.key(router).copied() else {
            return Ok(());
        };
        let known = self
            .table
            .entry_mut(router)
            .and_then(|entry| entry.known.as_mut());
        match known {
            Some(known) if known.source == source && known.hushed && known.late_after != late_after => {
                known.late_after = late_after;
            }
            Some(_) | None => return Ok(()),
        }
        self.publish(&key)?;
        Ok(())
    }

    /// The Ethernet address that `source` had when it sent something on this device that was for no virtual router of
    /// ours, if that is still known. A system call, and on a bond a few.
    #[must_use]
    pub fn stranger(&self, ifindex: u32, source: IpAddr) -> Option<Mac> {
        let source = abi::address_words(source);
        let known = |ifindex| self.strangers.get(&StrangerKey { ifindex, source }, 0).ok();
        let members = self.table.members(ifindex);
        let [a, b, c, d, e, f, _, _] = std::iter::once(ifindex).chain(members).find_map(known)?;
        Some(Mac([a, b, c, d, e, f]))
    }

    /// Every advert for `router` is news from now on. Hands over what came until this moment and was not told. No system
    /// call, and cheap when nothing was hushed.
    pub fn listen(&mut self, router: RouterId, mut untold: impl FnMut(IpAddr, Life)) {
        let Some(entry) = self.table.entry_mut(router) else {
            return;
        };
        let source = match &mut entry.known {
            Some(known) if known.hushed => {
                known.hushed = false;
                known.source
            }
            Some(_) | None => return,
        };
        if let Some(sender) = entry.senders.get(&source) {
            self.seats.set_hushed(sender.seat.number, false);
        }
        // After that, so that no more than a run that is under way is missed between the two.
        let source = abi::address(entry.family, source);
        if let Some(life) = self.life(router, source) {
            untold(source, life);
        }
    }

    /// What `source` sent for `router` that was no news, since it was last asked. Reads shared memory.
    pub fn life(&mut self, router: RouterId, source: IpAddr) -> Option<Life> {
        let clock = self.clock;
        let sender = self.table.sender_mut(router, source)?;
        let (alive, quiet) = self.seats.life(sender.seat.number);
        sender.seat.lives(alive, quiet, clock)
    }

    /// Whether adverts wait that did not get into the ring. Reads shared memory.
    #[must_use]
    pub fn keeps_some(&self) -> bool {
        self.seats.kept_of_all() != self.kept_told
    }

    /// Hand over the newest advert of each sender that did not get into the ring and was not handed over yet.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn take_kept(&mut self, mut take: impl FnMut(Event<'_>)) -> Result<(), MapsError> {
        if !self.keeps_some() {
            return Ok(());
        }
        // Before looking: what comes meanwhile is looked at next time.
        self.kept_told = self.seats.kept_of_all();
        let clock = self.clock;
        for (key, entry) in &mut self.table.entries {
            let slot = entry.slot;
            let senders = entry.senders.values_mut().map(|sender| &mut sender.seat);
            for seat in std::iter::once(&mut entry.others).chain(senders) {
                let kept = self.seats.kept(seat.number);
                if kept == seat.kept {
                    continue;
                }
                let record = match self.kept.get(&seat.number, 0) {
                    Ok(record) => Some(record).filter(|Record { header, .. }| {
                        // Or it was replaced while it was copied, and this is another's.
                        (header.seat, header.slot) == (seat.number, slot)
                    }),
                    // There was no memory for it.
                    Err(aya::maps::MapError::KeyNotFound) => None,
                    Err(error) => return Err(error.into()),
                };
                // The record may be newer than the count: then it is handed over twice, and judged as a repeat.
                seat.lost += (kept - seat.kept).saturating_sub(u64::from(record.is_some()));
                seat.kept = kept;
                let event = record
                    .as_ref()
                    .and_then(|record| Event::new(&record.header, record.message()?, clock));
                if let Some(event) = event {
                    take(Event {
                        router: Some(entry.router),
                        ifindex: key.ifindex,
                        ..event
                    });
                }
            }
        }
        Ok(())
    }

    /// How adverts for `router` come in, by sender.
    pub fn arrivals(&self, router: RouterId) -> impl Iterator<Item = Arrivals> + '_ {
        let entry = self.table.entry(router);
        entry.into_iter().flat_map(move |entry| {
            let senders = entry.senders.iter().map(|(source, sender)| {
                let source = abi::address(entry.family, *source);
                (Some(source), &sender.seat)
            });
            std::iter::once((None, &entry.others))
                .chain(senders)
                .map(|(source, seat)| {
                    let mut seen = self.seats.seen(seat.number);
                    subtract(&mut seen.gaps, &seat.before.gaps);
                    Arrivals {
                        source,
                        last: (seen.last != 0).then(|| self.clock.here(seen.last)),
                        unread: seat.lost,
                        late: seen.late.saturating_sub(seat.before.late),
                        gaps: seen.gaps,
                    }
                })
                .filter(|arrivals| arrivals.last.is_some() || arrivals.unread != 0)
        })
    }
}

impl super::table::Seat {
    /// What is new in these two readings of the kernel's.
    pub(super) fn lives(&mut self, alive: u64, quiet: u64, clock: super::loader::Clock) -> Option<Life> {
        let adverts = quiet.saturating_sub(self.quiet);
        if alive <= self.alive && adverts == 0 {
            return None;
        }
        (self.alive, self.quiet) = (self.alive.max(alive), self.quiet.max(quiet));
        Some(Life {
            at: clock.here(self.alive),
            adverts,
        })
    }
}
