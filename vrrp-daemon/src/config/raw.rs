//! Tokens to statements: which keyword, its words, its block, each with its place.
//!
//! The keyword table says what a block may hold, so that a missing `}` can be told from an unknown word: a
//! block is taken for closed only before a keyword that is illegal in it and legal in a block around it.
//! Blocks that are unknown or not ours are skipped as a unit (keepalived reads an unknown block's content
//! into the block around it). Nesting is bounded by the table, so nothing here recurses.

mod braces;
mod cursor;

use self::cursor::Cursor;
use super::diag::{Diagnostic, Remark, Severity, Sink};
use super::keywords::{self, Block, Guess, Keyword, Shape, Status};
use super::lexer::{Lexed, Token, Word};
use super::source::{Sources, Span};

/// A keyword with what follows it.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    /// Its line in the table.
    pub(super) keyword: &'static Keyword,
    /// The keyword's own place.
    pub(super) span: Span,
    /// The words after it on its line.
    pub(super) words: Vec<Word>,
    /// For [`Shape::Command`]: those words as written, repaired, for `split_command`.
    pub(super) command: String,
    /// What its `{ … }` holds.
    pub(super) body: Body,
}

/// What a block holds.
#[derive(Clone, Debug, Default)]
pub(super) enum Body {
    /// There is no block.
    #[default]
    None,
    /// Keywords.
    Statements(Vec<Statement>),
    /// Entries, a line each, never empty.
    Entries(Vec<Vec<Word>>),
}

/// A whole configuration.
#[derive(Clone, Debug, Default)]
pub(super) struct Tree {
    pub(super) statements: Vec<Statement>,
    /// `virtual_server` blocks.
    pub(super) virtual_servers: usize,
}

impl Statement {
    /// The statements of its block.
    pub(super) fn statements(&self) -> &[Self] {
        match &self.body {
            Body::Statements(statements) => statements,
            Body::None | Body::Entries(_) => &[],
        }
    }

    /// The entries of its block.
    pub(super) fn entries(&self) -> &[Vec<Word>] {
        match &self.body {
            Body::Entries(entries) => entries,
            Body::None | Body::Statements(_) => &[],
        }
    }
}

/// Build the tree. Never fails; what does not fit is reported and left out. `missing` is how many `}` the text lacks.
pub(super) fn build(lexed: Lexed, missing: i64, sources: &mut Sources, sink: &mut Sink) -> Tree {
    let mut parser = Parser {
        cursor: Cursor::new(lexed),
        frames: Vec::new(),
        tree: Tree::default(),
        missing,
        sources,
        sink,
    };
    parser.run();
    parser.tree
}

/// An open block.
struct Frame {
    statement: Statement,
    opened: Span,
}

struct Parser<'a> {
    cursor: Cursor,
    frames: Vec<Frame>,
    tree: Tree,
    /// How many `}` the text lacks; negative: has too many.
    missing: i64,
    sources: &'a mut Sources,
    sink: &'a mut Sink,
}

