//! A [`Status`] as text, for people.

use std::fmt::Write as _;

use super::phrase::state_name;
use super::span::{exact, span};
use super::table::table;
use crate::ingress::control::status::{
    Frames, Instance, ReloadResult, Sender, Status, Tracked, TrackedOutcome,
};
use crate::proto::ScriptState;

/// What came of reading the configuration again.
#[must_use]
pub const fn outcome(result: ReloadResult) -> &'static str {
    match result {
        ReloadResult::Applied { .. } => "reloaded",
        ReloadResult::Unchanged => "reloaded: the configuration is as it was",
        ReloadResult::Refused => "NOT reloaded, the old configuration runs on: the log says why",
    }
}

/// The whole status as text: one block per virtual router, then groups and scripts. `verbose`: with the times between
/// adverts.
#[must_use]
pub fn render(status: &Status, verbose: bool) -> String {
    let mut out = String::new();
    let daemon = &status.daemon;
    line(
        &mut out,
        format_args!(
            "vrrp-daemon {}, pid {}, up {}, {}",
            daemon.version,
            daemon.pid,
            span(daemon.uptime_ms),
            daemon.config_file.display()
        ),
    );
    if let Some(reload) = &daemon.last_reload {
        line(
            &mut out,
            format_args!(
                "{} {} ago; taken over {}, refused {}",
                outcome(reload.result),
                span(reload.ago_ms),
                daemon.reloads,
                daemon.reloads_refused
            ),
        );
    }
    line(&mut out, format_args!(""));
    out.push_str(&overview(&status.instances));
    for instance in &status.instances {
        line(&mut out, format_args!(""));
        describe(&mut out, instance);
        if verbose {
            for sender in &instance.senders {
                line(&mut out, format_args!("  {}", arrivals(sender)));
            }
        }
    }
    if !status.groups.is_empty() {
        line(&mut out, format_args!(""));
    }
    for group in &status.groups {
        let state = group.state.map_or("(members differ)", state_name);
        line(
            &mut out,
            format_args!(
                "group {}: {state}, members {}",
                group.name,
                group.members.join(" ")
            ),
        );
    }
    for script in &status.scripts {
        let state = match script.state {
            None if script.disabled => "never run, see the log",
            None => "not run yet",
            Some(ScriptState::Passing) => "passing",
            Some(ScriptState::Failing) => "FAILING",
        };
        line(&mut out, format_args!("script {}: {state}", script.name));
    }
    for file in &status.files {
        let value = file
            .value
            .map_or("not read yet".to_owned(), |value| value.to_string());
        line(&mut out, format_args!("file {}: {value}", file.name));
    }
    for process in &status.processes {
        let state = match process.quorum {
            None => "not looked for yet",
            Some(true) => "as many run as wanted",
            Some(false) => "TOO FEW OR TOO MANY RUN",
        };
        line(&mut out, format_args!("process {}: {state}", process.name));
    }
    for unit in &status.units {
        let state = match unit.steady {
            None => "not looked at yet",
            Some(true) => "steady",
            Some(false) => "RESTARTS TOO OFTEN OR HAS FAILED",
        };
        line(&mut out, format_args!("unit {}: {state}", unit.name));
    }
    if !status.refused_elsewhere.is_empty() {
        let counts = counts(&status.refused_elsewhere);
        line(
            &mut out,
            format_args!("refused, for no virtual router of ours: {counts}"),
        );
    }
    if let Some(frames) = &status.frames {
        line(&mut out, format_args!("{}", seen_by_xdp(frames)));
    }
    if daemon.notifications_dropped > 0 {
        line(
            &mut out,
            format_args!(
                "{} notifications dropped: a notify script hangs",
                daemon.notifications_dropped
            ),
        );
    }
    out
}

/// The overview: one row per virtual router.
fn overview(instances: &[Instance]) -> String {
    let head = [
        "INSTANCE",
        "VRID",
        "INTERFACE",
        "STATE",
        "SINCE",
        "PRIO",
        "MASTER",
        "RECEIVE",
    ];
    let mut rows = vec![head.map(str::to_owned)];
    rows.extend(instances.iter().map(|instance| {
        [
            instance.name.clone(),
            instance.vrid.to_string(),
            instance.interface.clone(),
            state_name(instance.state).to_owned(),
            span(instance.since_ms),
            instance.priority_effective.to_string(),
            instance
                .master
                .as_ref()
                .map_or("-".to_owned(), |master| master.address.to_string()),
            instance.receive_path.name().to_owned(),
        ]
    }));
    table(&rows)
}

