//! Runs the tracked scripts (`vrrp_script`), each in a task of its own on the service runtime.
//!
//! A script is started every `interval`, counted start to start on CLOCK_MONOTONIC; a run that takes longer
//! swallows the starts it misses, so runs of one script never overlap. A run that exceeds `timeout` has
//! failed: its process group gets SIGTERM at once, and SIGKILL two seconds later if it is still there.

#[cfg(test)]
mod tests;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::process::Child;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use vrrp_common::time::Nanos;

use super::verdict::Verdict;
use crate::config::{ScriptSpec, ScriptUser};
use crate::proto::{ScriptId, ScriptState};
use crate::sys::process::{self, Identity, IdentityError, Lifetime, ProcessGroup};

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(2);
/// No script is started more often than this, whatever its configuration says.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);

/// The running trackers. Dropping it kills what runs; [`Runner::stop`] asks politely first.
#[derive(Debug)]
pub struct Runner {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
}

/// A script to run: its id, its name for the log, and how.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// What verdicts are sent under.
    pub id: ScriptId,
    /// Its name in the configuration.
    pub name: String,
    /// How to run it.
    pub spec: ScriptSpec,
}

impl Runner {
    /// Start all of `scripts`; call it inside the service runtime. `default_user` is `script_user`. A verdict
    /// is sent when it is the first or differs from the last; nobody is ever waited for but the receiver.
    #[must_use]
    pub fn start(
        scripts: Vec<Tracked>,
        default_user: Option<&ScriptUser>,
        verdicts: &mpsc::Sender<(ScriptId, ScriptState)>,
    ) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for script in scripts {
            let user = script.spec.command.user.as_ref().or(default_user);
            let identity = user.map(identity).transpose();
            tasks.spawn(track(script, identity, verdicts.clone(), stopped.clone()));
        }
        Self { tasks, stop }
    }

    /// SIGTERM to every run under way, SIGKILL to what is left after the grace; ends when all are gone.
    pub async fn stop(mut self) {
        let _ = self.stop.send(true);
        while self.tasks.join_next().await.is_some() {}
    }
}

fn identity(user: &ScriptUser) -> Result<Identity, IdentityError> {
    Identity::lookup(&user.user, user.group.as_deref())
}

/// The life of one script.
async fn track(
    script: Tracked,
    identity: Result<Option<Identity>, IdentityError>,
    verdicts: mpsc::Sender<(ScriptId, ScriptState)>,
    mut stopped: watch::Receiver<bool>,
) {
    let Tracked { id, name, spec } = script;
    let mut verdict = Verdict::new(spec.rise, spec.fall, spec.init_fail);
    if let Some(state) = verdict.state()
        && verdicts.send((id, state)).await.is_err()
    {
        return;
    }
    // A script that was not found is out of the election, as in keepalived; the configuration said so.
    if spec.disabled {
        return;
    }
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => {
            tracing::error!(script = %name, "VRRP_Script({name}) cannot run: {error}");
            let _ = verdicts.send((id, ScriptState::Failing)).await;
            return;
        }
    };
    let mut starts = interval(duration(spec.interval).max(SHORTEST_INTERVAL));
    starts.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let limit = duration(spec.timeout).max(SHORTEST_INTERVAL);
    loop {
        tokio::select! {
            _ = starts.tick() => {}
            _ = stopped.changed() => return,
        }
        let Some(run) = run(&spec.command.argv, identity.as_ref(), limit, &mut stopped).await else {
            return;
        };
        let Some(state) = verdict.observe(run.state()) else {
            continue;
        };
        match state {
            ScriptState::Passing => tracing::info!(script = %name, "VRRP_Script({name}) succeeded"),
            ScriptState::Failing => tracing::warn!(script = %name, "VRRP_Script({name}) {run}"),
        }
        if verdicts.send((id, state)).await.is_err() {
            return;
        }
    }
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

/// Run it once; `None` when we are to stop. Whatever happens, nothing of its process group that was seen to
/// misbehave is left.
async fn run(
    argv: &[String],
    identity: Option<&Identity>,
    limit: Duration,
    stopped: &mut watch::Receiver<bool>,
) -> Option<Run> {
    let command = process::command(argv, identity, Lifetime::WithUs);
    let mut child = match tokio::process::Command::from(command).spawn() {
        Ok(child) => Running::new(child),
        Err(error) => return Some(Run::NotStarted(error)),
    };
    let ended = tokio::select! {
        status = child.wait() => Some(match status {
            Ok(status) => Run::Ended(status),
            Err(error) => Run::NotStarted(error),
        }),
        () = sleep(limit) => Some(Run::TimedOut(limit)),
        _ = stopped.changed() => None,
    };
    if !matches!(ended, Some(Run::Ended(_))) {
        child.end().await;
    }
    ended
}

/// A child whose process group is killed if it is dropped before it has ended.
struct Running {
    child: Child,
    group: Option<ProcessGroup>,
}

impl Running {
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

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(group) = self.group {
            group.signal(Signal::SIGKILL);
        }
    }
}
