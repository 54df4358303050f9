//! `vrrpctl handover`: the stop that follows is meant for a successor.
//!
//! `--if-restarting` asks systemd which job it runs for the unit that this process belongs to, by `busctl`: it comes with
//! systemd itself, and three questions at a stop are not worth a D-Bus implementation in this program. Whatever cannot
//! be found out means that nothing is asked of the daemon.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use vrrp_daemon::ingress::control::message::{Expecting, Outcome, Verb};
use vrrp_daemon::obs::span;

use super::connection::{AskError, Connection};
use super::{Shown, text_or_json};

const SYSTEMD: &str = "org.freedesktop.systemd1";

pub(super) fn run(
    socket: &Path,
    json: bool,
    if_restarting: bool,
    lease_ms: Option<u64>,
) -> Result<Shown, AskError> {
    if if_restarting {
        let job = job().map_err(AskError::Manager)?;
        if job.as_deref() != Some("restart") {
            let job = job.map_or("none".to_owned(), |job| format!("`{job}`"));
            return Ok(text_or_json(json, &None::<Expecting>, || {
                format!("not restarting (the job of this unit: {job}): the stop is a clean one\n")
            }));
        }
    }
    match Connection::open(socket)?.ask(Verb::Handover { lease_ms })? {
        Outcome::Handover(expecting) => Ok(text_or_json(json, &expecting, || text(expecting))),
        _ => Err(AskError::OffTopic),
    }
}

fn text(expecting: Expecting) -> String {
    let Expecting { within_ms, lease_ms } = expecting;
    format!(
        "a stop within {} hands over to the daemon that is started next, which has {} to come\n",
        span::span(within_ms),
        span::span(lease_ms)
    )
}

/// The type of the job that systemd has for our unit; `None`: there is no job.
fn job() -> Result<Option<String>, String> {
    let manager = ["/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"];
    let pid = std::process::id().to_string();
    let unit = busctl(&["call", SYSTEMD, manager[0], manager[1], "GetUnitByPID", "u", &pid])?;
    let unit = path(unit.pointer("/data/0"))?;
    let job = busctl(&[
        "get-property",
        SYSTEMD,
        &unit,
        "org.freedesktop.systemd1.Unit",
        "Job",
    ])?;
    // Number and path; the number 0 is none.
    if job.pointer("/data/0").and_then(Value::as_u64) == Some(0) {
        return Ok(None);
    }
    let job = path(job.pointer("/data/1"))?;
    let kind = busctl(&[
        "get-property",
        SYSTEMD,
        &job,
        "org.freedesktop.systemd1.Job",
        "JobType",
    ])?;
    let kind = kind.pointer("/data").and_then(Value::as_str);
    kind.map(|kind| Some(kind.to_owned()))
        .ok_or_else(|| "a job without a type".to_owned())
}

fn path(value: Option<&Value>) -> Result<String, String> {
    let path = value.and_then(Value::as_str).filter(|path| path.starts_with('/'));
    path.map(str::to_owned)
        .ok_or_else(|| "busctl answered something else".to_owned())
}

fn busctl(words: &[&str]) -> Result<Value, String> {
    /// As busctl takes it, in seconds.
    const PATIENCE: Duration = Duration::from_secs(5);
    let output = Command::new("busctl")
        .args(["--system", "--json=short", "--timeout"])
        .arg(PATIENCE.as_secs().to_string())
        .arg("--")
        .args(words)
        .output()
        .map_err(|error| format!("busctl cannot be run: {error}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(format!("busctl: {}", said.trim()));
    }
    serde_json::from_slice(&output.stdout).map_err(|error| format!("busctl answered no JSON: {error}"))
}
