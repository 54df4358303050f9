//! The text of a configuration, file by file, and positions in it.

use std::ops::Range;

/// Largest file read. A configuration of 10 000 addresses has less than one megabyte.
pub(super) const MAX_FILE_LEN: usize = 16 << 20;

/// Bytes of a source line that are shown whole.
const LONGEST_SHOWN: u32 = 800;

/// One file of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SourceId(u16);

/// A piece of one file, in bytes of its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// First byte after it.
    pub end: u32,
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
}

#[derive(Clone, Debug)]
struct SourceFile {
    name: String,
    text: String,
    /// Offset of the first byte of each line.
    lines: Vec<u32>,
    /// Offsets of the replacement characters that stand for bytes which are not UTF-8.
    invalid: Vec<u32>,
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

    fn range(self) -> Range<usize> {
        index(self.start)..index(self.end)
    }
}

impl Sources {
    /// Take a file in. Bytes that are not UTF-8 become U+FFFD, remembered in [`Sources::is_invalid`].
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
        let mut text = String::with_capacity(bytes.len());
        let mut invalid = Vec::new();
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            if !chunk.invalid().is_empty() {
                invalid.push(offset(text.len()));
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        let after_newlines = text.match_indices('\n').map(|(at, _)| offset(at + 1));
        let lines = std::iter::once(0).chain(after_newlines).collect();
        self.files.push(SourceFile {
            name: name.into(),
            text,
            lines,
            invalid,
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

    /// Whether the U+FFFD at this offset stands for bytes that are not UTF-8.
    #[must_use]
    pub fn is_invalid(&self, id: SourceId, at: u32) -> bool {
        self.file(id)
            .is_some_and(|file| file.invalid.binary_search(&at).is_ok())
    }

    /// Never show the rest of the line from `start` on.
    pub fn hide_line_from(&mut self, start: Span) {
        let Some(file) = self.files.get_mut(usize::from(start.source.0)) else {
            return;
        };
        let end = file
            .text
            .get(index(start.start)..)
            .and_then(|rest| rest.find(['\n', '\r']));
        let end = end.map_or(offset(file.text.len()), |len| start.start + offset(len));
        if file.secrets.last().is_none_or(|last| last.end <= start.start) {
            file.secrets.push(start.start..end);
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
        (from, first + 1, text.trim_end_matches(['\n', '\r']).to_owned())
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

/// An offset into a text no longer than [`MAX_FILE_LEN`] (times three, for replacement characters).
pub(super) fn offset(at: usize) -> u32 {
    u32::try_from(at).unwrap_or(u32::MAX)
}

fn index(at: u32) -> usize {
    usize::try_from(at).unwrap_or(usize::MAX)
}
