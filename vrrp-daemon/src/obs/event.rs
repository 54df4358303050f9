//! One event as a line.

use std::time::{Duration, UNIX_EPOCH};

use crate::ingress::control::events::Event;
use crate::ingress::control::message::Ending;
use crate::sys::local_time::Stamp;

/// `2026-11-03 09:05:07.000 (web) Entering MASTER STATE: …`, in this host's time zone.
#[must_use]
pub fn line(event: &Event) -> String {
    let at = UNIX_EPOCH.checked_add(Duration::from_millis(event.unix_ms));
    let stamp = Stamp::local(at.unwrap_or(UNIX_EPOCH)).precise();
    // To the millisecond, as it was told.
    let stamp = stamp.get(..23).unwrap_or(&stamp);
    format!("{stamp} {}\n", event.text)
}

/// So many were lost.
#[must_use]
pub fn missed(count: u64) -> String {
    format!("-- {count} events were missed: this reader is too slow\n")
}

/// Nothing more follows.
#[must_use]
pub const fn ended(why: Ending) -> &'static str {
    match why {
        Ending::Stopped => "-- the daemon has stopped\n",
        Ending::HandedOver => "-- the daemon has handed over to its successor: follow that one\n",
    }
}
