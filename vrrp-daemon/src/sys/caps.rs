//! The capabilities that this daemon lives on, and letting go of all others.

use std::io;

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};
use rustix::thread::{clear_ambient_capability_set, remove_capability_from_bounding_set, set_no_new_privs};

/// A capability that is missing, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} is missing, without which {purpose}: run as root, or under systemd with \
     AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF CAP_PERFMON"
)]
pub struct Missing {
    /// Its name, as in capabilities(7).
    pub name: &'static str,
    /// What cannot be done.
    pub purpose: &'static str,
}

const NEEDED: [(CapabilitySet, Missing); 2] = [
    (
        CapabilitySet::NET_RAW,
        Missing {
            name: "CAP_NET_RAW",
            purpose: "adverts can be neither sent nor received",
        },
    ),
    (
        CapabilitySet::NET_ADMIN,
        Missing {
            name: "CAP_NET_ADMIN",
            purpose: "addresses can be neither added nor removed",
        },
    ),
];

/// What the protocol process keeps. Each is needed while it runs, and not only at its start: a reload may bring new
/// devices, files and sockets. `docs/security.md` says what for.
const KEPT: CapabilitySet = CapabilitySet::NET_ADMIN
    .union(CapabilitySet::NET_RAW)
    .union(CapabilitySet::BPF)
    .union(CapabilitySet::PERFMON)
    .union(CapabilitySet::SYS_NICE)
    .union(CapabilitySet::IPC_LOCK)
    .union(CapabilitySet::CHOWN)
    .union(CapabilitySet::DAC_OVERRIDE);

/// Whether this thread may open raw sockets and change addresses.
///
/// # Errors
/// The first capability that is missing.
pub fn check() -> Result<(), Missing> {
    // Where the kernel does not say, the first use will.
    let Ok(ours) = capabilities(None) else {
        return Ok(());
    };
    let missing = |(capability, _): &(CapabilitySet, Missing)| !ours.effective.contains(*capability);
    match NEEDED.into_iter().find(missing) {
        Some((_, missing)) => Err(missing),
        None => Ok(()),
    }
}

/// Let go of everything but what the protocol process needs, for ever: nothing that it starts can have more, whatever
/// user or file it becomes. To be called before there are other threads, whose capabilities are their own.
///
/// # Errors
/// What the system says; then nothing can be relied on.
pub fn keep_what_is_needed() -> io::Result<()> {
    // First, for it takes no privilege: without CAP_SETPCAP the bounding set stays, and means nothing any more.
    set_no_new_privs(true)?;
    let ours = capabilities(None)?;
    if ours.effective.contains(CapabilitySet::SETPCAP) {
        for number in 0..u64::BITS {
            let one = CapabilitySet::from_bits_retain(1 << number);
            if KEPT.contains(one) {
                continue;
            }
            match remove_capability_from_bounding_set(one) {
                Ok(()) => {}
                // Beyond the last that this kernel knows.
                Err(rustix::io::Errno::INVAL) => break,
                Err(errno) => return Err(errno.into()),
            }
        }
    }
    clear_ambient_capability_set()?;
    let kept = ours.permitted.intersection(KEPT);
    set_capabilities(
        None,
        CapabilitySets {
            effective: ours.effective.intersection(KEPT),
            permitted: kept,
            inheritable: CapabilitySet::empty(),
        },
    )?;
    Ok(())
}
