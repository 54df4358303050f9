//! The text of a configuration, file by file, and positions in it.

use std::borrow::Cow;
use std::num::NonZeroU32;
use std::ops::Range;
use std::sync::Arc;

/// Largest file read. A configuration of 10 000 addresses has less than one megabyte.
pub(super) const MAX_FILE_LEN: usize = 16 << 20;

/// Bytes of a source line that are shown whole.
const LONGEST_SHOWN: u32 = 800;

/// One file of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(u16);

impl SourceId {
    /// The file that was named on the command line.
    pub(super) const FIRST: Self = Self(0);
}

/// A piece of one file, in bytes of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
    /// What put the text there, if it does not stand there as it was read: see [`Sources::origins`].
    pub via: Option<Via>,
}

/// How a piece of text came to be read where it was: by a variable or a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Via(NonZeroU32);

/// A variable's use, or one repetition of a generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CauseId(u32);

/// Why text is read that does not stand there.
#[derive(Clone, Debug)]
pub(super) struct Cause {
    /// The variable's name, or what the generator repeats with.
    pub(super) name: Arc<str>,
    /// The use, or the generator.
    pub(super) at: Span,
    /// What the use itself came from.
    pub(super) parent: Option<CauseId>,
    pub(super) kind: CauseKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CauseKind {
    /// A variable's value: its text stands elsewhere, the use is shown.
    Value,
    /// A generator: the text is shown where it stands.
    Repeat,
}

/// One step from a place that is shown to where its text is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    pub(super) place: Option<Span>,
    pub(super) label: String,
}

/// Where something stands, for people: line and column count from 1, columns in characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Position<'a> {
    /// The file as it was named on the command line or in the `include`.
    pub file: &'a str,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

/// All files of a configuration, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    causes: Vec<Cause>,
    /// What a [`Via`] stands for: a cause, and the place in its text.
    steps: Vec<(CauseId, Option<Span>)>,
    /// A file was left out because it is too large.
    full: bool,
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    text: Arc<str>,
    /// Offset of the first byte of each line.
    lines: Vec<u32>,
    /// What is never shown: passwords. In ascending order, apart from each other.
    secrets: Vec<Range<u32>>,
    /// The `include` that named it.
    included_at: Option<Span>,
}

impl Span {
    /// The span from the start of `self` to the end of `other`, both of one file.
    #[must_use]
    pub fn to(self, other: Self) -> Self {
        Self {
            end: other.end.max(self.end),
            ..self
        }
    }

    /// The empty span where `self` ends.
    #[must_use]
    pub const fn after(self) -> Self {
        Self {
            start: self.end,
            ..self
        }
    }

    /// Where everything begins.
    pub(super) const START: Self = Self {
        source: SourceId::FIRST,
        start: 0,
        end: 0,
        via: None,
    };

    fn range(self) -> Range<usize> {
        index(self.start)..index(self.end)
    }
}

impl Sources {
    /// Take a file in. Bytes that are not UTF-8 are kept as [`stand_in`]s.
    ///
    /// `None` when the file is longer than [`MAX_FILE_LEN`] or the 65 536th.
    pub fn add(
        &mut self,
        name: impl Into<String>,
        bytes: &[u8],
        included_at: Option<Span>,
    ) -> Option<SourceId> {
        if bytes.len() > MAX_FILE_LEN {
            return None;
        }
        let id = SourceId(u16::try_from(self.files.len()).ok()?);
        let text = decoded(bytes);
        let after_newlines = text.match_indices('\n').map(|(at, _)| offset(at + 1));
        let lines = std::iter::once(0).chain(after_newlines).collect();
        self.files.push(SourceFile {
            name: name.into(),
            text: text.into(),
            lines,
            secrets: Vec::new(),
            included_at,
        });
        Some(id)
    }

    /// The whole text of a file.
    #[must_use]
    pub fn text(&self, id: SourceId) -> &str {
        self.file(id).map_or("", |file| &file.text)
    }

    /// The whole text, to be kept while more files come.
    pub(super) fn shared(&self, id: SourceId) -> Arc<str> {
        self.file(id)
            .map_or_else(|| Arc::from(""), |file| Arc::clone(&file.text))
    }

