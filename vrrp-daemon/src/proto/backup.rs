//! What a Backup knows: the Master it follows, and until when.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::Priority;
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::timers;
use vrrp_common::wire::advert::ChecksumForm;

use super::effect::{Reason, Remark};
use super::election::{self, AsBackup, Interval};
use super::input::Heard;
use super::model::{Preempt, RouterId, VirtualRouter};
use super::reload;
use super::router::MasterSeen;

/// For how many intervals a Backup lets others go first. Each time that hosts made each other yield, one more of them
/// waits longer, and it takes fewer than five intervals until they meet again: this is enough for four hosts.
const PATIENCE: u64 = 16;

/// The state Backup (RFC 9568 §6.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Backup {
    /// The down timer. It counts from the arrival of an advert, not from when we came to read it.
    down_at: MonoNanos,
    /// It ran out, and the sync group is not ready.
    wants: bool,
    /// It ran out, and the link is unproven.
    held: bool,
    /// Arrival of the last advert that restarted the timer, or when the wait began.
    last_heard: MonoNanos,
    /// The interval we time by.
    interval: Centis,
    /// The Master whose adverts restart the timer.
    followed: Option<Seen>,
    /// A lower Master whose adverts no longer do.
    overruled: Option<Seen>,
    /// Where the unbroken run of lower-priority adverts began: `preempt_delay` counts from here.
    lower_since: Option<MonoNanos>,
    /// The Master announced priority 0.
    released: bool,
    /// Adverts heard before then start a wait that is longer by this.
    patience: Option<(MonoNanos, Nanos)>,
}

/// The last advert of a Master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    source: IpAddr,
    priority: Priority,
    interval: Centis,
    at: MonoNanos,
    checksum: ChecksumForm,
    same_addresses: bool,
}

impl Seen {
    fn of(heard: &Heard) -> Self {
        Self {
            source: heard.source,
            priority: heard.priority,
            interval: heard.interval,
            at: heard.at,
            checksum: heard.checksum,
            same_addresses: heard.same_addresses,
        }
    }
}

impl Backup {
    /// Nobody heard yet: a full Master_Down_Interval, by our own interval.
    pub(super) fn new(now: MonoNanos, interval: Centis, master_down: Nanos) -> Self {
        Self {
            down_at: now + master_down,
            wants: false,
            held: false,
            last_heard: now,
            interval,
            followed: None,
            overruled: None,
            lower_since: None,
            released: false,
            patience: None,
        }
    }

    /// We released the addresses ourselves: the skew time, as if a Master had.
    pub(super) fn after_release(now: MonoNanos, interval: Centis, skew: Nanos) -> Self {
        Self {
            released: true,
            ..Self::new(now, interval, skew)
        }
    }

