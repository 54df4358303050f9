//! Just enough of Rust's grammar to find paths, `unsafe` and glob imports: tokens without comments and
//! literals, test code marked, `use` trees unfolded.
//!
//! Not a parser on purpose: it also sees what stands inside macro calls, which a syntax tree does not.

/// A token that matters here, with its line (from 1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: usize,
    pub(super) kind: Kind,
    /// Under `#[cfg(test)]`.
    pub(super) test: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Identifier or keyword.
    Word(String),
    /// `::`
    PathSeparator,
    /// Any other single character.
    Mark(char),
}

/// A path as written, unfolded from its tree: `crate::{a::b, c}` is `crate::a::b` and `crate::c`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Path {
    pub(super) line: usize,
    pub(super) test: bool,
    /// Modules, by names, in which the path stands, below the file's own.
    pub(super) inside: Vec<String>,
    /// `*` as last segment is a glob.
    pub(super) segments: Vec<String>,
}

impl Token {
    fn is_word(&self, text: &str) -> bool {
        matches!(&self.kind, Kind::Word(word) if word == text)
    }

    /// The identifier or keyword that it is.
    pub(super) fn word(&self) -> Option<&str> {
        match &self.kind {
            Kind::Word(word) => Some(word),
            Kind::PathSeparator | Kind::Mark(_) => None,
        }
    }

    fn is_mark(&self, mark: char) -> bool {
        self.kind == Kind::Mark(mark)
    }
}

/// The tokens of a file.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text;
    let mut line = 1;
    while let Some(first) = rest.chars().next() {
        let length = match first {
            _ if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            _ if rest.starts_with("/*") => block_comment(rest),
            _ if literal(rest).is_some() => literal(rest).unwrap_or(1),
            _ if first == '_' || first.is_alphabetic() => {
                let end = rest
                    .find(|c: char| c != '_' && !c.is_alphanumeric())
                    .unwrap_or(rest.len());
                let (word, _) = rest.split_at(end);
                tokens.push(Token {
                    line,
                    kind: Kind::Word(word.to_owned()),
                    test: false,
                });
                end
            }
            _ if rest.starts_with("::") => {
                tokens.push(Token {
                    line,
                    kind: Kind::PathSeparator,
                    test: false,
                });
                2
            }
            _ => {
                if !first.is_whitespace() && !first.is_ascii_digit() {
                    tokens.push(Token {
                        line,
                        kind: Kind::Mark(first),
                        test: false,
                    });
                }
                first.len_utf8()
            }
        };
        let (consumed, behind) = rest.split_at(length);
        line += consumed.matches('\n').count();
        rest = behind;
    }
    mark_tests(&mut tokens);
    tokens
}

/// Length of a block comment; they nest.
fn block_comment(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Length of the string or character literal that `text` begins with. A lifetime is none.
fn literal(text: &str) -> Option<usize> {
    for prefix in ["br", "cr", "r"] {
        if let Some(length) = text.strip_prefix(prefix).and_then(raw) {
            return Some(prefix.len() + length);
        }
    }
    for prefix in ["b", "c", ""] {
        let quoted = text.strip_prefix(prefix).and_then(|body| {
            if body.starts_with('"') {
                string(body)
            } else {
                character(body)
            }
        });
        if let Some(length) = quoted {
            return Some(prefix.len() + length);
        }
    }
    None
}

/// Length of a string from its opening quote.
fn string(text: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}

/// Length of a character from its opening quote; `None` for a lifetime, which has no closing one.
fn character(text: &str) -> Option<usize> {
    let body = text.strip_prefix('\'')?;
    let first = body.chars().next()?;
    let after = if first == '\\' {
        // The escaped character may itself be a quote.
        2 + body.get(2..)?.find('\'')?
    } else {
        first.len_utf8()
    };
    body.get(after..)?.starts_with('\'').then_some(after + 2)
}

/// Length of a raw string's `#"..."#`.
fn raw(text: &str) -> Option<usize> {
    let hashes = text.chars().take_while(|c| *c == '#').count();
    text.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let body = text.get(hashes + 1..)?;
    Some(hashes + 1 + body.find(&end)? + end.len())
}

/// Mark every item under `#[cfg(test)]`, up to its closing brace or semicolon.
fn mark_tests(tokens: &mut [Token]) {
    let mut at = 0;
    while at < tokens.len() {
        let rest = tokens.get_mut(at..).unwrap_or_default();
        if starts_cfg_test(rest) {
            let length = item_length(rest);
            for token in rest.iter_mut().take(length) {
                token.test = true;
            }
            at += length;
        } else {
            at += 1;
        }
    }
}

fn starts_cfg_test(tokens: &[Token]) -> bool {
    let [hash, open, cfg, paren, test, ..] = tokens else {
        return false;
    };
    hash.is_mark('#') && open.is_mark('[') && cfg.is_word("cfg") && paren.is_mark('(') && test.is_word("test")
}

/// Tokens of an item with its attributes.
fn item_length(tokens: &[Token]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Mark('{' | '(' | '[') => depth += 1,
            Kind::Mark('}' | ')' | ']') => {
                depth = depth.saturating_sub(1);
                if depth == 0 && token.is_mark('}') {
                    return at + 1;
                }
            }
            Kind::Mark(';') if depth == 0 => return at + 1,
            Kind::Mark(_) | Kind::Word(_) | Kind::PathSeparator => {}
        }
    }
    tokens.len()
}

