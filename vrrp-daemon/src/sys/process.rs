//! Starting other people's programs so that they cannot hurt the daemon: a process group of their own,
//! default scheduling and signals, a known environment, no descriptor of ours, another user if asked for.

#![allow(
    unsafe_code,
    reason = "what a child does between fork and exec has no safe interface"
)]

use std::ffi::CString;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, killpg, sigprocmask};
use nix::unistd::{Gid, Group, Pid, Uid, User, getegid, geteuid, getgrouplist};
use serde::{Deserialize, Serialize};

/// PATH of a program that is run while the daemon has none itself.
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// What programs inherit of our environment, if it is there; everything else is cleared.
const INHERITED: [&str; 5] = ["HOME", "LANG", "LC_ALL", "PATH", "TZ"];

/// Whom to run a program as; looked up once, because name services may block. Numbers as in getuid(2).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    uid: u32,
    gid: u32,
    groups: Vec<u32>,
}

/// A user or group that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// There is no such user.
    #[error("there is no user {0}: create it, or name another with script_user")]
    UnknownUser(String),
    /// There is no such group.
    #[error("there is no group {0}: create it, or name another with script_user")]
    UnknownGroup(String),
    /// The name service did not answer.
    #[error("looking up {name}: {error}; scripts of this user will not run until the daemon is restarted")]
    Lookup {
        /// The user or group.
        name: String,
        /// `errno`.
        error: Errno,
    },
}

impl Identity {
    /// Look up a user, his supplementary groups, and a group (else the user's own).
    ///
    /// # Errors
    /// [`IdentityError`]
    pub fn lookup(user: &str, group: Option<&str>) -> Result<Self, IdentityError> {
        let failed = |name: &str, error| IdentityError::Lookup {
            name: name.to_owned(),
            error,
        };
        let entry = User::from_name(user)
            .map_err(|error| failed(user, error))?
            .ok_or_else(|| IdentityError::UnknownUser(user.to_owned()))?;
        let gid = match group {
            None => entry.gid,
            Some(group) => {
                Group::from_name(group)
                    .map_err(|error| failed(group, error))?
                    .ok_or_else(|| IdentityError::UnknownGroup(group.to_owned()))?
                    .gid
            }
        };
        let name = CString::new(user).map_err(|_| IdentityError::UnknownUser(user.to_owned()))?;
        let groups = getgrouplist(&name, gid).map_err(|error| failed(user, error))?;
        Ok(Self {
            uid: entry.uid.as_raw(),
            gid: gid.as_raw(),
            groups: groups.into_iter().map(Gid::as_raw).collect(),
        })
    }
}

/// Make an open file theirs.
///
/// # Errors
/// As the file system has it.
pub fn give_to(file: impl AsFd, owner: &Identity) -> io::Result<()> {
    std::os::unix::fs::fchown(file, Some(owner.uid), Some(owner.gid))
}

/// How long a program may live.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Lifetime {
    /// It is killed when the thread that started it ends: nothing outlives the daemon.
    WithUs,
    /// It may go on without us: a notify script that restarts the daemon must survive that.
    OnItsOwn,
}

/// A program ready to be started: no shell, standard streams on `/dev/null`.
#[must_use]
pub fn command(argv: &[String], identity: Option<&Identity>, lifetime: Lifetime) -> Command {
    let (program, args) = match argv.split_first() {
        Some((program, args)) => (program.as_str(), args),
        // Nothing by that name exists, so starting it fails like any missing program.
        None => ("", argv),
    };
    let mut command = Command::new(program);
    command.args(args).env_clear().env("PATH", DEFAULT_PATH);
    command.envs(
        INHERITED
            .iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.process_group(0);
    // To become who we are already takes no privilege, and must not fail for lack of it.
    let identity = identity.filter(|who| (who.uid, who.gid) != (geteuid().as_raw(), getegid().as_raw()));
    let becoming = identity.map(|who| Becoming {
        uid: Uid::from_raw(who.uid),
        gid: Gid::from_raw(who.gid),
        groups: who.groups.iter().copied().map(Gid::from_raw).collect(),
    });
    let parent = Pid::this();
    // SAFETY: the closure runs in the forked child and makes async-signal-safe system calls only; it
    // allocates nothing and takes no lock.
    unsafe {
        command.pre_exec(move || before_exec(becoming.as_ref(), lifetime, parent));
    }
    command
}

/// Let the child of `command` begin with default signals and an empty mask, and hear `signal` when the
/// thread that starts it ends.
pub fn tie_to_us(command: &mut Command, signal: Signal) {
    let parent = Pid::this();
    // SAFETY: as above: system calls only.
    unsafe {
        command.pre_exec(move || {
            default_signals()?;
            die_with(parent, signal)
        });
    }
}

/// Go on without the parent that [`tie_to_us`] tied this process to. To be called by its first thread.
///
/// # Errors
/// As `prctl(2)`.
pub fn outlive_parent() -> io::Result<()> {
    Ok(nix::sys::prctl::set_pdeathsig(None)?)
}

/// An [`Identity`], ready for the system calls.
struct Becoming {
    uid: Uid,
    gid: Gid,
    groups: Vec<Gid>,
}

fn before_exec(becoming: Option<&Becoming>, lifetime: Lifetime, parent: Pid) -> io::Result<()> {
    default_signals()?;
    // Lowering oneself is always permitted.
    let _ = super::sched::normal();
    super::sched::undo();
    // Whatever was inherited from who started us, and std's own error pipe, ends at exec.
    // SAFETY: a system call with plain numbers, which concerns this process alone.
    unsafe {
        libc::close_range(3, libc::c_uint::MAX, libc::CLOSE_RANGE_CLOEXEC.cast_signed());
    }
    if let Some(who) = becoming {
        nix::unistd::setgroups(&who.groups)?;
        nix::unistd::setgid(who.gid)?;
        nix::unistd::setuid(who.uid)?;
    }
    // After the change of user, which clears it (prctl(2)).
    match lifetime {
        Lifetime::WithUs => die_with(parent, Signal::SIGKILL),
        Lifetime::OnItsOwn => Ok(()),
    }
}

/// Signals as a program expects them: none blocked, none ignored. What we ignore, or who started us did (nohup, a shell's `&`), a
/// shell could not even trap. Between fork and exec.
fn default_signals() -> io::Result<()> {
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: a system call with plain numbers; it is refused for SIGKILL and SIGSTOP, and for those that are the C
        // library's own.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    Ok(())
}

/// Ask for `signal` when the parent goes; if it went already, there is nothing to live for.
fn die_with(parent: Pid, signal: Signal) -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(signal)?;
    if Pid::parent() == parent {
        Ok(())
    } else {
        Err(Errno::ESRCH.into())
    }
}