/// One virtual router in full.
#[must_use]
pub fn show(instance: &Instance) -> String {
    let mut out = String::new();
    describe(&mut out, instance);
    for sender in &instance.senders {
        line(&mut out, format_args!("  {}", arrivals(sender)));
    }
    out
}

fn describe(out: &mut String, instance: &Instance) {
    line(
        out,
        format_args!(
            "{}: {}: {}",
            instance.name,
            state_name(instance.state),
            instance.reason
        ),
    );
    line(
        out,
        format_args!(
            "  priority {} (configured {}), advert every {} ms, Master_Down_Interval {}.{:03} ms",
            instance.priority_effective,
            instance.priority_configured,
            instance.interval_ms,
            instance.master_down_us / 1000,
            instance.master_down_us % 1000
        ),
    );
    for tracked in &instance.tracked {
        line(out, format_args!("  {}", outcome_of(tracked)));
    }
    if let Some(standby) = &instance.standby {
        let left = match standby.left_ms {
            Some(left) => format!("for another {}", span(left)),
            None => "until `vrrpctl resume`".to_owned(),
        };
        line(out, format_args!("  STANDS BY {left}"));
    }
    if let Some(takeover) = instance.timers.takeover_us {
        line(
            out,
            format_args!("  takes over in {} if nothing is heard", exact(takeover)),
        );
    }
    if let Some(master) = &instance.master {
        line(
            out,
            format_args!(
                "  Master {} with priority {}, last advert {} ms ago",
                master.address, master.priority, master.last_advert_ms
            ),
        );
    }
    for address in &instance.addresses {
        let present = if address.present { "present" } else { "absent" };
        line(
            out,
            format_args!(
                "  {}/{} on {}: {present}",
                address.address, address.prefix, address.interface
            ),
        );
    }
    let counters = &instance.counters;
    line(
        out,
        format_args!(
            "  adverts: {} sent, {} failed, {} received; times Master {}, released {}",
            counters.adverts_sent,
            counters.send_failures,
            counters.adverts_received,
            counters.became_master,
            counters.released_master
        ),
    );
    if counters.addresses_lost > 0 {
        let lost = counters.addresses_lost;
        line(
            out,
            format_args!("  addresses removed by other programs: {lost} times"),
        );
    }
    if counters.late_adverts > 0 {
        let late = counters.late_adverts;
        line(out, format_args!("  late adverts of the Master: {late}"));
    }
    if !counters.refused.is_empty() {
        line(out, format_args!("  refused: {}", counts(&counters.refused)));
    }
}

/// `script chk, weight -20: -20`
fn outcome_of(tracked: &Tracked) -> String {
    let outcome = match tracked.outcome {
        TrackedOutcome::Adds(share) => format!("{share:+}"),
        TrackedOutcome::Fault => "FAULT".to_owned(),
        TrackedOutcome::Unknown => "not known yet".to_owned(),
    };
    let reverse = if tracked.reverse { " reverse" } else { "" };
    let (kind, name) = (tracked.kind.name(), &tracked.name);
    format!("{kind} {name}, weight {}{reverse}: {outcome}", tracked.weight)
}

fn counts(refused: &std::collections::BTreeMap<String, u64>) -> String {
    let counts: Vec<String> = refused
        .iter()
        .map(|(reason, count)| format!("{reason} {count}"))
        .collect();
    counts.join(", ")
}

/// `192.0.2.1: 417.006 ms ago, 0 unread, 1 late; gaps of at least 524.288 ms 3, 1.048 s 40`
fn arrivals(sender: &Sender) -> String {
    let who = sender
        .source
        .map_or("others".to_owned(), |source| source.to_string());
    let mut text = match sender.last_us {
        Some(last) => format!("{who}: {} ago", exact(last)),
        None => who,
    };
    // Writing to a string does not fail.
    let _ = write!(text, ", {} unread, {} late", sender.unread, sender.late);
    let gaps: Vec<String> = sender
        .gaps_us
        .iter()
        .map(|(from, count)| format!("{} {count}", exact(*from)))
        .collect();
    if !gaps.is_empty() {
        text.push_str("; gaps of at least ");
        text.push_str(&gaps.join(", "));
    }
    text
}

/// What became of all frames.
fn seen_by_xdp(frames: &Frames) -> String {
    let mut text = format!(
        "XDP: {} accepted, {} unchanged, {} kept ({} for the ring was full), {} not ours, {} not judged",
        frames.accepted, frames.unchanged, frames.kept, frames.ring_full, frames.not_ours, frames.not_judged
    );
    if !frames.refused.is_empty() {
        text.push_str("; refused: ");
        text.push_str(&counts(&frames.refused));
    }
    text
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(out, "{text}");
}

#[cfg(test)]
pub(super) mod tests;
