//! The writer's thread: one chunk at a time, in turn for every virtual router that has something to do, so
//! that a release waits for one chunk and not for a thousand addresses.

mod announcing;
mod reload;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use vrrp_common::time::MonoNanos;

use super::backoff::Backoff;
use super::pacing::Pacer;
use super::table::{Item, News, Presence, Table, is_gone};
use super::task::{Adding, Announcing, Failures, Task, Which, Whom};
use super::{Kind, LinkChange, Plan, Report, ReportTo, Shared, Wish};
use crate::config::Pacing;
use crate::effects::announce::Frame;
use crate::proto::model::{LinkId, Model, RouterId};
use crate::sys::interface::PromoteSecondaries;
use crate::sys::netlink::{Netlink, Request};
use crate::sys::{clock, sched};

/// Items per netlink send. More gains nothing (the kernel's cost per address levels off there) and
/// delays a release.
const CHUNK: usize = 64;

pub(super) struct Writer {
    shared: Arc<Shared>,
    table: Table,
    netlink: Netlink,
    report: ReportTo,
    pacer: Pacer,
    routers: Vec<Router>,
    surplus: Surplus,
    /// Errors of the chunk under way, by position in it.
    refused: Vec<(usize, Errno)>,
    /// Places of the chunk under way among the router's addresses.
    picked: Vec<usize>,
    frames: Vec<Frame>,
}

/// What is known of one virtual router besides its addresses.
#[derive(Clone, Copy, Debug, Default)]
struct Router {
    task: Task,
    /// It was last told to hold its addresses.
    holding: bool,
    backoff: Backoff,
    /// Rounds of announcements for what is mended.
    mend_rounds: u8,
    /// The last refusal that was reported, until everything was there.
    refused: Option<Failures>,
}

/// What a reload has left to remove.
#[derive(Debug, Default)]
struct Surplus {
    /// It is still to be finished, if only by saying so.
    due: bool,
    requests: Vec<(Request, reload::Standing)>,
    /// While that goes on.
    promoting: Vec<PromoteSecondaries>,
    kept: u16,
    replaced: u16,
    removed: u16,
    failed: Failures,
}

/// What the thread does next.
enum Next {
    Plan(Box<Plan>),
    Links(Vec<(LinkId, LinkChange)>),
    Router(RouterId, Wish),
    /// A deadline has passed.
    Due,
    Surplus,
    Stop,
}

impl Writer {
    pub(super) fn new(
        shared: Arc<Shared>,
        model: &Model,
        pacing: &Pacing,
        netlink: Netlink,
        report: ReportTo,
    ) -> Self {
        Self {
            shared,
            table: Table::new(model),
            netlink,
            report,
            pacer: Pacer::new(model, pacing),
            routers: vec![Router::default(); model.holders().count()],
            surplus: Surplus::default(),
            refused: Vec::with_capacity(CHUNK),
            picked: Vec::with_capacity(CHUNK),
            frames: Vec::with_capacity(CHUNK),
        }
    }

    pub(super) fn run(mut self, realtime: bool) {
        if realtime {
            // A refusal has been said by the protocol thread, which asks for the same.
            let _ = sched::fifo(sched::Role::Writer);
        }
        loop {
            match self.next() {
                Next::Stop => return,
                Next::Plan(plan) => self.reconfigure(*plan),
                Next::Links(changes) => {
                    for (link, change) in changes {
                        self.relocate(link, change);
                    }
                }
                Next::Router(id, wish) => self.serve(id, &wish),
                Next::Due => {
                    let now = clock::now();
                    self.mend(now);
                    self.announce_waiting(now);
                }
                Next::Surplus => self.remove_surplus(),
            }
        }
    }

    /// One chunk for one virtual router.
    fn serve(&mut self, id: RouterId, wish: &Wish) {
        let addresses = self.note_lost(id, wish);
        let Some(router) = self.routers.get_mut(id.index()) else {
            return;
        };
        match wish.kind {
            Kind::Keep => {}
            Kind::Acquire => {
                router.holding = true;
                router.refused = None;
                router.backoff.forget();
            }
            Kind::Release => {
                router.holding = false;
                router.backoff.forget();
            }
        }
        let task = std::mem::take(&mut router.task).under(wish, addresses);
        let task = self.step(id, task);
        let again = !matches!(task, Task::Idle);
        if let Some(router) = self.routers.get_mut(id.index()) {
            router.task = task;
        }
        if again {
            self.requeue(id);
        } else {
            self.table
                .items(id)
                .iter_mut()
                .for_each(|item| item.fresh = false);
        }
    }

