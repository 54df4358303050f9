//! The same file and the same events under Debian's keepalived 2.2.7 and under ours, side by side: what the
//! scripts are told, which addresses are held, and what is on the wire must be the same after every event.
//!
//! Where we differ on purpose, the scenario spells out both sides and names the row of `docs/differences.md` that
//! gives the reason; a difference that has gone away fails too.
//!
//! Each scenario has two labs of its own and mostly waits, so several run at a time (`--test-threads`).

mod compare;
mod rival;
mod scenario;
mod scenarios;
mod stage;
mod trace;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};
use vrrp_tests::lab::root_or_skip;

/// Scenarios at a time: they wait far more than they compute.
const AT_ONCE: usize = 10;

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(AT_ONCE);
    let trials = scenarios::all()
        .into_iter()
        .map(|scenario| {
            Trial::test(scenario.name, move || {
                if root_or_skip() {
                    compare::run(&scenario).map_err(|error| format!("{error:#}"))?;
                }
                Ok(())
            })
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
