//! The parent process: starts the protocol process, hands it the signals, and starts it again when it dies.
//!
//! keepalived has the same pair of processes and its users rely on both pid files. What a dead protocol
//! process left behind (addresses) the next one removes when it starts, so `kill -9` costs a takeover, not
//! a duplicate address.
//!
//! Order in `main`: [`Supervisor::prepare`] before any thread exists (it forks and blocks signals), then the
//! log, then [`Supervisor::run`].

mod charge;
mod hook;
mod scripts;
#[cfg(test)]
mod tests;

use std::ffi::OsString;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use libsystemd::daemon::{NotifyState, notify, watchdog_enabled};
use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

pub use super::line::Parent;
use super::line::ToChild;
use super::pidfile::{PidFile, PidFileError, left_in};
use crate::config::Hooks;
use crate::sys::pidfd::PidFd;
use crate::sys::process::{self, realtime_signals, signal_set, tie_to_us};
use charge::{Charge, End};
use scripts::ScriptRunner;

/// Exit code of the protocol process, and then of the parent, for a configuration that cannot run
/// (keepalived's).
pub const EXIT_CONFIG: u8 = 2;
/// What the parent starts: itself, also after the file was replaced by an upgrade.
const SELF: &str = "/proc/self/exe";
/// The hidden option that makes the protocol process.
const CHILD: &str = "--child";
/// A protocol process that lived this long is none of those that die in a row.
const STABLE: Duration = Duration::from_secs(60);
/// For a process that was left for a successor, and is stopped instead.
const PREDECESSOR_PATIENCE: Duration = Duration::from_secs(10);
/// Longest pause before another start: two to this power, in seconds.
const LONGEST_PAUSE: u32 = 5;

/// What the parent is to do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to start, `None` for this very program.
    pub program: Option<PathBuf>,
    /// The script runner, `None` for this very program; `--script-runner` and its number are its arguments.
    pub script_runner: Option<PathBuf>,
    /// The arguments of the protocol process (without the program's name); `--child` is put before them.
    pub args: Vec<OsString>,
    /// Go into the background first.
    pub daemonize: bool,
    /// Start the protocol process again when it dies.
    pub respawn: bool,
    /// SIGINT is not for us (`--ignore-sigint`).
    pub ignore_sigint: bool,
    /// The parent's pid file.
    pub pid_file: PathBuf,
    /// The protocol process's.
    pub vrrp_pid_file: PathBuf,
    /// Run before the first start and after the end.
    pub hooks: Hooks,
}

/// Why there is no parent process.
#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    /// Its pid file.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The system refused.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

fn system<E: Into<io::Error>>(what: &'static str) -> impl FnOnce(E) -> SupervisorError {
    move |error| SupervisorError::System {
        what,
        error: error.into(),
    }
}

/// The parent process.
#[derive(Debug)]
pub struct Supervisor {
    plan: Plan,
    signals: SignalFd,
    _pid_file: PidFile,
}

/// How it goes on after the protocol process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Exit(u8),
    Respawn,
}

