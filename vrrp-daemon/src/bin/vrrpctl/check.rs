//! `vrrpctl check`: a plugin in the Nagios convention. Whatever happens it says on standard output, in one line or as
//! JSON, and 2 means critical and nothing else.

use std::path::Path;

use clap::CommandFactory;
use serde::Serialize;
use vrrp_daemon::obs::verdict::{self, Condition, verdict};

use super::args::Arguments;
use super::connection::AskError;
use super::{Shown, chosen, status, text_or_json};

/// A plugin's exit status when it does not know.
const UNKNOWN: u8 = 3;

/// What is not known, as JSON.
#[derive(Serialize)]
struct Unknown<'a> {
    status: &'static str,
    error: &'a str,
}

pub(super) fn run(
    socket: &Path,
    json: bool,
    (warn, crit): (&[Condition], &[Condition]),
    names: &[String],
) -> Result<Shown, AskError> {
    let status = status(socket)?;
    let verdict = verdict(&status, &chosen(&status, names)?, warn, crit);
    let shown = text_or_json(json, &verdict, || verdict::render(&verdict));
    Ok(shown.code(verdict.status.code()))
}

pub(super) fn unknown(json: bool, error: &str) -> Shown {
    let unknown = Unknown {
        status: "UNKNOWN",
        error,
    };
    text_or_json(json, &unknown, || format!("VRRP UNKNOWN - {error}\n")).code(UNKNOWN)
}

/// A command line that was not understood, if it is one of `check`.
pub(super) fn misunderstood(error: &clap::Error) -> Option<Shown> {
    let matches = Arguments::command().ignore_errors(true).try_get_matches().ok()?;
    let (_, check) = matches.subcommand().filter(|(name, _)| *name == "check")?;
    let said = error.to_string();
    let line = said.lines().next().unwrap_or_default();
    let line = line.trim_start_matches("error: ");
    let line = format!("{line}; see vrrpctl check --help");
    Some(unknown(check.get_flag("json"), &line))
}
