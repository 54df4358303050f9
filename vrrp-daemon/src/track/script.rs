//! Runs the tracked scripts (`vrrp_script`), each in a task of its own on the service runtime.
//!
//! A script is started every `interval`, counted start to start on CLOCK_MONOTONIC; a run that takes longer
//! swallows the starts it misses, so runs of one script never overlap. A run that exceeds `timeout` has
//! failed: its process group gets SIGTERM at once, and SIGKILL two seconds later if it is still there.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use vrrp_common::time::Nanos;

use super::Tracked;
use super::board::{Board, Desk, Id, Key, Routes, Word};
use super::verdict::Verdict;
use crate::config::{ScriptSpec, ScriptUser};
use crate::proto::ScriptState;
use crate::sys::process::{Identity, IdentityError, Lifetime};
use crate::sys::scripts::{self, Failure, Script};

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// No script is started more often than this, whatever its configuration says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The scripts that are run. Dropping it kills them.
#[derive(Debug)]
pub(super) struct Scripts {
    starter: scripts::Scripts,
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
    /// None yet; `starter` will start them.
    pub(super) fn new(starter: scripts::Scripts) -> Self {
        Self {
            starter,
            running: Vec::new(),
            tasks: JoinSet::new(),
        }
    }

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
                Some(Word::File(_) | Word::Process(_) | Word::Unit(_)) | None => script.last,
            };
            let (stop, stopped) = watch::channel(());
            let task = Task {
                starter: self.starter.clone(),
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
    starter: scripts::Scripts,
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
            let script = Script {
                argv: spec.command.argv.clone(),
                identity: identity.clone(),
                lifetime: Lifetime::WithUs,
            };
            let run = run(self.starter.start(script), limit, &mut self.stopped).await;
            let Some((run, overdue)) = run else { return };
            let Some(outcome) = run.state() else {
                let name = self.desk.name(self.key);
                tracing::warn!(script = %name, "VRRP_Script({name}) {run}: it is run again");
                continue;
            };
            // A run that is overdue is told before it has ended: it may take its time.
            if let Some(state) = verdict.observe(outcome) {
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
    Failed(Failure),
}

impl Run {
    /// `None` if it says nothing: as in keepalived, which leaves a script as it was that it could not fork a process for.
    fn state(&self) -> Option<ScriptState> {
        match self {
            Self::Ended(status) if status.success() => Some(ScriptState::Passing),
            Self::Ended(_) | Self::TimedOut(_) | Self::Failed(Failure::NotStarted(_)) => {
                Some(ScriptState::Failing)
            }
            Self::Failed(Failure::Lost) => None,
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
            Self::Failed(failure @ Failure::NotStarted(_)) => {
                write!(f, "failed ({failure}; check its path and that it is executable)")
            }
            Self::Failed(failure @ Failure::Lost) => write!(f, "{failure}"),
        }
    }
}

/// Await the end of a run, and what is still to be ended; `None` when we are to stop. Whatever happens, nothing of its
/// process group that was seen to misbehave is left.
async fn run(
    mut running: scripts::Running,
    limit: Duration,
    stopped: &mut watch::Receiver<()>,
) -> Option<(Run, Option<Overdue>)> {
    let ended = tokio::select! {
        status = running.wait() => Some(match status {
            Ok(status) => Run::Ended(status),
            Err(failure) => Run::Failed(failure),
        }),
        () = sleep(limit) => Some(Run::TimedOut(limit)),
        _ = stopped.changed() => None,
    };
    match ended {
        Some(run @ Run::TimedOut(_)) => Some((run, Some(Overdue(running)))),
        Some(run) => Some((run, None)),
        None => {
            Overdue(running).end().await;
            None
        }
    }
}

/// A run that is to end.
struct Overdue(scripts::Running);

impl Overdue {
    /// SIGTERM to the group, then SIGKILL: after the grace, or as soon as the leader is gone, for what it
    /// left behind.
    async fn end(mut self) {
        self.0.terminate();
        if timeout(GRACE, self.0.wait()).await.is_err() {
            self.0.kill();
            // Runs of one script never overlap, and this one ends now.
            let _ = timeout(GRACE, self.0.wait()).await;
        }
    }
}
