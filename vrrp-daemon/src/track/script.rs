//! Runs the tracked scripts (`vrrp_script`), each in a task of its own on the service runtime.
//!
//! A script is started every `interval`, counted start to start on CLOCK_MONOTONIC; a run that takes longer
//! swallows the starts it misses, so runs of one script never overlap. A run that exceeds `timeout` has
//! failed: its process group gets SIGTERM at once, and SIGKILL two seconds later if it is still there.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use vrrp_common::time::Nanos;

use super::Tracked;
use super::board::{Board, Desk, Id, Key, Routes, Word};
use super::verdict::Verdict;
use crate::config::{ScriptSpec, ScriptUser};
use crate::proto::ScriptState;
use crate::sys::process::{self, Identity, IdentityError, Lifetime, ProcessGroup};

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// No script is started more often than this, whatever its configuration says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The scripts that are run. Dropping it kills them.
#[derive(Debug, Default)]
pub(super) struct Scripts {
    running: Vec<Running>,
    /// Also of those that are about to end.
    tasks: JoinSet<()>,
}

/// One that is run. Dropping it ends its task, politely.
#[derive(Debug)]
struct Running {
    key: Key,
    spec: ScriptSpec,
    user: Option<ScriptUser>,
    /// Sends nothing: its end is the message.
    _stop: watch::Sender<()>,
}

impl Scripts {
    /// Run `wanted` from now on. What is run already in just the same way is left alone.
    pub(super) fn reconfigure(&mut self, wanted: Vec<Tracked>, routes: &mut Routes, board: &Board) {
        while self.tasks.try_join_next().is_some() {}
        let mut before: HashMap<Vec<String>, Vec<Running>> = HashMap::new();
        for running in self.running.drain(..) {
            before
                .entry(running.spec.command.argv.clone())
                .or_default()
                .push(running);
        }
        let mut fresh = Vec::new();
        for script in wanted {
            let same_command = before.get_mut(&script.spec.command.argv);
            let unchanged = same_command.and_then(|running| {
                let like = |one: &Running| one.spec == script.spec && one.user == script.user;
                let place = running.iter().position(like)?;
                Some(running.swap_remove(place))
            });
            match unchanged {
                Some(running) => {
                    routes.add(running.key, script.name, Id::Script(script.id));
                    self.running.push(running);
                }
                None => fresh.push(script),
            }
        }
        // Only now: a changed script must not take what an unchanged one goes on with.
        for script in fresh {
            let key = routes.new_key();
            routes.add(key, script.name, Id::Script(script.id));
            let old = before.get_mut(&script.spec.command.argv).and_then(Vec::pop);
            let last = match old.and_then(|old| board.desk().word(old.key)) {
                Some(Word::Script(state)) => Some(state),
                Some(Word::File(_) | Word::Process(_)) | None => script.last,
            };
            let (stop, stopped) = watch::channel(());
            let task = Task {
                key,
                spec: script.spec.clone(),
                user: script.user.clone(),
                last,
                desk: board.desk(),
                stopped,
            };
            self.tasks.spawn(task.run());
            self.running.push(Running {
                key,
                spec: script.spec,
                user: script.user,
                _stop: stop,
            });
        }
    }

    /// SIGTERM to every run under way, SIGKILL to what is left after the grace; ends when all are gone.
    pub(super) async fn stop(mut self) {
        self.running.clear();
        while self.tasks.join_next().await.is_some() {}
    }
}

/// The life of one script.
struct Task {
    key: Key,
    spec: ScriptSpec,
    user: Option<ScriptUser>,
    /// The last verdict on this command, from before a reload.
    last: Option<ScriptState>,
    desk: Desk,
    stopped: watch::Receiver<()>,
}

