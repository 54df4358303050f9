//! Who is Master: the rules of RFC 9568 §6.4.2 and §6.4.3, as pure functions.

use std::net::IpAddr;

use vrrp_common::id::{Priority, Version};
use vrrp_common::time::{Centis, MonoNanos, Nanos};

use super::model::Preempt;

/// An interval up to this many times ours is adopted from a VRRPv3 Master, and down to this part of ours. A longer one
/// would let a single advert hold a Backup down for minutes; a shorter one would let it take over before a living
/// Master's next advert.
const ADOPT_UP_TO: u32 = 10;

/// What a Backup makes of an advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsBackup {
    /// Priority 0: the Master stands down.
    Released,
    /// It qualifies: restart the down timer.
    Follow,
    /// A lower Master that we may replace: the down timer runs on.
    Lower,
}

/// What a Master makes of another Master's advert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AsMaster {
    /// Priority 0: it stands down.
    Released,
    /// It loses: we stay.
    Lower,
    /// It wins: we become Backup.
    Higher,
}

/// What to do about the interval in an advert that we follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Interval {
    /// The same as ours, or VRRPv2, where it cannot differ.
    Ours,
    /// Time by this one.
    Adopt(Centis),
    /// More than ten times ours: keep timing by the last.
    TooLong,
    /// Less than a tenth of ours: keep timing by the last.
    TooShort,
}

/// RFC 9568 §6.4.2. `lower_since` is when the unbroken run of lower-priority adverts began that this one,
/// which arrived at `at`, belongs to; `preempt_delay` counts from there. Equal priority never preempts.
pub(super) fn as_backup(
    theirs: Priority,
    ours: Priority,
    preempt: Preempt,
    lower_since: MonoNanos,
    at: MonoNanos,
) -> AsBackup {
    if theirs.is_release() {
        return AsBackup::Released;
    }
    if theirs >= ours {
        return AsBackup::Follow;
    }
    match preempt {
        // "The router that owns the addresses always preempts, independent of this flag" (RFC 9568 §6.1).
        Preempt::Never if ours.is_owner() => AsBackup::Lower,
        Preempt::Never => AsBackup::Follow,
        Preempt::After(delay) if at < lower_since + delay => AsBackup::Follow,
        Preempt::After(_) => AsBackup::Lower,
    }
}

/// RFC 9568 §6.4.3. Addresses compare as unsigned numbers. `nopreempt` plays no part: two Masters are always
/// resolved. Two owners (255) are resolved by address too; keepalived instead runs the loser as 254.
pub(super) fn as_master(theirs: (Priority, IpAddr), ours: (Priority, IpAddr)) -> AsMaster {
    if theirs.0.is_release() {
        AsMaster::Released
    } else if theirs > ours {
        AsMaster::Higher
    } else {
        AsMaster::Lower
    }
}

/// Whether a Backup times by the Master's interval.
pub(super) fn interval(version: Version, theirs: Centis, ours: Centis) -> Interval {
    match version {
        Version::V2 => Interval::Ours,
        Version::V3 if theirs == ours => Interval::Ours,
        Version::V3 if u32::from(theirs.value()) * ADOPT_UP_TO < u32::from(ours.value()) => {
            Interval::TooShort
        }
        Version::V3 if u32::from(theirs.value()) <= ADOPT_UP_TO * u32::from(ours.value()) => {
            Interval::Adopt(theirs)
        }
        Version::V3 => Interval::TooLong,
    }
}

/// The shortest time between two adverts in answer to others. RFC 9568 §6.4.3 answers each lower-priority
/// advert at once, so a flood of them would be a flood of ours. One answer reaches every router; a tenth of
/// the interval later a sender that still asks has really not heard it.
pub(super) fn answer_spacing(interval: Centis) -> Nanos {
    Nanos(interval.nanos().0 / 10)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use vrrp_common::id::{Priority, Version};
    use vrrp_common::time::{Centis, MonoNanos, Nanos};

    use super::{AsBackup, AsMaster, Interval, answer_spacing, as_backup, as_master, interval};
    use crate::proto::model::Preempt;

    #[test]
    fn backup_table() {
        let at_once = Preempt::After(Nanos::ZERO);
        let after_ten = Preempt::After(Nanos(10));
        // theirs, ours, preempt, run of lower adverts began at, arrival
        let table = [
            (0, 100, at_once, 5, 5, AsBackup::Released),
            (0, 100, Preempt::Never, 5, 5, AsBackup::Released),
            (100, 100, at_once, 5, 5, AsBackup::Follow),
            (101, 100, at_once, 5, 5, AsBackup::Follow),
            (99, 100, at_once, 5, 5, AsBackup::Lower),
            (99, 100, Preempt::Never, 5, 5, AsBackup::Follow),
            (254, 255, Preempt::Never, 5, 5, AsBackup::Lower),
            (99, 100, after_ten, 5, 5, AsBackup::Follow),
            (99, 100, after_ten, 5, 14, AsBackup::Follow),
            (99, 100, after_ten, 5, 15, AsBackup::Lower),
        ];
        for (theirs, ours, preempt, since, at, expected) in table {
            let verdict = as_backup(
                Priority(theirs),
                Priority(ours),
                preempt,
                MonoNanos(since),
                MonoNanos(at),
            );
            assert_eq!(
                verdict, expected,
                "{theirs} heard by {ours}, {preempt:?}, {since}..{at}"
            );
        }
    }

    #[test]
    fn master_table() {
        let table = [
            (0, "192.0.2.9", AsMaster::Released),
            (99, "192.0.2.9", AsMaster::Lower),
            (100, "192.0.2.4", AsMaster::Lower),
            (100, "192.0.2.6", AsMaster::Higher),
            // 200 as a signed byte would be less than 5.
            (100, "200.0.2.5", AsMaster::Higher),
            (101, "192.0.2.4", AsMaster::Higher),
        ];
        let ours = (Priority(100), "192.0.2.5".parse::<IpAddr>().unwrap());
        for (priority, source, expected) in table {
            assert_eq!(
                as_master((Priority(priority), source.parse().unwrap()), ours),
                expected,
                "{priority} {source}"
            );
        }
    }

    #[test]
    fn interval_table() {
        let table = [
            (Version::V2, 200, 100, Interval::Ours),
            (Version::V3, 100, 100, Interval::Ours),
            (Version::V3, 10, 100, Interval::Adopt(Centis::new(10).unwrap())),
            (Version::V3, 9, 100, Interval::TooShort),
            (Version::V3, 1, 100, Interval::TooShort),
            (Version::V3, 1, 10, Interval::Adopt(Centis::MIN)),
            (
                Version::V3,
                1_000,
                100,
                Interval::Adopt(Centis::new(1_000).unwrap()),
            ),
            (Version::V3, 1_001, 100, Interval::TooLong),
            (Version::V3, 4_095, 1, Interval::TooLong),
        ];
        for (version, theirs, ours, expected) in table {
            let verdict = interval(version, Centis::new(theirs).unwrap(), Centis::new(ours).unwrap());
            assert_eq!(verdict, expected, "{version:?} {theirs} against {ours}");
        }
    }

    #[test]
    fn answers_are_a_tenth_of_the_interval_apart() {
        assert_eq!(answer_spacing(Centis::MIN), Nanos::from_millis(1));
        assert_eq!(answer_spacing(Centis::DEFAULT), Nanos::from_millis(100));
    }
}
