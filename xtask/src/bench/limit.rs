//! What the kernel itself takes for a takeover: all addresses in one netlink send, acknowledged once, then an
//! announcement of each through one packet socket; and for their removal, again in one send.

use std::net::IpAddr;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;
use vrrp_tests::lab::{AddressBatch, AddressWatch, Capture, Change, Netlink, Stamp, interface_index, until};

use super::field::Field;
use super::sample::Samples;
use super::trace::{Event, What, nanos};
use super::work::Work;

const INTERFACE: &str = "eth0";
const LIMIT: Duration = Duration::from_secs(10);
/// Made up and local: nobody answers to it.
const HARDWARE: [u8; 6] = [0x02, 0, 0, 0, 0, 0x77];

/// In nanoseconds.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Cost {
    /// Until the kernel has acknowledged the addition.
    pub(super) add: Samples,
    /// From the begin of the addition to the last announcement, as a capture at the port sees it: what a daemon could do
    /// at best that adds before it announces.
    pub(super) announced: Samples,
    /// Until the kernel has acknowledged the removal.
    pub(super) remove: Samples,
}

/// Everything made ready, for the judged host.
pub(super) struct Limit<'a> {
    field: &'a Field,
    netlink: Netlink,
    sender: socket2::Socket,
    addresses: Vec<IpAddr>,
    add: AddressBatch,
    remove: AddressBatch,
    frames: Vec<Vec<u8>>,
    capture: Capture,
    /// The daemons' bench has one: that costs the kernel a message for each address.
    _watch: AddressWatch,
}

impl<'a> Limit<'a> {
    pub(super) fn prepare(field: &'a Field, work: &Work) -> anyhow::Result<Self> {
        let addresses = work.virtual_addresses();
        let index = interface_index(&field.b, INTERFACE)?;
        Ok(Self {
            field,
            netlink: Netlink::open(&field.b)?,
            sender: field.b.frame_sender(INTERFACE)?,
            add: AddressBatch::new(Change::Added, index, &addresses),
            remove: AddressBatch::new(Change::Removed, index, &addresses),
            frames: addresses.iter().map(|address| announcement(*address)).collect(),
            addresses,
            capture: field.b_port()?.capture()?,
            _watch: AddressWatch::start(&field.b)?,
        })
    }

    /// Once there and back.
    pub(super) fn measure(&self, cost: &mut Cost) -> anyhow::Result<()> {
        self.capture.clear();
        let begun = Stamp::now();
        self.netlink.change(&self.add)?;
        let added = Stamp::now();
        for frame in &self.frames {
            self.sender.send(frame).context("sending an announcement")?;
        }
        let last = *self.addresses.last().context("no address to announce")?;
        let (announced, ()) = self
            .capture
            .wait_for("the last announcement", begun, LIMIT, |captured| {
                (Event::of(captured)?.what == What::Announcement(last)).then_some(())
            })?;
        let removing = Stamp::now();
        self.netlink.change(&self.remove)?;
        let removed = Stamp::now();
        cost.add.0.push(nanos(begun, added));
        cost.announced.0.push(nanos(begun, announced));
        cost.remove.0.push(nanos(removing, removed));
        until("no address is left", LIMIT, || {
            self.field.b.holds_none(&self.addresses)
        })
    }
}

/// A gratuitous ARP (RFC 5227 §3), or an unsolicited neighbour advertisement (RFC 4861 §4.4) whose checksum is left out:
/// no stack is to believe it.
fn announcement(address: IpAddr) -> Vec<u8> {
    let mut frame = Vec::with_capacity(86);
    match address {
        IpAddr::V4(v4) => {
            frame.extend([0xff; 6]);
            frame.extend(HARDWARE);
            frame.extend([0x08, 0x06, 0, 1, 8, 0, 6, 4, 0, 1]);
            frame.extend(HARDWARE);
            frame.extend(v4.octets());
            frame.extend([0xff; 6]);
            frame.extend(v4.octets());
        }
        IpAddr::V6(v6) => {
            frame.extend([0x33, 0x33, 0, 0, 0, 1]);
            frame.extend(HARDWARE);
            // IPv6, 32 bytes of ICMPv6, hop limit 255, to all nodes.
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0, 0, 32, 58, 255]);
            frame.extend(v6.octets());
            frame.extend([0xff, 0x02, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
            frame.extend([136, 0, 0, 0, 0x20, 0, 0, 0]);
            frame.extend(v6.octets());
            frame.extend([2, 1]);
            frame.extend(HARDWARE);
        }
    }
    frame
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

    use vrrp_tests::lab::Frame;

    use super::{HARDWARE, announcement};

    #[test]
    fn announcements_are_what_the_captures_take_for_such() {
        let v4 = Ipv4Addr::new(172, 16, 0, 1);
        assert_eq!(
            Frame::read(&announcement(v4.into())),
            Frame::GratuitousArp {
                address: v4,
                hardware: HARDWARE,
                operation: 1
            }
        );
        let v6 = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1);
        let Frame::UnsolicitedNa {
            address,
            overrides: true,
            hardware: Some(HARDWARE),
            hop_limit: 255,
            ..
        } = Frame::read(&announcement(IpAddr::V6(v6)))
        else {
            panic!("no neighbour advertisement");
        };
        assert_eq!(address, v6);
    }
}