    /// Remember why text is read that does not stand there.
    pub(super) fn add_cause(&mut self, cause: Cause) -> CauseId {
        let id = CauseId(u32::try_from(self.causes.len()).unwrap_or(u32::MAX));
        self.causes.push(cause);
        id
    }

    pub(super) fn cause(&self, id: CauseId) -> Option<&Cause> {
        self.causes.get(usize::try_from(id.0).ok()?)
    }

    /// A step to `place` in the text that a cause brought.
    pub(super) fn add_step(&mut self, cause: CauseId, place: Option<Span>) -> Option<Via> {
        self.steps.push((cause, place));
        Some(Via(NonZeroU32::new(u32::try_from(self.steps.len()).ok()?)?))
    }

    /// Where the text of a span is really from, step by step; nothing for text that stands there.
    pub(super) fn origins(&self, span: Span) -> impl Iterator<Item = Origin> {
        // Deeper than any reader follows.
        const SHOWN: usize = 4;
        let mut via = span.via;
        std::iter::from_fn(move || {
            let (cause, place) = self.steps.get(usize::try_from(via?.0.get()).ok()? - 1)?;
            let cause = self.cause(*cause)?;
            via = cause.at.via;
            let label = match cause.kind {
                CauseKind::Value => format!("this is the value of `${}`", cause.name),
                CauseKind::Repeat => format!("repeated by this, with {}", cause.name),
            };
            Some(Origin { place: *place, label })
        })
        .take(SHOWN)
    }

    /// The file's name.
    #[must_use]
    pub fn name(&self, id: SourceId) -> &str {
        self.file(id).map_or("", |file| &file.name)
    }

    /// The `include` that named the file.
    #[must_use]
    pub fn included_at(&self, id: SourceId) -> Option<Span> {
        self.file(id).and_then(|file| file.included_at)
    }

    /// A file did not fit: that decides the outcome, and no other need be read.
    pub(super) const fn refuse_more(&mut self) {
        self.full = true;
    }

    /// Whether a file did not fit.
    pub(super) const fn refuses_more(&self) -> bool {
        self.full
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> usize {
        self.files.iter().map(|file| file.text.len()).sum()
    }

    /// Number of files.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether no file was read.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Where a span begins.
    #[must_use]
    pub fn position(&self, span: Span) -> Position<'_> {
        let Some(file) = self.file(span.source) else {
            return Position {
                file: "",
                line: 1,
                column: 1,
            };
        };
        let line = file.line_of(span.start);
        let before = file
            .text
            .get(index(file.line_start(line))..index(span.start))
            .unwrap_or("");
        Position {
            file: &file.name,
            line: line + 1,
            column: before.chars().count() + 1,
        }
    }

    /// Never show the rest of the line from `start` on, nor of the lines that its text is from.
    pub fn hide_line_from(&mut self, start: Span) {
        let origins: Vec<Span> = self.origins(start).filter_map(|origin| origin.place).collect();
        self.hide_here(start);
        for place in origins {
            self.hide_here(place);
        }
    }

    fn hide_here(&mut self, start: Span) {
        let Some(file) = self.files.get_mut(usize::from(start.source.0)) else {
            return;
        };
        let end = file
            .text
            .get(index(start.start)..)
            .and_then(|rest| rest.find(['\n', '\r']));
        let end = end.map_or(offset(file.text.len()), |len| start.start + offset(len));
        // Nearly always after the last one; the text of a variable may stand before.
        let place = file.secrets.partition_point(|secret| secret.end <= start.start);
        if file.secrets.get(place).is_none_or(|next| end <= next.start) {
            file.secrets.insert(place, start.start..end);
        } else if let Some(next) = file.secrets.get_mut(place) {
            next.start = next.start.min(start.start);
        }
    }

    /// Whether a part of the span is secret: then a text that would stand in its place is, too.
    pub(super) fn hides(&self, span: Span) -> bool {
        self.file(span.source).is_some_and(|file| {
            let touches = |secret: &Range<u32>| secret.start < span.end && span.start < secret.end;
            file.secrets.iter().any(touches)
        })
    }