    /// The down timer, `None` once it ran out and only the group is waited for.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        (!self.wants).then_some(self.down_at)
    }

    /// The down timer, passed or not.
    pub(super) fn down_at(&self) -> MonoNanos {
        self.down_at
    }

    /// The interval the down timer is computed from.
    pub(super) fn interval(&self) -> Centis {
        self.interval
    }

    /// Whether the down timer ran out.
    pub(super) fn wants(&self) -> bool {
        self.wants
    }

    /// The down timer ran out. Only a qualifying advert takes this back, or a link that came up again.
    pub(super) fn want(&mut self) {
        self.wants = true;
        self.held = false;
    }

    /// Whether the down timer ran out and waits for the link.
    pub(super) fn held(&self) -> bool {
        self.held
    }

    /// The down timer ran out while the link is unproven.
    pub(super) fn hold(&mut self) {
        self.held = true;
    }

    /// The link is another one: whether the timer that ran out has to wait is asked again.
    pub(super) fn ask_link_again(&mut self) {
        self.wants = false;
        self.held = false;
    }

    /// Nobody could be heard before `at`: a full wait from there.
    pub(super) fn count_from(&mut self, at: MonoNanos, master_down: Nanos) {
        self.ask_link_again();
        self.down_at = self.down_at.max(at + master_down);
        if self.followed.is_none() {
            self.last_heard = self.last_heard.max(at);
        }
    }

    /// Wait an interval longer, also after whatever is heard in the next [`PATIENCE`] intervals.
    pub(super) fn let_pass(&mut self, now: MonoNanos, interval: Nanos) {
        self.down_at = self.down_at + interval;
        self.patience = Some((now + interval.times(PATIENCE), interval));
    }

    /// The effective priority, and so the skew, changed.
    pub(super) fn shift(&mut self, before: Nanos, after: Nanos) {
        if !self.wants {
            self.down_at = MonoNanos((self.down_at + after).0.saturating_sub(before.0));
        }
    }

    /// Another configuration, and the effective priority as it was. From here on `shift` does the rest.
    pub(super) fn adopt(
        &mut self,
        now: MonoNanos,
        (old, new): (&VirtualRouter, &VirtualRouter),
        ours: Priority,
    ) {
        let wait = |interval| timers::master_down(new.version, ours, interval, new.down_adverts);
        if !reload::understands(old, new) {
            *self = Self::new(now, new.interval, wait(new.interval));
            return;
        }
        if (old.interval, old.down_adverts) == (new.interval, new.down_adverts) {
            return;
        }
        let Some(master) = self.followed else {
            // A wait that began by the old interval says nothing by the new one.
            *self = Self {
                overruled: self.overruled,
                lower_since: self.lower_since,
                ..Self::new(now, new.interval, wait(new.interval))
            };
            return;
        };
        let before = timers::skew(old.version, ours, self.interval);
        self.interval = match election::interval(new.version, master.interval, new.interval) {
            Interval::Ours => new.interval,
            Interval::Adopt(theirs) => theirs,
            Interval::TooLong | Interval::TooShort => self.interval,
        };
        if self.released {
            self.shift(before, timers::skew(new.version, ours, self.interval));
        } else if !self.wants {
            let patience = self.patience.map_or(Nanos::ZERO, |(_, longer)| longer);
            self.down_at = self.last_heard + wait(self.interval) + patience;
        }
    }

    /// Whether there is a Master whose adverts keep this one Backup.
    pub(super) fn follows_somebody(&self) -> bool {
        let unsettled = self.released || self.wants || self.held;
        self.followed.is_some() && self.overruled.is_none() && !unsettled
    }

    /// An advert by the rules of RFC 9568 §6.4.2, with two exceptions for the sake of a living Master: one
    /// older than the last of the same sender moves nothing, and priority 0 counts only from the Master we
    /// follow, while there is one. (A router that yielded, and stops before it has noticed, would otherwise
    /// start a second election under the Master's nose.)
    pub(super) fn hears(&mut self, config: &VirtualRouter, ours: Priority, heard: &Heard) -> Option<Remark> {
        let (source, priority) = (heard.source, heard.priority);
        if self.seen(source).is_some_and(|seen| heard.at < seen.at) {
            return None;
        }
        let lower_since = self.lower_since.unwrap_or(heard.at);
        match election::as_backup(priority, ours, config.preempt, lower_since, heard.at) {
            AsBackup::Released => {
                if self.followed.is_none_or(|master| master.source == source) {
                    // What it sent before this and we read after it is no sign of life.
                    if let Some(master) = &mut self.followed {
                        master.at = heard.at;
                    }
                    let skew = timers::skew(config.version, ours, self.interval);
                    // Never later than before: repeated zeros must not keep everybody waiting.
                    self.down_at = self.down_at.min(heard.at + skew);
                    self.released = true;
                }
                None
            }
            AsBackup::Follow => self.follows(config, ours, heard),
            AsBackup::Lower => {
                self.lower_since = Some(lower_since);
                self.overruled = Some(Seen::of(heard));
                Some(Remark::PreemptPending {
                    source,
                    mac: heard.mac,
                    priority,
                })
            }
        }
    }

    /// Restart the timer by this advert.
    pub(super) fn follows(
        &mut self,
        config: &VirtualRouter,
        ours: Priority,
        heard: &Heard,
    ) -> Option<Remark> {
        let source = heard.source;
        let news = self
            .followed
            .is_none_or(|seen| (seen.source, seen.interval) != (source, heard.interval));
        let remark = match election::interval(config.version, heard.interval, config.interval) {
            Interval::Ours => {
                self.interval = config.interval;
                None
            }
            Interval::Adopt(theirs) => {
                self.interval = theirs;
                Some(Remark::IntervalAdopted {
                    source,
                    theirs,
                    ours: config.interval,
                })
            }
            Interval::TooLong => Some(Remark::IntervalTooLong {
                source,
                theirs: heard.interval,
                kept: self.interval,
            }),
            Interval::TooShort => Some(Remark::IntervalTooShort {
                source,
                theirs: heard.interval,
                kept: self.interval,
            }),
        };
        let lower_since = self.lower_since.unwrap_or(heard.at);
        let patience = self.patience.filter(|(until, _)| heard.at < *until);
        *self = Self {
            down_at: heard.at
                + timers::master_down(config.version, ours, self.interval, config.down_adverts)
                + patience.map_or(Nanos::ZERO, |(_, longer)| longer),
            wants: false,
            held: false,
            last_heard: heard.at,
            interval: self.interval,
            followed: Some(Seen::of(heard)),
            overruled: None,
            lower_since: (heard.priority < ours).then_some(lower_since),
            released: false,
            patience,
        };
        remark.filter(|_| news)
    }

    /// The advert that a kernel stamp stands for: the last of `source`, at another time.
    pub(super) fn repeat_of(&self, router: RouterId, source: IpAddr, at: MonoNanos) -> Option<Heard> {
        let seen = self.seen(source)?;
        // After priority 0 there is nothing left to be alive.
        (!self.released).then_some(Heard {
            router,
            source,
            mac: None,
            priority: seen.priority,
            interval: seen.interval,
            at,
            checksum: seen.checksum,
            same_addresses: seen.same_addresses,
        })
    }

    /// The Master whose last advert, however often it comes again, keeps this one Backup: neither time nor the next
    /// one like it can make it mean something else.
    pub(super) fn unchanging(&self, config: &VirtualRouter, ours: Priority) -> Option<IpAddr> {
        let master = self.followed.filter(|_| self.follows_somebody())?;
        let for_good = master.priority >= ours || (config.preempt == Preempt::Never && !ours.is_owner());
        for_good.then_some(master.source)
    }

    /// How long the Master had not been heard when this advert of it came.
    pub(super) fn gap_before(&self, heard: &Heard) -> Option<Nanos> {
        let master = self.followed.filter(|_| self.follows_somebody())?;
        (master.source == heard.source).then(|| heard.at.since(master.at))
    }

    /// When a Master of lower priority is replaced, if one is heard and has to be heard for longer (`preempt_delay`).
    pub(super) fn preempt_at(&self, config: &VirtualRouter, ours: Priority) -> Option<MonoNanos> {
        let lower = self.followed.is_some_and(|master| master.priority < ours) && self.overruled.is_none();
        match config.preempt {
            Preempt::After(delay) if lower && delay > Nanos::ZERO => Some(self.lower_since? + delay),
            Preempt::After(_) | Preempt::Never => None,
        }
    }

    /// The Master to show.
    pub(super) fn master(&self) -> Option<MasterSeen> {
        self.current().map(|seen| MasterSeen {
            address: seen.source,
            priority: seen.priority,
            last: seen.at,
        })
    }

    /// Why the down timer ran out.
    pub(super) fn reason_to_take_over(&self, interval: Nanos) -> Reason {
        if self.released {
            Reason::MasterReleased {
                master: self.followed.or(self.overruled).map(|seen| seen.source),
            }
        } else if let Some(lower) = self.overruled {
            Reason::Preempted {
                master: lower.source,
                priority: lower.priority,
            }
        } else {
            Reason::MasterDown {
                master: self.followed.map(|seen| seen.source),
                last_heard: self.last_heard,
                interval,
            }
        }
    }

    /// Whoever acts as Master now.
    fn current(&self) -> Option<Seen> {
        self.overruled.or(self.followed)
    }

    fn seen(&self, source: IpAddr) -> Option<Seen> {
        [self.overruled, self.followed]
            .into_iter()
            .flatten()
            .find(|seen| seen.source == source)
    }
}
