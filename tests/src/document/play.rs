//! The consoles of a document, run one after the other.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use super::compare::fits;
use super::plan::{Runner, runner_of};
use super::text::{Console, Direction, Document, Example, Piece};
use crate::lab::{follow, target_dir};

/// Where the commands of a document run.
pub trait Stage {
    /// How long to ask again what only asks, and to wait for what is followed.
    const LIMIT: Duration = Duration::from_secs(10);

    /// A command line for the shell of the host that the prompt names. It has no input.
    ///
    /// # Errors
    /// There is no such host.
    fn shell(&self, host: Option<char>, line: &str) -> anyhow::Result<Command>;

    /// What happens that no console shows.
    ///
    /// # Errors
    /// It did not come about, or is not known.
    fn direct(&mut self, direction: &Direction) -> anyhow::Result<()>;
}

/// Run those sections of `document` that are `runner`'s.
///
/// # Errors
/// A command answered otherwise: all of these, and the document as it would be now is left under `target`. Or a
/// command or a direction could not be run at all.
pub fn play<S: Stage>(document: &Document, runner: Runner, stage: &mut S) -> anyhow::Result<()> {
    let mut performance = Performance {
        stage,
        now: String::new(),
        wrong: Vec::new(),
        code: 0,
        follower: None,
    };
    for piece in document.pieces()? {
        match piece {
            Piece::Text(text) => performance.now.push_str(&text),
            Piece::Direction(direction) if direction.runners.iter().any(|name| name == runner.name()) => {
                let said = direction.words.join(" ");
                performance
                    .stage
                    .direct(&direction)
                    .with_context(|| format!("{}: {said}{}", document.name, performance.so_far()))?;
            }
            Piece::Direction(_) => {}
            Piece::Console(console) if runner_of(&document.name, &console.section)? == runner => {
                performance.console(&console).with_context(|| {
                    format!("{}, {}{}", document.name, console.section, performance.so_far())
                })?;
            }
            Piece::Console(console) => performance.pass(&console)?,
        }
    }
    if performance.wrong.is_empty() {
        return Ok(());
    }
    let wrong = performance.wrong.join("\n\n");
    let actual = target_dir().join(document.name.replace('/', "-"));
    match fs::write(&actual, &performance.now) {
        Ok(()) => bail!("{wrong}\n\nwhat it is now: {}", actual.display()),
        // A guest has no such folder.
        Err(_) => bail!("{wrong}"),
    }
}

struct Performance<'a, S> {
    stage: &'a mut S,
    /// The document as the commands answer now.
    now: String,
    wrong: Vec<String>,
    /// How the last command ended.
    code: i32,
    follower: Option<Follower>,
}

