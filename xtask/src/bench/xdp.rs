//! What single frames cost in the XDP program, under `BPF_PROG_TEST_RUN`, past an empty program in the same round.
//!
//! The kernel runs the frame many times and says how long one took; the empty program and ours take turns.
//! A bar is judged on the median of the differences. `docs/benchmarks.md` says what the figures leave out.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, ensure};
use serde::{Deserialize, Serialize};

use super::sample::{Samples, Summary};
use crate::paths::{target_dir, workspace_root};

/// The most that a frame of a group may cost past the empty program, in nanoseconds.
const BARS: [(&str, i64); 3] = [("not VRRP", 10), ("unlisted", 60), ("unchanged", 150)];

/// What `xdp_bench cost` prints of one frame.
#[derive(Deserialize)]
struct Measured {
    what: String,
    group: String,
    empty: Vec<i64>,
    ours: Vec<i64>,
}

/// One line of the table, in nanoseconds.
#[derive(Serialize)]
pub(super) struct Row {
    what: String,
    group: String,
    bar: Option<i64>,
    kept: Option<bool>,
    empty: Samples,
    ours: Samples,
    /// Ours less empty, round by round.
    more: Samples,
}

/// `rounds` figures of each frame.
pub(super) fn run(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let output = Command::new(worker()?)
        .args(["cost", &rounds.to_string()])
        .stderr(Stdio::inherit())
        .output()
        .context("running xdp_bench")?;
    ensure!(output.status.success(), "xdp_bench: {}", output.status);
    let measured: Vec<Measured> =
        serde_json::from_slice(&output.stdout).context("reading what xdp_bench prints")?;
    Ok(measured.into_iter().map(Row::of).collect())
}

impl Row {
    fn of(measured: Measured) -> Self {
        let Measured {
            what,
            group,
            empty,
            ours,
        } = measured;
        let more = Samples(
            ours.iter()
                .zip(&empty)
                .map(|(ours, empty)| ours - empty)
                .collect(),
        );
        let bar = BARS.iter().find(|(of, _)| *of == group).map(|(_, bar)| *bar);
        Self {
            kept: bar.map(|bar| more.summary().median() <= bar),
            what,
            group,
            bar,
            empty: Samples(empty),
            ours: Samples(ours),
            more,
        }
    }
}

/// The table.
pub(super) fn print(rows: &[Row]) {
    println!("\nOne frame in the XDP program, in ns past an empty program in the same round");
    println!(
        "  {:<50}{:>4}{:>7}{:>7}{:>7}{:>7}{:>11}{:>6}",
        "", "n", "empty", "ours", "more", "p90", "p90 - p10", "bar"
    );
    for row in rows {
        let (empty, ours, more): (Summary, Summary, Summary) =
            (row.empty.summary(), row.ours.summary(), row.more.summary());
        let bar = row.bar.map_or_else(String::new, |bar| bar.to_string());
        let verdict = match row.kept {
            None => "",
            Some(true) => "kept",
            Some(false) => "MISSED",
        };
        println!(
            "  {:<50}{:>4}{:>7}{:>7}{:>7}{:>7}{:>11}{bar:>6}  {verdict}",
            row.what,
            more.count(),
            empty.median(),
            ours.median(),
            more.median(),
            more.p90(),
            more.spread(),
        );
    }
}

/// `tests/examples/xdp_bench`, built. It is no part of xtask: it has the daemon's loader in it, and xtask is what
/// builds the program that is loaded.
pub(super) fn worker() -> anyhow::Result<PathBuf> {
    let built = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")))
        .current_dir(workspace_root())
        .args(["build", "--package", "vrrp-tests", "--example", "xdp_bench"])
        .status()
        .context("running cargo")?;
    ensure!(built.success(), "xdp_bench did not build");
    Ok(target_dir().join("debug/examples/xdp_bench"))
}
