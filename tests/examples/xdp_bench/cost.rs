//! Single frames under `BPF_PROG_TEST_RUN`, each beside the empty program in the same round.

use anyhow::ensure;
use aya::programs::{TestRun, TestRunOptions, Xdp};
use serde::Serialize;
use vrrp_common::time::Nanos;
use vrrp_daemon::xdp::{Place, XdpPath};

use crate::frames::{Case, Group, Known, cases};
use crate::packets::bench::model;
use crate::{empty_program, load_empty, object};

/// Runs to one figure: a few milliseconds, so that a core which slept before has its speed.
const REPEAT: u32 = 20_000;
/// Fewer than a sender may wake the daemon with at once.
const WITHIN_BUDGET: u32 = 16;
const NEVER_LATE: Nanos = Nanos(u64::MAX);

/// One frame's figures, in nanoseconds a run; the n-th of both lists are of one round.
#[derive(Serialize)]
pub(crate) struct Row {
    what: String,
    /// What it is an example of: the bars are set for these.
    group: &'static str,
    empty: Vec<u64>,
    ours: Vec<u64>,
}

/// `rounds` figures for each frame.
pub(crate) fn run(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let mut bare = load_empty()?;
    let bare = empty_program(&mut bare)?;
    let mut xdp = prepared()?;
    let cases = cases();
    let mut rows: Vec<Row> = cases
        .iter()
        .map(|case| Row {
            what: case.what.clone(),
            group: case.group.name(),
            empty: Vec::new(),
            ours: Vec::new(),
        })
        .collect();
    for round in 0..=rounds {
        for (case, row) in cases.iter().zip(&mut rows) {
            let empty = time(bare, &case.frame, repeat(case.group), 2)?;
            let ours = one(&mut xdp, case)?;
            // The first round warms up.
            if round > 0 {
                row.empty.push(empty);
                row.ours.push(ours);
            }
        }
    }
    Ok(rows)
}

const fn repeat(group: Group) -> u32 {
    match group {
        Group::Changed => WITHIN_BUDGET,
        _ => REPEAT,
    }
}

/// The program, told of [`model`].
fn prepared() -> anyhow::Result<XdpPath> {
    let mut xdp = XdpPath::load(object()?)?;
    let (model, places) = model();
    xdp.configure(&model, &places, false)?;
    Ok(xdp)
}

/// The frame in the state that it is an example of, the ring emptied, and proof that it took that path.
fn one(xdp: &mut XdpPath, case: &Case) -> anyhow::Result<u64> {
    if case.group == Group::Changed {
        // Taken out and put in again, every sender has its whole budget.
        let (model, places) = model();
        let nowhere: Vec<Place> = places.iter().map(|_| Place::default()).collect();
        xdp.configure(&model, &nowhere, false)?;
        xdp.configure(&model, &places, false)?;
    }
    if let Some(Known {
        router,
        source,
        message,
    }) = &case.known
    {
        xdp.hush(*router, *source, message, NEVER_LATE)?;
    }
    let repeat = repeat(case.group);
    let before = xdp.counters()?;
    let nanos = time(xdp.program()?, &case.frame, repeat, case.action)?;
    let after = xdp.counters()?;
    xdp.drain(|_| ());
    let taken = match case.group {
        Group::Unchanged => after.unchanged - before.unchanged,
        Group::Changed => after.accepted - before.accepted,
        Group::OverBudget => after.kept - before.kept,
        _ => u64::from(repeat),
    };
    // Of those over budget a few still go into the ring.
    let few = if case.group == Group::OverBudget {
        repeat / 10
    } else {
        0
    };
    ensure!(
        taken >= u64::from(repeat - few),
        "{}: {taken} of {repeat} took that path",
        case.what
    );
    Ok(nanos)
}

/// Nanoseconds a run, by the kernel's account; the program must answer `action`.
fn time(program: &Xdp, frame: &[u8], repeat: u32, action: u32) -> anyhow::Result<u64> {
    let result = program.test_run(TestRunOptions {
        data_in: Some(frame),
        repeat,
        ..TestRunOptions::new()
    })?;
    ensure!(
        result.return_value == action,
        "action {} instead of {action}",
        result.return_value
    );
    Ok(u64::try_from(result.duration.as_nanos())?)
}
