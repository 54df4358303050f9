//! A document in pieces.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};

/// A document of the project.
#[derive(Clone, Debug)]
pub struct Document {
    /// Where it is, seen from the workspace's root: `docs/vrrpctl.md`.
    pub name: String,
    /// All of it.
    pub text: String,
}

/// One command, and what it answers in the document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// Everything before the command: `a# `, `# `.
    pub prompt: String,
    /// As the shell gets it; more than one line where the document has it so.
    pub command: String,
    /// The lines of the answer.
    pub answer: Vec<String>,
}

impl Example {
    /// The host that the prompt names.
    #[must_use]
    pub fn host(&self) -> Option<char> {
        self.prompt.chars().next().filter(char::is_ascii_lowercase)
    }

    /// It goes on until it is interrupted.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.answer.last().is_some_and(|line| line == "^C")
    }
}

/// A fenced block marked `console`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Console {
    /// The heading that it stands under.
    pub section: String,
    /// Its commands.
    pub examples: Vec<Example>,
}

/// What happens behind the scenes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Direction {
    /// Whom it is for.
    pub runners: Vec<String>,
    /// What to do.
    pub words: Vec<String>,
    /// The block that follows at once.
    pub block: Option<String>,
}

/// A document is these, one after the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// To be left as it is, fences and comments included.
    Text(String),
    /// What stands between the fences.
    Console(Console),
    /// Its text is a piece of its own, before it.
    Direction(Direction),
}

impl Document {
    /// Read it from the source tree.
    ///
    /// # Errors
    /// It is not there.
    pub fn read(name: &str) -> anyhow::Result<Self> {
        // A guest has a copy.
        let root = env::var_os("VRRP_DOCUMENTS").map_or_else(
            || Path::new(env!("CARGO_MANIFEST_DIR")).with_file_name(""),
            PathBuf::from,
        );
        let path = root.join(name);
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        Ok(Self {
            name: name.to_owned(),
            text,
        })
    }

    /// Its pieces, in order.
    ///
    /// # Errors
    /// A block without an end, a console that does not begin with a command.
    pub fn pieces(&self) -> anyhow::Result<Vec<Piece>> {
        self.split().with_context(|| self.name.clone())
    }

    fn split(&self) -> anyhow::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut section = String::new();
        let mut text = String::new();
        let mut lines = self.text.lines();
        let mut direction: Option<Direction> = None;
        while let Some(line) = lines.next() {
            text.push_str(line);
            text.push('\n');
            let block = match line.strip_prefix("```") {
                Some(kind) => Some((kind, block(&mut lines)?)),
                None => None,
            };
            if let Some(mut told) = direction.take() {
                told.block = block.as_ref().map(|(_, inside)| inside.clone());
                pieces.push(Piece::Direction(told));
            }
            match block {
                Some(("console", inside)) => {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                    let examples = examples(&inside)?;
                    let section = section.clone();
                    pieces.push(Piece::Console(Console { section, examples }));
                    text.push_str("```\n");
                }
                Some((_, inside)) => {
                    text.push_str(&inside);
                    text.push_str("```\n");
                }
                None if line.starts_with('#') => {
                    line.trim_start_matches('#').trim().clone_into(&mut section);
                }
                None => direction = directed(line),
            }
            if direction.is_some() {
                pieces.push(Piece::Text(std::mem::take(&mut text)));
            }
        }
        pieces.extend(direction.map(Piece::Direction));
        pieces.push(Piece::Text(text));
        Ok(pieces)
    }

    /// Its consoles.
    ///
    /// # Errors
    /// As [`Document::pieces`].
    pub fn consoles(&self) -> anyhow::Result<Vec<Console>> {
        let pieces = self.pieces()?.into_iter();
        Ok(pieces
            .filter_map(|piece| match piece {
                Piece::Console(console) => Some(console),
                Piece::Text(_) | Piece::Direction(_) => None,
            })
            .collect())
    }
}

/// Up to the closing fence.
fn block<'a>(lines: &mut impl Iterator<Item = &'a str>) -> anyhow::Result<String> {
    let mut inside = String::new();
    for line in lines {
        if line == "```" {
            return Ok(inside);
        }
        inside.push_str(line);
        inside.push('\n');
    }
    anyhow::bail!("a block without an end")
}

