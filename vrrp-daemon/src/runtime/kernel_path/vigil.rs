//! Is the program still where it was put?
//!
//! Somebody with the right to may take it off (`BPF_LINK_DETACH`, which the kernel tells nobody of), or have a program of
//! their own there when we start. Neither costs an advert: the raw socket has them all. That it has one which the
//! program should have taken is the sign to look, so that as long as all is well nobody looks.

use vrrp_common::time::{MonoNanos, Nanos};

use super::{Loaded, mode, name};
use crate::proto::{Model, RouterId};
use crate::xdp::AttachError;

/// The pause after the first look; each further one doubles it.
const SHORTEST: Nanos = Nanos::from_secs(1);
/// As long as two programs fight for a device, they do so once a minute.
const LONGEST: Nanos = Nanos::from_secs(64);

/// A device on which an advert passed the program by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Vigil {
    /// When to look again, if there is reason to.
    next: MonoNanos,
    pause: Nanos,
    /// Somebody else's program is there, which has been said.
    taken: bool,
}

impl Vigil {
    /// Somebody else's program is there.
    pub(super) fn is_taken(&mut self) {
        self.taken = true;
    }

    /// Whether to look now. The pauses grow, and are short again after a quiet time.
    fn is_due(&mut self, now: MonoNanos) -> bool {
        if now < self.next {
            return false;
        }
        let quiet = now >= self.next + LONGEST;
        self.pause = match self.pause.times(2) {
            longer if !quiet && longer > SHORTEST => longer.min(LONGEST),
            _ => SHORTEST,
        };
        self.next = now + self.pause;
        true
    }
}

impl Loaded {
    /// An advert for `router` came by the raw socket: put the program back on its device if it is gone from there.
    pub(super) fn look_after(&mut self, model: &Model, router: RouterId, now: MonoNanos) {
        let Some(link) = model.routers.get(router.index()).map(|router| router.link) else {
            return;
        };
        let ifindex = self.links.get(link.index()).copied().flatten();
        let (Some(ifindex), Some(mode)) = (ifindex, mode(model, link)) else {
            return;
        };
        if self.path.device_of(router) != Some(ifindex) {
            return;
        }
        let vigil = self.vigils.entry(ifindex).or_default();
        let was_there = self.path.attached(ifindex).is_some();
        if !(was_there || vigil.taken) || !vigil.is_due(now) || self.path.holds(ifindex) {
            return;
        }
        let name = name(model, link);
        self.path.detach(ifindex);
        match self.path.attach(ifindex, mode) {
            Ok(attached) if was_there => {
                tracing::warn!(
                    "{name}: the XDP program was taken off from outside; it is attached again ({attached})"
                );
            }
            Ok(attached) => {
                vigil.taken = false;
                tracing::info!("{name}: XDP attached ({attached}), now that nobody else's program is there");
            }
            Err(error) => {
                vigil.taken = error == AttachError::Taken;
                if was_there {
                    tracing::warn!(
                        "{name}: the XDP program was taken off from outside; adverts are received by the raw socket \
                         alone: {error}"
                    );
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Vigil;

    #[test]
    fn the_looks_become_rarer_and_frequent_again_after_a_quiet_time() {
        let at = |seconds| MonoNanos(0) + Nanos::from_secs(1_000) + Nanos::from_secs(seconds);
        let mut vigil = Vigil::default();
        let looked = (0..200).filter(|second| vigil.is_due(at(*second)));
        assert_eq!(looked.collect::<Vec<_>>(), [0, 1, 3, 7, 15, 31, 63, 127, 191]);
        // Due at 255, and nobody has missed the program for more than a minute since.
        assert!(vigil.is_due(at(319)));
        assert!(!vigil.is_due(at(319)));
        assert!(vigil.is_due(at(320)));
    }
}
