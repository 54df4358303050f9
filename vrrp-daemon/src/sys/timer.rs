//! A timer with absolute deadlines on CLOCK_MONOTONIC, to the nanosecond (tokio's own is 1 ms coarse).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use vrrp_common::time::MonoNanos;

/// A `timerfd`, which becomes readable when its deadline passes. Nothing is read from it, which would be a system call
/// more for each deadline: who waits for it waits for the change
/// ([`ReadySet::add_changing`](super::ready::ReadySet::add_changing)).
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

    /// Expire at `deadline`, in a moment if that is in the past; `None` disarms. Costs a system call only when the deadline
    /// changes: one that has passed is not told twice.
    ///
    /// # Errors
    /// As `timerfd_settime(2)`.
    pub fn arm(&mut self, deadline: Option<MonoNanos>) -> io::Result<()> {
        if deadline == self.deadline {
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
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Timer;
    use crate::sys::clock;
    use crate::sys::ready::{Patience, ReadySet};

    fn timer() -> (Timer, ReadySet) {
        let (timer, set) = (Timer::new().unwrap(), ReadySet::new().unwrap());
        set.add_changing(&timer, 0).unwrap();
        (timer, set)
    }

    fn has_fired(set: &ReadySet) -> bool {
        set.wait(Patience::None).unwrap().count() == 1
    }

    fn fires(set: &ReadySet) {
        assert_eq!(set.wait(Patience::Endless).unwrap().count(), 1);
    }

    #[test]
    fn fires_not_before_its_deadline_and_once() {
        let (mut timer, set) = timer();
        let deadline = clock::now() + Nanos::from_millis(5);
        timer.arm(Some(deadline)).unwrap();
        fires(&set);
        assert!(clock::now() >= deadline);
        assert!(!has_fired(&set));
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once() {
        let (mut timer, set) = timer();
        for past in [MonoNanos(0), MonoNanos(2)] {
            timer.arm(Some(past)).unwrap();
            fires(&set);
        }
    }

    /// One that has fired and was not read is as good as new.
    #[test]
    fn fires_again_and_again() {
        let (mut timer, set) = timer();
        for _ in 0..3 {
            let soon = clock::now() + Nanos::from_millis(2);
            timer.arm(Some(soon)).unwrap();
            fires(&set);
        }
    }

    #[test]
    fn disarmed_never_fires() {
        let (mut timer, set) = timer();
        let soon = clock::now() + Nanos::from_millis(5);
        timer.arm(Some(soon)).unwrap();
        timer.arm(None).unwrap();
        clock::sleep_until(soon + Nanos::from_millis(1));
        assert!(!has_fired(&set));
    }
}
