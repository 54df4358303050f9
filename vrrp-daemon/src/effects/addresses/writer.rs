//! The writer's thread: one chunk at a time, in turn for every virtual router that has something to do, so
//! that a release waits for one chunk and not for a thousand addresses.

mod announcing;
mod reload;
mod steps;
mod stretch;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use nix::errno::Errno;
use vrrp_common::time::MonoNanos;

use super::backoff::Backoff;
use super::pacing::Pacer;
use super::table::{News, Presence, Table};
use super::task::{Failures, Task, Which};
use super::{Kind, LinkChange, Plan, ReportTo, Shared, Wish};
use crate::config::Pacing;
use crate::effects::announce::Frame;
use crate::proto::model::{LinkId, Model, RouterId};
use crate::sys::interface::PromoteSecondaries;
use crate::sys::netlink::{Netlink, Request};
use crate::sys::{clock, sched};
use stretch::Stretch;

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
    stretch: Stretch,
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
            stretch: Stretch::begin(false),
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
        self.stretch = Stretch::begin(realtime);
        loop {
            let asked = clock::now();
            let next = self.next();
            self.stretch.waited_since(asked);
            match next {
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
            self.stretch.pause_if_long();
        }
    }

    /// One chunk for one virtual router.
    fn serve(&mut self, id: RouterId, wish: &Wish) {
        self.note_lost(id, wish);
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
        let task = std::mem::take(&mut router.task).under(wish);
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

    /// Addresses that somebody else has removed are put back after a while.
    fn note_lost(&mut self, id: RouterId, wish: &Wish) {
        if wish.lost.is_empty() {
            return;
        }
        let items = self.table.items(id).iter_mut();
        for item in items.filter(|item| wish.lost.contains(&item.carried)) {
            item.presence = Presence::Lost;
        }
        if let Some(router) = self.routers.get_mut(id.index()).filter(|router| router.holding) {
            router.backoff.want(clock::now());
            router.mend_rounds = router.mend_rounds.max(1);
        }
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
                self.stretch.pause_if_long();
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
                state.roused = false;
                let wish = state.wishes.get_mut(router.index()).map(std::mem::take);
                return Next::Router(router, wish.unwrap_or_default());
            }
            if !self.surplus.is_empty() {
                state.busy = true;
                return Next::Surplus;
            }
            if std::mem::take(&mut state.roused) {
                let seen = self.shared.wished.load(Ordering::Relaxed);
                drop(state);
                self.shared.await_wish(seen);
                state = self.shared.lock();
                continue;
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
}
