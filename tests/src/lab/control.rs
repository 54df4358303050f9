//! `vrrpctl` on a host, with all that an operator sees of it.

use std::process::{Child, Command, Stdio};

use anyhow::Context;
use serde_json::Value;

use super::daemon::Program;
use super::host::Host;

/// What a program said, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        serde_json::from_str(&self.out).with_context(|| format!("not JSON: {self:?}"))
    }
}

/// Run `vrrpctl` on `host` to its end, whatever that is.
///
/// # Errors
/// It cannot be started.
pub fn vrrpctl(host: &Host, args: &[&str]) -> anyhow::Result<Said> {
    vrrpctl_as(host, &[], args)
}

/// The same, started by `wrapper` (`setpriv` and its options).
///
/// # Errors
/// It cannot be started.
pub fn vrrpctl_as(host: &Host, wrapper: &[&str], args: &[&str]) -> anyhow::Result<Said> {
    let output = command(host, wrapper, args)?.output()?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(Said {
        code: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    })
}

/// Start it with a pipe to read from; it does not outlive this thread.
///
/// # Errors
/// It cannot be started.
pub fn vrrpctl_piped(host: &Host, args: &[&str]) -> anyhow::Result<Child> {
    Ok(command(host, &[], args)?.stdout(Stdio::piped()).spawn()?)
}

fn command(host: &Host, wrapper: &[&str], args: &[&str]) -> anyhow::Result<Command> {
    let binary = Program::ours()?.binary().with_file_name("vrrpctl");
    let mut command = match wrapper.split_first() {
        None => host.namespace().command(binary),
        Some((first, rest)) => {
            // Others cannot read the build. Not written by us: what another thread forks would hold it open for a moment, and
            // a file that is open for writing cannot be run.
            let binary = binary.display().to_string();
            host.run("install", &["-m", "755", &binary, "/run/vrrpctl"])?;
            let mut command = host.namespace().command(first);
            command.args(rest).arg("/run/vrrpctl");
            command
        }
    };
    command.args(args).stdin(Stdio::null());
    Ok(command)
}