/// Every path of two segments or more, in `use` and elsewhere, with its trees unfolded; and single names
/// that are imported or used alone are left out, except in trees.
pub(super) fn paths(tokens: &[Token]) -> Vec<Path> {
    let mut paths = Vec::new();
    let mut inside: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1);
        match &token.kind {
            Kind::Mark('{') => depth += 1,
            Kind::Mark('}') => {
                depth = depth.saturating_sub(1);
                inside.retain(|(_, opened)| *opened < depth + 1);
            }
            Kind::Word(word) if word == "mod" => {
                if let (Some(Kind::Word(name)), Some(Kind::Mark('{'))) =
                    (next.map(|t| &t.kind), tokens.get(at + 2).map(|t| &t.kind))
                {
                    inside.push((name.clone(), depth + 1));
                }
            }
            Kind::Word(_) if next.is_some_and(|t| t.kind == Kind::PathSeparator) => {
                let modules: Vec<String> = inside.iter().map(|(name, _)| name.clone()).collect();
                at = tree(tokens, at, &mut Vec::new(), &modules, &mut paths);
                continue;
            }
            Kind::Word(_) | Kind::PathSeparator | Kind::Mark(_) => {}
        }
        at += 1;
    }
    paths
}

/// Unfold the tree that begins at `at`; returns the position behind it.
fn tree(
    tokens: &[Token],
    mut at: usize,
    stem: &mut Vec<String>,
    inside: &[String],
    paths: &mut Vec<Path>,
) -> usize {
    let grown = stem.len();
    while let Some(token) = tokens.get(at) {
        let segment = match &token.kind {
            Kind::Word(word) => word.clone(),
            Kind::Mark('*') => "*".to_owned(),
            Kind::Mark('{') => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    at = match token.kind {
                        Kind::Mark('}') => break,
                        Kind::Word(_) | Kind::Mark('*' | '{') => tree(tokens, at, stem, inside, paths),
                        Kind::Mark(_) | Kind::PathSeparator => at + 1,
                    };
                }
                stem.truncate(grown);
                return at + 1;
            }
            Kind::Mark(_) | Kind::PathSeparator => break,
        };
        stem.push(segment);
        at += 1;
        let more = tokens.get(at).is_some_and(|t| t.kind == Kind::PathSeparator);
        if more && !matches!(tokens.get(at + 1).map(|t| &t.kind), Some(Kind::Mark('<'))) {
            at += 1;
            continue;
        }
        paths.push(Path {
            line: token.line,
            test: token.test,
            inside: inside.to_vec(),
            segments: stem.clone(),
        });
        // `as name` in a tree is no path of its own.
        if tokens.get(at).is_some_and(|t| t.is_word("as")) && grown > 0 {
            at += 2;
        }
        break;
    }
    stem.truncate(grown);
    at
}

#[cfg(test)]
mod tests {
    use super::{Kind, paths, tokens};

    fn words(text: &str) -> Vec<String> {
        tokens(text)
            .into_iter()
            .filter_map(|token| match token.kind {
                Kind::Word(word) => Some(word),
                Kind::PathSeparator | Kind::Mark(_) => None,
            })
            .collect()
    }

    fn path_texts(text: &str) -> Vec<String> {
        paths(&tokens(text))
            .into_iter()
            .map(|path| path.segments.join("::"))
            .collect()
    }

    #[test]
    fn comments_and_literals_are_not_code() {
        assert_eq!(
            words("a // unsafe\n/* unsafe /* nested */ unsafe */ b \"unsafe \\\" c\" d"),
            ["a", "b", "d"]
        );
        assert_eq!(
            words(r####"a r#"unsafe " x"# b br"\" c b'\'' d '"' e '\u{1f}' f"####),
            ["a", "b", "c", "d", "e", "f"]
        );
        // A lifetime opens no literal.
        assert_eq!(
            words("fn f<'a>(x: &'a str, y: &'static u8) -> char { 'y' }"),
            ["fn", "f", "a", "x", "a", "str", "y", "static", "u8", "char"]
        );
    }

    #[test]
    fn lines_are_counted_through_comments_and_strings() {
        let found = tokens("/*\n\n*/ \"a\nb\" here");
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, 4);
    }

    #[test]
    fn use_trees_are_unfolded() {
        assert_eq!(
            path_texts("use crate::{a::{b, c::d as e}, f::*, self}; x(super::g::h::<u8>());"),
            [
                "crate::a::b",
                "crate::a::c::d",
                "crate::f::*",
                "crate::self",
                "super::g::h"
            ]
        );
    }

    #[test]
    fn test_items_are_marked_to_their_end() {
        let text = "use a::b;\n#[cfg(test)]\n#[path = \"x\"]\nmod tests { use c::d; fn f() { e::g(); } }\n\
                    #[cfg(test)]\nuse h::i;\nuse j::k;";
        let found: Vec<(String, bool)> = paths(&tokens(text))
            .into_iter()
            .map(|path| (path.segments.join("::"), path.test))
            .collect();
        let expected = [
            ("a::b", false),
            ("c::d", true),
            ("e::g", true),
            ("h::i", true),
            ("j::k", false),
        ];
        assert_eq!(found, expected.map(|(text, test)| (text.to_owned(), test)));
    }

    #[test]
    fn paths_know_the_inline_module_they_stand_in() {
        let found = paths(&tokens(
            "mod a { mod b { use super::c; } use super::d; } use super::e;",
        ));
        let inside: Vec<String> = found.iter().map(|path| path.inside.join("/")).collect();
        assert_eq!(inside, ["a/b", "a", ""]);
    }
}