impl Supervisor {
    /// Take the pid file, go into the background if asked to, and block the signals that `run` reads. Must be
    /// called before any thread exists.
    ///
    /// # Errors
    /// [`SupervisorError`]; a taken pid file is told before the terminal is left.
    pub fn prepare(plan: Plan) -> Result<Self, SupervisorError> {
        let mut pid_file = PidFile::create(&plan.pid_file)?;
        if plan.daemonize {
            // The directory stays: relative paths on the command line are read again by the protocol process.
            nix::unistd::daemon(true, false).map_err(system("going into the background"))?;
            pid_file.rewrite()?;
        }
        let mask = heard();
        mask.thread_block().map_err(system("blocking signals"))?;
        let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)
            .map_err(system("opening a signalfd"))?;
        Ok(Self {
            plan,
            signals,
            _pid_file: pid_file,
        })
    }

    /// Keep a protocol process running until it is to stop; the exit code for the parent.
    ///
    /// # Errors
    /// [`SupervisorError::System`] when it cannot be started at all.
    pub fn run(self) -> Result<u8, SupervisorError> {
        if let Some(hook) = &self.plan.hooks.startup {
            tracing::info!("Running startup script {}", hook::shown(hook));
            if self.run_hook(hook, true)? {
                tracing::info!("Stopping");
                return Ok(0);
            }
        }
        let Some(code) = self.keep_running()? else {
            // The daemon has not ended: it goes on without us, and then as its successor.
            return Ok(0);
        };
        if code == 0 {
            self.end_predecessor();
        }
        if let Some(hook) = &self.plan.hooks.shutdown {
            tracing::info!("Running shutdown script {}", hook::shown(hook));
            self.run_hook(hook, false)?;
        }
        tracing::info!("Stopped Keepalived");
        Ok(code)
    }

    /// A stop is a stop, also for the process that was left for the one that has just been stopped.
    fn end_predecessor(&self) {
        let left = left_in(&self.plan.vrrp_pid_file).and_then(|pid| PidFd::open(pid).ok());
        if let Some(process) = left {
            tracing::info!("Stopping the VRRP process that was left for this one");
            process.signal(Signal::SIGTERM);
            if !process.ends_within(PREDECESSOR_PATIENCE) {
                tracing::warn!("it takes its time");
            }
        }
    }

    /// `None`: the protocol process was left to its successor.
    fn keep_running(&self) -> Result<Option<u8>, SupervisorError> {
        let mut deaths = 0;
        loop {
            let started = Instant::now();
            let (scripts, theirs) = ScriptRunner::start(self.plan.script_runner.as_ref())
                .map_err(system("making a pair of sockets"))?;
            let (child, line) = self.spawn(theirs)?;
            let pid = child.id();
            let (status, stopping) = match Charge::new(child, line, scripts).watch(self)? {
                End::Left => {
                    tracing::info!("VRRP child process({pid}) stays on duty for its successor");
                    return Ok(None);
                }
                End::Ended { status, stopping } => (status, stopping),
            };
            match next(status, stopping, self.plan.respawn) {
                Next::Exit(code) => {
                    if code == EXIT_CONFIG && !stopping {
                        tracing::error!(
                            "VRRP child process({pid}) exited with permanent error CONFIG. Terminating"
                        );
                    } else if !stopping && !status.success() {
                        tracing::error!("VRRP child process({pid}) died ({status}). Terminating");
                    }
                    return Ok(Some(code));
                }
                Next::Respawn => {
                    deaths = if started.elapsed() >= STABLE {
                        1
                    } else {
                        deaths + 1
                    };
                    let pause = pause_after(deaths);
                    let when = match pause.as_secs() {
                        0 => "at once".to_owned(),
                        seconds => format!("in {seconds} s"),
                    };
                    tracing::error!("VRRP child process({pid}) died ({status}): Respawning {when}");
                    if self.rest(pause)? {
                        return Ok(Some(0));
                    }
                }
            }
        }
    }

    /// Start the protocol process; its standard input is its end of the line, its standard output the one to the script
    /// runner.
    fn spawn(&self, scripts: OwnedFd) -> Result<(Child, ToChild), SupervisorError> {
        let (line, theirs) = ToChild::pair().map_err(system("making a pair of sockets"))?;
        let program = self.plan.program.clone().unwrap_or_else(|| PathBuf::from(SELF));
        let mut command = Command::new(program);
        // What `ps` shows.
        command
            .arg0("vrrp-daemon")
            .arg(CHILD)
            .args(&self.plan.args)
            .stdin(Stdio::from(theirs))
            .stdout(Stdio::from(scripts));
        // A beat that is wanted of us is wanted of it.
        command.env_remove("WATCHDOG_PID").env_remove("WATCHDOG_USEC");
        if let Some(limit) = watchdog() {
            command.env("WATCHDOG_USEC", limit.as_micros().to_string());
        }
        tie_to_us(&mut command, Signal::SIGTERM);
        let child = command.spawn().map_err(system("starting the VRRP process"))?;
        tracing::info!("Starting VRRP child process, pid={}", child.id());
        Ok((child, line))
    }

    /// Sit out a pause; `true` if we are to stop. Nobody can answer for the protocol meanwhile: the beat is ours, for
    /// to be started anew would not help.
    fn rest(&self, pause: Duration) -> Result<bool, SupervisorError> {
        let until = Instant::now() + pause;
        let beat = watchdog().map(|limit| limit / 3);
        loop {
            while let Some(signal) = self.next_signal()? {
                if signal == libc::SIGABRT {
                    std::process::abort();
                }
                if self.ends(signal) {
                    return Ok(true);
                }
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(false);
            }
            let left = match beat {
                Some(beat) => {
                    tell_manager(&[NotifyState::Watchdog]);
                    left.min(beat)
                }
                None => left,
            };
            // Rounded up, so the last turn does not spin.
            let millis = u16::try_from(left.as_millis() + 1).unwrap_or(u16::MAX);
            let mut sources = [PollFd::new(self.signals.as_fd(), PollFlags::POLLIN)];
            wait(&mut sources, PollTimeout::from(millis))?;
        }
    }

    /// The number of the next signal; real-time ones have no name.
    fn next_signal(&self) -> Result<Option<libc::c_int>, SupervisorError> {
        let signal = self.signals.read_signal().map_err(system("reading signals"))?;
        Ok(signal.and_then(|info| i32::try_from(info.ssi_signo).ok()))
    }

    fn ends(&self, signal: libc::c_int) -> bool {
        signal == libc::SIGTERM || (signal == libc::SIGINT && !self.plan.ignore_sigint)
    }
}

