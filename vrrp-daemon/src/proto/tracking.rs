//! What tracked interfaces and scripts do to a virtual router: a fault, or another priority.
//!
//! Both are computed anew from the set of known facts each time one changes. There is no counter and no
//! fault bit to get out of step: keepalived 2.3.3 and later leave FAULT when one of two failed interfaces
//! comes back.

use std::net::IpAddr;
use std::sync::Arc;

use vrrp_common::id::Priority;

use super::effect::Reason;
use super::input::{LinkState, ScriptState};
use super::model::{GroupId, LinkId, Model, RouterId, ScriptId, Track, TrackObject};

/// What is known of the host. A link is down and a script has not run until something else is told.
#[derive(Debug)]
pub(super) struct Facts {
    links: Vec<LinkState>,
    scripts: Vec<Option<ScriptState>>,
}

/// Whether a virtual router may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All is well.
    Ready,
    /// An unweighted script has not run yet.
    Pending,
    /// Something without a weight fails.
    Failing(Reason),
}

/// What one tracked object says, with `reverse` applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Well,
    Failing,
    Unknown,
}

impl Facts {
    /// Nothing is known yet.
    pub(super) fn new(model: &Model) -> Self {
        Self {
            links: vec![LinkState::Missing; model.links.len()],
            scripts: vec![None; model.scripts.len()],
        }
    }

    /// Note a link's state; false for an unknown link or no change.
    pub(super) fn note_link(&mut self, link: LinkId, state: LinkState) -> bool {
        self.links
            .get_mut(link.index())
            .is_some_and(|known| std::mem::replace(known, state) != state)
    }

    /// Note a script's verdict; false for an unknown script or no change.
    pub(super) fn note_script(&mut self, script: ScriptId, state: ScriptState) -> bool {
        self.scripts
            .get_mut(script.index())
            .is_some_and(|known| known.replace(state) != Some(state))
    }

    fn verdict(&self, object: TrackObject, reverse: bool) -> Verdict {
        let well = match object {
            TrackObject::Link(link) => self.links.get(link.index()) == Some(&LinkState::Up),
            TrackObject::Script(script) => match self.scripts.get(script.index()).copied().flatten() {
                Some(ScriptState::Passing) => true,
                Some(ScriptState::Failing) => false,
                None => return Verdict::Unknown,
            },
        };
        if well == reverse {
            Verdict::Failing
        } else {
            Verdict::Well
        }
    }

    /// Fault or no fault. The first failing object gives the reason, the own interface before all.
    ///
    /// Without a source address there is neither an advert to send nor a tie to decide, so its absence is a
    /// fault even with `dont_track_primary`.
    pub(super) fn standing(&self, watch: &Watch, source: Option<IpAddr>) -> Standing {
        if let Some(link) = watch.own_link
            && self.verdict(TrackObject::Link(link), false) != Verdict::Well
        {
            return Standing::Failing(Reason::LinkDown { link });
        }
        if source.is_none() {
            return Standing::Failing(Reason::NoSource);
        }
        let mut standing = Standing::Ready;
        for track in watch.tracks.iter().filter(|track| track.weight == 0) {
            match self.verdict(track.object, track.reverse) {
                Verdict::Well => {}
                Verdict::Unknown => standing = Standing::Pending,
                Verdict::Failing => {
                    return Standing::Failing(match track.object {
                        TrackObject::Link(link) => Reason::LinkDown { link },
                        TrackObject::Script(script) => Reason::ScriptFailing { script },
                    });
                }
            }
        }
        standing
    }

    /// The effective priority: positive weights are added while well, negative ones while failing; a script
    /// that has not run counts for nothing. Always 1..=254, except that an owner stays 255.
    pub(super) fn priority(&self, configured: Priority, tracks: &[Track]) -> Priority {
        if configured.is_owner() {
            return configured;
        }
        let mut sum = i32::from(configured.0);
        for track in tracks {
            sum += match self.verdict(track.object, track.reverse) {
                Verdict::Well => i32::from(track.weight.max(0)),
                Verdict::Failing => i32::from(track.weight.min(0)),
                Verdict::Unknown => 0,
            };
        }
        Priority(u8::try_from(sum.clamp(1, 254)).unwrap_or(Priority::DEFAULT.0))
    }
}

/// What one virtual router watches, and with whom it moves.
#[derive(Debug)]
pub(super) struct Watch {
    /// Whose.
    pub(super) router: RouterId,
    /// Its sync group.
    pub(super) group: Option<GroupId>,
    /// The members of its group, itself among them; itself alone without a group.
    pub(super) company: Arc<[RouterId]>,
    /// Its own tracks and its group's.
    pub(super) tracks: Box<[Track]>,
    /// Its own interface, if that counts.
    own_link: Option<LinkId>,
    /// Where it stands for itself, whatever its group says.
    pub(super) standing: Standing,
}

impl Watch {
    /// Of a virtual router in `model`. A member's own weighted tracks are dropped unless the group says
    /// `sync_group_tracking_weight`, as in keepalived.
    pub(super) fn new(model: &Model, router: RouterId) -> Self {
        let config = model.routers.get(router.index());
        let group = (0..=u16::MAX)
            .map(GroupId)
            .zip(&model.groups)
            .find(|(_, group)| group.members.contains(&router));
        let keep_weights = group.is_none_or(|(_, group)| group.keep_weights);
        let own = config.map_or(&[][..], |config| &config.track);
        let tracks = own
            .iter()
            .filter(|track| keep_weights || track.weight == 0)
            .chain(group.map_or(&[][..], |(_, group)| &group.track))
            .copied();
        Self {
            router,
            group: group.map(|(id, _)| id),
            company: group.map_or(Arc::from([router]), |(_, group)| {
                Arc::from(group.members.as_slice())
            }),
            tracks: tracks.collect(),
            own_link: config
                .filter(|config| config.track_primary)
                .map(|config| config.link),
            standing: Standing::Pending,
        }
    }

    /// Whether `object` makes a difference here.
    pub(super) fn watches(&self, object: TrackObject) -> bool {
        self.own_link.map(TrackObject::Link) == Some(object)
            || self.tracks.iter().any(|track| track.object == object)
    }
}
