//! Links that are up and have not passed a frame yet (`vrrp_link_hold`).
//!
//! A switch port in spanning tree's listening and learning states, a bond that still negotiates LACP and a card that
//! was reset all have carrier and pass nothing. A Backup that hears nobody there knows nothing of a Master: until a
//! frame has come in, or for so long after the link came up, it does not take over.

use serde::{Deserialize, Serialize};
use vrrp_common::time::{MonoNanos, Nanos};

use super::model::LinkId;
use super::reload::Correspondence;

/// What there is to say of an unproven link, once for each time that it matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HoldNews {
    /// A down timer ran out, and waits.
    Waits {
        /// Until so long after the link came up.
        hold: Nanos,
    },
    /// A frame came in.
    Proven {
        /// After so long.
        after: Nanos,
    },
    /// None did: it goes on as if there were nobody.
    Over {
        /// After so long.
        after: Nanos,
    },
}

/// Every link that is up and unproven, same order as `model.links`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Holds(Vec<Option<Unproven>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Unproven {
    /// It came up then.
    since: MonoNanos,
    told: Told,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Told {
    Nothing,
    Waits,
    Over,
}

impl Holds {
    /// No link is up.
    pub(super) fn new(links: usize) -> Self {
        Self(vec![None; links])
    }

    /// Another configuration: the same links are as unproven as before.
    pub(super) fn carry(&mut self, correspondence: &Correspondence) {
        let carried = correspondence.links.carry(std::mem::take(&mut self.0));
        self.0 = carried.into_iter().map(Option::flatten).collect();
    }

    /// It came up, or is not up any more.
    pub(super) fn note(&mut self, link: LinkId, up: bool, now: MonoNanos) {
        if let Some(known) = self.0.get_mut(link.index()) {
            *known = up.then_some(Unproven {
                since: now,
                told: Told::Nothing,
            });
        }
    }

    /// Since when it is up, while it is unproven.
    pub(super) fn since(&self, link: LinkId) -> Option<MonoNanos> {
        self.0.get(link.index()).copied().flatten().map(|it| it.since)
    }

    /// A frame came in at `at`. Answers whether that is news, and what there is to say. One that came in before the link
    /// came up proves nothing.
    pub(super) fn prove(&mut self, link: LinkId, at: MonoNanos) -> Option<Option<HoldNews>> {
        let known = self.0.get_mut(link.index())?;
        let Unproven { since, told } = known.take_if(|unproven| at >= unproven.since)?;
        let after = at.since(since);
        Some((told == Told::Waits).then_some(HoldNews::Proven { after }))
    }

    /// A down timer has begun to wait for it.
    pub(super) fn waits(&mut self, link: LinkId, hold: Nanos) -> Option<HoldNews> {
        self.tell(link, Told::Nothing, Told::Waits)?;
        Some(HoldNews::Waits { hold })
    }

    /// A down timer ran out. If it waited for the link, it does no more.
    pub(super) fn over(&mut self, link: LinkId, now: MonoNanos) -> Option<HoldNews> {
        let since = self.tell(link, Told::Waits, Told::Over)?;
        Some(HoldNews::Over {
            after: now.since(since),
        })
    }

    fn tell(&mut self, link: LinkId, before: Told, after: Told) -> Option<MonoNanos> {
        let known = self.0.get_mut(link.index())?.as_mut();
        let unproven = known.filter(|unproven| unproven.told == before)?;
        unproven.told = after;
        Some(unproven.since)
    }
}
