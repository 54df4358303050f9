//! A flood: given frames, by the hundred thousand, out of one interface of a lab's host.
//!
//! It is bounded in time and in number, and refuses to run where the machine itself has its interfaces. The
//! work is a process of its own, `vrrp-flood`, so that its CPU time is not that of whoever measures; it takes a
//! [`Job`] as JSON on standard input and prints `started`, then a [`Report`] as JSON.
//!
//! Frames go out through a packet socket by `sendmmsg`, 64 to a call. `PACKET_TX_RING` and `PACKET_QDISC_BYPASS`
//! were tried on a veth and are not faster: what a frame costs there is the way of the receiver, which runs on
//! the sender's CPU.

mod frames;
mod job;
mod sender;

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Stdio};

use anyhow::{Context, bail, ensure};

use super::daemon::target_dir;
use super::host::Host;

pub use frames::{Kind, Target, advert, frame};
pub use job::{Job, Report};
pub use sender::send;

/// What `vrrp-flood` prints when its first frames are about to leave.
pub const STARTED: &str = "started";

/// A flood under way, on a host of the lab. Dropping it ends it.
#[derive(Debug)]
pub struct Flood {
    child: Child,
    answer: BufReader<ChildStdout>,
}

impl Flood {
    /// Start it on `host`; frames are leaving when this returns. It does not outlive the calling thread.
    ///
    /// # Errors
    /// `vrrp-flood` was not built, or refused the job: it has said why on standard error.
    pub fn start(host: &Host, job: &Job) -> anyhow::Result<Self> {
        let mut child = host
            .namespace()
            .command(binary()?)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("starting vrrp-flood")?;
        let answer = child.stdout.take().context("vrrp-flood has no output")?;
        let mut flood = Self {
            child,
            answer: BufReader::new(answer),
        };
        // Taken and dropped: the end of the input is the end of the job.
        let mut input = flood.child.stdin.take().context("vrrp-flood has no input")?;
        input.write_all(&serde_json::to_vec(job)?)?;
        drop(input);
        let mut line = String::new();
        flood.answer.read_line(&mut line)?;
        ensure!(line.trim_end() == STARTED, "vrrp-flood did not start");
        Ok(flood)
    }

    /// Wait for its end: what was sent.
    ///
    /// # Errors
    /// It failed under way.
    pub fn finish(mut self) -> anyhow::Result<Report> {
        let mut text = String::new();
        self.answer.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "vrrp-flood: {status}");
        serde_json::from_str(&text).context("reading what vrrp-flood reports")
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The newer of the debug and the release build.
fn binary() -> anyhow::Result<PathBuf> {
    let target = target_dir();
    let newest = ["debug", "release"]
        .iter()
        .map(|profile| target.join(profile).join("vrrp-flood"))
        .filter_map(|binary| Some((fs::metadata(&binary).ok()?.modified().ok()?, binary)))
        .max();
    match newest {
        Some((_, binary)) => Ok(binary),
        None => bail!(
            "there is no vrrp-flood under {}: run `cargo build --package vrrp-tests` first",
            target.display()
        ),
    }
}

/// `vrrp-flood`: a job from standard input to its end.
///
/// # Errors
/// As [`send`]; the input is no job.
pub fn main() -> anyhow::Result<()> {
    ensure!(
        env::args_os().len() == 1,
        "vrrp-flood takes a job on standard input and no arguments"
    );
    let job: Job =
        serde_json::from_reader(std::io::stdin()).context("reading the job from standard input")?;
    let report = send(&job, || println!("{STARTED}"))?;
    println!("{}", serde_json::to_string(&report)?);
    Ok(())
}
