//! One chunk of a task: adding with its announcements, announcing again, removing.

use std::net::IpAddr;
use std::ops::Range;

use nix::errno::Errno;

use super::{CHUNK, Writer};
use crate::effects::addresses::Report;
use crate::effects::addresses::leftovers::read_all;
use crate::effects::addresses::table::{Item, Presence, is_gone};
use crate::effects::addresses::task::{Adding, Announcing, Failures, Task, Which, Whom};
use crate::proto::model::{Carried, RouterId};
use crate::sys::clock;

impl Writer {
    /// Do one chunk; answers what is left.
    pub(super) fn step(&mut self, router: RouterId, task: Task) -> Task {
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
                Task::after_round(&announcing)
            }
            Task::Removing {
                done,
                mut removed,
                mut failed,
            } => {
                let end = done + CHUNK;
                self.remove(router, done..end, (&mut removed, &mut failed));
                if end < self.table.items(router).len() {
                    return Task::Removing {
                        done: end,
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
                    adding.unknown_v6 |=
                        !item.presence.is_there() && matches!(item.carried, Carried::Address(IpAddr::V6(_)));
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
                Which::All => Whom::All,
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
        if adding.already > 0 {
            self.know_own(id);
        }
        if adding.unknown_v6 {
            self.name_other_prefixes(id);
        }
    }

    /// What an earlier process added for an owner is ours to remove; what the host has on its own is not.
    fn know_own(&mut self, router: RouterId) {
        if !self.table.items(router).iter().any(Item::may_be_the_hosts) {
            return;
        }
        // Without an answer they stay.
        let present = read_all(&mut self.netlink).unwrap_or_default();
        let ifindexes = self.table.ifindexes();
        for item in self.table.items(router) {
            let put_there = |entry| item.was_put_there(entry, &ifindexes);
            if item.may_be_the_hosts() && present.iter().any(put_there) {
                item.presence = Presence::Added;
            }
        }
    }

    /// To the kernel an IPv6 address is the same whatever its prefix length: it refuses ours as being there, and does
    /// not remove the other one in its place.
    fn name_other_prefixes(&mut self, router: RouterId) {
        // Without an answer there is nothing to say: the addresses are there.
        let present = read_all(&mut self.netlink).unwrap_or_default();
        let ifindexes = self.table.ifindexes();
        let mut others = self.table.items(router).iter().filter_map(|item| {
            let other = |entry| Some((entry, item.has_other_prefix(entry, &ifindexes)?));
            present.iter().find_map(other)
        });
        if let Some((entry, link)) = others.next() {
            (self.report)(Report::OtherPrefix {
                router,
                address: entry.address,
                link,
                prefix: entry.prefix,
                more: u16::try_from(others.count()).unwrap_or(u16::MAX),
            });
        }
    }

    /// The chunk at these positions of the order in which things are removed.
    fn remove(
        &mut self,
        router: RouterId,
        range: Range<usize>,
        (removed, failed): (&mut u16, &mut Failures),
    ) {
        self.refused.clear();
        self.picked.clear();
        let chunk = self.table.leaving(router).iter().skip(range.start);
        self.picked.extend(chunk.take(range.len()));
        let items = self.table.items(router);
        let leaves = |item: &Item| item.requests.is_some() && item.goes_with_the_router();
        self.picked.retain(|place| items.get(*place).is_some_and(leaves));
        let going = self.picked.iter().filter_map(|place| items.get(*place));
        let requests = going.filter_map(|item| Some(&item.requests.as_ref()?.remove));
        let sent = self
            .netlink
            .batch(requests, |position, errno| self.refused.push((position, errno)));

        for (position, place) in self.picked.iter().enumerate() {
            let Some(item) = items.get_mut(*place) else {
                continue;
            };
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
pub(super) fn outcome(
    sent: &std::io::Result<()>,
    refused: &[(usize, Errno)],
    position: usize,
) -> Result<(), Errno> {
    if let Err(error) = sent {
        return Err(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
    }
    match refused.iter().find(|(at, _)| *at == position) {
        Some((_, errno)) => Err(*errno),
        None => Ok(()),
    }
}
