use super::explain;
use crate::ingress::control::status::{
    Instance, Master, Preemption, Standby, Status, Timers, Tracked, TrackedKind, TrackedOutcome,
};
use crate::obs::status::tests::{instance, status};
use crate::proto::State;

/// A Backup of priority 150 that heard 192.0.2.1 0.3 s ago.
fn follower(theirs: u8) -> Instance {
    Instance {
        name: "web".to_owned(),
        interface: "eth1".to_owned(),
        group: None,
        state: State::Backup,
        since_ms: 303_000,
        priority_configured: 150,
        priority_effective: 150,
        tracked: Vec::new(),
        preempt: Preemption::AtOnce,
        master: Some(Master {
            address: "192.0.2.1".parse().unwrap(),
            priority: theirs,
            last_advert_ms: 312,
        }),
        master_down_us: 3_609_375,
        timers: Timers {
            takeover_us: Some(3_297_000),
            ..Timers::default()
        },
        ..instance()
    }
}

fn said(instance: &Instance) -> Vec<String> {
    explain(&status(), instance)
}

#[test]
fn a_backup_says_whom_it_follows_and_until_when() {
    assert_eq!(
        said(&follower(200)),
        [
            "web is BACKUP for 5 m 03 s: started",
            "follows 192.0.2.1 (priority 200, higher than ours, 150), last advert 0.3 s ago",
            "takes over if nothing is heard for another 3.2 s (Master_Down_Interval 3.6 s)",
        ]
    );
    let alone = Instance {
        master: None,
        ..follower(200)
    };
    assert_eq!(said(&alone)[1], "has heard no Master");
}

#[test]
fn a_lower_master_is_replaced_or_not() {
    let never = Instance {
        preempt: Preemption::Never,
        ..follower(100)
    };
    assert_eq!(
        said(&never)[1..],
        [
            "follows 192.0.2.1 (priority 100, lower than ours, 150), last advert 0.3 s ago",
            "nopreempt: that Master is not replaced while it lives",
            "takes over if nothing is heard for another 3.2 s (Master_Down_Interval 3.6 s)",
        ]
    );
    let delayed = Instance {
        preempt: Preemption::AfterMs(300_000),
        timers: Timers {
            preempt_ms: Some(12_400),
            ..follower(100).timers
        },
        ..follower(100)
    };
    assert_eq!(
        said(&delayed)[2],
        "preempt_delay: that Master is replaced if it is still heard in 12 s"
    );
    assert_eq!(
        said(&follower(100))[2..],
        ["takes over in 3.2 s: that Master's priority is lower, so its adverts do not count"]
    );
    // The owner preempts whatever the file says.
    let owner = Instance {
        priority_effective: 255,
        ..never
    };
    assert!(said(&owner)[2].starts_with("takes over in 3.2 s"));
}

#[test]
fn what_holds_it_back() {
    let held = Instance {
        master: None,
        timers: Timers {
            takeover_us: Some(0),
            link_hold_ms: Some(12_000),
            ..Timers::default()
        },
        ..follower(200)
    };
    assert_eq!(
        said(&held)[1..],
        [
            "has heard no Master",
            "held by the start-up hold for another 12 s: eth1 has received nothing yet (vrrp_link_hold)",
        ]
    );

    let mut waiting = follower(200);
    waiting.master = None;
    waiting.group = Some("VG_1".to_owned());
    waiting.timers.waits_for_group = true;
    assert_eq!(
        explain(&status(), &waiting)[2..],
        ["would take over, and waits for the rest of sync group VG_1: VI_1 (BACKUP)"]
    );
}

#[test]
fn who_stands_by_says_until_when() {
    let mut instance = follower(200);
    instance.standby = Some(Standby {
        left_ms: Some(598_000),
        alone: false,
    });
    assert_eq!(
        said(&instance)[2..],
        [
            "stands by, as asked: it does not become Master for another 9 m 58 s, or until `vrrpctl resume web`"
        ]
    );
    instance.standby = Some(Standby {
        left_ms: None,
        alone: true,
    });
    assert_eq!(
        said(&instance)[2..],
        [
            "stands by, as asked: it does not become Master until `vrrpctl resume web`; NOBODY ELSE is Master, so nobody \
          holds the addresses"
        ]
    );
    // Also while something else keeps it from being Master anyway.
    instance.state = State::Fault;
    assert!(said(&instance).last().unwrap().starts_with("stands by, as asked"));
}

#[test]
fn a_master_says_what_it_holds_and_when_it_gives_up() {
    let mut instance = follower(200);
    instance.state = State::Master;
    assert_eq!(
        said(&instance)[1..],
        [
            "sends an advert with priority 150 every 1.0 s",
            "does NOT hold 20.31.250.13/32: the log says why",
            "gives up when it hears a priority higher than 150 (or the same from a higher address), when a fault \
             occurs, or by `vrrpctl standby`",
        ]
    );
    instance.addresses[0].present = true;
    instance.priority_effective = 255;
    assert_eq!(
        said(&instance)[2..],
        [
            "holds 20.31.250.13/32",
            "gives up when a fault occurs, or by `vrrpctl standby`: as the owner of the addresses it yields to nobody",
        ]
    );
}

fn tracked(kind: TrackedKind, name: &str, outcome: TrackedOutcome) -> Tracked {
    Tracked {
        kind,
        name: name.to_owned(),
        weight: -20,
        reverse: false,
        outcome,
    }
}

#[test]
fn a_fault_names_what_fails_and_a_priority_what_made_it() {
    let mut instance = follower(200);
    instance.state = State::Fault;
    instance.reason = "interface eth1 is not up".to_owned();
    instance.tracked = vec![tracked(TrackedKind::Interface, "eth2", TrackedOutcome::Fault)];
    assert_eq!(
        said(&instance),
        [
            "web is FAULT for 5 m 03 s: interface eth1 is not up",
            "a fault: interface eth2",
            "becomes BACKUP as soon as that is over, and waits for a Master_Down_Interval then",
        ]
    );

    let mut instance = follower(200);
    instance.priority_effective = 130;
    instance.tracked = vec![
        tracked(TrackedKind::Script, "chk", TrackedOutcome::Adds(-20)),
        tracked(TrackedKind::File, "load", TrackedOutcome::Adds(0)),
        tracked(TrackedKind::Process, "nginx", TrackedOutcome::Unknown),
    ];
    assert_eq!(
        said(&instance).last().unwrap(),
        "priority 130 = 150 configured, -20 script chk, +0 process nginx (not known yet)"
    );
}

#[test]
fn one_that_has_not_begun_says_what_it_waits_for() {
    let mut instance = follower(200);
    instance.state = State::Init;
    assert_eq!(
        said(&instance)[1],
        "it takes part as soon as the election begins (vrrp_startup_delay)"
    );
    instance.tracked = vec![tracked(TrackedKind::Script, "chk", TrackedOutcome::Unknown)];
    assert_eq!(said(&instance)[1], "it waits for a first word of script chk");
}

#[test]
fn a_group_in_fault_names_whose_fault_it_is() {
    let mut status: Status = status();
    status.instances[0].state = State::Fault;
    status.instances[0].reason_code = "script-failing".to_owned();
    let mut sibling = follower(200);
    sibling.group = Some("VG_1".to_owned());
    sibling.state = State::Fault;
    sibling.reason_code = "group".to_owned();
    assert_eq!(
        explain(&status, &sibling)[1],
        "its sync group is in FAULT with VI_1: `vrrpctl explain` of that says why"
    );
}
