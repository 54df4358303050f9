//! Which virtual addresses, routes and rules are on the host, and whether one that left did so by our doing.

use std::collections::HashSet;

use crate::proto::RouterId;
use crate::proto::model::Carried;
use crate::proto::reload::Pairs;

/// What the kernel told of them.
#[derive(Debug, Default)]
pub struct Presence {
    present: HashSet<(RouterId, Carried)>,
    /// Those that we are removing ourselves: the news of it is still to come.
    leaving: HashSet<(RouterId, Carried)>,
}

impl Presence {
    /// Whether it is there.
    #[must_use]
    pub fn has(&self, router: RouterId, carried: Carried) -> bool {
        self.present.contains(&(router, carried))
    }

    /// What `router` holds is about to be removed by us.
    pub fn releasing(&mut self, router: RouterId) {
        let ours = self.present.iter().filter(|(holder, _)| *holder == router);
        self.leaving.extend(ours);
    }

    /// What `router` holds is in place: a removal that was overtaken by this has no news to come.
    pub fn acquired(&mut self, router: RouterId) {
        self.leaving.retain(|(holder, _)| *holder != router);
    }

    /// News may have been lost: none is waited for.
    pub fn resynced(&mut self) {
        self.leaving.clear();
    }

    /// Another configuration. What is there will be told again. `holding`, by new id: nothing of theirs is leaving, and
    /// what was reported by old ids, [`acquired`](Self::acquired) too, is lost.
    pub fn reconfigure(&mut self, routers: &Pairs<RouterId>, holding: &[bool]) {
        self.present.clear();
        let leaving = std::mem::take(&mut self.leaving).into_iter();
        // A route's place in its list says nothing of the new one.
        let addresses = leaving.filter(|(_, carried)| matches!(carried, Carried::Address(_)));
        let renumbered = addresses.filter_map(|(holder, carried)| Some((routers.after(holder)?, carried)));
        self.leaving = renumbered
            .filter(|(holder, _)| holding.get(holder.index()) != Some(&true))
            .collect();
    }

    /// It is about to be removed by us and added again, with another look. Its coming back is no end of that: it was
    /// there when the new configuration came.
    pub fn replacing(&mut self, router: RouterId, carried: Carried) {
        self.leaving.insert((router, carried));
    }

    /// It came.
    pub fn came(&mut self, router: RouterId, carried: Carried) {
        self.present.insert((router, carried));
    }

    /// It went; whether that was somebody else's doing.
    #[must_use]
    pub fn went(&mut self, router: RouterId, carried: Carried) -> bool {
        self.present.remove(&(router, carried));
        !self.leaving.remove(&(router, carried))
    }
}

#[cfg(test)]
mod tests {
    use super::{Carried, Presence, RouterId};
    use std::net::{IpAddr, Ipv4Addr};

    const ROUTER: RouterId = RouterId(3);
    const ADDRESS: Carried = Carried::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100)));

    #[test]
    fn our_own_removal_is_no_news_and_somebody_elses_is() {
        let mut presence = Presence::default();
        presence.came(ROUTER, ADDRESS);
        presence.releasing(ROUTER);
        assert!(!presence.went(ROUTER, ADDRESS));
        presence.came(ROUTER, ADDRESS);
        assert!(presence.went(ROUTER, ADDRESS));
    }

    /// Given up and taken again before the writer came to it: nothing was removed, and the next removal is
    /// somebody else's, to be undone.
    #[test]
    fn a_release_that_was_overtaken_excuses_nobody() {
        let mut presence = Presence::default();
        presence.came(ROUTER, ADDRESS);
        presence.releasing(ROUTER);
        presence.acquired(ROUTER);
        assert!(presence.has(ROUTER, ADDRESS));
        assert!(presence.went(ROUTER, ADDRESS));
    }
}
