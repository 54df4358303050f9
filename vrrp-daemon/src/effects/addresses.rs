//! Adds and removes addresses, routes and rules, and announces the addresses, on a thread of its own: the
//! kernel's routing lock can block a write for many milliseconds, and no advert waits for that.
//!
//! What comes in is desired state, not commands: one wish per virtual router, of which the last one counts.
//! The queue can therefore never hold more than one entry per virtual router and per link.

mod backoff;
mod leftovers;
mod pacing;
mod table;
mod task;
mod writer;

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use nix::errno::Errno;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;

use crate::config::Pacing;
use crate::proto::model::{Carried, LinkId, Model, RouterId};
use crate::proto::reload::Pairs;
use crate::sys::clock;
use crate::sys::netlink::Netlink;

pub use leftovers::{Double, Leftover, find_doubles, remove_leftovers};

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
    /// An IPv6 address is there already with another prefix length, put there by somebody else. It serves as ours,
    /// for the kernel wants no second one, but stays when ours is given up.
    OtherPrefix {
        /// The virtual router.
        router: RouterId,
        /// The address.
        address: IpAddr,
        /// Its interface.
        link: LinkId,
        /// Prefix length, as it was found.
        prefix: u8,
        /// How many more there are like it.
        more: u16,
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
    /// What another program had removed is back. Said once for all that were put back together.
    Restored {
        /// The virtual router.
        router: RouterId,
        /// How many.
        restored: u16,
        /// The first of them.
        first: Carried,
        /// If more are removed within a minute, they are put back no sooner than this long after these.
        pause: Nanos,
    },
    /// A reload is done: the addresses are as the new configuration wants them.
    Reconfigured {
        /// Addresses that were not touched.
        kept: u16,
        /// Addresses that look different now.
        replaced: u16,
        /// Addresses that were removed, after everything else.
        removed: u16,
        /// How many could not be removed.
        failed: u16,
        /// The kernel's answer to the first of those.
        errno: Option<Errno>,
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
#[derive(Clone, Debug, Default)]
struct Wish {
    kind: Kind,
    /// What somebody else has removed.
    lost: BTreeSet<Carried>,
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
    up: bool,
}

/// Who is told what came of the wishes.
type ReportTo = Box<dyn FnMut(Report) + Send>;

/// A new configuration that the writer has not taken up yet. Wishes and links are by its ids already.
struct Plan {
    model: Model,
    pacing: Pacing,
    /// The ids that the writer knows, by new id.
    before: Vec<Option<RouterId>>,
    holding: Vec<bool>,
    /// What somebody else has removed, by the ids that the writer knows: the numbers of routes and rules are those of
    /// its model.
    lost: Vec<(RouterId, Carried)>,
    report: ReportTo,
}

#[derive(Default)]
struct State {
    wishes: Vec<Wish>,
    link_names: Vec<String>,
    links: Vec<Option<LinkChange>>,
    /// Virtual routers with something to do, each at most once.
    queue: VecDeque<RouterId>,
    links_changed: bool,
    /// A wish is about to come.
    roused: bool,
    plan: Option<Box<Plan>>,
    /// The writer is at work on what it took out of here.
    busy: bool,
    stop: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    work: Condvar,
    idle: Condvar,
    /// Counts the wishes: what a writer that was roused looks at.
    wished: AtomicU32,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let state = self.lock();
        f.debug_struct("Shared")
            .field("queue", &state.queue)
            .finish_non_exhaustive()
    }
}

impl AddressWriter {
    /// Start the writer's thread, "vrrp-netlink". `report` runs on it and must not block. `realtime`: under
    /// SCHED_FIFO, where permitted.
    ///
    /// # Errors
    /// No netlink socket or no thread.
    pub fn spawn(
        model: &Model,
        pacing: &Pacing,
        realtime: bool,
        report: impl FnMut(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        {
            let mut state = shared.lock();
            state.wishes = vec![Wish::default(); model.holders().count()];
            state.links = vec![None; model.links.len()];
            state.link_names.clone_from(&model.links);
        }
        let netlink = Netlink::open()?;
        let writer = writer::Writer::new(Arc::clone(&shared), model, pacing, netlink, Box::new(report));
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
            wish.lost.clear();
            wish.rounds = wish.rounds.max(rounds);
        });
    }

    /// Hold the addresses of `router` no longer. Takes effect after the chunk under way, whatever was wished
    /// before.
    pub fn release(&self, router: RouterId) {
        self.wish(router, |wish| {
            wish.kind = Kind::Release;
            wish.lost.clear();
            wish.rounds = 0;
        });
    }

    /// Somebody else has removed this of `router`: put it back if it is held, at once the first time, then
    /// after pauses that grow from 100 ms to 10 s until nothing was removed for a minute.
    pub fn restore(&self, router: RouterId, lost: Carried) {
        self.wish(router, |wish| {
            if wish.kind == Kind::Keep {
                wish.lost.insert(lost);
            }
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

    /// The interface has this index and MAC address now, and is `up` with a carrier; `None` for the index if it is
    /// gone, for the MAC address if it has none (then nothing is announced on it). Comes before wishes made later.
    /// What is held on an interface that comes up is asked for and announced again.
    pub fn set_link(&self, link: LinkId, ifindex: Option<u32>, mac: Option<Mac>, up: bool) {
        let mut state = self.shared.lock();
        if let Some(place) = state.links.get_mut(link.index()) {
            *place = Some(LinkChange { ifindex, mac, up });
            state.links_changed = true;
            self.shared.work.notify_one();
        }
    }

    /// A new configuration: from now on all ids are those of `model`. `routers`: which of its virtual routers is which
    /// of the old. `holding`, by new id: who holds its addresses from now on; those need no [`acquire`](Self::acquire)
    /// for it. `report` takes the place of the one given before; nothing is reported by old ids any more.
    ///
    /// One step from what is on the host to what shall be: an address that stays, in whichever virtual router, is not
    /// touched; one that shall look different is replaced in one send; what is missing is added and announced;
    /// and last goes what nobody wants. Links are known by their names. What was wished for under an old id and not
    /// carried out is done under the new one, or dropped if there is none.
    pub fn reconfigure(
        &self,
        model: &Model,
        pacing: &Pacing,
        routers: &Pairs<RouterId>,
        holding: &[bool],
        report: impl FnMut(Report) + Send + 'static,
    ) {
        let mut state = self.shared.lock();
        let state = &mut *state;

        // The static items are the last holder, whatever its number is.
        let statics = RouterId(u16::try_from(state.wishes.len().saturating_sub(1)).unwrap_or(u16::MAX));
        let pairs = |(id, _)| {
            (
                id,
                if id == model.statics_id() {
                    Some(statics)
                } else {
                    routers.before(id)
                },
            )
        };
        let pairs: Vec<_> = model.holders().map(pairs).collect();
        let mut waiting = state.plan.take();
        let before = pairs.iter().map(|(_, known)| match &waiting {
            None => *known,
            Some(plan) => plan.before.get((*known)?.index()).copied().flatten(),
        });
        let before = before.collect();
        let mut wishes = std::mem::take(&mut state.wishes);
        let lost = match &mut waiting {
            None => (0..)
                .map(RouterId)
                .zip(&mut wishes)
                .flat_map(|(id, wish)| {
                    std::mem::take(&mut wish.lost)
                        .into_iter()
                        .map(move |lost| (id, lost))
                })
                .collect(),
            Some(plan) => {
                // By the ids of a model that the writer will never know.
                let address = |lost: &Carried| matches!(lost, Carried::Address(_));
                wishes.iter_mut().for_each(|wish| wish.lost.retain(address));
                std::mem::take(&mut plan.lost)
            }
        };
        let carried = pairs
            .iter()
            .map(|(_, known)| Some(std::mem::take(wishes.get_mut((*known)?.index())?)));
        state.wishes = carried.map(Option::unwrap_or_default).collect();
        let after: HashMap<_, _> = pairs
            .iter()
            .filter_map(|(id, known)| Some(((*known)?, *id)))
            .collect();
        state.queue = state
            .queue
            .iter()
            .filter_map(|id| after.get(id).copied())
            .collect();

        let mut links: Vec<_> = model.links.iter().map(|_| None).collect();
        for (name, change) in state.link_names.iter().zip(state.links.drain(..)) {
            let place = model.links.iter().position(|new| new == name);
            if let Some(place) = place.and_then(|place| links.get_mut(place)) {
                *place = change;
            }
        }
        state.links = links;
        state.link_names.clone_from(&model.links);
        state.plan = Some(Box::new(Plan {
            model: model.clone(),
            pacing: pacing.clone(),
            before,
            holding: holding.to_vec(),
            lost,
            report: Box::new(report),
        }));
        self.shared.work.notify_one();
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

    /// A takeover is about to be wished for. The thread wakes up while the advert is being sent, and waits awake for a moment.
    pub fn rouse(&self) {
        self.shared.lock().roused = true;
        self.shared.work.notify_one();
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
        drop(state);
        self.shared.wished.fetch_add(1, Ordering::Release);
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
        self.queue.is_empty() && !self.links_changed && self.plan.is_none() && !self.busy
    }
}

/// For so long a roused writer waits awake. Sending an advert takes a tenth of it.
const AWAKE: Nanos = Nanos::from_micros(300);

impl Shared {
    /// Wait, without sleep, for the first wish after number `seen`, or for no longer than [`AWAKE`].
    fn await_wish(&self, seen: u32) {
        let until = clock::now() + AWAKE;
        while self.wished.load(Ordering::Acquire) == seen && clock::now() < until {
            std::hint::spin_loop();
        }
    }

    /// The state is whole between any two statements, so a panic elsewhere leaves nothing half done.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