/// `<!-- hosts system: pull a eth0 -->`; other comments are no directions.
fn directed(line: &str) -> Option<Direction> {
    let inside = line.strip_prefix("<!-- ")?.strip_suffix(" -->")?;
    let (runners, words) = inside.split_once(": ")?;
    let runners: Vec<String> = runners.split(' ').map(str::to_owned).collect();
    let names = ["hosts", "system"];
    let all = runners.iter().all(|name| names.contains(&name.as_str()));
    all.then(|| Direction {
        runners,
        words: words.split_whitespace().map(str::to_owned).collect(),
        block: None,
    })
}

/// `text` with words exchanged, all at once: `WORD=OTHER` each, an address being one word.
///
/// # Errors
/// A change without `=`.
pub fn exchanged(text: &str, changes: &[&str]) -> anyhow::Result<String> {
    let changes: Vec<(&str, &str)> = changes
        .iter()
        .map(|change| change.split_once('=').context("WORD=OTHER"))
        .collect::<anyhow::Result<_>>()?;
    let within = |c: char| c.is_ascii_alphanumeric() || c == '.';
    let pieces = text.split_inclusive(|c| !within(c)).map(|piece| {
        let word = piece.trim_end_matches(|c| !within(c));
        let change = changes.iter().find(|(from, _)| *from == word);
        change.map_or_else(|| piece.to_owned(), |(_, to)| piece.replacen(word, to, 1))
    });
    Ok(pieces.collect())
}

fn examples(inside: &str) -> anyhow::Result<Vec<Example>> {
    let mut examples: Vec<Example> = Vec::new();
    let mut goes_on = false;
    for line in inside.lines() {
        match examples.last_mut() {
            Some(example) if goes_on => {
                example.command.push('\n');
                example.command.push_str(line);
                goes_on = continued(line);
            }
            before => match prompt(line) {
                Some((prompt, command)) => {
                    goes_on = continued(command);
                    examples.push(Example {
                        prompt: prompt.to_owned(),
                        command: command.to_owned(),
                        answer: Vec::new(),
                    });
                }
                None => match before {
                    Some(example) => example.answer.push(line.to_owned()),
                    None => anyhow::bail!("a console begins with {line:?}, which is no command"),
                },
            },
        }
    }
    ensure!(!examples.is_empty(), "a console without a command");
    Ok(examples)
}

fn continued(line: &str) -> bool {
    line.ends_with(['\\', '|'])
}

/// The prompt with its blank, and what follows.
fn prompt(line: &str) -> Option<(&str, &str)> {
    let mark = line.find(['#', '$'])?;
    let (name, _) = line.split_at(mark);
    let one_host = name.is_empty() || (name.len() == 1 && name.starts_with(|c: char| c.is_ascii_lowercase()));
    let rest = line.get(mark + 1..)?.strip_prefix(' ')?;
    one_host.then(|| line.split_at(line.len() - rest.len()))
}

#[cfg(test)]
mod tests {
    use super::{Document, Piece};

    const TEXT: &str = "# Title\n\nwords\n\n<!-- hosts: file a /etc/x -->\n```text\none\n```\n\n<!-- a remark -->\n## Second\n\n\
                        ```console\na# echo 1 \\\n  2\n1 2\n# ls\n```\nend\n";

    #[test]
    fn a_document_is_its_pieces() {
        let document = Document {
            name: "x".to_owned(),
            text: TEXT.to_owned(),
        };
        let pieces = document.pieces().expect("a good document");
        let mut text = String::new();
        let mut others = Vec::new();
        for piece in pieces {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                other => others.push(other),
            }
        }
        assert_eq!(text, TEXT.replace("a# echo 1 \\\n  2\n1 2\n# ls\n", ""));
        let [Piece::Direction(direction), Piece::Console(console)] = &others[..] else {
            panic!("{others:?}");
        };
        assert_eq!(direction.words, ["file", "a", "/etc/x"]);
        assert_eq!(direction.block.as_deref(), Some("one\n"));
        assert_eq!(console.section, "Second");
        let [echo, ls] = &console.examples[..] else {
            panic!("{console:?}");
        };
        assert_eq!(
            (echo.host(), echo.command.as_str()),
            (Some('a'), "echo 1 \\\n  2")
        );
        assert_eq!(echo.answer, ["1 2"]);
        assert_eq!((ls.host(), ls.command.as_str()), (None, "ls"));
    }

    #[test]
    fn what_is_broken_is_said() {
        for (text, words) in [
            ("```console\nls\n```\n", "no command"),
            ("```console\n```\n", "without a command"),
            ("```text\n", "without an end"),
        ] {
            let document = Document {
                name: "x".to_owned(),
                text: text.to_owned(),
            };
            let error = format!("{:#}", document.pieces().expect_err(text));
            assert!(error.contains(words), "{error}");
        }
    }
}
