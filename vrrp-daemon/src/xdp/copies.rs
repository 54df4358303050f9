//! Adverts that went on to the stack after the program had judged them (`vrrp_xdp_pass`): the raw socket brings them
//! once more, and later, so that they must neither be counted twice nor be taken for a fresher sign of life.
//!
//! Which of the raw socket's messages are such copies only the kernel knows: for each advert of a sender that it let go
//! on, one copy is looked for. One that never comes (a full socket, a firewall) is not waited for: a sender of whom the
//! program has seen nothing since the raw sockets were read to their end has no copies in them. So adverts count that
//! come past a program that was taken off, or that it leaves to the stack.

use std::net::IpAddr;

use vrrp_common::abi::{self, PeerSeen, RouterRules};
use vrrp_common::time::{MonoNanos, Nanos};

use super::XdpPath;
use super::loader::Clock;
use super::table::Seat;
use crate::proto::model::RouterId;

/// So long a frame may take from the program to the raw socket: both are in one run of the same softirq, unless the
/// stack hands it to another CPU.
const ON_THE_WAY: Nanos = Nanos::from_millis(10);

impl XdpPath {
    /// Whether a good message of `source` for `router` that the raw socket brought is the copy of one that the program
    /// has seen. To be asked once for each message. All raw sockets were last empty at `empty_at`. Reads shared memory.
    pub fn is_copy(&mut self, router: RouterId, source: IpAddr, empty_at: MonoNanos) -> bool {
        let Self {
            table, seats, clock, ..
        } = self;
        let Some(entry) = table.entry_mut(router) else {
            return false;
        };
        if entry.rules.flags & RouterRules::PASS_ACCEPTED == 0 {
            return false;
        }
        let since = MonoNanos(empty_at.0.saturating_sub(ON_THE_WAY.0));
        let own = entry.senders.get_mut(&abi::address_words(source));
        // A Master that is followed since a moment ago sat among the others when its advert came.
        own.map(|sender| &mut sender.seat)
            .into_iter()
            .chain([&mut entry.others])
            .any(|seat| seat.takes_copy(&seats.seen(seat.number), since, *clock))
    }
}

impl Seat {
    /// No copy is looked for of what the program has seen so far.
    pub(super) fn expect_no_copies(&mut self, seen: &PeerSeen) {
        self.copies = accepted(seen);
    }

    fn takes_copy(&mut self, seen: &PeerSeen, since: MonoNanos, clock: Clock) -> bool {
        if seen.last == 0 || clock.here(seen.last) < since {
            self.expect_no_copies(seen);
            return false;
        }
        let awaited = self.copies < accepted(seen);
        self.copies += u64::from(awaited);
        awaited
    }
}

/// Adverts that held every rule: there is a gap before each but the first.
fn accepted(seen: &PeerSeen) -> u64 {
    u64::from(seen.last != 0) + seen.gaps.iter().sum::<u64>()
}

#[cfg(test)]
mod tests {
    use vrrp_common::abi::PeerSeen;
    use vrrp_common::time::MonoNanos;

    use super::super::loader::Clock;
    use super::Seat;

    fn seen(last: u64, gaps: u64) -> PeerSeen {
        let mut seen = PeerSeen::NOTHING;
        seen.last = last;
        seen.gaps[13] = gaps;
        seen
    }

    #[test]
    fn there_is_one_copy_of_each() {
        let mut seat = Seat::new(1);
        let mut takes = |seen: &PeerSeen, since| seat.takes_copy(seen, MonoNanos(since), Clock::SAME);
        assert!(!takes(&seen(0, 0), 0), "nothing was seen");
        assert!(takes(&seen(1_000, 0), 500));
        assert!(!takes(&seen(1_000, 0), 500), "there was one only");
        // Three, of which one copy never comes.
        assert!(takes(&seen(4_000, 3), 1_000));
        assert!(takes(&seen(4_000, 3), 1_000));
        // The program is off; what comes now it has not seen.
        assert!(!takes(&seen(4_000, 3), 4_001));
        assert!(!takes(&seen(4_000, 3), 3_000), "it is not waited for");
        assert!(takes(&seen(9_000, 4), 8_000));
    }

    #[test]
    fn what_was_seen_before_has_no_copies() {
        let mut seat = Seat::new(1);
        seat.expect_no_copies(&seen(1_000, 7));
        assert!(!seat.takes_copy(&seen(1_000, 7), MonoNanos(0), Clock::SAME));
        assert!(seat.takes_copy(&seen(2_000, 8), MonoNanos(0), Clock::SAME));
    }
}