/// Real-time signals by which keepalived is asked for dumps (`--signum`): JSON, statistics to be cleared, threads.
#[must_use]
pub fn realtime_signals() -> [libc::c_int; 3] {
    [libc::SIGRTMIN() + 2, libc::SIGRTMAX() - 1, libc::SIGRTMAX()]
}

/// A set of signals by their numbers, real-time ones included, which [`Signal`] does not know.
#[must_use]
pub fn signal_set(numbers: &[libc::c_int]) -> SigSet {
    // SAFETY: `sigset_t` consists of integers, for which zero is a value; then the functions fill it in.
    let set = unsafe {
        let mut set = std::mem::zeroed();
        libc::sigemptyset(&raw mut set);
        for &number in numbers {
            libc::sigaddset(&raw mut set, number);
        }
        set
    };
    // SAFETY: it was initialised by sigemptyset.
    unsafe { SigSet::from_sigset_t_unchecked(set) }
}

/// Signals that ask the protocol process to end.
const STOPS: [libc::c_int; 2] = [libc::SIGTERM, libc::SIGINT];

/// Signals that ask it for something else. Unheard they would kill.
fn requests() -> [libc::c_int; 6] {
    let [json, clear, threads] = realtime_signals();
    [libc::SIGHUP, libc::SIGUSR1, libc::SIGUSR2, json, clear, threads]
}

/// All that the protocol process hears (signalfd(2)), after [`hold_requests`] and [`hold_stops`].
#[must_use]
pub fn heard() -> SigSet {
    signal_set(&[requests().as_slice(), &STOPS].concat())
}

/// Let requests by signal wait until somebody reads them. First thing in a process, before it has threads: they inherit it. What
/// is started by [`command`] has them as ever.
pub fn hold_requests() {
    // Fails for a bad argument only.
    let _ = signal_set(&requests()).thread_block();
}

/// The same for signals that ask for an end, which until then kill: before there are threads, and after what may take its time.
pub fn hold_stops() {
    let _ = signal_set(&STOPS).thread_block();
}

/// Signals that ask this process to end wait for ever. What it starts has them as ever.
pub fn ignore_stops() {
    // Fails for a bad argument only.
    let _ = signal_set(&[libc::SIGTERM, libc::SIGINT, libc::SIGQUIT]).thread_block();
}

/// Send a signal by its number.
///
/// # Errors
/// There is no such process, or it is not ours.
pub fn send(pid: Pid, number: libc::c_int) -> Result<(), Errno> {
    // SAFETY: a system call with plain numbers.
    Errno::result(unsafe { libc::kill(pid.as_raw(), number) }).map(drop)
}

/// A process group that we started, by its leader's process id.
#[derive(Clone, Copy, Debug)]
pub struct ProcessGroup(Pid);

impl ProcessGroup {
    /// The group of a child that was started by [`command`]; `None` once it has been waited for.
    #[must_use]
    pub fn of(child_id: Option<u32>) -> Option<Self> {
        let id = i32::try_from(child_id?).ok()?;
        Some(Self(Pid::from_raw(id)))
    }

    /// Send `signal` to all of it; nobody left is no error.
    pub fn signal(self, signal: Signal) {
        // ESRCH: all gone. EPERM: it became somebody else's (set-user-ID), whom root can reach anyway.
        let _ = killpg(self.0, signal);
    }
}

/// The host's pattern for core dumps, changed until this is dropped.
#[derive(Debug)]
pub struct CorePattern {
    before: String,
}

impl CorePattern {
    const FILE: &str = "/proc/sys/kernel/core_pattern";

    /// Change it.
    ///
    /// # Errors
    /// Not root, or no proc(5).
    pub fn set(pattern: &str) -> io::Result<Self> {
        let before = std::fs::read_to_string(Self::FILE)?;
        std::fs::write(Self::FILE, pattern)?;
        Ok(Self { before })
    }
}

impl Drop for CorePattern {
    fn drop(&mut self) {
        let _ = std::fs::write(Self::FILE, &self.before);
    }
}
