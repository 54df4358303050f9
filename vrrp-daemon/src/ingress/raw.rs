//! The raw sockets: the way in without XDP, and beside it for what XDP did not see.

mod purpose;

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::Socket;
use vrrp_common::id::Family;
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::checksum::{GROUP_V4, GROUP_V6};
use vrrp_common::wire::ipv4;

use self::purpose::{Buffer, Purpose, merge};
use super::judge::{Judge, Judged};
use crate::proto::Correspondence;
use crate::proto::model::{LinkId, Model, ReceiveBuffer, RouterId, Transport, VirtualRouter};
use crate::sys::filter::{Strangers, Wanted};
use crate::sys::ready::ReadySet;
use crate::sys::{interface, rawsock, sockopt};

/// Most messages taken from one socket per [`RawReceiver::drain`]: a flood on one must starve no other.
pub const PER_SOCKET: usize = 64;
/// Room for what arrives while the daemon is stopped or late, where nobody asked for another size: of an advert the kernel
/// counts about a kilobyte, and half of what it is asked for. What finds no room is lost, and with it perhaps what a
/// Master that slept had to know of another one.
const ROOM: usize = 4 << 20;
/// The longest advert is 8 + 255 x 16 bytes, after at most 60 of IP header.
const BUFFER: usize = 8 * 1024;

/// A socket could not be opened.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for adverts to {destination} on {link}: {error}")]
pub struct OpenError {
    /// Name of the interface.
    pub link: String,
    /// The group, or our address.
    pub destination: IpAddr,
    /// The kernel's answer.
    pub error: io::Error,
}

/// All raw sockets, readable as one descriptor while any of them is.
#[derive(Debug)]
pub struct RawReceiver {
    links: Vec<Link>,
    routers: Vec<Router>,
    sockets: Vec<Listener>,
    /// Others are wanted since they were opened last, or one could not be opened.
    stale: bool,
    ready: ReadySet,
    next_token: u64,
    /// Of a socket without virtual routers.
    strangers: Strangers,
    buffer: Vec<u8>,
    control: Vec<u8>,
}

#[derive(Debug)]
struct Link {
    name: String,
    ifindex: Option<u32>,
}

#[derive(Debug)]
struct Router {
    link: LinkId,
    wanted: Wanted,
    /// The first of its addresses.
    first: Option<IpAddr>,
    /// The group, or our own address while there is one.
    destination: Option<IpAddr>,
    multicast: bool,
    /// Where a peer that is set the other way, unicast or multicast, sends to.
    elsewhere: Option<IpAddr>,
    buffer: ReceiveBuffer,
}

#[derive(Debug)]
struct Listener {
    purpose: Purpose,
    socket: Socket,
    token: u64,
}

impl RawReceiver {
    /// No socket yet: [`refresh`](Self::refresh) opens them, when [`set_link`](Self::set_link) and, for unicast,
    /// [`set_source`](Self::set_source) have said where.
    ///
    /// # Errors
    /// As `epoll_create1(2)`.
    pub fn new(model: &Model) -> io::Result<Self> {
        Ok(Self {
            links: model.links.iter().map(|name| Link::new(name)).collect(),
            routers: model.routers.iter().map(Router::new).collect(),
            sockets: Vec::new(),
            stale: false,
            ready: ReadySet::new()?,
            next_token: 0,
            strangers: strangers(model),
            buffer: vec![0; BUFFER],
            control: rawsock::control_buffer(),
        })
    }

    /// Another configuration; [`refresh`](Self::refresh) makes it so. A socket that is wanted still stays open, if
    /// need be with another filter, so that nothing sent to it is lost.
    pub fn reconfigure(&mut self, model: &Model, correspondence: &Correspondence) {
        let links = correspondence.links.carry(std::mem::take(&mut self.links));
        let links = links.into_iter().zip(&model.links);
        self.links = links
            .map(|(known, name)| known.unwrap_or_else(|| Link::new(name)))
            .collect();
        let routers = correspondence.routers.carry(std::mem::take(&mut self.routers));
        let routers = routers.into_iter().zip(&model.routers).map(|(known, config)| {
            let router = Router::new(config);
            let known = known.filter(|known| known.multicast == router.multicast);
            Router {
                // Addresses that are not configured were told, and are told again only if they change.
                destination: router
                    .destination
                    .or(known.as_ref().and_then(|known| known.destination)),
                elsewhere: router.elsewhere.or(known.and_then(|known| known.elsewhere)),
                ..router
            }
        });
        self.routers = routers.collect();
        self.strangers = strangers(model);
        self.stale = true;
    }

    /// The interface has this index now, or is gone. [`refresh`](Self::refresh) does what follows from that.
    pub fn set_link(&mut self, link: LinkId, ifindex: Option<u32>) {
        if let Some(link) = self.links.get_mut(link.index()) {
            link.ifindex = ifindex;
            self.stale = true;
        }
    }

