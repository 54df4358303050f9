//! `startup_script` and `shutdown_script`: run by the parent before the protocol process is first started, and after
//! it has ended for good. One that takes too long is killed, so that it cannot keep the daemon from starting.

use std::os::fd::AsFd as _;
use std::process::Child;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout};
use nix::sys::signal::Signal;

use super::{Supervisor, SupervisorError, system, wait};
use crate::config::Hook;
use crate::sys::process::{self, Identity, Lifetime, ProcessGroup};

/// From SIGTERM to SIGKILL.
const GRACE: Duration = Duration::from_secs(1);

/// Its program, for the log.
pub(super) fn shown(hook: &Hook) -> &str {
    hook.command.argv.first().map_or("", String::as_str)
}

impl Supervisor {
    /// Run it to its end; `true` if we are to stop meanwhile, which ends it if it is `stoppable`. That it fails is
    /// said, and no more.
    pub(super) fn run_hook(&self, hook: &Hook, stoppable: bool) -> Result<bool, SupervisorError> {
        let shown = shown(hook);
        let user = hook.command.user.as_ref();
        let identity = match user
            .map(|user| Identity::lookup(&user.user, user.group.as_deref()))
            .transpose()
        {
            Ok(identity) => identity,
            Err(error) => {
                tracing::error!("script {shown} is not run: {error}");
                return Ok(false);
            }
        };
        let mut command = process::command(&hook.command.argv, identity.as_ref(), Lifetime::WithUs);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                tracing::error!(
                    "script {shown} could not be started: {error}; check its path and that it is executable"
                );
                return Ok(false);
            }
        };
        let group = ProcessGroup::of(Some(child.id()));
        let limit = Duration::from_nanos(hook.timeout.0);
        let mut stop = false;
        if !self.await_hook(&mut child, shown, limit, stoppable.then_some(&mut stop))? {
            if !stop {
                tracing::error!(
                    "script {shown} still runs after {} s: killed; give it more time with startup_script_timeout or \
                     shutdown_script_timeout",
                    limit.as_secs()
                );
            }
            for signal in [Signal::SIGTERM, Signal::SIGKILL] {
                if let Some(group) = group {
                    group.signal(signal);
                }
                if self.await_hook(&mut child, shown, GRACE, None)? {
                    break;
                }
            }
        }
        Ok(stop)
    }

    /// Whether it ended within `limit`; asked to stop, `stop` is set and it is not waited for.
    fn await_hook(
        &self,
        child: &mut Child,
        shown: &str,
        limit: Duration,
        mut stop: Option<&mut bool>,
    ) -> Result<bool, SupervisorError> {
        let until = Instant::now() + limit;
        loop {
            if let Some(status) = child.try_wait().map_err(system("waiting for a script"))? {
                if !status.success() {
                    tracing::warn!("script {shown} ended with {status}");
                }
                return Ok(true);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            // Its end is a signal, too. Rounded up, so the last turn does not spin.
            let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut sources = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            wait(&mut sources, PollTimeout::from(millis))?;
            while let Some(signal) = self.next_signal()? {
                if self.ends(signal)
                    && let Some(stop) = &mut stop
                {
                    **stop = true;
                    return Ok(false);
                }
            }
        }
    }
}
