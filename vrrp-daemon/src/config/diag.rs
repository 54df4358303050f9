//! Diagnostics: what is wrong in a configuration, where, and what to do about it.

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::source::{Origin, Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing; nothing to do.
    Note,
    /// Something was repaired, replaced or left out; the daemon runs.
    Warning,
    /// The daemon does not start with it, nor reload to it.
    Error,
}

/// What keepalived's `-t` makes of the same input, in rising order of its exit status' precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Remark {
    /// Takes it silently: the diagnostic is ours alone.
    None,
    /// Any remark: 5.
    General,
    /// A security remark: 6.
    Security,
    /// The file cannot be read at all: 4.
    Fatal,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What keepalived's `-t` makes of it.
    pub remark: Remark,
    /// One line, a sentence without full stop.
    pub message: String,
    /// Where, with a few words to stand under the caret.
    pub place: Option<(Span, String)>,
    /// Other places that belong to it ("first used here").
    pub related: Vec<(Span, String)>,
    /// Further places with the same finding.
    pub also: Vec<Span>,
    /// What to do.
    pub help: Option<String>,
    /// Text that, put in place of the span, repairs it.
    pub fix: Option<(Span, String)>,
}

impl Diagnostic {
    /// The daemon does not start with it.
    #[must_use]
    pub fn error(message: impl Into<String>) -> Self {
        Self::new(Severity::Error, Remark::General, message.into())
    }

    /// The daemon runs; keepalived remarks on it too.
    #[must_use]
    pub fn warning(message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, Remark::General, message.into())
    }

    /// Worth knowing.
    #[must_use]
    pub fn note(message: impl Into<String>) -> Self {
        Self::new(Severity::Note, Remark::None, message.into())
    }

    /// Where, and a few words for under the caret (may be empty).
    #[must_use]
    pub fn at(mut self, span: Span, label: impl Into<String>) -> Self {
        self.place = Some((span, short(label.into())));
        self
    }

    /// Another place that belongs to it.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push((span, short(label.into())));
        self
    }

    /// What to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(short(help.into()));
        self
    }

    /// What to write instead of the span; shown as a patch under the help.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        // Of a word of megabytes the excerpt is not whole.
        self.fix = Some((span, replacement.into())).filter(|(_, text)| text.len() <= LONGEST_SAID);
        self
    }

    /// What keepalived's `-t` makes of it.
    #[must_use]
    pub fn remark(mut self, remark: Remark) -> Self {
        self.remark = remark;
        self
    }

    /// `(FILE: Line N) severity: message (help)`, on one line, for a log: the place as keepalived writes it. What
    /// included the file and where the text is from stand at the end.
    #[must_use]
    pub fn line(&self, sources: &Sources) -> String {
        let mut line = String::new();
        if let Some((span, _)) = &self.place {
            line = format!("({}) ", place(sources, *span));
        }
        line.push_str(match self.severity {
            Severity::Error => "error: ",
            Severity::Warning => "warning: ",
            Severity::Note => "note: ",
        });
        line.push_str(&self.message);
        if let Some(help) = &self.help {
            line.push_str(" (");
            line.push_str(help);
            line.push(')');
        }
        for note in self.place.iter().flat_map(|(span, _)| around(sources, *span)) {
            line.push_str("; ");
            line.push_str(&note);
        }
        line
    }

    /// Several lines with the source line and a caret, as a compiler shows it.
    #[must_use]
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let origins: Vec<Origin> = self
            .place
            .iter()
            .flat_map(|(span, _)| sources.origins(*span))
            .collect();
        let mut group = level.primary_title(self.message.as_str()).elements(
            self.place
                .iter()
                .map(|(span, label)| snippet(sources, *span, label, AnnotationKind::Primary))
                .chain(
                    self.related
                        .iter()
                        .map(|(span, label)| snippet(sources, *span, label, AnnotationKind::Context)),
                )
                .chain(origins.iter().filter_map(|origin| {
                    Some(snippet(
                        sources,
                        origin.place?,
                        &origin.label,
                        AnnotationKind::Context,
                    ))
                })),
        );
        if let Some(also) = self.also_line(sources) {
            group = group.element(Level::NOTE.message(also));
        }
        for included_at in self.place.iter().flat_map(|(span, _)| includes(sources, *span)) {
            let note = format!("included from {}", place(sources, included_at));
            group = group.element(Level::NOTE.message(note));
        }
        let mut report: Vec<Group<'_>> = Vec::new();
        match (&self.help, &self.fix) {
            (Some(help), Some((span, replacement))) if !sources.hides(*span) => {
                report.push(group);
                let (from, line, text) = sources.excerpt(*span);
                let patch = Patch::new(relative(*span, from, &text), replacement.as_str());
                report.push(
                    Level::HELP
                        .secondary_title(help.as_str())
                        .element(Snippet::source(text).line_start(line).patch(patch)),
                );
            }
            (Some(help), _) => report.push(group.element(Level::HELP.message(help.as_str()))),
            (None, _) => report.push(group),
        }
        let renderer = if colour {
            Renderer::styled()
        } else {
            Renderer::plain()
        };
        renderer.render(&report)
    }

    fn also_line(&self, sources: &Sources) -> Option<String> {
        const SHOWN: usize = 8;
        let first = self.place.as_ref().map(|(span, _)| sources.position(*span));
        let mut lines: Vec<String> = Vec::new();
        for span in &self.also {
            let at = sources.position(*span);
            let line = match &first {
                Some(first) if first.file == at.file => at.line.to_string(),
                _ => format!("{}:{}", at.file, at.line),
            };
            if lines.last() != Some(&line) && first.as_ref().is_none_or(|first| first.line != at.line) {
                lines.push(line);
            }
            if lines.len() > SHOWN {
                break;
            }
        }
        if lines.is_empty() {
            return None;
        }
        let more = if lines.len() > SHOWN {
            " and further on"
        } else {
            ""
        };
        lines.truncate(SHOWN);
        let word = if lines.len() == 1 { "line" } else { "lines" };
        Some(format!("the same on {word} {}{more}", lines.join(", ")))
    }

    fn new(severity: Severity, remark: Remark, message: String) -> Self {
        Self {
            severity,
            remark,
            message: short(message),
            place: None,
            related: Vec::new(),
            also: Vec::new(),
            help: None,
            fix: None,
        }
    }
}

