//! Where a block ends, also when its `}` is missing: decided by what the keyword table allows there.

use super::{Frame, Parser, is_secret};
use crate::config::diag::Diagnostic;
use crate::config::keywords::{self, Shape};
use crate::config::lexer::{Token, Word};
use crate::config::source::Span;

impl Parser<'_> {
    /// If a `}` is missing before this word: how many frames stay open.
    pub(super) fn closed_before(&self, first: &Word, opens: bool) -> Option<usize> {
        let name = first.text.as_str();
        let in_entries = match self.frames.last().map(|frame| &frame.statement.keyword.shape) {
            None => return None,
            Some(Shape::Entries) => true,
            Some(_) => false,
        };
        if !in_entries && self.block().is_some_and(|block| block.find(name).is_some()) {
            return None;
        }
        let root_block = opens && keywords::only_at_root(name);
        if root_block {
            return Some(0);
        }
        if self.missing <= 0 {
            return None;
        }
        let around = self.frames.len().checked_sub(1)?;
        (0..=around).rev().find(|depth| {
            let keyword = self.block_at(*depth).and_then(|block| block.find(name));
            keyword.is_some_and(|keyword| keyword.shape == Shape::Any || keyword.shape.opens() == opens)
        })
    }

    /// Close every frame above `depth` as if `}` stood before `word`.
    pub(super) fn close_unclosed(&mut self, depth: usize, word: &Word) {
        while self.frames.len() > depth {
            let Some(frame) = self.frames.pop() else { return };
            self.missing -= 1;
            self.warn_unclosed(&frame, Some(word));
            self.add(frame.statement);
        }
    }

    pub(super) fn warn_unclosed(&mut self, frame: &Frame, before: Option<&Word>) {
        let name = frame.statement.keyword.name;
        let diagnostic = match before {
            Some(word) => Diagnostic::warning(format!("`}}` of `{name}` is missing before `{}`", word.text))
                .at(word.span, "taken for closed before this")
                .related(frame.statement.span.to(frame.opened), "opened here")
                .help("close the block first")
                .fix(
                    Span {
                        end: word.span.start,
                        ..word.span
                    },
                    "}\n",
                ),
            None => Diagnostic::warning(format!("`}}` of `{name}` is missing at the end of the file"))
                .at(frame.statement.span.to(frame.opened), "opened here, never closed")
                .help("add `}` at the end"),
        };
        self.sink.push(diagnostic);
    }

    pub(super) fn close(&mut self, span: Span) {
        match self.frames.pop() {
            Some(frame) => self.add(frame.statement),
            None => {
                self.missing += 1;
                self.sink.push(
                    Diagnostic::warning("`}` without `{`")
                        .at(span, "ignored")
                        .help("remove it, or look for a missing `{`"),
                );
            }
        }
    }

    pub(super) fn finish(&mut self) {
        while let Some(frame) = self.frames.pop() {
            self.warn_unclosed(&frame, None);
            self.add(frame.statement);
        }
    }

    /// Skip to the `}` of a block that was just opened, or to a block that can only stand at the root.
    pub(super) fn skip_block(&mut self, opened: Span) {
        let mut depth = 1_u64;
        let mut line_start = true;
        while let Some(token) = self.cursor.peek() {
            match token {
                Token::Open(_) => depth += 1,
                Token::Close(_) => depth -= 1,
                Token::Word(word) if line_start => {
                    let word = word.clone();
                    if keywords::only_at_root(&word.text) && self.cursor.opens_block() {
                        self.sink.push(
                            Diagnostic::warning(format!("`}}` is missing before `{}`", word.text))
                                .at(word.span, "the skipped block is taken for closed before this")
                                .related(opened, "opened here")
                                .help("close the block first")
                                .fix(
                                    Span {
                                        end: word.span.start,
                                        ..word.span
                                    },
                                    "}\n",
                                ),
                        );
                        self.missing = self.missing.saturating_sub_unsigned(depth);
                        return;
                    }
                    if is_secret(&word.text) {
                        self.sources.hide_line_from(word.span.after());
                    }
                    self.hide_password(&word, None);
                }
                Token::Word(word) => {
                    let word = word.clone();
                    self.hide_password(&word, None);
                }
                Token::End => {}
            }
            line_start = !matches!(self.cursor.peek(), Some(Token::Word(_)));
            self.cursor.step();
            if depth == 0 {
                return;
            }
        }
        self.sink.push(
            Diagnostic::warning("`}` is missing at the end of the file")
                .at(opened, "opened here, never closed")
                .help("add `}` at the end"),
        );
    }
}
