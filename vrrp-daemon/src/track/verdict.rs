//! `rise` and `fall`: how many runs in a row change the mind about a script. Pure.

use crate::proto::ScriptState;

/// The verdict on one script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    rise: u32,
    fall: u32,
    state: Option<ScriptState>,
    /// Runs in a row that contradict `state`.
    against: u32,
}

impl Verdict {
    /// No verdict yet, so that the first run decides at once, as in keepalived; with `init_fail` the script
    /// counts as failing and needs `rise` successes. Zero means one.
    #[must_use]
    pub(super) fn new(rise: u32, fall: u32, init_fail: bool) -> Self {
        Self {
            rise: rise.max(1),
            fall: fall.max(1),
            state: init_fail.then_some(ScriptState::Failing),
            against: 0,
        }
    }

    /// Go on from what was known of the same command before.
    pub(super) fn resume(&mut self, last: ScriptState) {
        self.state = Some(last);
    }

    /// The verdict so far.
    #[must_use]
    pub(super) fn state(&self) -> Option<ScriptState> {
        self.state
    }

    /// A run ended; the verdict if it is the first or another one.
    pub(super) fn observe(&mut self, run: ScriptState) -> Option<ScriptState> {
        if self.state == Some(run) {
            self.against = 0;
            return None;
        }
        self.against += 1;
        let needed = match (self.state, run) {
            (None, _) => 1,
            (Some(_), ScriptState::Passing) => self.rise,
            (Some(_), ScriptState::Failing) => self.fall,
        };
        if self.against < needed {
            return None;
        }
        self.against = 0;
        self.state = Some(run);
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::Verdict;
    use crate::proto::ScriptState::{Failing, Passing};

    #[test]
    fn runs_in_a_row_decide() {
        // rise, fall, init_fail, runs (+ good, - bad), verdicts told (+, -, . for none)
        let table = [
            (1, 1, false, "+", "+"),
            (1, 1, false, "-", "-"),
            (1, 1, false, "++--++", "+.-.+."),
            (3, 2, false, "+", "+"),
            (3, 2, false, "-", "-"),
            (3, 2, false, "+--", "+.-"),
            (3, 2, false, "+-+-+--", "+.....-"),
            (3, 2, false, "-+++", "-..+"),
            (3, 2, false, "-++-+++", "-.....+"),
            (3, 2, true, "+++", "..+"),
            (3, 2, true, "-", "."),
            (1, 1, true, "+", "+"),
            (0, 0, false, "+-+", "+-+"),
        ];
        for (rise, fall, init_fail, runs, expected) in table {
            let mut verdict = Verdict::new(rise, fall, init_fail);
            let told: String = runs
                .chars()
                .map(
                    |run| match verdict.observe(if run == '+' { Passing } else { Failing }) {
                        None => '.',
                        Some(Passing) => '+',
                        Some(Failing) => '-',
                    },
                )
                .collect();
            assert_eq!(
                told, expected,
                "rise {rise} fall {fall} init_fail {init_fail} runs {runs}"
            );
        }
    }

    #[test]
    fn init_fail_is_a_verdict_before_the_first_run() {
        assert_eq!(Verdict::new(2, 2, true).state(), Some(Failing));
        assert_eq!(Verdict::new(2, 2, false).state(), None);
    }
}
