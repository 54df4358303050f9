//! Channels of other threads, waited for together with descriptors: who sends rings, and the descriptor that the bell is
//! becomes readable.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::task::{Wake, Waker};

use nix::sys::eventfd::{EfdFlags, EventFd};

/// A [`Waker`] that is an `eventfd`. Nothing is read from it, which would be a system call more: who waits for it waits for the
/// change ([`ReadySet::add_changing`](super::ready::ReadySet::add_changing)).
#[derive(Debug)]
pub struct Doorbell(Arc<Bell>);

#[derive(Debug)]
struct Bell(EventFd);

impl Doorbell {
    /// One that nobody has rung.
    ///
    /// # Errors
    /// As `eventfd(2)`: no descriptors left.
    pub fn new() -> io::Result<Self> {
        let fd = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        Ok(Self(Arc::new(Bell(fd))))
    }

    /// For the channels that are polled; it rings from whatever thread.
    #[must_use]
    pub fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }
}

impl AsFd for Doorbell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.0.as_fd()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // Refused after 2^64 - 2 times only.
        let _ = self.0.write(1);
    }
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Poll};
    use std::thread;

    use tokio::sync::mpsc;

    use super::Doorbell;
    use crate::sys::ready::{Patience, ReadySet};

    #[test]
    fn a_message_of_another_thread_rings_once_and_again() {
        let bell = Doorbell::new().unwrap();
        let set = ReadySet::new().unwrap();
        set.add_changing(&bell, 7).unwrap();
        let (sender, mut receiver) = mpsc::channel(1);
        let waker = bell.waker();
        let mut context = Context::from_waker(&waker);
        assert_eq!(receiver.poll_recv(&mut context), Poll::Pending);
        assert_eq!(set.wait(Patience::None).unwrap().count(), 0);
        for message in 0..3 {
            let sender = sender.clone();
            let other = thread::spawn(move || sender.blocking_send(message).unwrap());
            assert_eq!(set.wait(Patience::Endless).unwrap().collect::<Vec<_>>(), [7]);
            assert_eq!(receiver.poll_recv(&mut context), Poll::Ready(Some(message)));
            assert_eq!(receiver.poll_recv(&mut context), Poll::Pending);
            other.join().unwrap();
            // It was heard, though nothing was read from it.
            assert_eq!(set.wait(Patience::None).unwrap().count(), 0);
        }
    }
}
