//! The beginning of a process that follows another one (a hitless restart). It reads its configuration, opens its
//! sockets, loads the XDP program and looks at the interfaces while the other is on duty; then it takes over as after a
//! reload. What arrives from the other's last look on waits in this one's sockets.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use std::io;
use std::task::{Context, Poll};

use tokio::sync::{mpsc, oneshot};

use super::super::pidfile::PidFile;
use super::super::predecessor::{Offer, Predecessor, TakeError};
use super::super::protocol::{self, REPORTS};
use super::super::service::Go;
use super::super::signals::Wanted;
use super::super::wakeups::{Sources, Wakeups};
use super::reload::replaced;
use super::{Driver, PER_SOCKET, Parts, ROUNDS_BEFORE_TIMERS};
use crate::config::Config;
use crate::effects::addresses::AddressWriter;
use crate::ingress::links::LinkEvent;
use crate::proto::model::{Carried, LinkId, Model};
use crate::proto::{Correspondence, Input, LinkState, RouterId, State};
use crate::sys::ready::Patience;
use crate::sys::{clock, interface};

/// For the kernel to say that the addresses are there.
const FLUSH: Duration = Duration::from_secs(2);

/// What it takes to take over from an earlier process.
#[derive(Debug)]
pub struct Succession {
    pub(in crate::runtime) predecessor: Predecessor,
    pub(in crate::runtime) config: Arc<Config>,
    pub(in crate::runtime) pid_file: PathBuf,
    /// The service thread waits for it.
    pub(in crate::runtime) go: oneshot::Sender<Go>,
}

impl Driver {
    /// Take over, or begin as ever when the predecessor has gone. `false`: it was to stop before, and so was the
    /// predecessor.
    pub(super) fn follow(&mut self, succession: Succession, wakeups: &mut Wakeups) -> io::Result<bool> {
        wakeups.add(&succession.predecessor, Sources::PREDECESSOR)?;
        let waker = wakeups.waker.clone();
        let mut known = Vec::new();
        while !self.synced {
            if let Poll::Ready(event) = self.parts.links.poll_recv(&mut Context::from_waker(&waker)) {
                let event = event.ok_or_else(|| io::Error::other("the watch on interfaces ended"))?;
                known.push(event);
                self.link_event(event);
                continue;
            }
            let woken = wakeups.wait(None, Patience::Endless)?;
            let stop = || wakeups.signals.next() == Some(Wanted::Stop);
            if woken.has(Sources::SIGNALS) && stop() {
                succession.predecessor.end();
                return Ok(false);
            }
            if woken.has(Sources::PREDECESSOR) {
                break;
            }
        }
        while let Ok(event) = self.parts.links.try_recv() {
            known.push(event);
            self.link_event(event);
        }
        self.further_link_events();
        self.discard();
        let pid = succession.predecessor.pid();
        let asked = clock::now();
        let taken = succession.predecessor.ask().and_then(|offer| {
            let version = offer.version.clone();
            self.succeed(&succession, offer, &known)?;
            Ok(version)
        });
        let Succession {
            predecessor,
            config,
            pid_file,
            go,
        } = succession;
        match taken {
            Ok(version) => {
                let vrrp = &self.parts.vrrp;
                let _ = go.send(Go {
                    verdicts: vrrp.verdicts().collect(),
                    unsteady: vrrp.unsteady().collect(),
                });
                self.resume(&known);
                let took = clock::now().since(asked);
                tracing::info!(
                    event = "restart",
                    reason = "taken-over",
                    predecessor = pid,
                    took_us = took.as_micros(),
                    "took over from process {pid} (version {version}) without a pause: {}, took {took}",
                    self.masters()
                );
            }
            Err(error) => {
                tracing::warn!(
                    event = "restart",
                    reason = "not-taken-over",
                    predecessor = pid,
                    "nothing is taken over from process {pid}: {error}; it ends first"
                );
                predecessor.end();
                drop(predecessor);
                if self.parts.pid_file.is_none() {
                    self.parts.pid_file = Some(PidFile::create(&pid_file).map_err(io::Error::other)?);
                }
                protocol::remove_leftovers(&config);
                self.parts.kernel.go(&config.model);
                let _ = go.send(Go::default());
            }
        }
        Ok(true)
    }

