use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use super::{Next, next, next_pause};

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
    ];
    for (status, stopping, respawn, expected) in table {
        assert_eq!(
            next(status, stopping, respawn),
            expected,
            "{status} stopping {stopping} respawn {respawn}"
        );
    }
}

#[test]
fn pauses_grow_while_it_keeps_dying() {
    let mut pause = Duration::ZERO;
    let mut seen = Vec::new();
    for lived in [0, 0, 1, 59, 0, 0, 0, 60, 0, 0] {
        pause = next_pause(pause, Duration::from_secs(lived));
        seen.push(pause.as_secs());
    }
    assert_eq!(seen, [1, 2, 4, 8, 16, 32, 32, 0, 1, 2]);
}