impl Parser<'_> {
    fn run(&mut self) {
        loop {
            let words = self.cursor.words();
            match self.cursor.peek() {
                Some(Token::End) => {
                    self.cursor.step();
                    // `{` may stand on a line of its own.
                    let opened = if words.is_empty() {
                        None
                    } else {
                        self.cursor.opening()
                    };
                    self.line(words, opened);
                }
                Some(Token::Open(span)) => {
                    let span = *span;
                    self.cursor.step();
                    if words.is_empty() {
                        self.sink.push(
                            Diagnostic::warning("a block without a keyword")
                                .at(span, "skipped up to its `}`")
                                .help("write its keyword before `{`, or remove the block"),
                        );
                        self.skip_block(span);
                    } else {
                        self.line(words, Some(span));
                    }
                }
                Some(Token::Close(span)) => {
                    let span = *span;
                    self.cursor.step();
                    self.line(words, None);
                    self.close(span);
                }
                Some(Token::Word(_)) => {}
                None => {
                    self.line(words, None);
                    break;
                }
            }
        }
        self.finish();
    }

    /// One line's words, and the `{` that follows them.
    fn line(&mut self, words: Vec<Word>, opened: Option<Span>) {
        let mut rest = words.into_iter();
        let Some(first) = rest.next() else { return };
        let words: Vec<Word> = rest.collect();
        self.hide_secret(&first, &words);
        if let Some(depth) = self.closed_before(&first, opened.is_some()) {
            self.close_unclosed(depth, &first);
        }
        match self.block() {
            Some(block) => self.statement(block, first, words, opened),
            None => self.entry(first, words, opened),
        }
    }

    fn entry(&mut self, first: Word, words: Vec<Word>, opened: Option<Span>) {
        if let Some(opened) = opened {
            self.sink.push(
                Diagnostic::warning(format!("`{}` cannot open a block here", first.text))
                    .at(first.span.to(opened), "skipped with its block")
                    .help("move it out of the block that is open here"),
            );
            self.skip_block(opened);
            return;
        }
        if let Some(Frame { statement, .. }) = self.frames.last_mut()
            && let Body::Entries(entries) = &mut statement.body
        {
            entries.push(std::iter::once(first).chain(words).collect());
        }
    }

    fn statement(&mut self, block: Block, first: Word, words: Vec<Word>, opened: Option<Span>) {
        let Some(keyword) = block.find(&first.text) else {
            self.unknown(block, &first, opened);
            return;
        };
        if let Some(instead) = keyword.instead {
            self.sink.push(
                Diagnostic::note(format!("`{}` is deprecated", first.text))
                    .remark(Remark::General)
                    .at(first.span, "")
                    .help(format!("use {instead}")),
            );
        }
        match keyword.status {
            Status::Works(_) => {}
            Status::Needless(_) => {
                let off = words
                    .first()
                    .is_some_and(|word| matches!(word.text.as_str(), "off" | "false" | "no"));
                if keyword.name == "skip_check_adv_addr" && off {
                    self.sink.push(
                        Diagnostic::note("keepalived takes `skip_check_adv_addr off` for on")
                            .remark(Remark::None)
                            .at(first.span, "it makes no difference here")
                            .help("remove the line"),
                    );
                }
                self.skip(opened);
                return;
            }
            Status::Missing(what) => {
                self.sink.push_once(
                    what,
                    || {
                        Diagnostic::warning(format!("`{}` has no effect: {what}", first.text))
                            .remark(Remark::None)
                            .at(first.span, "")
                    },
                    first.span,
                );
                self.skip(opened);
                return;
            }
            Status::LoadBalancer => {
                if keyword.name == "virtual_server" {
                    self.tree.virtual_servers += 1;
                }
                self.skip(opened);
                return;
            }
            Status::Refused(remedy) => {
                self.sink.push(
                    Diagnostic::error(format!(
                        "`{}` is not supported, and going on without it is not safe",
                        first.text
                    ))
                    .at(first.span, "")
                    .help(remedy),
                );
                self.skip(opened);
                return;
            }
        }
        let command = match (keyword.shape, words.first(), words.last()) {
            (Shape::Command, Some(first), Some(last)) => self.cursor.clean(first, last),
            _ => String::new(),
        };
        let body = match keyword.shape {
            Shape::Block(_) | Shape::Named(_) => Body::Statements(Vec::new()),
            Shape::Entries => Body::Entries(Vec::new()),
            _ => Body::None,
        };
        let statement = Statement {
            keyword,
            span: first.span,
            words,
            command,
            body,
        };
        match (opened, keyword.shape.opens()) {
            (Some(opened), true) => self.frames.push(Frame { statement, opened }),
            (None, false) => self.add(statement),
            (Some(opened), false) => {
                self.sink.push(
                    Diagnostic::warning(format!("`{}` does not open a block", keyword.name))
                        .at(opened, "skipped up to its `}`")
                        .help("remove the block"),
                );
                self.add(statement);
                self.skip_block(opened);
            }
            (None, true) => {
                let known = Diagnostic::warning(format!("`{}` must be followed by `{{`", keyword.name))
                    .at(statement.span, "")
                    .help("add `{`")
                    .fix(
                        statement
                            .words
                            .last()
                            .map_or(statement.span, |word| word.span)
                            .after(),
                        " {",
                    );
                self.sink.push(known);
                // With a `}` too many in the file, this is where its `{` was forgotten.
                if self.missing < 0 {
                    self.missing += 1;
                    let opened = statement.span.after();
                    self.frames.push(Frame { statement, opened });
                }
            }
        }
    }

    fn unknown(&mut self, block: Block, first: &Word, opened: Option<Span>) {
        self.sink.push_with(Severity::Warning, || {
            let (what, skipped) = match opened {
                Some(_) => ("block", "skipped with everything in it"),
                None => ("keyword", ""),
            };
            let diagnostic = Diagnostic::warning(format!("unknown {what} `{}`", presentable(&first.text)))
                .at(first.span, skipped);
            match (keywords::remedy(&first.text), keywords::guess(block, &first.text)) {
                (Some(remedy), _) => diagnostic.help(remedy),
                (None, Some(Guess::Misspelt(name))) => diagnostic
                    .help(format!("did you mean `{name}`?"))
                    .fix(first.span, name),
                (None, Some(Guess::Belongs(other))) => diagnostic.help(format!(
                    "`{}` belongs in `{}`",
                    presentable(&first.text),
                    other.name()
                )),
                (None, None) => diagnostic,
            }
        });
        self.skip(opened);
    }

    /// Put a finished statement into the block that is open.
    fn add(&mut self, statement: Statement) {
        match self.frames.last_mut().map(|frame| &mut frame.statement.body) {
            None => self.tree.statements.push(statement),
            Some(Body::Statements(statements)) => statements.push(statement),
            Some(Body::None | Body::Entries(_)) => {}
        }
    }

    fn skip(&mut self, opened: Option<Span>) {
        if let Some(opened) = opened {
            self.skip_block(opened);
        }
    }

    fn hide_secret(&mut self, first: &Word, words: &[Word]) {
        // Whatever stands there beside the type is a password, however its keyword is written.
        let all_of_it =
            matches!(self.block(), Some(Block::Authentication | Block::AuthHmac)) && first.text != Self::TYPE;
        if let Some(word) = words.first()
            && (all_of_it || is_secret(&first.text))
        {
            self.hide_from(word);
        }
        // On the line of another keyword, or grown together with its password.
        let line = || std::iter::once(first).chain(words);
        for (word, next) in line().zip(line().skip(1).map(Some).chain([None])) {
            self.hide_password(word, next);
        }
    }

    /// The keyword in `authentication` that is no secret.
    const TYPE: &'static str = "auth_type";

    /// `auth_pass X`, `auth_pass=X`, `auth_passX` wherever it stands.
    fn hide_password(&mut self, word: &Word, next: Option<&Word>) {
        match word.text.strip_prefix(PASSWORD) {
            Some("") => match next {
                Some(next) => self.hide_from(next),
                None => self.sources.hide_line_from(word.span.after()),
            },
            Some(_) => self.hide_from(word),
            None => {}
        }
    }

    fn hide_from(&mut self, word: &Word) {
        self.sources.hide_line_from(Span {
            end: word.span.start,
            ..word.span
        });
    }

    /// The kind of the innermost block; `None` if it holds entries.
    fn block(&self) -> Option<Block> {
        self.block_at(self.frames.len())
    }

    /// The kind of block that `depth` frames make.
    fn block_at(&self, depth: usize) -> Option<Block> {
        let Some(depth) = depth.checked_sub(1) else {
            return Some(Block::Root);
        };
        match self.frames.get(depth)?.statement.keyword.shape {
            Shape::Block(block) | Shape::Named(block) => Some(block),
            _ => None,
        }
    }
}

/// The keyword of a password.
const PASSWORD: &str = "auth_pass";

/// Keywords whose words are never shown, misspelt ones too.
pub(super) fn is_secret(keyword: &str) -> bool {
    keyword.contains("pass") || keyword.starts_with("auth_p") || keyword == "key" || keyword == "secret"
}

/// An unknown word as it may be shown: what has grown together with a password's keyword may be one.
fn presentable(word: &str) -> &str {
    match word.strip_prefix(PASSWORD) {
        Some(_) => PASSWORD,
        None => word,
    }
}