/// Where findings are gathered.
#[derive(Debug, Default)]
pub(super) struct Sink {
    diagnostics: Vec<Diagnostic>,
    /// Findings that are told once however often they occur, by their key.
    merged: Vec<(String, usize)>,
    errors: usize,
    remarks: usize,
    left_out: usize,
}

/// Errors kept, and other findings: a file that is not a configuration at all has one on every line.
const KEPT: usize = 1_000;
/// Further places kept of a finding that is told once.
const LISTED: usize = 32;

impl Sink {
    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        self.push_with(diagnostic.severity, || diagnostic);
    }

    /// The same, for a finding that is dear to make: it is made only if it is kept.
    pub(super) fn push_with(&mut self, severity: Severity, diagnostic: impl FnOnce() -> Diagnostic) {
        // Apart from each other, so that an error is never lost among remarks.
        let kept = if severity == Severity::Error {
            &mut self.errors
        } else {
            &mut self.remarks
        };
        if *kept < KEPT {
            *kept += 1;
            self.diagnostics.push(diagnostic());
        } else {
            self.left_out += 1;
        }
    }

    pub(super) const fn has_errors(&self) -> bool {
        self.errors > 0
    }

    /// Report once per `key`; later places are only listed.
    pub(super) fn push_once(&mut self, key: &str, diagnostic: impl FnOnce() -> Diagnostic, at: Span) {
        if let Some((_, index)) = self.merged.iter().find(|(known, _)| known == key) {
            if let Some(known) = self.diagnostics.get_mut(*index)
                && known.also.len() < LISTED
                && known
                    .also
                    .last()
                    .copied()
                    .or(known.place.as_ref().map(|place| place.0))
                    != Some(at)
            {
                known.also.push(at);
            }
        } else {
            self.merged.push((key.to_owned(), self.diagnostics.len()));
            self.diagnostics.push(diagnostic());
        }
    }

    /// Everything, in the order of the text; findings without a place come last.
    pub(super) fn into_sorted(self) -> Vec<Diagnostic> {
        let mut diagnostics = self.diagnostics;
        diagnostics.sort_by_key(|diagnostic| {
            let place = diagnostic.place.as_ref().map(|(span, _)| *span);
            (place.is_none(), place)
        });
        if self.left_out > 0 {
            diagnostics.push(Diagnostic::warning(format!(
                "and {} more findings",
                self.left_out
            )));
        }
        diagnostics
    }
}

