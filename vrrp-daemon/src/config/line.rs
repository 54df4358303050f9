//! A line as it is read: text of a file, or text that a variable or a generator put together, and of each piece
//! where it is from.

use std::ops::Range;
use std::sync::Arc;

use super::source::{Cause, CauseId, CauseKind, SourceId, Sources, Span, offset};

/// A line without its end.
#[derive(Clone, Debug)]
pub(super) struct Line {
    text: Arc<str>,
    range: Range<usize>,
    /// What the text from its offset on is from, up to the next mark.
    first: Mark,
    more: Vec<Mark>,
}

#[derive(Clone, Copy, Debug)]
struct Mark {
    /// Offset in the text.
    at: usize,
    /// Where the text at that offset stands; `None` for text that stands nowhere.
    origin: Option<(SourceId, usize)>,
    /// What put it here.
    cause: Option<CauseId>,
}

impl Line {
    /// A piece of a file.
    pub(super) const fn of_file(source: SourceId, text: Arc<str>, range: Range<usize>) -> Self {
        Self {
            text,
            range,
            first: Mark {
                at: 0,
                origin: Some((source, 0)),
                cause: None,
            },
            more: Vec::new(),
        }
    }

    /// A text that stands nowhere.
    pub(super) fn made(text: &str) -> Self {
        Self {
            range: 0..text.len(),
            text: text.into(),
            first: Mark {
                at: 0,
                origin: None,
                cause: None,
            },
            more: Vec::new(),
        }
    }

    pub(super) fn text(&self) -> &str {
        self.text.get(self.range.clone()).unwrap_or("")
    }

    pub(super) const fn len(&self) -> usize {
        self.range.end - self.range.start
    }

    /// The part of the line within `range`.
    pub(super) fn slice(&self, range: Range<usize>) -> Self {
        let mut part = self.clone();
        part.range.end = (self.range.start + range.end).min(self.range.end);
        part.range.start = (self.range.start + range.start).min(part.range.end);
        part
    }

    /// Take the first `len` bytes away.
    pub(super) fn skip(&mut self, len: usize) {
        self.range.start = (self.range.start + len).min(self.range.end);
    }

    /// The same text, put here by `cause`.
    pub(super) fn caused(&self, cause: CauseId) -> Self {
        let mut line = self.clone();
        line.first.cause = Some(cause);
        for mark in &mut line.more {
            mark.cause = Some(cause);
        }
        line
    }

    /// What put the text at an offset here.
    pub(super) fn cause_at(&self, at: usize) -> Option<CauseId> {
        self.mark(self.range.start + at).cause
    }

    /// The place to show for a part of the line.
    pub(super) fn span(&self, range: Range<usize>, sources: &mut Sources) -> Span {
        let from = self.range.start + range.start;
        let to = (self.range.start + range.end).max(from);
        if let (true, None, Some((source, start))) =
            (self.more.is_empty(), self.first.cause, self.first.origin)
        {
            return direct(source, start + from - self.first.at, start + to - self.first.at);
        }
        let last = self.mark(to.saturating_sub(1).max(from));
        let begin = self.mark(from).shown(from..to, sources);
        let end = last.shown(last.at.max(from)..to, sources);
        let mut span = begin.unwrap_or(Span::START);
        if let Some(end) = end.filter(|end| end.source == span.source) {
            span.end = span.end.max(end.end);
        }
        // What a variable brought explains more than what a generator repeats.
        let marks = || self.marks(from, to.max(from + 1));
        let brought = marks().find(|(mark, _)| {
            mark.cause
                .and_then(|cause| sources.cause(cause))
                .is_some_and(|cause| cause.kind == CauseKind::Value)
        });
        let (mark, part) = brought.unwrap_or((*self.mark(from), from..to));
        span.via = mark.cause.and_then(|cause| {
            let place = match sources.cause(cause)? {
                Cause {
                    kind: CauseKind::Repeat,
                    at,
                    ..
                } => Some(*at),
                _ => mark.place(part),
            };
            sources.add_step(cause, place)
        });
        span
    }

    fn mark(&self, at: usize) -> &Mark {
        let next = self.more.partition_point(|mark| mark.at <= at);
        next.checked_sub(1)
            .and_then(|index| self.more.get(index))
            .unwrap_or(&self.first)
    }

    /// The marks of the text from `from` to `to`, each with its part of it.
    fn marks(&self, from: usize, to: usize) -> impl Iterator<Item = (Mark, Range<usize>)> {
        let next = self.more.partition_point(|mark| mark.at <= from);
        let later = self.more.get(next..).unwrap_or(&[]);
        let starts = std::iter::once(self.mark(from)).chain(later);
        let ends = later.iter().map(|mark| mark.at).chain([usize::MAX]);
        starts
            .zip(ends)
            .map(move |(mark, end)| (*mark, mark.at.max(from)..end.min(to)))
            .take_while(|(_, part)| part.start < part.end)
    }
}

impl Mark {
    /// Whether the text of `next` stands right after that of this mark, for the same cause.
    fn goes_on(&self, next: &Self) -> bool {
        self.cause == next.cause
            && match (self.origin, next.origin) {
                (Some((here, start)), Some((there, after))) => {
                    here == there && start + next.at - self.at == after
                }
                (None, None) => true,
                _ => false,
            }
    }

    /// Where a part of its text stands.
    fn place(&self, part: Range<usize>) -> Option<Span> {
        let (source, start) = self.origin?;
        Some(direct(
            source,
            start + part.start - self.at,
            start + part.end - self.at,
        ))
    }

    /// What to show for a part of its text: of a variable's value, the use.
    fn shown(&self, part: Range<usize>, sources: &Sources) -> Option<Span> {
        match self.cause.and_then(|cause| sources.cause(cause)) {
            Some(cause) if cause.kind == CauseKind::Value => Some(cause.at),
            Some(cause) => self.place(part).or(Some(cause.at)),
            None => self.place(part),
        }
    }
}

fn direct(source: SourceId, start: usize, end: usize) -> Span {
    Span {
        source,
        start: offset(start),
        end: offset(end),
        via: None,
    }
}

/// A line that is put together.
#[derive(Debug, Default)]
pub(super) struct Builder {
    text: String,
    marks: Vec<Mark>,
}

impl Builder {
    /// Add a piece, with what is known of it.
    pub(super) fn push(&mut self, piece: &Line) {
        let here = self.text.len();
        for (mark, part) in piece.marks(piece.range.start, piece.range.end) {
            let mark = Mark {
                at: here + part.start - piece.range.start,
                origin: mark
                    .origin
                    .map(|(source, start)| (source, start + part.start - mark.at)),
                cause: mark.cause,
            };
            if !self.marks.last().is_some_and(|last| last.goes_on(&mark)) {
                self.marks.push(mark);
            }
        }
        self.text.push_str(piece.text());
    }

    pub(super) fn is_blank(&self) -> bool {
        self.text.trim_start().is_empty()
    }

    pub(super) fn finish(self) -> Line {
        let mut marks = self.marks.into_iter();
        let made = Line::made(&self.text);
        Line {
            first: marks.next().unwrap_or(made.first),
            more: marks.collect(),
            ..made
        }
    }
}
