//! Adds and removes addresses, routes and rules, and announces the addresses, on a thread of its own: the kernel's routing lock can
//! block a write for many milliseconds, and no advert waits for that.
//!
//! What comes in is desired state, not commands: one wish per virtual router, of which the last one counts.
//! The queue can therefore never hold more than one entry per virtual router and per link.

mod leftovers;
mod table;
mod writer;

use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;

use crate::proto::model::{Carried, LinkId, Model, RouterId};
use crate::sys::clock;
use crate::sys::netlink::Netlink;

pub use leftovers::{Leftover, remove_leftovers};

/// What came of a wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Report {
    /// All addresses are there, each announced once (if announcing was asked for).
    Acquired {
        /// The virtual router.
        router: RouterId,
        /// Addresses, routes and rules that were added.
        added: u16,
        /// Those that were there already.
        already: u16,
        /// From the wish to the last of them.
        took: Nanos,
    },
    /// The kernel refused addresses; the others are there. Say it to `proto` as
    /// [`Input::AddressesRefused`](crate::proto::Input::AddressesRefused).
    Refused {
        /// The virtual router.
        router: RouterId,
        /// Addresses, routes and rules that are not there.
        failed: u16,
        /// The first of them.
        first: Carried,
        /// The kernel's answer to it; `ENODEV` also if its interface is missing.
        errno: Errno,
    },
    /// The addresses are gone.
    Released {
        /// The virtual router.
        router: RouterId,
        /// Addresses, routes and rules that were there.
        removed: u16,
    },
    /// Addresses could not be removed: they may still answer here.
    NotRemoved {
        /// The virtual router.
        router: RouterId,
        /// How many.
        failed: u16,
        /// The first of them.
        first: Carried,
        /// The kernel's answer to it.
        errno: Errno,
    },
    /// Announcements did not go out; said once per round.
    NotAnnounced {
        /// The virtual router.
        router: RouterId,
        /// The interface.
        link: LinkId,
        /// The kernel's answer.
        errno: Errno,
    },
}

/// The handle to the netlink writer. Its methods never wait for the kernel.
#[derive(Debug)]
pub struct AddressWriter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// What is wished for one virtual router since the writer last looked.
#[derive(Clone, Copy, Debug, Default)]
struct Wish {
    kind: Kind,
    /// Rounds of announcements that are due.
    rounds: u8,
    /// When it was made.
    at: MonoNanos,
    /// It stands in the queue.
    queued: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    /// Nothing new, save announcements.
    #[default]
    Keep,
    Acquire,
    Release,
}

/// An interface as the writer should know it.
#[derive(Clone, Copy, Debug)]
struct LinkChange {
    ifindex: Option<u32>,
    mac: Option<Mac>,
}

#[derive(Debug, Default)]
struct State {
    wishes: Vec<Wish>,
    links: Vec<Option<LinkChange>>,
    /// Virtual routers with something to do, each at most once.
    queue: std::collections::VecDeque<RouterId>,
    links_changed: bool,
    /// The writer is at work on what it took out of here.
    busy: bool,
    stop: bool,
}

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    idle: Condvar,
}

impl AddressWriter {
    /// Start the writer's thread, "vrrp-netlink". `report` runs on it and must not block. `realtime`: under
    /// SCHED_FIFO, where permitted.
    ///
    /// # Errors
    /// No netlink socket or no thread.
    pub fn spawn(
        model: &Model,
        realtime: bool,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        {
            let mut state = shared.lock();
            state.wishes = vec![Wish::default(); model.holders().count()];
            state.links = vec![None; model.links.len()];
        }
        let writer = writer::Writer::new(Arc::clone(&shared), model, Netlink::open()?, Box::new(report));
        let thread = Builder::new()
            .name("vrrp-netlink".to_owned())
            .spawn(move || writer.run(realtime))?;
        Ok(Self {
            shared,
            thread: Some(thread),
        })
    }

    /// Hold the addresses of `router`: add what is missing, each chunk followed at once by its announcements,
    /// then the rest of `rounds` over all of them.
    pub fn acquire(&self, router: RouterId, rounds: u8) {
        self.wish(router, |wish| {
            wish.kind = Kind::Acquire;
            wish.rounds = wish.rounds.max(rounds);
        });
    }

    /// Hold the addresses of `router` no longer. Takes effect after the chunk under way, whatever was wished
    /// before.
    pub fn release(&self, router: RouterId) {
        self.wish(router, |wish| {
            wish.kind = Kind::Release;
            wish.rounds = 0;
        });
    }

    /// Announce again what `router` holds; nothing if it holds nothing.
    pub fn announce(&self, router: RouterId, rounds: u8) {
        self.wish(router, |wish| {
            if wish.kind != Kind::Release {
                wish.rounds = wish.rounds.max(rounds);
            }
        });
    }

    /// The interface has this index and MAC address now; `None` for the index if it is gone, for the MAC
    /// address if it has none (then nothing is announced on it). Comes before wishes made later.
    pub fn set_link(&self, link: LinkId, ifindex: Option<u32>, mac: Option<Mac>) {
        let mut state = self.shared.lock();
        if let Some(place) = state.links.get_mut(link.index()) {
            *place = Some(LinkChange { ifindex, mac });
            state.links_changed = true;
            self.shared.work.notify_one();
        }
    }

    /// Wait until every wish has been carried out. `false` if that took longer than `limit`.
    #[must_use]
    pub fn flush(&self, limit: Duration) -> bool {
        let state = self.shared.lock();
        let waited = self
            .shared
            .idle
            .wait_timeout_while(state, limit, |state| !state.is_idle());
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.is_idle()
    }

    /// Carry out every wish, for at most `limit`, and end the thread. `false` if wishes were left undone.
    #[must_use]
    pub fn shutdown(self, limit: Duration) -> bool {
        self.flush(limit)
    }

    fn wish(&self, router: RouterId, change: impl FnOnce(&mut Wish)) {
        let mut state = self.shared.lock();
        let Some(wish) = state.wishes.get_mut(router.index()) else {
            return;
        };
        change(wish);
        wish.at = clock::now();
        if !wish.queued {
            wish.queued = true;
            state.queue.push_back(router);
        }
        self.shared.work.notify_one();
    }
}

impl Drop for AddressWriter {
    fn drop(&mut self) {
        self.shared.lock().stop = true;
        self.shared.work.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic there has been printed; there is nothing to add.
            let _ = thread.join();
        }
    }
}

impl State {
    fn is_idle(&self) -> bool {
        self.queue.is_empty() && !self.links_changed && !self.busy
    }
}

impl Shared {
    /// The state is whole between any two statements, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
