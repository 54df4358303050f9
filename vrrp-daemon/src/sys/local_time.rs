//! Wall-clock time as it stands in log lines.

#![allow(unsafe_code, reason = "local time is known to the C library alone")]

use std::time::{SystemTime, UNIX_EPOCH};

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// A point in time, in the parts that people write.
#[derive(Clone, Copy, Debug)]
pub struct Stamp {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    micros: u32,
}

impl Stamp {
    /// `at` in the time zone of this host.
    #[must_use]
    pub fn local(at: SystemTime) -> Self {
        Self::broken_down(at, |seconds, tm| {
            // SAFETY: both pointers are valid for the call.
            unsafe { libc::localtime_r(seconds, tm) };
        })
    }

    /// `at` in UTC.
    #[must_use]
    pub fn utc(at: SystemTime) -> Self {
        Self::broken_down(at, |seconds, tm| {
            // SAFETY: both pointers are valid for the call.
            unsafe { libc::gmtime_r(seconds, tm) };
        })
    }

    fn broken_down(at: SystemTime, by: impl FnOnce(&libc::time_t, &mut libc::tm)) -> Self {
        let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
        let seconds = libc::time_t::try_from(since.as_secs()).unwrap_or(0);
        // SAFETY: all zeros is a valid `tm`.
        let mut tm: libc::tm = unsafe { std::mem::zeroed() };
        by(&seconds, &mut tm);
        Self {
            year: tm.tm_year + 1900,
            month: tm.tm_mon,
            day: tm.tm_mday,
            hour: tm.tm_hour,
            minute: tm.tm_min,
            second: tm.tm_sec,
            micros: since.subsec_micros(),
        }
    }

    /// RFC 3164's form, `Nov  3 09:05:07`.
    #[must_use]
    pub fn syslog(&self) -> String {
        let month = usize::try_from(self.month)
            .ok()
            .and_then(|month| MONTHS.get(month))
            .unwrap_or(&"Jan");
        format!(
            "{month} {:2} {:02}:{:02}:{:02}",
            self.day, self.hour, self.minute, self.second
        )
    }

    /// `2026-11-03 09:05:07.000123`
    #[must_use]
    pub fn precise(&self) -> String {
        format!(
            "{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{:06}",
            self.year,
            self.month + 1,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.micros
        )
    }
}

impl Stamp {
    /// RFC 3339's form of a stamp in UTC, `2026-11-03T09:05:07.000123Z`.
    #[must_use]
    pub fn rfc3339(&self) -> String {
        let mut text = self.precise().replace(' ', "T");
        text.push('Z');
        text
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::Stamp;

    #[test]
    fn in_utc() {
        // `date -u -d @1793696707`
        let at = UNIX_EPOCH + Duration::new(1_793_696_707, 123_456);
        assert_eq!(Stamp::utc(at).rfc3339(), "2026-11-03T09:05:07.000123Z");
    }

    #[test]
    fn forms() {
        let stamp = Stamp {
            year: 2026,
            month: 10,
            day: 3,
            hour: 9,
            minute: 5,
            second: 7,
            micros: 123,
        };
        assert_eq!(stamp.syslog(), "Nov  3 09:05:07");
        assert_eq!(stamp.precise(), "2026-11-03 09:05:07.000123");
    }
}