    /// Addresses that somebody else has removed are put back after a while. Answers how many there are.
    fn note_lost(&mut self, id: RouterId, wish: &Wish) -> usize {
        let items = self.table.items(id);
        if wish.lost.is_empty() {
            return items.len();
        }
        for item in items.iter_mut().filter(|item| wish.lost.contains(&item.carried)) {
            item.presence = Presence::Lost;
        }
        let count = items.len();
        if let Some(router) = self.routers.get_mut(id.index()).filter(|router| router.holding) {
            router.backoff.want(clock::now());
            router.mend_rounds = router.mend_rounds.max(1);
        }
        count
    }

    /// An interface is another one now, is up again, or has another MAC address. What is held there is put there and
    /// announced again; nobody else will ask for it. An interface that merely lost the name keeps nothing of ours: it
    /// would go on answering for addresses that another router may have by now.
    fn relocate(&mut self, link: LinkId, change: LinkChange) {
        if self.table.moves(link, change) {
            let left: Vec<_> = self.table.held_on(link).collect();
            for chunk in left.chunks(CHUNK) {
                // Mostly it is the interface itself that is gone, and its addresses with it.
                let _ = self.netlink.batch(chunk.iter().copied(), |_, _| {});
            }
        }
        if self.table.set_link(link, change) == News::None || change.ifindex.is_none() {
            return;
        }
        for id in self.table.routers_on(link) {
            if let Some(router) = self.routers.get_mut(id.index())
                && router.holding
            {
                router.task = router.task.adding_too(Which::All, clock::now(), 1);
                self.requeue(id);
            }
        }
    }

