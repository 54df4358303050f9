//! The daemon's only clock.

use nix::time::{ClockId, clock_gettime};
use vrrp_common::time::MonoNanos;

/// CLOCK_MONOTONIC now: the clock of every deadline and every arrival stamp.
#[must_use]
pub fn now() -> MonoNanos {
    // Fails only for a clock that does not exist; this one always does.
    let Ok(now) = clock_gettime(ClockId::CLOCK_MONOTONIC) else {
        return MonoNanos(0);
    };
    let secs = u64::try_from(now.tv_sec()).unwrap_or(0);
    let nanos = u64::try_from(now.tv_nsec()).unwrap_or(0);
    MonoNanos(secs * 1_000_000_000 + nanos)
}
