//! Whether adverts leave the host, and what is done when they do not.

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::{Instance, Step};
use crate::proto::effect::{Effect, Remark};
use crate::proto::model::VirtualRouter;
use crate::proto::router::State;

/// Whether adverts leave the host. There is no word of success: a send counts as one when the next is due
/// and no failure was told in between.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sending {
    /// The last send, until it is known to have failed.
    last: Option<Priority>,
    /// A failure was remarked and no success since.
    failing: bool,
    /// Since when nothing has left the host.
    silent_since: Option<MonoNanos>,
    /// That is a fault, with this `errno`.
    mute: Option<i32>,
    /// When to see whether it is over.
    pub(super) probe_at: Option<MonoNanos>,
}

/// Between two tries whether adverts leave the host again.
const PROBE_EVERY: Nanos = Nanos::from_secs(1);

impl Instance {
    /// Send an advert.
    pub(super) fn send(&mut self, step: &mut Step<'_>, priority: Priority) {
        if self.sending.failing && self.sending.last.is_some() {
            self.sending.failing = false;
            self.sending.silent_since = None;
            self.remark(step, Remark::SendRecovered);
        }
        self.sending.last = Some(priority);
        self.counters.adverts_sent += 1;
        if priority.is_release() {
            self.counters.priority_zero_sent += 1;
        }
        step.effects.push(Effect::Send {
            router: self.id,
            priority,
        });
    }

    /// The last advert did not leave the host, or, `partly`, did not leave it for all of the peers. Answers
    /// whether that is a fault now.
    pub(in crate::proto) fn send_failed(&mut self, step: &mut Step<'_>, errno: i32, partly: bool) -> bool {
        self.counters.send_failures += 1;
        if let Some(priority) = self.sending.last.take() {
            self.counters.adverts_sent = self.counters.adverts_sent.saturating_sub(1);
            if priority.is_release() {
                self.counters.priority_zero_sent = self.counters.priority_zero_sent.saturating_sub(1);
            }
        }
        if !std::mem::replace(&mut self.sending.failing, true) {
            self.remark(step, Remark::SendFailed { errno });
        }
        if partly {
            self.sending.silent_since = None;
            return false;
        }
        let silent = step.now.since(*self.sending.silent_since.get_or_insert(step.now));
        let Some(limit) = step.config.uncommon.send_fault else {
            return false;
        };
        if silent < limit || self.sending.probe_at.is_some() || self.state() == State::Init {
            return false;
        }
        self.sending.mute = Some(errno);
        self.sending.probe_at = Some(step.now + PROBE_EVERY);
        true
    }

    /// Why nothing leaves the host, if that is a fault.
    pub(in crate::proto) fn mute(&self, config: &VirtualRouter) -> Option<i32> {
        self.sending.mute.filter(|_| config.uncommon.send_fault.is_some())
    }

    /// Another configuration: silence may be no fault any more.
    pub(super) fn adopt_sending(&mut self, config: &VirtualRouter) {
        if config.uncommon.send_fault.is_none() {
            self.sending.mute = None;
            self.sending.probe_at = None;
        }
    }

    /// A probe left the host; answers whether that ends a fault.
    pub(in crate::proto) fn probed(&mut self, step: &mut Step<'_>) -> bool {
        let ends = self.sending.probe_at.is_some();
        if ends {
            self.sending = Sending::default();
            self.remark(step, Remark::SendRecovered);
        }
        ends
    }

    /// Try again if it is time.
    pub(super) fn probe_due(&mut self, step: &mut Step<'_>) {
        if self.sending.probe_at.is_some_and(|at| at <= step.now) {
            self.sending.probe_at = Some(step.now + PROBE_EVERY);
            step.effects.push(Effect::Probe { router: self.id });
        }
    }
}
