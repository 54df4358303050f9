//! A new configuration while running: which part of the new model is which part of the old one.
//!
//! A virtual router is what its peers know it by: family, VRID, interface. Where several share those (unicast
//! ones may), the source or group tells them apart, and then the name. So a renamed instance keeps its
//! mastership, and one that was moved to another interface is another one: its peers there never heard of it,
//! and those of the old place are told priority 0. (keepalived 2.2.7 matches by much the same: VRID, family,
//! interface, unicast source or group.)

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use vrrp_common::id::{Family, Version, Vrid};

use super::effect::Reason;
use super::model::{
    FileId, GroupId, LinkId, Model, ProcessId, RouterId, ScriptId, Transport, UnitId, VirtualRouter,
};

/// What became of everything that has an index, from the running model to the new one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correspondence {
    /// By what the network knows them by, then by name.
    pub routers: Pairs<RouterId>,
    /// By name; a renamed one by its members.
    pub groups: Pairs<GroupId>,
    /// By name.
    pub links: Pairs<LinkId>,
    /// By name.
    pub scripts: Pairs<ScriptId>,
    /// By name.
    pub files: Pairs<FileId>,
    /// By name.
    pub processes: Pairs<ProcessId>,
    /// By name, which has the limit in it.
    pub units: Pairs<UnitId>,
}

/// Which new index stands for which old one. Each has at most one partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairs<I> {
    /// By new index.
    before: Vec<Option<I>>,
    /// By old index.
    after: Vec<Option<I>>,
}

impl<I> Default for Pairs<I> {
    fn default() -> Self {
        Self {
            before: Vec::new(),
            after: Vec::new(),
        }
    }
}

impl Correspondence {
    /// Compare two models.
    #[must_use]
    pub fn between(old: &Model, new: &Model) -> Self {
        let links = Pairs::by(&old.links, &new.links, |link| Some(link.as_str()));
        let routers = routers(old, new);
        let mut groups = Pairs::by(&old.groups, &new.groups, |group| Some(group.name.as_str()));
        let successors = |members: &[RouterId]| {
            let mut members: Vec<_> = members
                .iter()
                .map(|member| routers.after(*member))
                .collect::<Option<_>>()?;
            members.sort_unstable();
            Some(members)
        };
        groups.join(&old.groups, &new.groups, |one, other| {
            let mut members = other.members.clone();
            members.sort_unstable();
            !members.is_empty() && successors(&one.members).as_ref() == Some(&members)
        });
        Self {
            groups,
            links,
            scripts: Pairs::by(&old.scripts, &new.scripts, |script| Some(script.name.as_str())),
            files: Pairs::by(&old.files, &new.files, |file| Some(file.name.as_str())),
            processes: Pairs::by(&old.processes, &new.processes, |process| {
                Some(process.name.as_str())
            }),
            units: Pairs::by(&old.units, &new.units, |unit| Some(unit.name.as_str())),
            routers,
        }
    }
}

impl<I: Copy + From<u16> + Into<usize>> Pairs<I> {
    /// The old index of a new one; `None` if it is really new.
    #[must_use]
    pub fn before(&self, new: I) -> Option<I> {
        self.before.get(new.into()).copied().flatten()
    }

    /// The new index of an old one; `None` if it is gone.
    #[must_use]
    pub fn after(&self, old: I) -> Option<I> {
        self.after.get(old.into()).copied().flatten()
    }

    /// The old indices that stand for nothing any more.
    pub fn gone(&self) -> impl Iterator<Item = I> + '_ {
        (0..=u16::MAX)
            .map(I::from)
            .zip(&self.after)
            .filter(|(_, new)| new.is_none())
            .map(|(old, _)| old)
    }

    /// What was held for each old index, in the order of the new ones; `None` for those that are new.
    #[must_use]
    pub fn carry<T>(&self, held: Vec<T>) -> Vec<Option<T>> {
        let mut held: Vec<_> = held.into_iter().map(Some).collect();
        self.before
            .iter()
            .map(|old| held.get_mut((*old)?.into())?.take())
            .collect()
    }

    /// No partners yet.
    fn none(old: usize, new: usize) -> Self {
        Self {
            before: vec![None; new],
            after: vec![None; old],
        }
    }

    /// Partners have the same key; among equal keys in the order of the lists. `None` has no partner.
    fn by<'m, T, K: Eq + std::hash::Hash>(
        old: &'m [T],
        new: &'m [T],
        key: impl Fn(&'m T) -> Option<K>,
    ) -> Self {
        let mut pairs = Self::none(old.len(), new.len());
        let mut known: HashMap<K, Vec<u16>> = HashMap::new();
        // Backwards, so that `pop` takes the first.
        for (index, item) in (0..=u16::MAX).zip(old).collect::<Vec<_>>().into_iter().rev() {
            if let Some(key) = key(item) {
                known.entry(key).or_default().push(index);
            }
        }
        for (index, item) in (0..=u16::MAX).zip(new) {
            let found = key(item).and_then(|key| known.get_mut(&key)?.pop());
            if let Some(before) = found {
                pairs.pair(before, index);
            }
        }
        pairs
    }

    /// Partners for those without one yet.
    fn join<T>(&mut self, old: &[T], new: &[T], same: impl Fn(&T, &T) -> bool) {
        for (index, item) in (0..=u16::MAX).zip(new) {
            if self.before(I::from(index)).is_some() {
                continue;
            }
            let found = (0..=u16::MAX)
                .zip(old)
                .find(|(before, known)| self.after(I::from(*before)).is_none() && same(known, item));
            if let Some((before, _)) = found {
                self.pair(before, index);
            }
        }
    }

    fn pair(&mut self, old: u16, new: u16) {
        if let (Some(after), Some(before)) = (
            self.after.get_mut(usize::from(old)),
            self.before.get_mut(usize::from(new)),
        ) {
            *after = Some(I::from(new));
            *before = Some(I::from(old));
        }
    }
}