fn forward(signal: libc::c_int, child: &Child) {
    if let Ok(pid) = i32::try_from(child.id()) {
        // It has not been waited for, so the number is still its own.
        let _ = process::send(Pid::from_raw(pid), signal);
    }
}

/// Signals that this process reads: those that the protocol process gets too, and its end.
fn heard() -> SigSet {
    let [json, clear, threads] = realtime_signals();
    signal_set(&[
        libc::SIGTERM,
        libc::SIGINT,
        libc::SIGHUP,
        libc::SIGUSR1,
        libc::SIGUSR2,
        libc::SIGCHLD,
        // The service manager's word when it misses the beat.
        libc::SIGABRT,
        json,
        clear,
        threads,
    ])
}

/// What the end of the protocol process means.
fn next(status: ExitStatus, stopping: bool, respawn: bool) -> Next {
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    match code {
        // Somebody stopped the protocol process alone: that is meant, too.
        Some(0) => Next::Exit(0),
        Some(EXIT_CONFIG) => Next::Exit(EXIT_CONFIG),
        // It was to stop before it listened.
        _ if stopping && status.signal() == Some(libc::SIGTERM) => Next::Exit(0),
        // It was to stop and died on the way.
        _ if stopping => Next::Exit(code.unwrap_or(1)),
        _ if respawn => Next::Respawn,
        _ => Next::Exit(code.unwrap_or(1)),
    }
}

/// The pause after so many deaths in a row. None after the first: until the next start its addresses stay, and a
/// Backup has them within a Master_Down_Interval. Then 1 s, 2 s, ... up to half a minute.
fn pause_after(deaths: u32) -> Duration {
    match deaths {
        0 | 1 => Duration::ZERO,
        _ => Duration::from_secs(1 << (deaths - 2).min(LONGEST_PAUSE)),
    }
}

fn wait(sources: &mut [PollFd<'_>], timeout: PollTimeout) -> Result<(), SupervisorError> {
    match poll(sources, timeout) {
        Ok(_) | Err(Errno::EINTR) => Ok(()),
        Err(errno) => Err(system("polling")(errno)),
    }
}

/// Tell systemd, if it listens.
fn tell_manager(states: &[NotifyState]) {
    if let Err(error) = notify(false, states) {
        tracing::warn!("telling the service manager: {error}");
    }
}

/// The time within which the service manager wants a beat of us (sd_watchdog_enabled(3)).
pub(super) fn watchdog() -> Option<Duration> {
    watchdog_enabled(false).filter(|limit| !limit.is_zero())
}
