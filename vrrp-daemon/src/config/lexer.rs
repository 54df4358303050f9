//! Text to words, braces and line ends, with positions.
//!
//! keepalived's rules: `!` and `#` begin a comment anywhere outside double quotes unless a backslash stands
//! before them; `{` and `}` are words of their own; only `"` quotes. Scripts follow other quoting rules,
//! which [`split_command`] applies to the statement's [`Lexed::clean`] text.
//!
//! Text that came through a web page or a word processor is repaired, each kind with one warning:
//! typographic quotes, exotic spaces, full-width forms, a byte order mark.

use std::ops::Range;

use super::diag::{Diagnostic, Sink};
use super::source::{SourceId, Sources, Span, offset};

/// A word, or what stood in one pair of quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The text without quotes and escapes.
    pub(super) text: String,
    /// Where it stands, quotes included.
    pub(super) span: Span,
    /// Its place in [`Lexed::clean`].
    pub(super) clean: Range<usize>,
}

/// One token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word.
    Word(Word),
    /// `{`
    Open(Span),
    /// `}`
    Close(Span),
    /// The end of a line with something on it.
    End,
}

/// The tokens of one file.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexed {
    /// The tokens; a line's last is [`Token::End`].
    pub(super) tokens: Vec<Token>,
    /// The text without comments and with all repairs made, for [`split_command`].
    pub(super) clean: String,
}

/// Take a file apart. Never fails: what cannot be understood is kept as a word and reported.
pub(super) fn lex(sources: &Sources, source: SourceId, sink: &mut Sink) -> Lexed {
    let text = sources.text(source);
    let mut lexer = Lexer {
        sources,
        source,
        text,
        next: 0,
        sink,
        out: Lexed::default(),
        line: Line::default(),
    };
    lexer.run();
    lexer.out
}

/// Split a command as a shell would, without expanding anything: blanks separate, `'…'` and `"…"` keep
/// together, `\` takes the next character as it is (within `'…'` it does not). Linear, never fails: a quote
/// that is not closed runs to the end.
#[must_use]
pub(super) fn split_command(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (Some('\''), _) => word.get_or_insert_default().push(c),
            (_, '\\') => {
                let word = word.get_or_insert_default();
                // A backslash at the very end stands for itself.
                word.push(chars.next().unwrap_or('\\'));
            }
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, _) if c.is_ascii_whitespace() => words.extend(word.take()),
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

struct Lexer<'a> {
    sources: &'a Sources,
    source: SourceId,
    text: &'a str,
    /// Offset of the next character.
    next: usize,
    sink: &'a mut Sink,
    out: Lexed,
    /// Where the current line ends and its last `"` stands, once something asked for it.
    line: Line,
}

#[derive(Clone, Copy, Default)]
struct Line {
    end: usize,
    last_quote: usize,
}

