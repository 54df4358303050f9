//! The kernel's process connector (`linux/cn_proc.h`): an event for every process that starts or ends.

use std::io;
use std::time::Duration;

use netlink_sys::{
    AsyncSocket, AsyncSocketExt, Socket, SocketAddr, TokioSocket, protocols::NETLINK_CONNECTOR,
};
use tokio::time::timeout;

/// `CN_IDX_PROC` and `CN_VAL_PROC`: the connector's address, and its multicast group.
const PROC: u32 = 1;
/// `PROC_CN_MCAST_LISTEN`
const LISTEN: u32 = 1;
/// `NLMSG_DONE`, the type of every message of a connector.
const DONE: u16 = 3;
/// `struct nlmsghdr` and `struct cn_msg`.
const HEADERS: usize = 16 + 20;
/// `what`, `cpu` and `timestamp_ns` of `struct proc_event`.
const EVENT_HEADER: usize = 16;
/// How long the kernel may take to say that it has heard us. Where it does not care to tell, it says nothing.
const PATIENCE: Duration = Duration::from_secs(1);
/// Room for events while we are busy: some ten thousand.
const BUFFER: usize = 2 * 1024 * 1024;
/// Events taken at once, at most.
const BATCH: usize = 1024;

/// Something happened to a process. Threads are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// `child` began as a copy of `parent`.
    Forked { parent: i32, child: i32 },
    /// It runs another program, or has another name.
    Changed(i32),
    /// It ended.
    Ended(i32),
}

/// What the kernel told.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard {
    /// This happened, in this order.
    Events(Vec<Event>),
    /// More than there was room for.
    Lost,
}

/// Why the kernel does not tell.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    #[error("the kernel's process connector answers in the initial network namespace only")]
    Namespace,
    #[error("the kernel's process connector wants the capability CAP_NET_ADMIN")]
    Capability,
    #[error(
        "the kernel's process connector does not answer (it needs CONFIG_PROC_EVENTS and the initial process \
         namespace)"
    )]
    Silent,
    #[error("the kernel's process connector: {0}")]
    System(#[from] io::Error),
}

/// A subscription.
pub(super) struct Connector {
    socket: TokioSocket,
    inbox: Vec<u8>,
}

impl Connector {
    /// Subscribe; the kernel has confirmed it.
    pub(super) async fn open() -> Result<Self, Refused> {
        let mut socket = TokioSocket::new(NETLINK_CONNECTOR)?;
        // Less room is no reason to do without.
        let _ = socket.socket_mut().set_rx_buf_sz(BUFFER);
        let bound = socket.socket_mut().bind(&SocketAddr::new(0, PROC));
        bound.map_err(|error| match error.raw_os_error() {
            Some(libc::EPERM) => Refused::Capability,
            _ => Refused::System(error),
        })?;
        let sent = socket
            .socket_ref()
            .send_to(&subscription(), &SocketAddr::new(0, 0), 0);
        sent.map_err(|error| match error.raw_os_error() {
            Some(libc::ECONNREFUSED) => Refused::Namespace,
            Some(libc::EPERM) => Refused::Capability,
            _ => Refused::System(error),
        })?;
        let mut connector = Self {
            socket,
            inbox: Vec::with_capacity(4096),
        };
        match timeout(PATIENCE, connector.confirmation()).await {
            Ok(Ok(0)) => Ok(connector),
            Ok(Ok(libc::EPERM)) => Err(Refused::Capability),
            Ok(Ok(errno)) => Err(io::Error::from_raw_os_error(errno).into()),
            Ok(Err(error)) => Err(error.into()),
            Err(_) => Err(Refused::Silent),
        }
    }

