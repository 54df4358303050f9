//! `vrrp_garp_interval`, `vrrp_gna_interval` and `garp_group`: the least time between two announcements.
//!
//! As keepalived has it: interfaces are paced apart unless a group shares one pace, ARP apart from ND. An
//! announcement goes out at once if it may, else its address waits for its turn, once, however many rounds are
//! due.

use std::collections::VecDeque;

use vrrp_common::time::{MonoNanos, Nanos};

use crate::config::Pacing;
use crate::proto::model::{LinkId, Model, RouterId};

/// One address: its virtual router, and its place among the addresses there.
pub(super) type Place = (RouterId, usize);

/// The paces of all interfaces.
#[derive(Debug, Default)]
pub(super) struct Pacer {
    lanes: Vec<Lane>,
    /// By link: the lanes of ARP and of ND; `None` where nothing is held back.
    of_link: Vec<[Option<usize>; 2]>,
}

#[derive(Debug)]
struct Lane {
    interval: Nanos,
    free_at: MonoNanos,
    /// One was let go, and is being sent.
    going: bool,
    waiting: VecDeque<Place>,
}

impl Lane {
    fn new(interval: Nanos) -> Self {
        Self {
            interval,
            free_at: MonoNanos(0),
            going: false,
            waiting: VecDeque::new(),
        }
    }

    fn deadline(&self) -> Option<MonoNanos> {
        (!self.waiting.is_empty()).then_some(self.free_at)
    }
}

impl Pacer {
    pub(super) fn new(model: &Model, pacing: &Pacing) -> Self {
        let mut pacer = Self::default();
        let groups: Vec<_> = pacing
            .groups
            .iter()
            .map(|group| (&group.interfaces, pacer.lanes_for(group.garp, group.gna)))
            .collect();
        for name in &model.links {
            let grouped = groups.iter().find(|(interfaces, _)| interfaces.contains(name));
            let lanes = match grouped {
                Some((_, lanes)) => *lanes,
                None => pacer.lanes_for(pacing.garp, pacing.gna),
            };
            pacer.of_link.push(lanes);
        }
        pacer
    }

    fn lanes_for(&mut self, garp: Nanos, gna: Nanos) -> [Option<usize>; 2] {
        [garp, gna].map(|interval| {
            (interval > Nanos::ZERO).then(|| {
                self.lanes.push(Lane::new(interval));
                self.lanes.len() - 1
            })
        })
    }

    fn lane(&mut self, link: LinkId, v4: bool) -> Option<&mut Lane> {
        let [arp, nd] = *self.of_link.get(link.index())?;
        self.lanes.get_mut(if v4 { arp? } else { nd? })
    }

    /// Whether announcements on this link have a pace.
    pub(super) fn paces(&mut self, link: LinkId, v4: bool) -> bool {
        self.lane(link, v4).is_some()
    }

    /// Whether to announce now.
    pub(super) fn may_go(&mut self, link: LinkId, v4: bool, now: MonoNanos) -> bool {
        let Some(lane) = self.lane(link, v4) else {
            return true;
        };
        let free = lane.waiting.is_empty() && lane.free_at <= now;
        if free {
            lane.free_at = now + lane.interval;
            lane.going = true;
        }
        free
    }

    /// What might go on this link has gone by now: the interval counts from here.
    pub(super) fn sent(&mut self, link: LinkId, now: MonoNanos) {
        for v4 in [true, false] {
            if let Some(lane) = self.lane(link, v4).filter(|lane| lane.going) {
                lane.going = false;
                lane.free_at = now + lane.interval;
            }
        }
    }

    /// This address, which was not waiting, waits for its turn.
    pub(super) fn wait(&mut self, link: LinkId, v4: bool, place: Place) {
        if let Some(lane) = self.lane(link, v4) {
            lane.waiting.push_back(place);
        }
    }

