//! The writer's thread: one chunk at a time, in turn for every virtual router that has something to do, so
//! that a release waits for one chunk and not for a thousand addresses.

use std::ops::Range;
use std::sync::Arc;

use nix::errno::Errno;
use vrrp_common::time::MonoNanos;

use super::table::{Item, Presence, Table};
use super::{Kind, LinkChange, Report, Shared, Wish};
use crate::effects::announce::{self, Frame};
use crate::proto::model::{Carried, LinkId, Model, RouterId};
use crate::sys::netlink::Netlink;
use crate::sys::packet_sock::PacketSender;
use crate::sys::{clock, sched};

/// Items per netlink send. More gains nothing (the kernel's cost per address levels off there) and
/// delays a release.
const CHUNK: usize = 64;
/// Items in the first send, doubled with each one after: the first announcement should not wait for 64.
const FIRST_CHUNK: usize = 8;

type ReportTo = Box<dyn FnMut(Report) + Send>;

pub(super) struct Writer {
    shared: Arc<Shared>,
    table: Table,
    netlink: Netlink,
    report: ReportTo,
    tasks: Vec<Task>,
    /// Virtual routers that were last told to hold their addresses.
    holding: Vec<bool>,
    /// Errors of the chunk under way, by position in it.
    refused: Vec<(usize, Errno)>,
    frames: Vec<Frame>,
}

/// What is under way for one virtual router.
#[derive(Clone, Copy, Debug, Default)]
enum Task {
    #[default]
    Idle,
    Adding(Adding),
    Announcing {
        /// Items done in this round.
        done: usize,
        rounds: u8,
    },
    Removing {
        /// Items still to be removed.
        left: usize,
        removed: u16,
        failed: Failures,
    },
}

#[derive(Clone, Copy, Debug)]
struct Adding {
    /// Items done so far.
    done: usize,
    /// Items in the next send.
    chunk: usize,
    /// Rounds of announcements, the first of which goes with each chunk.
    rounds: u8,
    /// When it was wished for.
    since: MonoNanos,
    added: u16,
    already: u16,
    failed: Failures,
}

/// Refused items: how many, and the first.
#[derive(Clone, Copy, Debug, Default)]
struct Failures {
    count: u16,
    first: Option<(Carried, Errno)>,
}

impl Failures {
    fn add(&mut self, carried: Carried, errno: Errno) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert((carried, errno));
    }
}

