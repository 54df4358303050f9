//! `interface_up_down_delays`: a state counts once it has lasted. Pure: time is an argument.

use vrrp_common::time::{MonoNanos, Nanos};

use crate::config::LinkDelays;
use crate::proto::LinkState;

/// One interface's delays, and the state that waits for its time.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Held {
    delays: LinkDelays,
    waiting: Option<(LinkState, MonoNanos)>,
}

impl Held {
    pub(super) fn new(delays: LinkDelays) -> Self {
        Self {
            delays,
            waiting: None,
        }
    }

    /// When the state that waits counts.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.waiting.map(|(_, due)| due)
    }

    /// The state to be told, of one that was `told` and is `now_is`. The first one counts at once, as in
    /// keepalived, and so does the end of an interface.
    pub(super) fn settle(&mut self, told: Option<LinkState>, now_is: LinkState, now: MonoNanos) -> LinkState {
        let delay = match (told, now_is) {
            (Some(LinkState::Up), LinkState::Down) => self.delays.down,
            (Some(LinkState::Down | LinkState::Missing), LinkState::Up) => self.delays.up,
            (None, _)
            | (Some(LinkState::Up), LinkState::Up)
            | (Some(LinkState::Down | LinkState::Missing), LinkState::Down)
            | (Some(_), LinkState::Missing) => Nanos::ZERO,
        };
        let since = match self.waiting {
            Some((state, due)) if state == now_is => due,
            Some(_) | None => now + delay,
        };
        if delay == Nanos::ZERO || since <= now {
            self.waiting = None;
            return now_is;
        }
        self.waiting = Some((now_is, since));
        match now_is {
            LinkState::Down => LinkState::Up,
            // An interface that has just come is there, if not up yet.
            LinkState::Up | LinkState::Missing => LinkState::Down,
        }
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Held;
    use crate::config::LinkDelays;
    use crate::proto::LinkState::{self, Down, Missing, Up};

    /// Time in ms, state, what is told, and until when something waits.
    fn play(delays: (u64, u64), steps: &[(u64, LinkState, LinkState, Option<u64>)]) {
        let mut held = Held::new(LinkDelays {
            down: Nanos::from_millis(delays.0),
            up: Nanos::from_millis(delays.1),
        });
        let mut told = None;
        for (at, state, expected, deadline) in steps {
            let settled = held.settle(told, *state, MonoNanos(at * 1_000_000));
            let waits = held.deadline().map(|at| at.0 / 1_000_000);
            assert_eq!(
                (settled, waits),
                (*expected, *deadline),
                "{delays:?} at {at} {state:?}"
            );
            told = Some(settled);
        }
    }

    #[test]
    fn a_state_counts_once_it_has_lasted() {
        let flap = [
            (0, Up, Up, None),
            (10, Down, Up, Some(3_010)),
            (1_000, Down, Up, Some(3_010)),
            (2_000, Up, Up, None),
            (5_000, Down, Up, Some(8_000)),
            (8_000, Down, Down, None),
            (9_000, Up, Down, Some(10_000)),
            (9_500, Down, Down, None),
            (20_000, Up, Down, Some(21_000)),
            (21_000, Up, Up, None),
        ];
        play((3_000, 1_000), &flap);
    }

    #[test]
    fn the_first_state_and_the_end_of_an_interface_count_at_once() {
        play(
            (3_000, 1_000),
            &[(0, Down, Down, None), (5, Missing, Missing, None)],
        );
        play(
            (3_000, 1_000),
            &[
                (0, Up, Up, None),
                (10, Down, Up, Some(3_010)),
                (20, Missing, Missing, None),
                (30, Up, Down, Some(1_030)),
                (1_030, Up, Up, None),
            ],
        );
    }

    #[test]
    fn without_delays_nothing_waits() {
        play(
            (0, 0),
            &[
                (0, Missing, Missing, None),
                (1, Up, Up, None),
                (2, Down, Down, None),
                (3, Up, Up, None),
            ],
        );
    }
}
