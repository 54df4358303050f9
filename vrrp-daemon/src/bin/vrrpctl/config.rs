//! `vrrpctl config`.

use std::path::{Path, PathBuf};

use serde::Serialize;
use vrrp_daemon::config::{self, Host, Loaded, ReadOptions};
use vrrp_daemon::ingress::control::message::{ChangeKind, Changes, Diagnostic, Outcome, Severity, Verb};

use super::args::Config;
use super::connection::{AskError, Connection};
use super::{Shown, text_or_json};

/// The file cannot run.
const BAD: u8 = 1;
/// It can, and there is something to look at.
const LOOK: u8 = 6;

/// What `config check --json` shows.
#[derive(Serialize)]
struct Checked {
    file: PathBuf,
    good: bool,
    verdict: String,
    diagnostics: Vec<Diagnostic>,
}

pub(super) fn run(command: &Config, socket: &Path, json: bool) -> Result<Shown, AskError> {
    match command {
        Config::Check { file, config_id } => Ok(check(file.as_deref(), config_id.clone(), json)),
        Config::Show => match Connection::open(socket)?.ask(Verb::ConfigShow)? {
            Outcome::Config(shown) => Ok(text_or_json(json, &shown, || shown.text.clone())),
            _ => Err(AskError::OffTopic),
        },
        Config::Diff { file } => {
            // The daemon's working directory is another.
            let file = file.as_deref().map(absolute).transpose()?;
            match Connection::open(socket)?.ask(Verb::ConfigDiff { file })? {
                Outcome::Changes(changes) => Ok(diff(&changes, json)),
                _ => Err(AskError::OffTopic),
            }
        }
    }
}

fn absolute(path: &Path) -> Result<PathBuf, AskError> {
    std::path::absolute(path).map_err(|source| AskError::Refused(format!("{}: {source}", path.display())))
}

/// Read it here: the daemon need not run.
fn check(file: Option<&Path>, config_id: Option<String>, json: bool) -> Shown {
    let file = file.map_or_else(config::default_path, Path::to_owned);
    let options = ReadOptions {
        config_id,
        ..ReadOptions::default()
    };
    let loaded = config::load(&file, &options.on_this_host(), &Host);
    let checked = Checked {
        good: loaded.config.is_some(),
        verdict: loaded.verdict(),
        diagnostics: diagnostics(&loaded),
        file,
    };
    let remarked = checked
        .diagnostics
        .iter()
        .any(|diagnostic| diagnostic.severity != Severity::Note);
    let code = match (checked.good, remarked) {
        (false, _) => BAD,
        (true, true) => LOOK,
        (true, false) => 0,
    };
    text_or_json(json, &checked, || {
        format!(
            "{}{}: {}\n",
            lines(&checked.diagnostics),
            checked.file.display(),
            checked.verdict
        )
    })
    .code(code)
}

fn diagnostics(loaded: &Loaded) -> Vec<Diagnostic> {
    loaded
        .lines()
        .map(|(severity, text)| Diagnostic {
            severity: severity.into(),
            text,
        })
        .collect()
}

fn diff(changes: &Changes, json: bool) -> Shown {
    let code = match (changes.good, changes.changes.is_empty()) {
        (false, _) => BAD,
        (true, false) => LOOK,
        (true, true) => 0,
    };
    let text = || {
        let mut text = lines(&changes.diagnostics);
        for change in &changes.changes {
            let sign = match change.kind {
                ChangeKind::Added => '+',
                ChangeKind::Removed => '-',
                ChangeKind::Changed => '~',
            };
            text.push_str(&format!("{sign} {}\n", change.subject));
            for detail in &change.details {
                text.push_str(&format!("    {detail}\n"));
            }
        }
        text.push_str(match (changes.good, changes.changes.is_empty()) {
            (false, _) => "a reload would be refused: the file cannot run\n",
            (true, true) => "a reload would change nothing\n",
            (true, false) => "",
        });
        text
    };
    text_or_json(json, changes, text).code(code)
}

/// One line each.
pub(super) fn lines(diagnostics: &[Diagnostic]) -> String {
    diagnostics
        .iter()
        .map(|diagnostic| format!("{}\n", diagnostic.text))
        .collect()
}