/// What the thread does next.
enum Next {
    Links(Vec<(LinkId, LinkChange)>),
    Router(RouterId, Wish),
    Stop,
}

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, model: &Model, netlink: Netlink, report: ReportTo) -> Self {
        Self {
            shared,
            table: Table::new(model),
            netlink,
            report,
            tasks: vec![Task::Idle; model.holders().count()],
            holding: vec![false; model.holders().count()],
            refused: Vec::with_capacity(CHUNK),
            frames: Vec::with_capacity(CHUNK),
        }
    }

    pub(super) fn run(mut self, realtime: bool) {
        if realtime {
            // A refusal has been said by the protocol thread, which asks for the same.
            let _ = sched::fifo(sched::WRITER_PRIORITY);
        }
        loop {
            match self.next() {
                Next::Stop => return,
                Next::Links(changes) => {
                    for (link, change) in changes {
                        self.relocate(link, change);
                    }
                }
                Next::Router(router, wish) => {
                    if let Some(holding) = self.holding.get_mut(router.index()) {
                        *holding = match wish.kind {
                            Kind::Keep => *holding,
                            Kind::Acquire => true,
                            Kind::Release => false,
                        };
                    }
                    let task = self
                        .tasks
                        .get_mut(router.index())
                        .map(std::mem::take)
                        .unwrap_or_default();
                    let task = task.under(wish, self.table.items(router).len());
                    let task = self.step(router, task);
                    let again = !matches!(task, Task::Idle);
                    if let Some(place) = self.tasks.get_mut(router.index()) {
                        *place = task;
                    }
                    if again {
                        self.requeue(router);
                    }
                }
            }
        }
    }

    /// An interface is another one now, or has another MAC address. What is held there is put there and announced
    /// again; nobody else will ask for it. An interface that merely lost the name keeps nothing of ours: it would go
    /// on answering for addresses that another router may have by now.
    fn relocate(&mut self, link: LinkId, change: LinkChange) {
        if self.table.moves(link, change) {
            let left: Vec<_> = self.table.held_on(link).collect();
            for chunk in left.chunks(CHUNK) {
                // Mostly it is the interface itself that is gone, and its addresses with it.
                let _ = self.netlink.batch(chunk.iter().copied(), |_, _| {});
            }
        }
        if !self.table.set_link(link, change) || change.ifindex.is_none() {
            return;
        }
        for router in self.table.routers_on(link) {
            if self.holding.get(router.index()) == Some(&true)
                && let Some(task) = self.tasks.get_mut(router.index())
            {
                *task = Task::adding(clock::now(), 1);
                self.requeue(router);
            }
        }
    }

    /// Wait for something to do. Links go first: a wish was made knowing them.
    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        state.busy = false;
        loop {
            if state.stop {
                return Next::Stop;
            }
            if state.links_changed {
                state.links_changed = false;
                state.busy = true;
                let changes = (0..).map(LinkId).zip(&mut state.links);
                let changes = changes.filter_map(|(link, change)| Some((link, change.take()?)));
                return Next::Links(changes.collect());
            }
            if let Some(router) = state.queue.pop_front() {
                state.busy = true;
                let wish = state.wishes.get_mut(router.index()).map(std::mem::take);
                return Next::Router(router, wish.unwrap_or_default());
            }
            self.shared.idle.notify_all();
            state = self
                .shared
                .work
                .wait(state)
                .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn requeue(&self, router: RouterId) {
        let mut state = self.shared.lock();
        if let Some(wish) = state.wishes.get_mut(router.index())
            && !wish.queued
        {
            wish.queued = true;
            state.queue.push_back(router);
        }
    }

    /// Do one chunk; answers what is left.
    fn step(&mut self, router: RouterId, task: Task) -> Task {
        match task {
            Task::Idle => Task::Idle,
            Task::Adding(mut adding) => {
                let count = self.table.items(router).len();
                let range = adding.done..count.min(adding.done + adding.chunk);
                self.add(router, range.clone(), &mut adding);
                if adding.rounds > 0 {
                    self.announce(router, range.clone());
                }
                if range.end < count {
                    return Task::Adding(Adding {
                        done: range.end,
                        chunk: (adding.chunk * 2).min(CHUNK),
                        ..adding
                    });
                }
                (self.report)(match adding.failed.first {
                    None => Report::Acquired {
                        router,
                        added: adding.added,
                        already: adding.already,
                        took: clock::now().since(adding.since),
                    },
                    Some((first, errno)) => Report::Refused {
                        router,
                        failed: adding.failed.count,
                        first,
                        errno,
                    },
                });
                Task::announcing(adding.rounds.saturating_sub(1))
            }
            Task::Announcing { done, rounds } => {
                let count = self.table.items(router).len();
                let range = done..count.min(done + CHUNK);
                self.announce(router, range.clone());
                if range.end < count {
                    return Task::Announcing {
                        done: range.end,
                        rounds,
                    };
                }
                Task::announcing(rounds - 1)
            }
            Task::Removing {
                left,
                mut removed,
                mut failed,
            } => {
                let range = left.saturating_sub(CHUNK)..left;
                self.remove(router, range.clone(), (&mut removed, &mut failed));
                if range.start > 0 {
                    return Task::Removing {
                        left: range.start,
                        removed,
                        failed,
                    };
                }
                (self.report)(match failed.first {
                    None => Report::Released { router, removed },
                    Some((first, errno)) => Report::NotRemoved {
                        router,
                        failed: failed.count,
                        first,
                        errno,
                    },
                });
                Task::Idle
            }
        }
    }

    fn add(&mut self, router: RouterId, range: Range<usize>, adding: &mut Adding) {
        self.refused.clear();
        let items = self.table.items(router).get_mut(range).unwrap_or_default();
        let requests = items.iter().filter_map(|item| Some(&item.requests.as_ref()?.add));
        let sent = self
            .netlink
            .batch(requests, |position, errno| self.refused.push((position, errno)));

        let prepared = items.iter_mut().filter(|item| item.requests.is_some());
        for (position, item) in prepared.enumerate() {
            match outcome(&sent, &self.refused, position) {
                Ok(()) => {
                    item.presence = Presence::Added;
                    adding.added += 1;
                }
                Err(Errno::EEXIST) => {
                    if item.presence == Presence::Absent {
                        item.presence = Presence::Found;
                    }
                    adding.already += 1;
                }
                Err(errno) => {
                    item.presence = Presence::Absent;
                    adding.failed.add(item.carried, errno);
                }
            }
        }
        for item in items.iter().filter(|item| item.requests.is_none()) {
            adding.failed.add(item.carried, Errno::ENODEV);
        }
    }

    /// The last added goes first: removing a subnet's first address takes its others along, or promotes one.
    fn remove(
        &mut self,
        router: RouterId,
        range: Range<usize>,
        (removed, failed): (&mut u16, &mut Failures),
    ) {
        self.refused.clear();
        let items = self.table.items(router).get_mut(range).unwrap_or_default();
        let leaves = |item: &Item| item.requests.is_some() && item.goes_with_the_router();
        let going = items.iter().rev().filter(|item| leaves(item));
        let requests = going.filter_map(|item| Some(&item.requests.as_ref()?.remove));
        let sent = self
            .netlink
            .batch(requests, |position, errno| self.refused.push((position, errno)));

        for (position, item) in items.iter_mut().rev().filter(|item| leaves(item)).enumerate() {
            match outcome(&sent, &self.refused, position) {
                Ok(()) => {
                    item.presence = Presence::Absent;
                    *removed += 1;
                }
                Err(errno) if item.is_gone(errno) => item.presence = Presence::Absent,
                Err(errno) => failed.add(item.carried, errno),
            }
        }
    }

    /// Announce what is there: never an address that the kernel has not accepted.
    fn announce(&mut self, router: RouterId, range: Range<usize>) {
        let mut start = range.start;
        while start < range.end {
            self.frames.clear();
            let items = self.table.items(router).get(start..range.end).unwrap_or_default();
            let Some(link) = items.iter().find_map(Item::announced_on) else {
                return;
            };
            let run = items
                .iter()
                .take_while(|item| item.announced_on().is_none_or(|on| on == link));
            let mut length = 0;
            for item in run {
                length += 1;
                self.frames
                    .extend(item.frame.filter(|_| item.presence != Presence::Absent));
            }
            start += length;
            if self.frames.is_empty() {
                continue;
            }
            let sent = match self.table.sender(link) {
                Some(sender) => send(sender, &self.frames),
                None => Err(Errno::ENODEV),
            };
            if let Err(errno) = sent {
                (self.report)(Report::NotAnnounced { router, link, errno });
            }
        }
    }
}

