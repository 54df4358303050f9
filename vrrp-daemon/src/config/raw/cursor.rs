//! A reading position in the tokens.

use crate::config::lexer::{Lexed, Token, Word};
use crate::config::source::Span;

/// A place in the tokens.
pub(super) struct Cursor {
    lexed: Lexed,
    next: usize,
}

impl Cursor {
    pub(super) fn new(lexed: Lexed) -> Self {
        Self { lexed, next: 0 }
    }

    pub(super) fn peek(&self) -> Option<&Token> {
        self.lexed.tokens.get(self.next)
    }

    pub(super) fn step(&mut self) {
        self.next += 1;
    }

    /// The words up to the next brace or line end.
    pub(super) fn words(&mut self) -> Vec<Word> {
        let mut words = Vec::new();
        while let Some(token @ Token::Word(_)) = self.lexed.tokens.get_mut(self.next) {
            // Nobody goes back.
            if let Token::Word(word) = std::mem::replace(token, Token::End) {
                words.push(word);
            }
            self.step();
        }
        words
    }

    /// A `{` that begins the next line, taken.
    pub(super) fn opening(&mut self) -> Option<Span> {
        let Some(Token::Open(span)) = self.peek() else {
            return None;
        };
        let span = *span;
        self.step();
        Some(span)
    }

    /// Whether the line that begins here ends in a `{`, on it or on the next.
    pub(super) fn opens_block(&self) -> bool {
        const LONGEST: usize = 16;
        let mut rest = self.lexed.tokens.iter().skip(self.next).take(LONGEST);
        let mut after = rest.by_ref().skip_while(|token| matches!(token, Token::Word(_)));
        match after.next() {
            Some(Token::Open(_)) => true,
            Some(Token::End) => matches!(after.next(), Some(Token::Open(_))),
            _ => false,
        }
    }

    /// The repaired text from one word to another of the same line.
    pub(super) fn clean(&self, first: &Word, last: &Word) -> String {
        self.lexed
            .clean
            .get(first.clean.start..last.clean.end)
            .unwrap_or("")
            .to_owned()
    }
}
