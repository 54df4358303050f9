//! What is under way for one virtual router.

use nix::errno::Errno;
use vrrp_common::time::MonoNanos;

use super::table::Item;
use super::{Kind, Wish};
use crate::proto::model::Carried;

/// Items in the first send, doubled with each one after: the first announcement should not wait for many.
const FIRST_CHUNK: usize = 8;

#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Task {
    #[default]
    Idle,
    Adding(Adding),
    Announcing(Announcing),
    Removing {
        /// Items removed so far.
        done: usize,
        removed: u16,
        failed: Failures,
    },
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Adding {
    /// What is asked for.
    pub(super) which: Which,
    /// Items done so far.
    pub(super) done: usize,
    /// Items in the next send.
    pub(super) chunk: usize,
    /// Rounds of announcements of what is asked for, the first of which goes with each chunk.
    pub(super) rounds: u8,
    /// Where only some are asked for: rounds that are due for all.
    pub(super) for_all: u8,
    /// When it was wished for.
    pub(super) since: MonoNanos,
    pub(super) added: u16,
    pub(super) already: u16,
    /// Some of those are IPv6 addresses that we did not know of: they may have another prefix length.
    pub(super) unknown_v6: bool,
    /// Put back after somebody else had removed them, and the first of those.
    pub(super) restored: u16,
    pub(super) first_restored: Option<Carried>,
    pub(super) failed: Failures,
}

/// What to ask the kernel for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All, whatever we believe is there.
    All,
    /// Those that we know are not there.
    Missing,
}

/// Which addresses to announce, of those that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whom {
    All,
    /// Those that came with the last additions.
    Fresh,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Announcing {
    /// Items done in this round.
    pub(super) done: usize,
    pub(super) rounds: u8,
    pub(super) whom: Whom,
    /// This is the first round: what is paced takes its place in the queue.
    pub(super) first: bool,
    /// Rounds that those which came last are owed beyond these.
    pub(super) then_fresh: u8,
}

/// Refused items: how many, and the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Failures {
    pub(super) count: u16,
    pub(super) first: Option<(Carried, Errno)>,
}

impl Failures {
    pub(super) fn add(&mut self, carried: Carried, errno: Errno) {
        self.count = self.count.saturating_add(1);
        self.first.get_or_insert((carried, errno));
    }
}

impl Which {
    pub(super) fn covers(self, item: &Item) -> bool {
        self == Self::All || !item.presence.is_there()
    }
}

impl Whom {
    pub(super) fn covers(self, item: &Item) -> bool {
        item.presence.is_there() && (self == Self::All || item.fresh)
    }
}

impl Task {
    /// What to do now that this is wished for.
    pub(super) fn under(self, wish: &Wish) -> Self {
        match (wish.kind, self) {
            (Kind::Release, _) => Self::Removing {
                done: 0,
                removed: 0,
                failed: Failures::default(),
            },
            (Kind::Acquire, _) => Self::adding(Which::All, wish.at, wish.rounds),
            (Kind::Keep, task) if wish.rounds == 0 => task,
            (Kind::Keep, Self::Idle) => Self::announcing(wish.rounds, Whom::All, true),
            (Kind::Keep, Self::Announcing(announcing)) => Self::Announcing(Announcing {
                then_fresh: announcing.owed_to_fresh(wish.rounds),
                done: 0,
                rounds: announcing.rounds_for_all().max(wish.rounds),
                whom: Whom::All,
                first: true,
            }),
            (Kind::Keep, Self::Adding(adding)) => Self::Adding(match adding.which {
                Which::All => Adding {
                    rounds: adding.rounds.max(wish.rounds),
                    ..adding
                },
                Which::Missing => Adding {
                    for_all: adding.for_all.max(wish.rounds),
                    ..adding
                },
            }),
            (Kind::Keep, task @ Self::Removing { .. }) => task,
        }
    }

    /// Add; what was being announced goes on being announced.
    pub(super) fn adding_too(self, which: Which, since: MonoNanos, rounds: u8) -> Self {
        let (of_these, for_all) = match self {
            Self::Idle | Self::Removing { .. } => (0, 0),
            Self::Adding(Adding {
                which: Which::All,
                rounds,
                ..
            }) => (0, rounds),
            Self::Adding(adding) => (adding.rounds, adding.for_all),
            Self::Announcing(announcing) => (announcing.owed_to_fresh(0), announcing.rounds_for_all()),
        };
        match (which, Self::adding(which, since, rounds.max(of_these))) {
            (Which::Missing, Self::Adding(adding)) => Self::Adding(Adding { for_all, ..adding }),
            (Which::All, Self::Adding(adding)) => Self::Adding(Adding {
                rounds: adding.rounds.max(for_all),
                ..adding
            }),
            (_, task) => task,
        }
    }

