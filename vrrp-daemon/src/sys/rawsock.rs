//! Raw IP sockets for protocol 112, set up for sending or for receiving.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU32;
use std::os::fd::AsRawFd;

use nix::sys::socket::{ControlMessageOwned, MsgFlags, SockaddrIn6, recvmsg, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockFilter, Socket, Type};
use vrrp_common::wire::ladder::{IP_PROTOCOL, TTL};

use super::{filter, sockopt as ours};

/// IPv4 precedence and IPv6 traffic class of adverts: internetwork control, CS6.
const CLASS: u32 = 0xc0;
/// Room for the adverts of thousands of virtual routers, which may go out at once: the kernel counts about a kilobyte for
/// each, until the card has it.
const WAY_OUT: usize = 4 << 20;
/// `IPPROTO_RAW`: the caller writes the IP header, and nothing is ever received.
const HEADER_INCLUDED: i32 = 255;

/// A socket for IPv4 adverts with their IP header. `ifindex` binds it to an interface, which multicast needs.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW, `ENODEV` if there is no such interface.
pub fn sender_v4(ifindex: Option<u32>) -> io::Result<Socket> {
    let socket = raw(Domain::IPV4, HEADER_INCLUDED)?;
    socket.set_header_included_v4(true)?;
    send_only(&socket)?;
    socket.set_multicast_loop_v4(false)?;
    if let Some(ifindex) = ifindex {
        socket.bind_device_by_index_v4(NonZeroU32::new(ifindex))?;
        ours::multicast_if_v4(&socket, ifindex)?;
    }
    Ok(socket)
}

/// A socket for IPv6 adverts from `source`; the kernel writes the IP header with this hop limit.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW, `ENODEV` if there is no such interface, `EADDRNOTAVAIL` if `source` is not
/// there (or still tentative).
pub fn sender_v6(source: Ipv6Addr, ifindex: Option<u32>, hop_limit: u8) -> io::Result<Socket> {
    let socket = raw(Domain::IPV6, i32::from(IP_PROTOCOL))?;
    send_only(&socket)?;
    socket.set_multicast_loop_v6(false)?;
    socket.set_multicast_hops_v6(u32::from(TTL))?;
    socket.set_unicast_hops_v6(u32::from(hop_limit))?;
    socket.set_tclass_v6(CLASS)?;
    let scope = ifindex.unwrap_or(0);
    if ifindex.is_some() {
        socket.bind_device_by_index_v6(NonZeroU32::new(scope))?;
        socket.set_multicast_if_v6(scope)?;
    }
    socket.bind(&SocketAddr::V6(SocketAddrV6::new(source, 0, 0, scope)).into())?;
    Ok(socket)
}

/// A socket that hears the IPv4 adverts sent to `destination`, a group or one of our addresses (which need
/// not be there yet). Messages come with their IP header.
///
/// # Errors
/// `EPERM` without CAP_NET_RAW, `ENODEV` if there is no such interface.
pub fn receiver_v4(destination: Ipv4Addr, ifindex: u32, filter: &[SockFilter]) -> io::Result<Socket> {
    let socket = raw(Domain::IPV4, i32::from(IP_PROTOCOL))?;
    socket.attach_filter(filter)?;
    socket.bind_device_by_index_v4(NonZeroU32::new(ifindex))?;
    socket.set_multicast_all_v4(false)?;
    socket.set_freebind_v4(true)?;
    socket.bind(&SocketAddr::new(IpAddr::V4(destination), 0).into())?;
    if destination.is_multicast() {
        let interface = socket2::InterfaceIndexOrAddress::Index(ifindex);
        socket.join_multicast_v4_n(&destination, &interface)?;
    }
    Ok(socket)
}

