//! What tracked interfaces, scripts, files, processes and units do to a virtual router: a fault, or another priority.
//!
//! Both are computed anew from the set of known facts each time one changes. There is no counter and no
//! fault bit to get out of step: keepalived 2.3.3 and later leave FAULT when one of two failed interfaces
//! comes back.

use std::net::IpAddr;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;

use super::effect::Reason;
use super::input::{LinkState, ScriptState};
use super::model::{
    FileId, GroupId, LinkId, Model, ProcessId, RouterId, ScriptId, Track, TrackObject, UnitId,
};
use super::reload::Correspondence;

/// A file's number times its weight, from this on down, is a fault (keepalived's bound).
const FAULT: i64 = -254;

/// What is known of the host. A link is down, and of a script, file, process or unit nothing is known, until
/// something else is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Facts {
    links: Vec<LinkState>,
    scripts: Vec<Option<ScriptState>>,
    files: Vec<Option<i32>>,
    processes: Vec<Option<bool>>,
    /// None in what an earlier version hands over.
    #[serde(default)]
    units: Vec<Option<bool>>,
}

/// Whether a virtual router may take part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// All is well.
    Ready,
    /// Something that may be a fault is not known yet: a script without a weight has not run, a file has not
    /// been read, a process or unit has not been looked for.
    Pending,
    /// Something without a weight fails.
    Failing(Reason),
}

/// What one track amounts to, with weight and `reverse` applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Share {
    /// This much is added to the priority.
    Adds(i32),
    /// It is a fault.
    Fault,
    /// It may be a fault: that is not known yet.
    Unknown,
}

impl Facts {
    /// Nothing is known yet.
    pub(super) fn new(model: &Model) -> Self {
        Self {
            links: vec![LinkState::Missing; model.links.len()],
            scripts: vec![None; model.scripts.len()],
            files: vec![None; model.files.len()],
            processes: vec![None; model.processes.len()],
            units: vec![None; model.units.len()],
        }
    }

