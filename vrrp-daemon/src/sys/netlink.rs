//! A blocking-free request channel to rtnetlink: batches of changes in one send, and dumps.
//!
//! The kernel works a request off inside `send(2)`, so every answer is queued when it returns.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;

/// Bytes of a message's header: length (4), type (2), flags (2), sequence (4), port (4), in host order.
const HEADER_LEN: usize = 16;
/// `NLMSG_ERROR`, also the acknowledgement (error 0).
const ERROR: u16 = 2;
/// What the kernel puts into one answer at most.
const INBOX: usize = 32 * 1024;

/// A request, ready to be sent in a batch; the sequence number is filled in then.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Request(Vec<u8>);

impl Request {
    /// Serialise a request. `flags` beside `NLM_F_REQUEST`.
    #[must_use]
    pub fn new(payload: RouteNetlinkMessage, flags: u16) -> Self {
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        let mut message = NetlinkMessage::new(header, NetlinkPayload::from(payload));
        message.finalize();
        let mut bytes = vec![0; message.buffer_len()];
        message.serialize(&mut bytes);
        Self(bytes)
    }
}

/// A socket to the kernel's routing tables.
pub struct Netlink {
    socket: Socket,
    sequence: u32,
    outbox: Vec<u8>,
    inbox: Vec<u8>,
}

impl Netlink {
    /// Connect to the kernel in the calling thread's network namespace.
    ///
    /// # Errors
    /// As `socket(2)`.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        socket.set_non_blocking(true)?;
        // Errors without a copy of the request, so that those of a whole batch fit into the receive buffer.
        socket.set_cap_ack(true)?;
        Ok(Self {
            socket,
            sequence: 0,
            outbox: Vec::with_capacity(INBOX),
            inbox: Vec::with_capacity(INBOX),
        })
    }

    /// Connect for [`Netlink::dump`]s that the kernel narrows down to what is asked for (kernel 4.20; older ones
    /// answer with everything).
    ///
    /// # Errors
    /// As `socket(2)`.
    pub fn open_strict() -> io::Result<Self> {
        let netlink = Self::open()?;
        // A kernel that does not know it has nothing to be strict about.
        let _ = netlink.socket.set_netlink_get_strict_chk(true);
        Ok(netlink)
    }

    /// Send all requests at once. `refused` is told the position and error of each that the kernel refused.
    ///
    /// # Errors
    /// Sending failed, or the answers got lost: then it is unknown what was done.
    pub fn batch<'r>(
        &mut self,
        requests: impl IntoIterator<Item = &'r Request>,
        mut refused: impl FnMut(usize, Errno),
    ) -> io::Result<()> {
        let first = self.sequence.wrapping_add(1);
        self.outbox.clear();
        let mut last_at = None;
        for Request(bytes) in requests {
            self.sequence = self.sequence.wrapping_add(1);
            last_at = Some(self.outbox.len());
            self.outbox.extend_from_slice(bytes);
            patch(&mut self.outbox, last_at, 8, &self.sequence.to_ne_bytes());
        }
        let Some(at) = last_at else {
            return Ok(());
        };
        // Refusals always come back; of the rest only the last says that it was done.
        let flags = field(self.outbox.get(at..).unwrap_or_default(), 6).map_or(0, u16::from_ne_bytes);
        patch(&mut self.outbox, last_at, 6, &(flags | NLM_F_ACK).to_ne_bytes());
        let last = self.sequence;
        self.send()?;

        loop {
            self.receive()?;
            for (header, payload) in messages(&self.inbox) {
                if header.kind != ERROR {
                    continue;
                }
                let code = field(payload, 0).map_or(0, i32::from_ne_bytes);
                let position = header.sequence.wrapping_sub(first);
                if code != 0 && position <= last.wrapping_sub(first) {
                    let position = usize::try_from(position).unwrap_or(usize::MAX);
                    refused(position, Errno::from_raw(-code));
                }
                if header.sequence == last {
                    return Ok(());
                }
            }
        }
    }

    /// Ask for a whole table; `each` gets every entry.
    ///
    /// # Errors
    /// The kernel's, or answers got lost.
    pub fn dump(
        &mut self,
        payload: RouteNetlinkMessage,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        let Request(bytes) = Request::new(payload, NLM_F_DUMP);
        self.sequence = self.sequence.wrapping_add(1);
        self.outbox.clear();
        self.outbox.extend_from_slice(&bytes);
        patch(&mut self.outbox, Some(0), 8, &self.sequence.to_ne_bytes());
        self.send()?;
        loop {
            self.receive()?;
            let mut rest = self.inbox.as_slice();
            while let Some((header, _)) = split(rest) {
                let (bytes, tail) = rest.split_at_checked(header.aligned).unwrap_or((rest, &[]));
                rest = tail;
                // An entry that our parser does not know is no reason to miss the others.
                let Ok(message) = NetlinkMessage::<RouteNetlinkMessage>::deserialize(bytes) else {
                    continue;
                };
                match message.payload {
                    _ if message.header.sequence_number != self.sequence => {}
                    NetlinkPayload::InnerMessage(entry) => each(entry),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::Done(_) => return Ok(()),
                    _ => {}
                }
            }
        }
    }

    fn send(&mut self) -> io::Result<()> {
        // What an earlier, failed exchange left behind is not an answer to this one.
        while self.receive().is_ok() {}
        self.socket.send(&self.outbox, 0).map(drop)
    }

    fn receive(&mut self) -> io::Result<()> {
        self.inbox.clear();
        self.socket.recv(&mut self.inbox, 0).map(drop)
    }
}

impl std::fmt::Debug for Netlink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Netlink")
            .field("sequence", &self.sequence)
            .finish_non_exhaustive()
    }
}

struct Header {
    kind: u16,
    sequence: u32,
    /// Up to the next message.
    aligned: usize,
}

/// The messages of one datagram with their payloads.
fn messages(mut datagram: &[u8]) -> impl Iterator<Item = (Header, &[u8])> {
    std::iter::from_fn(move || {
        let (header, payload) = split(datagram)?;
        datagram = datagram.get(header.aligned..).unwrap_or_default();
        Some((header, payload))
    })
}

fn split(datagram: &[u8]) -> Option<(Header, &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(field(datagram, 0)?)).ok()?;
    let payload = datagram.get(HEADER_LEN..length)?;
    let header = Header {
        kind: u16::from_ne_bytes(field(datagram, 4)?),
        sequence: u32::from_ne_bytes(field(datagram, 8)?),
        aligned: length.next_multiple_of(4),
    };
    Some((header, payload))
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// Write `value` at `offset` of the message that starts at `message`.
fn patch(bytes: &mut [u8], message: Option<usize>, offset: usize, value: &[u8]) {
    let start = message.map_or(0, |message| message + offset);
    if let Some(place) = bytes.get_mut(start..start + value.len()) {
        place.copy_from_slice(value);
    }
}
