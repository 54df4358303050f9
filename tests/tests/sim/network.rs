//! Segments that delay, lose and refuse to carry adverts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};

use vrrp_common::id::Priority;
use vrrp_common::time::{Centis, MonoNanos, Nanos};

use super::random::Random;

/// An advert on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) arrives: MonoNanos,
    /// Keeps what was sent first first.
    order: u64,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) segment: usize,
    pub(crate) priority: Priority,
    pub(crate) interval: Centis,
}

/// What stands between the hosts.
pub(crate) struct Network {
    in_flight: BinaryHeap<Reverse<Flight>>,
    order: u64,
    /// Every advert takes this long, and up to `jitter` more.
    pub(crate) delay: Nanos,
    pub(crate) jitter: Nanos,
    /// Of a hundred adverts this many are lost ...
    pub(crate) loss: u64,
    /// ... but never more than this many of one sender to one receiver in a row.
    pub(crate) most_in_a_row: u32,
    lost: BTreeMap<(usize, usize, usize), u32>,
    /// Pairs (from, to, segment) that hear nothing of each other although their cables are well.
    pub(crate) cut: BTreeSet<(usize, usize, usize)>,
}

impl Network {
    pub(crate) fn new(delay: Nanos, jitter: Nanos) -> Self {
        Self {
            in_flight: BinaryHeap::new(),
            order: 0,
            delay,
            jitter,
            loss: 0,
            most_in_a_row: u32::MAX,
            lost: BTreeMap::new(),
            cut: BTreeSet::new(),
        }
    }

    /// The longest an advert may take.
    pub(crate) fn slowest(&self) -> Nanos {
        self.delay + self.jitter
    }

    pub(crate) fn carry(
        &mut self,
        random: &mut Random,
        sent: MonoNanos,
        flight: (usize, usize, usize),
        priority: Priority,
        interval: Centis,
    ) {
        if self.cut.contains(&flight) {
            return;
        }
        let lost = self.lost.entry(flight).or_default();
        if *lost < self.most_in_a_row && random.chance(self.loss) {
            *lost += 1;
            return;
        }
        *lost = 0;
        let (from, to, segment) = flight;
        self.order += 1;
        let arrives = sent + self.delay + Nanos(random.below(self.jitter.0 + 1));
        let order = self.order;
        self.in_flight.push(Reverse(Flight {
            arrives,
            order,
            from,
            to,
            segment,
            priority,
            interval,
        }));
    }

    pub(crate) fn next_arrival(&self) -> Option<MonoNanos> {
        self.in_flight.peek().map(|Reverse(flight)| flight.arrives)
    }

    pub(crate) fn arrived(&mut self, now: MonoNanos) -> Option<Flight> {
        (self.next_arrival()? <= now)
            .then(|| self.in_flight.pop())
            .flatten()
            .map(|Reverse(flight)| flight)
    }
}
