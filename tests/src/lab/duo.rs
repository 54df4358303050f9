//! The smallest lab there is: hosts A and B on one network, captures on both cables.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::Context;

use super::capture::{Capture, Direction};
use super::frame::{Advert, Frame};
use super::host::Host;
use super::switch::{Lab, Port};
use super::wait::{Stamp, until};

/// Hosts A (192.0.2.1) and B (192.0.2.2), each with `eth0`.
#[derive(Debug)]
pub struct Duo {
    /// Host A.
    pub a: Side,
    /// Host B.
    pub b: Side,
    _lab: Lab,
}

/// One of the two, with its cable.
#[derive(Debug)]
pub struct Side {
    /// The machine.
    pub host: Host,
    /// Its own address.
    pub address: Ipv4Addr,
    /// The switch's end of its cable.
    pub port: Port,
    /// What has crossed that.
    pub capture: Capture,
}

impl Duo {
    /// Two hosts; nothing runs on them yet.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn new() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        Ok(Self {
            a: Side::new(&lab, "A", Ipv4Addr::new(192, 0, 2, 1))?,
            b: Side::new(&lab, "B", Ipv4Addr::new(192, 0, 2, 2))?,
            _lab: lab,
        })
    }

    /// B's takeover of `address` after `since`: the priority in the last advert of A that reached it, and how
    /// long after that it announced the address.
    ///
    /// # Errors
    /// It did not come in time.
    pub fn takeover(
        &self,
        address: Ipv4Addr,
        since: Stamp,
        limit: Duration,
    ) -> anyhow::Result<(u8, Duration)> {
        let announced = self.b.await_announcement(address, since, limit)?;
        let heard = self.b.heard(Stamp(0));
        let (at, advert) = heard
            .iter()
            .rfind(|(at, _)| *at < announced)
            .context("B heard no advert")?;
        Ok((advert.priority, announced.since(*at)))
    }
}

impl Side {
    fn new(lab: &Lab, name: &str, address: Ipv4Addr) -> anyhow::Result<Self> {
        let host = lab.host(name)?;
        let port = lab.connect(&host, "eth0", "front", &[&format!("{address}/24")])?;
        let capture = port.capture()?;
        Ok(Self {
            host,
            address,
            port,
            capture,
        })
    }

    /// The adverts it has sent since then, oldest first.
    #[must_use]
    pub fn sent(&self, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.adverts(Direction::FromHost, since)
    }

    /// The adverts that have reached it since then, oldest first.
    #[must_use]
    pub fn heard(&self, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.adverts(Direction::ToHost, since)
    }

    fn adverts(&self, direction: Direction, since: Stamp) -> Vec<(Stamp, Advert)> {
        self.capture.pick(since, |captured| {
            (captured.direction == direction)
                .then(|| captured.frame().advert())
                .flatten()
        })
    }

    /// The gratuitous ARPs for `address` it has sent since then.
    #[must_use]
    pub fn announced(&self, address: Ipv4Addr, since: Stamp) -> Vec<Stamp> {
        self.capture
            .pick(since, |captured| match captured.frame() {
                Frame::GratuitousArp { address: of, .. }
                    if of == address && captured.direction == Direction::FromHost =>
                {
                    Some(())
                }
                _ => None,
            })
            .into_iter()
            .map(|(at, ())| at)
            .collect()
    }

    /// Wait for the first gratuitous ARP for `address` that it sends from `since` on.
    ///
    /// # Errors
    /// None came in time.
    pub fn await_announcement(
        &self,
        address: Ipv4Addr,
        since: Stamp,
        limit: Duration,
    ) -> anyhow::Result<Stamp> {
        let what = format!("a gratuitous ARP for {address} from host {}", self.host.name());
        let found = self
            .capture
            .wait_for(&what, since, limit, |captured| match captured.frame() {
                Frame::GratuitousArp { address: of, .. }
                    if of == address && captured.direction == Direction::FromHost =>
                {
                    Some(())
                }
                _ => None,
            })?;
        Ok(found.0)
    }

    /// Wait until it has sent `count` adverts since then; the last of them.
    ///
    /// # Errors
    /// They did not come in time.
    pub fn await_adverts(
        &self,
        count: usize,
        since: Stamp,
        limit: Duration,
    ) -> anyhow::Result<(Stamp, Advert)> {
        let what = format!("{count} adverts from host {}", self.host.name());
        let mut seen = 0;
        self.capture.wait_for(&what, since, limit, |captured| {
            if captured.direction == Direction::ToHost {
                return None;
            }
            let advert = captured.frame().advert()?;
            seen += 1;
            (seen == count).then_some(advert)
        })
    }

    /// Wait until it holds `address` and `other` does not.
    ///
    /// # Errors
    /// It did not come about in time.
    pub fn await_mastery(&self, address: Ipv4Addr, other: &Self, limit: Duration) -> anyhow::Result<()> {
        let address = [IpAddr::V4(address)];
        let what = format!("host {} alone holds {}", self.host.name(), address[0]);
        until(&what, limit, || {
            Ok(self.host.holds_all(&address)? && other.host.holds_none(&address)?)
        })
    }
}
