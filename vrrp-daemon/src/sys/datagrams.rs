//! Sends datagrams to one place each, many to a system call.
#![allow(unsafe_code, reason = "sendmmsg(2)")]

use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;

use socket2::{SockAddr, Socket};

/// Most messages that one `sendmmsg` carries (`UIO_MAXIOV`).
const MOST: usize = 1024;

/// Room for a batch. It is kept from call to call, so that in the long run sending allocates nothing.
#[derive(Default)]
pub struct Batch {
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: what the pointers lead to is looked at during `send` alone, which puts new ones in first.
unsafe impl Send for Batch {}

impl std::fmt::Debug for Batch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batch")
            .field("room", &self.headers.capacity())
            .finish_non_exhaustive()
    }
}

impl Batch {
    /// Send the first of these messages, in order, as many as one call takes; never waits. Answers how many went out,
    /// at least one.
    ///
    /// # Errors
    /// As `sendmsg(2)`, for the first message, which did not go out then.
    pub fn send<'m>(
        &mut self,
        socket: &Socket,
        flags: i32,
        messages: impl Iterator<Item = (&'m [u8], &'m SockAddr)>,
    ) -> io::Result<usize> {
        self.vectors.clear();
        self.headers.clear();
        for (bytes, address) in messages.take(MOST) {
            self.vectors.push(libc::iovec {
                iov_base: bytes.as_ptr().cast_mut().cast(),
                iov_len: bytes.len(),
            });
            // SAFETY: integers and pointers, for which zero is a value.
            let mut header = unsafe { zeroed::<libc::mmsghdr>() };
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
            header.msg_hdr.msg_iovlen = 1;
            self.headers.push(header);
        }
        // Only now, since a vector that grows moves.
        for (header, vector) in self.headers.iter_mut().zip(&mut self.vectors) {
            header.msg_hdr.msg_iov = vector;
        }
        let count = u32::try_from(self.headers.len()).unwrap_or(u32::MAX);
        // SAFETY: `count` headers, each with an address and a vector that point to what the iterator lent for longer than
        // this call; the kernel writes to `msg_len` alone, which is ours.
        let sent = unsafe {
            libc::sendmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                count,
                flags | libc::MSG_DONTWAIT,
            )
        };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}