    /// The address a virtual router sends from, which is where unicast adverts arrive. `None` keeps
    /// the last: a message to an address that is away for a moment is none the worse. [`refresh`](Self::refresh)
    /// does what follows.
    pub fn set_source(&mut self, router: RouterId, source: Option<IpAddr>) {
        if let Some((router, source)) = self.routers.get_mut(router.index()).zip(source) {
            let place = if router.multicast {
                &mut router.elsewhere
            } else {
                &mut router.destination
            };
            self.stale |= place.replace(source) != Some(source);
        }
    }

    /// Open and close what [`set_link`](Self::set_link) and its like call for. All at once: to find out takes time
    /// for every virtual router there is.
    ///
    /// # Errors
    /// The first socket that could not be opened; the others are.
    pub fn refresh(&mut self) -> Result<(), OpenError> {
        if self.stale { self.reopen() } else { Ok(()) }
    }

    /// Read what is there, up to a bound, judge it and hand it to `sink`. Never waits. `now` is the read time
    /// and thus the stamp. Answers the number of messages; at the bound the descriptor stays readable.
    ///
    /// # Errors
    /// The first error of a socket; the others were read.
    pub fn drain(
        &mut self,
        judge: &Judge,
        now: MonoNanos,
        sink: &mut impl FnMut(Judged),
    ) -> io::Result<usize> {
        let mut count = 0;
        let mut result = Ok(());
        for token in self.ready.poll()? {
            let Some(listener) = self.sockets.iter().find(|listener| listener.token == token) else {
                continue;
            };
            let link = listener.purpose.link;
            for _ in 0..PER_SOCKET {
                match read(
                    &listener.socket,
                    listener.purpose.destination,
                    &mut self.buffer,
                    &mut self.control,
                ) {
                    Ok(Some(Read::Message(datagram))) => sink(judge.judge(link, &datagram, now)),
                    Ok(Some(Read::NotOurs)) => sink(Judged::NotOurs),
                    Ok(None) => break,
                    Err(error) => {
                        result = result.and(Err(error));
                        break;
                    }
                }
                count += 1;
            }
        }
        result.map(|()| count)
    }

    /// Close what is not wanted any longer and open what is missing.
    fn reopen(&mut self) -> Result<(), OpenError> {
        let mut wanted = self.purposes();
        // Closed at the end, when others listen in their place.
        let _unwanted: Vec<_> = self
            .sockets
            .extract_if(.., |listener| {
                let Some(place) = wanted.iter().position(|purpose| listener.is_for(purpose)) else {
                    return true;
                };
                let purpose = wanted.swap_remove(place);
                let serves = listener.serve(&purpose);
                if !serves {
                    wanted.push(purpose);
                }
                !serves
            })
            .collect();
        self.stale = false;
        let mut result = Ok(());
        for purpose in wanted {
            if let Err(error) = self.open(&purpose) {
                self.stale = true;
                if !purpose.needed {
                    continue;
                }
                let link = self.links.get(purpose.link.index());
                result = result.and(Err(OpenError {
                    link: link.map(|link| link.name.clone()).unwrap_or_default(),
                    destination: purpose.destination,
                    error,
                }));
            }
        }
        result
    }

    fn open(&mut self, purpose: &Purpose) -> io::Result<()> {
        let filter = purpose.filter();
        let socket = match purpose.destination {
            IpAddr::V4(destination) => rawsock::receiver_v4(destination, purpose.ifindex, &filter)?,
            IpAddr::V6(destination) => rawsock::receiver_v6(destination, purpose.ifindex, &filter)?,
        };
        let name = self.links.get(purpose.link.index()).map(|link| &link.name);
        let mtu = || name.and_then(|name| interface::mtu(name));
        match purpose.buffer.size(mtu) {
            Some(size) => socket.set_recv_buffer_size(size)?,
            // Beyond the system's limit if we may; less room is better than no socket.
            None => sockopt::room(&socket, ROOM).or_else(|_| socket.set_recv_buffer_size(ROOM))?,
        }
        self.next_token += 1;
        self.ready.add(&socket, self.next_token)?;
        self.sockets.push(Listener {
            purpose: purpose.clone(),
            socket,
            token: self.next_token,
        });
        Ok(())
    }

