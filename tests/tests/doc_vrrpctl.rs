//! docs/vrrpctl.md, executed: every command of its consoles is run where its prompt says, and answers what stands there, but
//! for numbers. What it says of JSON is held against the JSON.
//!
//! When something differs, the document as the commands answer now is left as `target/vrrpctl.md`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::IpAddr;
use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::Value;
use vrrp_tests::lab::{
    Daemon, Duo, Host, Program, Settings, follow, root_or_skip, target_dir, until, vrrpctl, vrrpctl_events,
};

const LIMIT: Duration = Duration::from_secs(10);

fn document() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .with_file_name("docs")
        .join("vrrpctl.md");
    fs::read_to_string(path).expect("docs/vrrpctl.md")
}

/// The first block of text is host A's file.
fn file_of_a(document: &str) -> &str {
    let (_, rest) = document.split_once("```text\n").expect("the document has it");
    rest.split_once("```").expect("the document has it").0
}

fn file_of_b(of_a: &str) -> String {
    of_a.replace("priority 150", "priority 100")
        .replace("192.0.2.1\n", "192.0.2.x\n")
        .replace("192.0.2.2\n", "192.0.2.1\n")
        .replace("192.0.2.x\n", "192.0.2.2\n")
}

/// Two hosts as the document has them: A is Master, and B has heard twenty adverts of it.
struct Stage {
    duo: Duo,
    _daemons: [Daemon; 2],
}

impl Stage {
    fn new(document: &str) -> anyhow::Result<Self> {
        let duo = Duo::new()?;
        let start = |host: &Host, file: &str| Daemon::start(host, &Program::ours()?, file, Daemon::QUIET);
        let of_a = file_of_a(document);
        let on_a = start(&duo.a.host, of_a)?;
        duo.a.await_mastery(Settings::ADDRESS, &duo.b, LIMIT)?;
        let on_b = start(&duo.b.host, &file_of_b(of_a))?;
        until("B has heard twenty adverts", LIMIT, || {
            Ok(gaps(&duo.b.host).is_ok_and(|gaps| gaps >= Some(20)))
        })?;
        Ok(Self {
            duo,
            _daemons: [on_a, on_b],
        })
    }

    fn host(&self, prompt: char) -> &Host {
        match prompt {
            'a' => &self.duo.a.host,
            _ => &self.duo.b.host,
        }
    }
}

fn gaps(host: &Host) -> anyhow::Result<Option<u64>> {
    let peers = vrrpctl(host, &["peers", "--json"])?.json()?;
    Ok(peers[0]["gaps"]["count"].as_u64())
}

/// A command that goes on until it has said all that the document has of it, up to `^C`.
struct Follower {
    child: Child,
    expected: Vec<String>,
    /// Where in the new document its lines stand.
    at: usize,
}

impl Follower {
    fn start(host: &Host, command: &str, answer: &[String], at: usize) -> anyhow::Result<Self> {
        let child = follow(shell(host, command)?)?;
        let expected = answer.iter().filter(|line| *line != "^C").cloned().collect();
        Ok(Self { child, expected, at })
    }

    /// As many lines as are expected; fewer if they do not come.
    fn lines(mut self) -> anyhow::Result<(Vec<String>, bool)> {
        let stdout = self.child.stdout.take().context("a pipe")?;
        let (tell, told) = channel();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ended = tell.send(line);
            }
        });
        let mut lines = Vec::new();
        while lines.len() < self.expected.len()
            && let Ok(line) = told.recv_timeout(LIMIT)
        {
            if !is_late(&line) {
                lines.push(line);
            }
        }
        self.child.kill()?;
        self.child.wait()?;
        reader.join().expect("the reader");
        lines.extend(told.try_iter().filter(|line| !is_late(line)));
        let said = |lines: &[String]| lines.iter().map(|line| event(line)).collect::<Vec<_>>();
        let good = said(&lines) == said(&self.expected);
        Ok((lines, good))
    }
}

/// A busy machine is no mistake of the document.
fn is_late(event: &str) -> bool {
    event.contains(" an advert of ")
}

/// One command of the document, and what it answers there.
struct Example {
    prompt: char,
    command: String,
    answer: Vec<String>,
}

/// The document in pieces: text as it is, and examples.
enum Piece {
    Text(String),
    Console(Vec<Example>),
}

