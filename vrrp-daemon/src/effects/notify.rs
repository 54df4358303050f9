//! Tells scripts and FIFOs about state changes: `notify_<state>`, then `notify` with `INSTANCE|GROUP NAME STATE
//! PRIORITY` appended; to FIFOs a line `INSTANCE|GROUP "NAME" STATE PRIORITY`.
//!
//! For one virtual router or group strictly in order and never two at a time (keepalived lets them overlap
//! and overtake one another); different ones side by side. Where a script hangs, the oldest of what waits
//! behind it is dropped first, so the state told last is the true one.
//!
//! Winning a contention is told as `MASTER_RX_LOWER_PRI`, never as a second `MASTER`: existing scripts take each
//! `MASTER` for a takeover.

mod runner;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use vrrp_common::id::Priority;

pub use self::runner::Runner;
use crate::config::{Config, Fifos, Notify};
use crate::proto::reload::Correspondence;
use crate::proto::{GroupId, NotifyState, RouterId, Subject};
use crate::sys::scripts::Scripts;

/// Notifications on their way from the protocol thread.
const QUEUE: usize = 4096;
/// Places in it that only a new configuration takes: it must not be lost.
const RESERVED: usize = 8;

/// The protocol thread's end: never blocks. Dropping it lets the [`Runner`] finish what was queued.
#[derive(Debug)]
pub struct Notifier {
    queue: mpsc::Sender<Message>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Message {
    Tell(Notice),
    Reconfigure(Box<(Tellings, Correspondence)>),
    /// The configuration was read again, and is the one that runs.
    Unchanged,
}

/// One thing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Notice {
    subject: Subject,
    event: Event,
    priority: Priority,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Event {
    State(NotifyState),
    /// The effective priority changed; FIFOs alone are told, if they asked for it.
    Priority,
    /// An earlier process has told this state.
    Told(NotifyState),
}

/// Who is told what, as a configuration has it.
#[derive(Debug)]
struct Tellings {
    subjects: Vec<(Subject, String, Notify)>,
    fifos: Fifos,
}

impl Tellings {
    fn of(config: &Config) -> Self {
        let groups = config.model.groups.iter().zip(&config.group_notify).zip(0..);
        let routers = config.model.routers.iter().zip(&config.router_notify).zip(0..);
        let groups = groups.map(|((group, scripts), index)| {
            (
                Subject::Group(GroupId(index)),
                group.name.clone(),
                scripts.clone(),
            )
        });
        let routers = routers.map(|((router, scripts), index)| {
            (
                Subject::Router(RouterId(index)),
                router.name.clone(),
                scripts.clone(),
            )
        });
        Self {
            subjects: groups.chain(routers).collect(),
            fifos: config.global.fifos.clone(),
        }
    }
}

impl Notifier {
    /// Queue a notification; if the queue is full it is dropped and counted.
    pub fn notify(&self, subject: Subject, state: NotifyState, priority: Priority) {
        self.tell(Notice {
            subject,
            event: Event::State(state),
            priority,
        });
    }

    /// The effective priority changed: for the FIFOs, where `notify_priority_changes` asks for it.
    pub fn priority_changed(&self, router: RouterId, priority: Priority) {
        self.tell(Notice {
            subject: Subject::Router(router),
            event: Event::Priority,
            priority,
        });
    }

    /// An earlier process has told this last: nobody is told again, but for those who want it when the configuration is
    /// read again.
    pub fn remember(&self, subject: Subject, state: NotifyState, priority: Priority) {
        self.tell(Notice {
            subject,
            event: Event::Told(state),
            priority,
        });
    }

    /// From here on `config` counts. What was queued before is told under its old names and by its old scripts; a
    /// router that goes on under another id keeps its place in the queue.
    pub fn reconfigure(&self, config: &Config, correspondence: &Correspondence) {
        let new = Box::new((Tellings::of(config), correspondence.clone()));
        // Not one after the other so fast that the reserved places run out.
        if self.queue.try_send(Message::Reconfigure(new)).is_err() {
            tracing::error!(
                "notifications go on as before the reload: a notify script hangs; restart the daemon"
            );
        }
    }

    /// A reload found nothing new: FIFOs that asked for it are told all states all the same.
    pub fn unchanged(&self) {
        if self.queue.capacity() > RESERVED {
            // When the runner is gone nobody reads either.
            let _gone = self.queue.try_send(Message::Unchanged);
        }
    }

    fn tell(&self, notice: Notice) {
        if self.queue.capacity() <= RESERVED || self.queue.try_send(Message::Tell(notice)).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notifications dropped so far, here, behind a script that hangs, or for a FIFO's reader.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Both ends; `scripts` will start what is to be run. Users are looked up here, once; call it where blocking is allowed.
#[must_use]
pub fn channel(config: &Config, scripts: Scripts) -> (Notifier, Runner) {
    let (queue, messages) = mpsc::channel(QUEUE + RESERVED);
    let dropped = Arc::new(AtomicU64::new(0));
    let runner = Runner::new(messages, Arc::clone(&dropped), Tellings::of(config), scripts);
    (Notifier { queue, dropped }, runner)
}
