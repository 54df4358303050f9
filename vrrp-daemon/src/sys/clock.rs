//! The daemon's only clocks.

use nix::sys::time::{TimeSpec, TimeValLike};
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};
use vrrp_common::time::{MonoNanos, Nanos};

/// How long the host is up, suspensions included.
#[must_use]
pub fn since_boot() -> Nanos {
    Nanos(read(ClockId::CLOCK_BOOTTIME))
}

/// CLOCK_MONOTONIC now: the clock of every deadline and every arrival stamp.
#[must_use]
pub fn now() -> MonoNanos {
    MonoNanos(read(ClockId::CLOCK_MONOTONIC))
}

/// Sleep until then by [`now`], or until a signal comes: whoever needs the time looks at the clock.
pub fn sleep_until(at: MonoNanos) {
    let at = TimeSpec::nanoseconds(i64::try_from(at.0).unwrap_or(i64::MAX));
    let _ = clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &at);
}

fn read(clock: ClockId) -> u64 {
    // Fails only for a clock that does not exist; these always do.
    let Ok(now) = clock_gettime(clock) else {
        return 0;
    };
    let secs = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    secs * 1_000_000_000 + nanos
}