fn pieces(document: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut rest = document;
    while let Some((before, behind)) = rest.split_once("```console\n") {
        let (inside, behind) = behind.split_once("```\n").expect("the document has it");
        pieces.push(Piece::Text(before.to_owned()));
        let mut examples: Vec<Example> = Vec::new();
        for line in inside.lines() {
            let command = line.strip_prefix("a# ").or_else(|| line.strip_prefix("b# "));
            match command {
                Some(command) => examples.push(Example {
                    prompt: if line.starts_with('a') { 'a' } else { 'b' },
                    command: command.to_owned(),
                    answer: Vec::new(),
                }),
                None => examples
                    .last_mut()
                    .expect("a command comes first")
                    .answer
                    .push(line.to_owned()),
            }
        }
        pieces.push(Piece::Console(examples));
        rest = behind;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces
}

/// What may differ from run to run is made the same: numbers with their units, how wide a column is, how adverts arrive.
fn normal(line: &str) -> String {
    // How many classes there are is the machine's affair.
    let line = line.split("; gaps of at least").next().unwrap_or(line);
    const UNITS: [&str; 6] = ["us", "ms", "s", "m", "h", "d"];
    let mut words: Vec<String> = Vec::new();
    for word in line.split_whitespace() {
        let bare = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let address = bare
            .split('/')
            .next()
            .is_some_and(|bare| bare.parse::<IpAddr>().is_ok());
        let after_number = words.last().is_some_and(|before| before.ends_with('N'));
        let word = match word {
            "xdp-native" | "xdp-generic" | "raw" => "RECEIVED".to_owned(),
            _ if address => word.to_owned(),
            _ if bare.split(':').count() == 6 => "MAC".to_owned(),
            _ => numberless(word),
        };
        let unit = after_number && UNITS.contains(&word.trim_end_matches([',', ')', ';', ':']));
        if unit {
            let rest = word.trim_start_matches(|c: char| c.is_ascii_alphabetic());
            if let Some(number) = words.last_mut() {
                number.push_str(rest);
            }
        } else if after_number && word.starts_with('N') {
            // 5 m 03 s, or a bound beside another.
            words.pop();
            words.push(word);
        } else {
            words.push(word);
        }
    }
    words.join(" ").replace("N to N", "N")
}

fn numberless(word: &str) -> String {
    let mut out = String::new();
    let mut in_number = false;
    for c in word.chars() {
        let digit = c.is_ascii_digit() || (in_number && c == '.');
        if digit && !in_number {
            out.push('N');
        }
        if !digit {
            out.push(c);
        }
        in_number = digit;
    }
    out
}

/// A time of day before the words.
fn event(line: &str) -> String {
    normal(line.split_once('(').map_or(line, |(_, words)| words))
}

fn run(host: &Host, command: &str) -> anyhow::Result<(i32, Vec<String>)> {
    let output = shell(host, command)?.stderr(Stdio::piped()).output()?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said)
        .lines()
        .map(str::to_owned)
        .collect();
    Ok((output.status.code().unwrap_or(-1), said))
}

fn shell(host: &Host, command: &str) -> anyhow::Result<std::process::Command> {
    let binary = Program::ours()?.binary();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = host.namespace().command("sh");
    shell
        .args(["-c", &format!("exec {command}")])
        .env("PATH", format!("{}:{path}", binary.with_file_name("").display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped());
    Ok(shell)
}

/// Whether asking again does nothing to the daemon.
fn only_asks(command: &str) -> bool {
    ["status", "show", "explain", "peers", "counters", "check"]
        .iter()
        .any(|asks| command.starts_with(&format!("vrrpctl {asks}")))
}

fn same(one: &[String], other: &[String]) -> bool {
    let normal = |lines: &[String]| {
        let lines = lines.iter().map(|line| normal(line));
        // A busy machine is no mistake of the document.
        lines
            .filter(|line| !line.starts_with("late adverts of the Master"))
            .collect::<Vec<_>>()
    };
    normal(one) == normal(other)
}

/// Run them; what they answered, with what differs from the document in `wrong`.
fn run_all(stage: &Stage, document: &str, wrong: &mut Vec<String>) -> anyhow::Result<String> {
    let mut now = String::new();
    let mut code = 0;
    let mut follower: Option<Follower> = None;
    for piece in pieces(document) {
        let examples = match piece {
            Piece::Text(text) => {
                now.push_str(&text);
                continue;
            }
            Piece::Console(examples) => examples,
        };
        now.push_str("```console\n");
        let followed = follower.take();
        for Example {
            prompt,
            command,
            answer,
        } in examples
        {
            let host = stage.host(prompt);
            writeln!(now, "{prompt}# {command}")?;
            if answer.last().is_some_and(|line| line == "^C") {
                follower = Some(Follower::start(host, &command, &answer, now.len())?);
                now.push_str("^C\n");
                continue;
            }
            let said = if command == "echo $?" {
                vec![code.to_string()]
            } else {
                let deadline = Instant::now() + LIMIT;
                loop {
                    let (ended, said) = run(host, &command)?;
                    code = ended;
                    if same(&said, &answer) || !only_asks(&command) || Instant::now() >= deadline {
                        break said;
                    }
                    std::thread::sleep(Duration::from_millis(20));
                }
            };
            let exact = command == "echo $?" && said != answer;
            if exact || !same(&said, &answer) {
                wrong.push(format!("{prompt}# {command}\n{}", said.join("\n")));
            }
            for line in said {
                writeln!(now, "{line}")?;
            }
        }
        if let Some(followed) = followed {
            let at = followed.at;
            let (lines, good) = followed.lines()?;
            if !good {
                wrong.push(format!("what is followed:\n{}", lines.join("\n")));
            }
            let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
            now.insert_str(at, &lines);
        }
        now.push_str("```\n");
    }
    Ok(now)
}

#[test]
fn every_command_answers_what_the_document_says() {
    if !root_or_skip() {
        return;
    }
    let document = document();
    let stage = Stage::new(&document).unwrap();
    let mut wrong = Vec::new();
    let now = run_all(&stage, &document, &mut wrong).unwrap();
    if !wrong.is_empty() {
        let actual = target_dir().join("vrrpctl.md");
        fs::write(&actual, now).unwrap();
        panic!("{}\n\nwhat it is now: {}", wrong.join("\n\n"), actual.display());
    }
}

/// Every field of a value, as `a.b[].c`; what is named by data and not by us is `*`.
fn fields(value: &Value, path: &str, found: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, inner) in map {
                let key = if path.ends_with("refused") || path.ends_with("refused_elsewhere") {
                    "*"
                } else {
                    key
                };
                let inside = if path.is_empty() {
                    key.to_owned()
                } else {
                    format!("{path}.{key}")
                };
                found.insert(inside.clone());
                fields(inner, &inside, found);
            }
        }
        Value::Array(list) => {
            for inner in list {
                fields(inner, &format!("{path}[]"), found);
            }
        }
        _ => {}
    }
}

