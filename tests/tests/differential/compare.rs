//! Both programs through one scenario, and what is different.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use anyhow::{Context, anyhow, bail};
use vrrp_tests::lab::Program;

use super::scenario::{Scenario, Step};
use super::stage::Stage;
use super::trace::Trace;

/// Why we differ, row by row.
const DIFFERENCES: &str = include_str!("../../../docs/differences.md");

/// What came of one program: a trace for each step, and its log.
struct Run {
    traces: Vec<Trace>,
    log: String,
}

/// Play it with both, at the same time, and compare.
///
/// # Errors
/// They differ where they should not, or no longer where they should.
pub(crate) fn run(scenario: &Scenario) -> anyhow::Result<()> {
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| play(scenario, Program::keepalived()?));
        let ours = scope.spawn(|| play(scenario, Program::ours()?));
        let join = |result: std::thread::Result<anyhow::Result<Run>>| {
            result.unwrap_or_else(|_| Err(anyhow!("panicked")))
        };
        (join(theirs.join()), join(ours.join()))
    });
    let (theirs, ours) = (theirs.context("keepalived")?, ours.context("vrrp-daemon")?);
    let mut told = String::new();
    for (step, (theirs, ours)) in scenario.steps.iter().zip(theirs.traces.iter().zip(&ours.traces)) {
        told.push_str(&judge(step, theirs, ours)?);
    }
    if !told.is_empty() {
        bail!(
            "{told}\n-- keepalived's log\n{}\n-- our log\n{}",
            theirs.log,
            ours.log
        );
    }
    Ok(())
}

fn play(scenario: &Scenario, program: Program) -> anyhow::Result<Run> {
    let mut stage = Stage::new(program, scenario)?;
    let mut traces = Vec::new();
    for step in &scenario.steps {
        let trace = stage
            .play(step, scenario.quiet)
            .with_context(|| format!("{}; the log:\n{}", step.what, stage.log()))?;
        traces.push(if step.uncounted { trace.uncounted() } else { trace });
    }
    Ok(Run {
        traces,
        log: stage.log(),
    })
}

/// What is wrong with one step; empty if nothing is.
fn judge(step: &Step, theirs: &Trace, ours: &Trace) -> anyhow::Result<String> {
    let mut told = String::new();
    for line in &step.shows {
        for (who, trace) in [("keepalived", theirs), ("vrrp-daemon", ours)] {
            if !trace.0.contains(*line) {
                writeln!(told, "  {who} does not show: {line}")?;
            }
        }
    }
    let lines = |lines: &[&str]| {
        lines
            .iter()
            .map(|line| (*line).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let (expected_theirs, expected_ours) = match &step.differs {
        None => Default::default(),
        Some(difference) => {
            let heading = format!("### {}", difference.row);
            if !DIFFERENCES.lines().any(|line| line == heading) {
                writeln!(told, "  docs/differences.md has no \"{heading}\"")?;
            }
            (lines(&difference.theirs), lines(&difference.ours))
        }
    };
    let only_theirs: BTreeSet<_> = theirs.0.difference(&ours.0).cloned().collect();
    let only_ours: BTreeSet<_> = ours.0.difference(&theirs.0).cloned().collect();
    for (who, found, expected) in [
        ("keepalived", &only_theirs, &expected_theirs),
        ("vrrp-daemon", &only_ours, &expected_ours),
    ] {
        for line in found.difference(expected) {
            writeln!(told, "  {who} alone shows: {line}")?;
        }
        for line in expected.difference(found) {
            writeln!(told, "  no longer different, {who} alone showed: {line}")?;
        }
    }
    if !told.is_empty() {
        told = format!(
            "after \"{}\":\n{told}  keepalived:\n{theirs}  vrrp-daemon:\n{ours}",
            step.what
        );
    }
    Ok(told)
}
