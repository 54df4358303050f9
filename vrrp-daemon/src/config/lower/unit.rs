//! `track_restarts`: services that the service manager may not restart too often.
//!
//! Whoever writes such a line relies on it, so one that cannot hold keeps the daemon from starting.

use std::ops::RangeInclusive;

use vrrp_common::time::Nanos;

use super::Lowering;
use super::track::{Tracks, weight};
use super::tracker::WEIGHTS;
use crate::config::UnitSpec;
use crate::config::diag::Diagnostic;
use crate::config::lexer::Word;
use crate::config::raw::Statement;
use crate::proto::UnitId;
use crate::proto::model::{Track, TrackObject, Unit};

const FORM: &str =
    "write `track_restarts UNIT COUNT SECONDS [weight N]`, such as `track_restarts haproxy.service 5 600`";

/// How many restarts may be allowed: as many are kept in mind.
const COUNT: RangeInclusive<u32> = 0..=1000;
/// Seconds, a day at most.
const WITHIN: RangeInclusive<u32> = 1..=86_400;

impl Lowering<'_> {
    /// `UNIT COUNT SECONDS [weight N]`.
    pub(super) fn track_restarts(&mut self, statement: &Statement, tracks: &mut Tracks) {
        let (unit, count, seconds, weighted) = match statement.words.as_slice() {
            [unit, count, seconds] => (unit, count, seconds, None),
            [unit, count, seconds, weight, number] if weight.text == "weight" => {
                (unit, count, seconds, Some(number))
            }
            _ => {
                self.sink.push(
                    Diagnostic::error("`track_restarts` takes a unit, a count and seconds")
                        .at(statement.span, "")
                        .help(FORM),
                );
                return;
            }
        };
        let name = service(&unit.text);
        if name.is_none() {
            self.refuse(unit, "the name of a service");
        }
        let count = self.between(count, &COUNT, "restarts");
        let seconds = self.between(seconds, &WITHIN, "seconds");
        let weight = match weighted {
            None => Some(0),
            Some(number) => {
                let known = weight(&number.text, &WEIGHTS);
                if known.is_none() {
                    let wanted = format!("a weight from {} to {}", WEIGHTS.start(), WEIGHTS.end());
                    self.refuse(number, &wanted);
                }
                known
            }
        };
        let (Some(name), Some(restarts), Some(seconds), Some(weight)) = (name, count, seconds, weight) else {
            return;
        };
        let spec = UnitSpec {
            unit: name,
            restarts,
            within: Nanos::from_secs(u64::from(seconds)),
        };
        let label = format!("{} {restarts} {seconds}", spec.unit);
        let object = TrackObject::Unit(self.unit(spec, label, statement));
        let track = Track {
            object,
            weight,
            reverse: false,
        };
        self.track(track, unit, tracks);
    }

    /// The same unit with the same limit is one, whoever tracks it.
    fn unit(&mut self, spec: UnitSpec, name: String, statement: &Statement) -> UnitId {
        if let Some(known) = self.units.get(&spec) {
            return *known;
        }
        let id = UnitId(self.position(self.config.model.units.len(), "tracked units", statement.span));
        self.units.insert(spec.clone(), id);
        self.config.model.units.push(Unit { name });
        self.config.units.push(spec);
        id
    }

    fn between(&mut self, word: &Word, range: &RangeInclusive<u32>, of: &str) -> Option<u32> {
        let value = word.text.parse().ok().filter(|value| range.contains(value));
        if value.is_none() {
            self.refuse(
                word,
                &format!("a number of {of} from {} to {}", range.start(), range.end()),
            );
        }
        value
    }

    fn refuse(&mut self, word: &Word, wanted: &str) {
        self.sink.push(
            Diagnostic::error(format!("`{}` is not {wanted}", word.text))
                .at(word.span, "")
                .help(FORM),
        );
    }
}

/// The whole name; one without a suffix is that of a service, as for `systemctl`. Other units are not restarted. (systemd's
/// names: systemd.unit(5).)
fn service(text: &str) -> Option<String> {
    let name = match text.rsplit_once('.') {
        Some((_, "service")) => text.to_owned(),
        Some((
            _,
            "socket" | "target" | "timer" | "mount" | "automount" | "path" | "slice" | "scope" | "device"
            | "swap",
        )) => {
            return None;
        }
        Some(_) | None => format!("{text}.service"),
    };
    let known = |byte: u8| byte.is_ascii_alphanumeric() || b":-_.\\@".contains(&byte);
    let stem = name.strip_suffix(".service").unwrap_or_default();
    // A template has no restarts, its instances do.
    let fits = !stem.is_empty()
        && !stem.starts_with('@')
        && !stem.ends_with('@')
        && name.len() <= 255
        && stem.bytes().all(known);
    fits.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::service;

    #[test]
    fn a_service_is_named_as_for_systemctl() {
        for (text, name) in [
            ("haproxy.service", "haproxy.service"),
            ("haproxy", "haproxy.service"),
            ("php8.2-fpm", "php8.2-fpm.service"),
            ("postgresql@16-main", "postgresql@16-main.service"),
            (r"a\x2db", r"a\x2db.service"),
        ] {
            assert_eq!(service(text).as_deref(), Some(name), "{text}");
        }
        for bad in [
            "",
            ".service",
            "sshd.socket",
            "home.automount",
            "getty@.service",
            "@1",
            "a b",
            "a/b",
            "é",
        ] {
            assert_eq!(service(bad), None, "{bad}");
        }
    }
}
