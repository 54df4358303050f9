//! `include FILE`: relative to the including file, with `*`, `?`, `[…]` and `{a,b}` in any part of the path.

use std::path::{Path, PathBuf};

use super::diag::{Diagnostic, Sink};
use super::environment::Environment;
use super::lexer::{Lexed, Word, lex};
use super::source::{Sources, Span};

/// Files read at most; a file that includes itself ends here.
const MAX_FILES: usize = 1_000;
/// Names that braces in one pattern may stand for.
const MAX_NAMES: usize = 1_000;

/// What `include` needs of the outside.
pub(super) struct Includes<'e> {
    pub(super) environment: &'e dyn Environment,
}

impl Includes<'_> {
    /// `include` and its stricter forms.
    pub(super) fn is_keyword(word: &str) -> bool {
        matches!(
            word,
            "include" | "includer" | "includem" | "includew" | "includeb" | "includea"
        )
    }

    /// The files that an `include` names, in alphabetical order.
    pub(super) fn open(
        &self,
        keyword: &Word,
        words: &[Word],
        sources: &mut Sources,
        sink: &mut Sink,
    ) -> Option<Vec<Lexed>> {
        let Some(pattern) = words.first() else {
            sink.push(
                Diagnostic::warning("`include` names no file")
                    .at(keyword.span, "")
                    .help("name one"),
            );
            return None;
        };
        let from = PathBuf::from(sources.name(keyword.span.source));
        let directory = from.parent().unwrap_or(Path::new(""));
        let mut files = Vec::new();
        let matched = self.matching(directory, &pattern.text);
        if matched.is_empty() {
            sink.push(
                Diagnostic::warning(format!("no file matches `{}`", pattern.text))
                    .at(pattern.span, "")
                    .help(format!("paths are relative to {}", shown(directory))),
            );
        }
        for path in matched {
            if let Some(lexed) = self.read(&path, pattern.span, sources, sink) {
                files.push(lexed);
            }
        }
        Some(files)
    }

    fn read(&self, path: &Path, at: Span, sources: &mut Sources, sink: &mut Sink) -> Option<Lexed> {
        if included_by_itself(path, at, sources) {
            sink.push(
                Diagnostic::error(format!("{} includes itself", path.display()))
                    .at(at, "")
                    .help("remove one of the includes"),
            );
            return None;
        }
        if sources.len() >= MAX_FILES {
            let message = format!("more than {MAX_FILES} files are included");
            sink.push_once(
                "includes",
                || Diagnostic::error(message).at(at, "").help("include fewer files"),
                at,
            );
            return None;
        }
        match self.environment.read(path) {
            Ok(bytes) => {
                let Some(source) = sources.add(path.display().to_string(), &bytes, Some(at)) else {
                    sink.push(Diagnostic::error(format!("{} is too large", path.display())).at(at, ""));
                    return None;
                };
                Some(lex(sources, source, sink))
            }
            Err(error) => {
                sink.push(
                    Diagnostic::warning(format!("cannot read {}: {error}", path.display()))
                        .at(at, "left out")
                        .help("make it readable, or remove the include"),
                );
                None
            }
        }
    }

    fn matching(&self, directory: &Path, pattern: &str) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for pattern in alternatives(pattern) {
            let mut paths = match pattern.strip_prefix('/') {
                Some(_) => vec![PathBuf::from("/")],
                None => vec![directory.to_owned()],
            };
            for part in pattern.split('/').filter(|part| !part.is_empty()) {
                paths = paths
                    .iter()
                    .flat_map(|path| self.step(path, part))
                    .take(MAX_NAMES)
                    .collect();
            }
            found.extend(paths);
        }
        found
    }

    /// The paths that one part of a pattern leads to.
    fn step(&self, path: &Path, part: &str) -> Vec<PathBuf> {
        if !part.contains(['*', '?', '[']) {
            return vec![path.join(part)];
        }
        let listed = if path.as_os_str().is_empty() {
            Path::new(".")
        } else {
            path
        };
        let mut names = self.environment.list(listed).unwrap_or_default();
        names.retain(|name| (part.starts_with('.') || !name.starts_with('.')) && fits(part, name));
        names.sort();
        names.into_iter().map(|name| path.join(name)).collect()
    }
}

fn included_by_itself(path: &Path, at: Span, sources: &Sources) -> bool {
    let mut place = Some(at);
    while let Some(span) = place {
        if Path::new(sources.name(span.source)) == path {
            return true;
        }
        place = sources.included_at(span.source);
    }
    false
}

fn shown(directory: &Path) -> String {
    if directory.as_os_str().is_empty() {
        ".".to_owned()
    } else {
        directory.display().to_string()
    }
}

/// What `{a,b}` stands for; at most [`MAX_NAMES`].
fn alternatives(pattern: &str) -> Vec<String> {
    let mut done = Vec::new();
    let mut open = vec![pattern.to_owned()];
    while let Some(pattern) = open.pop() {
        let braces = pattern.find('}').and_then(|close| {
            let start = pattern.get(..close)?.rfind('{')?;
            Some((
                pattern.get(..start)?,
                pattern.get(start + 1..close)?,
                pattern.get(close + 1..)?,
            ))
        });
        match braces {
            Some((before, inside, after)) if open.len() + done.len() < MAX_NAMES => {
                open.extend(
                    inside
                        .split(',')
                        .rev()
                        .map(|name| format!("{before}{name}{after}")),
                );
            }
            _ => done.push(pattern),
        }
    }
    done
}

/// Whether a name fits a pattern of `*`, `?` and `[…]`. Only the last `*` is ever gone back to, so the time
/// is at most the product of both lengths.
fn fits(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while let Some(c) = name.get(n) {
        let step = match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, n));
                p += 1;
                continue;
            }
            Some('?') => Some(1),
            Some('[') => class(pattern.get(p..).unwrap_or(&[]), *c),
            Some(literal) => (literal == c).then_some(1),
            None => None,
        };
        match (step, star) {
            (Some(len), _) => {
                p += len;
                n += 1;
            }
            (None, Some((after, taken))) => {
                star = Some((after, taken + 1));
                p = after;
                n = taken + 1;
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).unwrap_or(&[]).iter().all(|c| *c == '*')
}

/// If the class that `pattern` begins with holds `c`: its length.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let close = pattern.iter().skip(2).position(|c| *c == ']')? + 2;
    let inside = pattern.get(1..close)?;
    let (negated, inside) = match inside {
        ['!' | '^', rest @ ..] => (true, rest),
        _ => (false, inside),
    };
    let mut holds = false;
    let mut rest = inside;
    loop {
        rest = match rest {
            [from, '-', to, rest @ ..] => {
                holds |= (*from..=*to).contains(&c);
                rest
            }
            [one, rest @ ..] => {
                holds |= *one == c;
                rest
            }
            [] => break,
        };
    }
    (holds != negated).then_some(close + 1)
}
