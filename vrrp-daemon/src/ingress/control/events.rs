//! Every transition and remark, for those who follow. Nobody waits for them: a queue is bounded, and who reads too
//! slowly loses the oldest and is told how many.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use tokio::sync::broadcast;

/// Events that wait for a client at most.
pub const QUEUE: usize = 256;

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Counts up from 1 since the daemon started; a gap is what was lost.
    pub seq: u64,
    /// The host's clock, milliseconds since 1970.
    pub unix_ms: u64,
    /// What kind.
    pub kind: EventKind,
    /// The virtual router or sync group, if one.
    pub subject: Option<String>,
    /// VRID of the virtual router.
    pub vrid: Option<u8>,
    /// Its interface.
    pub interface: Option<String>,
    /// State before, of a transition.
    pub from: Option<String>,
    /// State after, of a transition or a group.
    pub to: Option<String>,
    /// The name of the reason or remark.
    pub reason: Option<String>,
    /// The other router, if one; of a transition, the Master that was heard last.
    pub source: Option<IpAddr>,
    /// Age of its last advert then, in milliseconds, rounded down.
    pub age_ms: Option<u64>,
    /// The same in microseconds.
    pub age_us: Option<u64>,
    /// How long a transition took, in microseconds: until its adverts were sent and all else was handed on.
    pub took_us: Option<u64>,
    /// The log's words.
    pub text: String,
}

/// What kind of thing happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventKind {
    /// A virtual router changed state.
    Transition,
    /// A sync group did.
    Group,
    /// Something else that is worth a line.
    Remark,
}

/// Where events are told, and those who follow get theirs.
#[derive(Clone, Debug)]
pub struct Events {
    followers: broadcast::Sender<Arc<Event>>,
    told: Arc<AtomicU64>,
}

impl Default for Events {
    fn default() -> Self {
        Self {
            followers: broadcast::Sender::new(QUEUE),
            told: Arc::default(),
        }
    }
}

impl Events {
    /// Tell all who follow. `event`'s number and time are filled in here; it is made only if there is somebody.
    pub fn tell(&self, event: impl FnOnce() -> Event) {
        let seq = self.told.fetch_add(1, Ordering::Relaxed) + 1;
        if self.followers.receiver_count() == 0 {
            return;
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let unix_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        // The last follower may have left meanwhile.
        let _ = self.followers.send(Arc::new(Event {
            seq,
            unix_ms,
            ..event()
        }));
    }

    /// How many follow.
    #[cfg(test)]
    pub(super) fn followers(&self) -> usize {
        self.followers.receiver_count()
    }

    /// Follow from now on.
    pub(super) fn follow(&self) -> broadcast::Receiver<Arc<Event>> {
        self.followers.subscribe()
    }
}
