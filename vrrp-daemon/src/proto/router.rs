//! All virtual routers of this host.

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::counters::Counters;
use super::effect::Effect;
use super::input::Input;
use super::model::{Model, RouterId};

/// State of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum State {
    /// Waiting for what the election needs.
    Init,
    /// Another router is, or may be, Master.
    Backup,
    /// We hold the addresses.
    Master,
    /// Something that counts is down.
    Fault,
}

/// The protocol for all virtual routers and sync groups of a [`Model`].
#[derive(Debug)]
pub struct Vrrp {
    model: Model,
}

/// What a status display shows of one virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// State.
    pub state: State,
    /// Since when.
    pub since: MonoNanos,
    /// Why it is in this state.
    pub reason: super::Reason,
    /// Effective priority.
    pub priority: Priority,
    /// The Master as we know it: its address, priority and last advert.
    pub master: Option<MasterSeen>,
    /// Master_Down_Interval as it stands.
    pub master_down: Nanos,
    /// Counters.
    pub counters: Counters,
}

/// The Master that a Backup follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct MasterSeen {
    /// Source of its adverts.
    pub address: std::net::IpAddr,
    /// Its priority.
    pub priority: Priority,
    /// Arrival of the last advert.
    pub last: MonoNanos,
}

impl Vrrp {
    /// All virtual routers in [`State::Init`], every link and source unknown (down), every script not run.
    #[must_use]
    pub fn new(model: Model, now: MonoNanos) -> Self {
        let _ = now;
        Self { model }
    }

    /// The configuration this runs.
    #[must_use]
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Take one input; append what is to be done to `effects`, in order.
    pub fn handle(&mut self, now: MonoNanos, input: Input, effects: &mut Vec<Effect>) {
        let _ = (now, input, effects);
    }

    /// When to hand over the next [`Input::Tick`].
    #[must_use]
    pub fn next_deadline(&self) -> Option<MonoNanos> {
        None
    }

    /// The virtual routers whose down timer is due at `now`: before the [`Input::Tick`], the driver reads
    /// their stamps and feeds [`Input::StillThere`].
    pub fn down_timers_due(&self, now: MonoNanos) -> impl Iterator<Item = RouterId> + '_ {
        let _ = now;
        std::iter::empty()
    }

    /// What to show of a virtual router; `None` for an unknown id.
    #[must_use]
    pub fn status(&self, router: RouterId) -> Option<Status> {
        let _ = router;
        None
    }
}