/// Bytes of a sentence: words of the file stand in it, and one may be as long as the file.
const LONGEST_SAID: usize = 1_000;

/// A sentence that somebody can read: of a longer one its beginning and its end.
fn short(mut text: String) -> String {
    if text.len() > LONGEST_SAID {
        let from = text.floor_char_boundary(LONGEST_SAID / 2);
        let to = text.floor_char_boundary(text.len() - LONGEST_SAID / 4);
        text.replace_range(from..to, "[…]");
    }
    text
}

/// `FILE: Line N`, as keepalived writes it.
fn place(sources: &Sources, span: Span) -> String {
    let at = sources.position(span);
    format!("{}: Line {}", at.file, at.line)
}

/// The includes around a place, the nearest first.
fn includes(sources: &Sources, span: Span) -> impl Iterator<Item = Span> {
    std::iter::successors(sources.included_at(span.source), |at| {
        sources.included_at(at.source)
    })
}

/// What a log line says besides of a place.
fn around(sources: &Sources, span: Span) -> Vec<String> {
    let origins = sources.origins(span).filter_map(|origin| {
        let at = place(sources, origin.place?);
        Some(format!("{} ({at})", origin.label))
    });
    let includes = includes(sources, span).map(|at| format!("included from {}", place(sources, at)));
    origins.chain(includes).collect()
}

fn snippet<'a>(
    sources: &'a Sources,
    span: Span,
    label: &'a str,
    kind: AnnotationKind,
) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let (from, line, text) = sources.excerpt(span);
    let mut annotation = kind.span(relative(span, from, &text));
    if !label.is_empty() {
        annotation = annotation.label(label);
    }
    Snippet::source(text)
        .line_start(line)
        .path(sources.name(span.source))
        .annotation(annotation)
}

/// The span within an excerpt, never outside of it and never inside a character.
fn relative(span: Span, from: u32, text: &str) -> std::ops::Range<usize> {
    let place = |at: u32| {
        let at = usize::try_from(at.saturating_sub(from)).unwrap_or(usize::MAX);
        text.floor_char_boundary(at)
    };
    place(span.start)..place(span.end)
}

#[cfg(test)]
mod tests {
    use super::{Diagnostic, KEPT, Severity, Sink};

    /// A text of a million misspelt words is answered soon: what each may have meant is asked for those that are shown.
    #[test]
    fn what_is_not_kept_is_not_made() {
        let mut sink = Sink::default();
        let mut made = 0;
        for _ in 0..2 * KEPT {
            sink.push_with(Severity::Warning, || {
                made += 1;
                Diagnostic::warning("unknown")
            });
        }
        assert_eq!(made, 1_000);
        // An error is kept all the same.
        sink.push_with(Severity::Error, || Diagnostic::error("wrong"));
        let told = sink.into_sorted();
        assert_eq!(told.len(), 1_002);
        assert_eq!(
            told.last().map(|last| last.message.as_str()),
            Some("and 1000 more findings")
        );
    }
}
