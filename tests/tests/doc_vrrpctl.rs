//! docs/vrrpctl.md, executed: every command of its consoles is run where its prompt says, and answers what stands there, but
//! for numbers. What it says of JSON is held against the JSON.
//!
//! When something differs, the document as the commands answer now is left as `target/docs-vrrpctl.md`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::Command;
use std::time::Duration;

use anyhow::bail;
use serde_json::Value;
use vrrp_tests::document::{self, Direction, Document, Runner, play};
use vrrp_tests::lab::{
    Daemon, Duo, Host, Program, Settings, root_or_skip, shell, until, vrrpctl, vrrpctl_events,
};

const LIMIT: Duration = Duration::from_secs(10);

const NAME: &str = "docs/vrrpctl.md";

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

    fn host(&self, prompt: Option<char>) -> &Host {
        match prompt {
            Some('a') => &self.duo.a.host,
            _ => &self.duo.b.host,
        }
    }
}

fn gaps(host: &Host) -> anyhow::Result<Option<u64>> {
    let peers = vrrpctl(host, &["peers", "--json"])?.json()?;
    Ok(peers[0]["gaps"]["count"].as_u64())
}

impl document::Stage for Stage {
    fn shell(&self, host: Option<char>, line: &str) -> anyhow::Result<Command> {
        shell(self.host(host), line)
    }

    fn direct(&mut self, direction: &Direction) -> anyhow::Result<()> {
        bail!("nobody knows how to {}", direction.words.join(" "))
    }
}

#[test]
fn every_command_answers_what_the_document_says() {
    if !root_or_skip() {
        return;
    }
    let document = Document::read(NAME).unwrap();
    let mut stage = Stage::new(&document.text).unwrap();
    if let Err(wrong) = play(&document, Runner::Test("doc_vrrpctl"), &mut stage) {
        panic!("{wrong:#}");
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
    let document = Document::read(NAME).unwrap().text;
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
                  load weight 1\n }\n    track_process {\n proc weight 1\n }\n    track_restarts nonesuch 5 600 weight 1\n}\n";
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
