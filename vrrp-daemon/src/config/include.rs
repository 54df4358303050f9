//! `include FILE`: relative to the including file, with `*`, `?`, `[…]` and `{a,b}` in any part of the path.
//!
//! A file that is missing is left out, as in keepalived; `includer`, `includem`, `includew`, `includeb`, `includea`,
//! `include_check` and the option `-e` say what must be there. keepalived does not start then, with status 6.

use std::io;
use std::path::{Path, PathBuf};

use super::diag::{Diagnostic, Remark, Sink};
use super::environment::{Environment, ReadOptions};
use super::source::{MAX_FILE_LEN, SourceId, Sources, Span};

/// Files read at most; a file that includes itself ends here.
const MAX_FILES: usize = 1_000;
/// Bytes of all files together, at most.
const MAX_BYTES: usize = 4 * MAX_FILE_LEN;
/// Files within files, at most.
const MAX_DEPTH: usize = 32;
/// Names that braces in one pattern may stand for.
const MAX_NAMES: usize = 1_000;
/// Bytes of a pattern; no path is longer (PATH_MAX).
const LONGEST_PATTERN: usize = 4_096;

/// What an include must find, or the daemon does not start (measured with 2.2.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Required {
    /// What is there must be a file that can be read.
    readable: bool,
    /// A name without wildcards must be there.
    named: bool,
    /// Something must match a wildcard.
    matched: bool,
    /// All names in braces must be there.
    braces: bool,
}

impl Required {
    const ALL: Self = Self {
        readable: true,
        named: true,
        matched: true,
        braces: true,
    };

    pub(super) fn new(options: &ReadOptions) -> Self {
        if options.all_includes {
            Self::ALL
        } else {
            Self::default()
        }
    }

    /// What an include asks for by its keyword, besides; `None` if it is none.
    pub(super) fn with(self, keyword: &str) -> Option<Self> {
        let readable = Self {
            readable: true,
            ..self
        };
        match keyword {
            "include" => Some(self),
            "includer" => Some(readable),
            "includem" => Some(Self {
                named: true,
                ..readable
            }),
            "includew" => Some(Self {
                named: true,
                matched: true,
                ..readable
            }),
            "includeb" => Some(Self {
                braces: true,
                ..readable
            }),
            "includea" => Some(Self::ALL),
            _ => None,
        }
    }

    /// `include_check`: all without a word; each word adds.
    pub(super) fn check(&mut self, words: &str) {
        if words.trim().is_empty() {
            *self = Self::ALL;
        }
        for word in words.split_whitespace() {
            match word {
                "readable" => self.readable = true,
                "match" => self.named = true,
                "wildcard_match" => self.matched = true,
                "brace_match" => self.braces = true,
                _ => {}
            }
        }
    }
}

/// A word of `include_check`.
pub(super) fn is_include_check(word: &str) -> bool {
    matches!(word, "readable" | "match" | "wildcard_match" | "brace_match")
}

/// Take in the files that an `include` names, in alphabetical order.
pub(super) fn open(
    pattern: &str,
    at: Span,
    required: Required,
    environment: &dyn Environment,
    sources: &mut Sources,
    sink: &mut Sink,
) -> Vec<SourceId> {
    if pattern.len() > LONGEST_PATTERN {
        sink.push(
            Diagnostic::error(format!("a path of more than {LONGEST_PATTERN} bytes"))
                .at(at, "not read")
                .help("is it a path at all?"),
        );
        return Vec::new();
    }
    // Nothing is looked for that could not be read.
    if let Some(limit) = limit_reached(sources) {
        sink.push_once(
            "includes",
            || {
                Diagnostic::error(limit)
                    .at(at, "not read, nor is what is included after it")
                    .help("include fewer files")
            },
            at,
        );
        return Vec::new();
    }
    let from = PathBuf::from(sources.name(at.source));
    let mut includes = Includes {
        environment,
        directory: from.parent().unwrap_or(Path::new("")).to_owned(),
        at,
        required,
        sources,
        sink,
    };
    let names = alternatives(pattern);
    let in_braces = names.len() > 1;
    let mut files = Vec::new();
    for name in names {
        let wild = name.contains(['*', '?', '[']);
        let matched = includes.matching(&name);
        if matched.is_empty() {
            includes.unmatched(
                &name,
                if in_braces {
                    required.braces
                } else {
                    required.matched
                },
            );
        }
        let must = if in_braces {
            required.braces
        } else {
            required.named
        };
        for path in matched {
            files.extend(includes.read(&path, must && !wild));
        }
    }
    files
}

