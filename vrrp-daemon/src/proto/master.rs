//! What a Master has to do next: adverts and announcements.

use serde::{Deserialize, Serialize};
use vrrp_common::time::{Centis, MonoNanos, Nanos};

use super::model::{Announce, VirtualRouter};
use super::reload;

/// The shortest time between two announcements because of lower-priority adverts. Every packet of a flood
/// would otherwise cost a round of gratuitous ARPs over all addresses.
const CONTEST_SPACING: Nanos = Nanos::from_secs(1);

/// The state Master (RFC 9568 §6.4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Master {
    /// The advert timer. Only sending re-arms it: nothing that is received can.
    advert_at: MonoNanos,
    /// The last advert of any kind.
    sent_at: MonoNanos,
    /// The cadence has been moved away from that of many others.
    spread: bool,
    /// The second burst after the takeover.
    burst_at: Option<MonoNanos>,
    /// The periodic announcement.
    refresh_at: Option<MonoNanos>,
    /// The later burst after a contention.
    contest_at: Option<MonoNanos>,
    /// Last advert in answer to another.
    answered: Option<MonoNanos>,
    /// Last announcement because of a lower-priority advert.
    contested: Option<MonoNanos>,
}

impl Master {
    /// The first advert and the first burst are out.
    pub(super) fn new(now: MonoNanos, interval: Centis, announce: &Announce) -> Self {
        Self {
            advert_at: now + interval.nanos(),
            sent_at: now,
            spread: false,
            burst_at: after(now, announce.delay),
            refresh_at: after(now, announce.refresh),
            contest_at: None,
            answered: None,
            contested: None,
        }
    }

    /// The earliest of its timers.
    pub(super) fn deadline(&self) -> MonoNanos {
        [self.burst_at, self.refresh_at, self.contest_at]
            .into_iter()
            .flatten()
            .fold(self.advert_at, MonoNanos::min)
    }

    /// The advert timer.
    pub(super) fn advert_at(&self) -> MonoNanos {
        self.advert_at
    }

    /// How long the others have heard nothing of us.
    pub(super) fn silence(&self, now: MonoNanos) -> Nanos {
        now.since(self.sent_at)
    }

    /// The regular advert was sent. The next is due one interval after this one was, so that late wakings do
    /// not add up; after a longer pause the cadence starts anew.
    pub(super) fn sent_in_turn(&mut self, now: MonoNanos, interval: Centis) {
        self.sent_at = now;
        let next = self.advert_at + interval.nanos();
        if next > now {
            self.advert_at = next;
        } else {
            self.advert_at = now + interval.nanos();
            self.spread = false;
        }
    }

    /// The next advert comes `after` the one just sent, which is no more than the interval. Once for each cadence, for the
    /// rate is what is configured.
    pub(super) fn spread(&mut self, after: Nanos) {
        if !std::mem::replace(&mut self.spread, true) {
            self.advert_at = self.sent_at + after;
        }
    }

    /// An advert was sent beside the cadence, which starts anew.
    pub(super) fn sent_out_of_turn(&mut self, now: MonoNanos, interval: Centis) {
        self.answered = Some(now);
        self.sent_at = now;
        self.advert_at = now + interval.nanos();
    }

    /// Whether the last answer is at least `spacing` ago.
    pub(super) fn may_answer(&self, now: MonoNanos, spacing: Nanos) -> bool {
        self.answered.is_none_or(|last| now >= last + spacing)
    }

    /// A lower-priority advert was heard: whether to announce at once. What is held back by the limit comes
    /// with the later burst, which waits for the end of the contention.
    pub(super) fn contested(&mut self, now: MonoNanos, delay: Nanos) -> bool {
        let at_once = self.contested.is_none_or(|last| now >= last + CONTEST_SPACING);
        if at_once {
            self.contested = Some(now);
            self.contest_at = after(now, delay);
        } else {
            self.contest_at = Some(now + delay.max(CONTEST_SPACING));
        }
        at_once
    }

    /// Another configuration. What the adverts say or who hears them is told at once: it is due now.
    pub(super) fn adopt(&mut self, now: MonoNanos, old: &VirtualRouter, new: &VirtualRouter) {
        if !reload::same_advert(old, new) {
            self.advert_at = now;
            self.spread = false;
        } else if new.interval != old.interval {
            self.advert_at = self.advert_at.min(now + new.interval.nanos());
        }
        // Nobody can hold a silence against us that was none by the rules of the time.
        if (new.version, new.interval, new.down_adverts) != (old.version, old.interval, old.down_adverts) {
            self.sent_at = now;
        }
        if new.announce.refresh != old.announce.refresh {
            self.refresh_at = after(now, new.announce.refresh);
        }
        if reload::gains_addresses(old, new) {
            self.burst_at = after(now, new.announce.delay).or(self.burst_at);
        }
    }

    /// Another process has sent the adverts until `now`: the next is due.
    pub(super) fn succeed(&mut self, now: MonoNanos) {
        self.advert_at = now;
        self.sent_at = now;
    }

    /// Forget the limit: others may have held the addresses meanwhile.
    pub(super) fn contest_anew(&mut self) {
        self.contested = None;
    }

    /// Rounds of announcements that are due, all kinds together; their timers move on.
    pub(super) fn announcements_due(&mut self, now: MonoNanos, announce: &Announce) -> u8 {
        let mut rounds = 0;
        if take_due(&mut self.burst_at, now) {
            rounds = announce.repeat;
        }
        if take_due(&mut self.contest_at, now) {
            rounds = rounds.max(announce.lower_repeat);
        }
        if let Some(due) = self.refresh_at.filter(|&due| due <= now) {
            rounds = rounds.max(announce.refresh_repeat);
            let next = due + announce.refresh;
            self.refresh_at = if next > now {
                Some(next)
            } else {
                after(now, announce.refresh)
            };
        }
        rounds
    }
}

/// `delay` from now, or never for a delay of zero.
fn after(now: MonoNanos, delay: Nanos) -> Option<MonoNanos> {
    (delay > Nanos::ZERO).then(|| now + delay)
}

fn take_due(timer: &mut Option<MonoNanos>, now: MonoNanos) -> bool {
    timer.take_if(|due| *due <= now).is_some()
}
