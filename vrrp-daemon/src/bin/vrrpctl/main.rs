//! `vrrpctl`: asks and steers a running daemon, and reads what one recorded. docs/vrrpctl.md describes it.

mod args;
mod check;
mod complete;
mod config;
mod connection;
mod handover;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use serde::Serialize;
use vrrp_daemon::ingress::control::message::{Ending, Outcome, Reloaded, Verb};
use vrrp_daemon::ingress::control::status::{Instance, ReloadResult, Status};
use vrrp_daemon::obs::counters::{self, counted};
use vrrp_daemon::obs::peers::{self, Peer};
use vrrp_daemon::obs::status::{outcome, render, show};
use vrrp_daemon::obs::{event, explain, replay};

use self::args::{Arguments, Command};
use self::connection::{AskError, Connection};

/// What goes to standard output, and the exit code.
pub(crate) struct Shown {
    text: String,
    code: u8,
}

impl Shown {
    pub(crate) fn new(text: String) -> Self {
        Self { text, code: 0 }
    }

    pub(crate) fn code(self, code: u8) -> Self {
        Self { code, ..self }
    }

    fn print(self) -> ExitCode {
        // A reader such as `head` may have enough.
        let _ = io::stdout().lock().write_all(self.text.as_bytes());
        ExitCode::from(self.code)
    }
}

fn main() -> ExitCode {
    complete::by_environment();
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        // Help and version are no mistakes.
        Err(error) if !error.use_stderr() => {
            // A reader that left is none either.
            let _ = error.print();
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            let _ = error.print();
            return check::misunderstood(&error).map_or(ExitCode::from(WRONG_USAGE), Shown::print);
        }
    };
    match run(&arguments) {
        Ok(shown) => shown.print(),
        Err(error) if matches!(arguments.command, Command::Check { .. }) => {
            check::unknown(arguments.json, &error.to_string()).print()
        }
        Err(error) => {
            // Standard error may be gone, and the exit code still counts.
            let _ = writeln!(io::stderr(), "vrrpctl: {error}");
            error.exit_code()
        }
    }
}

const WRONG_USAGE: u8 = 2;

fn run(arguments: &Arguments) -> Result<Shown, AskError> {
    let (socket, json) = (arguments.socket.as_path(), arguments.json);
    match &arguments.command {
        Command::Status { verbose } => {
            let status = status(socket)?;
            Ok(text_or_json(json, &status, || render(&status, *verbose)))
        }
        Command::Show { name } => {
            let status = status(socket)?;
            let instance = named(&status, name)?;
            Ok(text_or_json(json, instance, || show(instance)))
        }
        Command::Explain { name } => {
            let status = status(socket)?;
            Ok(explained(&status, &chosen(&status, name.as_slice())?, json))
        }
        Command::Peers { name } => {
            let status = status(socket)?;
            let instances = chosen(&status, name.as_slice())?;
            let found: Vec<Peer> = instances.into_iter().flat_map(peers::peers).collect();
            Ok(text_or_json(json, &found, || peers::render(&found)))
        }
        Command::Counters { name } => {
            let status = status(socket)?;
            let instances = chosen(&status, name.as_slice())?;
            let counted = counted(&status, &instances);
            Ok(text_or_json(json, &counted, || counters::render(&counted)))
        }
        Command::Events => follow(socket, json),
        Command::Garp(who) => {
            let target = who.target();
            done(
                socket,
                json,
                Verb::Garp { target },
                "announces its addresses again",
            )
        }
        Command::Standby { who, length } => {
            let (target, for_ms) = (who.target(), *length);
            done(socket, json, Verb::Standby { target, for_ms }, "stands by")
        }
        Command::Resume(who) => {
            let target = who.target();
            done(socket, json, Verb::Resume { target }, "takes part again")
        }
        Command::Reload => reload(socket, json),
        Command::Handover { if_restarting, lease } => handover::run(socket, json, *if_restarting, *lease),
        Command::Config(command) => config::run(command, socket, json),
        Command::LogLevel { level } => match Connection::open(socket)?.ask(Verb::LogLevel {
            level: (*level).into(),
        })? {
            Outcome::LogLevel(level) => {
                let named = Level { level };
                Ok(text_or_json(json, &named, || {
                    format!("logs from level {level:?} up\n").to_lowercase()
                }))
            }
            _ => Err(AskError::OffTopic),
        },
        Command::Check { warn, crit, names } => check::run(socket, json, (warn, crit), names),
        Command::Replay { file } => recording(file),
    }
}

#[derive(Serialize)]
struct Level {
    level: vrrp_daemon::ingress::control::message::LogLevel,
}