impl<S: Stage> Performance<'_, S> {
    fn so_far(&self) -> String {
        match self.wrong.is_empty() {
            true => String::new(),
            false => format!("; before that:\n{}", self.wrong.join("\n\n")),
        }
    }

    /// It is somebody else's.
    fn pass(&mut self, console: &Console) -> anyhow::Result<()> {
        for example in &console.examples {
            writeln!(self.now, "{}{}", example.prompt, example.command)?;
            self.answer(&example.answer)?;
        }
        Ok(())
    }

    fn answer(&mut self, lines: &[String]) -> anyhow::Result<()> {
        for line in lines {
            writeln!(self.now, "{line}")?;
        }
        Ok(())
    }

    fn console(&mut self, console: &Console) -> anyhow::Result<()> {
        let followed = self.follower.take();
        let mut examples = console.examples.iter().peekable();
        while let Some(example) = examples.next() {
            let judged = examples.peek().is_some_and(|next| next.command == "echo $?");
            self.example(example, judged)?;
        }
        if let Some(followed) = followed {
            let at = followed.at;
            let (lines, good) = followed.lines(S::LIMIT)?;
            if !good {
                self.wrong
                    .push(format!("what is followed:\n{}", lines.join("\n")));
            }
            let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
            self.now.insert_str(at, &lines);
        }
        Ok(())
    }

    /// `judged`: the document shows how it ended.
    fn example(&mut self, example: &Example, judged: bool) -> anyhow::Result<()> {
        let Example {
            prompt,
            command,
            answer,
        } = example;
        writeln!(self.now, "{prompt}{command}")?;
        if example.goes_on() {
            // So that what is ended is the command, and not the shell alone.
            let shell = self.stage.shell(example.host(), &format!("exec {command}"))?;
            self.follower = Some(Follower::start(shell, answer, self.now.len())?);
            self.now.push_str("^C\n");
            return Ok(());
        }
        if command == "echo $?" {
            let said = vec![self.code.to_string()];
            if said != *answer {
                self.wrong.push(format!("{prompt}{command}\n{}", self.code));
            }
            return self.answer(&said);
        }
        let deadline = Instant::now() + S::LIMIT;
        let said = loop {
            let said = self.run(example)?;
            if fits(answer, &said) || !only_asks(command) || Instant::now() >= deadline {
                break said;
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let whole = !answer.is_empty() && answer.iter().all(|line| line != "…");
        let well = self.code == 0 || judged || whole;
        if well && fits(answer, &said) {
            return self.answer(answer);
        }
        let how = match well {
            true => String::new(),
            false => format!("ended with {}\n", self.code),
        };
        self.wrong
            .push(format!("{prompt}{command}\n{how}{}", said.join("\n")));
        self.answer(&said)
    }

    fn run(&mut self, example: &Example) -> anyhow::Result<Vec<String>> {
        // In the order in which it was said.
        let line = format!("exec 2>&1\n{}", example.command);
        let output = self
            .stage
            .shell(example.host(), &line)?
            .stdin(Stdio::null())
            .output()
            .with_context(|| example.command.clone())?;
        self.code = output.status.code().unwrap_or(-1);
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said);
        Ok(said.lines().map(|line| line.trim_end().to_owned()).collect())
    }
}

/// A command that goes on until it has said all that the document has of it, up to `^C`.
struct Follower {
    child: Child,
    expected: Vec<String>,
    /// Where in the new document its lines stand.
    at: usize,
}

impl Follower {
    fn start(mut shell: Command, answer: &[String], at: usize) -> anyhow::Result<Self> {
        shell.stdin(Stdio::null());
        let child = follow(shell)?;
        let expected = answer.iter().filter(|line| *line != "^C").cloned().collect();
        Ok(Self { child, expected, at })
    }

    /// As many lines as are expected; fewer if they do not come.
    fn lines(mut self, limit: Duration) -> anyhow::Result<(Vec<String>, bool)> {
        let stdout = self.child.stdout.take().context("a pipe")?;
        let (tell, told) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ended = tell.send(line);
            }
        });
        let mut lines = Vec::new();
        while lines.len() < self.expected.len()
            && let Ok(line) = told.recv_timeout(limit)
        {
            if !is_late(&line) {
                lines.push(line);
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        let _panicked = reader.join();
        lines.extend(told.try_iter().filter(|line| !is_late(line)));
        let words = |lines: &[String]| lines.iter().map(|line| event(line)).collect::<Vec<_>>();
        let good = fits(&words(&self.expected), &words(&lines));
        Ok((lines, good))
    }
}

/// A busy machine is no mistake of the document.
fn is_late(event: &str) -> bool {
    event.contains(" an advert of ")
}

/// Without the time of day before the words.
fn event(line: &str) -> String {
    line.split_once('(').map_or(line, |(_, words)| words).to_owned()
}

/// Whether asking again changes nothing.
fn only_asks(command: &str) -> bool {
    let looks = ["status", "show", "explain", "peers", "counters", "check"];
    let asks = |rest: &str| looks.iter().any(|word| rest.starts_with(word));
    command.strip_prefix("vrrpctl ").is_some_and(asks)
        || ["ip -", "ip a", "cat ", "tail ", "journalctl ", "systemctl is-"]
            .iter()
            .any(|look| command.starts_with(look))
}
