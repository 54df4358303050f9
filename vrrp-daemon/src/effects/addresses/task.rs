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
        /// Items still to be removed.
        left: usize,
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
    /// Rounds of announcements, the first of which goes with each chunk.
    pub(super) rounds: u8,
    /// What they announce.
    pub(super) whom: Whom,
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
    pub(super) fn under(self, wish: &Wish, items: usize) -> Self {
        match (wish.kind, self) {
            (Kind::Release, _) => Self::Removing {
                left: items,
                removed: 0,
                failed: Failures::default(),
            },
            (Kind::Acquire, _) => Self::adding(Which::All, wish.at, wish.rounds),
            (Kind::Keep, task) if wish.rounds == 0 => task,
            (Kind::Keep, Self::Idle) => Self::announcing(wish.rounds, Whom::All, true),
            (Kind::Keep, Self::Announcing(announcing)) => {
                Self::announcing(announcing.rounds.max(wish.rounds), Whom::All, true)
            }
            (Kind::Keep, Self::Adding(adding)) => Self::Adding(Adding {
                rounds: adding.rounds.max(wish.rounds),
                whom: Whom::All,
                ..adding
            }),
            (Kind::Keep, task @ Self::Removing { .. }) => task,
        }
    }

    /// Add; what was being announced goes on being announced.
    pub(super) fn adding_too(self, which: Which, since: MonoNanos, rounds: u8) -> Self {
        let (before, whom) = match self {
            Self::Idle | Self::Removing { .. } => (0, Whom::Fresh),
            Self::Adding(adding) => (adding.rounds, adding.whom),
            Self::Announcing(announcing) => (announcing.rounds, announcing.whom),
        };
        match Self::adding(which, since, rounds.max(before)) {
            Self::Adding(adding) if which == Which::Missing => Self::Adding(Adding { whom, ..adding }),
            task => task,
        }
    }

    pub(super) fn adding(which: Which, since: MonoNanos, rounds: u8) -> Self {
        Self::Adding(Adding {
            which,
            done: 0,
            chunk: FIRST_CHUNK,
            rounds,
            whom: match which {
                Which::All => Whom::All,
                Which::Missing => Whom::Fresh,
            },
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
            }),
        }
    }

    /// After the last chunk.
    pub(super) fn after(adding: &Adding) -> Self {
        match (adding.which, adding.whom) {
            // With the chunks only what was missing was announced.
            (Which::Missing, Whom::All) => Self::announcing(adding.rounds, Whom::All, true),
            (Which::All, whom) | (Which::Missing, whom @ Whom::Fresh) => {
                Self::announcing(adding.rounds.saturating_sub(1), whom, false)
            }
        }
    }
}
