//! When to mend what somebody else undid, or the kernel refused: at once the first time, then ever more rarely,
//! so that two programs that disagree over an address do not keep the host busy.

use vrrp_common::time::{MonoNanos, Nanos};

/// What is taken away together is put back together: an `ip addr flush` is many removals.
const SETTLE: Nanos = Nanos::from_millis(5);
/// The second time, doubled with each one after.
const FIRST_PAUSE: Nanos = Nanos::from_millis(100);
const LONGEST_PAUSE: Nanos = Nanos::from_secs(10);
/// After this long without trouble it counts as new.
const QUIET: Nanos = Nanos::from_secs(60);

/// The back-off of one virtual router.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Backoff {
    due: Option<MonoNanos>,
    last: Option<MonoNanos>,
    pause: Nanos,
}

impl Backoff {
    /// There is something to mend.
    pub(super) fn want(&mut self, now: MonoNanos) {
        if self.due.is_some() {
            return;
        }
        if self.last.is_none_or(|last| now.since(last) >= QUIET) {
            self.pause = Nanos::ZERO;
        }
        let earliest = self.last.map_or(now, |last| last + self.pause);
        self.due = Some(earliest.max(now + SETTLE));
    }

    /// When that is to be done.
    pub(super) fn due(&self) -> Option<MonoNanos> {
        self.due
    }

    /// How long after the last time the next one will be, at the earliest.
    pub(super) fn pause(&self) -> Nanos {
        self.pause
    }

    /// It is being done.
    pub(super) fn begin(&mut self, now: MonoNanos) {
        self.due = None;
        self.last = Some(now);
        self.pause = if self.pause == Nanos::ZERO {
            FIRST_PAUSE
        } else {
            (self.pause + self.pause).min(LONGEST_PAUSE)
        };
    }

    /// There is nothing to mend any more. What is to be mended next still counts as a repetition.
    pub(super) fn forget(&mut self) {
        self.due = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Backoff, MonoNanos, Nanos};

    const MS: u64 = 1_000_000;

    /// Trouble that never ends: 5 ms, then the pauses double up to ten seconds.
    #[test]
    fn the_pauses_double_up_to_ten_seconds() {
        let mut backoff = Backoff::default();
        let mut now = MonoNanos(1_000 * MS);
        let mut waits = Vec::new();
        for _ in 0..10 {
            backoff.want(now);
            let due = backoff.due().unwrap();
            waits.push(due.since(now).0 / MS);
            now = due;
            backoff.begin(now);
        }
        assert_eq!(waits, [5, 100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    }

    #[test]
    fn more_of_the_same_moves_nothing() {
        let mut backoff = Backoff::default();
        backoff.want(MonoNanos(1_000 * MS));
        backoff.want(MonoNanos(1_004 * MS));
        assert_eq!(backoff.due(), Some(MonoNanos(1_005 * MS)));
    }

    /// A pause that has passed anyway is not waited for again.
    #[test]
    fn rare_trouble_is_mended_at_once_and_a_quiet_minute_forgives() {
        let mut backoff = Backoff::default();
        backoff.want(MonoNanos(0));
        backoff.begin(MonoNanos(5 * MS));
        assert_eq!(backoff.pause(), Nanos::from_millis(100));
        backoff.want(MonoNanos(30_000 * MS));
        assert_eq!(backoff.due(), Some(MonoNanos(30_005 * MS)));
        backoff.begin(MonoNanos(30_005 * MS));
        assert_eq!(backoff.pause(), Nanos::from_millis(200));
        backoff.want(MonoNanos(90_005 * MS));
        backoff.begin(MonoNanos(90_010 * MS));
        assert_eq!(backoff.pause(), Nanos::from_millis(100));
    }

    #[test]
    fn what_needs_no_mending_is_not_due() {
        let mut backoff = Backoff::default();
        backoff.want(MonoNanos(0));
        backoff.forget();
        assert_eq!(backoff.due(), None);
    }
}
