//! Files to lines to words: everything of the language that works on lines, before there are statements.
//!
//! As in keepalived each line is looked at by itself, in this order: a condition (`@ID`), a definition
//! (`$NAME=…`), a generator (`~SEQ`, `~LST`), an `include`; else variables are put in and the line is taken
//! apart. What a variable or a generator brings are lines again, which go the same way. After a brace a line
//! begins anew. (keepalived's manual says that an `include` can have neither condition nor variable; 2.2.7
//! does both, and so does this.)
//!
//! Lines wait on a stack, so nothing recurses; what variables and generators may bring is bounded.

mod conditions;
mod generate;
#[cfg(test)]
mod tests;
mod variables;

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use self::generate::Repeat;
use super::diag::{Diagnostic, Sink};
use super::environment::{Environment, ReadOptions};
use super::include::{self, Required};
use super::lexer::{self, Lexed, Token};
use super::line::Line;
use super::source::{SourceId, Sources, Span};

/// Bytes that variables and generators may bring in all.
const MAX_MADE: usize = 4 << 20;
/// What a line costs beside its bytes.
const LINE_COST: usize = 16;
/// keepalived reads longer lines in pieces of this many bytes.
const KEEPALIVED_LINE: usize = 1_023;

/// What became of a file and all it names.
pub(super) struct Read {
    pub(super) lexed: Lexed,
    /// `{` less `}`.
    pub(super) balance: i64,
    /// Lines left out by their condition that open a block.
    pub(super) left_open: usize,
    /// Bytes gone through and brought, for tests of the bounds.
    #[cfg(test)]
    pub(super) work: usize,
    #[cfg(test)]
    pub(super) made: usize,
}

/// How a line that is left out is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// Alone, as keepalived does.
    Line,
    /// With the block that it opens.
    Block,
}

/// Read a file that is in `sources` already.
pub(super) fn read(
    source: SourceId,
    environment: &dyn Environment,
    options: &ReadOptions,
    left_out: LeftOut,
    sources: &mut Sources,
    sink: &mut Sink,
) -> Read {
    let mut reader = Reader {
        environment,
        config_id: options.config_id.as_deref().unwrap_or(""),
        required: Required::new(options),
        sources,
        sink,
        lexed: Lexed::default(),
        stack: Vec::new(),
        variables: HashMap::new(),
        made: 0,
        repeated: 0,
        left_out,
        left_open: 0,
        work: 0,
    };
    reader.open(source);
    reader.run();
    let balance = reader.lexed.tokens.iter().fold(0, |sum, token| match token {
        Token::Open(_) => sum + 1,
        Token::Close(_) => sum - 1,
        Token::Word(_) | Token::End => sum,
    });
    Read {
        lexed: reader.lexed,
        balance,
        left_open: reader.left_open,
        #[cfg(test)]
        work: reader.work,
        #[cfg(test)]
        made: reader.made,
    }
}

/// What waits to be read; the last of them comes first.
enum Item {
    File(Open),
    Line(Line),
    Repeat(Repeat),
}

/// A file, and how far it is read.
struct Open {
    source: SourceId,
    text: Arc<str>,
    at: usize,
}

struct Reader<'a> {
    environment: &'a dyn Environment,
    config_id: &'a str,
    required: Required,
    sources: &'a mut Sources,
    sink: &'a mut Sink,
    lexed: Lexed,
    stack: Vec<Item>,
    /// The lines of each variable's value, at least one.
    variables: HashMap<Arc<str>, Rc<[Line]>>,
    /// Bytes that variables and generators have brought.
    made: usize,
    /// Repetitions made by generators.
    repeated: usize,
    left_out: LeftOut,
    left_open: usize,
    work: usize,
}

