//! The daemon's only clocks.

use nix::time::{ClockId, clock_gettime};
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

fn read(clock: ClockId) -> u64 {
    // Fails only for a clock that does not exist; these always do.
    let Ok(now) = clock_gettime(clock) else {
        return 0;
    };
    let secs = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    secs * 1_000_000_000 + nanos
}
