//! Tells scripts about state changes: `notify_<state>`, then `notify` with `INSTANCE|GROUP NAME STATE
//! PRIORITY` appended.
//!
//! For one virtual router or group strictly in order and never two at a time (keepalived lets them overlap
//! and overtake one another); different ones side by side. Where a script hangs, the oldest of what waits
//! behind it is dropped first, so the state told last is the true one.

#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use vrrp_common::id::Priority;

use crate::config::{Command, Config, Notify, ScriptUser};
use crate::proto::{NotifyState, Subject};
use crate::sys::process::{self, Identity, Lifetime};

/// Notifications on their way from the protocol thread.
const QUEUE: usize = 4096;
/// Notifications that wait behind one script of one subject.
const BACKLOG: usize = 64;

/// The protocol thread's end: never blocks. Dropping it lets the [`Runner`] finish what was queued.
#[derive(Debug)]
pub struct Notifier {
    queue: mpsc::Sender<Notice>,
    dropped: Arc<AtomicU64>,
}

/// One thing to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Notice {
    subject: Subject,
    state: NotifyState,
    priority: Priority,
}

/// The service runtime's end.
#[derive(Debug)]
pub struct Runner {
    notices: mpsc::Receiver<Notice>,
    dropped: Arc<AtomicU64>,
    subjects: HashMap<Subject, Told>,
    identities: HashMap<(String, Option<String>), Option<Identity>>,
}

/// A subject that somebody is told about.
#[derive(Debug)]
struct Told {
    kind: &'static str,
    name: String,
    scripts: Notify,
    waiting: VecDeque<Notice>,
    busy: bool,
}

/// What runs for one notice.
struct Job {
    argv: Vec<String>,
    identity: Option<Identity>,
}

