//! Adverts out of the ring.

use std::net::IpAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};

use vrrp_common::abi::{self, RecordHeader};
use vrrp_common::time::MonoNanos;
use vrrp_common::wire::advert::Datagram;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::XdpPath;
use super::liveness::Life;
use super::loader::Clock;
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
    /// What the same sender sent before it that was no news, and was not told.
    pub before: Option<Life>,
    /// The message, to be parsed again: the kernel's verdict is not taken on trust.
    pub datagram: Datagram<'a>,
}

impl<'a> Event<'a> {
    /// `None` for what no program of ours writes.
    pub(super) fn new(header: &RecordHeader, pdu: &'a [u8], clock: Clock) -> Option<Self> {
        let family = abi::family(header.family)?;
        Some(Self {
            at: clock.here(header.stamp),
            ifindex: header.ifindex,
            router: None,
            refused: Refusal::ALL.get(usize::from(header.verdict)).copied(),
            before: None,
            datagram: Datagram {
                source: abi::address(family, header.source),
                destination: abi::address(family, header.destination),
                source_mac: Some(Mac(header.source_mac)),
                ttl: header.ttl,
                pdu,
            },
        })
    }

    /// Who sent it.
    #[must_use]
    pub fn source(&self) -> IpAddr {
        self.datagram.source
    }
}

impl XdpPath {
    /// Hand over what is in the ring, oldest first. Never blocks, never allocates. The ring's file descriptor
    /// becomes readable when there is something again.
    pub fn drain(&mut self, mut take: impl FnMut(Event<'_>)) {
        #[cfg(feature = "xdp-log")]
        self.verdicts.show();
        let clock = self.clock;
        while let Some(item) = self.ring.next() {
            let Some((header, pdu)) = RecordHeader::split(&item) else {
                continue;
            };
            let Some(event) = Event::new(&header, pdu, clock) else {
                continue;
            };
            let router = self.table.router(header.slot);
            let ifindex = self.table.device(header.ifindex);
            let accepted = router.filter(|_| event.refused.is_none());
            let seat = accepted
                .and_then(|router| self.table.entry_mut(router))
                .and_then(|entry| entry.seat_mut(header.seat));
            take(Event {
                router,
                ifindex,
                before: seat.and_then(|seat| seat.lives(header.alive, header.quiet, clock)),
                ..event
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
