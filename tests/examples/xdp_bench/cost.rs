//! Single frames under `BPF_PROG_TEST_RUN`, each beside the empty program in the same round.

use std::net::IpAddr;

use anyhow::ensure;
use aya::programs::{TestRun, TestRunOptions, Xdp};
use serde::Serialize;
use vrrp_daemon::proto::RouterId;
use vrrp_daemon::xdp::XdpPath;

use crate::frames::{Case, cases};
use crate::packets::bench::model;
use crate::{empty_program, load_empty, object};

/// Runs to one figure: with the longest records these fill the ring by three quarters.
const REPEAT: u32 = 1_000;

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
            let empty = time(bare, &case.frame, REPEAT, 2)?;
            let ours = one(&mut xdp, case)?;
            // The first round warms up.
            if round > 0 {
                row.empty.push(empty);
                row.ours.push(ours);
            }
        }
    }
    let full = xdp.counters()?.ring_full;
    ensure!(full == 0, "the ring was full {full} times: REPEAT is too large");
    Ok(rows)
}

/// The program, told of [`model`] and of whom each virtual router follows.
fn prepared() -> anyhow::Result<XdpPath> {
    let mut xdp = XdpPath::load(object()?)?;
    let (model, places) = model();
    xdp.configure(&model, &places, false)?;
    for (id, router) in (0..).zip(&model.routers) {
        let master = match router.family {
            vrrp_common::id::Family::V4 => IpAddr::from([192, 0, 2, 1]),
            vrrp_common::id::Family::V6 => "fe80::c8".parse()?,
        };
        // Two of the model's routers share a name on the wire, and have no entry.
        let _not_in_the_map = xdp.follow(RouterId(id), master);
    }
    Ok(xdp)
}

/// The frame after what went before it, and the ring emptied.
fn one(xdp: &mut XdpPath, case: &Case) -> anyhow::Result<u64> {
    if let Some(before) = &case.before {
        time(xdp.program()?, before, 1, case.action)?;
        xdp.drain(|_| ());
    }
    let nanos = time(xdp.program()?, &case.frame, REPEAT, case.action)?;
    xdp.drain(|_| ());
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
