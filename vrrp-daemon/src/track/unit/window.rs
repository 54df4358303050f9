//! How often a unit was restarted lately.

use std::collections::VecDeque;

use vrrp_common::time::{MonoNanos, Nanos};

use crate::config::UnitSpec;

/// What the service manager says of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    /// `NRestarts`: how often the manager has restarted it by itself. Begins anew when somebody starts it.
    pub(super) restarts: u32,
    /// `ActiveState` is `failed`: it ended badly, and the manager does not restart it (any more).
    pub(super) failed: bool,
}

/// The restarts of one unit.
#[derive(Debug)]
pub(super) struct Window {
    limit: usize,
    within: Nanos,
    /// The latest, at most one more than the limit.
    seen: VecDeque<MonoNanos>,
    /// As last reported; `None` before that.
    last: Option<u32>,
    failed: bool,
    /// What was seen is only taken from an earlier process's word.
    is_hearsay: bool,
}

impl Window {
    /// `unsteady`: it was known to be when an earlier process handed over at `now`.
    pub(super) fn new(spec: &UnitSpec, unsteady: bool, now: MonoNanos) -> Self {
        let limit = usize::try_from(spec.restarts).unwrap_or(usize::MAX - 1);
        let mut window = Self {
            limit,
            within: spec.within,
            seen: VecDeque::new(),
            last: None,
            failed: false,
            is_hearsay: unsteady,
        };
        if unsteady {
            window.note(limit + 1, now);
        }
        window
    }

    /// Restarts since the last report happened now; those before the first one, long ago.
    pub(super) fn report(&mut self, report: Report, now: MonoNanos) {
        if std::mem::take(&mut self.is_hearsay) && report.failed {
            // That is what the earlier process meant.
            self.seen.clear();
        }
        let before = self.last.replace(report.restarts);
        let new = match before {
            None => 0,
            Some(before) if report.restarts >= before => report.restarts - before,
            // Somebody started it since, which sets the count to 0.
            Some(_) => report.restarts,
        };
        self.failed = report.failed;
        self.note(usize::try_from(new).unwrap_or(usize::MAX), now);
    }

    /// There is no such unit (any more).
    pub(super) fn forget(&mut self) {
        self.seen.clear();
        self.last = None;
        self.failed = false;
        self.is_hearsay = false;
    }

    fn note(&mut self, count: usize, now: MonoNanos) {
        let most = self.limit + 1;
        for _ in 0..count.min(most) {
            if self.seen.len() == most {
                self.seen.pop_front();
            }
            self.seen.push_back(now);
        }
    }

    /// Whether it is restarted no more often than is allowed, and has not failed.
    pub(super) fn steady(&self, now: MonoNanos) -> bool {
        !self.failed && self.too_many_until().is_none_or(|until| until <= now)
    }

    /// As last reported.
    pub(super) fn failed(&self) -> bool {
        self.failed
    }

    /// When it has been restarted too often no longer, if no restart comes.
    pub(super) fn too_many_until(&self) -> Option<MonoNanos> {
        let first = self.seen.front().filter(|_| self.seen.len() > self.limit)?;
        Some(*first + self.within)
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::{Report, Window};
    use crate::config::UnitSpec;

    fn spec(restarts: u32) -> UnitSpec {
        UnitSpec {
            unit: "u.service".to_owned(),
            restarts,
            within: Nanos::from_secs(10),
        }
    }

    fn at(seconds: u64) -> MonoNanos {
        MonoNanos(seconds * 1_000_000_000)
    }

    fn report(restarts: u32) -> Report {
        let failed = false;
        Report { restarts, failed }
    }

    /// Seconds and NRestarts; when it is not steady, of seconds 0..=30.
    type Row = (&'static [(u64, u32)], &'static [(u64, u64)]);

    #[test]
    fn more_than_the_limit_in_time() {
        let rows: &[Row] = &[
            // What was before we looked is old.
            (&[(0, 100)], &[]),
            (&[(0, 0), (1, 1), (2, 2)], &[]),
            // The third of 1, 2 and 5 leaves when 1 is 10 s old.
            (&[(0, 0), (1, 1), (2, 2), (5, 3)], &[(5, 10)]),
            // All at once.
            (&[(0, 7), (4, 10)], &[(4, 13)]),
            // Slow enough.
            (&[(0, 0), (1, 1), (6, 2), (11, 3), (16, 4)], &[]),
            // As 2, 3 and 4 leave, 9, 9 and 9 are there.
            (&[(0, 0), (2, 1), (3, 2), (4, 3), (9, 6)], &[(4, 18)]),
            // Started by hand: that is no restart, those after it are.
            (&[(0, 50), (1, 0), (2, 1)], &[]),
            (&[(0, 50), (1, 3)], &[(1, 10)]),
            // More at once than are kept.
            (&[(0, 0), (1, u32::MAX)], &[(1, 10)]),
        ];
        for (told, unsteady) in rows {
            let mut window = Window::new(&spec(2), false, at(0));
            for second in 0..=30 {
                for (_, restarts) in told.iter().filter(|(when, _)| *when == second) {
                    window.report(report(*restarts), at(second));
                }
                let expected = unsteady.iter().any(|(from, to)| (*from..=*to).contains(&second));
                assert_eq!(window.steady(at(second)), !expected, "{told:?} at {second}");
            }
        }
    }

    #[test]
    fn none_allowed() {
        let mut window = Window::new(&spec(0), false, at(0));
        window.report(report(3), at(0));
        assert!(window.steady(at(0)));
        window.report(report(4), at(1));
        assert!(!window.steady(at(10)));
        assert_eq!(window.too_many_until(), Some(at(11)));
        assert!(window.steady(at(11)));
    }

    #[test]
    fn failed_is_not_steady_whatever_was_restarted() {
        let mut window = Window::new(&spec(2), false, at(0));
        let (restarts, failed) = (0, true);
        window.report(Report { restarts, failed }, at(0));
        assert!(!window.steady(at(100)));
        window.report(report(0), at(101));
        assert!(window.steady(at(101)));
    }

    #[test]
    fn a_unit_that_was_removed_is_not_failed() {
        let mut window = Window::new(&spec(0), false, at(0));
        let (restarts, failed) = (3, true);
        window.report(report(2), at(0));
        window.report(Report { restarts, failed }, at(1));
        assert!(!window.steady(at(1)));
        window.forget();
        assert!(window.steady(at(1)));
        // It is installed again: its count begins anew.
        window.report(report(5), at(2));
        assert!(window.steady(at(2)));
    }

    /// It was unsteady because the unit had failed, so it is steady as soon as that is mended.
    #[test]
    fn an_earlier_process_may_have_meant_the_failure() {
        let mut window = Window::new(&spec(2), true, at(50));
        let (restarts, failed) = (0, true);
        window.report(Report { restarts, failed }, at(50));
        assert!(!window.steady(at(50)));
        window.report(report(0), at(51));
        assert!(window.steady(at(51)));
    }

    #[test]
    fn what_an_earlier_process_knew_lasts_its_time() {
        let mut window = Window::new(&spec(2), true, at(50));
        window.report(report(9), at(50));
        assert!(!window.steady(at(59)));
        assert!(window.steady(at(60)));
    }
}