/// What peers know a virtual router by, less what tells those apart that share it.
type Identity<'m> = (Family, Vrid, &'m str);

fn identity<'m>(model: &'m Model, router: &VirtualRouter) -> Identity<'m> {
    let link = model.links.get(router.link.index()).map_or("", String::as_str);
    (router.family, router.vrid, link)
}

/// Where its adverts go to or come from.
fn place(router: &VirtualRouter) -> (bool, Option<IpAddr>) {
    match &router.transport {
        Transport::Multicast { group, .. } => (true, Some(*group)),
        Transport::Unicast { source, .. } => (false, *source),
    }
}

/// From the surest sign to the faintest; the first that fits decides.
const SIGNS: [fn(&VirtualRouter, &VirtualRouter) -> bool; 4] = [
    |one, other| place(one) == place(other) && one.name == other.name,
    |one, other| one.transport == other.transport,
    |one, other| place(one) == place(other),
    |one, other| one.name == other.name,
];

fn routers(old: &Model, new: &Model) -> Pairs<RouterId> {
    let mut pairs = Pairs::none(old.routers.len(), new.routers.len());
    let mut alike: HashMap<Identity<'_>, Vec<(u16, &VirtualRouter)>> = HashMap::new();
    for (index, router) in (0..=u16::MAX).zip(&old.routers) {
        alike
            .entry(identity(old, router))
            .or_default()
            .push((index, router));
    }
    for sign in SIGNS {
        for (index, router) in (0..=u16::MAX).zip(&new.routers) {
            if pairs.before(RouterId(index)).is_some() {
                continue;
            }
            let found = alike.get_mut(&identity(new, router)).and_then(|alike| {
                let place = alike.iter().position(|(_, known)| sign(known, router))?;
                Some(alike.remove(place))
            });
            if let Some((before, _)) = found {
                pairs.pair(before, index);
            }
        }
    }
    pairs
}

impl Reason {
    /// The same with new ids; what the reason was may be gone.
    #[must_use]
    pub(super) fn renumbered(self, correspondence: &Correspondence) -> Self {
        let renumbered = match self {
            Self::LinkDown { link } => correspondence
                .links
                .after(link)
                .map(|link| Self::LinkDown { link }),
            Self::LinkUnproven { link } => {
                let link = correspondence.links.after(link);
                link.map(|link| Self::LinkUnproven { link })
            }
            Self::ScriptFailing { script } => {
                let script = correspondence.scripts.after(script);
                script.map(|script| Self::ScriptFailing { script })
            }
            Self::FileFailing { file } => {
                let file = correspondence.files.after(file);
                file.map(|file| Self::FileFailing { file })
            }
            Self::ProcessFailing { process } => {
                let process = correspondence.processes.after(process);
                process.map(|process| Self::ProcessFailing { process })
            }
            Self::UnitFailing { unit } => {
                let unit = correspondence.units.after(unit);
                unit.map(|unit| Self::UnitFailing { unit })
            }
            Self::Group { leader } => {
                let leader = correspondence.routers.after(leader);
                leader.map(|leader| Self::Group { leader })
            }
            Self::Started
            | Self::Owner
            | Self::MasterDown { .. }
            | Self::MasterReleased { .. }
            | Self::Preempted { .. }
            | Self::HigherAddress { .. }
            | Self::HigherPriority { .. }
            | Self::OversleptTakenOver { .. }
            | Self::Overslept { .. }
            | Self::CannotSend { .. }
            | Self::NoPeers
            | Self::Lost { .. }
            | Self::NoSource
            | Self::Recovered
            | Self::Standby
            | Self::Resumed
            | Self::Shutdown
            | Self::Removed
            | Self::Reloaded => Some(self),
        };
        renumbered.unwrap_or(Self::Reloaded)
    }
}

/// Whether adverts of the old kind pass by the new rules. A password is not looked at: recordings do not have it.
pub(super) fn understands(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    let channel = |router: &VirtualRouter| match &router.transport {
        Transport::Multicast { group, .. } => Some(*group),
        Transport::Unicast { .. } => None,
    };
    // VRRPv2 refuses another interval (RFC 3768 §7.1).
    let interval = |router: &VirtualRouter| (router.version == Version::V2).then_some(router.interval);
    (old.version, channel(old), interval(old), old.auth.wire_type())
        == (new.version, channel(new), interval(new), new.auth.wire_type())
}

/// Whether both advertise the same to the same, save for priority and interval.
pub(super) fn same_advert(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    let addresses = |router: &VirtualRouter| -> Vec<IpAddr> {
        router.addresses.iter().map(|address| address.address).collect()
    };
    old.transport == new.transport
        && (old.version, old.v3_checksum, old.auth.wire_type())
            == (new.version, new.v3_checksum, new.auth.wire_type())
        && addresses(old) == addresses(new)
}

/// Whether there are addresses to announce that were not held before.
pub(super) fn gains_addresses(old: &VirtualRouter, new: &VirtualRouter) -> bool {
    let all = |router: &VirtualRouter| -> HashSet<IpAddr> {
        let addresses = router.addresses.iter().chain(&router.excluded);
        addresses.map(|address| address.address).collect()
    };
    !all(new).is_subset(&all(old))
}
