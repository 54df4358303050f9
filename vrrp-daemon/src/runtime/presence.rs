//! Which virtual addresses are on the host, and whether one that left did so by our doing.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::proto::RouterId;
use crate::proto::reload::Pairs;

/// What the kernel told of virtual addresses.
#[derive(Debug, Default)]
pub struct Presence {
    present: HashSet<(RouterId, IpAddr)>,
    /// Those that we are removing ourselves: the news of it is still to come.
    leaving: HashSet<(RouterId, IpAddr)>,
}

impl Presence {
    /// Whether the address is there.
    #[must_use]
    pub fn has(&self, router: RouterId, address: IpAddr) -> bool {
        self.present.contains(&(router, address))
    }

    /// The addresses of `router` are about to be removed by us.
    pub fn releasing(&mut self, router: RouterId) {
        let ours = self.present.iter().filter(|(holder, _)| *holder == router);
        self.leaving.extend(ours);
    }

    /// The addresses of `router` are in place: a removal that was overtaken by this has no news to come.
    pub fn acquired(&mut self, router: RouterId) {
        self.leaving.retain(|(holder, _)| *holder != router);
    }

    /// News may have been lost: none is waited for.
    pub fn resynced(&mut self) {
        self.leaving.clear();
    }

    /// Another configuration. What is there will be told again.
    pub fn reconfigure(&mut self, routers: &Pairs<RouterId>) {
        self.present.clear();
        let leaving = std::mem::take(&mut self.leaving).into_iter();
        self.leaving = leaving
            .filter_map(|(holder, address)| Some((routers.after(holder)?, address)))
            .collect();
    }

    /// The address came.
    pub fn came(&mut self, router: RouterId, address: IpAddr) {
        self.present.insert((router, address));
    }

    /// The address went; whether that was somebody else's doing.
    #[must_use]
    pub fn went(&mut self, router: RouterId, address: IpAddr) -> bool {
        self.present.remove(&(router, address));
        !self.leaving.remove(&(router, address))
    }
}

#[cfg(test)]
mod tests {
    use super::{Presence, RouterId};
    use std::net::{IpAddr, Ipv4Addr};

    const ROUTER: RouterId = RouterId(3);
    const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100));

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