    /// What has arrived so far is for the predecessor, which has heard it, too.
    fn discard(&mut self) {
        let parts = &mut self.parts;
        for _ in 0..ROUNDS_BEFORE_TIMERS {
            let read = parts.raw.drain(&parts.judge, clock::now(), &mut |_| {});
            if read.map_or(true, |count| count < PER_SOCKET) {
                break;
            }
        }
    }

    /// Everything that can fail or takes its time, while the predecessor still sends its adverts; then the word, and from
    /// there on this is the process on duty.
    fn succeed(
        &mut self,
        succession: &Succession,
        offer: Offer,
        known: &[LinkEvent],
    ) -> Result<(), TakeError> {
        let Offer { estate, word, .. } = offer;
        let Succession {
            predecessor,
            config,
            pid_file,
            ..
        } = succession;
        let model = &config.model;
        self.parts.pid_file = Some(PidFile::create(pid_file)?);
        let correspondence = Correspondence::between(estate.model(), model);
        let writer = self.writer_as_of(estate.model(), config, known)?;
        for (router, state) in estate.states() {
            if state == State::Master {
                writer.acquire(router, 0);
            }
        }
        if !estate.model().statics.is_empty() {
            writer.acquire(estate.model().statics_id(), 0);
        }
        if !writer.flush(FLUSH) {
            return Err(TakeError::Addresses);
        }
        self.parts.kernel.go(model);
        let routers = &correspondence.routers;
        let holding: Vec<_> = (0..)
            .map(RouterId)
            .take(model.routers.len())
            .map(|new| routers.before(new).is_some_and(|old| estate.is_master(old)))
            .collect();

        let now = clock::now();
        if predecessor.has_gone() || !word.given(routers.gone().collect()) {
            return Err(TakeError::Late);
        }
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.succeed(now, &estate);
        }
        let (report, reports) = mpsc::channel(REPORTS);
        let report = move |outcome| {
            let _ = report.try_send(outcome);
        };
        writer.reconfigure(model, &config.global.pacing, routers, &holding, report);
        self.parts.reports = reports;
        self.parts.writer = writer;
        for (router, address) in replaced(estate.model(), model, &holding) {
            self.presence.replacing(router, Carried::Address(address));
        }
        self.parts.vrrp.succeed(now, estate);
        let Parts { observer, vrrp, .. } = &mut self.parts;
        observer.taken_over(vrrp, predecessor.pid());
        for (subject, state, priority) in self.parts.vrrp.told() {
            self.parts.notifier.remember(subject, state, priority);
        }
        Ok(())
    }

    /// A writer that knows the interfaces, for the configuration that the predecessor ran.
    fn writer_as_of(
        &self,
        old: &Model,
        config: &Config,
        known: &[LinkEvent],
    ) -> Result<AddressWriter, TakeError> {
        let writer = AddressWriter::spawn(old, &config.global.pacing, true, |_| {});
        let writer = writer.map_err(TakeError::Writer)?;
        for (id, name) in (0..).map(LinkId).zip(&old.links) {
            let here = config.model.links.iter().position(|link| link == name);
            let told = known.iter().rev().find_map(|event| match event {
                LinkEvent::Link {
                    link,
                    ifindex,
                    mac,
                    state,
                } if Some(link.index()) == here => Some((*ifindex, *mac, *state == LinkState::Up)),
                _ => None,
            });
            let (ifindex, mac, up) = told.unwrap_or_else(|| (interface::index_of(name), None, true));
            writer.set_link(id, ifindex, mac, up);
        }
        Ok(writer)
    }

    /// The protocol hears of the interfaces again, and goes on.
    fn resume(&mut self, known: &[LinkEvent]) {
        for event in known {
            match event {
                LinkEvent::Link { .. } | LinkEvent::Proven { .. } | LinkEvent::Source { .. } => {
                    self.link_event(*event);
                }
                LinkEvent::Member { .. }
                | LinkEvent::Vlans { .. }
                | LinkEvent::Carried { .. }
                | LinkEvent::Synced => {}
            }
        }
        self.further_link_events();
        self.started = true;
        self.feed(Input::Start);
        // The first advert, after all that has waited was read.
        self.turn();
    }
}