impl Reader<'_> {
    fn open(&mut self, source: SourceId) {
        let text = self.sources.shared(source);
        self.stack.push(Item::File(Open { source, text, at: 0 }));
    }

    fn run(&mut self) {
        while let Some(item) = self.stack.last_mut() {
            let line = match item {
                Item::File(file) => file.next_line(),
                Item::Line(_) => None,
                Item::Repeat(_) => {
                    self.repeat();
                    continue;
                }
            };
            match line {
                Some(line) => {
                    self.note_long(&line);
                    self.line(line);
                }
                None => {
                    if let Some(Item::Line(line)) = self.stack.pop() {
                        self.line(line);
                    }
                }
            }
            if self.lexed.is_full() {
                self.give_up("this makes more than two million words");
            }
        }
        self.lexed.end_line();
    }

    fn line(&mut self, mut line: Line) {
        self.work += line.len() + 1;
        let mut at = 0;
        let (mut expanded, mut conditioned) = (false, false);
        // Looked for once, so that many braces on one long line stay linear.
        let mut last_dollar = line.text().rfind('$');
        while let Some(rest) = line.text().get(at..) {
            let start = at + blanks(rest);
            let rest = line.text().get(start..).unwrap_or("");
            match rest.bytes().next() {
                None => {
                    // Blanks can be worth a remark.
                    lexer::piece(&line, at, self.sources, self.sink, &mut self.lexed);
                    break;
                }
                Some(b'@') if !conditioned => match self.condition(&line, start) {
                    Some(len) => {
                        (at, conditioned) = (start + len, true);
                        continue;
                    }
                    None => break,
                },
                Some(b'$') if self.define(&line, start) => break,
                Some(b'~') if self.generate(&line, start) => break,
                Some(b'i') if self.include(&line, start) => break,
                Some(_) => {}
            }
            if !expanded && last_dollar.is_some_and(|at| at >= start) {
                let generates;
                (line, generates) = self.expand(&line.slice(at..line.len()));
                (at, expanded) = (0, !generates);
                last_dollar = line.text().rfind('$');
                continue;
            }
            at = lexer::piece(&line, at, self.sources, self.sink, &mut self.lexed);
            conditioned = false;
            if at >= line.len() {
                break;
            }
        }
        self.lexed.end_line();
    }

    /// `include…`, or `include_check`, which is a keyword besides. Whether the rest of the line is used up.
    fn include(&mut self, line: &Line, start: usize) -> bool {
        let text = line.text().get(start..).unwrap_or("");
        let head = beginning(text);
        let len = head.find(char::is_whitespace).unwrap_or(head.len());
        let (keyword, rest) = text.split_at_checked(len).unwrap_or((text, ""));
        if keyword == "include_check" {
            let words = rest.get(..lexer::comment_start(rest, false).unwrap_or(rest.len()));
            self.required.check(words.unwrap_or(rest));
            return false;
        }
        let Some(required) = self.required.with(keyword) else {
            return false;
        };
        let mut line = line.clone();
        if rest.contains('$') {
            line = self.expand(&line.slice(start..line.len())).0;
        } else {
            line.skip(start);
        }
        let content = content(line.text().get(len..).unwrap_or(""));
        let pattern = len + content.start..len + content.end;
        // A `}` that is not the pattern's closes the block around.
        let written = line.text().get(pattern.clone()).unwrap_or("");
        let own = own_len(written);
        let pattern = pattern.start..pattern.start + written.get(..own).unwrap_or("").trim_end().len();
        if own < written.len() {
            let after = line.slice(content.start + len + own..len + content.end);
            self.stack.push(Item::Line(after));
        }
        let keyword_span = line.span(0..len, self.sources);
        if pattern.is_empty() {
            self.sink.push(
                Diagnostic::warning("`include` names no file")
                    .at(keyword_span, "")
                    .help("name one"),
            );
            return true;
        }
        let span = line.span(pattern.clone(), self.sources);
        let written = line.text().get(pattern).unwrap_or("").to_owned();
        let unquoted = written
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'))
            .unwrap_or(&written);
        let files = include::open(
            unquoted,
            span,
            required,
            self.environment,
            self.sources,
            self.sink,
        );
        // The first is read first.
        for source in files.into_iter().rev() {
            self.open(source);
        }
        true
    }

    /// The next line as written, if what is being read has one.
    fn next_raw(&mut self) -> Option<Line> {
        let line = match self.stack.last_mut()? {
            Item::File(file) => file.next_line(),
            Item::Line(_) => match self.stack.pop() {
                Some(Item::Line(line)) => Some(line),
                _ => None,
            },
            Item::Repeat(_) => None,
        }?;
        self.work += line.len() + 1;
        Some(line)
    }

    /// Account for text that a variable or a generator brings.
    fn make(&mut self, bytes: usize) -> bool {
        self.made = self.made.saturating_add(bytes).saturating_add(LINE_COST);
        if self.made > MAX_MADE {
            self.give_up("variables and generators make more than 4 MiB of this");
            return false;
        }
        true
    }

    /// Read no further: the file is refused.
    fn give_up(&mut self, why: &str) {
        let place = self.stack.iter().find_map(|item| match item {
            Item::File(file) => Some(file.here()),
            Item::Line(_) | Item::Repeat(_) => None,
        });
        let mut diagnostic = Diagnostic::error(format!("the configuration is too large: {why}"))
            .help("is it a configuration at all?");
        if let Some(place) = place {
            diagnostic = diagnostic.at(place, "read up to about here");
        }
        self.sink
            .push_once("too-large", || diagnostic, place.unwrap_or(Span::START));
        self.stack.clear();
    }

    fn note_long(&mut self, line: &Line) {
        if line.len() > KEEPALIVED_LINE && content(line.text()).end > KEEPALIVED_LINE {
            let span = line.span(KEEPALIVED_LINE..line.len(), self.sources);
            self.sink.push_once(
                "long-line",
                || {
                    Diagnostic::note("a line of more than 1023 bytes")
                        .at(span, "keepalived takes this for another line")
                        .help("break it, if keepalived is to read it too")
                },
                span,
            );
        }
    }
}

