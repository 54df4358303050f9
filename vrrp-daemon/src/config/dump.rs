//! A configuration as it was understood (`-d`), in its own language: one file without variables, conditions and
//! includes, without what has no effect here and without the load balancer, and with what there was to remark beside
//! the line it is about. Read again it means the same.

use std::fmt::{self, Write as _};

use vrrp_common::time::Nanos;
use vrrp_common::timers::master_down;

use super::diag::{Diagnostic, Severity};
use super::keywords::{Key, RootKey, Shape, Status};
use super::lexer::Word;
use super::raw::{Body, Statement, Tree, is_secret};
use super::source::Span;
use super::{Config, Loaded};
use crate::proto::model::{Transport, VirtualRouter};

/// Whether passwords stand in a dump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passwords {
    /// As asterisks: for a log.
    Hidden,
    /// As they are: then the dump can be read again.
    Shown,
}

/// What was understood, to be shown.
#[derive(Clone, Debug, Default)]
pub struct Understood(Tree);

impl Understood {
    pub(super) const fn new(tree: Tree) -> Self {
        Self(tree)
    }
}

impl Loaded {
    /// What was read, as it was understood.
    #[must_use]
    pub fn dump(&self, passwords: Passwords) -> String {
        let mut dump = Dump {
            loaded: self,
            passwords,
            text: String::new(),
        };
        for statement in &self.understood.0.statements {
            // Writing to a string cannot fail.
            let _infallible = dump.statement(statement, 0);
        }
        dump.text
    }
}

struct Dump<'l> {
    loaded: &'l Loaded,
    passwords: Passwords,
    text: String,
}

impl Dump<'_> {
    fn statement(&mut self, statement: &Statement, depth: usize) -> fmt::Result {
        let last = statement.words.last().map_or(statement.span, |word| word.span);
        self.remarks(statement.span.to(last), depth)?;
        self.indent(depth);
        self.text.push_str(statement.keyword.name);
        if self.passwords == Passwords::Hidden && is_secret(statement.keyword.name) {
            self.text.push_str(" ********");
        } else if statement.keyword.shape == Shape::Command {
            write!(self.text, " {}", uncommented(&statement.command))?;
        } else {
            self.words(&statement.words, true);
        }
        match &statement.body {
            Body::None => self.text.push('\n'),
            Body::Statements(inner) => {
                self.text.push_str(" {\n");
                self.facts(statement, depth + 1)?;
                for statement in inner {
                    self.statement(statement, depth + 1)?;
                }
                self.close(depth);
            }
            Body::Entries(lines) => {
                self.text.push_str(" {\n");
                for words in lines {
                    if let (Some(first), Some(last)) = (words.first(), words.last()) {
                        self.remarks(first.span.to(last.span), depth + 1)?;
                    }
                    self.indent(depth + 1);
                    self.words(words, false);
                    self.text.push('\n');
                }
                self.close(depth);
            }
        }
        Ok(())
    }

    fn close(&mut self, depth: usize) {
        self.indent(depth);
        self.text.push_str("}\n");
        if depth == 0 {
            self.text.push('\n');
        }
    }

    fn words(&mut self, words: &[Word], after_keyword: bool) {
        for (at, word) in words.iter().enumerate() {
            if at > 0 || after_keyword {
                self.text.push(' ');
            }
            if needs_quotes(&word.text) {
                self.text.push('"');
                self.text.push_str(&word.text);
                self.text.push('"');
            } else {
                self.text.push_str(&word.text);
            }
        }
    }

    /// What there was to remark about this place.
    fn remarks(&mut self, at: Span, depth: usize) -> fmt::Result {
        let about = |span: Span| span.source == at.source && at.start <= span.start && span.start <= at.end;
        let found = self.loaded.diagnostics.iter().filter(|diagnostic| {
            let place = diagnostic.place.iter().map(|(span, _)| *span);
            place.chain(diagnostic.also.iter().copied()).any(about)
        });
        let lines: Vec<String> = found.map(remark).collect();
        for line in lines {
            self.indent(depth);
            writeln!(self.text, "# {line}")?;
        }
        Ok(())
    }

    /// What follows from all of a `vrrp_instance` together.
    fn facts(&mut self, statement: &Statement, depth: usize) -> fmt::Result {
        if statement.keyword.status != Status::Works(Key::Root(RootKey::Instance)) {
            return Ok(());
        }
        let (Some(config), Some(name)) = (&self.loaded.config, statement.words.first()) else {
            return Ok(());
        };
        let Some(router) = config
            .model
            .routers
            .iter()
            .find(|router| router.name == name.text)
        else {
            return Ok(());
        };
        let facts = facts(config, router);
        self.indent(depth);
        writeln!(self.text, "# {facts}")
    }

    fn indent(&mut self, depth: usize) {
        for _ in 0..depth {
            self.text.push_str("    ");
        }
    }
}

/// `IPv4 by multicast, version 2, priority 150, VRID 51 on eth0; the Master is dead after 3.414062 s of silence`
fn facts(config: &Config, router: &VirtualRouter) -> String {
    let link = config.model.links.get(router.link.index());
    let how = match router.transport {
        Transport::Multicast { .. } => "multicast",
        Transport::Unicast { .. } => "unicast",
    };
    let silence = master_down(
        router.version,
        router.priority,
        router.interval,
        router.down_adverts,
    );
    let micros = Nanos(silence.0 / 1_000 * 1_000);
    format!(
        "{} by {how}, version {}, priority {}, VRID {} on {}; the Master is dead after {} s of silence",
        router.family,
        router.version,
        router.priority.0,
        router.vrid,
        link.map_or("?", String::as_str),
        super::lower::in_seconds(micros),
    )
}

fn remark(diagnostic: &Diagnostic) -> String {
    let severity = match diagnostic.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{severity}: {}", diagnostic.message)
}

/// Whether a word would not come back as it is without quotes.
fn needs_quotes(word: &str) -> bool {
    word.is_empty() || word.contains(|c: char| c.is_whitespace() || matches!(c, '#' | '!' | '{' | '}'))
}

/// A command with a backslash before what would begin a comment: a variable may have brought it.
fn uncommented(command: &str) -> String {
    let mut out = String::with_capacity(command.len());
    let mut quote = None;
    let mut escaped = false;
    for c in command.chars() {
        match (quote, c) {
            _ if escaped => {}
            (Some(open), _) if open == c => quote = None,
            (None, '"' | '\'') => quote = Some(c),
            (None, '#' | '!') => out.push('\\'),
            _ => {}
        }
        escaped = !escaped && c == '\\' && quote != Some('\'');
        out.push(c);
    }
    out
}
