//! A host's address list: watched as it changes, and changed all at once, so that what the kernel itself takes can be
//! measured. Messages are built from rtnetlink(7), not with the daemon's code.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, send, setsockopt,
    socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::host::Host;
use super::wait::Stamp;

/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
/// `NLM_F_EXCL | NLM_F_CREATE`.
const NLM_F_NEW: u16 = 0x200 | 0x400;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// `ifa_flags`: no duplicate address detection.
const IFA_F_NODAD: u8 = 2;
const HEADER: usize = 16;
const IFADDRMSG: usize = 8;
/// Room for the events of thousands of addresses.
const RECEIVE_BUFFER: usize = 16 << 20;
/// How long the reading thread sleeps before it looks whether it should end.
const TICK: i64 = 50_000;
/// What the kernel may take for a batch.
const LIMIT: i64 = 10;

/// What became of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It is there now, or looks different.
    Added,
    /// It is gone.
    Removed,
}

/// Every change of a host's addresses, stamped when it is read: right after the kernel said so on a machine that is
/// idle, later on a busy one. It ends when dropped.
#[derive(Debug)]
pub struct AddressWatch {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<(Stamp, Change, IpAddr)>>,
    arrived: Condvar,
    stop: AtomicBool,
}

impl AddressWatch {
    /// Watch `host` from now on.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn start(host: &Host) -> anyhow::Result<Self> {
        let socket = host.namespace().inside(|| open(ADDRESS_GROUPS))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, TICK))?;
        let shared = Arc::new(Shared::default());
        let for_reader = Arc::clone(&shared);
        let reader = thread::Builder::new()
            .name(format!("addresses {}", host.name()))
            .spawn(move || read_all(&socket, &for_reader))?;
        Ok(Self {
            shared,
            reader: Some(reader),
        })
    }

    /// Wait until each of `addresses` has changed so since `since`: when the last of them did.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_for(
        &self,
        change: Change,
        addresses: &[IpAddr],
        since: Stamp,
        limit: Duration,
    ) -> anyhow::Result<Stamp> {
        let deadline = Instant::now() + limit;
        let mut missing: HashSet<IpAddr> = addresses.iter().copied().collect();
        let mut next = 0;
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            for (at, what, address) in seen.iter().skip(next) {
                if *at >= since && *what == change && missing.remove(address) && missing.is_empty() {
                    return Ok(*at);
                }
            }
            next = seen.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "waited {limit:?} in vain until {} addresses were {change:?}: {} were not",
                    addresses.len(),
                    missing.len()
                );
            }
            seen = self
                .shared
                .arrived
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// When the first address changed so since then.
    #[must_use]
    pub fn first(&self, change: Change, since: Stamp) -> Option<Stamp> {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .find(|(at, what, _)| *at >= since && *what == change)
            .map(|(at, ..)| *at)
    }

    /// Forget what was seen so far.
    pub fn clear(&self) {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _it_only_reads = reader.join();
        }
    }
}

fn read_all(socket: &OwnedFd, shared: &Shared) {
    let mut buffer = vec![0; 65_536];
    while !shared.stop.load(Ordering::Relaxed) {
        let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => length,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => continue,
            Err(_) => return,
        };
        let at = Stamp::now();
        let changes = buffer.get(..length).map(messages).unwrap_or_default();
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for message in changes {
            if let Some((change, address)) = message.change() {
                seen.push((at, change, address));
            }
        }
        shared.arrived.notify_all();
    }
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
        let mut bytes = Vec::new();
        let mut count = 0;
        for (index, address) in addresses.iter().enumerate() {
            count += 1;
            let ack = if index + 1 == addresses.len() {
                NLM_F_ACK
            } else {
                0
            };
            message(&mut bytes, change, interface, *address, count, ack);
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

/// Append one message.
fn message(bytes: &mut Vec<u8>, change: Change, interface: u32, address: IpAddr, sequence: u32, flags: u16) {
    let start = bytes.len();
    let (kind, new) = match change {
        Change::Added => (RTM_NEWADDR, NLM_F_NEW),
        Change::Removed => (RTM_DELADDR, 0),
    };
    let (family, prefix, octets, address_flags, attributes): (u8, u8, Vec<u8>, u8, &[u16]) = match address {
        IpAddr::V4(v4) => (2, 32, v4.octets().to_vec(), 0, &[IFA_LOCAL, IFA_ADDRESS]),
        IpAddr::V6(v6) => (10, 128, v6.octets().to_vec(), IFA_F_NODAD, &[IFA_ADDRESS]),
    };
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend(kind.to_ne_bytes());
    bytes.extend((NLM_F_REQUEST | new | flags).to_ne_bytes());
    bytes.extend(sequence.to_ne_bytes());
    bytes.extend(0_u32.to_ne_bytes());
    bytes.extend([family, prefix, address_flags, 0]);
    bytes.extend(interface.to_ne_bytes());
    for attribute in attributes {
        // A length of 8 or 20 needs no padding.
        bytes.extend(u16::try_from(octets.len() + 4).unwrap_or(0).to_ne_bytes());
        bytes.extend(attribute.to_ne_bytes());
        bytes.extend(&octets);
    }
    let length = u32::try_from(bytes.len() - start).unwrap_or(0).to_ne_bytes();
    if let Some(field) = bytes.get_mut(start..start + 4) {
        field.copy_from_slice(&length);
    }
}

/// One message of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Message<'a> {
    kind: u16,
    sequence: u32,
    payload: &'a [u8],
}

