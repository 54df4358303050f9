use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::{Next, next, pause_after};

#[test]
fn what_the_end_of_the_protocol_process_means() {
    let exit = |code: i32| ExitStatus::from_raw(code << 8);
    let killed = |signal: i32| ExitStatus::from_raw(signal);
    // status, stopping, respawn
    let table = [
        (exit(0), true, true, Next::Exit(0)),
        (exit(0), false, true, Next::Exit(0)),
        (exit(2), false, true, Next::Exit(2)),
        (exit(1), false, true, Next::Respawn),
        (exit(101), false, true, Next::Respawn),
        (killed(9), false, true, Next::Respawn),
        (killed(11), false, true, Next::Respawn),
        (killed(15), false, true, Next::Respawn),
        (killed(9), false, false, Next::Exit(1)),
        (exit(101), false, false, Next::Exit(101)),
        // Asked to stop, it is never started again.
        (killed(9), true, true, Next::Exit(1)),
        (exit(101), true, true, Next::Exit(101)),
        // It had not begun to listen.
        (killed(15), true, true, Next::Exit(0)),
    ];
    for (status, stopping, respawn, expected) in table {
        assert_eq!(
            next(status, stopping, respawn),
            expected,
            "{status} stopping {stopping} respawn {respawn}"
        );
    }
}

/// Addresses of a dead Master stay until the next start: the first must not wait.
#[test]
fn the_first_death_costs_no_pause_and_further_ones_more_and_more() {
    let pauses = [1, 2, 3, 4, 5, 6, 7, 8, 1_000].map(|deaths| pause_after(deaths).as_secs());
    assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 32, 32]);
}
