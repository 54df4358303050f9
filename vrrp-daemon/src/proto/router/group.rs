//! Sync groups: their members change state together. A router without a group is company for itself, so
//! there is one path for both.
//!
//! | members | group |
//! |---|---|
//! | one in FAULT | all in FAULT; one that was Master says so with priority 0 |
//! | one stands down to Backup | all Backup, without priority 0: whoever was better is Master there |
//! | all want to be Master | all Master |
//! | the last fault is over | all Backup, each with a full wait; all Master if all are owners |
//! | one is asked to stand by | all stand by: Backup, with priority 0 from those that were Master |

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::MonoNanos;

use super::{State, Vrrp};
use crate::proto::effect::{Effect, NotifyState, Reason, Subject};
use crate::proto::instance::{Event, Instance};
use crate::proto::model::{GroupId, RouterId, VirtualRouter};
use crate::proto::tracking::Standing;

/// What was last told about a sync group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    told: State,
    /// A reload put members together of which some are Master and some are not yet. Until they agree, it is what
    /// it was.
    joining: bool,
}

impl Default for Group {
    fn default() -> Self {
        Self {
            told: State::Init,
            joining: false,
        }
    }
}

impl Group {
    /// After a reload, with what was told of its predecessor.
    pub(super) fn joining(before: Option<Self>) -> Self {
        Self {
            joining: true,
            ..before.unwrap_or_default()
        }
    }

    /// What was last told of it.
    pub(super) fn told(self) -> State {
        self.told
    }

    /// Notify if `state` is news. There is no word for [`State::Init`]: nothing was told yet, or a new member is
    /// about to be what the others are.
    fn tell(&mut self, id: GroupId, state: State, effects: &mut Vec<Effect>) {
        if state != State::Init && std::mem::replace(&mut self.told, state) != state {
            let state = match state {
                State::Init => return,
                State::Backup => NotifyState::Backup,
                State::Master => NotifyState::Master,
                State::Fault => NotifyState::Fault,
            };
            notify(id, state, effects);
        }
    }
}

/// The daemon stops.
pub(super) fn stopped(id: GroupId, effects: &mut Vec<Effect>) {
    notify(id, NotifyState::Stop, effects);
}

/// A group's priority is told as 0, as keepalived does.
fn notify(id: GroupId, state: NotifyState, effects: &mut Vec<Effect>) {
    effects.push(Effect::Notify {
        subject: Subject::Group(id),
        state,
        priority: Priority(0),
    });
}

/// The state of a group whose members are in `states`.
fn state_of(states: impl Iterator<Item = State>) -> State {
    let worse = |one: State, other: State| if rank(one) >= rank(other) { one } else { other };
    states.reduce(worse).unwrap_or(State::Init)
}

/// How far a state holds a group back from being Master.
fn rank(state: State) -> u8 {
    match state {
        State::Master => 0,
        State::Backup => 1,
        State::Init => 2,
        State::Fault => 3,
    }
}

impl Vrrp {
    /// Bring a virtual router, and all it moves with, to where its and their faults want it.
    pub(super) fn settle(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        let company = self.company(router);
        let leader = company.iter().copied().find(|&member| self.is_held(member));
        let owner_starts = company.iter().all(|&member| self.is_owner_without_state(member));
        // Those with a fault of their own lead.
        for leading in [true, false] {
            for &member in company.iter() {
                if self.is_held(member) == leading {
                    let standing = match leader {
                        Some(leader) if !leading => Standing::Failing(Reason::Group { leader }),
                        Some(_) | None => self.own_standing(member),
                    };
                    let _settled = self.step(
                        now,
                        member,
                        Event::Standing {
                            standing,
                            owner_starts,
                        },
                        effects,
                    );
                }
            }
        }
        self.tell_group(router, effects);
    }

