//! Why a virtual router is in its state, and what would change it: plain English from the machine's own values.

use super::phrase::state_name;
use super::span::{span, tenths};
use crate::ingress::control::status::{
    Instance, Master, Preemption, Standby, Status, Tracked, TrackedOutcome,
};
use crate::proto::State;

/// One line for each thing there is to say; the first names the state.
#[must_use]
pub fn explain(status: &Status, instance: &Instance) -> Vec<String> {
    let mut lines = vec![format!(
        "{} is {} for {}: {}",
        instance.name,
        state_name(instance.state),
        span(instance.since_ms),
        instance.reason
    )];
    match instance.state {
        State::Init => init(instance, &mut lines),
        State::Backup => backup(status, instance, &mut lines),
        State::Master => master(instance, &mut lines),
        State::Fault => fault(status, instance, &mut lines),
    }
    if let Some(standby) = &instance.standby
        && instance.state != State::Backup
    {
        lines.push(stands_by(instance, standby));
    }
    if let Some(line) = priority(instance) {
        lines.push(line);
    }
    lines
}

fn init(instance: &Instance, lines: &mut Vec<String>) {
    let unknown: Vec<String> = instance
        .tracked
        .iter()
        .filter(|tracked| tracked.outcome == TrackedOutcome::Unknown)
        .map(named)
        .collect();
    lines.push(match unknown.is_empty() {
        true => "it takes part as soon as the election begins (vrrp_startup_delay)".to_owned(),
        false => format!("it waits for a first word of {}", unknown.join(", ")),
    });
}

fn backup(status: &Status, instance: &Instance, lines: &mut Vec<String>) {
    let ours = instance.priority_effective;
    lines.push(match &instance.master {
        Some(master) => format!(
            "follows {} (priority {}, {} ours, {ours}), last advert {} ago",
            master.address,
            master.priority,
            compared(master, ours),
            tenths(master.last_advert_ms)
        ),
        None => "has heard no Master".to_owned(),
    });
    if let Some(standby) = &instance.standby {
        lines.push(stands_by(instance, standby));
        return;
    }
    let down = instance.timers.takeover_us.unwrap_or_default() / 1000;
    // A Master that was heard would have ended it.
    if let Some(hold) = instance.timers.link_hold_ms.filter(|left| *left > down) {
        lines.push(format!(
            "held by the start-up hold for another {}: {} has received nothing yet (vrrp_link_hold)",
            tenths(hold),
            instance.interface
        ));
        return;
    }
    if instance.timers.waits_for_group {
        lines.push(waits_for(status, instance));
        return;
    }
    let lower = instance.master.as_ref().filter(|master| master.priority < ours);
    match (lower, instance.preempt) {
        (Some(_), Preemption::Never) if ours != 255 => {
            lines.push("nopreempt: that Master is not replaced while it lives".to_owned());
        }
        (Some(_), Preemption::AfterMs(_)) if instance.timers.preempt_ms.is_some_and(|left| left > 0) => {
            let left = instance.timers.preempt_ms.unwrap_or_default();
            lines.push(format!(
                "preempt_delay: that Master is replaced if it is still heard in {}",
                tenths(left)
            ));
        }
        (Some(_), _) => {
            let left = tenths(instance.timers.takeover_us.unwrap_or_default() / 1000);
            lines.push(format!(
                "takes over in {left}: that Master's priority is lower, so its adverts do not count"
            ));
            return;
        }
        (None, _) => {}
    }
    if let Some(takeover) = instance.timers.takeover_us {
        lines.push(format!(
            "takes over if nothing is heard for another {} (Master_Down_Interval {})",
            tenths(takeover / 1000),
            tenths(instance.master_down_us / 1000)
        ));
    }
}

fn compared(master: &Master, ours: u8) -> &'static str {
    match master.priority.cmp(&ours) {
        std::cmp::Ordering::Less => "lower than",
        std::cmp::Ordering::Equal => "the same as",
        std::cmp::Ordering::Greater => "higher than",
    }
}

