//! A process that is not our child, held on to by a descriptor: its number may be another's tomorrow, the descriptor
//! stays its own.
#![allow(
    unsafe_code,
    reason = "pidfd_open(2) and pidfd_send_signal(2) have no safe interface"
)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;

/// A process, also after its end. Readable from its end on.
#[derive(Debug)]
pub struct PidFd(OwnedFd);

impl PidFd {
    /// The process of this number. Who can be sure that it is the one that is meant: whoever knows it to be alive
    /// afterwards, by a lock that it holds.
    ///
    /// # Errors
    /// There is no such process, or the kernel is older than 5.3.
    pub fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: a system call with plain numbers.
        let result = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
        let descriptor = RawFd::try_from(Errno::result(result)?).map_err(io::Error::other)?;
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(descriptor) }))
    }

    /// Send it a signal. To one that has ended this does nothing.
    pub fn signal(&self, signal: Signal) {
        let number = libc::c_int::from(signal_number(signal));
        let nothing = std::ptr::null::<libc::siginfo_t>();
        // SAFETY: a system call with plain numbers and no pointer: then the kernel fills in the rest as for kill(2).
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                number,
                nothing,
                0,
            )
        };
    }

    /// Whether it has ended.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.ends_within(Duration::ZERO)
    }

    /// Wait for its end, at most for so long; whether it has ended.
    #[must_use]
    pub fn ends_within(&self, limit: Duration) -> bool {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now()).as_millis();
            let timeout = PollTimeout::from(u16::try_from(left).unwrap_or(u16::MAX));
            let mut source = [PollFd::new(self.0.as_fd(), PollFlags::POLLIN)];
            match poll(&mut source, timeout) {
                Ok(0) if Instant::now() >= until => return false,
                Ok(0) | Err(Errno::EINTR) => {}
                Ok(_) => return true,
                Err(_) => return false,
            }
        }
    }
}

impl AsFd for PidFd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn signal_number(signal: Signal) -> i32 {
    #[expect(
        clippy::as_conversions,
        reason = "the discriminant of a field-less repr(i32) enum"
    )]
    {
        signal as i32
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use nix::sys::signal::Signal;

    use super::PidFd;

    #[test]
    fn a_process_is_seen_to_end() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let process = PidFd::open(i32::try_from(child.id()).unwrap()).unwrap();
        assert!(!process.has_ended());
        process.signal(Signal::SIGKILL);
        assert!(process.ends_within(Duration::from_secs(10)));
        assert!(process.has_ended());
        child.wait().unwrap();
    }

    #[test]
    fn there_is_no_process_of_a_number_that_nobody_can_have() {
        // The kernel's limit (PID_MAX_LIMIT) is 2^22.
        assert!(PidFd::open(i32::MAX).is_err());
    }
}
