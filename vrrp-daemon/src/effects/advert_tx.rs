//! Sends adverts: built once per source, all copies of one in one piece of memory, then one system call per copy
//! and nothing else.

use std::io;
use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use bytes::{BufMut, BytesMut};
use nix::errno::Errno;
use socket2::{SockAddr, Socket};
use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::Centis;
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::emit::{self, EmitError, Message};
use vrrp_common::wire::ipv4;
use vrrp_common::wire::ladder::TTL;

use crate::proto::model::{Model, RouterId, Transport, V3Checksum, VirtualRouter};
use crate::proto::reload::Pairs;
use crate::sys::rawsock;

/// Why no socket could be opened to send adverts from.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel refused.
    #[error("cannot open a socket to send adverts of {router} from {address}: {error}")]
    Socket {
        /// The virtual router's name.
        router: String,
        /// The source address.
        address: IpAddr,
        /// The kernel's answer.
        error: io::Error,
    },
    /// The configuration makes no legal advert.
    #[error("{router} has no advert to send: {error}")]
    Message {
        /// The virtual router's name.
        router: String,
        /// What is wrong with it.
        error: EmitError,
    },
}

/// Why an advert did not go out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is no source address or no interface to send from.
    #[error("there is no address to send from")]
    NotOpen,
    /// The kernel refused at least one copy.
    #[error("{errno}")]
    Refused {
        /// The first refusal.
        errno: Errno,
        /// Other copies went out.
        partly: bool,
    },
}

impl SendError {
    /// The `errno` for [`Input::SendFailed`](crate::proto::Input::SendFailed).
    #[must_use]
    pub fn errno(self) -> i32 {
        match self {
            Self::NotOpen => libc::EADDRNOTAVAIL,
            #[expect(
                clippy::as_conversions,
                reason = "the discriminant of a field-less repr(i32) enum"
            )]
            Self::Refused { errno, .. } => errno as i32,
        }
    }

    /// Whether some of the peers were sent their copy.
    #[must_use]
    pub const fn is_partial(self) -> bool {
        matches!(self, Self::Refused { partly: true, .. })
    }
}

/// The adverts of all virtual routers, with their sockets.
#[derive(Debug)]
pub struct AdvertSender {
    routers: Vec<Router>,
}

#[derive(Debug)]
struct Router {
    name: String,
    /// What stays the same whoever sends it: the source is filled in by `open`.
    version: Version,
    vrid: Vrid,
    interval: Centis,
    auth: Auth,
    addresses: Vec<IpAddr>,
    checksum: ChecksumForm,
    destinations: Vec<IpAddr>,
    ttl: u8,
    /// Identification of the last IPv4 packet; keepalived counts up from 1 too.
    id: u16,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    source: IpAddr,
    ifindex: Option<u32>,
    socket: Socket,
    flags: i32,
    copies: Vec<Copy>,
}

/// The advert as it goes to one destination.
#[derive(Debug)]
struct Copy {
    destination: SockAddr,
    /// IPv4: with its IP header. IPv6: the message alone.
    packet: BytesMut,
    /// Bytes of IP header in `packet`.
    header: usize,
    priority: Priority,
}

impl AdvertSender {
    /// Nothing can be sent until [`set_source`](Self::set_source) says from where.
    #[must_use]
    pub fn new(model: &Model) -> Self {
        Self {
            routers: model.routers.iter().map(Router::new).collect(),
        }
    }

    /// Another configuration. Where nothing changed that an advert or its way depends on, the open socket stays
    /// with what was prepared for it; elsewhere there is a new one. The counting of packets goes on.
    ///
    /// Answers what cannot be sent from any more, with the reason.
    pub fn reconfigure(&mut self, model: &Model, routers: &Pairs<RouterId>) -> Vec<OpenError> {
        let mut failed = Vec::new();
        let carried = routers.carry(std::mem::take(&mut self.routers));
        let routers = model.routers.iter().zip(carried).map(|(config, before)| {
            let mut router = Router::new(config);
            let Some(before) = before else { return router };
            let same = router.sends_like(&before);
            router.id = before.id;
            router.open = match before.open {
                Some(open) if same => Some(open),
                Some(Open { source, ifindex, .. }) if ifindex.is_some() || !router.is_multicast() => router
                    .open(source, ifindex)
                    .map_err(|error| failed.push(error))
                    .ok(),
                Some(_) | None => None,
            };
            router
        });
        self.routers = routers.collect();
        failed
    }

