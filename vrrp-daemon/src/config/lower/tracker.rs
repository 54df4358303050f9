//! `track_file` and `vrrp_track_process`.

use std::ops::RangeInclusive;
use std::path::PathBuf;

use vrrp_common::time::Nanos;

use super::Lowering;
use crate::config::diag::{Diagnostic, Remark};
use crate::config::keywords::{FileKey, Key, ProcessKey, Status};
use crate::config::lexer::{Word, split_command};
use crate::config::raw::Statement;
use crate::config::{FileSpec, InitFile, ParamMatch, ProcessSpec};
use crate::proto::model::{File, Process};
use crate::proto::{FileId, ProcessId};

/// The weights of files and processes.
pub(super) const WEIGHTS: RangeInclusive<i16> = -254..=254;
/// keepalived's bounds of the delays.
const DELAYS: RangeInclusive<Nanos> = Nanos(1_000)..=Nanos::from_secs(3_600);
/// Longest name of a process that the kernel keeps (TASK_COMM_LEN, without the final zero).
const NAME_LEN: usize = 15;

/// A file or process as those that track it need it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Known<I> {
    pub(super) id: I,
    /// `weight` and `reverse`, for entries that give none.
    pub(super) weight: i16,
    pub(super) reverse: bool,
}

impl Lowering<'_> {
    /// `track_file` and `vrrp_track_file`.
    pub(super) fn tracked_file(&mut self, block: &Statement) {
        let Some(name) = self.name(block) else { return };
        if self.files.contains_key(&name.text) {
            self.already_defined("track_file", name);
            return;
        }
        let (mut path, mut init) = (None, None);
        let (mut weight, mut reverse) = (1, false);
        for statement in block.statements() {
            let Status::Works(Key::File(key)) = statement.keyword.status else {
                continue;
            };
            match key {
                FileKey::Path => path = self.one(statement).or(path),
                FileKey::Weight => {
                    if let Some(given) = self.weight_and_reverse(statement, &WEIGHTS, "1 is used") {
                        (weight, reverse) = given;
                    }
                }
                FileKey::Init => init = self.init_file(statement),
            }
        }
        let Some(path) = path else {
            self.nothing_to_track("track_file", name, "file PATH");
            return;
        };
        if !path.text.starts_with('/') {
            self.sink.push(
                Diagnostic::warning(format!("`{}` is not a whole path", path.text))
                    .remark(Remark::None)
                    .at(path.span, "looked for where the daemon is started")
                    .help("write it from `/` on"),
            );
        }
        let id = FileId(self.position(self.config.model.files.len(), "tracked files", name.span));
        self.files
            .insert(name.text.clone(), Known { id, weight, reverse });
        self.config.model.files.push(File {
            name: name.text.clone(),
        });
        self.config.files.push(FileSpec {
            path: PathBuf::from(&path.text),
            init,
        });
    }

    /// `init_file [VALUE] [overwrite]`.
    fn init_file(&mut self, statement: &Statement) -> Option<InitFile> {
        let mut init = InitFile {
            value: 0,
            overwrite: false,
        };
        for word in &statement.words {
            if word.text == "overwrite" {
                init.overwrite = true;
            } else if let Ok(value) = word.text.parse() {
                init.value = value;
            } else {
                self.sink.push(
                    Diagnostic::warning(format!("`init_file` does not know `{}`", word.text))
                        .at(word.span, "ignored")
                        .help("write `init_file [NUMBER] [overwrite]`"),
                );
            }
        }
        Some(init)
    }

    /// `vrrp_track_process`.
    pub(super) fn tracked_process(&mut self, block: &Statement) {
        let Some(name) = self.name(block) else { return };
        if self.processes.contains_key(&name.text) {
            self.already_defined("track process", name);
            return;
        }
        let mut command = None;
        let (mut param_match, mut full_command) = (None, false);
        let (mut weight, mut reverse) = (0, false);
        let (mut quorum, mut quorum_max) = (1, None);
        let (mut fork_delay, mut terminate_delay) = (Nanos::ZERO, Nanos::ZERO);
        for statement in block.statements() {
            let Status::Works(Key::Process(key)) = statement.keyword.status else {
                continue;
            };
            match key {
                ProcessKey::Command => command = Some(statement),
                ProcessKey::ParamMatch => param_match = self.param_match(statement).or(param_match),
                ProcessKey::FullCommand => full_command = true,
                ProcessKey::Weight => {
                    if let Some(given) = self.weight_and_reverse(statement, &WEIGHTS, "0 is used") {
                        (weight, reverse) = given;
                    }
                }
                ProcessKey::Quorum => quorum = self.count(statement, 1).unwrap_or(quorum),
                ProcessKey::QuorumMax => quorum_max = self.count(statement, 0).map(|most| (most, statement)),
                ProcessKey::Delay => {
                    if let Some(delay) = self.seconds(statement, DELAYS, "there is no delay") {
                        (fork_delay, terminate_delay) = (delay, delay);
                    }
                }
                ProcessKey::ForkDelay => {
                    let delay = self.seconds(statement, DELAYS, "there is no delay");
                    fork_delay = delay.unwrap_or(fork_delay);
                }
                ProcessKey::TerminateDelay => {
                    let delay = self.seconds(statement, DELAYS, "there is no delay");
                    terminate_delay = delay.unwrap_or(terminate_delay);
                }
            }
        }
        let argv = command.map(|statement| (split_command(&statement.command), statement));
        let Some(([program, params @ ..], statement)) = argv
            .as_ref()
            .map(|(argv, statement)| (argv.as_slice(), *statement))
        else {
            self.nothing_to_track("vrrp_track_process", name, "process NAME");
            return;
        };
        // As in keepalived: none may run, so none need run.
        if matches!(quorum_max, Some((0, _))) {
            quorum = 0;
        }
        let quorum_max = quorum_max.and_then(|(most, statement)| {
            if most >= quorum {
                return Some(most);
            }
            self.sink.push(
                Diagnostic::warning("`quorum_max` is less than `quorum`")
                    .at(statement.span, "ignored")
                    .help("let at least as many run as must run"),
            );
            None
        });
        let by_name = params.is_empty() && param_match.is_none() && !full_command;
        if by_name {
            self.judge_process_name(program, statement);
        }
        let spec = ProcessSpec {
            program: program.clone(),
            // What the kernel keeps of a process's name.
            by_name,
            params: params.to_vec(),
            param_match: param_match.unwrap_or(match params {
                [] => ParamMatch::Any,
                [_, ..] => ParamMatch::Exact,
            }),
            quorum,
            quorum_max,
            fork_delay,
            terminate_delay,
        };
        let id = ProcessId(self.position(self.config.model.processes.len(), "tracked processes", name.span));
        self.processes
            .insert(name.text.clone(), Known { id, weight, reverse });
        self.config.model.processes.push(Process {
            name: name.text.clone(),
        });
        self.config.processes.push(spec);
    }

    /// A process that is looked for by its name alone.
    fn judge_process_name(&mut self, program: &str, statement: &Statement) {
        let at = statement.words.first().map_or(statement.span, |word| word.span);
        if program.contains('/') {
            self.sink.push(
                Diagnostic::warning(format!(
                    "`{program}` is not the name of a process: a name has no path"
                ))
                .remark(Remark::None)
                .at(at, "no process is found by it")
                .help("write the name alone, or add `full_command` to compare the command line"),
            );
        } else if program.len() > NAME_LEN {
            self.sink.push(
                Diagnostic::note(format!(
                    "the kernel keeps {NAME_LEN} characters of a process's name"
                ))
                .remark(Remark::None)
                .at(at, "those are compared")
                .help("add `full_command` to compare the command line, which is whole"),
            );
        }
    }

    fn param_match(&mut self, statement: &Statement) -> Option<ParamMatch> {
        let word = self.one(statement)?;
        match word.text.as_str() {
            "initial" => Some(ParamMatch::Initial),
            "partial" => Some(ParamMatch::Partial),
            // keepalived 2.2.7 has no word for the default and ignores it.
            "exact" => {
                self.sink.push(
                    Diagnostic::note("`exact` is the default, and keepalived does not know the word")
                        .remark(Remark::General)
                        .at(word.span, "")
                        .help("remove the line"),
                );
                None
            }
            unknown => {
                self.sink.push(
                    Diagnostic::warning(format!("`param_match` does not know `{unknown}`"))
                        .at(word.span, "ignored")
                        .help("write initial or partial; without the line all arguments are compared"),
                );
                None
            }
        }
    }

    fn count(&mut self, statement: &Statement, least: i64) -> Option<u32> {
        let count = self.number(statement, least..=65_535, "ignored")?;
        u32::try_from(count).ok()
    }

    fn nothing_to_track(&mut self, keyword: &str, name: &Word, wanted: &str) {
        self.sink.push(
            Diagnostic::warning(format!("{keyword} `{}` does not say what to track", name.text))
                .at(name.span, "left out")
                .help(format!("add `{wanted}`")),
        );
    }
}
