//! The other routers, by what was heard of them. Clock-free: only spans between arrivals at this host, as the kernel
//! stamped them, so no clock needs to be right.
//!
//! The kernel counts gaps between adverts in classes, each twice as wide as the one before. A gap of `n` intervals is
//! `n - 1` lost adverts, so a class gives two bounds for what was lost in its gaps. A gap of a Master_Down_Interval or more
//! is a silence: it was dead for us, or another was Master, and nothing is known to be lost.

use std::net::IpAddr;

use serde::Serialize;

use super::span::exact;
use super::table::table;
use crate::ingress::control::status::{Instance, Sender};
use crate::proto::State;

/// One sender of adverts for a virtual router.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Peer {
    /// The virtual router.
    pub instance: String,
    /// The sender; none for all those together that the kernel has no place for.
    pub source: Option<IpAddr>,
    /// It is the Master that is followed.
    pub master: bool,
    /// Its priority, of the Master.
    pub priority: Option<u8>,
    /// Since its last advert.
    pub age_us: Option<u64>,
    /// The interval that it is measured by, the Master's.
    pub interval_us: u64,
    /// Gaps that the kernel has counted; none where XDP does not receive its adverts.
    pub gaps: Option<Gaps>,
}

/// What the gaps between adverts say.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Gaps {
    /// How many.
    pub count: u64,
    /// Half of them are in this class or below.
    pub median_us: Class,
    /// 99 of 100 are.
    pub p99_us: Class,
    /// The longest.
    pub longest_us: Class,
    /// Longer than half the Master_Down_Interval (`vrrp_late_advert`).
    pub late: u64,
    /// At least so many adverts were lost.
    pub lost_at_least: u64,
    /// At most.
    pub lost_at_most: u64,
}

/// A class of gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Class {
    /// The shortest in it.
    pub from: u64,
    /// All are shorter; none for the last class, which has no end.
    pub below: Option<u64>,
}

/// Where the last class begins, which has no end: 2^41 ns.
const LAST_CLASS: u64 = 2_199_023_255;

impl Class {
    fn starting(from: u64) -> Self {
        Self {
            from,
            below: match from {
                // The first one begins at 0 and ends where the second begins, at 2^11 ns.
                0 => Some(2),
                LAST_CLASS.. => None,
                from => Some(from.saturating_mul(2).saturating_add(1)),
            },
        }
    }
}

/// The senders of adverts that were heard for a virtual router.
#[must_use]
pub fn peers(instance: &Instance) -> Vec<Peer> {
    let interval_us = instance.timers.master_interval_ms.unwrap_or(instance.interval_ms) * 1000;
    let master = instance
        .master
        .as_ref()
        .filter(|_| instance.state == State::Backup);
    let mut peers: Vec<Peer> = instance
        .senders
        .iter()
        .map(|sender| {
            let followed = master.filter(|master| Some(master.address) == sender.source);
            Peer {
                instance: instance.name.clone(),
                source: sender.source,
                master: followed.is_some(),
                priority: followed.map(|master| master.priority),
                age_us: sender.last_us,
                interval_us,
                gaps: gaps(sender, interval_us, instance.master_down_us),
            }
        })
        .collect();
    // One that XDP does not see.
    if let Some(master) = master
        && !peers.iter().any(|peer| peer.master)
    {
        peers.push(Peer {
            instance: instance.name.clone(),
            source: Some(master.address),
            master: true,
            priority: Some(master.priority),
            age_us: Some(master.last_advert_ms * 1000),
            interval_us,
            gaps: None,
        });
    }
    peers
}

fn gaps(sender: &Sender, interval_us: u64, master_down_us: u64) -> Option<Gaps> {
    let count: u64 = sender.gaps_us.iter().map(|(_, count)| count).sum();
    // Of several senders together a gap says nothing of any of them.
    if count == 0 || sender.source.is_none() {
        return None;
    }
    let share = |of_hundred: u64| {
        let wanted = (count * of_hundred).div_ceil(100).max(1);
        let mut seen = 0;
        let class = sender.gaps_us.iter().find(|(_, in_class)| {
            seen += in_class;
            seen >= wanted
        });
        Class::starting(class.map_or(0, |(from, _)| *from))
    };
    let lost = |gap: u64| intervals(gap, interval_us).saturating_sub(1);
    let sum = |lost_in: &dyn Fn(Class) -> u64| {
        let classes = sender.gaps_us.iter();
        let lost = classes.map(|(from, in_class)| in_class.saturating_mul(lost_in(Class::starting(*from))));
        lost.fold(0, u64::saturating_add)
    };
    // A class that reaches beyond may be all silence.
    let at_least = |class: Class| match class.below {
        Some(below) if below <= master_down_us => lost(class.from),
        Some(_) | None => 0,
    };
    let at_most = |class: Class| match class.from {
        from if from < master_down_us => lost(class.below.unwrap_or(from).min(master_down_us)),
        _ => 0,
    };
    Some(Gaps {
        count,
        median_us: share(50),
        p99_us: share(99),
        longest_us: share(100),
        late: sender.late,
        lost_at_least: sum(&at_least),
        lost_at_most: sum(&at_most),
    })
}

/// How many intervals a gap is, to the nearest.
fn intervals(gap_us: u64, interval_us: u64) -> u64 {
    (gap_us + interval_us / 2)
        .checked_div(interval_us)
        .unwrap_or_default()
}

/// A table of them.
#[must_use]
pub fn render(peers: &[Peer]) -> String {
    if peers.is_empty() {
        return "no other router has been heard\n".to_owned();
    }
    let head = [
        "INSTANCE", "SENDER", "ROLE", "LAST", "MEDIAN", "P99", "LONGEST", "LATE", "LOST",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(peers.iter().map(|peer| {
        let none = || "-".to_owned();
        let gaps = peer.gaps.as_ref();
        let class = |class: Option<Class>| {
            class.map_or_else(none, |class| match class.below {
                Some(below) => format!("<{}", exact(below)),
                None => format!(">{}", exact(class.from)),
            })
        };
        [
            peer.instance.clone(),
            peer.source
                .map_or("others".to_owned(), |source| source.to_string()),
            if peer.master { "Master" } else { "-" }.to_owned(),
            peer.age_us.map_or_else(none, |age| format!("{} ago", exact(age))),
            class(gaps.map(|gaps| gaps.median_us)),
            class(gaps.map(|gaps| gaps.p99_us)),
            class(gaps.map(|gaps| gaps.longest_us)),
            gaps.map_or_else(none, |gaps| gaps.late.to_string()),
            gaps.map_or_else(none, |gaps| match (gaps.lost_at_least, gaps.lost_at_most) {
                (least, most) if least == most => format!("{least} of {}", gaps.count + least),
                (least, most) => format!("{least} to {most} of {}", gaps.count + most),
            }),
        ]
    }));
    table(&rows)
}

#[cfg(test)]
mod tests;