impl Task {
    async fn run(mut self) {
        let spec = &self.spec;
        let mut verdict = Verdict::new(spec.rise, spec.fall, spec.init_fail);
        if let Some(last) = self.last {
            verdict.resume(last);
        }
        if let Some(state) = verdict.state() {
            self.desk.put(self.key, Word::Script(state));
        }
        // A script that was not found is out of the election, as in keepalived; the configuration said so.
        if spec.disabled {
            return;
        }
        // Name services may block, and a first run is soon enough to know.
        let user = self.user.clone();
        let looked_up = tokio::task::spawn_blocking(move || user.as_ref().map(identity).transpose());
        let identity = match looked_up.await {
            Ok(Ok(identity)) => identity,
            Ok(Err(error)) => {
                let name = self.desk.name(self.key);
                tracing::error!(script = %name, "VRRP_Script({name}) cannot run: {error}");
                self.desk.put(self.key, Word::Script(ScriptState::Failing));
                return;
            }
            // The runtime ends.
            Err(_) => return,
        };
        let mut starts = interval(duration(spec.interval).max(SHORTEST_INTERVAL));
        starts.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let limit = duration(spec.timeout).max(SHORTEST_INTERVAL);
        loop {
            tokio::select! {
                _ = starts.tick() => {}
                _ = self.stopped.changed() => return,
            }
            let run = run(&spec.command.argv, identity.as_ref(), limit, &mut self.stopped).await;
            let Some((run, overdue)) = run else { return };
            // A run that is overdue is told before it has ended: it may take its time.
            if let Some(state) = verdict.observe(run.state()) {
                let name = self.desk.name(self.key);
                match state {
                    ScriptState::Passing => tracing::info!(script = %name, "VRRP_Script({name}) succeeded"),
                    ScriptState::Failing => tracing::warn!(script = %name, "VRRP_Script({name}) {run}"),
                }
                self.desk.put(self.key, Word::Script(state));
            }
            if let Some(overdue) = overdue {
                overdue.end().await;
            }
        }
    }
}

fn identity(user: &ScriptUser) -> Result<Identity, IdentityError> {
    Identity::lookup(&user.user, user.group.as_deref())
}

fn duration(span: Nanos) -> Duration {
    Duration::from_nanos(span.0)
}

/// How a run ended.
#[derive(Debug)]
enum Run {
    Ended(ExitStatus),
    TimedOut(Duration),
    NotStarted(io::Error),
}

impl Run {
    fn state(&self) -> ScriptState {
        match self {
            Self::Ended(status) if status.success() => ScriptState::Passing,
            Self::Ended(_) | Self::TimedOut(_) | Self::NotStarted(_) => ScriptState::Failing,
        }
    }
}

impl std::fmt::Display for Run {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Ended(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "failed (exited with status {code})"),
                (None, Some(signal)) => write!(f, "failed (due to signal {signal})"),
                (None, None) => f.write_str("failed"),
            },
            Self::TimedOut(limit) => write!(f, "timed out after {} ms", limit.as_millis()),
            Self::NotStarted(error) => {
                write!(
                    f,
                    "failed (could not be started: {error}; check its path and that it is executable)"
                )
            }
        }
    }
}

/// Run it once, and what is still to be ended; `None` when we are to stop. Whatever happens, nothing of its process
/// group that was seen to misbehave is left.
async fn run(
    argv: &[String],
    identity: Option<&Identity>,
    limit: Duration,
    stopped: &mut watch::Receiver<()>,
) -> Option<(Run, Option<Leader>)> {
    let command = process::command(argv, identity, Lifetime::WithUs);
    let mut child = match tokio::process::Command::from(command).spawn() {
        Ok(child) => Leader::new(child),
        Err(error) => return Some((Run::NotStarted(error), None)),
    };
    let ended = tokio::select! {
        status = child.wait() => Some(match status {
            Ok(status) => Run::Ended(status),
            Err(error) => Run::NotStarted(error),
        }),
        () = sleep(limit) => Some(Run::TimedOut(limit)),
        _ = stopped.changed() => None,
    };
    match ended {
        Some(Run::Ended(status)) => Some((Run::Ended(status), None)),
        Some(run) => Some((run, Some(child))),
        None => {
            child.end().await;
            None
        }
    }
}

/// A child whose process group is killed if it is dropped before it has ended.
struct Leader {
    child: Child,
    group: Option<ProcessGroup>,
}

impl Leader {
    fn new(child: Child) -> Self {
        let group = ProcessGroup::of(child.id());
        Self { child, group }
    }

    /// Wait until the leader ends; its group is then left alone.
    async fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.child.wait().await?;
        self.group = None;
        Ok(status)
    }

    /// SIGTERM to the group, then SIGKILL: after the grace, or as soon as the leader is gone, for what it
    /// left behind.
    async fn end(mut self) {
        if let Some(group) = self.group {
            group.signal(Signal::SIGTERM);
            // Not `self.wait()`: the group must still be known for the SIGKILL in `drop`.
            let _ = timeout(GRACE, self.child.wait()).await;
        }
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            group.signal(Signal::SIGKILL);
        }
    }
}
