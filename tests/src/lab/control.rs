//! `vrrpctl` on a host, with all that an operator sees of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, ensure};
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

/// `vrrpctl events` on `host`.
///
/// # Errors
/// As [`follow`].
pub fn vrrpctl_events(host: &Host, args: &[&str]) -> anyhow::Result<Child> {
    let mut command = command(host, &[], &["events"])?;
    command.args(args);
    follow(command)
}

/// Start a `command` that follows the events, and wait until it does: what happens from now on stands in its standard
/// output, a pipe. It does not outlive this thread.
///
/// # Errors
/// It cannot be started, or ends at once.
pub fn follow(mut command: Command) -> anyhow::Result<Child> {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let said = child.stderr.take().context("a pipe")?;
    let mut line = String::new();
    BufReader::new(said).read_line(&mut line)?;
    ensure!(
        line == "vrrpctl: follows what happens; Ctrl-C ends it\n",
        "{line}"
    );
    Ok(child)
}

/// A command line for a shell on `host`, which finds our programs by name.
///
/// # Errors
/// They were not built yet.
pub fn shell(host: &Host, line: &str) -> anyhow::Result<Command> {
    let folder = Program::ours()?.binary().with_file_name("");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut shell = host.namespace().command("sh");
    shell
        .args(["-c", line])
        .env("PATH", format!("{}:{path}", folder.display()))
        .stdin(Stdio::null());
    Ok(shell)
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
