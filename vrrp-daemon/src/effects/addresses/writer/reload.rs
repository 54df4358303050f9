//! A new configuration, as one step from what is on the host to what shall be: what stays is not touched, what
//! looks different is replaced, what is missing is added, and only then goes what nobody wants any more.

use std::collections::{HashMap, HashSet};
use std::net::Ipv6Addr;

use nix::errno::Errno;

use super::steps::outcome;
use super::{CHUNK, Router, Surplus, Task, Writer};
use crate::effects::addresses::pacing::Pacer;
use crate::effects::addresses::table::{Item, Presence, Subnet, is_gone};
use crate::effects::addresses::task::Which;
use crate::effects::addresses::{Plan, Report};
use crate::proto::model::{Carried, RouterId};
use crate::sys::clock;
use crate::sys::interface::PromoteSecondaries;
use crate::sys::netlink::Request;

/// An address that is on the host because of the old configuration.
#[derive(Clone, Debug)]
pub(super) struct Standing {
    add: Request,
    carried: Carried,
    /// Its place in the order in which things were added.
    order: usize,
    subnet: Option<Subnet>,
    v6: Option<(u32, Ipv6Addr)>,
    presence: Presence,
    fresh: bool,
    waits: bool,
    goes: bool,
    /// Somebody wants it in the new configuration too.
    stays: bool,
}

/// An address that is to look different: the request that removes the old one, and who has it.
struct Change {
    remove: Request,
    router: RouterId,
    place: usize,
}

impl Writer {
    pub(super) fn reconfigure(&mut self, plan: Plan) {
        self.note_all_lost(&plan.lost);
        let mut standing = self.standing();
        let mut next = self.table.successor(&plan.model);
        self.pacer = Pacer::new(&plan.model, &plan.pacing);
        self.report = plan.report;

        let old = std::mem::take(&mut self.routers);
        let ifindexes = next.ifindexes();
        let v6_standing = standing
            .iter()
            .filter_map(|(remove, known)| Some((known.v6?, remove.clone())));
        let v6_standing: HashMap<_, _> = v6_standing.collect();
        let mut changes = Vec::new();
        let mut changed = HashSet::new();
        let mut wanted = HashSet::new();
        let mut kept: u16 = 0;
        for (index, (id, items)) in next.all().enumerate() {
            let before = plan.before.get(index).copied().flatten();
            let before = before.and_then(|before| old.get(before.index()));
            let mut router = Router {
                // Told anew if it goes on: what was told by the old ids may not have been heard.
                refused: None,
                holding: plan.holding.get(index) == Some(&true) || id == plan.model.statics_id(),
                ..before.copied().unwrap_or_default()
            };
            if !router.holding {
                router.task = Task::Idle;
                self.routers.push(router);
                continue;
            }
            let mut missing = false;
            for (place, item) in items.iter_mut().enumerate() {
                wanted.extend(item.subnet(&ifindexes));
                let Some(requests) = &item.requests else {
                    missing = true;
                    continue;
                };
                let mut remove = &requests.remove;
                if !standing.contains_key(remove)
                    && let Some(other) = item.v6(&ifindexes).and_then(|v6| v6_standing.get(&v6))
                    && standing
                        .get(other)
                        .is_some_and(|known| known.goes && !known.stays)
                {
                    // With another prefix length. The kernel has room for one of them.
                    remove = other;
                }
                let Some(known) = standing.get_mut(remove) else {
                    missing = true;
                    continue;
                };
                known.stays = true;
                if known.presence == Presence::Lost && known.add == requests.add {
                    item.presence = Presence::Lost;
                    missing = true;
                } else if known.add == requests.add {
                    item.presence = known.presence;
                    item.fresh = known.fresh;
                    item.waits = known.waits;
                    kept = kept.saturating_add(1);
                    if let Some((link, v4, _)) = item.announcement().filter(|_| item.waits) {
                        self.pacer.wait(link, v4, (id, place));
                    }
                } else {
                    changed.extend(known.subnet);
                    changes.push(Change {
                        remove: remove.clone(),
                        router: id,
                        place,
                    });
                }
            }
            router.task = match router.task {
                Task::Removing { .. } => Task::Idle,
                task => task,
            };
            let repeat = plan
                .model
                .routers
                .get(index)
                .map_or(0, |router| router.announce.repeat);
            if missing || matches!(router.task, Task::Adding(_)) {
                router.task = router.task.adding_too(Which::Missing, clock::now(), repeat);
            }
            if !matches!(router.task, Task::Idle) {
                self.requeue(id);
            }
            self.routers.push(router);
        }
        self.table = next;

        let going = standing
            .into_iter()
            .filter(|(_, known)| known.goes && !known.stays);
        let mut surplus: Vec<_> = going.collect();
        surplus.sort_unstable_by_key(|(_, known)| known.order);
        // Removing a subnet's first address takes its others along, unless the kernel is told to promote one.
        changed.extend(surplus.iter().filter_map(|(_, known)| known.subnet));
        let links: HashSet<_> = changed
            .intersection(&wanted)
            .map(|subnet| subnet.ifindex)
            .collect();
        self.surplus = Surplus {
            due: true,
            requests: surplus,
            promoting: links.into_iter().filter_map(PromoteSecondaries::set).collect(),
            kept,
            ..Surplus::default()
        };
        self.change(&changes);
    }

