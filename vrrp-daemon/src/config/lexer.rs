//! A line to words, braces and its end, with positions.
//!
//! keepalived's rules: `!` and `#` begin a comment anywhere outside double quotes unless a backslash stands
//! before them; `{` and `}` are words of their own; only `"` quotes. After a keyword that takes a command
//! `'…'` and `\` quote as well, so that a `{` or a `#` in them is the command's; [`split_command`] then
//! splits the statement's [`Lexed::clean`] text.
//!
//! Text that came through a web page or a word processor is repaired, each kind with one warning:
//! typographic quotes, exotic spaces, full-width forms, a byte order mark.

mod quotes;

use std::ops::Range;

use self::quotes::closing_quote;
pub(super) use self::quotes::{comment_start, split_command};
use super::diag::{Diagnostic, Remark, Sink};
use super::keywords;
use super::line::Line;
use super::source::{Sources, Span, stood_for};

/// A word, or what stood in one pair of quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    /// The text without quotes and escapes.
    pub(super) text: String,
    /// Where it stands, quotes included.
    pub(super) span: Span,
    /// Its place in [`Lexed::clean`].
    pub(super) clean: Range<usize>,
    /// The bytes of the text, if they are not UTF-8; the text has them as Latin-1.
    raw: Option<Box<[u8]>>,
}

impl Word {
    /// The bytes as they were written.
    pub(super) fn bytes(&self) -> &[u8] {
        self.raw.as_deref().unwrap_or(self.text.as_bytes())
    }
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

/// The tokens of a configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Lexed {
    /// The tokens; a line's last is [`Token::End`].
    pub(super) tokens: Vec<Token>,
    /// The text without comments and with all repairs made, for [`split_command`].
    pub(super) clean: String,
}

/// Words, braces and lines kept. A configuration of 10 000 addresses has 100 000.
const MAX_TOKENS: usize = 2_000_000;

impl Lexed {
    /// No more are kept.
    pub(super) const fn is_full(&self) -> bool {
        self.tokens.len() >= MAX_TOKENS
    }

    pub(super) fn end_line(&mut self) {
        self.clean.push('\n');
        if !matches!(self.tokens.last(), None | Some(Token::End)) {
            self.tokens.push(Token::End);
        }
    }
}

/// Take a line apart from `at` up to and with its next brace; answers where that ends. Never fails: what cannot
/// be understood is kept as a word and reported.
pub(super) fn piece(
    line: &Line,
    at: usize,
    sources: &mut Sources,
    sink: &mut Sink,
    out: &mut Lexed,
) -> usize {
    let mut lexer = Lexer {
        line,
        text: line.text(),
        next: at,
        sources,
        sink,
        out,
        last_quote: None,
        command: false,
    };
    lexer.run();
    lexer.next
}

struct Lexer<'a> {
    line: &'a Line,
    text: &'a str,
    /// Offset of the next character.
    next: usize,
    sources: &'a mut Sources,
    sink: &'a mut Sink,
    out: &'a mut Lexed,
    /// Where the line's last `"` stands, once something asked for it.
    last_quote: Option<usize>,
    /// The first word takes a command, so that more quotes count.
    command: bool,
}

/// What a character means outside quotes, after repair.
#[derive(Clone, Copy)]
enum Meaning {
    Blank,
    Nothing,
    Comment,
    Open,
    Close,
    Quote,
    Char(char),
}

impl<'a> Lexer<'a> {
    fn run(&mut self) {
        let mut first = true;
        while let Some((at, c)) = self.peek() {
            // One line may hold them all.
            if self.out.is_full() {
                self.next = self.text.len();
                return;
            }
            match self.meaning(at, c) {
                Meaning::Blank => {
                    self.step();
                    self.out.clean.push(' ');
                }
                Meaning::Nothing => self.step(),
                Meaning::Comment => self.next = self.text.len(),
                Meaning::Open => {
                    self.step();
                    let span = self.span(at, self.next);
                    self.out.tokens.push(Token::Open(span));
                    return;
                }
                Meaning::Close => {
                    self.step();
                    let span = self.span(at, self.next);
                    self.out.tokens.push(Token::Close(span));
                    return;
                }
                Meaning::Quote | Meaning::Char(_) => {
                    self.word(at);
                    if let (true, Some(Token::Word(word))) = (first, self.out.tokens.last()) {
                        self.command = keywords::takes_command(&word.text);
                    }
                    first = false;
                }
            }
        }
    }