    /// What the kernel says to the subscription, as `errno`. Events that come before are not missed: `/proc` is
    /// looked through afterwards.
    async fn confirmation(&mut self) -> io::Result<i32> {
        loop {
            self.inbox.clear();
            let from = self.socket.recv_from(&mut self.inbox).await;
            match from {
                Ok(from) if from.port_number() == 0 => {
                    if let Some(errno) = confirmed(&self.inbox) {
                        return Ok(errno);
                    }
                }
                Ok(_) => {}
                Err(error) if overrun(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Wait for events. Nothing is lost if this is dropped while it waits.
    pub(super) async fn hear(&mut self) -> io::Result<Heard> {
        self.inbox.clear();
        let mut received = self.socket.recv_from(&mut self.inbox).await;
        let mut events = Vec::new();
        loop {
            match received {
                Ok(from) if from.port_number() == 0 => events.extend(event(&self.inbox)),
                // Not from the kernel.
                Ok(_) => {}
                Err(error) if overrun(&error) => {
                    // What is queued is older than what was lost: `/proc` tells all of it.
                    self.discard()?;
                    return Ok(Heard::Lost);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::Events(events)),
                Err(error) => return Err(error),
            }
            if events.len() >= BATCH {
                return Ok(Heard::Events(events));
            }
            self.inbox.clear();
            received = receive(self.socket.socket_ref(), &mut self.inbox);
        }
    }

    fn discard(&mut self) -> io::Result<()> {
        loop {
            self.inbox.clear();
            match receive(self.socket.socket_ref(), &mut self.inbox) {
                Ok(_) => {}
                Err(error) if overrun(&error) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }
}

fn receive(socket: &Socket, inbox: &mut Vec<u8>) -> io::Result<SocketAddr> {
    socket.recv_from(inbox, 0).map(|(_, from)| from)
}

fn overrun(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS)
}

/// `PROC_CN_MCAST_LISTEN` in its two envelopes.
fn subscription() -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADERS + 4);
    // struct nlmsghdr: length, type, flags, sequence, port
    message.extend(40_u32.to_ne_bytes());
    message.extend(DONE.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message.extend([0; 8]);
    // struct cn_msg: idx, val, seq, ack, length, flags
    message.extend(PROC.to_ne_bytes());
    message.extend(PROC.to_ne_bytes());
    message.extend([0; 8]);
    message.extend(4_u16.to_ne_bytes());
    message.extend(0_u16.to_ne_bytes());
    message.extend(LISTEN.to_ne_bytes());
    message
}

/// The `index`th 32-bit word of a message's `struct proc_event`.
fn word(message: &[u8], index: usize) -> Option<[u8; 4]> {
    message.get(HEADERS + 4 * index..)?.first_chunk().copied()
}

/// `errno` of the kernel's answer to a subscription (`PROC_EVENT_NONE`).
fn confirmed(message: &[u8]) -> Option<i32> {
    let what = u32::from_ne_bytes(word(message, 0)?);
    let errno = i32::from_ne_bytes(word(message, EVENT_HEADER / 4)?);
    (what == 0).then_some(errno)
}

/// The event in a message, if it is one that counts.
fn event(message: &[u8]) -> Option<Event> {
    const FORK: u32 = 0x1;
    const EXEC: u32 = 0x2;
    const COMM: u32 = 0x200;
    const EXIT: u32 = 0x8000_0000;
    let what = u32::from_ne_bytes(word(message, 0)?);
    let field = |index| Some(i32::from_ne_bytes(word(message, EVENT_HEADER / 4 + index)?));
    match what {
        // parent's pid and tgid, child's pid and tgid
        FORK => {
            let (parent, child, group) = (field(1)?, field(2)?, field(3)?);
            (child == group).then_some(Event::Forked { parent, child })
        }
        // pid and tgid; a thread that executes becomes the process
        EXEC => Some(Event::Changed(field(1)?)),
        COMM => {
            let (pid, group) = (field(0)?, field(1)?);
            (pid == group).then_some(Event::Changed(group))
        }
        EXIT => {
            let (pid, group) = (field(0)?, field(1)?);
            (pid == group).then_some(Event::Ended(group))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Event, confirmed, event, subscription};

    /// A message of the kernel with this `struct proc_event`.
    fn message(what: u32, fields: &[i32]) -> Vec<u8> {
        let mut message = vec![0xa5; 36];
        message.extend(what.to_ne_bytes());
        message.extend([0xa5; 12]);
        message.extend(fields.iter().flat_map(|field| field.to_ne_bytes()));
        message
    }

    #[test]
    fn events_of_processes_and_not_of_threads() {
        let table = [
            (
                0x1,
                vec![10, 11, 20, 20],
                Some(Event::Forked {
                    parent: 11,
                    child: 20,
                }),
            ),
            (0x1, vec![10, 10, 21, 20], None),
            (0x2, vec![20, 20], Some(Event::Changed(20))),
            (0x200, vec![20, 20], Some(Event::Changed(20))),
            (0x200, vec![21, 20], None),
            (0x8000_0000, vec![20, 20, 0, 17], Some(Event::Ended(20))),
            (0x8000_0000, vec![21, 20, 0, 17], None),
            (0x4, vec![20, 20, 0, 0], None),
            (0x1, vec![10, 11, 20], None),
            (0x2, vec![], None),
        ];
        for (what, fields, expected) in table {
            assert_eq!(event(&message(what, &fields)), expected, "{what:#x} {fields:?}");
        }
        assert_eq!(event(&[0; 30]), None);
        assert_eq!(confirmed(&message(0, &[0])), Some(0));
        assert_eq!(confirmed(&message(0, &[1])), Some(1));
        assert_eq!(confirmed(&message(0x2, &[20, 20])), None);
    }

    /// By the kernel's headers: 40 bytes, of which 4 are the connector's payload.
    #[test]
    #[cfg(target_endian = "little")]
    fn the_subscription_as_the_kernel_wants_it() {
        let expected = [
            40, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
            4, 0, 0, 0, 1, 0, 0, 0,
        ];
        assert_eq!(subscription(), expected);
    }
}
