//! The socket options that no crate in use offers.
#![allow(unsafe_code, reason = "setsockopt(2)")]

use std::ffi::c_int;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{setsockopt, sockopt};

/// A receive buffer of so many bytes, whatever the system's limit (`SO_RCVBUFFORCE`).
///
/// # Errors
/// As `setsockopt(2)`: `EPERM` without CAP_NET_ADMIN.
pub fn room(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::RcvBufForce, &bytes)?)
}

/// Room for so many bytes on their way out, whatever the system's limit (`SO_SNDBUFFORCE`).
///
/// # Errors
/// As `setsockopt(2)`: `EPERM` without CAP_NET_ADMIN.
pub fn way_out(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::SndBufForce, &bytes)?)
}

/// The interface that IPv4 multicast leaves by, by index (`IP_MULTICAST_IF` with `ip_mreqn`).
///
/// # Errors
/// As `setsockopt(2)`: `EADDRNOTAVAIL` if there is no such interface.
pub fn multicast_if_v4(socket: impl AsFd, ifindex: u32) -> io::Result<()> {
    let request = libc::ip_mreqn {
        imr_multiaddr: libc::in_addr { s_addr: 0 },
        imr_address: libc::in_addr { s_addr: 0 },
        imr_ifindex: c_int::try_from(ifindex).map_err(io::Error::other)?,
    };
    let length = libc::socklen_t::try_from(size_of::<libc::ip_mreqn>()).map_err(io::Error::other)?;
    // SAFETY: the pointer and the length are those of `request`, which outlives the call; the kernel only
    // reads it.
    let result = unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_MULTICAST_IF,
            (&raw const request).cast(),
            length,
        )
    };
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
