//! A host's address list: watched as it changes, and changed all at once, so that what the kernel itself takes can be
//! measured. Messages are built from rtnetlink(7), not with the daemon's code.

mod message;
mod watch;

use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::host::Host;
use message::{NLM_F_ACK, local_route, message, messages};
pub use watch::AddressWatch;

/// Room for the events of thousands of addresses.
const RECEIVE_BUFFER: usize = 16 << 20;
/// What the kernel may take for a batch, in seconds.
const LIMIT: i64 = 10;

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there now, or looks different.
    Added,
    /// It is gone.
    Removed,
}

/// Adding or removing addresses of one interface: one message each, one acknowledgement for all. Every refusal is
/// answered by the kernel all the same.
#[derive(Clone, Debug)]
pub struct AddressBatch {
    bytes: Vec<u8>,
    count: u32,
}

impl AddressBatch {
    /// `addresses`, each with the longest prefix, on the interface with this index.
    #[must_use]
    pub fn new(change: Change, interface: u32, addresses: &[IpAddr]) -> Self {
        Self::of(addresses, |bytes, address, sequence, ack| {
            message(bytes, change, interface, (address, None), sequence, ack);
        })
    }

    /// With a prefix of this length.
    #[must_use]
    pub fn with_prefix(change: Change, interface: u32, addresses: &[IpAddr], prefix: u8) -> Self {
        Self::of(addresses, |bytes, address, sequence, ack| {
            message(bytes, change, interface, (address, Some(prefix)), sequence, ack);
        })
    }

    /// Not the addresses but routes of type local to them: the host takes what is sent there for its own.
    #[must_use]
    pub fn local_routes(change: Change, interface: u32, addresses: &[IpAddr]) -> Self {
        Self::of(addresses, |bytes, address, sequence, ack| {
            local_route(bytes, change, interface, address, sequence, ack);
        })
    }

    fn of(addresses: &[IpAddr], message: impl Fn(&mut Vec<u8>, IpAddr, u32, u16)) -> Self {
        let mut bytes = Vec::new();
        let mut count = 0;
        for (index, address) in addresses.iter().enumerate() {
            count += 1;
            let ack = if index + 1 == addresses.len() {
                NLM_F_ACK
            } else {
                0
            };
            message(&mut bytes, *address, count, ack);
        }
        Self { bytes, count }
    }
}

/// A netlink socket in a host's namespace.
#[derive(Debug)]
pub struct Netlink(OwnedFd);

impl Netlink {
    /// Open one.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn open(host: &Host) -> anyhow::Result<Self> {
        let socket = host.namespace().inside(|| open(0))?;
        setsockopt(&socket, sockopt::SndBuf, &(1 << 20))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(LIMIT, 0))?;
        Ok(Self(socket))
    }

    /// Hand over the whole batch in one send and wait for its acknowledgement.
    ///
    /// # Errors
    /// The kernel refused one, or did not answer.
    pub fn change(&self, batch: &AddressBatch) -> anyhow::Result<()> {
        if batch.count == 0 {
            return Ok(());
        }
        let sent = send(self.0.as_raw_fd(), &batch.bytes, MsgFlags::empty()).context("sending a batch")?;
        ensure!(sent == batch.bytes.len(), "half of a batch was sent");
        let mut buffer = vec![0; 65_536];
        loop {
            let length = recv(self.0.as_raw_fd(), &mut buffer, MsgFlags::empty())
                .context("waiting for the kernel's answer to a batch")?;
            for answer in buffer.get(..length).map(messages).unwrap_or_default() {
                let Some(errno) = answer.error() else { continue };
                ensure!(
                    errno == 0,
                    "the kernel refused address {} of a batch: {}",
                    answer.sequence,
                    Errno::from_raw(errno)
                );
                if answer.sequence == batch.count {
                    return Ok(());
                }
            }
        }
    }
}

/// The index of an interface of `host`.
///
/// # Errors
/// There is no such interface.
pub fn interface_index(host: &Host, interface: &str) -> anyhow::Result<u32> {
    host.namespace()
        .inside(|| if_nametoindex(interface).with_context(|| format!("interface {interface}")))
}

/// A routing socket of this thread's namespace that hears these groups.
fn open(groups: u32) -> anyhow::Result<OwnedFd> {
    let socket = socket(
        AddressFamily::Netlink,
        SockType::Raw,
        SockFlag::SOCK_CLOEXEC,
        SockProtocol::NetlinkRoute,
    )?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, groups))?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER)?;
    Ok(socket)
}
