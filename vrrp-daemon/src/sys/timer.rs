//! A timer with absolute deadlines on CLOCK_MONOTONIC, to the nanosecond (tokio's own is 1 ms coarse).
#![allow(unsafe_code, reason = "registering a descriptor with tokio")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use vrrp_common::time::MonoNanos;

/// A `timerfd`, which becomes readable when its deadline passes. Nothing is read from it, which would be a system call
/// more for each deadline: who waits for it waits for the change, as tokio does (`EPOLLET`).
#[derive(Debug)]
pub struct Timer {
    fd: TimerFd,
    deadline: Option<MonoNanos>,
}

impl Timer {
    /// A timer that is not armed.
    ///
    /// # Errors
    /// As `timerfd_create(2)`: no descriptors left.
    pub fn new() -> io::Result<Self> {
        let flags = TimerFlags::TFD_NONBLOCK | TimerFlags::TFD_CLOEXEC;
        let fd = TimerFd::new(ClockId::CLOCK_MONOTONIC, flags)?;
        Ok(Self { fd, deadline: None })
    }

    /// Expire at `deadline`, at once if that is in the past; `None` disarms. Costs a system call only when the deadline
    /// changes, or has passed by `now`.
    ///
    /// # Errors
    /// As `timerfd_settime(2)`.
    pub fn arm(&mut self, deadline: Option<MonoNanos>, now: MonoNanos) -> io::Result<()> {
        if deadline == self.deadline && deadline.is_none_or(|deadline| deadline > now) {
            return Ok(());
        }
        match deadline {
            None => self.fd.unset()?,
            Some(at) => {
                // An all-zero time would disarm.
                let at = at.0.max(1);
                let secs = i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX);
                let nanos = i64::try_from(at % 1_000_000_000).unwrap_or(0);
                let at = Expiration::OneShot(TimeSpec::new(secs, nanos));
                self.fd.set(at, TimerSetTimeFlags::TFD_TIMER_ABSTIME)?;
            }
        }
        self.deadline = deadline;
        Ok(())
    }

    /// The timer as a task of this runtime can wait for it.
    ///
    /// # Errors
    /// The runtime has no I/O driver, or the system no room.
    pub fn into_async(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: `as_raw_fd` is that of the `TimerFd` in here, always the same one, which nothing takes out and which is
        // closed only when the `AsyncFd` drops the timer.
        unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }.map_err(io::Error::from)
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl AsRawFd for Timer {
    fn as_raw_fd(&self) -> RawFd {
        self.fd.as_fd().as_raw_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::io::unix::AsyncFd;
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Timer;
    use crate::sys::clock;

    /// Whether it fires within `millis`.
    async fn fires(timer: &AsyncFd<Timer>, millis: u64) -> bool {
        let fired = tokio::time::timeout(Duration::from_millis(millis), timer.readable());
        match fired.await {
            Ok(guard) => {
                guard.unwrap().clear_ready();
                true
            }
            Err(_) => false,
        }
    }

    fn timer() -> AsyncFd<Timer> {
        Timer::new().unwrap().into_async().unwrap()
    }

    #[tokio::test]
    async fn fires_not_before_its_deadline_and_once() {
        let mut timer = timer();
        let deadline = clock::now() + Nanos::from_millis(5);
        timer.get_mut().arm(Some(deadline), clock::now()).unwrap();
        assert!(fires(&timer, 5_000).await);
        assert!(clock::now() >= deadline);
        assert!(!fires(&timer, 1).await);
    }

    #[tokio::test]
    async fn a_deadline_in_the_past_fires_at_once_also_when_set_again() {
        let mut timer = timer();
        for past in [MonoNanos(0), MonoNanos(1), MonoNanos(1)] {
            timer.get_mut().arm(Some(past), clock::now()).unwrap();
            assert!(fires(&timer, 5_000).await, "{past:?}");
        }
    }

    /// One that has fired and was not read is as good as new.
    #[tokio::test]
    async fn fires_again_and_again() {
        let mut timer = timer();
        for _ in 0..3 {
            let soon = clock::now() + Nanos::from_millis(2);
            timer.get_mut().arm(Some(soon), clock::now()).unwrap();
            assert!(fires(&timer, 5_000).await);
        }
    }

    #[tokio::test]
    async fn disarmed_never_fires() {
        let mut timer = timer();
        let later = clock::now() + Nanos::from_secs(3_600);
        timer.get_mut().arm(Some(later), clock::now()).unwrap();
        timer.get_mut().arm(None, clock::now()).unwrap();
        assert!(!fires(&timer, 1).await);
    }
}
