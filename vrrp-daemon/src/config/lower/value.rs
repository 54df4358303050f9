//! Words to values: whole numbers, seconds, booleans, addresses. Integers throughout.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use vrrp_common::time::Nanos;

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::config::raw::Statement;

impl Lowering<'_> {
    /// The only word of a statement; warns when there is none, or more.
    pub(super) fn one<'s>(&mut self, statement: &'s Statement) -> Option<&'s Word> {
        /// keepalived goes on without a value of these; of all others it ends, with `-t` and without.
        const OPTIONAL: [&str; 4] = ["router_id", "script", "vrrp_late_advert", "vrrp_xdp"];
        let keyword = statement.keyword.name;
        let Some(first) = statement.words.first() else {
            let message = format!("`{keyword}` has no value");
            let (diagnostic, label) = if OPTIONAL.contains(&keyword) {
                (Diagnostic::warning(message), "ignored")
            } else {
                (Diagnostic::error(message), "")
            };
            let help = format!("give one: {}", statement.keyword.doc);
            self.sink.push(diagnostic.at(statement.span, label).help(help));
            return None;
        };
        self.no_more(statement, 1);
        Some(first)
    }

    /// Warn about words beyond the `count`th.
    pub(super) fn no_more(&mut self, statement: &Statement, count: usize) {
        if let (Some(extra), Some(last)) = (statement.words.get(count), statement.words.last()) {
            self.sink.push(
                Diagnostic::warning(format!("too many words after `{}`", statement.keyword.name))
                    .remark(Remark::None)
                    .at(extra.span.to(last.span), "ignored")
                    .help("one keyword a line; quote a value that has blanks"),
            );
        }
    }

    /// `on|off|true|false|yes|no`, nothing for `on`.
    pub(super) fn boolean(&mut self, statement: &Statement) -> Option<bool> {
        if statement.words.is_empty() {
            return Some(true);
        }
        let word = self.one(statement)?;
        // keepalived takes capitals too.
        match word.text.to_ascii_lowercase().as_str() {
            "on" | "true" | "yes" => Some(true),
            "off" | "false" | "no" => Some(false),
            _ => {
                let keyword = statement.keyword.name;
                self.sink.push(
                    Diagnostic::warning(format!("`{keyword}` takes on or off, not `{}`", word.text))
                        .at(word.span, "ignored")
                        .help("write on or off"),
                );
                None
            }
        }
    }

    /// A whole number of this range; `otherwise` says what is used instead.
    pub(super) fn number(
        &mut self,
        statement: &Statement,
        range: RangeInclusive<i64>,
        otherwise: &str,
    ) -> Option<i64> {
        let word = self.one(statement)?;
        let value = whole(&word.text).filter(|value| range.contains(value));
        if value.is_none() {
            self.out_of_range(
                statement,
                word,
                &format!("a whole number from {} to {}", range.start(), range.end()),
                otherwise,
            );
        }
        value
    }

    /// A whole number that fits a byte.
    pub(super) fn byte(
        &mut self,
        statement: &Statement,
        range: RangeInclusive<u8>,
        otherwise: &str,
    ) -> Option<u8> {
        let range = i64::from(*range.start())..=i64::from(*range.end());
        self.number(statement, range, otherwise)
            .and_then(|value| u8::try_from(value).ok())
    }

    /// Seconds with decimals, of this range.
    pub(super) fn seconds(
        &mut self,
        statement: &Statement,
        range: RangeInclusive<Nanos>,
        otherwise: &str,
    ) -> Option<Nanos> {
        let word = self.one(statement)?;
        let value = seconds(&word.text).filter(|value| range.contains(value));
        if value.is_none() {
            let wanted = format!(
                "seconds from {} to {}",
                in_seconds(*range.start()),
                in_seconds(*range.end())
            );
            self.out_of_range(statement, word, &wanted, otherwise);
        }
        value
    }

    /// An IP address, without a mask.
    pub(super) fn address(&mut self, statement: &Statement) -> Option<IpAddr> {
        let word = self.one(statement)?;
        let address = word.text.parse().ok();
        if address.is_none() {
            self.sink.push(
                Diagnostic::warning(format!("`{}` is not an IP address", word.text))
                    .at(word.span, "ignored")
                    .help(format!(
                        "`{}` takes one address, without a mask",
                        statement.keyword.name
                    )),
            );
        }
        address
    }

    pub(super) fn out_of_range(&mut self, statement: &Statement, word: &Word, wanted: &str, otherwise: &str) {
        let keyword = statement.keyword.name;
        self.sink.push(
            Diagnostic::warning(format!(
                "`{keyword}` takes {wanted}, not `{}`; {otherwise}",
                word.text
            ))
            .at(word.span, "")
            .help(format!("give {wanted}")),
        );
    }
}

/// A whole number with an optional sign.
pub(super) fn whole(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// Decimal seconds, to the nanosecond; more decimals are cut off. `None` for anything else, and beyond 584
/// years.
pub(super) fn seconds(text: &str) -> Option<Nanos> {
    const PLACES: usize = 9;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(whole) || !digits(fraction) || (whole.is_empty() && fraction.is_empty()) {
        return None;
    }
    let whole: u64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let nanos: u64 = format!("{:0<PLACES$}", fraction.get(..PLACES).unwrap_or(fraction))
        .parse()
        .ok()?;
    whole.checked_mul(1_000_000_000)?.checked_add(nanos).map(Nanos)
}

/// Seconds as a person writes them: no decimals that are not needed.
pub(in crate::config) fn in_seconds(span: Nanos) -> String {
    let whole = span.0 / 1_000_000_000;
    let fraction = format!("{:09}", span.0 % 1_000_000_000);
    match fraction.trim_end_matches('0') {
        "" => whole.to_string(),
        fraction => format!("{whole}.{fraction}"),
    }
}
