//! Adverts out of the ring.

use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use vrrp_common::abi::{self, RecordHeader};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::XdpPath;
use crate::proto::model::RouterId;

/// An advert that the kernel accepted, or one of those that it refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// Its arrival, on the process's CLOCK_MONOTONIC.
    pub at: MonoNanos,
    /// The device it arrived on.
    pub ifindex: u32,
    /// The virtual router it was judged for, `None` if that has been configured away since.
    pub router: Option<RouterId>,
    /// The rung it failed at. Of the refused the kernel shows one a second of each kind.
    pub refused: Option<Refusal>,
    /// Ethernet source.
    pub source_mac: Mac,
    /// The message, to be parsed again: the kernel's verdict is not taken on trust.
    pub datagram: Datagram<'a>,
}

impl XdpPath {
    /// Hand over what is in the ring, oldest first. Never blocks, never allocates. The ring's file descriptor
    /// becomes readable when there is something again.
    pub fn drain(&mut self, mut take: impl FnMut(Event<'_>)) {
        #[cfg(feature = "xdp-log")]
        self.verdicts.show();
        while let Some(item) = self.ring.next() {
            let Some((header, pdu)) = RecordHeader::split(&item) else {
                continue;
            };
            let Some(family) = abi::family(header.family) else {
                continue;
            };
            take(Event {
                at: self.clock.here(header.stamp),
                ifindex: header.ifindex,
                router: self.table.router(header.slot),
                refused: Refusal::ALL.get(usize::from(header.verdict)).copied(),
                source_mac: Mac(header.source_mac),
                datagram: Datagram {
                    source: abi::address(family, header.source),
                    destination: abi::address(family, header.destination),
                    ttl: header.ttl,
                    pdu,
                },
            });
        }
    }
}

/// The ring: readable when an advert has arrived.
impl AsFd for XdpPath {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ring.as_fd()
    }
}

/// The ring: readable when an advert has arrived.
impl AsRawFd for XdpPath {
    fn as_raw_fd(&self) -> RawFd {
        self.ring.as_raw_fd()
    }
}
