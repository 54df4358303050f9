//! What captured adverts say of a host under a flood.

use std::time::Duration;

use serde::Serialize;
use vrrp_tests::lab::Stamp;

/// What became of both virtual routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(in crate::bench) struct Verdict {
    /// Times that a Backup began to send adverts.
    pub(in crate::bench) takeovers: u64,
    /// Of these, those of the flooded host.
    pub(in crate::bench) false_takeovers: u64,
    /// Adverts that the flooded Master did not send.
    pub(in crate::bench) missed: u64,
    /// The longest time between two of its adverts, in microseconds.
    pub(in crate::bench) longest_gap_us: u64,
    /// Adverts that the other Master, which is not flooded, did not send.
    pub(in crate::bench) missed_elsewhere: u64,
}

/// When adverts of one host for one virtual router were sent, oldest first, and the time that is judged.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) at: Vec<Stamp>,
    pub(super) since: Stamp,
    pub(super) until: Stamp,
    pub(super) interval: Duration,
}

impl Sent {
    /// Between one advert and the next, and from and to the ends of the time.
    fn gaps(&self) -> impl Iterator<Item = Duration> {
        let later = self.at.iter().chain([&self.until]);
        let earlier = [&self.since].into_iter().chain(&self.at);
        later.zip(earlier).map(|(later, earlier)| later.since(*earlier))
    }

    /// Adverts that a Master owed and did not send: one that is late by half an interval or more is one missed.
    pub(super) fn missed(&self) -> u64 {
        let interval = self.interval.as_nanos().max(1);
        self.gaps()
            .map(|gap| ((gap.as_nanos() + interval / 2) / interval).saturating_sub(1))
            .map(|missed| u64::try_from(missed).unwrap_or(u64::MAX))
            .sum()
    }

    /// The longest gap, in microseconds.
    pub(super) fn longest_us(&self) -> u64 {
        let longest = self.gaps().max().unwrap_or_default();
        u64::try_from(longest.as_micros()).unwrap_or(u64::MAX)
    }

    /// Times that a Backup began to send: a pause of two intervals ends a mastership.
    pub(super) fn takeovers(&self) -> u64 {
        let mut last: Option<Stamp> = None;
        let mut count = 0;
        for &at in &self.at {
            if last.is_none_or(|last| at.since(last) > self.interval * 2) {
                count += 1;
            }
            last = Some(at);
        }
        count
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use vrrp_tests::lab::Stamp;

    use super::Sent;

    const SECOND: u64 = 1_000_000_000;

    fn sent(tenths: &[u64]) -> Sent {
        Sent {
            at: tenths.iter().map(|tenths| Stamp(tenths * SECOND / 10)).collect(),
            since: Stamp(100 * SECOND),
            until: Stamp(110 * SECOND),
            interval: Duration::from_secs(1),
        }
    }

    #[test]
    fn what_comes_in_time_is_not_missed() {
        let at = sent(&[
            1_003, 1_013, 1_022, 1_034, 1_043, 1_053, 1_063, 1_073, 1_083, 1_093,
        ]);
        assert_eq!((at.missed(), at.longest_us()), (0, 1_200_000));
    }

    /// 1.5 s late is one missed, 3.4 s are two; the last one is missed at the end.
    #[test]
    fn what_does_not_come_is_counted_also_at_the_ends() {
        let at = sent(&[1_003, 1_018, 1_052, 1_062, 1_072, 1_082]);
        assert_eq!(at.missed(), 1 + 2 + 1);
        assert_eq!(sent(&[]).missed(), 9);
        assert_eq!(sent(&[]).longest_us(), 10_000_000);
    }

    #[test]
    fn adverts_of_one_mastership_are_one_takeover() {
        let at = sent(&[1_003, 1_013, 1_023, 1_060, 1_070]);
        assert_eq!(at.takeovers(), 2);
        assert_eq!(sent(&[]).takeovers(), 0);
    }
}
