//! `~SEQ(var, start[, step], end)`, `~SEQx` (hexadecimal) and `~LST(var, a, b, …)`, `~LST({v, w}, {1, 2}, …)`: what
//! follows is read once for each value.
//!
//! In keepalived that is the rest of the line, which may be a variable of several lines. Ours also repeats the
//! block that the rest of the line opens, and says so.

use std::rc::Rc;
use std::sync::Arc;

use super::super::diag::Diagnostic;
use super::super::line::Line;
use super::super::source::{Cause, CauseId, CauseKind, Span};
use super::variables::name;
use super::{Item, Reader, beginning, blanks, braces, content};

/// Repetitions of a whole configuration, at most.
const MAX_REPEATED: usize = 100_000;

/// Lines that are to be read once for each value that is left.
pub(super) struct Repeat {
    body: Rc<[Line]>,
    names: Vec<Arc<str>>,
    values: Values,
    /// The generator.
    at: Span,
    parent: Option<CauseId>,
}

enum Values {
    Sequence {
        next: i64,
        step: i64,
        left: u64,
        hexadecimal: bool,
    },
    /// For each repetition a value for each name; the last comes first.
    List(Vec<Vec<Line>>),
}

impl Reader<'_> {
    /// A generator at `start`: what it repeats is left to be read next. Whether there is one.
    pub(super) fn generate(&mut self, line: &Line, start: usize) -> bool {
        let text = line.text().get(start..).unwrap_or("");
        let Some(kind @ ("~SEQ" | "~SEQx" | "~LST")) =
            text.get(..beginning(text).find(['(', ' ', '\t']).unwrap_or(text.len()))
        else {
            return false;
        };
        let parsed = self.specification(line, start, kind.len());
        let Some((names, values, end)) = parsed else {
            let span = line.span(start..line.len(), self.sources);
            let shape = if kind == "~LST" {
                "~LST(NAME, VALUE, …), or ~LST({NAME, NAME}, {VALUE, VALUE}, …), without blanks in a value"
            } else {
                "~SEQ(NAME, FIRST, LAST) or ~SEQ(NAME, FIRST, STEP, LAST), with whole numbers and a step that leads to LAST"
            };
            self.sink.push(
                Diagnostic::warning(format!("`{kind}` cannot be read"))
                    .at(span, "the line is left out")
                    .help(format!("write {shape}")),
            );
            return true;
        };
        let at = line.span(start..end, self.sources);
        let body = self.body(line, end, at);
        self.stack.push(Item::Repeat(Repeat {
            body: body.into(),
            names,
            values,
            at,
            parent: line.cause_at(start),
        }));
        true
    }

    /// The next repetition.
    pub(super) fn repeat(&mut self) {
        let Some(Item::Repeat(repeat)) = self.stack.last_mut() else {
            return;
        };
        let Some(values) = repeat.values.next() else {
            self.stack.pop();
            return;
        };
        let (body, names) = (Rc::clone(&repeat.body), repeat.names.clone());
        let (at, parent) = (repeat.at, repeat.parent);
        if self.repeated == MAX_REPEATED {
            self.sink.push_once(
                "repeated",
                || {
                    Diagnostic::error(format!("generators repeat more than {MAX_REPEATED} times in all"))
                        .at(at, "not repeated any further")
                        .help("is that meant? check the first and the last value")
                },
                at,
            );
            self.stack.pop();
            return;
        }
        self.repeated += 1;
        if !self.make(body.iter().map(|line| line.len() + 1).sum()) {
            return;
        }
        let mut shown = String::new();
        for (name, value) in names.iter().zip(values) {
            let separator = if shown.is_empty() { "" } else { ", " };
            shown.push_str(&format!("{separator}`{name}` = `{}`", value.text()));
            self.set(name, value);
        }
        let cause = self.sources.add_cause(Cause {
            name: shown.into(),
            at,
            parent,
            kind: CauseKind::Repeat,
        });
        let lines = body.iter().rev().map(|line| Item::Line(line.caused(cause)));
        self.stack.extend(lines);
    }

    /// What stands between the parentheses, and where they end.
    fn specification(
        &mut self,
        line: &Line,
        start: usize,
        keyword: usize,
    ) -> Option<(Vec<Arc<str>>, Values, usize)> {
        let text = line.text().get(start + keyword..)?;
        let open = blanks(text);
        let inside = text.get(open..)?.strip_prefix('(')?;
        let inside = inside.get(..inside.find(')')?)?;
        let from = start + keyword + open + 1;
        let end = from + inside.len() + 1;
        let inside = line.slice(from..end - 1);
        if line.text().get(start..)?.starts_with("~LST") {
            let (names, values) = list(&inside)?;
            return Some((names, values, end));
        }
        let inside = if inside.text().contains('$') {
            self.expand(&inside).0
        } else {
            inside
        };
        let hexadecimal = line.text().get(start..)?.starts_with("~SEQx");
        let (name, values) = sequence(inside.text(), hexadecimal)?;
        Some((vec![name], values, end))
    }

    /// What is to be repeated: the rest of the line, and the block that it opens.
    fn body(&mut self, line: &Line, end: usize, at: Span) -> Vec<Line> {
        let rest = line.slice(end..line.len());
        let (mut depth, _) = braces(rest.text());
        let mut body = vec![rest];
        if depth <= 0 {
            return body;
        }
        while depth > 0 {
            let Some(next) = self.next_raw() else { break };
            depth += braces(next.text()).0;
            body.push(next);
        }
        self.sink.push(
            Diagnostic::warning("the block of this line is repeated with it")
                .at(at, "")
                .help("keepalived repeats this line alone: put the block into a variable of several lines, and repeat that"),
        );
        // `~SEQ(…) {`: these braces only hold the lines together.
        let opening = body.first().map_or(0, |line| blanks(line.text()));
        let bare = body.first().is_some_and(|line| {
            line.text()
                .get(opening..)
                .is_some_and(|text| text.starts_with('{'))
        });
        let closing = body.last().and_then(|line| {
            let text = line.text().get(..content(line.text()).end)?;
            text.ends_with('}').then(|| text.len() - 1)
        });
        if let (true, Some(closing)) = (bare, closing) {
            if let Some(first) = body.first_mut() {
                first.skip(opening + 1);
            }
            if let Some(last) = body.last_mut() {
                *last = last.slice(0..closing);
            }
        }
        body
    }
}

