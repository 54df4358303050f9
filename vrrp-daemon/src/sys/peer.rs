//! Who is at the other end of a UNIX socket, as the kernel noted it when the other end connected.
#![allow(unsafe_code, reason = "getsockopt(2)")]

use std::io;
use std::os::fd::{AsFd, AsRawFd};

use nix::sys::socket::{getsockopt, sockopt};

/// Groups that a process may be in (NGROUPS_MAX).
const GROUPS: usize = 65_536;

/// A process that connected, by its effective ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Process id; 0 for one that is in no namespace of ours.
    pub pid: i32,
    /// User.
    pub uid: u32,
    /// Group.
    pub gid: u32,
    /// Supplementary groups.
    pub groups: Vec<u32>,
}

impl Peer {
    /// The process that connected `socket` (`SO_PEERCRED`, `SO_PEERGROUPS`; the latter is in Linux since 4.13).
    ///
    /// # Errors
    /// As `getsockopt(2)`.
    pub fn of(socket: &impl AsFd) -> io::Result<Self> {
        let credentials = getsockopt(socket, sockopt::PeerCredentials)?;
        Ok(Self {
            pid: credentials.pid(),
            uid: credentials.uid(),
            gid: credentials.gid(),
            groups: groups(socket)?,
        })
    }
}

fn groups(socket: &impl AsFd) -> io::Result<Vec<u32>> {
    // Most are in a few; the kernel says how many there are when the room is too small.
    let mut groups = vec![0_u32; 64];
    loop {
        let room = groups.len() * size_of::<u32>();
        let mut length = libc::socklen_t::try_from(room).map_err(io::Error::other)?;
        // SAFETY: `groups` has `length` bytes, which the kernel writes at most; `length` is ours.
        let result = unsafe {
            libc::getsockopt(
                socket.as_fd().as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_PEERGROUPS,
                groups.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        let count = usize::try_from(length).map_err(io::Error::other)? / size_of::<u32>();
        if result == 0 {
            groups.truncate(count);
            return Ok(groups);
        }
        let error = io::Error::last_os_error();
        if error.raw_os_error() != Some(libc::ERANGE) || count <= groups.len() || count > GROUPS {
            return Err(error);
        }
        groups.resize(count, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use nix::unistd::{getegid, geteuid, getgroups};

    use super::Peer;

    #[test]
    fn it_is_us() {
        let (one, _other) = UnixStream::pair().unwrap();
        let mut peer = Peer::of(&one).unwrap();
        assert_eq!((peer.uid, peer.gid), (geteuid().as_raw(), getegid().as_raw()));
        let mut groups: Vec<u32> = getgroups().unwrap().into_iter().map(|gid| gid.as_raw()).collect();
        groups.sort_unstable();
        peer.groups.sort_unstable();
        assert_eq!(peer.groups, groups);
    }
}
