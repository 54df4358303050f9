//! What the protocol thread waits for, behind one epoll set.
//!
//! No async runtime stands between: a Master's thread is woken for one advert, on cold caches, and what a runtime does
//! for each wake-up (its own bookkeeping, and asking every future that waits) cost a third of all. The channels of the
//! other threads are tokio's: they are polled when the bell rings, and hang it up again by that.

use std::io;
use std::os::fd::AsFd;
use std::task::Waker;

use vrrp_common::time::MonoNanos;

use super::signals::Signals;
use crate::sys::clock;
use crate::sys::doorbell::Doorbell;
use crate::sys::ready::{Patience, ReadySet};
use crate::sys::timer::Timer;

/// What is waited for, or several of it: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sources(u64);

impl Sources {
    /// The next deadline.
    pub(super) const TIMER: Self = Self(1);
    /// The ring, or a raw socket.
    pub(super) const ADVERTS: Self = Self(1 << 1);
    /// Signals.
    pub(super) const SIGNALS: Self = Self(1 << 2);
    /// Channels of other threads.
    pub(super) const NEWS: Self = Self(1 << 3);
    /// The parent process.
    pub(super) const PARENT: Self = Self(1 << 4);
    /// The process before this one has gone.
    pub(super) const PREDECESSOR: Self = Self(1 << 5);

    /// Whether this one is among them.
    pub(super) const fn has(self, one: Self) -> bool {
        self.0 & one.0 != 0
    }
}

/// All of it.
#[derive(Debug)]
pub(super) struct Wakeups {
    set: ReadySet,
    /// For [`narrow`](Self::narrow), which must not fail for want of a descriptor.
    narrow: ReadySet,
    timer: Timer,
    bell: Doorbell,
    /// What is asked for by signal.
    pub(super) signals: Signals,
    /// For the channels.
    pub(super) waker: Waker,
}

impl Wakeups {
    /// Signals are heard from now on.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn new(ignore_sigint: bool) -> io::Result<Self> {
        let (set, timer, bell) = (ReadySet::new()?, Timer::new()?, Doorbell::new()?);
        let signals = Signals::new(ignore_sigint)?;
        set.add_changing(&timer, Sources::TIMER.0)?;
        set.add_changing(&bell, Sources::NEWS.0)?;
        set.add(&signals, Sources::SIGNALS.0)?;
        Ok(Self {
            set,
            narrow: ReadySet::new()?,
            timer,
            waker: bell.waker(),
            bell,
            signals,
        })
    }

    /// Wait for `fd` too, as long as it is open.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub(super) fn add(&self, fd: impl AsFd, source: Sources) -> io::Result<()> {
        self.set.add(fd, source.0)
    }

    /// Wait for `fd` no longer.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub(super) fn remove(&self, fd: impl AsFd) -> io::Result<()> {
        self.set.remove(fd)
    }

    /// From now on only for the timer, and for channels.
    ///
    /// # Errors
    /// As `epoll_ctl(2)`.
    pub(super) fn narrow(mut self) -> io::Result<Self> {
        self.narrow.add_changing(&self.timer, Sources::TIMER.0)?;
        self.narrow.add_changing(&self.bell, Sources::NEWS.0)?;
        std::mem::swap(&mut self.set, &mut self.narrow);
        Ok(self)
    }

    /// Wait, until `deadline` at the latest. One that has passed is told at once, whatever else there is.
    ///
    /// # Errors
    /// As `timerfd_settime(2)` and `epoll_wait(2)`.
    pub(super) fn wait(&mut self, deadline: Option<MonoNanos>, patience: Patience) -> io::Result<Sources> {
        let mut woken = Sources::default();
        // A timer that is set to the past goes off in a moment, and not now: set again and again it never would.
        let patience = if deadline.is_some_and(|deadline| deadline <= clock::now()) {
            woken = Sources::TIMER;
            Patience::None
        } else {
            self.timer.arm(deadline)?;
            patience
        };
        for source in self.set.wait(patience)? {
            woken.0 |= source;
        }
        Ok(woken)
    }
}

#[cfg(test)]
mod tests {
    use std::task::Context;

    use tokio::sync::oneshot;
    use vrrp_common::time::Nanos;

    use super::{Sources, Wakeups};
    use crate::sys::clock;
    use crate::sys::ready::Patience;

    fn woken(wakeups: &mut Wakeups, patience: Patience) -> Sources {
        wakeups.wait(None, patience).unwrap()
    }

    #[test]
    fn by_all_that_there_is_and_by_nothing_twice() {
        let mut wakeups = Wakeups::new(true).unwrap();
        assert_eq!(woken(&mut wakeups, Patience::None), Sources::default());
        let (sender, receiver) = oneshot::channel();
        let mut receiver = std::pin::pin!(receiver);
        let waker = wakeups.waker.clone();
        let poll = receiver.as_mut().poll(&mut Context::from_waker(&waker));
        assert!(poll.is_pending());
        sender.send(()).unwrap();
        let due = clock::now() + Nanos::from_millis(1);
        clock::sleep_until(due);
        let both = wakeups.wait(Some(due), Patience::Endless).unwrap();
        assert!(both.has(Sources::NEWS) && both.has(Sources::TIMER));
        assert!(!both.has(Sources::ADVERTS) && !both.has(Sources::SIGNALS));
        assert_eq!(woken(&mut wakeups, Patience::None), Sources::default());
    }

    /// However often it is asked: while there are other things to do, nobody waits for a timer.
    #[test]
    fn a_deadline_that_has_passed_is_told_every_time() {
        let mut wakeups = Wakeups::new(true).unwrap();
        let past = clock::now();
        for _ in 0..1_000 {
            assert_eq!(wakeups.wait(Some(past), Patience::None).unwrap(), Sources::TIMER);
        }
        assert_eq!(
            wakeups.wait(Some(past), Patience::Endless).unwrap(),
            Sources::TIMER
        );
    }

    #[test]
    fn narrowed_it_hears_nothing_but_the_timer_and_channels() {
        let mut wakeups = Wakeups::new(true).unwrap();
        let (ours, theirs) = std::os::unix::net::UnixDatagram::pair().unwrap();
        wakeups.add(&ours, Sources::ADVERTS).unwrap();
        theirs.send(b"advert").unwrap();
        assert!(woken(&mut wakeups, Patience::Endless).has(Sources::ADVERTS));
        let mut wakeups = wakeups.narrow().unwrap();
        assert_eq!(woken(&mut wakeups, Patience::None), Sources::default());
        wakeups.waker.wake_by_ref();
        assert!(woken(&mut wakeups, Patience::Endless).has(Sources::NEWS));
    }
}
