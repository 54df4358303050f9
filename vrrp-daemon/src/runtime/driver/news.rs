//! What the network tells, and what the other threads report and ask.

use std::io;
use std::task::{Context, Poll, Waker};

use super::Driver;
use crate::effects::addresses::Report;
use crate::effects::announce;
use crate::ingress::links::LinkEvent;
use crate::proto::model::{Carried, Transport};
use crate::proto::{Input, LinkId, LinkState, RouterId, State};

/// News of interfaces and addresses taken in one turn, at most.
const LINK_EVENTS: usize = 64;

impl Driver {
    /// The next message of each of the other threads. Answers whether there may be more; if not, `waker` is woken by the next.
    ///
    /// # Errors
    /// The watch on interfaces ended.
    pub(super) fn hear_news(&mut self, waker: &Waker) -> io::Result<bool> {
        let mut context = Context::from_waker(waker);
        let mut more = false;
        match self.parts.links.poll_recv(&mut context) {
            Poll::Ready(Some(event)) => {
                self.link_event(event);
                self.further_link_events();
                self.turn();
                more = true;
            }
            Poll::Ready(None) => return Err(io::Error::other("the watch on interfaces ended")),
            Poll::Pending => {}
        }
        // The others end when this thread wants nothing more of them.
        if let Poll::Ready(Some(report)) = self.parts.reports.poll_recv(&mut context) {
            self.report(report);
            more = true;
        }
        if let Poll::Ready(Some(news)) = self.parts.tracked.poll_recv(&mut context) {
            self.feed(news.into());
            more = true;
        }
        if let Poll::Ready(Some(request)) = self.parts.control.poll_recv(&mut context) {
            self.answer(request);
            more = true;
        }
        if let Poll::Ready(Some(answer)) = self.parts.reloads.answers.poll_recv(&mut context) {
            self.reloaded(answer);
            more = true;
        }
        Ok(more)
    }

    pub(super) fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Link {
                link,
                ifindex,
                mac,
                state,
            } => {
                self.parts
                    .writer
                    .set_link(link, ifindex, mac, state == LinkState::Up);
                self.parts.raw.set_link(link, ifindex);
                self.parts
                    .kernel
                    .set_link(self.parts.vrrp.model(), link, ifindex, mac);
                if let Some(known) = self.ifindexes.get_mut(link.index()) {
                    *known = ifindex;
                }
                let before = self.macs.get_mut(link.index()).and_then(|known| {
                    let before = known.take();
                    *known = mac;
                    before
                });
                for router in self.routers_on(link) {
                    self.open_sender(router);
                }
                self.feed(Input::Link { link, state });
                if before.is_some_and(|before| mac.is_some_and(|mac| mac != before)) {
                    self.moved(link);
                }
            }
            LinkEvent::Proven { link } => self.feed(Input::Proven { link }),
            LinkEvent::Member {
                link,
                ifindex,
                joined,
            } => self.parts.kernel.set_member(link, ifindex, joined),
            LinkEvent::Vlans { link, some } => {
                self.parts.kernel.set_vlans(self.parts.vrrp.model(), link, some);
            }
            LinkEvent::Source { router, address } => {
                if let Some(source) = self.sources.get_mut(router.index()) {
                    *source = address;
                }
                self.parts.raw.set_source(router, address);
                self.parts.kernel.set_source(router, address);
                self.open_sender(router);
                self.feed(Input::Source { router, address });
            }
            LinkEvent::Carried {
                router,
                carried,
                present: true,
            } => {
                self.presence.came(router, carried);
            }
            LinkEvent::Carried {
                router,
                carried,
                present: false,
            } => {
                if self.presence.went(router, carried) {
                    self.lost(router, carried);
                }
            }
            LinkEvent::Synced => {
                self.hold_statics();
                self.synced = true;
                self.presence.resynced();
            }
        }
    }
}

impl Driver {
    /// What else is there already, up to a bound: a takeover of a thousand addresses is a thousand events, which
    /// should not be a thousand turns.
    pub(super) fn further_link_events(&mut self) {
        for _ in 0..LINK_EVENTS {
            match self.parts.links.try_recv() {
                Ok(event) => self.link_event(event),
                // An end is met by the next receive.
                Err(_) => break,
            }
        }
        if let Err(error) = self.parts.raw.refresh() {
            tracing::warn!("{error}");
        }
        self.parts.kernel.refresh(self.parts.vrrp.model());
    }

    /// An interface has another MAC address now. Nobody learns it by itself: peers by unicast, and whoever talks to an
    /// address of ours, would go on sending to the old one.
    fn moved(&mut self, link: LinkId) {
        for router in self.routers_on(link) {
            let Some(config) = self.parts.vrrp.model().routers.get(router.index()) else {
                continue;
            };
            let rounds = config.announce.repeat;
            if matches!(config.transport, Transport::Unicast { .. }) {
                self.announce_source(router);
            }
            let status = self.parts.vrrp.status(router);
            if status.is_some_and(|status| status.state == State::Master) {
                self.parts.writer.announce(router, rounds);
            }
        }
    }

    /// Somebody else removed this. Static items are put back whatever the protocol thinks of it.
    fn lost(&mut self, router: RouterId, lost: Carried) {
        let model = self.parts.vrrp.model();
        if !model.holding(router).is_some_and(|holding| holding.tracks(lost)) {
            return;
        }
        if router == model.statics_id() {
            self.parts.writer.restore(router, lost);
        } else {
            self.feed(Input::Lost { router, lost });
        }
    }