    /// Another configuration: what is known of the same things stays known.
    pub(super) fn carry(&mut self, correspondence: &Correspondence) {
        let links = correspondence.links.carry(std::mem::take(&mut self.links));
        let links = links.into_iter().map(|known| known.unwrap_or(LinkState::Missing));
        self.links = links.collect();
        let scripts = correspondence.scripts.carry(std::mem::take(&mut self.scripts));
        self.scripts = scripts.into_iter().map(Option::flatten).collect();
        let files = correspondence.files.carry(std::mem::take(&mut self.files));
        self.files = files.into_iter().map(Option::flatten).collect();
        let processes = correspondence
            .processes
            .carry(std::mem::take(&mut self.processes));
        self.processes = processes.into_iter().map(Option::flatten).collect();
        let units = correspondence.units.carry(std::mem::take(&mut self.units));
        self.units = units.into_iter().map(Option::flatten).collect();
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

    /// Note a file's number; false for an unknown file or no change.
    pub(super) fn note_file(&mut self, file: FileId, value: i32) -> bool {
        self.files
            .get_mut(file.index())
            .is_some_and(|known| known.replace(value) != Some(value))
    }

    /// Note whether enough of a process runs; false for an unknown process or no change.
    pub(super) fn note_process(&mut self, process: ProcessId, quorum: bool) -> bool {
        self.processes
            .get_mut(process.index())
            .is_some_and(|known| known.replace(quorum) != Some(quorum))
    }

    /// Note whether a unit is steady; false for an unknown unit or no change.
    pub(super) fn note_unit(&mut self, unit: UnitId, steady: bool) -> bool {
        self.units
            .get_mut(unit.index())
            .is_some_and(|known| known.replace(steady) != Some(steady))
    }

    /// The last verdict on a script.
    pub(super) fn script(&self, script: ScriptId) -> Option<ScriptState> {
        self.scripts.get(script.index()).copied().flatten()
    }

    /// The number last read in a file.
    pub(super) fn file(&self, file: FileId) -> Option<i32> {
        self.files.get(file.index()).copied().flatten()
    }

    /// Whether enough of a process runs.
    pub(super) fn process(&self, process: ProcessId) -> Option<bool> {
        self.processes.get(process.index()).copied().flatten()
    }

    /// Whether a unit is steady.
    pub(super) fn unit(&self, unit: UnitId) -> Option<bool> {
        self.units.get(unit.index()).copied().flatten()
    }

    /// What a track amounts to. A weighted script that has not run counts for nothing; a file is read, and a
    /// process or unit looked for, at once, so these are waited for in any case.
    pub(super) fn share(&self, track: &Track) -> Share {
        let well = match track.object {
            TrackObject::Link(link) => Some(self.is_up(link)),
            TrackObject::Script(script) => match self.script(script) {
                Some(state) => Some(state == ScriptState::Passing),
                None if track.weight != 0 => return Share::Adds(0),
                None => None,
            },
            TrackObject::File(file) => {
                return self
                    .file(file)
                    .map_or(Share::Unknown, |value| file_share(track, value));
            }
            TrackObject::Process(process) => self.process(process),
            TrackObject::Unit(unit) => self.unit(unit),
        };
        let Some(well) = well else { return Share::Unknown };
        if track.weight == 0 {
            return if well == track.reverse {
                Share::Fault
            } else {
                Share::Adds(0)
            };
        }
        // A weight counts while well if it is positive, while failing if negative; `reverse` only turns its sign.
        let weight = i32::from(track.weight);
        let share = if well { weight.max(0) } else { weight.min(0) };
        Share::Adds(if track.reverse { -share } else { share })
    }

    fn is_up(&self, link: LinkId) -> bool {
        self.links.get(link.index()) == Some(&LinkState::Up)
    }

    /// Fault or no fault. The first failing object gives the reason, the own interface before all.
    ///
    /// Without a source address there is neither an advert to send nor a tie to decide, so its absence is a
    /// fault even with `dont_track_primary`.
    pub(super) fn standing(&self, watch: &Watch, source: Option<IpAddr>, mute: Option<i32>) -> Standing {
        if let Some(link) = watch.own_link.filter(|link| !self.is_up(*link)) {
            return Standing::Failing(Reason::LinkDown { link });
        }
        if source.is_none() {
            return Standing::Failing(Reason::NoSource);
        }
        if watch.lacks_peers {
            return Standing::Failing(Reason::NoPeers);
        }
        if let Some(errno) = mute {
            return Standing::Failing(Reason::CannotSend { errno });
        }
        let mut standing = Standing::Ready;
        for track in &watch.tracks {
            match self.share(track) {
                Share::Adds(_) => {}
                Share::Unknown => standing = Standing::Pending,
                Share::Fault => return Standing::Failing(reason(track.object)),
            }
        }
        standing
    }

    /// The effective priority: positive weights are added while well, negative ones while failing (with `reverse`
    /// they are subtracted then, as keepalived 2.2.7 was seen to do); what is not known counts for nothing. Always
    /// 1..=254, except that an owner stays 255.
    pub(super) fn priority(&self, configured: Priority, tracks: &[Track]) -> Priority {
        if configured.is_owner() {
            return configured;
        }
        let shares = tracks.iter().map(|track| match self.share(track) {
            Share::Adds(share) => i64::from(share),
            Share::Fault | Share::Unknown => 0,
        });
        let sum = i64::from(configured.0) + shares.sum::<i64>();
        Priority(u8::try_from(sum.clamp(1, 254)).unwrap_or(Priority::DEFAULT.0))
    }
}

/// The number in a file times its weight, within ±254.
fn file_share(track: &Track, value: i32) -> Share {
    if track.weight == 0 {
        let fault = (value != 0) != track.reverse;
        return if fault { Share::Fault } else { Share::Adds(0) };
    }
    let sign = if track.reverse { -1 } else { 1 };
    let share = (i64::from(value) * i64::from(track.weight) * sign).clamp(FAULT, -FAULT);
    match i32::try_from(share) {
        Ok(share) if i64::from(share) > FAULT => Share::Adds(share),
        Ok(_) | Err(_) => Share::Fault,
    }
}

fn reason(object: TrackObject) -> Reason {
    match object {
        TrackObject::Link(link) => Reason::LinkDown { link },
        TrackObject::Script(script) => Reason::ScriptFailing { script },
        TrackObject::File(file) => Reason::FileFailing { file },
        TrackObject::Process(process) => Reason::ProcessFailing { process },
        TrackObject::Unit(unit) => Reason::UnitFailing { unit },
    }
}

/// What is left of a track whose weight cannot count: a script or an interface is not tracked at all, a number
/// other than 0 in a file is a fault, and a process keeps its weight; each as keepalived 2.2.7 was seen to do. A unit,
/// which keepalived does not track, is as a process.
fn unweighted(track: &Track) -> Option<Track> {
    match track.object {
        _ if track.weight == 0 => Some(*track),
        TrackObject::Link(_) | TrackObject::Script(_) => None,
        TrackObject::File(_) => Some(Track { weight: 0, ..*track }),
        TrackObject::Process(_) | TrackObject::Unit(_) => Some(*track),
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
    /// It wants peers and has none.
    lacks_peers: bool,
    /// Where it stands for itself, whatever its group says.
    pub(super) standing: Standing,
}

impl Watch {
    /// Of a virtual router in `model`. Its own tracks lose their weights where these cannot count, as in
    /// keepalived: for an owner, and in a group that does not say `sync_group_tracking_weight`. What its group
    /// tracks too counts as the group has it.
    pub(super) fn new(model: &Model, router: RouterId) -> Self {
        let config = model.routers.get(router.index());
        let group = (0..=u16::MAX)
            .map(GroupId)
            .zip(&model.groups)
            .find(|(_, group)| group.members.contains(&router));
        let owner = config.is_some_and(|config| config.priority.is_owner());
        let keep_weights = !owner && group.is_none_or(|(_, group)| group.keep_weights);
        let own = config.map_or(&[][..], |config| &config.track);
        let of_group = group.map_or(&[][..], |(_, group)| &group.track);
        let tracks = own
            .iter()
            .filter(|own| !of_group.iter().any(|track| track.object == own.object))
            .filter_map(|track| {
                if keep_weights {
                    Some(*track)
                } else {
                    unweighted(track)
                }
            })
            .chain(of_group.iter().copied());
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
            lacks_peers: config.is_some_and(|config| config.uncommon.lacks_peers),
            standing: Standing::Pending,
        }
    }

    /// Whether `object` makes a difference here.
    pub(super) fn watches(&self, object: TrackObject) -> bool {
        self.own_link.map(TrackObject::Link) == Some(object)
            || self.tracks.iter().any(|track| track.object == object)
    }
}
