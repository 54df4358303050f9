//! The program on a device: a bpf link, which goes with this process, and can be asked whether it still holds.
#![allow(
    unsafe_code,
    reason = "two commands of bpf(2) that no library of ours lends: a link that can be asked about"
)]

use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr::from_mut;

use nix::errno::Errno;

use super::attach::Attached;

/// `BPF_OBJ_GET_INFO_BY_FD`.
const GET_INFO: libc::c_long = 15;
/// `BPF_LINK_CREATE`.
const CREATE: libc::c_long = 28;
/// `BPF_XDP`, of `enum bpf_attach_type`.
const ATTACH_XDP: u32 = 37;
/// `XDP_FLAGS_SKB_MODE`.
const IN_THE_STACK: u32 = 1 << 1;
/// `XDP_FLAGS_DRV_MODE`.
const IN_THE_DRIVER: u32 = 1 << 2;

/// The head of `union bpf_attr` for `BPF_LINK_CREATE`.
#[repr(C)]
struct Create {
    program: RawFd,
    ifindex: u32,
    attach_type: u32,
    flags: u32,
}

/// The head of `union bpf_attr` for `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct GetInfo {
    link: RawFd,
    /// Bytes that `info` has room for.
    room: u32,
    info: u64,
}

/// The head of `struct bpf_link_info`, for a link of XDP.
#[repr(C, align(8))]
#[derive(Default)]
struct Info {
    kind: u32,
    id: u32,
    program: u32,
    pad: u32,
    /// 0 once the link was detached, or its device is gone.
    ifindex: u32,
    pad_end: u32,
}

/// A program on a device, until this is dropped.
#[derive(Debug)]
pub(super) struct Link(OwnedFd);

impl Link {
    /// Put `program` on the device with this index.
    pub(super) fn create(program: BorrowedFd<'_>, ifindex: u32, attached: Attached) -> Result<Self, Errno> {
        let mut ask = Create {
            program: program.as_raw_fd(),
            ifindex,
            attach_type: ATTACH_XDP,
            flags: match attached {
                Attached::Native => IN_THE_DRIVER,
                Attached::Generic => IN_THE_STACK,
            },
        };
        let link = bpf(CREATE, &mut ask)?;
        let link = RawFd::try_from(link).map_err(|_| Errno::EBADF)?;
        // SAFETY: the kernel has just made this descriptor for us, and nobody else knows of it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(link) }))
    }

    /// The device that it holds on to. `None`: somebody has taken it off (`BPF_LINK_DETACH`), or the device is gone.
    pub(super) fn device(&self) -> Result<Option<u32>, Errno> {
        let mut info = Info::default();
        let mut ask = GetInfo {
            link: self.0.as_raw_fd(),
            room: size_u32::<Info>()?,
            // The kernel is to write there, which the compiler cannot see in a number by itself.
            info: u64::try_from(from_mut(&mut info).expose_provenance()).map_err(|_| Errno::EFAULT)?,
        };
        bpf(GET_INFO, &mut ask)?;
        Ok(Some(info.ifindex).filter(|ifindex| *ifindex != 0))
    }
}

fn size_u32<T>() -> Result<u32, Errno> {
    u32::try_from(size_of::<T>()).map_err(|_| Errno::EINVAL)
}

/// bpf(2). `ask` is the head of its argument; the rest of it is zero to the kernel.
fn bpf<T>(command: libc::c_long, ask: &mut T) -> Result<libc::c_long, Errno> {
    let size = size_u32::<T>()?;
    // SAFETY: the kernel reads `size` bytes at `ask`, and writes no more than that there; what `ask` points to itself is
    // the caller's, who lends as many bytes as it says.
    let result = unsafe { libc::syscall(libc::SYS_bpf, command, from_mut(ask), size) };
    Errno::result(result)
}