/// The fields in the first column of the table behind `before`.
fn documented(document: &str, before: &str) -> BTreeSet<String> {
    let (_, rest) = document.split_once(before).expect("the document has the table");
    rest.lines()
        .skip_while(|line| !line.starts_with('|'))
        .take_while(|line| line.starts_with('|'))
        .filter_map(|line| {
            Some(
                line.split('|')
                    .nth(1)?
                    .trim()
                    .strip_prefix('`')?
                    .split('`')
                    .next()?
                    .to_owned(),
            )
        })
        .collect()
}

#[test]
fn every_field_of_the_json_stands_in_the_document() {
    if !root_or_skip() {
        return;
    }
    let document = document();
    let stage = Stage::new(&document).unwrap();
    let (a, b) = (&stage.duo.a.host, &stage.duo.b.host);
    let mut status = BTreeSet::new();
    let mut look = |host: &Host| {
        let seen = vrrpctl(host, &["status", "--json"]).unwrap().json().unwrap();
        fields(&seen, "", &mut status);
    };
    // All there is to see: with something tracked and a sync group, after a reload, while it stands by.
    let more = "global_defs {\n dynamic_interfaces\n}\n\
                vrrp_sync_group G {\n group {\n web\n }\n}\n\
                vrrp_script chk {\n script /usr/bin/true\n}\n\
                track_file load {\n file /run/load\n}\n\
                vrrp_track_process proc {\n process nonesuch\n}\n";
    let tracks = "    track_interface {\n eth0 weight 1\n }\n    track_script {\n chk weight 1\n }\n    track_file {\n \
                  load weight 1\n }\n    track_process {\n proc weight 1\n }\n}\n";
    let of_a = file_of_a(&document);
    let file = format!("{more}{}{tracks}", of_a.trim_end().trim_end_matches('}'));
    a.install(Daemon::FILE, &file, 0o644).unwrap();
    let reloaded = vrrpctl(a, &["reload"]).unwrap();
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    look(a);
    look(b);
    assert_eq!(vrrpctl(a, &["standby", "web"]).unwrap().code, 0);
    stage
        .duo
        .b
        .await_mastery(Settings::ADDRESS, &stage.duo.a, LIMIT)
        .unwrap();
    look(a);
    status.retain(|field| !field.ends_with(".*"));
    let of_document = documented(&document, "`status --json`;");
    assert_eq!(
        status, of_document,
        "left: as it is; right: as the document has it"
    );

    let mut peers = BTreeSet::new();
    let seen = vrrpctl(a, &["peers", "--json"]).unwrap().json().unwrap();
    fields(&seen, "", &mut peers);
    let seen = vrrpctl(b, &["peers", "--json"]).unwrap().json().unwrap();
    fields(&seen, "", &mut peers);
    let peers: BTreeSet<String> = peers
        .iter()
        .map(|field| field.trim_start_matches("[].").to_owned())
        .collect();
    assert_eq!(peers, documented(&document, "`peers --json` is"));

    let mut follower = vrrpctl_events(a, &["--json"]).unwrap();
    assert_eq!(vrrpctl(a, &["resume", "web"]).unwrap().code, 0);
    let mut line = String::new();
    BufReader::new(follower.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    follower.kill().unwrap();
    follower.wait().unwrap();
    let mut event = BTreeSet::new();
    fields(&serde_json::from_str(&line).unwrap(), "", &mut event);
    assert_eq!(event, documented(&document, "`events --json` is"));
}