/// The messages of a datagram, up to the first that is cut short.
fn messages(mut bytes: &[u8]) -> Vec<Message<'_>> {
    let mut found = Vec::new();
    while let Some(length) = word(bytes, 0).and_then(|length| usize::try_from(length).ok()) {
        let (Some(kind), Some(sequence), Some(payload)) =
            (half(bytes, 4), word(bytes, 8), bytes.get(HEADER..length))
        else {
            break;
        };
        found.push(Message {
            kind,
            sequence,
            payload,
        });
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    found
}

impl Message<'_> {
    /// The error number that it answers with; 0 acknowledges.
    fn error(&self) -> Option<i32> {
        (self.kind == NLMSG_ERROR).then(|| word(self.payload, 0).unwrap_or(0).cast_signed().wrapping_neg())
    }

    fn change(&self) -> Option<(Change, IpAddr)> {
        let change = match self.kind {
            RTM_NEWADDR => Change::Added,
            RTM_DELADDR => Change::Removed,
            _ => return None,
        };
        let mut rest = self.payload.get(IFADDRMSG..)?;
        let mut found = None;
        while let (Some(length), Some(kind)) = (half(rest, 0), half(rest, 2)) {
            let value = rest.get(4..usize::from(length))?;
            let address = match value.len() {
                4 => Some(IpAddr::from(<[u8; 4]>::try_from(value).ok()?)),
                16 => Some(IpAddr::from(<[u8; 16]>::try_from(value).ok()?)),
                _ => None,
            };
            match (kind, address) {
                (IFA_LOCAL, Some(local)) => return Some((change, local)),
                (IFA_ADDRESS, Some(address)) => found = Some((change, address)),
                _ => {}
            }
            rest = rest
                .get(usize::from(length).next_multiple_of(4)..)
                .unwrap_or_default();
        }
        found
    }
}

fn word(bytes: &[u8], offset: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(
        bytes.get(offset..offset + 4)?.try_into().ok()?,
    ))
}

fn half(bytes: &[u8], offset: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(
        bytes.get(offset..offset + 2)?.try_into().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{Change, message, messages};

    #[test]
    #[cfg(target_endian = "little")]
    fn a_message_is_as_rtnetlink_wants_it() {
        let mut bytes = Vec::new();
        message(&mut bytes, Change::Added, 7, IpAddr::from([192, 0, 2, 100]), 3, 4);
        assert_eq!(
            bytes,
            [
                40, 0, 0, 0, 20, 0, 5, 6, 3, 0, 0, 0, 0, 0, 0, 0, // header
                2, 32, 0, 0, 7, 0, 0, 0, // IPv4, /32, on 7
                8, 0, 2, 0, 192, 0, 2, 100, // IFA_LOCAL
                8, 0, 1, 0, 192, 0, 2, 100, // IFA_ADDRESS
            ]
        );
    }

    #[test]
    fn both_of_two_messages_are_read_back() {
        let (one, two) = (
            IpAddr::from([192, 0, 2, 100]),
            IpAddr::from([0x20, 1, 0xd, 0xb8, 0, 0, 0, 1]),
        );
        let mut bytes = Vec::new();
        message(&mut bytes, Change::Added, 7, one, 1, 0);
        message(&mut bytes, Change::Removed, 7, two, 2, 0);
        let changes: Vec<_> = messages(&bytes).iter().filter_map(|one| one.change()).collect();
        assert_eq!(changes, [(Change::Added, one), (Change::Removed, two)]);
        assert_eq!(messages(&bytes[..60]).len(), 1);
        assert_eq!(messages(&[]), []);
    }

    /// -EEXIST for message 5.
    #[test]
    #[cfg(target_endian = "little")]
    fn a_refusal_is_an_error_number() {
        let mut answer = vec![20, 0, 0, 0, 2, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0];
        answer.extend((-17_i32).to_le_bytes());
        let read = messages(&answer);
        assert_eq!((read[0].error(), read[0].sequence), (Some(17), 5));
    }
}
