//! What the program counted.

use std::collections::HashMap;

use vrrp_common::abi::{self, RING_FULL_COUNTER, Verdict};
use vrrp_common::wire::ladder::Refusal;

use super::{MapsError, XdpPath};
use crate::proto::model::RouterId;

/// What the program counted since it was loaded, all CPUs together.
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
        let sum =
            |counter: u32| -> Result<u64, MapsError> { Ok(self.counters.get(&counter, 0)?.iter().sum()) };
        // What has a tally of its own is counted there alone.
        let mut refused = self.refused_before;
        for (count, refusal) in refused.iter_mut().zip(Refusal::ALL) {
            *count += sum(Verdict::Refused(refusal).counter())?;
        }
        for item in self.refused.iter() {
            let (key, states) = item?;
            let tallied = abi::slot_and_refusal(key)
                .and_then(|(_, refusal)| refused.get_mut(usize::from(refusal.number())));
            if let Some(count) = tallied {
                *count += states.iter().map(|state| state.silent).sum::<u64>();
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
}
