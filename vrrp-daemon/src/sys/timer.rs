//! A timer with absolute deadlines on CLOCK_MONOTONIC, to the nanosecond (tokio's own is 1 ms coarse).

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::sys::timerfd::{ClockId, Expiration, TimerFd, TimerFlags, TimerSetTimeFlags};
use vrrp_common::time::MonoNanos;

/// A `timerfd`: readable once its deadline has passed.
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

    /// Expire at `deadline`, at once if that is in the past; `None` disarms. Costs a system call only when
    /// the deadline changes.
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

    /// Take an expiry off the descriptor, so that it is no longer readable. `false` if there was none.
    ///
    /// # Errors
    /// As `read(2)`, except that nothing to read is no error.
    pub fn clear(&mut self) -> io::Result<bool> {
        match self.fd.wait() {
            Ok(()) => {
                // Spent: the same deadline has to be set again to fire again.
                self.deadline = None;
                Ok(true)
            }
            Err(Errno::EAGAIN) => Ok(false),
            Err(errno) => Err(errno.into()),
        }
    }
}

impl AsFd for Timer {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsFd;

    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Timer;
    use crate::sys::clock;

    fn wait(timer: &Timer, millis: u16) -> bool {
        let mut fds = [PollFd::new(timer.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::from(millis)).unwrap() == 1
    }

    #[test]
    fn fires_not_before_its_deadline_and_once() {
        let mut timer = Timer::new().unwrap();
        let deadline = clock::now() + Nanos::from_millis(5);
        timer.arm(Some(deadline)).unwrap();
        assert!(wait(&timer, 5_000));
        assert!(clock::now() >= deadline);
        assert!(timer.clear().unwrap());
        assert!(!timer.clear().unwrap());
        assert!(!wait(&timer, 0));
    }

    #[test]
    fn a_deadline_in_the_past_fires_at_once_also_when_set_again() {
        let mut timer = Timer::new().unwrap();
        for past in [MonoNanos(0), MonoNanos(1), MonoNanos(1)] {
            timer.arm(Some(past)).unwrap();
            assert!(wait(&timer, 5_000), "{past:?}");
            assert!(timer.clear().unwrap());
        }
    }

    #[test]
    fn disarmed_never_fires() {
        let mut timer = Timer::new().unwrap();
        timer.arm(Some(clock::now() + Nanos::from_secs(3_600))).unwrap();
        timer.arm(None).unwrap();
        assert!(!wait(&timer, 0));
    }
}
