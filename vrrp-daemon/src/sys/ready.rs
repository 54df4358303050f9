//! Several descriptors behind one: an epoll set, itself a descriptor that can be waited for.
#![allow(unsafe_code, reason = "registering a descriptor with tokio")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Most tokens that one [`ReadySet::poll`] reports; the rest stays for the next.
pub const BATCH: usize = 32;

/// Most tokens that one [`ReadySet::wait`] reports.
pub const FEW: usize = 8;

/// How long to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    /// Not at all.
    None,
    /// Until there is something.
    Endless,
}

/// An epoll set, level-triggered but for what is added as changing. Readable while one of its members is, so it can be
/// a member of another set or sit in a `tokio::io::unix::AsyncFd`.
#[derive(Debug)]
pub struct ReadySet(Epoll);

impl ReadySet {
    /// An empty set.
    ///
    /// # Errors
    /// As `epoll_create1(2)`.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?))
    }

    /// Report `token` while `fd` is readable. A descriptor leaves the set by being closed.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub fn add(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        Ok(self.0.add(fd, EpollEvent::new(EpollFlags::EPOLLIN, token))?)
    }

    /// Report `token` once each time that `fd` becomes readable (`EPOLLET`): for one from which nothing is read.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub fn add_changing(&self, fd: impl AsFd, token: u64) -> io::Result<()> {
        let flags = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        Ok(self.0.add(fd, EpollEvent::new(flags, token))?)
    }

    /// Take `fd` out of the set.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        Ok(self.0.delete(fd)?)
    }

    /// The set as a descriptor that a task of this runtime can wait for.
    ///
    /// # Errors
    /// The runtime has no I/O driver, or the system no room.
    pub fn into_async(self) -> io::Result<AsyncFd<Self>> {
        // SAFETY: `as_raw_fd` is that of the `Epoll` in here, always the same one, which nothing takes out and
        // which is closed only when the `AsyncFd` drops the set.
        unsafe { AsyncFd::register_with_interest(self, Interest::READABLE) }.map_err(io::Error::from)
    }

    /// The tokens that are ready now; never waits.
    ///
    /// # Errors
    /// As `epoll_wait(2)`, except that an interruption is "none".
    pub fn poll(&self) -> io::Result<impl Iterator<Item = u64> + use<>> {
        self.ready::<BATCH>(EpollTimeout::ZERO)
    }

    /// The tokens that are ready, up to [`FEW`], once there are any; none after an interruption.
    ///
    /// # Errors
    /// As `epoll_wait(2)`.
    pub fn wait(&self, patience: Patience) -> io::Result<impl Iterator<Item = u64> + use<>> {
        self.ready::<FEW>(match patience {
            Patience::None => EpollTimeout::ZERO,
            Patience::Endless => EpollTimeout::NONE,
        })
    }

    fn ready<const MOST: usize>(
        &self,
        timeout: EpollTimeout,
    ) -> io::Result<impl Iterator<Item = u64> + use<MOST>> {
        let mut events = [EpollEvent::empty(); MOST];
        let ready = match self.0.wait(&mut events, timeout) {
            Ok(ready) => ready,
            Err(Errno::EINTR) => 0,
            Err(errno) => return Err(errno.into()),
        };
        Ok(events.into_iter().take(ready).map(|event| event.data()))
    }
}

impl AsFd for ReadySet {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl AsRawFd for ReadySet {
    fn as_raw_fd(&self) -> RawFd {
        self.0.0.as_raw_fd()
    }
}