/// As [`receiver_v4`] for IPv6. Messages come without IP header: read them with [`receive_v6`].
///
/// # Errors
/// As [`receiver_v4`].
pub fn receiver_v6(destination: Ipv6Addr, ifindex: u32, filter: &[SockFilter]) -> io::Result<Socket> {
    let socket = raw(Domain::IPV6, i32::from(IP_PROTOCOL))?;
    socket.attach_filter(filter)?;
    socket.bind_device_by_index_v6(NonZeroU32::new(ifindex))?;
    socket.set_multicast_all_v6(false)?;
    socket.set_recv_hoplimit_v6(true)?;
    setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
    socket.set_freebind_v6(true)?;
    socket.bind(&SocketAddr::V6(SocketAddrV6::new(destination, 0, 0, ifindex)).into())?;
    if destination.is_multicast() {
        socket.join_multicast_v6(&destination, ifindex)?;
    }
    Ok(socket)
}

/// Read one message with its IPv4 header; `None` when there is none. A longer one is cut.
///
/// # Errors
/// As `recv(2)`.
pub fn receive_v4<'b>(socket: &Socket, buffer: &'b mut [u8]) -> io::Result<Option<&'b [u8]>> {
    match io::Read::read(&mut &*socket, buffer) {
        Ok(length) => Ok(buffer.get(..length)),
        Err(error) => nothing_yet(error),
    }
}

/// A message from an IPv6 socket.
#[derive(Clone, Copy, Debug)]
pub struct ReceivedV6<'b> {
    /// IP source.
    pub source: Ipv6Addr,
    /// IP destination.
    pub destination: Ipv6Addr,
    /// Hop limit.
    pub hop_limit: u8,
    /// The payload.
    pub payload: &'b [u8],
}

/// Room for the control messages that [`receive_v6`] asks for.
#[must_use]
pub fn control_buffer() -> Vec<u8> {
    nix::cmsg_space!(libc::in6_pktinfo, libc::c_int)
}

/// Read one message from an IPv6 socket; `None` when there is none. `control` is a [`control_buffer`].
///
/// # Errors
/// As `recvmsg(2)`; `EBADMSG` if the kernel left out what was asked for.
pub fn receive_v6<'b>(
    socket: &Socket,
    buffer: &'b mut [u8],
    control: &mut [u8],
) -> io::Result<Option<ReceivedV6<'b>>> {
    let (length, source, destination, hop_limit) = {
        let mut vectors = [io::IoSliceMut::new(buffer)];
        let flags = MsgFlags::MSG_DONTWAIT;
        let message = match recvmsg::<SockaddrIn6>(socket.as_raw_fd(), &mut vectors, Some(control), flags) {
            Ok(message) => message,
            Err(errno) => return nothing_yet(errno.into()),
        };
        let (mut destination, mut hop_limit) = (None, None);
        for control in message.cmsgs()? {
            match control {
                ControlMessageOwned::Ipv6PacketInfo(info) => {
                    destination = Some(Ipv6Addr::from(info.ipi6_addr.s6_addr));
                }
                ControlMessageOwned::Ipv6HopLimit(limit) => hop_limit = u8::try_from(limit).ok(),
                _ => {}
            }
        }
        (
            message.bytes,
            message.address.map(|address| address.ip()),
            destination,
            hop_limit,
        )
    };
    let payload = buffer.get(..length);
    let (Some(source), Some(destination), Some(hop_limit), Some(payload)) =
        (source, destination, hop_limit, payload)
    else {
        return Err(nix::errno::Errno::EBADMSG.into());
    };
    Ok(Some(ReceivedV6 {
        source,
        destination,
        hop_limit,
        payload,
    }))
}

fn raw(domain: Domain, protocol: i32) -> io::Result<Socket> {
    // `Socket::new` sets close-on-exec.
    let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(protocol)))?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// What arrives at a socket that only sends would pile up unread.
fn send_only(socket: &Socket) -> io::Result<()> {
    socket.attach_filter(&filter::drop_all())?;
    socket.set_recv_buffer_size(0)?;
    // Without the capability the system's limit holds, which is enough for two hundred.
    let _ = ours::way_out(socket, WAY_OUT);
    Ok(())
}

/// An empty queue and an interruption are no errors.
fn nothing_yet<T>(error: io::Error) -> io::Result<Option<T>> {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(None),
        _ => Err(error),
    }
}
