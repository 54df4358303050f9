//! One deadline for each virtual router, the earliest first.

use vrrp_common::time::MonoNanos;

use super::model::RouterId;

/// An indexed binary min-heap: reading the earliest is O(1), moving one is O(log n), and nothing allocates
/// after [`Deadlines::new`]. Equal deadlines come in the order of the routers.
#[derive(Debug)]
pub(super) struct Deadlines {
    heap: Vec<Entry>,
    /// Where each router stands in `heap`.
    place: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    at: MonoNanos,
    router: RouterId,
}

#[expect(
    clippy::indexing_slicing,
    reason = "every position comes from `place` or from a comparison with `heap.len()` in this file"
)]
impl Deadlines {
    /// No deadlines yet, room for those of `routers` virtual routers.
    pub(super) fn new(routers: usize) -> Self {
        Self {
            heap: Vec::with_capacity(routers),
            place: vec![None; routers],
        }
    }

    /// The earliest.
    pub(super) fn first(&self) -> Option<(MonoNanos, RouterId)> {
        self.heap.first().map(|entry| (entry.at, entry.router))
    }

    /// Set, move or (with `None`) remove the deadline of `router`, which must be one of those counted in `new`.
    pub(super) fn set(&mut self, router: RouterId, at: Option<MonoNanos>) {
        match (self.place[router.index()], at) {
            (None, None) => {}
            (None, Some(at)) => {
                self.heap.push(Entry { at, router });
                self.settle(self.heap.len() - 1);
            }
            (Some(place), Some(at)) => {
                if self.heap[place].at != at {
                    self.heap[place].at = at;
                    self.settle(place);
                }
            }
            (Some(place), None) => {
                self.heap.swap_remove(place);
                self.place[router.index()] = None;
                if place < self.heap.len() {
                    self.settle(place);
                }
            }
        }
    }

    /// Every router whose deadline is not after `now`, in no particular order, at a cost that depends on
    /// their number alone.
    pub(super) fn due(&self, now: MonoNanos) -> impl Iterator<Item = RouterId> + '_ {
        // Preorder without a stack: below an entry that is not due nothing is, so its subtree is skipped.
        let mut next = Some(0);
        std::iter::from_fn(move || {
            while let Some(place) = next {
                let due = self.heap.get(place).filter(|entry| entry.at <= now);
                next = match due {
                    Some(_) if 2 * place + 1 < self.heap.len() => Some(2 * place + 1),
                    Some(_) | None => after_subtree(place),
                };
                if let Some(entry) = due {
                    return Some(entry.router);
                }
            }
            None
        })
    }

    /// Let the entry at `place` rise or sink to where it belongs.
    fn settle(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        loop {
            let mut child = 2 * place + 1;
            if child >= self.heap.len() {
                break;
            }
            if child + 1 < self.heap.len() && self.heap[child + 1] < self.heap[child] {
                child += 1;
            }
            if entry <= self.heap[child] {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
        }
        self.put(place, entry);
    }

    fn put(&mut self, place: usize, entry: Entry) {
        self.heap[place] = entry;
        self.place[entry.router.index()] = Some(place);
    }
}

/// The next place in preorder once the subtree of `place` is done with: the right sibling of the nearest
/// ancestor (or self) that is a left child.
fn after_subtree(mut place: usize) -> Option<usize> {
    while place > 0 {
        if place % 2 == 1 {
            return Some(place + 1);
        }
        place = (place - 1) / 2;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::Deadlines;
    use crate::proto::model::RouterId;
    use vrrp_common::time::MonoNanos;

    #[test]
    fn earliest_first_and_equal_ones_in_router_order() {
        let mut deadlines = Deadlines::new(3);
        assert_eq!(deadlines.first(), None);
        deadlines.set(RouterId(2), Some(MonoNanos(5)));
        deadlines.set(RouterId(1), Some(MonoNanos(5)));
        deadlines.set(RouterId(0), Some(MonoNanos(9)));
        assert_eq!(deadlines.first(), Some((MonoNanos(5), RouterId(1))));
        deadlines.set(RouterId(1), None);
        assert_eq!(deadlines.first(), Some((MonoNanos(5), RouterId(2))));
        deadlines.set(RouterId(2), Some(MonoNanos(10)));
        assert_eq!(deadlines.first(), Some((MonoNanos(9), RouterId(0))));
    }

    proptest! {
        /// Against a plain map, after every operation.
        #[test]
        fn agrees_with_a_map(ops in prop::collection::vec((0_u16..12, prop::option::of(0_u64..40)), 0..200)) {
            let mut deadlines = Deadlines::new(12);
            let mut model = BTreeMap::new();
            for (router, at) in ops {
                deadlines.set(RouterId(router), at.map(MonoNanos));
                match at {
                    Some(at) => model.insert(router, at),
                    None => model.remove(&router),
                };
                let first = model.iter().map(|(&router, &at)| (MonoNanos(at), RouterId(router))).min();
                prop_assert_eq!(deadlines.first(), first);
                for now in [0, 10, 39] {
                    let due: Vec<_> = deadlines.due(MonoNanos(now)).map(|router| router.0).collect();
                    let set: BTreeSet<_> = due.iter().copied().collect();
                    prop_assert_eq!(set.len(), due.len());
                    let expected = model.iter().filter(|&(_, &at)| at <= now).map(|(&router, _)| router);
                    prop_assert_eq!(set, expected.collect::<BTreeSet<_>>());
                }
            }
        }
    }
}
