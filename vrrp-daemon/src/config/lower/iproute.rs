//! What routes, rules and addresses share: numbers, prefixes, and the words of an entry.

use std::net::IpAddr;
use std::slice;

use vrrp_common::id::Family;

use super::Lowering;
use super::names::Names;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::lexer::Word;
use crate::proto::model::Prefix;

/// The words of an entry that are still to be read.
pub(super) type Words<'w> = slice::Iter<'w, Word>;

/// A number, decimal or `0x…`.
pub(super) fn number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// `default`, `any`, `all`, or `ADDRESS[/LENGTH]`. The first three need a family.
pub(super) fn prefix(text: &str, family: Option<Family>) -> Option<Prefix> {
    if matches!(text, "default" | "any" | "all") {
        return Some(everywhere(family.unwrap_or(Family::V4)));
    }
    let (address, length) = match text.split_once('/') {
        Some((address, length)) => (address, Some(length)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let length = match length {
        None => longest,
        Some(length) => length.parse().ok().filter(|length| *length <= longest)?,
    };
    Some(Prefix { address, length })
}

/// All addresses of a family.
pub(super) fn everywhere(family: Family) -> Prefix {
    use std::net::{Ipv4Addr, Ipv6Addr};
    Prefix {
        address: match family {
            Family::V4 => Ipv4Addr::UNSPECIFIED.into(),
            Family::V6 => Ipv6Addr::UNSPECIFIED.into(),
        },
        length: 0,
    }
}

/// `FROM-TO`, or one number.
pub(super) fn range<N: std::str::FromStr + Copy + PartialOrd>(text: &str) -> Option<(N, N)> {
    let (from, to) = match text.split_once('-') {
        Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
        None => {
            let one = text.parse().ok()?;
            (one, one)
        }
    };
    (from <= to).then_some((from, to))
}

/// Milliseconds of `N`, `Nms`, `Ns` (decimals allowed with `s`), and whether a unit was given.
pub(super) fn milliseconds(text: &str) -> Option<(u32, bool)> {
    if let Some(number) = text.strip_suffix("ms") {
        return Some((number.parse().ok()?, true));
    }
    if let Some(seconds) = text.strip_suffix('s') {
        let nanos = super::value::seconds(seconds)?;
        return Some((u32::try_from(nanos.0 / 1_000_000).ok()?, true));
    }
    Some((text.parse().ok()?, false))
}

/// What becomes of an entry when one of its words does not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The option is ignored.
    Kept,
    /// It is left out whole: half a route leads elsewhere.
    LeftOut,
}

impl Fate {
    const fn label(self) -> &'static str {
        match self {
            Self::Kept => "ignored",
            Self::LeftOut => "the whole line is left out",
        }
    }
}

/// Something about this entry cannot be had; it was said.
pub(super) struct Unusable;

impl Lowering<'_> {
    /// A number by name or as it is.
    pub(super) fn named(&mut self, names: Names, word: &Word, fate: Fate) -> Option<u32> {
        let number = self.names.number(names, &word.text, self.environment);
        if number.is_none() {
            let wanted = format!("a number, or a name from /etc/iproute2/{}", names.file());
            self.unfit(word, &wanted, fate);
        }
        number
    }

    /// The same where it must fit a byte.
    pub(super) fn named_byte(&mut self, names: Names, word: &Word, fate: Fate) -> Option<u8> {
        let number = self.named(names, word, fate)?;
        let byte = u8::try_from(number).ok();
        if byte.is_none() {
            self.unfit(word, "a number from 0 to 255, or its name", fate);
        }
        byte
    }

    /// The value of an option, parsed.
    pub(super) fn parsed<'w, T>(
        &mut self,
        option: &Word,
        words: &mut Words<'w>,
        wanted: &str,
        fate: Fate,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let word = self.value_of(option, words, fate)?;
        let value = parse(&word.text);
        if value.is_none() {
            self.unfit(word, wanted, fate);
        }
        value
    }

    /// The word after an option.
    pub(super) fn value_of<'w>(
        &mut self,
        option: &Word,
        words: &mut Words<'w>,
        fate: Fate,
    ) -> Option<&'w Word> {
        let value = words.next();
        if value.is_none() {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has no value", option.text))
                    .at(option.span, fate.label())
                    .help("give it, or remove the option"),
            );
        }
        value
    }

    pub(super) fn unfit(&mut self, word: &Word, wanted: &str, fate: Fate) {
        self.sink.push(
            Diagnostic::warning(format!("`{}` does not fit here", word.text))
                .at(word.span, fate.label())
                .help(format!("this option takes {wanted}")),
        );
    }

    /// A value without which the line is left out.
    pub(super) fn required<'w, T>(
        &mut self,
        option: &Word,
        words: &mut Words<'w>,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<T, Unusable> {
        self.parsed(option, words, wanted, Fate::LeftOut, parse)
            .ok_or(Unusable)
    }

    pub(super) fn required_word<'w>(
        &mut self,
        option: &Word,
        words: &mut Words<'w>,
    ) -> Result<&'w Word, Unusable> {
        self.value_of(option, words, Fate::LeftOut).ok_or(Unusable)
    }

    /// A number by its name that is at most `most`.
    pub(super) fn required_byte(
        &mut self,
        names: Names,
        option: &Word,
        words: &mut Words<'_>,
    ) -> Result<u8, Unusable> {
        let word = self.required_word(option, words)?;
        self.named_byte(names, word, Fate::LeftOut).ok_or(Unusable)
    }

    pub(super) fn required_number(
        &mut self,
        names: Names,
        option: &Word,
        words: &mut Words<'_>,
    ) -> Result<u32, Unusable> {
        let word = self.required_word(option, words)?;
        self.named(names, word, Fate::LeftOut).ok_or(Unusable)
    }

    /// `ADDRESS[/LENGTH]`
    pub(super) fn required_prefix(
        &mut self,
        option: &Word,
        words: &mut Words<'_>,
        family: Option<Family>,
    ) -> Result<Prefix, Unusable> {
        self.required(option, words, "ADDRESS[/LENGTH]", |text| prefix(text, family))
    }

    /// `FROM/TO` or `TO`, in one number.
    pub(super) fn realms(&mut self, option: &Word, words: &mut Words<'_>) -> Result<u32, Unusable> {
        let word = self.required_word(option, words)?;
        let (from, to) = word.text.split_once('/').unwrap_or(("0", &word.text));
        let mut half = |text: &str| {
            let number = self.names.number(Names::Realms, text, self.environment);
            number.and_then(|number| u16::try_from(number).ok())
        };
        let Some((from, to)) = half(from).zip(half(to)) else {
            let wanted = "[FROM/]TO, numbers to 65535 or names from /etc/iproute2/rt_realms";
            self.unfit(word, wanted, Fate::LeftOut);
            return Err(Unusable);
        };
        Ok(u32::from(from) << 16 | u32::from(to))
    }

    /// Say why an entry is left out.
    pub(super) fn left_out(&mut self, what: &str, word: &Word, why: &str, remark: Remark) -> Unusable {
        self.sink.push(
            Diagnostic::warning(format!("{why}: this {what} is left out"))
                .remark(remark)
                .at(word.span, "")
                .help("correct it; the others are not affected"),
        );
        Unusable
    }
}
