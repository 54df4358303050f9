//! Segments that delay, lose, damage and refuse to carry adverts.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::IpAddr;

use vrrp_common::time::{MonoNanos, Nanos};

use super::random::Random;

/// An advert on its way, as the bytes that stand behind the IP header.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Flight {
    pub(crate) arrives: MonoNanos,
    /// Keeps what was sent first first.
    order: u64,
    pub(crate) from: usize,
    pub(crate) to: usize,
    pub(crate) segment: usize,
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) pdu: Vec<u8>,
    /// One bit of it is not as it was sent.
    pub(crate) damaged: bool,
}

/// From whom to whom, and on which segment.
pub(crate) type Way = (usize, usize, usize);

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
    lost: BTreeMap<Way, u32>,
    /// Of a hundred adverts this many arrive with a wrong bit.
    pub(crate) damage: u64,
    /// Pairs (from, to, segment) that hear nothing of each other although their cables are well.
    pub(crate) cut: BTreeSet<Way>,
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
            damage: 0,
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
        way: Way,
        (source, destination): (IpAddr, IpAddr),
        pdu: &[u8],
    ) {
        if self.cut.contains(&way) {
            return;
        }
        let lost = self.lost.entry(way).or_default();
        if *lost < self.most_in_a_row && random.chance(self.loss) {
            *lost += 1;
            return;
        }
        *lost = 0;
        let mut pdu = pdu.to_vec();
        let damaged = random.chance(self.damage);
        if damaged {
            let bit = usize::try_from(random.below(pdu.len() as u64 * 8)).unwrap();
            pdu[bit / 8] ^= 1 << (bit % 8);
        }
        let (from, to, segment) = way;
        self.order += 1;
        let arrives = sent + self.delay + Nanos(random.below(self.jitter.0 + 1));
        self.in_flight.push(Reverse(Flight {
            arrives,
            order: self.order,
            from,
            to,
            segment,
            source,
            destination,
            pdu,
            damaged,
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