impl Values {
    fn next(&mut self) -> Option<Vec<Line>> {
        match self {
            Self::Sequence {
                next,
                step,
                left,
                hexadecimal,
            } => {
                *left = left.checked_sub(1)?;
                let text = match (*hexadecimal, *next < 0) {
                    (false, _) => next.to_string(),
                    (true, false) => format!("{next:x}"),
                    (true, true) => format!("-{:x}", next.unsigned_abs()),
                };
                *next = next.saturating_add(*step);
                Some(vec![Line::made(&text)])
            }
            Self::List(left) => left.pop(),
        }
    }
}

/// `NAME, FIRST[, STEP], LAST`.
fn sequence(text: &str, hexadecimal: bool) -> Option<(Arc<str>, Values)> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let (named, first, step, last) = match parts[..] {
        [named, first, last] => (named, first, None, last),
        [named, first, step, last] => (named, first, Some(step), last),
        _ => return None,
    };
    let named = whole_name(named)?;
    let (first, last) = (number(first)?, number(last)?);
    let step = match step {
        Some(step) => number(step)?,
        None if first > last => -1,
        None => 1,
    };
    if step == 0 || (last - first).signum() == -step.signum() {
        return None;
    }
    let left = (last - first).unsigned_abs() / step.unsigned_abs() + 1;
    Some((
        named,
        Values::Sequence {
            next: first,
            step,
            left,
            hexadecimal,
        },
    ))
}

/// `NAME, VALUE, …`, or `{NAME, …}, {VALUE, …}, …`.
fn list(inside: &Line) -> Option<(Vec<Arc<str>>, Values)> {
    let mut items = split(inside);
    let names = items.next()?;
    let names: Vec<Arc<str>> = names
        .iter()
        .map(|name| whole_name(name.text()))
        .collect::<Option<_>>()?;
    let mut values: Vec<Vec<Line>> = Vec::new();
    // One more than are repeated, so that it is told.
    for mut item in items.take(MAX_REPEATED + 1) {
        if item
            .iter()
            .any(|value| value.text().contains(char::is_whitespace))
        {
            return None;
        }
        // What is missing is empty, as in keepalived.
        item.resize_with(names.len(), || Line::made(""));
        values.push(item);
    }
    values.reverse();
    (!values.is_empty()).then_some((names, Values::List(values)))
}

/// The items between commas, each one part or, in braces, several.
fn split(inside: &Line) -> impl Iterator<Item = Vec<Line>> {
    let mut next = Some(0);
    std::iter::from_fn(move || {
        let text = inside.text();
        let start = next?;
        let mut depth = 0_i64;
        let comma = text.get(start..)?.char_indices().find(|(_, c)| {
            depth += i64::from(*c == '{') - i64::from(*c == '}');
            *c == ',' && depth == 0
        });
        let end = comma.map_or(text.len(), |(at, _)| start + at);
        next = comma.map(|_| end + 1);
        let item = trimmed(inside, start, end);
        let tuple = item
            .text()
            .strip_prefix('{')
            .and_then(|text| text.strip_suffix('}'));
        let Some(tuple) = tuple else {
            return Some(vec![item]);
        };
        let mut at = 1;
        let parts = tuple.split(',').map(|part| {
            let from = at;
            at += part.len() + 1;
            trimmed(&item, from, from + part.len())
        });
        Some(parts.collect())
    })
}

fn trimmed(line: &Line, start: usize, end: usize) -> Line {
    let text = line.text().get(start..end).unwrap_or("");
    let from = start + text.len() - text.trim_start().len();
    line.slice(from..from + text.trim().len())
}

fn whole_name(text: &str) -> Option<Arc<str>> {
    name(text).filter(|name| *name == text).map(Arc::from)
}

/// A number as C writes it: `0x1f`, `017`, `-3`.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let value = if let Some(hexadecimal) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        i64::from_str_radix(hexadecimal, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        i64::from_str_radix(digits, 8)
    } else {
        digits.parse()
    };
    // Far beyond anything in use, and far from overflow.
    value
        .ok()
        .filter(|value| (0..=1 << 40).contains(value))
        .map(|value| sign * value)
}
