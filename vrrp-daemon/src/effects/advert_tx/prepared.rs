//! An advert as it is kept ready: with its IP header, one copy for each destination.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::sync::Arc;

use bytes::{BufMut, BytesMut};
use nix::errno::Errno;
use socket2::SockAddr;
use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::Centis;
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::auth::Auth;
use vrrp_common::wire::emit::{self, EmitError, Message};
use vrrp_common::wire::ipv4;
use vrrp_common::wire::ladder::TTL;

use super::way::{Way, Ways};
use super::{OpenError, SendError};
use crate::proto::model::{Transport, V3Checksum, VirtualRouter};

/// A virtual router's adverts.
#[derive(Debug)]
pub(super) struct Router {
    name: String,
    /// What stays the same whoever sends it: the source is filled in by `open`.
    version: Version,
    pub(super) vrid: Vrid,
    interval: Centis,
    auth: Auth,
    addresses: Vec<IpAddr>,
    checksum: ChecksumForm,
    destinations: Vec<IpAddr>,
    ttl: u8,
    /// Identification of the last IPv4 packet; keepalived counts up from 1 too.
    pub(super) id: u16,
    pub(super) open: Option<Open>,
    /// It is part of the batch that is put together.
    pub(super) waits: bool,
    /// Of the last batch: a copy went out.
    pub(super) sent: bool,
    /// Of the last batch: the first refusal.
    pub(super) refused: Option<Errno>,
}

/// What there is once it is known where adverts come from.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) source: IpAddr,
    pub(super) ifindex: Option<u32>,
    pub(super) way: Arc<Way>,
    pub(super) copies: Vec<Copy>,
}

/// The advert as it goes to one destination.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) destination: SockAddr,
    /// IPv4: with its IP header. IPv6: the message alone.
    pub(super) packet: BytesMut,
    /// Bytes of IP header in `packet`.
    header: usize,
    priority: Priority,
}

impl Router {
    pub(super) fn new(router: &VirtualRouter) -> Self {
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
            waits: false,
            sent: false,
            refused: None,
        }
    }

    /// Whether the adverts are the same, byte for byte, and go to the same.
    pub(super) fn sends_like(&self, other: &Self) -> bool {
        (self.version, self.vrid, self.interval, self.auth)
            == (other.version, other.vrid, other.interval, other.auth)
            && (self.checksum, self.ttl) == (other.checksum, other.ttl)
            && (&self.addresses, &self.destinations) == (&other.addresses, &other.destinations)
    }

    pub(super) fn is_multicast(&self) -> bool {
        self.destinations.iter().any(IpAddr::is_multicast)
    }

    /// Prepare what goes out from `source`.
    pub(super) fn open(
        &self,
        ways: &mut Ways,
        source: IpAddr,
        ifindex: Option<u32>,
    ) -> Result<Open, OpenError> {
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
        let way = ways.open(source, ifindex, self.ttl, self.is_multicast());
        let way = way.map_err(|error| OpenError::Socket {
            router: self.name.clone(),
            address: source,
            error,
        })?;
        Ok(Open {
            source,
            ifindex,
            way,
            copies,
        })
    }

    /// Make every copy ready to go, each with a number of its own.
    pub(super) fn prepare(&mut self, change: impl Fn(&mut Copy)) -> Result<&Open, SendError> {
        let open = self.open.as_mut().ok_or(SendError::NotOpen)?;
        for copy in &mut open.copies {
            change(copy);
            self.id = match self.id {
                // 0 would make the kernel choose.
                u16::MAX => 1,
                id => id + 1,
            };
            copy.set_id(self.id);
        }
        self.sent = false;
        self.refused = None;
        Ok(open)
    }

    /// What became of the batch.
    pub(super) fn outcome(&self) -> Result<(), SendError> {
        match self.refused {
            None => Ok(()),
            Some(errno) => Err(SendError::Refused {
                errno,
                partly: self.sent,
            }),
        }
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
    pub(super) fn set_priority(&mut self, priority: Priority) {
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
    pub(super) fn set_vrid(&mut self, vrid: u8) {
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