impl Open {
    /// The next line, without its end: `\n`, `\r\n`, or the lone `\r` of an old Macintosh.
    fn next_line(&mut self) -> Option<Line> {
        let bytes = self
            .text
            .as_bytes()
            .get(self.at..)
            .filter(|rest| !rest.is_empty())?;
        let len = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let len = len.unwrap_or(bytes.len());
        let ending = if bytes.get(len..).is_some_and(|rest| rest.starts_with(b"\r\n")) {
            2
        } else {
            1
        };
        let range = self.at..self.at + len;
        self.at += len + ending;
        Some(Line::of_file(self.source, Arc::clone(&self.text), range))
    }

    /// The place before the line that is read next.
    fn here(&self) -> Span {
        let at = self.at.min(self.text.len());
        let before = self.text.get(..at).unwrap_or("").trim_end().len();
        let line = Line::of_file(self.source, Arc::clone(&self.text), before..before);
        line.span(0..0, &mut Sources::default())
    }
}

/// The first bytes of a text, enough to see whether it begins with a keyword of the language: looked at for every
/// brace, the rest would be gone through again and again.
fn beginning(text: &str) -> &str {
    const LONGEST: usize = 16;
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or(text)
}

/// Length of the blanks at the start, exotic ones too.
fn blanks(text: &str) -> usize {
    let rest = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    text.len() - rest.len()
}

/// Text without its comment and the blanks around it.
fn content(text: &str) -> std::ops::Range<usize> {
    let end = lexer::comment_start(text, false).unwrap_or(text.len());
    let text = text.get(..end).unwrap_or(text);
    let text = text.trim_end();
    text.len() - text.trim_start().len()..text.len()
}

/// Length of the text up to the first `}` that has no `{`.
fn own_len(text: &str) -> usize {
    let mut depth = 0_usize;
    for (at, c) in text.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return at,
            '}' => depth -= 1,
            _ => {}
        }
    }
    text.len()
}

/// `{` less `}` of a line, and whether it has any, as far as that can be told without knowing its words.
fn braces(text: &str) -> (i64, bool) {
    let mut quoted = false;
    let (mut balance, mut any) = (0, false);
    for c in text
        .get(..lexer::comment_start(text, false).unwrap_or(text.len()))
        .unwrap_or("")
        .chars()
    {
        match c {
            '"' => quoted = !quoted,
            '{' if !quoted => (balance, any) = (balance + 1, true),
            '}' if !quoted => (balance, any) = (balance - 1, true),
            _ => {}
        }
    }
    (balance, any)
}
