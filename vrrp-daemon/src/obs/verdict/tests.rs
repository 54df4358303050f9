use super::{Condition, Level, render, verdict};
use crate::ingress::control::status::{Instance, Reload, ReloadResult, Standby, Status, TrackedOutcome};
use crate::obs::status::tests::status;
use crate::proto::State;

const CRIT: &[Condition] = &[
    Condition::Fault,
    Condition::NoMaster,
    Condition::AddressMissing,
    Condition::AddressLeft,
];
const WARN: &[Condition] = &[
    Condition::Init,
    Condition::Standby,
    Condition::Tracked,
    Condition::ReloadRefused,
];

/// Its one instance follows a Master, and nothing that it tracks fails.
fn well() -> Status {
    let mut status = status();
    status.instances[0].tracked[0].outcome = TrackedOutcome::Adds(0);
    status
}

fn line(status: &Status) -> (u8, String) {
    let instances: Vec<&Instance> = status.instances.iter().collect();
    let verdict = verdict(status, &instances, WARN, CRIT);
    (verdict.status.code(), render(&verdict))
}

#[test]
fn well_is_0() {
    assert_eq!(
        line(&well()),
        (
            0,
            "VRRP OK - 0 MASTER, 1 BACKUP | instances=1 master=0 backup=1 fault=0 init=0 standby=0\n"
                .to_owned()
        )
    );
}

type Spoil = fn(&mut Status);

#[test]
fn each_condition_has_its_level_and_words() {
    let table: [(Spoil, u8, &str); 9] = [
        (
            |status| {
                status.instances[0].state = State::Fault;
                status.instances[0].reason = "script a|b fails".to_owned();
            },
            2,
            "VRRP CRITICAL - VI_1: FAULT (script a/b fails) | ",
        ),
        (
            |status| status.instances[0].master = None,
            2,
            "VRRP CRITICAL - VI_1: hears no Master | ",
        ),
        (
            |status| status.instances[0].state = State::Master,
            2,
            "VRRP CRITICAL - VI_1: 20.31.250.13 missing | ",
        ),
        (
            |status| status.instances[0].addresses[0].present = true,
            2,
            "VRRP CRITICAL - VI_1: 20.31.250.13 left behind | ",
        ),
        (
            |status| status.instances[0].state = State::Init,
            1,
            "VRRP WARNING - VI_1: INIT | ",
        ),
        (
            |status| {
                status.instances[0].standby = Some(Standby {
                    left_ms: None,
                    alone: false,
                });
            },
            1,
            "VRRP WARNING - VI_1: stands by | ",
        ),
        // The worst comes first.
        (
            |status| {
                status.instances[0].standby = Some(Standby {
                    left_ms: None,
                    alone: true,
                });
            },
            2,
            "VRRP CRITICAL - VI_1: hears no Master; VI_1: stands by | ",
        ),
        (
            |status| status.instances[0].tracked[0].outcome = TrackedOutcome::Adds(-10),
            1,
            "VRRP WARNING - VI_1: script monitor_service fails | ",
        ),
        (
            |status| {
                status.daemon.last_reload = Some(Reload {
                    ago_ms: 1,
                    result: ReloadResult::Refused,
                });
            },
            1,
            "VRRP WARNING - the last reload was refused, the old configuration runs on | ",
        ),
    ];
    for (spoil, code, words) in table {
        let mut status = well();
        spoil(&mut status);
        let (found, text) = line(&status);
        assert_eq!(found, code, "{text}");
        assert!(text.starts_with(words), "{text}");
    }
}

#[test]
fn a_backup_that_has_just_begun_to_listen_may_hear_nobody_yet() {
    let mut status = well();
    status.instances[0].master = None;
    status.instances[0].since_ms = 3_000;
    assert_eq!(line(&status).0, 0);
}

#[test]
fn a_condition_in_both_lists_is_critical() {
    let status = well();
    let instances: Vec<&Instance> = status.instances.iter().collect();
    let verdict = verdict(&status, &instances, &[Condition::Backup], &[Condition::Backup]);
    assert_eq!(verdict.status, Level::Critical);
    assert_eq!(verdict.findings.len(), 1);
}
