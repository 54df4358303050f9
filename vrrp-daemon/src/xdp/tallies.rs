//! What the program counted.

use std::collections::HashMap;

use vrrp_common::abi::{RING_FULL_COUNTER, Verdict};
use vrrp_common::wire::ladder::Refusal;

use super::refusals::{Rungs, rung};
use super::{MapsError, XdpPath};
use crate::proto::model::RouterId;

/// What the program counted since it was loaded, or since that was [cleared](XdpPath::clear_counters), all CPUs together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Adverts that held every rule and went into the ring.
    pub accepted: u64,
    /// Adverts that held every rule and were no news.
    pub unchanged: u64,
    /// Adverts that held every rule and did not go into the ring.
    pub kept: u64,
    /// Of these, those that found the ring full.
    pub ring_full: u64,
    /// Protocol 112 for no virtual router of ours; passed on.
    pub not_ours: u64,
    /// Protocol 112 that the kernel leaves to the stack (too long, a later fragment, a broken IP header).
    pub not_judged: u64,
    /// Refused and dropped, by rung; index is the refusal's discriminant.
    pub refused: [u64; Refusal::ALL.len()],
}

impl XdpPath {
    /// What was counted so far.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn counters(&self) -> Result<Counters, MapsError> {
        Ok(self.counted()?.since(&self.cleared))
    }

    /// Count from zero again, what is counted for all, for each virtual router and for each sender.
    ///
    /// # Errors
    /// [`MapsError`]; then some of it is not cleared.
    pub fn clear_counters(&mut self) -> Result<(), MapsError> {
        self.cleared = self.counted()?;
        let refused = self.refused_in_all()?;
        for entry in self.table.entries.values_mut() {
            entry.refused_when_cleared = refused.get(&entry.router).copied().unwrap_or_default();
            for seat in entry.seats_mut() {
                seat.lost = 0;
                seat.before = self.seats.seen(seat.number);
            }
        }
        Ok(())
    }

    fn counted(&self) -> Result<Counters, MapsError> {
        let sum =
            |counter: u32| -> Result<u64, MapsError> { Ok(self.counters.get(&counter, 0)?.iter().sum()) };
        // What has a tally of its own is counted there alone.
        let mut refused = self.refused_before;
        for (count, refusal) in refused.iter_mut().zip(Refusal::ALL) {
            *count += sum(Verdict::Refused(refusal).counter())?;
        }
        for tallied in self.refused_in_all()?.values() {
            for (count, tallied) in refused.iter_mut().zip(tallied) {
                *count += tallied;
            }
        }
        Ok(Counters {
            accepted: sum(Verdict::Accepted.counter())?,
            unchanged: sum(Verdict::Unchanged.counter())?,
            kept: sum(Verdict::Kept.counter())?,
            ring_full: sum(RING_FULL_COUNTER)?,
            not_ours: sum(Verdict::NotOurs.counter())?,
            not_judged: sum(Verdict::NotJudged.counter())?,
            refused,
        })
    }

    /// What the kernel refused for each virtual router and did not show, by rung; index is the refusal's
    /// discriminant. Together with the refused [events](super::Event) that is all of it.
    ///
    /// # Errors
    /// [`MapsError`].
    pub fn refused_silently(&self) -> Result<HashMap<RouterId, Rungs>, MapsError> {
        let mut refused = self.refused_in_all()?;
        for (router, rungs) in &mut refused {
            if let Some(entry) = self.table.entry(*router) {
                subtract(rungs, &entry.refused_when_cleared);
            }
        }
        Ok(refused)
    }

    fn refused_in_all(&self) -> Result<HashMap<RouterId, Rungs>, MapsError> {
        let mut refused = HashMap::new();
        let by_slot = self.refusals.by_slot()?;
        for entry in self.table.entries.values() {
            let mut rungs = by_slot.get(&entry.slot).copied().unwrap_or_default();
            if let Some(unlisted) = rung(&mut rungs, Refusal::Source) {
                *unlisted = self.refusals.unlisted(entry.others.number)?;
            }
            if rungs != Rungs::default() {
                refused.insert(entry.router, rungs);
            }
        }
        Ok(refused)
    }
}

impl Counters {
    fn since(mut self, before: &Self) -> Self {
        for (count, before) in [
            (&mut self.accepted, before.accepted),
            (&mut self.unchanged, before.unchanged),
            (&mut self.kept, before.kept),
            (&mut self.ring_full, before.ring_full),
            (&mut self.not_ours, before.not_ours),
            (&mut self.not_judged, before.not_judged),
        ] {
            *count = count.saturating_sub(before);
        }
        subtract(&mut self.refused, &before.refused);
        self
    }
}

/// Take `before` off each count. Counts only grow, but for an entry that was made anew.
pub(super) fn subtract(counts: &mut [u64], before: &[u64]) {
    for (count, before) in counts.iter_mut().zip(before) {
        *count = count.saturating_sub(*before);
    }
}
