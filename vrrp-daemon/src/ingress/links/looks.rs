//! When to look again at interfaces that have not received anything yet. Pure: time is an argument.

use vrrp_common::time::{MonoNanos, Nanos};

/// Pause before the first look at an interface that came up. Each is twice as long as the one before,
const FIRST: Nanos = Nanos::from_millis(10);
/// up to this.
const LONGEST: Nanos = Nanos::from_millis(200);

/// The next look.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// Indices of the interfaces.
    at: Vec<u32>,
    next: Option<MonoNanos>,
    pause: Nanos,
}

impl Looks {
    /// These are to be looked at. One that was not before is looked at soon.
    pub(super) fn plan(&mut self, unproven: Vec<u32>, now: MonoNanos) {
        if unproven.iter().any(|ifindex| !self.at.contains(ifindex)) {
            self.pause = FIRST;
            self.next = None;
        }
        self.at = unproven;
        let next = self.next.unwrap_or(now + self.pause);
        self.next = (!self.at.is_empty()).then_some(next);
    }

    /// When it is.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.next
    }

    /// It is time: at which interfaces.
    pub(super) fn take(&mut self) -> Vec<u32> {
        self.next = None;
        self.pause = self.pause.times(2).min(LONGEST);
        self.at.clone()
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::{MonoNanos, Nanos};

    use super::Looks;

    #[test]
    fn ever_more_rarely_until_another_interface_comes_up() {
        let mut looks = Looks::default();
        looks.plan(vec![], MonoNanos(0));
        assert_eq!(looks.deadline(), None);

        let mut now = MonoNanos(0);
        for pause in [10, 20, 40, 80, 160, 200, 200] {
            looks.plan(vec![2], now);
            // What else happens meanwhile moves nothing.
            looks.plan(vec![2], now + Nanos::from_millis(5));
            assert_eq!(looks.deadline(), Some(now + Nanos::from_millis(pause)));
            now = now + Nanos::from_millis(pause);
            assert_eq!(looks.take(), [2]);
        }
        looks.plan(vec![2], now);
        looks.plan(vec![2, 3], now);
        assert_eq!(looks.deadline(), Some(now + Nanos::from_millis(10)));
        assert_eq!(looks.take(), [2, 3]);
        looks.plan(vec![], now);
        assert_eq!(looks.deadline(), None);
    }
}