    /// The down timer of `router` ran out: all of its company become Master if all want to.
    pub(super) fn promote_if_agreed(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        let company = self.company(router);
        let agreed = |member: &RouterId| {
            self.instances
                .get(member.index())
                .is_some_and(Instance::may_be_master)
        };
        if company.iter().all(agreed) {
            for &member in company.iter() {
                let _settled = self.step(now, member, Event::Promote, effects);
            }
        }
    }

    /// Tell everyone that `router` moves with, but not itself.
    pub(super) fn tell_siblings(
        &mut self,
        now: MonoNanos,
        router: RouterId,
        event: Event,
        effects: &mut Vec<Effect>,
    ) {
        for &sibling in self.company(router).iter().filter(|&&member| member != router) {
            let _settled = self.step(now, sibling, event, effects);
        }
    }

    /// Two hosts in one group, each of which is better in another member, make each other yield if their adverts
    /// cross, and again after waits of the same length, with nobody Master in between. So the host with the lower
    /// address lets the other go first.
    pub(super) fn let_pass(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        let company = self.company(router);
        if company.len() > 1 {
            for &member in company.iter() {
                let _settled = self.step(now, member, Event::LetPass, effects);
            }
        }
    }

    /// Notify the group of `router` if it is in another state than was last told. Comes after its members'.
    pub(super) fn tell_group(&mut self, router: RouterId, effects: &mut Vec<Effect>) {
        let Some(watch) = self.watches.get(router.index()) else {
            return;
        };
        let states = || {
            let members = watch.company.iter();
            members
                .filter_map(|member| self.instances.get(member.index()))
                .map(Instance::state)
        };
        if let Some(id) = watch.group
            && let Some(group) = self.groups.get_mut(id.index())
        {
            let state = state_of(states());
            group.joining &= state != State::Master && states().any(|state| state == State::Master);
            if !group.joining {
                group.tell(id, state, effects);
            }
        }
    }

    /// In a group that a reload put together, a Backup that has a Master elsewhere decides: those that are Master
    /// here give up, with priority 0, so that the group is Master where it is. One that merely waits, because it is
    /// new, takes nothing from the others: it is Master soon, or hears one.
    pub(super) fn reunite(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        let group = self.watches.get(router.index()).and_then(|watch| watch.group);
        if !group.is_some_and(|id| self.groups.get(id.index()).is_some_and(|group| group.joining)) {
            return;
        }
        let company = self.company(router);
        let follows = |member: &&RouterId| self.instances.get(member.index()).is_some_and(Instance::follows);
        if let Some(&leader) = company.iter().find(follows) {
            for &member in company.iter() {
                let _settled = self.step(now, member, Event::HandOver { leader }, effects);
            }
        }
    }

    pub(super) fn company(&self, router: RouterId) -> Arc<[RouterId]> {
        self.watches
            .get(router.index())
            .map_or_else(|| Arc::from([]), |watch| Arc::clone(&watch.company))
    }

    /// In FAULT for a reason of its own, or about to be. A script that has not run keeps in FAULT what is there
    /// already.
    fn is_held(&self, router: RouterId) -> bool {
        match self.own_standing(router) {
            Standing::Failing(_) => true,
            Standing::Pending => self.state(router) == Some(State::Fault),
            Standing::Ready => false,
        }
    }

    /// Whether nothing here keeps its company from being Master at once.
    fn is_owner_without_state(&self, router: RouterId) -> bool {
        let owner = |config: &VirtualRouter| config.initially_master && config.priority.is_owner();
        matches!(self.state(router), Some(State::Init | State::Fault))
            && self.own_standing(router) == Standing::Ready
            && !self.stands_by(router)
            && self.model.routers.get(router.index()).is_some_and(owner)
    }

    fn state(&self, router: RouterId) -> Option<State> {
        self.instances.get(router.index()).map(Instance::state)
    }

    fn own_standing(&self, router: RouterId) -> Standing {
        self.watches
            .get(router.index())
            .map_or(Standing::Ready, |watch| watch.standing)
    }
}
