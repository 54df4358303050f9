//! `$NAME=VALUE`, `$NAME`, `${NAME}`, and the predefined `${_PWD}`, `${_INSTANCE}`, `${_RANDOM [MIN [MAX]]}`,
//! `${_ENV NAME}`, `${_HASH}`, `${_BANG}`.
//!
//! A value is put in where it is used, as text, and read again: what it names is looked up then. The lines of
//! a value of several lines are read one after the other, as if they stood there. (2.2.7 has no `_ENV`, reads
//! the `#` of `_HASH` as the start of a comment, and hangs over a variable that refers to itself.)

use std::rc::Rc;
use std::sync::Arc;

use super::super::diag::Diagnostic;
use super::super::keywords::takes_command;
use super::super::lexer::comment_start;
use super::super::line::{Builder, Line};
use super::super::raw::is_secret;
use super::super::source::{Cause, CauseId, CauseKind, decoded, stand_in};
use super::conditions::continues;
use super::{Item, Reader, content};

/// Variables in each other's values, at most.
const MAX_DEPTH: usize = 64;

/// Bytes of `${…}`, at most.
const LONGEST_USE: usize = 256;

/// A use, as written.
struct Use<'t> {
    name: &'t str,
    arguments: &'t str,
    len: usize,
}

impl Reader<'_> {
    /// A definition at `start`, and the lines that go on with it. Whether there is one.
    pub(super) fn define(&mut self, line: &Line, start: usize) -> bool {
        let Some((name, value)) = definition(line.text().get(start..).unwrap_or("")) else {
            return false;
        };
        let name: Arc<str> = name.into();
        let mut lines = Vec::new();
        let mut next = Some(line.slice(start + value..line.len()));
        while let Some(part) = next {
            let continued = continues(part.text());
            let range = content(part.text());
            let text = part.text().get(range.clone()).unwrap_or("");
            let end = text.trim_end_matches('\\').trim_end().len();
            let end = if continued { range.start + end } else { range.end };
            let value = part.slice(range.start..end);
            if is_secret(&name.to_ascii_lowercase()) {
                let span = value.span(0..value.len(), self.sources);
                self.sources.hide_line_from(span);
            }
            lines.push(value);
            next = if continued { self.next_raw() } else { None };
        }
        self.variables.insert(name, lines.into());
        true
    }

    pub(super) fn set(&mut self, name: &Arc<str>, value: Line) {
        self.variables.insert(Arc::clone(name), Rc::new([value]));
    }

    /// A line with all its variables put in; lines that a value brings besides are left to be read next. If a value
    /// makes it a generator's line: with this one put in, and whether that is so.
    pub(super) fn expand(&mut self, line: &Line) -> (Line, bool) {
        let first = line.text().split_whitespace().next().unwrap_or("");
        let command = takes_command(first);
        let end = comment_start(line.text(), command).unwrap_or(line.len());
        let mut out = Builder::default();
        // The text to go through; the last comes first.
        let mut rest = vec![line.slice(0..end)];
        let mut after: Vec<Line> = Vec::new();
        let mut generates = false;
        while let Some(top) = rest.last_mut() {
            let text = top.text();
            self.work += 1;
            let Some(at) = text.find('$') else {
                out.push(top);
                rest.pop();
                continue;
            };
            out.push(&top.slice(0..at));
            top.skip(at);
            let piece = top.clone();
            let below = rest
                .iter()
                .rev()
                .skip(1)
                .find_map(|line| line.text().chars().next());
            let Some(found) = usage(piece.text(), below) else {
                out.push(&piece.slice(0..1));
                skip(&mut rest, 1);
                continue;
            };
            let written = piece.slice(0..found.len);
            skip(&mut rest, found.len);
            let Some((value, cause)) = self.value(&written, &found, command) else {
                out.push(&written);
                continue;
            };
            let Some((first, others)) = value.split_first() else {
                continue;
            };
            if !self.make(value.iter().map(Line::len).sum()) {
                break;
            }
            if let Some((last, middle)) = others.split_last() {
                let mut tail = Builder::default();
                tail.push(&last.caused(cause));
                for piece in rest.drain(..).rev() {
                    tail.push(&piece);
                }
                let tail = tail.finish();
                if !self.make(tail.len()) {
                    break;
                }
                after.push(tail);
                after.extend(middle.iter().rev().map(|line| line.caused(cause)));
            }
            rest.push(first.caused(cause));
            if first.text().starts_with('~') && out.is_blank() {
                for piece in rest.drain(..).rev() {
                    out.push(&piece);
                }
                generates = true;
            }
        }
        self.stack.extend(after.into_iter().map(Item::Line));
        (out.finish(), generates)
    }

    /// The value of a use, and the use as the cause of what it brings.
    fn value(&mut self, written: &Line, found: &Use<'_>, command: bool) -> Option<(Rc<[Line]>, CauseId)> {
        let parent = written.cause_at(0);
        let known = self.variables.get(found.name).cloned();
        let value = match known.or_else(|| self.predefined(written, found)) {
            Some(value) => value,
            None => {
                self.undefined(written, found, command);
                return None;
            }
        };
        if self.refers_to_itself(found.name, parent) {
            let span = written.span(0..written.len(), self.sources);
            let name = found.name;
            self.sink.push_once(
                "recursive",
                || {
                    Diagnostic::error(format!(
                        "the value of `${name}` comes back to `${name}`, or names too many others"
                    ))
                    .at(span, "never ends")
                    .help("a value is put in where it is used, not where it is defined: use another name")
                },
                span,
            );
            return None;
        }
        let at = written.span(0..written.len(), self.sources);
        let cause = self.sources.add_cause(Cause {
            name: found.name.into(),
            at,
            parent,
            kind: CauseKind::Value,
        });
        Some((value, cause))
    }

    fn refers_to_itself(&self, name: &str, mut cause: Option<CauseId>) -> bool {
        for _ in 0..MAX_DEPTH {
            let Some(known) = cause.and_then(|cause| self.sources.cause(cause)) else {
                return false;
            };
            if known.kind == CauseKind::Value && *known.name == *name {
                return true;
            }
            cause = known.parent;
        }
        true
    }

    fn predefined(&mut self, written: &Line, found: &Use<'_>) -> Option<Rc<[Line]>> {
        let mut arguments = found.arguments.split_whitespace();
        let text = match found.name {
            "_PWD" => {
                let span = written.span(0..1, self.sources);
                self.environment
                    .directory_of(self.sources.name(span.source).as_ref())
            }
            "_INSTANCE" => self.config_id.to_owned(),
            "_RANDOM" => {
                let mut bound = |otherwise| {
                    let given = arguments.next().and_then(|given| given.parse::<u32>().ok());
                    given.unwrap_or(otherwise)
                };
                let (min, max) = (bound(0), bound(32_767));
                let choices = u64::from(max.saturating_sub(min)) + 1;
                (u64::from(min) + self.environment.random() % choices).to_string()
            }
            "_ENV" => {
                let value = self.environment.variable(arguments.next()?)?;
                // A variable of the environment is one line of plain text.
                let value = value
                    .split(|byte| matches!(byte, b'\n' | b'\r'))
                    .next()
                    .unwrap_or(b"")
                    .to_owned();
                decoded(&value)
            }
            "_HASH" => stand_in(b'#').to_string(),
            "_BANG" => stand_in(b'!').to_string(),
            _ => return None,
        };
        Some(Rc::new([Line::made(&text)]))
    }

    fn undefined(&mut self, written: &Line, found: &Use<'_>, command: bool) {
        let braces = written.text().starts_with("${");
        // A command may mean a variable of its shell.
        if command && !braces {
            return;
        }
        let span = written.span(0..written.len(), self.sources);
        let name = found.name;
        self.sink.push_once(
            if braces { "undefined-braces" } else { "undefined" },
            || {
                let message = format!("`${name}` is not defined");
                // keepalived takes the `{` for a block's.
                let diagnostic = if braces {
                    Diagnostic::warning(message)
                } else {
                    Diagnostic::note(message)
                };
                diagnostic
                    .at(span, "stays as it is written")
                    .help(format!("define it before this line: `${name}=VALUE`"))
            },
            span,
        );
    }
}