    /// When the next turn comes.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.lanes.iter().filter_map(Lane::deadline).min()
    }

    /// An address whose turn has come. If it is announced, say so with [`announced`](Self::announced).
    pub(super) fn next_due(&mut self, now: MonoNanos) -> Option<Place> {
        let due = |lane: &&mut Lane| lane.deadline().is_some_and(|at| at <= now);
        self.lanes.iter_mut().find(due)?.waiting.pop_front()
    }

    /// An announcement went out here.
    pub(super) fn announced(&mut self, link: LinkId, v4: bool, now: MonoNanos) {
        if let Some(lane) = self.lane(link, v4) {
            lane.free_at = now + lane.interval;
        }
    }

    /// Nothing goes out here: nobody waits any more.
    pub(super) fn give_up(&mut self, link: LinkId, v4: bool) -> VecDeque<Place> {
        self.lane(link, v4)
            .map(|lane| std::mem::take(&mut lane.waiting))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{LinkId, Model, MonoNanos, Nanos, Pacer, Pacing, RouterId};
    use crate::config::PacingGroup;

    const MS: u64 = 1_000_000;

    fn pacer(pacing: &Pacing) -> Pacer {
        let model = Model {
            links: ["e0", "e1", "e2"].map(str::to_owned).to_vec(),
            ..Model::default()
        };
        Pacer::new(&model, pacing)
    }

    /// Seen of keepalived 2.2.7 with `garp_group { garp_interval 0.1 interfaces { eth9 eth8 } }` and
    /// `vrrp_gna_interval 0.2`: the group's interfaces share one pace, and what the group leaves open is not
    /// paced at all.
    #[test]
    fn a_group_shares_one_pace_and_takes_none_from_outside() {
        let mut pacer = pacer(&Pacing {
            garp: Nanos::ZERO,
            gna: Nanos::from_millis(200),
            groups: vec![PacingGroup {
                garp: Nanos::from_millis(100),
                gna: Nanos::ZERO,
                interfaces: vec!["e0".to_owned(), "e1".to_owned()],
            }],
        });
        let now = MonoNanos(1_000 * MS);
        assert!(pacer.may_go(LinkId(0), true, now));
        assert!(!pacer.may_go(LinkId(1), true, now));
        assert!(pacer.may_go(LinkId(2), true, now) && pacer.may_go(LinkId(2), true, now));
        assert!(pacer.may_go(LinkId(0), false, now) && pacer.may_go(LinkId(0), false, now));
        assert!(pacer.may_go(LinkId(2), false, now));
        assert!(!pacer.may_go(LinkId(2), false, now));
        assert_eq!(pacer.deadline(), None);
    }

    #[test]
    fn turns_come_in_the_order_of_waiting_one_interval_apart() {
        let mut pacer = pacer(&Pacing {
            garp: Nanos::from_millis(100),
            ..Pacing::default()
        });
        let now = MonoNanos(1_000 * MS);
        assert!(pacer.may_go(LinkId(0), true, now));
        for place in [0, 1] {
            pacer.wait(LinkId(0), true, (RouterId(0), place));
        }
        assert_eq!(pacer.deadline(), Some(MonoNanos(1_100 * MS)));
        assert_eq!(pacer.next_due(MonoNanos(1_099 * MS)), None);
        let late = MonoNanos(1_130 * MS);
        assert_eq!(pacer.next_due(late), Some((RouterId(0), 0)));
        pacer.announced(LinkId(0), true, late);
        assert_eq!(pacer.next_due(late), None);
        assert_eq!(pacer.deadline(), Some(MonoNanos(1_230 * MS)));
        // The interval holds also when nobody waits.
        assert_eq!(pacer.next_due(MonoNanos(1_230 * MS)), Some((RouterId(0), 1)));
        pacer.announced(LinkId(0), true, MonoNanos(1_230 * MS));
        assert!(!pacer.may_go(LinkId(0), true, MonoNanos(1_300 * MS)));
        assert!(pacer.may_go(LinkId(0), true, MonoNanos(1_330 * MS)));
    }
}
