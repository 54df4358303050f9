//! Units of time. Integers only: a VRRP timer that went through a float loses its skew.

use core::fmt;
use core::ops::{Add, Sub};

/// A point on CLOCK_MONOTONIC, in nanoseconds. The XDP program's `bpf_ktime_get_ns` reads the same clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct MonoNanos(pub u64);

/// A span of time in nanoseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
pub struct Nanos(pub u64);

/// An advertisement interval in centiseconds, the unit of VRRPv3's Max Advertise Interval. A VRRPv2 interval
/// of `n` seconds is `100 n`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "user", serde(try_from = "u16", into = "u16"))]
pub struct Centis(u16);

impl MonoNanos {
    /// The span from `earlier` to `self`; zero when `earlier` is in fact later.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanos {
        Nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Sub<Nanos> for MonoNanos {
    type Output = Self;

    /// No earlier than the clock's beginning.
    fn sub(self, span: Nanos) -> Self {
        Self(self.0.saturating_sub(span.0))
    }
}

impl Add<Nanos> for MonoNanos {
    type Output = Self;

    fn add(self, span: Nanos) -> Self {
        Self(self.0.saturating_add(span.0))
    }
}

impl Nanos {
    /// No time at all.
    pub const ZERO: Self = Self(0);

    /// A span of whole microseconds.
    #[must_use]
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros.saturating_mul(1_000))
    }

    /// A span of whole milliseconds.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// A span of whole seconds.
    #[must_use]
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Whole microseconds, rounded down.
    #[must_use]
    pub const fn as_micros(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole milliseconds, rounded down.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// `self` taken `factor` times, saturating.
    #[must_use]
    pub const fn times(self, factor: u64) -> Self {
        Self(self.0.saturating_mul(factor))
    }
}

impl Add for Nanos {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Nanos {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl fmt::Display for Nanos {
    /// Milliseconds with three decimals, `36.093 ms`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03} ms", self.0 / 1_000_000, self.0 / 1_000 % 1_000)
    }
}

impl Centis {
    /// The shortest interval, 10 ms.
    pub const MIN: Self = Self(1);
    /// The longest that VRRPv3's twelve bits can say, 40.95 s (RFC 9568 §5.2.7).
    pub const MAX_V3: Self = Self(4_095);
    /// One second, the default of both versions.
    pub const DEFAULT: Self = Self(100);

    /// `None` for 0, which would be an advert storm.
    #[must_use]
    pub const fn new(centis: u16) -> Option<Self> {
        if centis == 0 { None } else { Some(Self(centis)) }
    }

    /// A VRRPv2 interval, 1..=255 s; `None` for 0.
    #[must_use]
    pub fn from_secs(secs: u8) -> Option<Self> {
        Self::new(u16::from(secs) * 100)
    }

    /// Centiseconds.
    #[must_use]
    pub const fn value(self) -> u16 {
        self.0
    }

    /// The span, in the unit timers are kept in.
    #[must_use]
    pub fn nanos(self) -> Nanos {
        Nanos::from_millis(u64::from(self.0) * 10)
    }
}

impl TryFrom<u16> for Centis {
    type Error = ZeroInterval;

    fn try_from(centis: u16) -> Result<Self, ZeroInterval> {
        Self::new(centis).ok_or(ZeroInterval)
    }
}

impl From<Centis> for u16 {
    fn from(interval: Centis) -> Self {
        interval.0
    }
}

/// An interval of 0 was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ZeroInterval;

impl fmt::Display for ZeroInterval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an advertisement interval is at least 1 cs")
    }
}

impl fmt::Display for Centis {
    /// Seconds with two decimals, `0.25 s`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02} s", self.0 / 100, self.0 % 100)
    }
}

#[cfg(test)]
mod tests {
    use std::string::ToString as _;

    use super::{Centis, MonoNanos, Nanos};

    /// Regression, seen in holo and vrrp-rs: seconds taken for centiseconds, or ten for a hundred.
    #[test]
    fn a_second_is_a_hundred_centiseconds_and_a_thousand_milliseconds() {
        let second = Centis::from_secs(1).unwrap();
        assert_eq!(second.value(), 100);
        assert_eq!(second.nanos(), Nanos(1_000_000_000));
        assert_eq!(Centis::MIN.nanos(), Nanos(10_000_000));
        assert_eq!(Centis::MAX_V3.nanos(), Nanos(40_950_000_000));
        assert_eq!(Centis::from_secs(255).unwrap().nanos(), Nanos(255_000_000_000));
    }

    #[test]
    fn an_interval_of_zero_does_not_exist() {
        assert_eq!(Centis::new(0), None);
        assert_eq!(Centis::from_secs(0), None);
    }

    /// A stamp may be newer than the clock reading it is compared with.
    #[test]
    fn spans_never_run_backwards() {
        assert_eq!(MonoNanos(5).since(MonoNanos(7)), Nanos::ZERO);
        assert_eq!(MonoNanos(7).since(MonoNanos(5)), Nanos(2));
        assert_eq!(Nanos(1) - Nanos(2), Nanos::ZERO);
        assert_eq!(MonoNanos(u64::MAX) + Nanos(1), MonoNanos(u64::MAX));
    }

    #[test]
    fn shown_as_people_write_them() {
        assert_eq!(Nanos(36_093_750).to_string(), "36.093 ms");
        assert_eq!(Centis::new(25).unwrap().to_string(), "0.25 s");
        assert_eq!(Centis::new(4_095).unwrap().to_string(), "40.95 s");
    }
}