    pub(super) fn adding(which: Which, since: MonoNanos, rounds: u8) -> Self {
        Self::Adding(Adding {
            which,
            done: 0,
            chunk: FIRST_CHUNK,
            rounds,
            for_all: 0,
            since,
            added: 0,
            already: 0,
            unknown_v6: false,
            restored: 0,
            first_restored: None,
            failed: Failures::default(),
        })
    }

    pub(super) fn announcing(rounds: u8, whom: Whom, first: bool) -> Self {
        match rounds {
            0 => Self::Idle,
            rounds => Self::Announcing(Announcing {
                done: 0,
                rounds,
                whom,
                first,
                then_fresh: 0,
            }),
        }
    }

    /// After the last chunk of a round.
    pub(super) fn after_round(announcing: &Announcing) -> Self {
        match (announcing.rounds.saturating_sub(1), announcing.then_fresh) {
            (0, fresh) => Self::announcing(fresh, Whom::Fresh, false),
            (rounds, then_fresh) => Self::Announcing(Announcing {
                done: 0,
                rounds,
                first: false,
                then_fresh,
                ..*announcing
            }),
        }
    }

    /// After the last chunk.
    pub(super) fn after(adding: &Adding) -> Self {
        let rounds = adding.rounds.saturating_sub(1);
        match (adding.which, adding.for_all) {
            (Which::All, _) => Self::announcing(rounds, Whom::All, false),
            (Which::Missing, 0) => Self::announcing(rounds, Whom::Fresh, false),
            (Which::Missing, for_all) => Self::Announcing(Announcing {
                done: 0,
                rounds: for_all,
                whom: Whom::All,
                first: true,
                then_fresh: rounds.saturating_sub(for_all),
            }),
        }
    }
}

impl Announcing {
    fn rounds_for_all(&self) -> u8 {
        match self.whom {
            Whom::All => self.rounds,
            Whom::Fresh => 0,
        }
    }

    /// What those that came last are owed beyond `rounds` for all.
    fn owed_to_fresh(&self, rounds: u8) -> u8 {
        match self.whom {
            Whom::All => self.then_fresh,
            Whom::Fresh => self.rounds.saturating_sub(rounds),
        }
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::MonoNanos;

    use super::{Announcing, Task, Which, Whom};
    use crate::effects::addresses::Wish;

    fn wish(rounds: u8) -> Wish {
        Wish {
            rounds,
            ..Wish::default()
        }
    }

    fn rounds(mut task: Task) -> Vec<(Whom, u8)> {
        let mut all = Vec::new();
        while let Task::Announcing(announcing) = task {
            match all.last_mut() {
                Some((whom, rounds)) if *whom == announcing.whom => *rounds += 1,
                _ => all.push((announcing.whom, 1)),
            }
            task = Task::after_round(&announcing);
        }
        all
    }

    /// Two of a takeover's addresses were refused and are asked for again, with the takeover's five rounds, when the
    /// others are announced twice more: that is two, and not five.
    #[test]
    fn what_is_announced_meanwhile_gets_its_own_number_of_rounds() {
        let adding = Task::adding(Which::Missing, MonoNanos(0), 5).under(&wish(2));
        let Task::Adding(adding) = adding else {
            panic!("{adding:?}");
        };
        // The first round of the fresh ones went with their chunk.
        assert_eq!(rounds(Task::after(&adding)), [(Whom::All, 2), (Whom::Fresh, 2)]);
    }

    #[test]
    fn what_is_missing_is_asked_for_in_the_midst_of_announcing() {
        let announcing = Task::announcing(3, Whom::All, false);
        let Task::Adding(adding) = announcing.adding_too(Which::Missing, MonoNanos(0), 1) else {
            panic!("it adds");
        };
        assert_eq!((adding.rounds, adding.for_all), (1, 3));
        assert_eq!(rounds(Task::after(&adding)), [(Whom::All, 3)]);
    }

    #[test]
    fn a_wish_for_all_widens_what_only_the_fresh_ones_got() {
        let fresh = Task::announcing(4, Whom::Fresh, false).under(&wish(1));
        assert!(matches!(fresh, Task::Announcing(Announcing { first: true, .. })));
        assert_eq!(rounds(fresh), [(Whom::All, 1), (Whom::Fresh, 3)]);
    }
}
