//! What a raw socket is for: its place, what its filter lets through, and how much it holds.

use std::net::IpAddr;

use socket2::SockFilter;
use vrrp_common::id::Family;

use crate::proto::model::{LinkId, ReceiveBuffer};
use crate::sys::filter::{self, Strangers, Wanted};

/// What a socket is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Purpose {
    pub(super) link: LinkId,
    pub(super) ifindex: u32,
    pub(super) destination: IpAddr,
    /// One entry per VRID.
    pub(super) wanted: Vec<Wanted>,
    pub(super) strangers: Strangers,
    /// Somebody's adverts come here; else only those of peers that are set the other way.
    pub(super) needed: bool,
    pub(super) buffer: Buffer,
}

/// What its virtual routers ask for together; nothing leaves the receive buffer as the system has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Buffer {
    bytes: usize,
    mtus: usize,
}

impl Buffer {
    pub(super) fn add(&mut self, asked: ReceiveBuffer) {
        let (bytes, mtus) = match asked {
            ReceiveBuffer::System => (0, 0),
            ReceiveBuffer::Bytes(bytes) => (bytes, 0),
            ReceiveBuffer::Mtus(mtus) => (0, mtus),
        };
        let wide = |value| usize::try_from(value).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_add(wide(bytes));
        self.mtus = self.mtus.saturating_add(wide(mtus));
    }

    /// In bytes; `None` to leave it alone.
    pub(super) fn size(self, mtu: impl FnOnce() -> Option<usize>) -> Option<usize> {
        let mtus = match self.mtus {
            0 => 0,
            mtus => mtus.saturating_mul(mtu().unwrap_or(0)),
        };
        Some(self.bytes.saturating_add(mtus)).filter(|size| *size > 0)
    }
}

impl Purpose {
    pub(super) fn filter(&self) -> Vec<SockFilter> {
        filter::adverts(Family::of(self.destination), &self.wanted, &self.strangers)
    }
}

/// Unicast virtual routers may share a VRID: then either's peers are wanted.
pub(super) fn merge(wanted: &mut Vec<Wanted>, more: &Wanted) {
    match wanted.iter_mut().find(|known| known.vrid == more.vrid) {
        None => wanted.push(more.clone()),
        Some(known) => {
            known.sources = match (known.sources.take(), &more.sources) {
                (Some(mut known), Some(more)) => {
                    known.extend_from_slice(more);
                    Some(known)
                }
                _ => None,
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Buffer, ReceiveBuffer};

    #[test]
    fn buffers_of_one_socket_add_up() {
        let size = |asked: &[ReceiveBuffer]| {
            let mut buffer = Buffer::default();
            asked.iter().for_each(|asked| buffer.add(*asked));
            buffer.size(|| Some(1_500))
        };
        assert_eq!(size(&[ReceiveBuffer::System, ReceiveBuffer::System]), None);
        assert_eq!(
            size(&[
                ReceiveBuffer::Bytes(100),
                ReceiveBuffer::System,
                ReceiveBuffer::Mtus(3)
            ]),
            Some(4_600)
        );
        // The interface is gone: the next one with its name asks again.
        assert_eq!(Buffer { bytes: 0, mtus: 3 }.size(|| None), None);
    }
}
