//! Real-time scheduling, locked memory and limits. Every refusal is one line with its remedy, and none is fatal.
#![allow(unsafe_code, reason = "pthread_setschedparam(3)")]

use std::ffi::c_int;
use std::mem::zeroed;
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit, setrlimit};
use nix::unistd::Pid;
use vrrp_common::time::Nanos;

/// SCHED_FIFO priority of the protocol thread, unless another was chosen.
pub const PROTOCOL_PRIORITY: u8 = 50;

/// A thread that runs in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The protocol thread.
    Protocol,
    /// The netlink writer: one below the protocol thread, whose adverts never wait for it.
    Writer,
}

/// What was chosen for the whole process, before it had threads.
static CHOSEN: OnceLock<Chosen> = OnceLock::new();

#[derive(Debug)]
struct Chosen {
    /// Of the protocol thread; `None`: no real time.
    priority: Option<u8>,
    /// What scripts go back to.
    before: Option<CpuSet>,
    /// The nice value was changed by this much.
    nice: c_int,
}

/// Choose for the whole process: SCHED_FIFO priority of the protocol thread (`None`: no real time), nice value, CPUs
/// (none: all). Once, before there are threads, which inherit the last two. What cannot be had is returned.
pub fn choose(priority: Option<u8>, nice: Option<i8>, cpus: &[u16]) -> Vec<Error> {
    let mut refused = Vec::new();
    let mut chosen = Chosen {
        priority,
        before: None,
        nice: 0,
    };
    if let Some(nice) = nice {
        // SAFETY: a system call with plain numbers; 0 is the calling process.
        let result = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, c_int::from(nice)) };
        match Errno::result(result) {
            Ok(_) => chosen.nice = c_int::from(nice),
            Err(errno) => refused.push(Error::Nice(errno)),
        }
    }
    if !cpus.is_empty() {
        let all = sched_getaffinity(Pid::from_raw(0)).ok();
        let mut wanted = CpuSet::new();
        // One beyond what a set holds is no CPU of this host either.
        let set = cpus.iter().try_for_each(|cpu| wanted.set(usize::from(*cpu)));
        match set.and_then(|()| sched_setaffinity(Pid::from_raw(0), &wanted)) {
            Ok(()) => chosen.before = all,
            Err(errno) => refused.push(Error::Cpus(errno)),
        }
    }
    let _ = CHOSEN.set(chosen);
    refused
}

/// For a script between fork and exec: CPUs and nice value as they were before [`choose`]. System calls only.
pub(super) fn undo() {
    let Some(chosen) = CHOSEN.get() else { return };
    if let Some(before) = &chosen.before {
        let _ = sched_setaffinity(Pid::from_raw(0), before);
    }
    if chosen.nice != 0 {
        // SAFETY: a system call with plain numbers; 0 is the calling process.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 0) };
    }
}

/// What the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No real-time priority.
    #[error(
        "no real-time scheduling ({0}): grant CAP_SYS_NICE or LimitRTPRIO=; in a cgroup with RT_GROUP_SCHED it \
         also takes cpu.rt_runtime_us"
    )]
    Fifo(Errno),
    /// The nice value stays.
    #[error("the nice value stays as it is ({0}): grant CAP_SYS_NICE or LimitNICE=")]
    Nice(Errno),
    /// It runs on all CPUs.
    #[error("all CPUs are used ({0}): vrrp_cpu_affinity names none that this process may use")]
    Cpus(Errno),
    /// Memory may be swapped out.
    #[error("memory is not locked ({0}): grant CAP_IPC_LOCK or LimitMEMLOCK=infinity")]
    Lock(Errno),
    /// The soft limit on descriptors stays.
    #[error("no more descriptors than before ({0}): set LimitNOFILE= if instances lack sockets")]
    Descriptors(Errno),
    /// The limit on core dumps stays.
    #[error("the limit on core dumps stays ({0}): set LimitCORE=")]
    Core(Errno),
    /// A runaway real-time thread would not be stopped.
    #[error("no limit on real-time CPU use ({0})")]
    Limit(Errno),
}

/// Run the calling thread under SCHED_FIFO, unless real time was declined. Children and threads it starts fall back to
/// normal scheduling.
///
/// # Errors
/// [`Error::Fifo`].
pub fn fifo(role: Role) -> Result<(), Error> {
    let protocol = CHOSEN
        .get()
        .map_or(Some(PROTOCOL_PRIORITY), |chosen| chosen.priority);
    let Some(protocol) = protocol else { return Ok(()) };
    let priority = match role {
        Role::Protocol => protocol,
        Role::Writer => protocol.saturating_sub(1).max(1),
    };
    set(
        libc::SCHED_FIFO | libc::SCHED_RESET_ON_FORK,
        c_int::from(priority),
    )
    .map_err(Error::Fifo)
}

/// Run the calling thread under normal scheduling again.
///
/// # Errors
/// [`Error::Fifo`].
pub fn normal() -> Result<(), Error> {
    set(libc::SCHED_OTHER, 0).map_err(Error::Fifo)
}

fn set(policy: c_int, priority: c_int) -> Result<(), Errno> {
    // SAFETY: `sched_param` consists of integers, for which zero is a value.
    let mut parameters = unsafe { zeroed::<libc::sched_param>() };
    parameters.sched_priority = priority;
    // SAFETY: the pointer outlives the call; 0 is the calling thread.
    let result = unsafe { libc::sched_setscheduler(0, policy, &raw const parameters) };
    Errno::result(result).map(drop)
}

/// Keep what is touched from now on in memory. Pages are locked as they are first touched: locking whole
/// stacks at once costs many megabytes.
///
/// # Errors
/// [`Error::Lock`].
pub fn lock_memory() -> Result<(), Error> {
    let on_fault = MlockAllFlags::from_bits_retain(libc::MCL_ONFAULT);
    mlockall(MlockAllFlags::MCL_CURRENT | MlockAllFlags::MCL_FUTURE | on_fault).map_err(Error::Lock)
}

/// The budget guard: a real-time thread of this process that computes this long without ever blocking gets
/// SIGXCPU, so that a bug cannot freeze the host. (Blocking for an instant starts the count again.)
///
/// # Errors
/// [`Error::Limit`].
pub fn limit_realtime(span: Nanos) -> Result<(), Error> {
    let soft = span.as_micros().max(1);
    let limit = || {
        let (_, hard) = getrlimit(Resource::RLIMIT_RTTIME)?;
        setrlimit(Resource::RLIMIT_RTTIME, soft.min(hard), hard)
    };
    limit().map_err(Error::Limit)
}

/// A core dump may be as large as the hard limit allows.
///
/// # Errors
/// [`Error::Core`].
pub fn allow_core_dumps() -> Result<(), Error> {
    let lift = || setrlimit(Resource::RLIMIT_CORE, RLIM_INFINITY, RLIM_INFINITY);
    lift().map_err(Error::Core)
}

/// Use all descriptors that the hard limit allows. Each unicast instance may have a socket of its own to listen at, and the
/// usual soft limit is 1024, for the sake of programs that use select(2).
///
/// # Errors
/// [`Error::Descriptors`].
pub fn raise_descriptors() -> Result<(), Error> {
    let raise = || {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    };
    raise().map_err(Error::Descriptors)
}