    /// What somebody else has removed, as was heard just before the reload.
    fn note_all_lost(&mut self, lost: &[(RouterId, Carried)]) {
        for (id, items) in self.table.all() {
            for item in items {
                if lost.contains(&(id, item.carried)) {
                    item.presence = Presence::Lost;
                }
            }
        }
    }

    /// Everything that is on the host by our doing, by the request that removes it; also what an earlier reload has
    /// left over, and what is said to be lost: that may be old news of an address which is there again.
    fn standing(&mut self) -> HashMap<Request, Standing> {
        let mut standing: HashMap<_, _> = std::mem::take(&mut self.surplus).requests.into_iter().collect();
        let ifindexes = self.table.ifindexes();
        let items = self.table.all().flat_map(|(_, items)| items);
        for (order, item) in items.enumerate() {
            let goes = item.goes_with_the_router();
            let (subnet, v6) = (item.subnet(&ifindexes), item.v6(&ifindexes));
            let known = item.presence != Presence::Absent;
            let Some(requests) = item.requests.take().filter(|_| known) else {
                continue;
            };
            let known = Standing {
                add: requests.add,
                carried: item.carried,
                order,
                subnet,
                v6,
                presence: item.presence,
                fresh: item.fresh,
                waits: item.waits,
                goes,
                stays: false,
            };
            // Two may share it: then what we added counts.
            standing
                .entry(requests.remove)
                .and_modify(|first: &mut Standing| {
                    first.goes |= known.goes;
                    if known.presence == Presence::Added || !first.presence.is_there() {
                        first.presence = known.presence;
                    }
                })
                .or_insert(known);
        }
        standing
    }

    /// Out and in again, in one send: there is no other way to change a label, and no shorter one.
    fn change(&mut self, changes: &[Change]) {
        for chunk in changes.chunks(CHUNK / 2) {
            let mut requests = Vec::with_capacity(CHUNK);
            for change in chunk {
                let Some(add) = self.changing(change).and_then(|item| item.requests.as_ref()) else {
                    continue;
                };
                let add = add.add.clone();
                requests.extend([change.remove.clone(), add]);
            }
            self.refused.clear();
            let sent = self
                .netlink
                .batch(&requests, |position, errno| self.refused.push((position, errno)));
            for (index, change) in chunk.iter().enumerate() {
                let result = outcome(&sent, &self.refused, index * 2 + 1);
                if let Some(item) = self.changing(change) {
                    match result {
                        Ok(()) => item.presence = Presence::Added,
                        Err(Errno::EEXIST) => item.presence = Presence::Found,
                        // Asked for again with what is missing.
                        Err(_) => item.presence = Presence::Lost,
                    }
                    let lost = !item.presence.is_there();
                    if let Some(router) = self.routers.get_mut(change.router.index()).filter(|_| lost) {
                        router.backoff.want(clock::now());
                    }
                }
            }
            self.stretch.pause_if_long();
            self.surplus.replaced = self
                .surplus
                .replaced
                .saturating_add(u16::try_from(chunk.len()).unwrap_or(u16::MAX));
        }
    }

    fn changing(&mut self, change: &Change) -> Option<&mut Item> {
        self.table.items(change.router).get_mut(change.place)
    }

    /// One chunk of what a reload left over. Comes when nothing else is to be done.
    pub(super) fn remove_surplus(&mut self) {
        let rest = self.surplus.requests.len().saturating_sub(CHUNK);
        let mut chunk = self.surplus.requests.split_off(rest);
        // The last added goes first, as always.
        chunk.reverse();
        let places = chunk.iter().enumerate();
        let places: HashMap<_, _> = places
            .map(|(place, (request, _))| (request.clone(), place))
            .collect();
        let mut wanted = HashSet::new();
        // A virtual router may have become Master of one meanwhile.
        for item in self.table.all().flat_map(|(_, items)| items) {
            let requests = item.requests.as_ref().filter(|_| item.presence.is_there());
            let place = requests
                .and_then(|requests| places.get(&requests.remove))
                .copied();
            if let Some((_, known)) = place.and_then(|place| chunk.get(place)) {
                item.presence = match known.presence {
                    // It was back before we came.
                    Presence::Lost => Presence::Added,
                    presence => presence,
                };
                wanted.extend(place);
            }
        }
        let mut place = 0..;
        chunk.retain(|_| place.next().is_none_or(|place| !wanted.contains(&place)));

        self.refused.clear();
        let requests = chunk.iter().map(|(request, _)| request);
        let sent = self
            .netlink
            .batch(requests, |position, errno| self.refused.push((position, errno)));
        for (position, (_, known)) in chunk.iter().enumerate() {
            match outcome(&sent, &self.refused, position) {
                Ok(()) => self.surplus.removed = self.surplus.removed.saturating_add(1),
                Err(errno) if is_gone(known.carried, errno) => {}
                Err(errno) => self.surplus.failed.add(known.carried, errno),
            }
        }
        if self.surplus.requests.is_empty() {
            let done = std::mem::take(&mut self.surplus);
            // Only now may the kernel do as it did before.
            drop(done.promoting);
            (self.report)(Report::Reconfigured {
                kept: done.kept,
                replaced: done.replaced,
                removed: done.removed,
                failed: done.failed.count,
                errno: done.failed.first.map(|(_, errno)| errno),
            });
        }
    }
}

impl Surplus {
    /// Whether nothing is left to do.
    pub(super) fn is_empty(&self) -> bool {
        !self.due
    }
}