    /// One socket per link and destination, whatever the number of virtual routers.
    fn purposes(&self) -> Vec<Purpose> {
        let mut purposes: Vec<Purpose> = Vec::new();
        for router in &self.routers {
            let ifindex = self.links.get(router.link.index()).and_then(|link| link.ifindex);
            if let (Some(ifindex), Some(destination)) = (ifindex, router.destination) {
                let purpose = self.purpose(&mut purposes, (router.link, ifindex, destination));
                if let Some(purpose) = purpose {
                    purpose.needed = true;
                    purpose.buffer.add(router.buffer);
                    if let Strangers::Listing(firsts) = &mut purpose.strangers {
                        firsts.extend(router.first);
                    }
                    merge(&mut purpose.wanted, &router.wanted);
                }
            }
        }
        // After all of them: whose VRID is wanted at an address is not to be taken for a mistake there.
        for router in &self.routers {
            let ifindex = self.links.get(router.link.index()).and_then(|link| link.ifindex);
            if let (Some(ifindex), Some(elsewhere)) = (ifindex, router.elsewhere)
                && let Some(purpose) = self.purpose(&mut purposes, (router.link, ifindex, elsewhere))
                && !purpose
                    .wanted
                    .iter()
                    .any(|known| known.vrid == router.wanted.vrid)
            {
                purpose.wanted.push(Wanted {
                    vrid: router.wanted.vrid,
                    sources: None,
                });
            }
        }
        purposes
    }

    /// The one of this place, made if need be.
    fn purpose<'p>(
        &self,
        purposes: &'p mut Vec<Purpose>,
        (link, ifindex, destination): (LinkId, u32, IpAddr),
    ) -> Option<&'p mut Purpose> {
        let here = |purpose: &Purpose| purpose.link == link && purpose.destination == destination;
        let position = purposes.iter().position(here).unwrap_or(purposes.len());
        if position == purposes.len() {
            purposes.push(Purpose {
                link,
                ifindex,
                destination,
                wanted: Vec::new(),
                strangers: self.strangers.clone(),
                needed: false,
                buffer: Buffer::default(),
            });
        }
        purposes.get_mut(position)
    }
}

impl Link {
    fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ifindex: None,
        }
    }
}

impl Router {
    fn new(router: &VirtualRouter) -> Self {
        let (destination, multicast, sources) = match &router.transport {
            Transport::Multicast { group, .. } => (Some(*group), true, None),
            Transport::Unicast {
                source,
                peers,
                check_source,
                ..
            } => {
                let peers = peers.iter().map(|peer| peer.address).collect();
                (*source, false, check_source.then_some(peers))
            }
        };
        Self {
            link: router.link,
            wanted: Wanted {
                vrid: router.vrid,
                sources,
            },
            first: router.addresses.first().map(|first| first.address),
            destination,
            multicast,
            elsewhere: match (multicast, router.family) {
                (true, _) => None,
                (false, Family::V4) => Some(IpAddr::V4(GROUP_V4)),
                (false, Family::V6) => Some(IpAddr::V6(GROUP_V6)),
            },
            buffer: router.uncommon.receive_buffer,
        }
    }
}

/// Of a socket without virtual routers.
fn strangers(model: &Model) -> Strangers {
    if model.log_unknown_vrids {
        Strangers::All
    } else {
        Strangers::Listing(Vec::new())
    }
}

impl Listener {
    /// Whether it hears what is wanted there.
    fn is_for(&self, purpose: &Purpose) -> bool {
        let key = |purpose: &Purpose| (purpose.ifindex, purpose.destination, purpose.buffer);
        key(&self.purpose) == key(purpose)
    }

    /// Be for `purpose` from now on; whether that succeeded. The kernel takes another filter in one step.
    fn serve(&mut self, purpose: &Purpose) -> bool {
        let lets_through = |purpose: &Purpose| (purpose.wanted.clone(), purpose.strangers.clone());
        let same = lets_through(&self.purpose) == lets_through(purpose);
        self.purpose.clone_from(purpose);
        same || self.socket.attach_filter(&purpose.filter()).is_ok()
    }
}

impl AsFd for RawReceiver {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ready.as_fd()
    }
}

enum Read<'b> {
    Message(Datagram<'b>),
    /// Bytes that the kernel let through and that are no VRRP message after all.
    NotOurs,
}

fn read<'b>(
    socket: &Socket,
    destination: IpAddr,
    buffer: &'b mut [u8],
    control: &mut [u8],
) -> io::Result<Option<Read<'b>>> {
    match destination {
        IpAddr::V4(_) => {
            let packet = rawsock::receive_v4(socket, buffer)?;
            Ok(packet.map(|packet| {
                // The kernel has put fragments together and checked the header.
                let packet = ipv4::parse(packet).ok().and_then(|packet| packet.datagram().ok());
                packet.map_or(Read::NotOurs, Read::Message)
            }))
        }
        IpAddr::V6(_) => {
            let message = rawsock::receive_v6(socket, buffer, control)?;
            Ok(message.map(|message| {
                Read::Message(Datagram {
                    source_mac: None,
                    source: message.source.into(),
                    destination: message.destination.into(),
                    ttl: message.hop_limit,
                    pdu: message.payload,
                })
            }))
        }
    }
}
