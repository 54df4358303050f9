//! Spans of time as people read them.

/// `450 ms`, `12 s`, `5 m 03 s`, `2 h 05 m`, `3 d 04 h`: two units at most.
#[must_use]
pub fn span(millis: u64) -> String {
    let seconds = millis / 1000;
    match seconds {
        0 => format!("{millis} ms"),
        1..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{} d {:02} h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// `0.4 s`, `3.6 s`, `12 s`: to the tenth up to ten seconds; longer ones as [`span`] has it.
#[must_use]
pub fn tenths(millis: u64) -> String {
    match millis {
        0..10_000 => format!("{}.{} s", millis / 1000, millis / 100 % 10),
        _ => span(millis),
    }
}

/// Microseconds with the unit that leaves one to three digits before the point.
#[must_use]
pub fn exact(micros: u64) -> String {
    match micros {
        0..1_000 => format!("{micros} us"),
        1_000..1_000_000 => format!("{}.{:03} ms", micros / 1_000, micros % 1_000),
        _ => format!("{}.{:03} s", micros / 1_000_000, micros / 1_000 % 1_000),
    }
}

/// `10m`, `90s`, `1h30m`, `2d`, `500ms`, or seconds without a unit; `None` for anything else.
///
/// Milliseconds.
#[must_use]
pub fn parse(text: &str) -> Option<u64> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let unit = behind.find(|c: char| c.is_ascii_digit()).unwrap_or(behind.len());
        let (unit, behind) = behind.split_at(unit);
        let millis = match unit {
            "ms" => 1,
            // A number alone, not one behind others.
            "" if rest.len() == text.len() => 1_000,
            "s" => 1_000,
            "m" | "min" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        total = total.checked_add(number.parse::<u64>().ok()?.checked_mul(millis)?)?;
        rest = behind;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::{exact, parse, span, tenths};

    #[test]
    fn spans_have_two_units_at_most() {
        for (millis, expected) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (59_999, "59 s"),
            (60_000, "1 m 00 s"),
            (7_500_000, "2 h 05 m"),
            (273_600_000, "3 d 04 h"),
        ] {
            assert_eq!(span(millis), expected);
        }
    }

    #[test]
    fn short_ones_to_the_tenth() {
        for (millis, expected) in [(0, "0.0 s"), (349, "0.3 s"), (9_999, "9.9 s"), (12_000, "12 s")] {
            assert_eq!(tenths(millis), expected);
        }
        for (micros, expected) in [(999, "999 us"), (1_500, "1.500 ms"), (2_097_152, "2.097 s")] {
            assert_eq!(exact(micros), expected);
        }
    }

    #[test]
    fn what_people_write() {
        let table = [
            ("10m", Some(600_000)),
            ("90", Some(90_000)),
            ("90s", Some(90_000)),
            ("1h30m", Some(5_400_000)),
            ("500ms", Some(500)),
            ("2d", Some(172_800_000)),
            ("0", Some(0)),
            ("", None),
            ("m", None),
            ("1h30", None),
            ("1 h", None),
            ("-5s", None),
            ("1.5h", None),
            ("99999999999999999999d", None),
            ("18446744073709551615d", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse(text), expected, "{text}");
        }
    }
}
