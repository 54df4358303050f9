//! `quorum`, `quorum_max` and the delays. Pure: time is an argument.

use vrrp_common::time::{MonoNanos, Nanos};

use crate::config::ProcessSpec;

/// Whether as many run as wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quorum {
    least: u32,
    most: Option<u32>,
    fork_delay: Nanos,
    terminate_delay: Nanos,
    count: u32,
    told: Option<bool>,
    /// When the opposite of what was told holds.
    due: Option<MonoNanos>,
}

impl Quorum {
    /// Nothing is known yet.
    pub(super) fn new(spec: &ProcessSpec) -> Self {
        Self {
            least: spec.quorum,
            most: spec.quorum_max,
            fork_delay: spec.fork_delay,
            terminate_delay: spec.terminate_delay,
            count: 0,
            told: None,
            due: None,
        }
    }

    /// So many run now. The first count is told at once; later ones after the delay, that of a start if there
    /// are more than before.
    pub(super) fn observe(&mut self, count: u32, now: MonoNanos) -> Option<bool> {
        let delay = if count > self.count {
            self.fork_delay
        } else {
            self.terminate_delay
        };
        self.count = count;
        let met = count >= self.least && self.most.is_none_or(|most| count <= most);
        match self.told {
            None => {
                self.told = Some(met);
                return self.told;
            }
            Some(told) if told == met => self.due = None,
            Some(_) => {
                self.due.get_or_insert(now + delay);
            }
        }
        let due = self.due.is_some_and(|due| due <= now);
        if due {
            self.due = None;
            self.told = Some(met);
        }
        self.told.filter(|_| due)
    }

    /// When to observe again, though nothing has changed.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.due
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Quorum;
    use crate::config::{ParamMatch, ProcessSpec};

    fn quorum(least: u32, most: Option<u32>, fork_ms: u64, terminate_ms: u64) -> Quorum {
        Quorum::new(&ProcessSpec {
            program: "p".to_owned(),
            by_name: true,
            params: Vec::new(),
            param_match: ParamMatch::Any,
            quorum: least,
            quorum_max: most,
            fork_delay: Nanos::from_millis(fork_ms),
            terminate_delay: Nanos::from_millis(terminate_ms),
        })
    }

    fn ms(millis: u64) -> MonoNanos {
        MonoNanos(millis * 1_000_000)
    }

    #[test]
    fn without_delays_every_change_is_told_at_once() {
        let table = [
            (
                1,
                None,
                [(0, Some(false)), (1, Some(true)), (2, None), (0, Some(false))],
            ),
            (
                2,
                None,
                [(1, Some(false)), (2, Some(true)), (3, None), (1, Some(false))],
            ),
            (
                1,
                Some(2),
                [(3, Some(false)), (2, Some(true)), (3, Some(false)), (0, None)],
            ),
            (
                0,
                Some(0),
                [(0, Some(true)), (1, Some(false)), (2, None), (0, Some(true))],
            ),
        ];
        for (least, most, counts) in table {
            let mut quorum = quorum(least, most, 0, 0);
            for (count, expected) in counts {
                assert_eq!(quorum.observe(count, ms(5)), expected, "{least} {most:?} {count}");
                assert_eq!(quorum.deadline(), None);
            }
        }
    }

    /// A daemon that ends and is started again within the delay was never gone.
    #[test]
    fn delays_swallow_what_is_short() {
        let mut quorum = quorum(1, None, 500, 2_000);
        assert_eq!(quorum.observe(1, ms(0)), Some(true), "the first is told at once");
        assert_eq!(quorum.observe(0, ms(1_000)), None);
        assert_eq!(quorum.deadline(), Some(ms(3_000)));
        assert_eq!(quorum.observe(1, ms(2_999)), None);
        assert_eq!(quorum.deadline(), None);

        assert_eq!(quorum.observe(0, ms(10_000)), None);
        assert_eq!(quorum.observe(0, ms(11_999)), None, "asked too early");
        assert_eq!(quorum.observe(0, ms(12_000)), Some(false));

        assert_eq!(quorum.observe(1, ms(20_000)), None);
        assert_eq!(quorum.observe(2, ms(20_400)), None);
        assert_eq!(quorum.deadline(), Some(ms(20_500)), "counted from the first");
        assert_eq!(quorum.observe(2, ms(20_500)), Some(true));
        assert_eq!(quorum.observe(2, ms(20_501)), None);
    }
}