    /// Send from `source` on the interface of this index from now on; `None` for either closes the socket
    /// (unicast needs no interface: then the kernel routes). Repeating what holds already does nothing.
    ///
    /// # Errors
    /// The socket is closed then.
    pub fn set_source(
        &mut self,
        router: RouterId,
        source: Option<IpAddr>,
        ifindex: Option<u32>,
    ) -> Result<(), OpenError> {
        let Some(router) = self.routers.get_mut(router.index()) else {
            return Ok(());
        };
        if let (Some(open), Some(source)) = (&router.open, source)
            && (open.source, open.ifindex) == (source, ifindex)
        {
            return Ok(());
        }
        router.open = None;
        if let Some(source) = source.filter(|_| ifindex.is_some() || !router.is_multicast()) {
            router.open = Some(router.open(source, ifindex)?);
        }
        Ok(())
    }

    /// Send one advert of this priority, to the group or to every peer. Never waits; a peer that cannot be
    /// reached does not keep the others from getting theirs.
    ///
    /// # Errors
    /// The first refusal.
    pub fn send(&mut self, router: RouterId, priority: Priority) -> Result<(), SendError> {
        self.send_copies(router, |copy| copy.set_priority(priority))
    }

    /// Send what is like the last advert but of VRID 0, which nobody has: whether it leaves the host says whether
    /// adverts do, and nobody is disturbed by it.
    ///
    /// # Errors
    /// The first refusal.
    pub fn probe(&mut self, router: RouterId) -> Result<(), SendError> {
        let vrid = self
            .routers
            .get(router.index())
            .map_or(0, |router| router.vrid.value());
        let result = self.send_copies(router, |copy| copy.set_vrid(0));
        if let Some(open) = self
            .routers
            .get_mut(router.index())
            .and_then(|router| router.open.as_mut())
        {
            for copy in &mut open.copies {
                copy.set_vrid(vrid);
            }
        }
        result
    }

    fn send_copies(&mut self, router: RouterId, prepare: impl Fn(&mut Copy)) -> Result<(), SendError> {
        let router = self.routers.get_mut(router.index()).ok_or(SendError::NotOpen)?;
        let open = router.open.as_mut().ok_or(SendError::NotOpen)?;
        let mut refused = None;
        let mut partly = false;
        for copy in &mut open.copies {
            prepare(copy);
            router.id = match router.id {
                // 0 would make the kernel choose.
                u16::MAX => 1,
                id => id + 1,
            };
            copy.set_id(router.id);
            match open
                .socket
                .send_to_with_flags(&copy.packet, &copy.destination, open.flags)
            {
                Ok(_) => partly = true,
                Err(error) => {
                    refused.get_or_insert(Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO)));
                }
            }
        }
        match refused {
            None => Ok(()),
            Some(errno) => Err(SendError::Refused { errno, partly }),
        }
    }
}

impl Router {
    fn new(router: &VirtualRouter) -> Self {
        let (destinations, ttl) = match &router.transport {
            Transport::Multicast { group, .. } => (vec![*group], TTL),
            Transport::Unicast { peers, ttl, .. } => (peers.iter().map(|peer| peer.address).collect(), *ttl),
        };
        Self {
            name: router.name.clone(),
            version: router.version,
            vrid: router.vrid,
            interval: router.interval,
            auth: router.auth,
            addresses: router.addresses.iter().map(|address| address.address).collect(),
            checksum: match router.v3_checksum {
                V3Checksum::PseudoHeader => ChecksumForm::Pseudo,
                V3Checksum::MessageOnly => ChecksumForm::Message,
                V3Checksum::Group => ChecksumForm::PseudoGroup,
            },
            destinations,
            ttl,
            id: 0,
            open: None,
        }
    }

