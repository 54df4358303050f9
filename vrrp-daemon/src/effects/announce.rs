//! Gratuitous ARP and unsolicited Neighbour Advertisements: ready-made frames, and the way out.

use std::io;
use std::net::IpAddr;
use std::thread;
use std::time::Duration;

use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::{arp, ndisc};

use crate::sys::packet_sock::PacketSender;

/// How many milliseconds a batch waits for room in the interface's queue before its rest is given up.
const PATIENCE: u8 = 20;

/// A frame that announces one address.
#[derive(Clone, Copy, Debug)]
pub(super) enum Frame {
    Arp([u8; arp::FRAME_LEN]),
    Na([u8; ndisc::FRAME_LEN]),
}

impl Frame {
    /// Says that `address` is at `mac`. `router`: this host forwards IPv6.
    pub(super) fn new(address: IpAddr, mac: Mac, router: bool) -> Self {
        match address {
            IpAddr::V4(address) => Self::Arp(arp::gratuitous(mac, address)),
            IpAddr::V6(address) => Self::Na(ndisc::unsolicited(mac, address, router)),
        }
    }
}

impl AsRef<[u8]> for Frame {
    fn as_ref(&self) -> &[u8] {
        match self {
            Self::Arp(frame) => frame,
            Self::Na(frame) => frame,
        }
    }
}

/// Announce, once, that an address of this host's own is at `mac` on the interface of this index. IPv4 only: IPv6
/// neighbours find out by themselves, and to announce wrongly that a host is no router takes its routes away.
///
/// # Errors
/// The kernel's refusal.
pub fn own_address(ifindex: u32, mac: Mac, address: IpAddr) -> io::Result<()> {
    if address.is_ipv6() {
        return Ok(());
    }
    let frame = Frame::new(address, mac, false);
    PacketSender::open(ifindex)?
        .send(&[frame])
        .map_err(|refused| refused.error)
}

/// Send all frames in order; waits a little where the interface's queue is full.
pub(super) fn send(socket: &PacketSender, frames: &[Frame]) -> io::Result<()> {
    let mut rest = frames;
    let mut waits = 0;
    loop {
        let Err(refused) = socket.send(rest) else {
            return Ok(());
        };
        rest = rest.get(refused.sent..).unwrap_or_default();
        let full = matches!(refused.error.raw_os_error(), Some(libc::EAGAIN | libc::ENOBUFS));
        if !full || waits == PATIENCE {
            return Err(refused.error);
        }
        waits += 1;
        thread::sleep(Duration::from_millis(1));
    }
}
