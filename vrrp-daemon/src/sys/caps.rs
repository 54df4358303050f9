//! The capabilities that this daemon lives on.
#![allow(unsafe_code, reason = "capget(2)")]

use std::io;

/// A capability that is missing, with what to do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{name} is missing, without which {purpose}: run as root, or under systemd with \
     AmbientCapabilities=CAP_NET_RAW CAP_NET_ADMIN CAP_BPF"
)]
pub struct Missing {
    /// Its name, as in capabilities(7).
    pub name: &'static str,
    /// What cannot be done.
    pub purpose: &'static str,
}

const NEEDED: [(u32, Missing); 2] = [
    (
        13,
        Missing {
            name: "CAP_NET_RAW",
            purpose: "adverts can be neither sent nor received",
        },
    ),
    (
        12,
        Missing {
            name: "CAP_NET_ADMIN",
            purpose: "addresses can be neither added nor removed",
        },
    ),
];

/// Whether this thread may open raw sockets and change addresses.
///
/// # Errors
/// The first capability that is missing.
pub fn check() -> Result<(), Missing> {
    // Where the kernel does not say, the first use will.
    let Ok(effective) = effective() else {
        return Ok(());
    };
    match NEEDED.into_iter().find(|(bit, _)| effective & (1 << bit) == 0) {
        Some((_, missing)) => Err(missing),
        None => Ok(()),
    }
}

/// The effective set of the calling thread, capabilities 0 to 31.
fn effective() -> io::Result<u32> {
    /// `struct __user_cap_header_struct`.
    #[repr(C)]
    struct Header {
        version: u32,
        pid: i32,
    }
    /// `struct __user_cap_data_struct`.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Data {
        effective: u32,
        _permitted: u32,
        _inheritable: u32,
    }
    /// `_LINUX_CAPABILITY_VERSION_3`: two elements of data.
    const VERSION: u32 = 0x2008_0522;

    let mut header = Header {
        version: VERSION,
        pid: 0,
    };
    let mut data = [Data {
        effective: 0,
        _permitted: 0,
        _inheritable: 0,
    }; 2];
    // SAFETY: the layouts are those of linux/capability.h, and version 3 has the kernel write exactly two
    // elements of data.
    let result = unsafe { libc::syscall(libc::SYS_capget, &raw mut header, data.as_mut_ptr()) };
    if result == 0 {
        Ok(data[0].effective)
    } else {
        Err(io::Error::last_os_error())
    }
}
