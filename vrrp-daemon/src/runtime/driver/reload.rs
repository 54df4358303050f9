//! Taking over another configuration that is ready: what is the same is not touched, and nothing here waits.

use std::collections::HashMap;
use std::net::IpAddr;

use tokio::sync::mpsc;

use super::super::protocol::REPORTS;
use super::super::reload::{Answer, Found, Prepared, Reply};
use super::{Driver, Parts, Said};
use crate::ingress::control::message::Reloaded;
use crate::ingress::control::status::ReloadResult;
use crate::proto::model::{Carried, Model, VirtualAddress};
use crate::proto::{Input, RouterId, State};
use crate::sys::clock;

impl Driver {
    /// Have the configuration read again.
    pub(super) fn request_reload(&mut self, reply: Option<Reply>) {
        tracing::info!("Reloading");
        if self.parts.parent.is_managed() {
            self.parts.parent.say(&Said::Reloading);
        }
        // Full: as many wait to be answered by the next reading. A reply that is dropped says so.
        let _ = self.parts.reloads.requests.try_send(reply);
    }

    /// It was read.
    pub(super) fn reloaded(&mut self, answer: Answer) {
        let Answer {
            found,
            diagnostics,
            replies,
            begun,
        } = answer;
        let result = match found {
            Found::Changed(prepared) => {
                let began = clock::now();
                self.take_over(*prepared);
                let pause = clock::now().since(began);
                tracing::info!(
                    "Reloaded: {} virtual routers, read in {} ms, taken over in {pause}",
                    self.parts.vrrp.model().routers.len(),
                    begun.elapsed().as_millis()
                );
                ReloadResult::Applied {
                    pause_us: pause.as_micros(),
                }
            }
            Found::Same => {
                self.parts.notifier.unchanged();
                ReloadResult::Unchanged
            }
            Found::Bad => ReloadResult::Refused,
        };
        if self.parts.parent.is_managed() {
            self.parts.parent.say(&Said::Reloaded);
        }
        self.parts.snapshots.note_reload(clock::now(), result);
        for reply in replies {
            // A client that left in the meantime is no error.
            let diagnostics = diagnostics.clone();
            let _ = reply.send(Reloaded { result, diagnostics });
        }
    }

    fn take_over(&mut self, prepared: Prepared) {
        let Prepared {
            config,
            correspondence,
            judge,
            known,
            links,
            tracked,
        } = prepared;
        // What has arrived until now is judged by the old rules, and what is due is done. What the old watch has told
        // is heard out: the new one has listed what is there, and does not know what was removed before.
        for _ in 0..self.parts.links.len() {
            if let Ok(event) = self.parts.links.try_recv() {
                self.link_event(event);
            }
        }
        self.turn();
        self.catch_up();
        let model = &config.model;
        let now = clock::now();
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.reload(now, model);
        }
        self.parts.vrrp.retire(now, &correspondence, &mut self.effects);
        self.carry_out_all(now);

        let routers = &correspondence.routers;
        let holding: Vec<_> = (0..)
            .map(RouterId)
            .take(model.routers.len())
            .map(|new| routers.before(new).is_some_and(|old| self.is_master(old)))
            .collect();
        let (report, reports) = mpsc::channel(REPORTS);
        self.parts.reports = reports;
        let pacing = &config.global.pacing;
        let report = move |outcome| {
            let _ = report.try_send(outcome);
        };
        self.parts
            .writer
            .reconfigure(model, pacing, routers, &holding, report);
        self.parts.notifier.reconfigure(&config, &correspondence);
        self.parts.judge = judge;
        self.parts.raw.reconfigure(model, &correspondence);
        self.parts
            .kernel
            .reconfigure(self.parts.vrrp.model(), model, &correspondence);
        for error in self.parts.sender.reconfigure(model, routers) {
            tracing::warn!("{error}");
        }
        self.presence.reconfigure(routers, &holding);
        for (router, address) in replaced(self.parts.vrrp.model(), model, &holding) {
            self.presence.replacing(router, Carried::Address(address));
        }
        let ifindexes = correspondence.links.carry(std::mem::take(&mut self.ifindexes));
        self.ifindexes = ifindexes.into_iter().map(Option::flatten).collect();
        let macs = correspondence.links.carry(std::mem::take(&mut self.macs));
        self.macs = macs.into_iter().map(Option::flatten).collect();
        let sources = routers.carry(std::mem::take(&mut self.sources));
        self.sources = sources.into_iter().map(Option::flatten).collect();
        self.parts.links = links;
        self.parts.tracked = tracked;

        self.parts.vrrp.adopt(now, model.clone(), &correspondence);
        // The protocol only notes these facts until it is told to go on.
        for event in known {
            self.link_event(event);
        }
        self.further_link_events();
        // All of it: if the first watch never came to say so, nobody else will.
        self.synced = true;
        while let Ok(news) = self.parts.tracked.try_recv() {
            self.feed(news.into());
        }
        if self.started {
            self.feed(Input::Start);
        }
        // A Master whose adverts say something else sends one at once.
        self.turn();
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        kernel.retune(|router| vrrp.quiet(router));
    }

    pub(super) fn is_master(&self, router: RouterId) -> bool {
        let status = self.parts.vrrp.status(router);
        status.is_some_and(|status| status.state == State::Master)
    }
}

/// The addresses of holders that stay and look different: they go and come back, by our doing. (Another prefix is
/// another address.)
pub(super) fn replaced(old: &Model, new: &Model, holding: &[bool]) -> Vec<(RouterId, IpAddr)> {
    let at = |model: &Model, address: &VirtualAddress| {
        let link = model.links.get(address.link.index()).cloned();
        (link, address.address, address.prefix)
    };
    let known = old.holders().flat_map(|(_, holding)| holding.addresses());
    let known: HashMap<_, _> = known.map(|address| (at(old, address), address)).collect();
    let held = new
        .holders()
        .filter(|(router, _)| holding.get(router.index()) == Some(&true));
    let addresses =
        held.flat_map(|(router, holding)| holding.addresses().map(move |address| (router, address)));
    let differ = addresses.filter(|(_, address)| {
        known.get(&at(new, address)).is_some_and(|before| {
            let mut before = (*before).clone();
            before.link = address.link;
            // Nothing that the kernel knows of.
            before.extra.untracked = address.extra.untracked;
            before != **address
        })
    });
    differ
        .map(|(router, address)| (router, address.address))
        .collect()
}
