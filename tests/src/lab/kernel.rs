//! What no safe crate offers of the kernel: work between fork and exec, an `AF_PACKET` address, and taking somebody
//! else's bpf link off. The lab's only `unsafe` code is here.

#![allow(unsafe_code, reason = "pre_exec, sockaddr_ll and bpf(2) have no safe form")]

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
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

/// Take the bpf link with this number off what it is attached to, whoever holds it (`BPF_LINK_DETACH`).
///
/// # Errors
/// There is none, or we may not (it takes CAP_SYS_ADMIN).
pub fn detach_bpf_link(id: u32) -> io::Result<()> {
    const LINK_GET_FD_BY_ID: libc::c_long = 30;
    const LINK_DETACH: libc::c_long = 34;
    // The heads of bpf(2)'s argument: a number and flags; a descriptor. The rest of it is zero to the kernel.
    let link = bpf(LINK_GET_FD_BY_ID, &[id, 0, 0, 0])?;
    // SAFETY: the kernel has just made this descriptor for us.
    let link = unsafe { OwnedFd::from_raw_fd(link) };
    let number = u32::try_from(link.as_raw_fd()).map_err(io::Error::other)?;
    bpf(LINK_DETACH, &[number]).map(drop)
}

/// Run the XDP program behind `program` on `frame` so many times (`BPF_PROG_TEST_RUN`), while others use what it belongs to.
///
/// # Errors
/// As the kernel says.
pub fn run_xdp(program: BorrowedFd<'_>, frame: &[u8], repeat: u32) -> io::Result<()> {
    const PROG_TEST_RUN: libc::c_long = 10;
    /// The member `test` of `union bpf_attr` (include/uapi/linux/bpf.h).
    #[repr(C)]
    #[derive(Default)]
    struct Run {
        prog_fd: u32,
        retval: u32,
        data_size_in: u32,
        data_size_out: u32,
        data_in: u64,
        data_out: u64,
        repeat: u32,
        duration: u32,
    }
    let mut run = Run {
        prog_fd: u32::try_from(program.as_raw_fd()).map_err(io::Error::other)?,
        data_size_in: u32::try_from(frame.len()).map_err(io::Error::other)?,
        data_in: frame.as_ptr() as u64,
        repeat,
        ..Run::default()
    };
    // SAFETY: the kernel reads `frame`, whose length is given, and reads and writes `run`, both alive until it is done.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, PROG_TEST_RUN, &raw mut run, size_of::<Run>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn bpf<const N: usize>(command: libc::c_long, ask: &[u32; N]) -> io::Result<i32> {
    // SAFETY: the kernel reads so many bytes there, and for these commands writes none.
    let answer = unsafe { libc::syscall(libc::SYS_bpf, command, ask.as_ptr(), size_of::<[u32; N]>()) };
    if answer < 0 {
        return Err(io::Error::last_os_error());
    }
    i32::try_from(answer).map_err(io::Error::other)
}