impl Notifier {
    /// Queue a notification; if the queue is full it is dropped and counted.
    pub fn notify(&self, subject: Subject, state: NotifyState, priority: Priority) {
        if self
            .queue
            .try_send(Notice {
                subject,
                state,
                priority,
            })
            .is_err()
        {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Notifications dropped so far, here or behind a script that hangs.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

/// Both ends. Users are looked up here, once; call it where blocking is allowed.
#[must_use]
pub fn channel(config: &Config) -> (Notifier, Runner) {
    let (queue, notices) = mpsc::channel(QUEUE);
    let dropped = Arc::new(AtomicU64::new(0));
    let routers = config.model.routers.iter().zip(&config.router_notify);
    let groups = config.model.groups.iter().zip(&config.group_notify);
    let subjects = routers
        .zip(0..)
        .map(|((router, scripts), index)| {
            let subject = Subject::Router(crate::proto::RouterId(index));
            (subject, Told::new("INSTANCE", &router.name, scripts))
        })
        .chain(groups.zip(0..).map(|((group, scripts), index)| {
            let subject = Subject::Group(crate::proto::GroupId(index));
            (subject, Told::new("GROUP", &group.name, scripts))
        }))
        .collect();
    let mut runner = Runner {
        notices,
        dropped: Arc::clone(&dropped),
        subjects,
        identities: HashMap::new(),
    };
    runner.look_up_users(config);
    (Notifier { queue, dropped }, runner)
}

impl Told {
    fn new(kind: &'static str, name: &str, scripts: &Notify) -> Self {
        Self {
            kind,
            name: name.to_owned(),
            scripts: scripts.clone(),
            waiting: VecDeque::new(),
            busy: false,
        }
    }

    /// The commands for a notice, in order.
    fn commands(&self, notice: Notice) -> impl Iterator<Item = (Vec<String>, Option<&ScriptUser>)> {
        let scripts = &self.scripts;
        let (special, any): (Option<&Command>, Option<&Command>) = match notice.state {
            NotifyState::Master => (scripts.master.as_ref(), scripts.any.as_ref()),
            NotifyState::Backup => (scripts.backup.as_ref(), scripts.any.as_ref()),
            NotifyState::Fault | NotifyState::Deleted => (scripts.fault.as_ref(), scripts.any.as_ref()),
            NotifyState::Stop => (scripts.stop.as_ref(), scripts.any.as_ref()),
            // Not a state: its own script only, as in keepalived.
            NotifyState::MasterRxLowerPri => (scripts.master_rx_lower_pri.as_ref(), None),
        };
        let special = special.map(|command| (command.argv.clone(), command.user.as_ref()));
        let any = any.map(|command| {
            let mut argv = command.argv.clone();
            argv.extend([
                self.kind.to_owned(),
                self.name.clone(),
                word(notice.state).to_owned(),
                notice.priority.to_string(),
            ]);
            (argv, command.user.as_ref())
        });
        special.into_iter().chain(any)
    }
}

/// keepalived's word for a state.
fn word(state: NotifyState) -> &'static str {
    match state {
        NotifyState::Master => "MASTER",
        NotifyState::Backup => "BACKUP",
        NotifyState::Fault | NotifyState::Deleted => "FAULT",
        NotifyState::Stop => "STOP",
        NotifyState::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
    }
}

impl Runner {
    /// Run scripts until the [`Notifier`] is gone and everything that was queued has been run.
    pub async fn run(mut self) {
        let mut running = JoinSet::new();
        let mut open = true;
        let mut reported = 0;
        while open || !running.is_empty() {
            tokio::select! {
                notice = self.notices.recv(), if open => match notice {
                    Some(notice) => self.accept(notice, &mut running),
                    None => open = false,
                },
                Some(ended) = running.join_next() => {
                    // A task that panicked would leave its subject busy for ever; there is none.
                    if let Ok(subject) = ended {
                        self.next(subject, &mut running);
                    }
                }
            }
            let dropped = self.dropped.load(Ordering::Relaxed);
            if dropped != reported {
                tracing::warn!(
                    dropped,
                    "{} notifications dropped: a notify script hangs or is too slow",
                    dropped - reported
                );
                reported = dropped;
            }
        }
    }

    /// [`run`](Self::run), but once `stopping` resolves for `patience` at most: what still runs then goes on
    /// without us.
    pub async fn run_until(self, stopping: impl Future<Output = ()>, patience: Duration) {
        let run = self.run();
        tokio::pin!(run);
        tokio::select! {
            () = &mut run => return,
            () = stopping => {}
        }
        if timeout(patience, run).await.is_err() {
            tracing::warn!(
                "notify scripts still running after {} s are left to themselves",
                patience.as_secs()
            );
        }
    }

    fn accept(&mut self, notice: Notice, running: &mut JoinSet<Subject>) {
        let Some(told) = self.subjects.get_mut(&notice.subject) else {
            return;
        };
        if told.commands(notice).next().is_none() {
            return;
        }
        if told.waiting.len() == BACKLOG {
            told.waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        told.waiting.push_back(notice);
        if !told.busy {
            self.next(notice.subject, running);
        }
    }

    /// Start the next notice of `subject`, if one waits.
    fn next(&mut self, subject: Subject, running: &mut JoinSet<Subject>) {
        let Some(told) = self.subjects.get_mut(&subject) else {
            return;
        };
        let Some(notice) = told.waiting.pop_front() else {
            told.busy = false;
            return;
        };
        told.busy = true;
        let told = &*told;
        let jobs: Vec<Job> = told
            .commands(notice)
            .filter_map(|(argv, user)| {
                let identity = match user {
                    None => None,
                    // Of a user who does not exist it was said at start.
                    Some(user) => Some(self.identities.get(&key(user))?.clone()?),
                };
                Some(Job { argv, identity })
            })
            .collect();
        running.spawn(async move {
            for job in jobs {
                job.run().await;
            }
            subject
        });
    }

    /// Look up every user that a script names, and put `script_user` where none is named.
    fn look_up_users(&mut self, config: &Config) {
        for told in self.subjects.values_mut() {
            let Notify {
                master,
                backup,
                fault,
                stop,
                master_rx_lower_pri,
                any,
            } = &mut told.scripts;
            for command in [master, backup, fault, stop, master_rx_lower_pri, any]
                .into_iter()
                .flatten()
            {
                if command.user.is_none() {
                    command.user.clone_from(&config.global.script_user);
                }
                let Some(user) = &command.user else { continue };
                self.identities.entry(key(user)).or_insert_with(|| {
                    match Identity::lookup(&user.user, user.group.as_deref()) {
                        Ok(identity) => Some(identity),
                        Err(error) => {
                            tracing::error!("notify scripts of {} will not run: {error}", user.user);
                            None
                        }
                    }
                });
            }
        }
    }
}

fn key(user: &ScriptUser) -> (String, Option<String>) {
    (user.user.clone(), user.group.clone())
}

impl Job {
    /// Run it to its end. keepalived gives notify scripts all the time they want, and so do we.
    async fn run(self) {
        let command = process::command(&self.argv, self.identity.as_ref(), Lifetime::OnItsOwn);
        let shown = self.argv.first().map_or("", String::as_str);
        match tokio::process::Command::from(command).spawn() {
            Err(error) => tracing::error!(
                "notify script {shown} could not be started: {error}; check its path and that it is executable"
            ),
            Ok(mut child) => match child.wait().await {
                Ok(status) if status.success() => {}
                Ok(status) => tracing::warn!("notify script {shown} ended with {status}"),
                Err(error) => tracing::warn!("waiting for notify script {shown}: {error}"),
            },
        }
    }
}
