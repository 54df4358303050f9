//! Real-time scheduling, locked memory and limits. Every refusal is one line with its remedy, and none is fatal.
#![allow(unsafe_code, reason = "pthread_setschedparam(3)")]

use std::ffi::c_int;
use std::mem::zeroed;

use nix::errno::Errno;
use nix::sys::mman::{MlockAllFlags, mlockall};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use vrrp_common::time::Nanos;

/// SCHED_FIFO priority of the protocol thread.
pub const PROTOCOL_PRIORITY: u8 = 50;
/// SCHED_FIFO priority of the netlink writer: below the protocol thread, whose adverts never wait for it.
pub const WRITER_PRIORITY: u8 = 49;

/// What the kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// No real-time priority.
    #[error(
        "no real-time scheduling ({0}): grant CAP_SYS_NICE or LimitRTPRIO=; in a cgroup with RT_GROUP_SCHED it \
         also takes cpu.rt_runtime_us"
    )]
    Fifo(Errno),
    /// Memory may be swapped out.
    #[error("memory is not locked ({0}): grant CAP_IPC_LOCK or LimitMEMLOCK=infinity")]
    Lock(Errno),
    /// The soft limit on descriptors stays.
    #[error("no more descriptors than before ({0}): set LimitNOFILE= if instances lack sockets")]
    Descriptors(Errno),
    /// A runaway real-time thread would not be stopped.
    #[error("no limit on real-time CPU use ({0})")]
    Limit(Errno),
}

/// Run the calling thread under SCHED_FIFO. Children and threads it starts fall back to normal scheduling.
///
/// # Errors
/// [`Error::Fifo`].
pub fn fifo(priority: u8) -> Result<(), Error> {
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

/// Use all descriptors that the hard limit allows. Each instance has a socket of its own, and the usual soft limit is
/// 1024, for the sake of programs that use select(2).
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
