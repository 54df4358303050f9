//! Which virtual routers an unproven link keeps waiting, and what is said of it. Virtual routers of a sync group agree
//! as ever: one that waits keeps the others from being Master, too.

use std::net::IpAddr;

use vrrp_common::time::MonoNanos;

use super::Vrrp;
use crate::proto::effect::{Effect, Remark};
use crate::proto::hold::HoldNews;
use crate::proto::input::LinkState;
use crate::proto::instance::{Instance, Step};
use crate::proto::model::{LinkId, RouterId};

impl Vrrp {
    /// A link that came up is unproven; one that is down is not waited for, whoever runs on it regardless
    /// (`dont_track_primary`).
    pub(super) fn link_moved(
        &mut self,
        now: MonoNanos,
        link: LinkId,
        state: LinkState,
        effects: &mut Vec<Effect>,
    ) {
        self.holds.note(link, state == LinkState::Up, now);
        let since = self.holds.since(link);
        self.at_all_on(now, link, effects, |instance, step| {
            instance.set_unproven(step.config, since);
        });
    }

    /// A message for `router` came in: whatever is in it, its link passes frames. Our own proves nothing.
    pub(super) fn heard_from(
        &mut self,
        now: MonoNanos,
        router: RouterId,
        (source, at): (IpAddr, MonoNanos),
        effects: &mut Vec<Effect>,
    ) {
        let ours = |instance: &Instance| instance.source() == Some(source);
        if let Some(link) = self.link_of(router)
            && self.holds.since(link).is_some()
            && !self.instances.get(router.index()).is_some_and(ours)
        {
            self.prove(now, link, at.min(now), effects);
        }
    }

    /// A frame has come in over the link.
    pub(super) fn prove(&mut self, now: MonoNanos, link: LinkId, at: MonoNanos, effects: &mut Vec<Effect>) {
        let Some(news) = self.holds.prove(link, at) else {
            return;
        };
        say(link, news, effects);
        self.at_all_on(now, link, effects, |instance, step| {
            instance.link_proven(step, at)
        });
    }

    /// A down timer ran out and waits for its link.
    pub(super) fn hold_begins(&mut self, router: RouterId, effects: &mut Vec<Effect>) {
        if let Some(config) = self.model.routers.get(router.index()) {
            let news = self.holds.waits(config.link, config.uncommon.link_hold);
            say(config.link, news, effects);
        }
    }

    /// A down timer ran out, perhaps after it waited for its link.
    pub(super) fn hold_over(&mut self, now: MonoNanos, router: RouterId, effects: &mut Vec<Effect>) {
        if let Some(link) = self.link_of(router) {
            say(link, self.holds.over(link, now), effects);
        }
    }

    fn at_all_on(
        &mut self,
        now: MonoNanos,
        link: LinkId,
        effects: &mut Vec<Effect>,
        act: impl Fn(&mut Instance, &mut Step<'_>),
    ) {
        for router in (0..=u16::MAX).map(RouterId).take(self.instances.len()) {
            if self.link_of(router) == Some(link) {
                self.at(now, router, effects, &act);
            }
        }
    }

    fn link_of(&self, router: RouterId) -> Option<LinkId> {
        self.model.routers.get(router.index()).map(|config| config.link)
    }
}

fn say(link: LinkId, news: Option<HoldNews>, effects: &mut Vec<Effect>) {
    effects.extend(news.map(|news| Effect::Remark {
        router: None,
        remark: Remark::LinkHold { link, news },
    }));
}