    /// The lines that hold the span, for showing: first byte's offset, line number from 1, and the text, in
    /// which secrets are starred out byte for byte.
    pub(super) fn excerpt(&self, span: Span) -> (u32, usize, String) {
        let Some(file) = self.file(span.source) else {
            return (0, 1, String::new());
        };
        let first = file.line_of(span.start);
        let last = file.line_of(span.end.max(span.start + 1) - 1);
        let from = file.line_start(first);
        let to = file
            .lines
            .get(last + 1)
            .copied()
            .unwrap_or(offset(file.text.len()));
        // Of a line that nobody can read, what stands around the span.
        let (from, to) = if to - from > LONGEST_SHOWN {
            let start = span.start.saturating_sub(LONGEST_SHOWN / 8).max(from);
            let end = span
                .end
                .min(span.start + LONGEST_SHOWN / 2)
                .saturating_add(LONGEST_SHOWN / 8)
                .min(to);
            let boundary = |at: u32| offset(file.text.floor_char_boundary(index(at)));
            (boundary(start), boundary(end))
        } else {
            (from, to)
        };
        let shown = file.text.get(index(from)..index(to)).unwrap_or("");
        let mut text = String::with_capacity(shown.len());
        let mut done = from;
        let hidden = file.secrets.partition_point(|secret| secret.end <= from);
        for secret in file
            .secrets
            .iter()
            .skip(hidden)
            .take_while(|secret| secret.start < to)
        {
            let (start, end) = (secret.start.max(done), secret.end.min(to));
            text.push_str(file.text.get(index(done)..index(start)).unwrap_or(""));
            text.extend(std::iter::repeat_n('*', index(end.saturating_sub(start))));
            done = end;
        }
        text.push_str(file.text.get(index(done)..index(to)).unwrap_or(""));
        let text = text.trim_end_matches(['\n', '\r']);
        // As long as the stand-in, so that places stay.
        let text = text.replace(is_stand_in, "\u{fffd}");
        (from, first + 1, text)
    }

    /// The text of a span, as written.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.source).get(span.range()).unwrap_or("")
    }

    fn file(&self, id: SourceId) -> Option<&SourceFile> {
        self.files.get(usize::from(id.0))
    }
}

impl SourceFile {
    fn line_of(&self, at: u32) -> usize {
        self.lines.partition_point(|start| *start <= at).saturating_sub(1)
    }

    fn line_start(&self, line: usize) -> u32 {
        self.lines.get(line).copied().unwrap_or(0)
    }
}

/// First of the private characters that stand for what has no character of its own: `\u{ef00}` to `\u{ef7f}` for
/// ASCII that means nothing but itself, `\u{ef80}` to `\u{efff}` for a byte that is not UTF-8.
const STAND_INS: u32 = 0xef00;

/// The character that stands for a byte.
pub(super) fn stand_in(byte: u8) -> char {
    char::from_u32(STAND_INS + u32::from(byte)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

/// The byte that a character stands for.
pub(super) fn stood_for(c: char) -> Option<u8> {
    u32::from(c)
        .checked_sub(STAND_INS)
        .and_then(|byte| u8::try_from(byte).ok())
}

fn is_stand_in(c: char) -> bool {
    stood_for(c).is_some()
}

/// Bytes to text, each byte that is not UTF-8 by its stand-in. A stand-in in the bytes themselves is taken for
/// three such bytes, so that nothing is mistaken for it.
pub(super) fn decoded(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        match escaped(chunk.valid()) {
            Cow::Borrowed(valid) => text.push_str(valid),
            Cow::Owned(valid) => text.push_str(&valid),
        }
        text.extend(chunk.invalid().iter().map(|byte| stand_in(*byte)));
    }
    text
}

fn escaped(valid: &str) -> Cow<'_, str> {
    // Their first byte is seldom; that it is missing is quickly seen.
    if !valid.as_bytes().contains(&0xee) || !valid.contains(is_stand_in) {
        return Cow::Borrowed(valid);
    }
    let mut text = String::with_capacity(valid.len());
    for c in valid.chars() {
        if is_stand_in(c) {
            let mut buffer = [0; 4];
            text.extend(c.encode_utf8(&mut buffer).bytes().map(stand_in));
        } else {
            text.push(c);
        }
    }
    Cow::Owned(text)
}

/// An offset into a text no longer than [`MAX_FILE_LEN`] (times nine, for stand-ins).
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
