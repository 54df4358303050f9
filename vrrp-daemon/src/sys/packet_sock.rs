//! Sends ready-made Ethernet frames, a batch per system call.
#![allow(unsafe_code, reason = "AF_PACKET addresses and sendmmsg(2)")]

use std::ffi::c_int;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// Most frames that one `sendmmsg` carries.
const BATCH: usize = 64;

/// A packet socket that sends on one interface and, its protocol being 0, never receives.
#[derive(Debug)]
pub struct PacketSender {
    fd: OwnedFd,
}

impl PacketSender {
    /// A sender on the interface of this index.
    ///
    /// # Errors
    /// `EPERM` without CAP_NET_RAW, `ENODEV` if there is no such interface.
    pub fn open(ifindex: u32) -> io::Result<Self> {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
        // SAFETY: no pointers.
        let fd = unsafe { libc::socket(libc::AF_PACKET, kind, 0) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: a descriptor that `socket` just made, and nobody else has.
        let fd = unsafe { OwnedFd::from_raw_fd(fd) };

        // SAFETY: `sockaddr_ll` consists of integers, for which zero is a value.
        let mut address = unsafe { zeroed::<libc::sockaddr_ll>() };
        address.sll_family = u16::try_from(libc::AF_PACKET).map_err(io::Error::other)?;
        address.sll_ifindex = c_int::try_from(ifindex).map_err(io::Error::other)?;
        let length = libc::socklen_t::try_from(size_of::<libc::sockaddr_ll>()).map_err(io::Error::other)?;
        // SAFETY: pointer and length are those of `address`, which outlives the call.
        let result = unsafe { libc::bind(fd.as_raw_fd(), (&raw const address).cast(), length) };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self { fd })
    }

    /// Send the frames in order. Never waits and never allocates.
    ///
    /// # Errors
    /// The error of the first frame that did not go out, with the number that did. `ENOBUFS` or `EAGAIN`:
    /// the interface's queue is full. `ENXIO` or `ENETDOWN`: the interface is gone or down.
    pub fn send<F: AsRef<[u8]>>(&self, frames: &[F]) -> Result<(), SendError> {
        let mut sent = 0;
        while let Some(rest) = frames.get(sent..).filter(|rest| !rest.is_empty()) {
            match self.send_batch(rest) {
                Ok(count) => sent += count,
                Err(error) => return Err(SendError { sent, error }),
            }
        }
        Ok(())
    }

    /// Send up to [`BATCH`] frames; answers how many went out, at least one.
    fn send_batch<F: AsRef<[u8]>>(&self, frames: &[F]) -> io::Result<usize> {
        // SAFETY: both structures consist of integers and pointers, for which zero is a value.
        let (mut vectors, mut messages) = unsafe {
            (
                zeroed::<[libc::iovec; BATCH]>(),
                zeroed::<[libc::mmsghdr; BATCH]>(),
            )
        };
        let mut count = 0;
        for ((frame, vector), message) in frames.iter().zip(&mut vectors).zip(&mut messages) {
            let bytes = frame.as_ref();
            vector.iov_base = bytes.as_ptr().cast_mut().cast();
            vector.iov_len = bytes.len();
            message.msg_hdr.msg_iov = vector;
            message.msg_hdr.msg_iovlen = 1;
            count += 1;
        }
        // SAFETY: the first `count` headers point to vectors that point to `frames`; all outlive the call,
        // and the kernel writes only to `msg_len`.
        let sent = unsafe { libc::sendmmsg(self.fd.as_raw_fd(), messages.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}

/// A batch that did not go out whole.
#[derive(Debug, thiserror::Error)]
#[error("after {sent} frames: {error}")]
pub struct SendError {
    /// Frames that did go out.
    pub sent: usize,
    /// What stopped the next one.
    pub error: io::Error,
}
