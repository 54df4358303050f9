//! Many Masters that send at the same moment, as all do that took over together, are spread over the interval.
//!
//! A thousand adverts at once take milliseconds to send, which those at the end of the row feel: whatever disturbs the
//! host in that time moves them all. They fill socket buffers on the other side, too. So each Master's next advert
//! comes earlier once, never later, and then keeps the configured interval. keepalived's come as they fall due.

use vrrp_common::time::Nanos;

use super::Vrrp;
use crate::proto::effect::Effect;

/// So many adverts may go together: to send them takes some 0.1 ms.
const TOGETHER: usize = 32;
/// That is a larger share of a shorter interval than this, so there half as many go together.
const SHORT: Nanos = Nanos::from_millis(50);
/// Waking up more often costs more than it gains.
const APART: Nanos = Nanos::from_micros(500);

impl Vrrp {
    /// Masters that sent at the same moment, by `effects`, do not do so for ever.
    pub(super) fn spread(&mut self, effects: &[Effect]) {
        let sent = effects.iter().filter_map(|effect| {
            if let Effect::Send { router, .. } = effect {
                Some(*router)
            } else {
                None
            }
        });
        let of = sent.clone().count();
        if !is_crowd(of) {
            return;
        }
        for (place, router) in sent.enumerate() {
            let (Some(instance), Some(config)) = (
                self.instances.get_mut(router.index()),
                self.model.routers.get(router.index()),
            ) else {
                continue;
            };
            instance.spread(next_interval(config.interval.nanos(), place, of));
            self.deadlines.set(router, instance.deadline());
        }
    }
}

/// Whether so many adverts at once are worth it. Groups that meet again by chance are not.
const fn is_crowd(adverts: usize) -> bool {
    adverts > 2 * TOGETHER
}

/// The interval before the next advert of the one at `place`, from 0, among `of`: from `interval` for the first ones
/// down to one step for the last.
fn next_interval(interval: Nanos, place: usize, of: usize) -> Nanos {
    let steps = usize::try_from(interval.0 / APART.0).unwrap_or(usize::MAX).max(1);
    let few = if interval < SHORT { TOGETHER / 2 } else { TOGETHER };
    let together = of.div_ceil(steps).max(few);
    let groups = u64::try_from(of.div_ceil(together)).unwrap_or(1).max(1);
    let group = u64::try_from(place / together).unwrap_or(0).min(groups - 1);
    interval - Nanos(interval.0 / groups * group)
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::Nanos;

    use super::{is_crowd, next_interval};

    #[test]
    fn a_few_adverts_are_no_crowd() {
        assert!(!is_crowd(64));
        assert!(is_crowd(65));
    }

    #[test]
    fn groups_are_evenly_apart() {
        let at = |millis, place, of| next_interval(Nanos::from_millis(millis), place, of).as_micros();
        // 80 at 100 ms: 32, 32 and 16, a third of the interval apart.
        assert_eq!(at(100, 0, 80), 100_000);
        assert_eq!(at(100, 31, 80), 100_000);
        assert_eq!(at(100, 32, 80), 66_666);
        assert_eq!(at(100, 79, 80), 33_333);
        // 250 at 50 ms: eight groups; at 10 ms sixteen.
        assert_eq!(at(50, 31, 250), 50_000);
        assert_eq!(at(50, 32, 250), 43_750);
        assert_eq!(at(50, 249, 250), 6_250);
        assert_eq!(at(10, 15, 250), 10_000);
        assert_eq!(at(10, 16, 250), 9_375);
        assert_eq!(at(10, 249, 250), 625);
        // 1000 at 10 ms: no less than 0.5 ms apart, so twenty groups of 50.
        assert_eq!(at(10, 49, 1000), 10_000);
        assert_eq!(at(10, 50, 1000), 9_500);
        assert_eq!(at(10, 999, 1000), 500);
        // Alone, and with an interval that cannot be shared out.
        assert_eq!(at(10, 0, 1), 10_000);
        assert_eq!(at(1, 999, 1000), 500);
    }
}
