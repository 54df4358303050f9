//! Skew_Time and Master_Down_Interval, in integer nanoseconds.
//!
//! | | skew | Master_Down_Interval |
//! |---|---|---|
//! | VRRPv2 (RFC 3768 §6.1) | (256 - priority) / 256 s | n x interval + skew |
//! | VRRPv3 (RFC 9568 §6.1) | (256 - priority) x interval / 256 | n x interval + skew |
//!
//! `n` is 3 unless `down_timer_adverts` says otherwise. For VRRPv3 the interval is the Master's, as learnt
//! from its adverts.

use crate::id::{Priority, Version};
use crate::time::{Centis, Nanos};

/// The number of missed adverts after which the Master is taken for dead (RFC 9568 §6.1).
pub const DOWN_TIMER_ADVERTS: u8 = 3;

/// The Skew_Time of a router of this priority. Never zero for a priority below 256, also at a 10 ms interval.
#[must_use]
pub fn skew(version: Version, priority: Priority, interval: Centis) -> Nanos {
    let base = match version {
        Version::V2 => Nanos::from_secs(1),
        Version::V3 => interval.nanos(),
    };
    // At most 256 x 41 s: far from overflow.
    Nanos(base.0 * (256 - u64::from(priority.0)) / 256)
}

/// How long a Backup of this priority waits for an advert before it takes over.
#[must_use]
pub fn master_down(version: Version, priority: Priority, interval: Centis, down_adverts: u8) -> Nanos {
    interval.nanos().times(u64::from(down_adverts)) + skew(version, priority, interval)
}

#[cfg(test)]
mod tests {
    use super::{master_down, skew};
    use crate::id::{Priority, Version};
    use crate::time::{Centis, Nanos};

    fn centis(value: u16) -> Centis {
        Centis::new(value).unwrap()
    }

    /// Literal values, computed by hand from the RFC's formula and checked against keepalived's dumps
    /// (`Master down timer = 3414062 usecs` and `882812 usecs`).
    #[test]
    fn master_down_interval_table() {
        let table = [
            (Version::V2, 150, 100, 3_414_062_500),
            (Version::V3, 120, 25, 882_812_500),
            (Version::V3, 254, 100, 3_007_812_500),
            (Version::V3, 200, 100, 3_218_750_000),
            (Version::V3, 100, 100, 3_609_375_000),
            (Version::V3, 1, 100, 3_996_093_750),
            (Version::V3, 254, 10, 300_781_250),
            (Version::V3, 100, 10, 360_937_500),
            (Version::V3, 100, 5, 180_468_750),
            (Version::V3, 254, 1, 30_078_125),
            (Version::V3, 200, 1, 32_187_500),
            (Version::V3, 100, 1, 36_093_750),
            (Version::V3, 1, 1, 39_960_937),
            (Version::V3, 100, 4_095, 147_803_906_250),
            (Version::V2, 100, 25_500, 765_609_375_000),
        ];
        for (version, priority, interval, expected) in table {
            assert_eq!(
                master_down(version, Priority(priority), centis(interval), 3),
                Nanos(expected),
                "version {version} priority {priority} interval {interval} cs"
            );
        }
    }

    /// A skew rounded to whole centiseconds, or truncated from a float, is 0 at 10 ms: then all Backups
    /// fire together (seen in several implementations).
    #[test]
    fn skew_is_never_zero_and_keeps_priorities_apart_at_ten_milliseconds() {
        assert_eq!(skew(Version::V3, Priority(254), Centis::MIN), Nanos(78_125));
        assert_eq!(skew(Version::V3, Priority(255), Centis::MIN), Nanos(39_062));
        for priority in 0..255 {
            assert!(
                skew(Version::V3, Priority(priority), Centis::MIN)
                    > skew(Version::V3, Priority(priority + 1), Centis::MIN)
            );
        }
    }

    /// VRRPv2's skew does not depend on the interval.
    #[test]
    fn v2_skew_is_a_fraction_of_one_second() {
        assert_eq!(skew(Version::V2, Priority(100), centis(100)), Nanos(609_375_000));
        assert_eq!(skew(Version::V2, Priority(100), centis(500)), Nanos(609_375_000));
    }

    #[test]
    fn fewer_missed_adverts_shorten_the_interval() {
        assert_eq!(
            master_down(Version::V3, Priority(100), Centis::DEFAULT, 1),
            Nanos(1_609_375_000)
        );
    }
}