fn skip(rest: &mut [Line], len: usize) {
    if let Some(top) = rest.last_mut() {
        top.skip(len);
    }
}

/// `$NAME=`: the name, and where the value begins.
pub(super) fn definition(text: &str) -> Option<(&str, usize)> {
    let name = name(text.strip_prefix('$')?)?;
    let value = 1 + name.len() + 1;
    (text.as_bytes().get(value - 1) == Some(&b'=')).then_some((name, value))
}

/// A use at the start of `text`, which begins with `$`; `below` is the character after the text.
/// `$NAME` counts only before a blank, `,`, `)` and the end of the line.
fn usage(text: &str, below: Option<char>) -> Option<Use<'_>> {
    let after = text.strip_prefix('$')?;
    if let Some(inside) = after.strip_prefix('{') {
        let close = inside.bytes().take(LONGEST_USE).position(|byte| byte == b'}');
        let inside = inside.get(..close?)?;
        let name = name(inside)?;
        let arguments = inside.get(name.len()..)?;
        let alone = arguments.is_empty() || (name.starts_with('_') && arguments.starts_with([' ', '\t']));
        return alone.then_some(Use {
            name,
            arguments,
            len: inside.len() + 3,
        });
    }
    let name = name(after)?;
    let next = after.get(name.len()..)?.chars().next().or(below);
    let ends = next.is_none_or(|c| c.is_whitespace() || matches!(c, ',' | ')'));
    ends.then_some(Use {
        name,
        arguments: "",
        len: 1 + name.len(),
    })
}

/// A name at the start of `text`: letters, digits and `_`, no digit first.
pub(super) fn name(text: &str) -> Option<&str> {
    let len = text
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    let name = text.get(..len).filter(|name| !name.is_empty())?;
    (!name.starts_with(|c: char| c.is_ascii_digit())).then_some(name)
}