struct Includes<'a> {
    environment: &'a dyn Environment,
    directory: PathBuf,
    at: Span,
    required: Required,
    sources: &'a mut Sources,
    sink: &'a mut Sink,
}

impl Includes<'_> {
    fn unmatched(&mut self, pattern: &str, required: bool) {
        let diagnostic = if required {
            must_be_there(format!("no file matches `{pattern}`"))
        } else {
            Diagnostic::note(format!("no file matches `{pattern}`"))
        };
        self.sink.push(
            diagnostic
                .at(self.at, "")
                .help(format!("paths are relative to {}", shown(&self.directory))),
        );
    }

    fn read(&mut self, path: &Path, must: bool) -> Option<SourceId> {
        let at = self.at;
        match depth_of(path, at, self.sources) {
            None => {
                self.sink.push(
                    Diagnostic::error(format!("{} includes itself", path.display()))
                        .at(at, "")
                        .help("remove one of the includes"),
                );
                return None;
            }
            Some(MAX_DEPTH..) => {
                self.sink.push(
                    Diagnostic::error(format!("files include each other more than {MAX_DEPTH} deep"))
                        .at(at, "not read")
                        .help("do they include each other in a circle?"),
                );
                return None;
            }
            Some(_) => {}
        }
        if let Some(limit) = limit_reached(self.sources) {
            self.sink.push_once(
                "includes",
                || Diagnostic::error(limit).at(at, "").help("include fewer files"),
                at,
            );
            return None;
        }
        match self.environment.read(path) {
            Ok(bytes) => {
                let fits = self.sources.bytes() + bytes.len() <= MAX_BYTES;
                let source = fits.then(|| self.sources.add(path.display().to_string(), &bytes, Some(at)));
                let source = source.flatten();
                if source.is_none() {
                    self.sources.refuse_more();
                    self.sink.push(
                        Diagnostic::error(format!("{} is too large", path.display()))
                            .at(at, "not read")
                            .help("a file has at most 16 MiB, all together at most 64 MiB"),
                    );
                }
                source
            }
            Err(error) => {
                let missing = error.kind() == io::ErrorKind::NotFound;
                let message = format!("cannot read {}: {error}", path.display());
                let diagnostic = if missing && must || !missing && self.required.readable {
                    must_be_there(message)
                } else {
                    Diagnostic::warning(message).remark(Remark::None)
                };
                self.sink.push(
                    diagnostic
                        .at(at, "left out")
                        .help("make it readable, or remove the include"),
                );
                None
            }
        }
    }

    fn matching(&self, pattern: &str) -> Vec<PathBuf> {
        let mut paths = match pattern.strip_prefix('/') {
            Some(_) => vec![PathBuf::from("/")],
            None => vec![self.directory.clone()],
        };
        for part in pattern.split('/').filter(|part| !part.is_empty()) {
            paths = paths
                .iter()
                .flat_map(|path| self.step(path, part))
                .take(MAX_NAMES)
                .collect();
        }
        paths
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

/// keepalived ends with status 6 over it.
/// Why no other file is read.
fn limit_reached(sources: &Sources) -> Option<String> {
    if sources.len() >= MAX_FILES {
        Some(format!("more than {MAX_FILES} files are included"))
    } else if sources.refuses_more() {
        Some("the files are too large".to_owned())
    } else {
        None
    }
}

fn must_be_there(message: String) -> Diagnostic {
    Diagnostic::error(message).remark(Remark::Security)
}

/// How many files are around an include; `None` if one of them is `path`.
fn depth_of(path: &Path, at: Span, sources: &Sources) -> Option<usize> {
    let mut place = Some(at);
    let mut depth = 0;
    while let Some(span) = place {
        if Path::new(sources.name(span.source)) == path {
            return None;
        }
        depth += 1;
        place = sources.included_at(span.source);
    }
    Some(depth)
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