/// What a character means outside quotes, after repair.
#[derive(Clone, Copy)]
enum Meaning {
    Blank,
    Nothing,
    Newline,
    Comment,
    Open,
    Close,
    Quote,
    Char(char),
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        while let Some((at, c)) = self.peek() {
            match self.meaning(at, c) {
                Meaning::Newline => {
                    self.step();
                    self.end_line();
                }
                Meaning::Blank => {
                    self.step();
                    self.out.clean.push(' ');
                }
                Meaning::Nothing => self.step(),
                Meaning::Comment => self.skip_comment(),
                Meaning::Open if self.names_files() => self.word(at),
                Meaning::Open => {
                    self.step();
                    self.out.tokens.push(Token::Open(self.span(at, self.next)));
                }
                Meaning::Close => {
                    self.step();
                    self.out.tokens.push(Token::Close(self.span(at, self.next)));
                }
                Meaning::Quote | Meaning::Char(_) => self.word(at),
            }
        }
        self.end_line();
    }

    /// After `include`, braces belong to the pattern.
    fn names_files(&self) -> bool {
        let mut last = self.out.tokens.iter().rev();
        matches!(last.next(), Some(Token::Word(word)) if word.text.starts_with("include"))
            && !matches!(last.next(), Some(Token::Word(_)))
    }

    fn word(&mut self, start: usize) {
        let names_files = self.names_files();
        let clean = self.out.clean.len();
        let mut text = String::new();
        let mut end = start;
        while let Some((at, c)) = self.peek() {
            match self.meaning(at, c) {
                Meaning::Char('\\') => {
                    self.step();
                    self.out.clean.push('\\');
                    if let Some((_, escaped @ ('#' | '!'))) = self.peek() {
                        self.step();
                        self.out.clean.push(escaped);
                        text.push(escaped);
                    } else {
                        text.push('\\');
                    }
                }
                Meaning::Char('$') => {
                    self.step();
                    self.take(&mut text, '$');
                    // `${NAME}`: these braces belong to the word.
                    if matches!(self.peek(), Some((_, '{'))) {
                        self.variable(&mut text);
                    }
                }
                Meaning::Char(c) => {
                    self.step();
                    self.take(&mut text, c);
                }
                Meaning::Open | Meaning::Close if names_files => {
                    self.step();
                    self.take(&mut text, c);
                }
                Meaning::Quote => self.quoted(at, c, &mut text),
                Meaning::Nothing => self.step(),
                Meaning::Comment => {
                    self.warn_comment_in_word(start, at);
                    break;
                }
                Meaning::Blank | Meaning::Newline | Meaning::Open | Meaning::Close => break,
            }
            end = self.next;
        }
        let span = self.span(start, end);
        let clean = clean..self.out.clean.len();
        self.out.tokens.push(Token::Word(Word { text, span, clean }));
    }

    /// From `{` to `}` on the same line, if there is one.
    fn variable(&mut self, text: &mut String) {
        const LONGEST: usize = 128;
        let start = self.next;
        let rest = self.text.get(start..).unwrap_or("");
        let Some(len) = rest
            .bytes()
            .take(LONGEST)
            .take_while(|b| *b != b'\n')
            .position(|b| b == b'}')
        else {
            return;
        };
        let end = start + len;
        while let Some((at, c)) = self.peek() {
            if at > end {
                break;
            }
            self.step();
            self.take(text, c);
        }
    }

    /// A quoted piece, from the opening quote to the closing one on the same line.
    fn quoted(&mut self, start: usize, opening: char, text: &mut String) {
        self.step();
        let typographic = opening != '"';
        let inner = self.next;
        let line = self.line(inner);
        let rest = self.text.get(inner..line.end).unwrap_or("");
        let close = if typographic {
            rest.find(is_double_quote)
        } else {
            closing_quote(rest, line.last_quote.wrapping_sub(inner)).or_else(|| rest.find(is_double_quote))
        };
        let end = match close {
            Some(len) => inner + len,
            None => {
                self.sink.push(
                    Diagnostic::warning("a quote is not closed on its line")
                        .at(self.span(start, inner), "opened here")
                        .help("close it; until then the string is taken to end with the line")
                        .fix(self.span(line.end, line.end), "\""),
                );
                inner + rest.trim_end().len()
            }
        };
        self.out.clean.push('"');
        while let Some((at, c)) = self.peek() {
            if at >= end {
                break;
            }
            self.step();
            self.warn_if_invalid(at, c);
            self.take(text, c);
        }
        self.out.clean.push('"');
        if let (Some(_), Some((at, closing))) = (close, self.peek()) {
            self.step();
            if typographic || closing != '"' {
                let span = self.span(start, self.next);
                let fixed = format!("\"{}\"", self.text.get(inner..at).unwrap_or(""));
                self.sink.push_once(
                    "typographic-quotes",
                    || {
                        Diagnostic::warning("typographic quotes, read as plain ones")
                            .at(span, "")
                            .help("write plain quotes; text from a web page or a word processor has these")
                            .fix(span, fixed)
                    },
                    span,
                );
            }
        }
    }

    /// What a character outside quotes stands for; warns about those that had to be repaired.
    fn meaning(&mut self, at: usize, c: char) -> Meaning {
        match c {
            '\n' => Meaning::Newline,
            // An old Macintosh file ends its lines with a lone CR.
            '\r' if !self.text.get(at + 1..).is_some_and(|rest| rest.starts_with('\n')) => Meaning::Newline,
            ' ' | '\t' | '\r' | '\u{b}' | '\u{c}' => Meaning::Blank,
            '#' | '!' => Meaning::Comment,
            '{' => Meaning::Open,
            '}' => Meaning::Close,
            '"' => Meaning::Quote,
            _ if c.is_ascii() => Meaning::Char(c),
            _ => self.repaired(at, c),
        }
    }

    fn repaired(&mut self, at: usize, c: char) -> Meaning {
        let span = self.span(at, at + c.len_utf8());
        let mut warn = |key: &str, message: String, help: &str, fix: &str| {
            let (help, fix) = (help.to_owned(), fix.to_owned());
            self.sink.push_once(
                key,
                || {
                    Diagnostic::warning(message)
                        .at(span, "")
                        .help(help)
                        .fix(span, fix)
                },
                span,
            );
        };
        let code = u32::from(c);
        match c {
            _ if is_double_quote(c) => Meaning::Quote,
            '\u{2018}'..='\u{201b}' => {
                let message = "typographic quotes, read as plain ones".to_owned();
                warn("typographic-single-quotes", message, "write plain quotes", "'");
                Meaning::Char('\'')
            }
            '\u{feff}' if at == 0 => {
                let message = "the file begins with a byte order mark, which is skipped".to_owned();
                warn("bom", message, "save the file as UTF-8 without BOM", "");
                Meaning::Nothing
            }
            '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}' => {
                let message = format!("an invisible character (U+{code:04X}), which is skipped");
                warn("invisible", message, "delete it: retyping the word does", "");
                Meaning::Nothing
            }
            _ if c.is_whitespace() => {
                let message = format!("a special space (U+{code:04X}), read as a plain one");
                warn("space", message, "write a plain space", " ");
                Meaning::Blank
            }
            '\u{ff01}'..='\u{ff5e}' => {
                // The block of full-width forms repeats ASCII from `!` on.
                let plain = char::from_u32(code - 0xfee0).unwrap_or(c);
                let message = format!("a full-width `{c}`, read as `{plain}`");
                warn(
                    "full-width",
                    message,
                    "write it in its plain form",
                    &plain.to_string(),
                );
                match plain {
                    '#' | '!' => Meaning::Comment,
                    '{' => Meaning::Open,
                    '}' => Meaning::Close,
                    _ => Meaning::Char(plain),
                }
            }
            _ => {
                self.warn_if_invalid(at, c);
                Meaning::Char(c)
            }
        }
    }

    fn warn_if_invalid(&mut self, at: usize, c: char) {
        if c == char::REPLACEMENT_CHARACTER && self.sources.is_invalid(self.source, offset(at)) {
            let span = self.span(at, at + c.len_utf8());
            self.sink.push_once(
                "utf8",
                || {
                    Diagnostic::warning("bytes that are not UTF-8, read as U+FFFD")
                        .at(span, "")
                        .help("save the file as UTF-8")
                },
                span,
            );
        }
    }

    fn warn_comment_in_word(&mut self, start: usize, at: usize) {
        let mark = self
            .text
            .get(at..)
            .and_then(|rest| rest.chars().next())
            .unwrap_or('#');
        self.sink.push(
            Diagnostic::note(format!("`{mark}` begins a comment, also within a word"))
                .at(self.span(start, at + mark.len_utf8()), "the word ends before it")
                .help(format!(
                    "if it belongs to the word, quote the word or write `\\{mark}`"
                )),
        );
    }

    fn skip_comment(&mut self) {
        while let Some((_, c)) = self.peek() {
            if c == '\n' || c == '\r' {
                break;
            }
            self.step();
        }
    }

    fn end_line(&mut self) {
        self.out.clean.push('\n');
        if !matches!(self.out.tokens.last(), None | Some(Token::End)) {
            self.out.tokens.push(Token::End);
        }
    }

    fn take(&mut self, text: &mut String, c: char) {
        self.out.clean.push(c);
        text.push(c);
    }

    fn peek(&self) -> Option<(usize, char)> {
        let c = self.text.get(self.next..)?.chars().next()?;
        Some((self.next, c))
    }

    fn step(&mut self) {
        if let Some((_, c)) = self.peek() {
            self.next += c.len_utf8();
        }
    }

    /// The line that `at` is in. Looked at once per line, so that many quotes on one long line stay linear.
    fn line(&mut self, at: usize) -> Line {
        if at > self.line.end || self.line.end == 0 {
            let rest = self.text.get(at..).unwrap_or("");
            let rest = rest
                .get(..rest.find(['\n', '\r']).unwrap_or(rest.len()))
                .unwrap_or("");
            self.line = Line {
                end: at + rest.len(),
                last_quote: rest.rfind('"').map_or(usize::MAX, |last| at + last),
            };
        }
        self.line
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span {
            source: self.source,
            start: offset(start),
            end: offset(end),
        }
    }
}

/// The closing `"` of a string: `\"` does not close it unless it is the `last` on the line.
fn closing_quote(rest: &str, last: usize) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !escaped || at == last => return Some(at),
            '\\' => escaped = !escaped,
            _ => escaped = false,
        }
    }
    None
}

/// `“ ” „ ‟ ＂`
fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}' | '\u{ff02}')
}