#[derive(Serialize)]
struct Explained<'a> {
    name: &'a str,
    state: vrrp_daemon::proto::State,
    lines: Vec<String>,
}

fn explained(status: &Status, instances: &[&Instance], json: bool) -> Shown {
    let explained: Vec<_> = instances
        .iter()
        .map(|instance| Explained {
            name: &instance.name,
            state: instance.state,
            lines: explain::explain(status, instance),
        })
        .collect();
    text_or_json(json, &explained, || {
        let blocks = explained
            .iter()
            .map(|explained| explained.lines.join("\n  ") + "\n");
        blocks.collect::<Vec<_>>().join("\n")
    })
}

fn status(socket: &Path) -> Result<Status, AskError> {
    match Connection::open(socket)?.ask(Verb::Status)? {
        Outcome::Status(status) => Ok(*status),
        _ => Err(AskError::OffTopic),
    }
}

fn named<'s>(status: &'s Status, name: &str) -> Result<&'s Instance, AskError> {
    let mut instances = status.instances.iter();
    instances
        .find(|instance| instance.name == name)
        .ok_or_else(|| AskError::Unknown(name.to_owned()))
}

/// Those that are named; all of them if none is.
fn chosen<'s>(status: &'s Status, names: &[String]) -> Result<Vec<&'s Instance>, AskError> {
    match names.is_empty() {
        true => Ok(status.instances.iter().collect()),
        false => names.iter().map(|name| named(status, name)).collect(),
    }
}

fn done(socket: &Path, json: bool, verb: Verb, what: &str) -> Result<Shown, AskError> {
    match Connection::open(socket)?.ask(verb)? {
        Outcome::Done(done) => Ok(text_or_json(json, &done, || {
            done.names.iter().map(|name| format!("{name} {what}\n")).collect()
        })),
        _ => Err(AskError::OffTopic),
    }
}

fn reload(socket: &Path, json: bool) -> Result<Shown, AskError> {
    let Outcome::Reload(reloaded) = Connection::open(socket)?.ask(Verb::Reload)? else {
        return Err(AskError::OffTopic);
    };
    let Reloaded { result, diagnostics } = &reloaded;
    let refused = *result == ReloadResult::Refused;
    if refused && !json {
        // A reader that left is no error.
        let _ = io::stdout()
            .lock()
            .write_all(config::lines(diagnostics).as_bytes());
        return Err(AskError::Refused(outcome(*result).to_owned()));
    }
    let text = || config::lines(diagnostics) + outcome(*result) + "\n";
    Ok(text_or_json(json, &reloaded, text).code(u8::from(refused)))
}

/// Until the daemon stops, or the reader has enough.
fn follow(socket: &Path, json: bool) -> Result<Shown, AskError> {
    let mut connection = Connection::open(socket)?;
    let Outcome::Following(_) = connection.ask(Verb::Events)? else {
        return Err(AskError::OffTopic);
    };
    connection.follow()?;
    let _ = writeln!(io::stderr(), "vrrpctl: follows what happens; Ctrl-C ends it");
    let mut out = io::stdout().lock();
    loop {
        let line = match connection.next()? {
            None => return Err(AskError::Lost),
            Some(Outcome::Event(told)) if json => one_line(&told),
            Some(Outcome::Event(told)) => event::line(&told),
            Some(Outcome::Missed(missed)) if json => one_line(&Missed { missed }),
            Some(Outcome::Missed(missed)) => event::missed(missed),
            Some(Outcome::Ended(ended)) => {
                return Ok(Shown::new(match json {
                    true => one_line(&Ended { ended }),
                    false => event::ended(ended).to_owned(),
                }));
            }
            Some(_) => return Err(AskError::OffTopic),
        };
        if out.write_all(line.as_bytes()).and_then(|()| out.flush()).is_err() {
            return Ok(Shown::new(String::new()));
        }
    }
}

#[derive(Serialize)]
struct Missed {
    missed: u64,
}

#[derive(Serialize)]
struct Ended {
    ended: Ending,
}

fn recording(path: &Path) -> Result<Shown, AskError> {
    let text = std::fs::read_to_string(path).map_err(|source| AskError::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    Ok(Shown::new(replay::render(&text)?))
}

pub(crate) fn text_or_json(json: bool, value: &impl Serialize, text: impl FnOnce() -> String) -> Shown {
    Shown::new(match json {
        true => {
            // Every key is a string, so this cannot fail.
            let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
            text.push('\n');
            text
        }
        false => text(),
    })
}

fn one_line(value: &impl Serialize) -> String {
    // As above.
    serde_json::to_string(value).unwrap_or_default() + "\n"
}
