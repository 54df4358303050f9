//! `vrrp_script`, and commands wherever they stand.

use std::path::Path;

use vrrp_common::time::Nanos;

use super::Lowering;
use super::global::DAY;
use super::track::WEIGHTS;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::{Key, NotifyKey, ScriptKey, Status};
use crate::config::lexer::{Word, split_command};
use crate::config::raw::Statement;
use crate::config::{Command, Notify, ScriptSpec, ScriptUser};
use crate::proto::ScriptId;
use crate::proto::model::Script;

/// A script as those that track it need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known {
    pub(super) id: ScriptId,
    /// `weight` and `reverse` of the script, for entries that give none.
    pub(super) weight: i16,
    pub(super) reverse: bool,
    pub(super) disabled: bool,
}

/// A command line, and where its program was found.
pub(super) struct Program {
    pub(super) argv: Vec<String>,
    pub(super) found: bool,
}

impl Lowering<'_> {
    pub(super) fn script(&mut self, block: &Statement) {
        let Some(name) = self.name(block) else { return };
        if self.scripts.contains_key(&name.text) {
            self.already_defined("script", name);
            return;
        }
        let (mut interval, mut timeout) = (Nanos::from_secs(1), None);
        let (mut rise, mut fall, mut init_fail) = (1, 1, false);
        let (mut weight, mut reverse) = (0, false);
        let (mut user, mut command) = (None, None);
        for statement in block.statements() {
            let Status::Works(Key::Script(key)) = statement.keyword.status else {
                continue;
            };
            match key {
                ScriptKey::Command => command = Some(statement),
                ScriptKey::Interval => {
                    // keepalived too takes 0 for one second.
                    interval = self
                        .seconds(statement, Nanos::ZERO..=DAY, "1 s is used")
                        .filter(|given| *given > Nanos::ZERO)
                        .unwrap_or(Nanos::from_secs(1));
                }
                ScriptKey::Timeout => {
                    timeout = self
                        .seconds(statement, Nanos::ZERO..=DAY, "the interval is used")
                        .filter(|given| *given > Nanos::ZERO);
                }
                ScriptKey::Weight => {
                    if let Some(given) = self.weight_and_reverse(statement, &WEIGHTS, "0 is used") {
                        (weight, reverse) = given;
                    }
                }
                ScriptKey::Rise => rise = self.consecutive(statement),
                ScriptKey::Fall => fall = self.consecutive(statement),
                ScriptKey::User => user = self.user(statement, &statement.words),
                ScriptKey::InitFail => init_fail = true,
            }
        }
        let Some(command) = command else {
            self.sink.push(
                Diagnostic::warning(format!("script `{}` has nothing to run", name.text))
                    .at(name.span, "left out")
                    .help("add `script \"PROGRAM ARGUMENTS\"`"),
            );
            return;
        };
        let Some(program) = self.script_program(command) else {
            return;
        };
        let (command, usable) = self.permit(program, user, command);
        let id = self.script_id(name.span);
        self.scripts.insert(
            name.text.clone(),
            Known {
                id,
                weight,
                reverse,
                disabled: !usable,
            },
        );
        self.config.model.scripts.push(Script {
            name: name.text.clone(),
            disabled: !usable,
        });
        self.config.scripts.push(ScriptSpec {
            command,
            interval,
            timeout: timeout.unwrap_or(interval),
            rise,
            fall,
            init_fail,
            disabled: !usable,
        });
    }

    /// `notify…` of an instance or a group: the first of each kind counts.
    pub(super) fn notify(&mut self, key: NotifyKey, statement: &Statement, notify: &mut Notify) {
        let slot = match key {
            NotifyKey::Master => &mut notify.master,
            NotifyKey::Backup => &mut notify.backup,
            NotifyKey::Fault => &mut notify.fault,
            NotifyKey::Stop => &mut notify.stop,
            NotifyKey::Deleted => {
                notify.tell_deleted = true;
                if statement.words.is_empty() {
                    return;
                }
                &mut notify.deleted
            }
            NotifyKey::PriorityChanges => {
                notify.priority_changes = self.boolean(statement).or(notify.priority_changes);
                return;
            }
            NotifyKey::MasterRxLowerPri => &mut notify.master_rx_lower_pri,
            NotifyKey::Any => &mut notify.any,
        };
        if slot.is_some() {
            self.sink.push(
                Diagnostic::warning(format!("a second `{}`", statement.keyword.name))
                    .at(statement.span, "ignored")
                    .help("call both from one script"),
            );
            return;
        }
        *slot = self.command(statement);
    }

    /// `"PROGRAM ARGUMENTS" [USER [GROUP]]`; `None` if it is never to run.
    pub(super) fn command(&mut self, statement: &Statement) -> Option<Command> {
        let outer = split_command(&statement.command);
        let Some(command) = outer.first() else {
            self.one(statement);
            return None;
        };
        // Outside the quotes stand user and group.
        let user = self.user_of_notify(statement, outer.get(1..).unwrap_or(&[]));
        let program = self.find(split_command(command), statement)?;
        let (command, usable) = self.permit(program, user, statement);
        usable.then_some(command)
    }

    pub(super) fn already_defined(&mut self, what: &str, name: &Word) {
        // keepalived says nothing of a second script or file.
        let remark = if ["script", "track_file"].contains(&what) {
            Remark::None
        } else {
            Remark::General
        };
        self.sink.push(
            Diagnostic::warning(format!("{what} `{}` is already defined", name.text))
                .remark(remark)
                .at(name.span, "left out; the first one counts")
                .help("give it a name of its own"),
        );
    }

    fn user_of_notify(&mut self, statement: &Statement, words: &[String]) -> Option<ScriptUser> {
        let [user, rest @ ..] = words else { return None };
        if rest.len() > 1
            && let Some(word) = statement.words.get(3)
        {
            self.sink.push(
                Diagnostic::warning(format!("too many words after `{}`", statement.keyword.name))
                    .at(word.span, "ignored")
                    .help("put the command and its arguments in one pair of quotes"),
            );
        }
        Some(ScriptUser {
            user: user.clone(),
            group: rest.first().cloned(),
        })
    }

    /// `script`: what stands after the quotes are arguments too. keepalived drops them.
    fn script_program(&mut self, statement: &Statement) -> Option<Program> {
        let outer = split_command(&statement.command);
        let Some((command, outside)) = outer.split_first() else {
            self.one(statement);
            return None;
        };
        let mut argv = split_command(command);
        argv.extend(outside.iter().cloned());
        if let (false, Some(first), Some(last)) =
            (outside.is_empty(), statement.words.get(1), statement.words.last())
        {
            let whole = statement
                .words
                .first()
                .map_or(first.span, |word| word.span)
                .to(last.span);
            let mut diagnostic =
                Diagnostic::warning("arguments outside the quotes are passed; keepalived drops them")
                    .remark(Remark::None)
                    .at(first.span.to(last.span), "passed to the script");
            let plain = argv.iter().all(|word| !word.contains(['"', '\\', '\'', ' ']));
            diagnostic = diagnostic.help("put the whole command into one pair of quotes");
            if plain {
                diagnostic = diagnostic.fix(whole, format!("\"{}\"", argv.join(" ")));
            }
            self.sink.push(diagnostic);
        }
        if argv.first().is_some_and(|name| name.starts_with("</")) {
            argv = self.redirection(&argv, statement);
        }
        self.find(argv, statement)
    }

    /// `</dev/tcp/HOST/PORT`: the one thing that keepalived runs through a shell, the system's `/bin/sh`.
    fn redirection(&mut self, argv: &[String], statement: &Statement) -> Vec<String> {
        const SHELL: &str = "/bin/sh";
        let command = argv.join(" ");
        if let Some(word) = statement.words.first() {
            self.sink.push(
                Diagnostic::warning(format!("`{command}` is run by {SHELL}"))
                    .remark(Remark::None)
                    .at(word.span, "not every shell knows /dev/tcp, Debian's does not")
                    .help(format!("write \"/bin/bash -c '{command}'\"")),
            );
        }
        [SHELL, "-c", &command].map(str::to_owned).to_vec()
    }

    /// Look the program up. `None` if there is none at all.
    fn find(&mut self, mut argv: Vec<String>, statement: &Statement) -> Option<Program> {
        let at = statement.words.first()?.span;
        let Some(name) = argv.first_mut() else {
            self.sink.push(
                Diagnostic::warning(format!("`{}` has nothing to run", statement.keyword.name))
                    .at(at, "ignored")
                    .help("write \"PROGRAM ARGUMENTS\""),
            );
            return None;
        };
        let found = if name.contains('/') {
            self.environment.is_executable(Path::new(name.as_str()))
        } else {
            let search = self.environment.search_path();
            let path = search
                .iter()
                .map(|directory| directory.join(name.as_str()))
                .find(|path| self.environment.is_executable(path));
            if let Some(path) = &path {
                let path = path.display().to_string();
                self.sink.push(
                    Diagnostic::warning(format!("`{name}` has no path; found as {path}"))
                        .remark(Remark::None)
                        .at(at, "")
                        .help("write the whole path: PATH may be another one at boot"),
                );
                *name = path;
            }
            path.is_some()
        };
        if !found {
            let help = if name.starts_with(['<', '>', '|', '$']) || name.contains(';') {
                "commands are not run through a shell: write \"/bin/sh -c '…'\"".to_owned()
            } else if name.contains('/') {
                "create it and make it executable".to_owned()
            } else {
                "write its whole path; it is in no directory of PATH".to_owned()
            };
            // Of a notify script that is not there keepalived's `-t` says nothing.
            let remark = if statement.keyword.name == "script" {
                Remark::General
            } else {
                Remark::None
            };
            self.sink.push(
                Diagnostic::warning(format!("cannot find an executable `{name}`: it is never run"))
                    .remark(remark)
                    .at(at, "disabled")
                    .help(help),
            );
        }
        Some(Program { argv, found })
    }

    fn consecutive(&mut self, statement: &Statement) -> u32 {
        let count = self.number(statement, 1..=1_000_000, "1 is used");
        count.and_then(|count| u32::try_from(count).ok()).unwrap_or(1)
    }
}