fn stands_by(instance: &Instance, standby: &Standby) -> String {
    let until = match standby.left_ms {
        Some(left) => format!(
            "for another {}, or until `vrrpctl resume {}`",
            span(left),
            instance.name
        ),
        None => format!("until `vrrpctl resume {}`", instance.name),
    };
    let alone = match standby.alone {
        true => "; NOBODY ELSE is Master, so nobody holds the addresses",
        false => "",
    };
    format!("stands by, as asked: it does not become Master {until}{alone}")
}

/// Whom of its group it waits for.
fn waits_for(status: &Status, instance: &Instance) -> String {
    let group = instance.group.as_deref().unwrap_or_default();
    let others = status.instances.iter().filter(|other| {
        let company = other.group.as_deref() == Some(group) && other.name != instance.name;
        company && !other.timers.waits_for_group && other.state != State::Master
    });
    let others: Vec<String> = others
        .map(|other| format!("{} ({})", other.name, state_name(other.state)))
        .collect();
    format!(
        "would take over, and waits for the rest of sync group {group}: {}",
        others.join(", ")
    )
}

fn master(instance: &Instance, lines: &mut Vec<String>) {
    let ours = instance.priority_effective;
    lines.push(format!(
        "sends an advert with priority {ours} every {}",
        tenths(instance.interval_ms)
    ));
    let absent: Vec<String> = instance
        .addresses
        .iter()
        .filter(|address| !address.present)
        .map(|address| format!("{}/{}", address.address, address.prefix))
        .collect();
    lines.push(match absent.is_empty() {
        true => match instance.addresses.as_slice() {
            [one] => format!("holds {}/{}", one.address, one.prefix),
            all => format!("holds all of its {} addresses", all.len()),
        },
        false => format!("does NOT hold {}: the log says why", absent.join(" ")),
    });
    lines.push(match ours {
        255 => "gives up when a fault occurs, or by `vrrpctl standby`: as the owner of the addresses it yields to \
                nobody"
            .to_owned(),
        ours => format!(
            "gives up when it hears a priority higher than {ours} (or the same from a higher address), when a fault \
             occurs, or by `vrrpctl standby`"
        ),
    });
}

fn fault(status: &Status, instance: &Instance, lines: &mut Vec<String>) {
    let own: Vec<String> = instance
        .tracked
        .iter()
        .filter(|tracked| tracked.outcome == TrackedOutcome::Fault)
        .map(named)
        .collect();
    if !own.is_empty() {
        lines.push(format!("a fault: {}", own.join(", ")));
    }
    let others: Vec<&str> = status
        .instances
        .iter()
        .filter(|other| {
            let company = other.group.is_some() && other.group == instance.group;
            company
                && other.name != instance.name
                && other.reason_code != "group"
                && other.state == State::Fault
        })
        .map(|other| other.name.as_str())
        .collect();
    if instance.reason_code == "group" && !others.is_empty() {
        lines.push(format!(
            "its sync group is in FAULT with {}: `vrrpctl explain` of that says why",
            others.join(", ")
        ));
    }
    lines
        .push("becomes BACKUP as soon as that is over, and waits for a Master_Down_Interval then".to_owned());
}

/// What made the priority.
fn priority(instance: &Instance) -> Option<String> {
    let adds: Vec<String> = instance
        .tracked
        .iter()
        .filter_map(|tracked| match tracked.outcome {
            TrackedOutcome::Adds(0) | TrackedOutcome::Fault => None,
            TrackedOutcome::Adds(share) => Some(format!("{share:+} {}", named(tracked))),
            TrackedOutcome::Unknown => Some(format!("+0 {} (not known yet)", named(tracked))),
        })
        .collect();
    (!adds.is_empty()).then(|| {
        format!(
            "priority {} = {} configured, {}",
            instance.priority_effective,
            instance.priority_configured,
            adds.join(", ")
        )
    })
}

fn named(tracked: &Tracked) -> String {
    format!("{} {}", tracked.kind.name(), tracked.name)
}

#[cfg(test)]
mod tests;