impl Task {
    /// What to do now that this is wished for.
    fn under(self, wish: Wish, addresses: usize) -> Self {
        match (wish.kind, self) {
            (Kind::Release, _) => Self::Removing {
                left: addresses,
                removed: 0,
                failed: Failures::default(),
            },
            (Kind::Acquire, _) => Self::adding(wish.at, wish.rounds),
            (Kind::Keep, task) if wish.rounds == 0 => task,
            (Kind::Keep, Self::Idle) => Self::announcing(wish.rounds),
            (Kind::Keep, Self::Announcing { done, rounds }) => Self::Announcing {
                done,
                rounds: rounds.max(wish.rounds),
            },
            (Kind::Keep, Self::Adding(adding)) => Self::Adding(Adding {
                rounds: adding.rounds.max(wish.rounds),
                ..adding
            }),
            (Kind::Keep, task @ Self::Removing { .. }) => task,
        }
    }

    fn adding(since: MonoNanos, rounds: u8) -> Self {
        Self::Adding(Adding {
            done: 0,
            chunk: FIRST_CHUNK,
            rounds,
            since,
            added: 0,
            already: 0,
            failed: Failures::default(),
        })
    }

    fn announcing(rounds: u8) -> Self {
        match rounds {
            0 => Self::Idle,
            rounds => Self::Announcing { done: 0, rounds },
        }
    }
}

/// What became of the request at this position of a batch. If the answers got lost, all count as refused.
fn outcome(sent: &std::io::Result<()>, refused: &[(usize, Errno)], position: usize) -> Result<(), Errno> {
    if let Err(error) = sent {
        return Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
    }
    match refused.iter().find(|(at, _)| *at == position) {
        Some((_, errno)) => Err(*errno),
        None => Ok(()),
    }
}

fn send(sender: &PacketSender, frames: &[Frame]) -> Result<(), Errno> {
    announce::send(sender, frames).map_err(|error| Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)))
}
