//! How long the thread works without a pause. At real-time priority one that never sleeps for as long as its budget
//! (RLIMIT_RTTIME) is killed, and the kernel takes longer than that for thousands of IPv6 addresses.

use std::thread;
use std::time::Duration;

use vrrp_common::time::{MonoNanos, Nanos};

use crate::sys::clock;

/// A tenth of the budget: one chunk more may take its time.
const LONGEST: Nanos = Nanos::from_millis(50);
/// Long enough that the kernel takes the thread off the CPU, which starts the count again.
const PAUSE: Nanos = Nanos(50_000);

/// The stretch of work since the last pause.
#[derive(Debug)]
pub(super) struct Stretch {
    realtime: bool,
    began: MonoNanos,
}

impl Stretch {
    pub(super) fn begin(realtime: bool) -> Self {
        Self {
            realtime,
            began: clock::now(),
        }
    }

    /// The thread did nothing from then until now, if that was long enough to count.
    pub(super) fn waited_since(&mut self, then: MonoNanos) {
        let now = clock::now();
        if now.since(then) >= PAUSE {
            self.began = now;
        }
    }

    /// Between two chunks: sleep for an instant if it is time to.
    pub(super) fn pause_if_long(&mut self) {
        if self.realtime && clock::now().since(self.began) >= LONGEST {
            thread::sleep(Duration::from_nanos(PAUSE.0));
            self.began = clock::now();
        }
    }
}