    /// The static items are there from the start, once their interfaces are known.
    fn hold_statics(&mut self) {
        let model = self.parts.vrrp.model();
        if !self.synced && !model.statics.is_empty() {
            self.parts.writer.acquire(model.statics_id(), 1);
        }
    }

    /// At the end, after everything that virtual routers held.
    pub(super) fn release_statics(&mut self) {
        let model = self.parts.vrrp.model();
        if !self.keep_addresses && !model.statics.is_empty() {
            self.parts.writer.release(model.statics_id());
        }
    }

    fn open_sender(&mut self, router: RouterId) {
        let Some(config) = self.parts.vrrp.model().routers.get(router.index()) else {
            return;
        };
        let source = self.sources.get(router.index()).copied().flatten();
        let ifindex = self.ifindexes.get(config.link.index()).copied().flatten();
        if let Err(error) = self.parts.sender.set_source(router, source, ifindex) {
            tracing::warn!("{error}");
        }
    }

    /// Say where the address is that this virtual router sends from.
    pub(super) fn announce_source(&mut self, router: RouterId) {
        let Some(config) = self.parts.vrrp.model().routers.get(router.index()) else {
            return;
        };
        let link = config.link.index();
        let ifindex = self.ifindexes.get(link).copied().flatten();
        let mac = self.macs.get(link).copied().flatten();
        let source = self.sources.get(router.index()).copied().flatten();
        if let (Some(ifindex), Some(mac), Some(source)) = (ifindex, mac, source)
            && let Err(error) = announce::own_address(ifindex, mac, source)
        {
            tracing::warn!("({}) gratuitous ARP of {source} failed: {error}", config.name);
        }
    }

    fn routers_on(&self, link: LinkId) -> Vec<RouterId> {
        let routers = (0..).map(RouterId).zip(&self.parts.vrrp.model().routers);
        routers
            .filter(|(_, router)| router.link == link)
            .map(|(id, _)| id)
            .collect()
    }

    pub(super) fn report(&mut self, report: Report) {
        let model = self.parts.vrrp.model();
        let name = |router: RouterId| {
            model
                .routers
                .get(router.index())
                .map_or("static", |router| &router.name)
        };
        let describe = |router: RouterId, carried| {
            let holding = model.holding(router);
            holding.map_or_else(String::new, |holding| holding.describe(carried))
        };
        match report {
            Report::Acquired {
                router,
                added,
                already,
                took,
            } => {
                self.presence.acquired(router);
                tracing::debug!(
                    instance = name(router),
                    added,
                    already,
                    took_us = took.as_micros(),
                    "({}) VIPs: {added} added, {already} were there, in {took}",
                    name(router)
                );
            }
            Report::Released { router, removed } => {
                tracing::debug!(
                    instance = name(router),
                    "({}) VIPs: {removed} removed",
                    name(router)
                );
            }
            Report::Refused {
                router,
                failed,
                first,
                errno,
            } => {
                tracing::error!(
                    instance = name(router),
                    "({}) {failed} cannot be added, {} first: {errno}; check that the interface is there and \
                     nothing else uses it",
                    name(router),
                    describe(router, first)
                );
                self.feed(Input::AddressesRefused { router, failed });
            }
            Report::OtherPrefix {
                router,
                address,
                link,
                prefix,
                more,
            } => {
                let link = model.links.get(link.index()).map_or("?", String::as_str);
                let more = match more {
                    0 => String::new(),
                    count => format!(" (and {count} more like it)"),
                };
                tracing::warn!(
                    instance = name(router),
                    "({}) {address}/{prefix} is on {link} already, with another prefix length than the VIP's, and \
                     stays there when this host is Backup{more}; remove it with `ip addr del {address}/{prefix} dev \
                     {link}`, and from the network configuration",
                    name(router)
                );
            }
            Report::NotRemoved {
                router,
                failed,
                first,
                errno,
            } => {
                tracing::error!(
                    instance = name(router),
                    "({}) {failed} cannot be removed, {} first: {errno}; remove it with `ip addr`, `ip route` or \
                     `ip rule`",
                    name(router),
                    describe(router, first)
                );
            }
            Report::Restored {
                router,
                restored,
                first,
                pause,
            } => {
                let more = match restored {
                    1 => String::new(),
                    count => format!(" and {} more", count - 1),
                };
                tracing::warn!(
                    instance = name(router),
                    "({}) {}{more} removed by another program; added again (after {pause} if it happens again)",
                    name(router),
                    describe(router, first)
                );
            }
            Report::Reconfigured {
                kept,
                replaced,
                removed,
                failed,
                errno,
            } => {
                tracing::info!(
                    "VIPs of the new configuration: {kept} not touched, {replaced} replaced, {removed} removed"
                );
                if let Some(errno) = errno {
                    tracing::error!(
                        "{failed} VIPs that the new configuration does not have cannot be removed: {errno}; remove \
                         them with `ip addr del`"
                    );
                }
            }
            Report::NotAnnounced { router, link, errno } => {
                let link = model.links.get(link.index()).map_or("?", String::as_str);
                tracing::warn!(
                    instance = name(router),
                    "({}) gratuitous ARP on {link} failed: {errno}",
                    name(router)
                );
            }
        }
    }
}
