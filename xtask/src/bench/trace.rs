//! What a capture at a host's port says: when it took over, announced, advertised.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use vrrp_tests::lab::{Capture, Captured, Direction, Frame, Stamp};

/// One frame that matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) at: Stamp,
    /// The judged host sent it; else it was sent to it.
    pub(super) ours: bool,
    pub(super) what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Advert(Advert),
    /// A gratuitous ARP, or an unsolicited neighbour advertisement.
    Announcement(IpAddr),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Advert {
    pub(super) version: u8,
    pub(super) vrid: u8,
    pub(super) priority: u8,
    pub(super) interval_ms: u32,
}

impl Event {
    pub(super) fn of(captured: &Captured) -> Option<Self> {
        let what = match captured.frame() {
            Frame::Advert(advert) => What::Advert(Advert {
                version: advert.version,
                vrid: advert.vrid,
                priority: advert.priority,
                interval_ms: advert.interval_ms,
            }),
            Frame::GratuitousArp { address, .. } => What::Announcement(address.into()),
            Frame::UnsolicitedNa { address, .. } => What::Announcement(address.into()),
            Frame::DuplicateProbe { .. } | Frame::Echo { .. } | Frame::Other => return None,
        };
        Some(Self {
            at: captured.at,
            ours: captured.direction == Direction::FromHost,
            what,
        })
    }

    /// Everything that a capture holds since then, oldest first.
    pub(super) fn all(capture: &Capture, since: Stamp) -> Vec<Self> {
        capture
            .pick(since, Self::of)
            .into_iter()
            .map(|(_, event)| event)
            .collect()
    }

    pub(super) const fn advert(&self) -> Option<Advert> {
        match self.what {
            What::Advert(advert) => Some(advert),
            What::Announcement(_) => None,
        }
    }
}

impl Advert {
    /// The Master_Down_Interval of a Backup with `priority` that hears these adverts, in nanoseconds: RFC 9568 §6.1
    /// scales the skew by the interval, RFC 3768 §6.1 by a second.
    pub(super) fn master_down(&self, priority: u8) -> i64 {
        let interval = i64::from(self.interval_ms) * 1_000_000;
        let scale = if self.version == 2 {
            1_000_000_000
        } else {
            interval
        };
        3 * interval + (256 - i64::from(priority)) * scale / 256
    }
}

/// A takeover by the judged host. Times are nanoseconds past Master_Down_Interval after the last advert that it heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Takeover {
    pub(super) first_advert: i64,
    pub(super) first_announcement: i64,
    /// The first announcement of the address that was announced last.
    pub(super) last_announcement: i64,
    /// The longest time between two adverts of the new Master, in nanoseconds.
    pub(super) longest_gap: i64,
}

impl Takeover {
    /// Find it in `events`, which begin before it. `None`: it is not complete, or nobody was Master before.
    pub(super) fn find(events: &[Event], addresses: &[IpAddr]) -> Option<Self> {
        let begin = events.iter().position(|event| event.ours)?;
        let (before, after) = events.split_at(begin);
        let (last, heard) = before
            .iter()
            .rev()
            .find_map(|event| Some((event.at, event.advert()?)))?;
        let own: Vec<&Event> = after.iter().filter(|event| event.ours).collect();
        let (first_advert, advert) = own.iter().find_map(|event| Some((event.at, event.advert()?)))?;
        let mut missing: HashSet<IpAddr> = addresses.iter().copied().collect();
        let announced: Vec<Stamp> = own
            .iter()
            .filter_map(|event| match event.what {
                What::Announcement(address) => missing.remove(&address).then_some(event.at),
                What::Advert(_) => None,
            })
            .collect();
        if !missing.is_empty() {
            return None;
        }
        let down = heard.master_down(advert.priority);
        let past = |event: Stamp| nanos(last, event) - down;
        Some(Self {
            first_advert: past(first_advert),
            first_announcement: past(*announced.first()?),
            last_announcement: past(*announced.last()?),
            longest_gap: gaps(own.iter().copied()).into_iter().max().unwrap_or_default(),
        })
    }
}

/// The times between the adverts of each virtual router, in nanoseconds, in the order in which they ended.
pub(super) fn gaps<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<i64> {
    let mut last: HashMap<u8, Stamp> = HashMap::new();
    let mut gaps = Vec::new();
    for event in events {
        if let Some(advert) = event.advert()
            && let Some(before) = last.insert(advert.vrid, event.at)
        {
            gaps.push(nanos(before, event.at));
        }
    }
    gaps
}

/// From `earlier` to `later`, in nanoseconds; negative if it is the other way round.
pub(super) fn nanos(earlier: Stamp, later: Stamp) -> i64 {
    later.0.cast_signed().wrapping_sub(earlier.0.cast_signed())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use vrrp_tests::lab::Stamp;

    use super::{Advert, Event, Takeover, What, gaps};

    const ADVERT: Advert = Advert {
        version: 3,
        vrid: 1,
        priority: 200,
        interval_ms: 10,
    };

    fn heard(at: u64) -> Event {
        Event {
            at: Stamp(at),
            ours: false,
            what: What::Advert(ADVERT),
        }
    }

    fn sent(at: u64) -> Event {
        Event {
            at: Stamp(at),
            ours: true,
            what: What::Advert(Advert {
                priority: 100,
                ..ADVERT
            }),
        }
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, last])
    }

    fn announced(at: u64, last: u8) -> Event {
        Event {
            at: Stamp(at),
            ours: true,
            what: What::Announcement(address(last)),
        }
    }

    /// Priority 100 at 10 ms: 30 ms + 156/256 x 10 ms. VRRPv2 at 1 s: 3 s + 156/256 s.
    #[test]
    fn master_down_interval_is_the_rfcs() {
        assert_eq!(ADVERT.master_down(100), 36_093_750);
        let v2 = Advert {
            version: 2,
            interval_ms: 1_000,
            ..ADVERT
        };
        assert_eq!(v2.master_down(100), 3_609_375_000);
        assert_eq!(
            Advert {
                interval_ms: 2_000,
                ..v2
            }
            .master_down(100),
            6_609_375_000
        );
    }

    #[test]
    fn a_takeover_is_measured_from_the_last_advert_that_was_heard() {
        let events = [
            heard(0),
            heard(10_000_000),
            sent(46_100_000),
            announced(46_200_000, 1),
            announced(46_300_000, 2),
            sent(56_100_000),
            announced(56_200_000, 1),
            sent(67_100_000),
        ];
        let takeover = Takeover::find(&events, &[address(1), address(2)]).unwrap();
        assert_eq!(
            takeover,
            Takeover {
                first_advert: 6_250,
                first_announcement: 106_250,
                last_announcement: 206_250,
                longest_gap: 11_000_000,
            }
        );
    }

    #[test]
    fn a_takeover_that_lacks_an_address_or_a_master_is_none() {
        let events = [heard(0), sent(36_100_000), announced(36_200_000, 1)];
        assert_eq!(Takeover::find(&events, &[address(1), address(2)]), None);
        assert_eq!(Takeover::find(&events[1..], &[address(1)]), None);
        assert_eq!(Takeover::find(&events[..1], &[address(1)]), None);
        assert!(Takeover::find(&events, &[address(1)]).is_some());
    }

    #[test]
    fn each_virtual_router_has_its_own_gaps() {
        let other = Event {
            what: What::Advert(Advert { vrid: 2, ..ADVERT }),
            ..sent(5)
        };
        let events = [sent(0), other, announced(6, 1), sent(10), sent(25)];
        assert_eq!(gaps(events.iter()), [10, 15]);
    }
}