    /// Whether the adverts are the same, byte for byte, and go to the same.
    fn sends_like(&self, other: &Self) -> bool {
        (self.version, self.vrid, self.interval, self.auth)
            == (other.version, other.vrid, other.interval, other.auth)
            && (self.checksum, self.ttl) == (other.checksum, other.ttl)
            && (&self.addresses, &self.destinations) == (&other.addresses, &other.destinations)
    }

    fn is_multicast(&self) -> bool {
        self.destinations.iter().any(IpAddr::is_multicast)
    }

    fn open(&self, source: IpAddr, ifindex: Option<u32>) -> Result<Open, OpenError> {
        let mut block = BytesMut::new();
        let copies = self
            .destinations
            .iter()
            .map(|destination| self.copy(&mut block, source, *destination, ifindex))
            .collect::<Result<_, _>>()
            .map_err(|error| OpenError::Message {
                router: self.name.clone(),
                error,
            })?;
        let socket = match source {
            IpAddr::V4(_) => rawsock::sender_v4(ifindex),
            IpAddr::V6(source) => rawsock::sender_v6(source, ifindex, self.ttl),
        };
        let socket = socket.map_err(|error| OpenError::Socket {
            router: self.name.clone(),
            address: source,
            error,
        })?;
        // The group is on the link: no route is needed, and none may lead elsewhere.
        let dont_route = if self.is_multicast() {
            libc::MSG_DONTROUTE
        } else {
            0
        };
        let flags = libc::MSG_DONTWAIT | dont_route;
        Ok(Open {
            source,
            ifindex,
            socket,
            flags,
            copies,
        })
    }

    /// Cut the next copy out of `block`.
    fn copy(
        &self,
        block: &mut BytesMut,
        source: IpAddr,
        destination: IpAddr,
        ifindex: Option<u32>,
    ) -> Result<Copy, EmitError> {
        let family = Family::of(source);
        let count = u8::try_from(self.addresses.len()).map_err(|_| EmitError::TooManyAddresses)?;
        let length = emit::emitted_len(self.version, family, count);
        if block.capacity() == 0 {
            block.reserve(self.destinations.len() * (ipv4::HEADER_LEN + length));
        }
        if let (IpAddr::V4(source), IpAddr::V4(destination)) = (source, destination) {
            let payload_len = u16::try_from(length).map_err(|_| EmitError::TooManyAddresses)?;
            let header = ipv4::Header {
                source,
                destination,
                id: 0,
                ttl: self.ttl,
                payload_len,
            };
            block.put_slice(&header.emit());
        }
        let header = block.len();
        block.put_bytes(0, length);
        let mut packet = block.split();
        let message = Message {
            version: self.version,
            vrid: self.vrid,
            priority: Priority::RELEASE,
            interval: self.interval,
            auth: self.auth,
            addresses: &self.addresses,
            checksum: self.checksum,
            source,
            destination,
        };
        emit::emit(packet.get_mut(header..).unwrap_or_default(), &message)?;
        let destination = match destination {
            IpAddr::V4(_) => SocketAddr::new(destination, 0),
            // A link-local destination is one only together with its interface.
            IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, ifindex.unwrap_or(0)).into(),
        };
        Ok(Copy {
            destination: destination.into(),
            packet,
            header,
            priority: Priority::RELEASE,
        })
    }
}

impl Copy {
    fn set_priority(&mut self, priority: Priority) {
        if priority == self.priority {
            return;
        }
        let message = self.packet.get_mut(self.header..).unwrap_or_default();
        // Fails only for a message shorter than its head, which `emit` has ruled out.
        if emit::set_priority(message, priority).is_ok() {
            self.priority = priority;
        }
    }

    /// Leaves the checksum as it was.
    fn set_vrid(&mut self, vrid: u8) {
        if let Some(place) = self.packet.get_mut(self.header + 1) {
            *place = vrid;
        }
    }

    /// The kernel writes the header's checksum.
    fn set_id(&mut self, id: u16) {
        if self.header == ipv4::HEADER_LEN
            && let Some(place) = self.packet.get_mut(4..6)
        {
            place.copy_from_slice(&id.to_be_bytes());
        }
    }
}
