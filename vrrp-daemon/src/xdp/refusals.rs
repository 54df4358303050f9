//! What the program refused without showing it, for each virtual router.
//!
//! One rung has a map of its own: see [`abi::UNLISTED`].

use std::collections::HashMap;

use aya::maps::{MapData, MapError, PerCpuArray, PerCpuHashMap, PerCpuValues};
use aya::util::nr_cpus;
use nix::time::{ClockId, clock_getres};
use vrrp_common::abi::{self, RefusedState};
use vrrp_common::wire::ladder::Refusal;

/// Refusals by rung; the index is [`Refusal::number`].
pub(super) type Rungs = [u64; Refusal::ALL.len()];

/// The maps [`REFUSED`](abi::REFUSED) and [`UNLISTED`](abi::UNLISTED).
pub(super) struct Refusals {
    others: PerCpuHashMap<MapData, u32, RefusedState>,
    unlisted: PerCpuArray<MapData, RefusedState>,
    /// How many CPUs there may be.
    cpus: usize,
}

impl Refusals {
    /// Over both maps.
    ///
    /// # Errors
    /// The number of CPUs cannot be read.
    pub(super) fn new(
        others: PerCpuHashMap<MapData, u32, RefusedState>,
        unlisted: PerCpuArray<MapData, RefusedState>,
    ) -> std::io::Result<Self> {
        Ok(Self {
            others,
            unlisted,
            cpus: nr_cpus().map_err(|(_, error)| error)?,
        })
    }

    /// By slot, all rungs but that of unlisted sources.
    pub(super) fn by_slot(&self) -> Result<HashMap<u32, Rungs>, MapError> {
        let mut refused: HashMap<u32, Rungs> = HashMap::new();
        for item in self.others.iter() {
            let (key, states) = item?;
            if let Some((slot, refusal)) = abi::slot_and_refusal(key)
                && let Some(count) = rung(refused.entry(slot).or_default(), refusal)
            {
                *count += silent(&states);
            }
        }
        Ok(refused)
    }

    /// Of unlisted sources, for the virtual router whose own seat this is.
    pub(super) fn unlisted(&self, seat: u32) -> Result<u64, MapError> {
        Ok(silent(&self.unlisted.get(&seat, 0)?))
    }

    /// The virtual router has gone: what was counted for it, which nobody finds here any more.
    pub(super) fn forget(&mut self, slot: u32, seat: u32) -> Result<Rungs, MapError> {
        let mut refused = Rungs::default();
        for refusal in Refusal::ALL {
            let key = abi::refused_key(slot, refusal.number());
            let count = match refusal {
                Refusal::Source => self.unlisted(seat)?,
                _ => self.others.get(&key, 0).map_or(0, |states| silent(&states)),
            };
            if let Some(rung) = rung(&mut refused, refusal) {
                *rung = count;
            }
            super::maps::gone_is_fine(self.others.remove(&key))?;
        }
        Ok(refused)
    }

    /// Nobody sits in `seat` any more: nothing has been refused of who sits there next.
    pub(super) fn clear(&mut self, seat: u32) -> Result<(), MapError> {
        let none = PerCpuValues::try_from(vec![RefusedState::default(); self.cpus])?;
        self.unlisted.set(seat, none, 0)
    }
}

/// The count of one rung.
pub(super) fn rung(rungs: &mut Rungs, refusal: Refusal) -> Option<&mut u64> {
    rungs.get_mut(usize::from(refusal.number()))
}

fn silent(states: &PerCpuValues<RefusedState>) -> u64 {
    states.iter().map(|state| state.silent).sum()
}

/// A second in ticks of the kernel's clock: a tick is what its coarse clock can tell apart (`CLOCK_MONOTONIC_COARSE`,
/// clock_getres(2)).
pub(super) fn ticks_a_second() -> u64 {
    let tick = clock_getres(ClockId::CLOCK_MONOTONIC_COARSE).map_or(0, |tick| tick.tv_nsec());
    match u64::try_from(tick) {
        Ok(tick @ 1..) => 1_000_000_000 / tick,
        // The most ticks that a kernel is built with.
        _ => 1_000,
    }
}
