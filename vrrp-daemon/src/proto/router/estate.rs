//! A hitless restart: what a protocol process leaves to its successor, which goes on as after a reload.
//!
//! 1. [`Vrrp::estate`]: the old process writes down what it is, and decides nothing from then on.
//! 2. [`Vrrp::succeed`]: the new one, which has its own configuration and was not started, is that from now on. Facts may
//!    be told now; they are only noted.
//! 3. [`Input::Start`](crate::proto::Input::Start): everything is judged anew. A Master sends an advert at once.
//!
//! Both run on one host and between two boots, so points of CLOCK_MONOTONIC mean the same to both.

use serde::{Deserialize, Serialize};
use vrrp_common::time::MonoNanos;

use super::group::Group;
use super::{Life, State, Vrrp};
use crate::proto::deadlines::Deadlines;
use crate::proto::hold::Holds;
use crate::proto::instance::Instance;
use crate::proto::model::{GroupId, Model, RouterId, ScriptId, UnitId};
use crate::proto::reload::Correspondence;
use crate::proto::tracking::{Facts, Watch};
use crate::proto::{NotifyState, ScriptState, Subject};
use vrrp_common::id::Priority;

/// All that a protocol process is, as JSON has it. No password is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Estate {
    model: Model,
    facts: Facts,
    holds: Holds,
    /// Same order as `model.routers`.
    instances: Vec<Instance>,
    /// Same order as `model.groups`.
    groups: Vec<Group>,
}

/// It does not fit together: not what such a process writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{instances} states of {routers} virtual routers, {told} of {groups} sync groups")]
pub struct Unfit {
    instances: usize,
    routers: usize,
    told: usize,
    groups: usize,
}

impl Estate {
    /// Whether it fits together, as far as that can be seen.
    ///
    /// # Errors
    /// [`Unfit`]
    pub fn check(&self) -> Result<(), Unfit> {
        let found = Unfit {
            instances: self.instances.len(),
            routers: self.model.routers.len(),
            told: self.groups.len(),
            groups: self.model.groups.len(),
        };
        match (found.instances, found.told) == (found.routers, found.groups) {
            true => Ok(()),
            false => Err(found),
        }
    }

    /// The configuration that it ran.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The state of each virtual router, by its id there.
    pub fn states(&self) -> impl Iterator<Item = (RouterId, State)> + '_ {
        (0..=u16::MAX)
            .map(RouterId)
            .zip(&self.instances)
            .map(|(id, instance)| (id, instance.state()))
    }

    /// Whether it was Master there.
    #[must_use]
    pub fn is_master(&self, router: RouterId) -> bool {
        let instance = self.instances.get(router.index());
        instance.is_some_and(|instance| instance.state() == State::Master)
    }
}

impl Vrrp {
    /// What it is; `None` unless it runs.
    #[must_use]
    pub fn estate(&self) -> Option<Estate> {
        (self.life == Life::Running).then(|| Estate {
            model: self.model.clone(),
            facts: self.facts.clone(),
            holds: self.holds.clone(),
            instances: self.instances.clone(),
            groups: self.groups.clone(),
        })
    }

    /// Be what another process was, as far as the configuration has it still; which of it is which of ours is the
    /// answer. `now`: until then that process has sent its adverts. Not for one that was started.
    pub fn succeed(&mut self, now: MonoNanos, estate: Estate) -> Correspondence {
        let ours = std::mem::replace(&mut self.model, estate.model);
        let ids = || (0..=u16::MAX).map(RouterId);
        let mut left = estate.instances.into_iter();
        let instances = ids().zip(&self.model.routers).map(|(id, config)| {
            let left = left.next().map(|instance| instance.succeed(now, id));
            left.unwrap_or_else(|| Instance::new(id, config.priority, now))
        });
        self.instances = instances.collect();
        self.groups = estate.groups;
        self.groups.resize(self.model.groups.len(), Group::default());
        self.facts = estate.facts;
        self.holds = estate.holds;
        let watches = ids()
            .zip(&self.model.routers)
            .map(|(id, _)| Watch::new(&self.model, id));
        self.watches = watches.collect();
        self.deadlines = Deadlines::new(self.model.routers.len());
        self.life = Life::Running;
        let correspondence = Correspondence::between(&self.model, &ours);
        self.adopt(now, ours, &correspondence);
        correspondence
    }

    /// What was told last of every virtual router and sync group, for who tells it again.
    pub fn told(&self) -> impl Iterator<Item = (Subject, NotifyState, Priority)> + '_ {
        let word = |state| match state {
            State::Init => None,
            State::Backup => Some(NotifyState::Backup),
            State::Master => Some(NotifyState::Master),
            State::Fault => Some(NotifyState::Fault),
        };
        let groups = (0..=u16::MAX).map(GroupId).zip(&self.groups);
        let groups = groups
            .filter_map(move |(id, group)| Some((Subject::Group(id), word(group.told())?, Priority(0))));
        let routers = (0..=u16::MAX).map(RouterId).zip(&self.instances);
        let routers = routers.filter_map(move |(id, instance)| {
            Some((
                Subject::Router(id),
                word(instance.state())?,
                instance.effective_priority(),
            ))
        });
        groups.chain(routers)
    }

    /// The verdicts on scripts that are known.
    pub fn verdicts(&self) -> impl Iterator<Item = (ScriptId, ScriptState)> + '_ {
        let ids = (0..=u16::MAX).map(ScriptId).take(self.model.scripts.len());
        ids.filter_map(|id| Some((id, self.script(id)?)))
    }

    /// The tracked units that are known not to be steady.
    pub fn unsteady(&self) -> impl Iterator<Item = UnitId> + '_ {
        let ids = (0..=u16::MAX).map(UnitId).take(self.model.units.len());
        ids.filter(|id| self.unit(*id) == Some(false))
    }
}