    fn word(&mut self, start: usize) {
        let clean = self.out.clean.len();
        let mut text = Text::default();
        let mut end = start;
        while let Some((at, c)) = self.peek() {
            match self.meaning(at, c) {
                Meaning::Char('\\') => {
                    self.step();
                    self.out.clean.push('\\');
                    match self.peek() {
                        Some((_, escaped @ ('#' | '!'))) => {
                            self.step();
                            self.take(&mut text, escaped);
                        }
                        Some((_, escaped)) if self.command => {
                            text.push('\\');
                            self.step();
                            self.take(&mut text, escaped);
                        }
                        _ => text.push('\\'),
                    }
                }
                Meaning::Char('\'') if self.command => self.single_quoted(at, &mut text),
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
                Meaning::Quote => self.quoted(at, c, &mut text),
                Meaning::Nothing => self.step(),
                Meaning::Comment => {
                    self.warn_comment_in_word(start, at);
                    break;
                }
                Meaning::Blank | Meaning::Open | Meaning::Close => break,
            }
            end = self.next;
        }
        let word = Word {
            text: text.text,
            span: self.span(start, end),
            clean: clean..self.out.clean.len(),
            raw: text.raw.map(Vec::into_boxed_slice),
        };
        self.out.tokens.push(Token::Word(word));
    }

    /// `'…'` in a command: whatever stands in it is the command's.
    fn single_quoted(&mut self, start: usize, text: &mut Text) {
        self.step();
        let rest = self.text.get(self.next..).unwrap_or("");
        let Some(len) = rest.find('\'') else {
            let span = self.span(start, self.next);
            self.sink.push(
                Diagnostic::warning("a quote is not closed on its line")
                    .at(span, "opened here")
                    .help("close it, or write `\\'` for an apostrophe"),
            );
            self.take(text, '\'');
            return;
        };
        let end = self.next + len + 1;
        self.take(text, '\'');
        while let Some((at, c)) = self.peek().filter(|(at, _)| *at < end) {
            self.step();
            self.warn_if_invalid(at, c);
            self.take(text, c);
        }
    }

    /// From `{` to `}` on the same line, if there is one.
    fn variable(&mut self, text: &mut Text) {
        const LONGEST: usize = 128;
        let start = self.next;
        let rest = self.text.get(start..).unwrap_or("");
        let Some(len) = rest.bytes().take(LONGEST).position(|b| b == b'}') else {
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
    fn quoted(&mut self, start: usize, opening: char, text: &mut Text) {
        self.step();
        let typographic = opening != '"';
        let inner = self.next;
        let whole = self.text;
        let rest = whole.get(inner..).unwrap_or("");
        let close = if typographic {
            rest.find(is_double_quote)
        } else {
            // Looked for once a line, so that many quotes on one long line stay linear.
            let last = *self
                .last_quote
                .get_or_insert_with(|| whole.rfind('"').unwrap_or(usize::MAX));
            closing_quote(rest, last.wrapping_sub(inner)).or_else(|| rest.find(is_double_quote))
        };
        let end = match close {
            Some(len) => inner + len,
            None => {
                let (opened, end) = (self.span(start, inner), self.span(whole.len(), whole.len()));
                self.sink.push(
                    Diagnostic::warning("a quote is not closed on its line")
                        .at(opened, "opened here")
                        .help("close it; until then the string is taken to end with the line")
                        .fix(end, "\""),
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
            ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}' => Meaning::Blank,
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
            '\u{feff}' if at == 0 && span.start == 0 => {
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
        if stood_for(c).is_some_and(|byte| !byte.is_ascii()) {
            let span = self.span(at, at + c.len_utf8());
            self.sink.push_once(
                "utf8",
                || {
                    Diagnostic::warning("bytes that are not UTF-8, read as Latin-1")
                        .remark(Remark::None)
                        .at(span, "")
                        .help("save the file as UTF-8; a password keeps its bytes as they are")
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
        let span = self.span(start, at + mark.len_utf8());
        self.sink.push(
            Diagnostic::note(format!("`{mark}` begins a comment, also within a word"))
                .at(span, "the word ends before it")
                .help(format!(
                    "if it belongs to the word, quote the word or write `\\{mark}`"
                )),
        );
    }

    fn take(&mut self, text: &mut Text, c: char) {
        self.out.clean.push(stood_for(c).map_or(c, char::from));
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

    fn span(&mut self, start: usize, end: usize) -> Span {
        self.line.span(start..end, self.sources)
    }
}

/// A word's text, and its bytes once they are not those of the text.
#[derive(Default)]
struct Text {
    text: String,
    raw: Option<Vec<u8>>,
}

impl Text {
    fn push(&mut self, c: char) {
        match stood_for(c) {
            Some(byte) if !byte.is_ascii() => {
                self.raw
                    .get_or_insert_with(|| self.text.clone().into_bytes())
                    .push(byte);
                self.text.push(char::from(byte));
            }
            stood_for => {
                let c = stood_for.map_or(c, char::from);
                if let Some(raw) = &mut self.raw {
                    raw.extend(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                self.text.push(c);
            }
        }
    }
}

/// `“ ” „ ‟ ＂`
fn is_double_quote(c: char) -> bool {
    matches!(c, '"' | '\u{201c}'..='\u{201f}' | '\u{ff02}')
}