    /// Wait for something to do. Links go before wishes: a wish was made knowing them.
    fn next(&self) -> Next {
        let deadline = self.deadline();
        let mut state = self.shared.lock();
        state.busy = false;
        loop {
            if state.stop {
                return Next::Stop;
            }
            if let Some(plan) = state.plan.take() {
                state.busy = true;
                return Next::Plan(plan);
            }
            if state.links_changed {
                state.links_changed = false;
                state.busy = true;
                let changes = (0..).map(LinkId).zip(&mut state.links);
                let changes = changes.filter_map(|(link, change)| Some((link, change.take()?)));
                return Next::Links(changes.collect());
            }
            let now = clock::now();
            if deadline.is_some_and(|deadline| deadline <= now) {
                state.busy = true;
                return Next::Due;
            }
            if let Some(router) = state.queue.pop_front() {
                state.busy = true;
                let wish = state.wishes.get_mut(router.index()).map(std::mem::take);
                return Next::Router(router, wish.unwrap_or_default());
            }
            if !self.surplus.is_empty() {
                state.busy = true;
                return Next::Surplus;
            }
            self.shared.idle.notify_all();
            state = match deadline {
                None => self.shared.work.wait(state),
                Some(deadline) => {
                    let wait = Duration::from_nanos(deadline.since(now).0);
                    let waited = self.shared.work.wait_timeout(state, wait);
                    waited
                        .map(|(state, _)| state)
                        .map_err(|poisoned| std::sync::PoisonError::new(poisoned.into_inner().0))
                }
            }
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }

    fn deadline(&self) -> Option<MonoNanos> {
        let mends = self.routers.iter().filter_map(|router| router.backoff.due());
        mends.chain(self.pacer.deadline()).min()
    }

    fn requeue(&self, router: RouterId) {
        let mut state = self.shared.lock();
        // A plan that waits knows what is under way, by the new ids.
        if state.plan.is_some() {
            return;
        }
        if let Some(wish) = state.wishes.get_mut(router.index())
            && !wish.queued
        {
            wish.queued = true;
            state.queue.push_back(router);
        }
    }

    /// Ask again for what is missing where its time has come.
    fn mend(&mut self, now: MonoNanos) {
        for index in 0..self.routers.len() {
            let Some(router) = self.routers.get_mut(index) else {
                continue;
            };
            if router.backoff.due().is_none_or(|due| due > now) {
                continue;
            }
            match router.task {
                _ if !router.holding => router.backoff.forget(),
                Task::Adding(_) | Task::Removing { .. } => {
                    router.backoff.forget();
                    router.backoff.want(now);
                }
                task @ (Task::Idle | Task::Announcing(_)) => {
                    router.backoff.begin(now);
                    let rounds = std::mem::take(&mut router.mend_rounds).max(1);
                    router.task = task.adding_too(Which::Missing, now, rounds);
                    if let Ok(id) = u16::try_from(index) {
                        self.requeue(RouterId(id));
                    }
                }
            }
        }
    }

    /// Do one chunk; answers what is left.
    fn step(&mut self, router: RouterId, task: Task) -> Task {
        match task {
            Task::Idle => Task::Idle,
            Task::Adding(mut adding) => {
                let more = self.add(router, &mut adding);
                if more {
                    adding.chunk = (adding.chunk * 2).min(CHUNK);
                    return Task::Adding(adding);
                }
                self.added(router, &adding);
                Task::after(&adding)
            }
            Task::Announcing(announcing) => {
                let count = self.table.items(router).len();
                let range = announcing.done..count.min(announcing.done + CHUNK);
                self.pick(router, range.clone(), |item| announcing.whom.covers(item));
                self.announce(router, announcing.rounds, announcing.first);
                if range.end < count {
                    return Task::Announcing(Announcing {
                        done: range.end,
                        ..announcing
                    });
                }
                Task::announcing(announcing.rounds - 1, announcing.whom, false)
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

    /// Put the places in this range that `wanted` takes into `picked`.
    fn pick(&mut self, router: RouterId, range: Range<usize>, wanted: impl Fn(&Item) -> bool) {
        self.picked.clear();
        let items = self.table.items(router).iter().enumerate();
        let items = items.skip(range.start).take(range.len());
        self.picked
            .extend(items.filter(|(_, item)| wanted(item)).map(|(place, _)| place));
    }

    /// Add the next chunk and announce it; whether there are more.
    fn add(&mut self, router: RouterId, adding: &mut Adding) -> bool {
        self.refused.clear();
        self.picked.clear();
        let items = self.table.items(router);
        let count = items.len();
        let next = items.iter().enumerate().skip(adding.done);
        let next = next.filter(|(_, item)| adding.which.covers(item));
        self.picked
            .extend(next.map(|(place, _)| place).take(adding.chunk));
        let whole = self.picked.len() < adding.chunk;
        let end = self.picked.last().map_or(count, |last| last + 1);
        adding.done = if whole { count } else { end };

        let asked = self.picked.iter().filter_map(|place| items.get(*place));
        let requests = asked.filter_map(|item| Some(&item.requests.as_ref()?.add));
        let sent = self
            .netlink
            .batch(requests, |position, errno| self.refused.push((position, errno)));

        let mut position = 0;
        for place in &self.picked {
            let Some(item) = items.get_mut(*place) else {
                continue;
            };
            item.fresh = false;
            if item.requests.is_none() {
                adding.failed.add(item.carried, Errno::ENODEV);
                continue;
            }
            match outcome(&sent, &self.refused, position) {
                Ok(()) => {
                    if item.presence == Presence::Lost {
                        adding.restored = adding.restored.saturating_add(1);
                        adding.first_restored.get_or_insert(item.carried);
                    }
                    item.fresh = true;
                    item.presence = Presence::Added;
                    adding.added += 1;
                }
                Err(Errno::EEXIST) => {
                    match item.presence {
                        Presence::Absent => item.presence = Presence::Found,
                        // It was back before we came.
                        Presence::Lost => item.presence = Presence::Added,
                        Presence::Found | Presence::Added => {}
                    }
                    adding.already += 1;
                }
                Err(errno) => {
                    item.presence = Presence::Absent;
                    adding.failed.add(item.carried, errno);
                }
            }
            position += 1;
        }
        if adding.rounds > 0 {
            let whom = match adding.which {
                Which::All => adding.whom,
                Which::Missing => Whom::Fresh,
            };
            let covered = |place: &usize| items.get(*place).is_some_and(|item| whom.covers(item));
            self.picked.retain(covered);
            self.announce(router, adding.rounds, true);
        }
        adding.done < count
    }

    /// Say what came of it, and come back to what was refused.
    fn added(&mut self, id: RouterId, adding: &Adding) {
        let worth_trying = self
            .table
            .items(id)
            .iter()
            .any(|item| item.requests.is_some() && !item.presence.is_there());
        let Some(router) = self.routers.get_mut(id.index()) else {
            return;
        };
        if let Some(first) = adding.first_restored {
            (self.report)(Report::Restored {
                router: id,
                restored: adding.restored,
                first,
                pause: router.backoff.pause(),
            });
        }
        match adding.failed.first {
            None => {
                let recovered = router.refused.take().is_some();
                if recovered || adding.which == Which::All {
                    (self.report)(Report::Acquired {
                        router: id,
                        added: adding.added,
                        already: adding.already,
                        took: clock::now().since(adding.since),
                    });
                }
            }
            Some((first, errno)) => {
                // A repetition that ends the same way is no news.
                if router.refused.replace(adding.failed) != Some(adding.failed) {
                    (self.report)(Report::Refused {
                        router: id,
                        failed: adding.failed.count,
                        first,
                        errno,
                    });
                }
                router.mend_rounds = router.mend_rounds.max(adding.rounds);
            }
        }
        if worth_trying {
            router.backoff.want(clock::now());
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
                Err(errno) if is_gone(item.carried, errno) => item.presence = Presence::Absent,
                Err(errno) => failed.add(item.carried, errno),
            }
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
