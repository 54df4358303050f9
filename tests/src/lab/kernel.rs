//! The two things of the kernel that no safe crate offers: work between fork and exec, and an `AF_PACKET`
//! address. The lab's only `unsafe` code is here.

#![allow(unsafe_code, reason = "pre_exec and sockaddr_ll have no safe form")]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use nix::sched::{CloneFlags, setns};
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getpid, getppid};
use socket2::{Domain, SockAddr, SockAddrStorage, Socket, Type};

use super::namespace::Namespace;

/// Make `command` run inside `namespace`. With `dies_with_us` the child gets SIGKILL when the thread that
/// spawned it ends, however that comes about.
pub(super) fn run_inside(command: &mut Command, namespace: Arc<Namespace>, dies_with_us: bool) {
    let parent: Pid = getpid();
    // SAFETY: the closure runs in the child between fork and exec and does nothing but system calls on file
    // descriptors that it keeps open itself: no allocation, no lock.
    unsafe {
        command.pre_exec(move || {
            if dies_with_us {
                prctl::set_pdeathsig(Signal::SIGKILL)?;
                if getppid() != parent {
                    // The parent died before the line above: nobody is left to wait for us.
                    return Err(io::ErrorKind::BrokenPipe.into());
                }
            }
            setns(namespace.net(), CloneFlags::CLONE_NEWNET)?;
            if let Some(mounts) = namespace.mounts() {
                mounts.enter()?;
            }
            Ok(())
        });
    }
}

/// What a packet socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hears {
    /// Every frame of its interface, both ways.
    Everything,
    /// No frame: it is there to send.
    Nothing,
}

/// A raw packet socket on the interface with this index. It must be made by a thread that is in the
/// interface's namespace.
pub(super) fn packet_socket(interface: u32, hears: Hears) -> io::Result<Socket> {
    // Protocol 0 receives nothing, so no frame of another interface slips in before the bind.
    let socket = Socket::new(Domain::PACKET, Type::RAW, None)?;
    let mut storage = SockAddrStorage::zeroed();
    // SAFETY: sockaddr_ll is a plain struct of integers, which the storage is large and aligned enough for.
    let link = unsafe { storage.view_as::<libc::sockaddr_ll>() };
    link.sll_family = libc::AF_PACKET as libc::sa_family_t;
    link.sll_protocol = match hears {
        Hears::Everything => (libc::ETH_P_ALL as u16).to_be(),
        Hears::Nothing => 0,
    };
    link.sll_ifindex = i32::try_from(interface).map_err(io::Error::other)?;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the storage holds a sockaddr_ll of exactly this length, filled in above.
    let address = unsafe { SockAddr::new(storage, length) };
    socket.bind(&address)?;
    Ok(socket)
}
