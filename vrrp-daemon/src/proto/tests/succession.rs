//! A process that goes on as another one (a hitless restart).

use vrrp_common::id::Priority;
use vrrp_common::time::MonoNanos;

use super::fixture::{
    Bench, HIGH, LOW, OURS, R0, R1, S0, advert, grouped, link, model, ms, numbered, router, send, track,
};
use crate::proto::model::{Model, Preempt, TrackObject, VirtualRouter};
use crate::proto::record::{Begin, Fed, Step, replay, to_line};
use crate::proto::{
    Effect, Estate, Input, LinkId, LinkState, NotifyState, RouterId, ScriptState, State, Subject,
};

/// Through JSON, as between two processes.
fn handed_over(old: &Bench) -> Estate {
    let json = serde_json::to_string(&old.vrrp.estate().unwrap()).unwrap();
    let estate: Estate = serde_json::from_str(&json).unwrap();
    assert_eq!(estate.check(), Ok(()));
    estate
}

/// A new process with this configuration goes on as `old` from `now` on; what it does at its start.
fn succeed(old: &Bench, now: MonoNanos, new: Model) -> (Bench, Vec<Effect>) {
    // It knows the interfaces already, and heard an advert that it did not judge.
    let mut bench = Bench::told(new);
    bench.vrrp.succeed(now, handed_over(old));
    for id in 0..3 {
        assert_eq!(bench.feed(now, link(LinkId(id), LinkState::Up)), []);
    }
    for router in (0..).map(RouterId).take(bench.vrrp.model().routers.len()) {
        let address = Some(OURS);
        assert_eq!(bench.feed(now, Input::Source { router, address }), []);
    }
    let mut effects = bench.feed(now, Input::Start);
    effects.extend(bench.tick(now));
    (bench, effects)
}

/// One advert, at once, and no other effect: no addresses, no notification, no transition.
#[test]
fn a_master_goes_on_with_an_advert_at_once() {
    let (old, since) = Bench::master(router(100));
    assert_eq!(since, MonoNanos(3_609_375_000));
    let before = old.vrrp.status(R0).unwrap();
    let (mut new, effects) = succeed(&old, ms(3_900), model(vec![router(100)]));
    assert_eq!(effects, [send(R0, 100)]);
    let status = new.vrrp.status(R0).unwrap();
    assert_eq!(
        (status.state, status.since, status.reason),
        (State::Master, since, before.reason)
    );
    assert_eq!(status.counters.became_master, 1);
    assert_eq!(status.outlook.advert_at, Some(ms(4_900)));
    // The second burst of announcements comes when it would have: 5 s after the takeover.
    assert_eq!(new.tick(ms(4_900)), [send(R0, 100)]);
    assert_eq!(new.deadline(), Some(ms(5_900)));
    assert_eq!(
        old.vrrp.told().collect::<Vec<_>>(),
        [(Subject::Router(R0), NotifyState::Master, Priority(100))]
    );
}

/// The down timer runs on from the last advert that the old process heard: 0.5 s + 3.609375 s.
#[test]
fn a_backup_goes_on_waiting_for_whom_it_followed() {
    let mut old = Bench::backup(router(100));
    old.hear(ms(500), R0, HIGH, 150);
    let (mut new, effects) = succeed(&old, ms(2_000), model(vec![router(100)]));
    assert_eq!(effects, []);
    assert_eq!(new.state(R0), State::Backup);
    assert_eq!(new.deadline(), Some(MonoNanos(4_109_375_000)));
    // The next advert restarts it.
    new.hear(ms(2_100), R0, HIGH, 150);
    assert_eq!(new.deadline(), Some(MonoNanos(5_709_375_000)));
}

/// Neither `nopreempt` nor a delay begins anew: a run of lower adverts goes on as one.
#[test]
fn preempt_delay_goes_on() {
    let config = || VirtualRouter {
        preempt: Preempt::After(vrrp_common::time::Nanos::from_secs(10)),
        ..router(100)
    };
    let mut old = Bench::backup(config());
    old.hear(ms(1_000), R0, LOW, 50);
    let (new, _) = succeed(&old, ms(1_500), model(vec![config()]));
    let outlook = new.vrrp.status(R0).unwrap().outlook;
    assert_eq!(outlook.preempt_at, Some(ms(11_000)));
}

/// A verdict that is not known yet would take the weight away, or be a fault.
#[test]
fn verdicts_are_known_from_the_start() {
    let config = || VirtualRouter {
        track: vec![track(TrackObject::Script(S0), 20)],
        ..router(100)
    };
    let mut old = Bench::told(model(vec![config()]));
    let (script, state) = (S0, ScriptState::Passing);
    old.feed(ms(0), Input::Script { script, state });
    old.feed(ms(0), Input::Start);
    let now = old.deadline().unwrap();
    old.tick(now);
    let (new, effects) = succeed(&old, ms(5_000), model(vec![config()]));
    assert_eq!(effects, [send(R0, 120)]);
    assert_eq!(
        new.vrrp.verdicts().collect::<Vec<_>>(),
        [(S0, ScriptState::Passing)]
    );
}

#[test]
fn a_group_is_not_told_again() {
    let config = || grouped(vec![numbered(51, 100), numbered(52, 100)]);
    let mut old = Bench::started(config());
    let now = old.deadline().unwrap();
    old.tick(now);
    assert_eq!((old.state(R0), old.state(R1)), (State::Master, State::Master));
    let (new, effects) = succeed(&old, ms(5_000), config());
    assert_eq!(effects, [send(R0, 100), send(R1, 100)]);
    assert_eq!((new.state(R0), new.state(R1)), (State::Master, State::Master));
}

/// Another file: what is gone is the predecessor's to give up, what is new begins.
#[test]
fn another_configuration_is_as_in_a_reload() {
    let mut old = Bench::started(model(vec![numbered(51, 100), numbered(52, 100)]));
    old.tick(ms(3_610));
    let new = model(vec![numbered(53, 100), numbered(52, 100)]);
    let (new, effects) = succeed(&old, ms(4_000), new);
    assert_eq!(
        (new.state(R0), new.state(R1)),
        (State::Backup, State::Master),
        "{effects:?}"
    );
    let sent = effects
        .iter()
        .filter(|effect| matches!(effect, Effect::Send { .. }));
    assert_eq!(sent.collect::<Vec<_>>(), [&send(R1, 100)]);
    let mut given_up = Vec::new();
    old.vrrp.leave_out(ms(4_000), [R0].into_iter(), &mut given_up);
    assert_eq!(given_up.first(), Some(&send(R0, 0)));
    let released = |effect: &Effect| matches!(effect, Effect::Release { .. });
    assert!(!given_up.iter().any(released), "the successor removes them");
}

/// The interval since the last advert counts: the others may have a new Master by then.
#[test]
fn a_successor_that_was_stopped_hears_before_it_goes_on() {
    let config = || VirtualRouter {
        preempt: Preempt::Never,
        ..router(100)
    };
    let (old, _) = Bench::master(config());
    let mut new = Bench::told(model(vec![config()]));
    new.vrrp.succeed(ms(4_000), handed_over(&old));
    assert_eq!(new.feed(ms(9_000), Input::Start), []);
    // Sent after ours was due.
    new.feed(ms(9_000), advert(ms(8_900), R0, LOW, 50));
    assert_eq!(new.state(R0), State::Backup);
}

#[test]
fn only_a_machine_that_runs_has_something_to_leave() {
    assert_eq!(Bench::told(model(vec![router(100)])).vrrp.estate(), None);
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1), Input::Shutdown);
    assert_eq!(bench.vrrp.estate(), None);
}

#[test]
fn what_does_not_fit_together_is_refused() {
    let old = Bench::backup(router(100));
    let mut json = serde_json::to_value(old.vrrp.estate().unwrap()).unwrap();
    json["instances"] = serde_json::json!([]);
    let estate: Estate = serde_json::from_value(json).unwrap();
    let error = estate.check().unwrap_err();
    assert_eq!(
        error.to_string(),
        "0 states of 1 virtual routers, 0 of 0 sync groups"
    );
    // Had it not been refused, the virtual router would begin anew.
    let mut new = Bench::told(model(vec![router(100)]));
    new.vrrp.succeed(ms(10), estate);
    assert_eq!(new.state(R0), State::Init);
}

/// A change of these names is a change of the format (`HANDOVER`): processes of two versions read each other's.
#[test]
fn the_format_is_this() {
    let mut old = Bench::started(model(vec![numbered(51, 100), numbered(52, 200)]));
    old.hear(ms(500), R0, HIGH, 150);
    old.tick(ms(3_219));
    let json = serde_json::to_value(old.vrrp.estate().unwrap()).unwrap();
    let names: Vec<_> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(names, ["facts", "groups", "holds", "instances", "model"]);
    let expected = [
        serde_json::json!({
            "id": 0, "since": 0, "reason": "started", "priority": 100, "source": "192.0.2.100",
            "standby": null, "hold_until": null,
            "sending": {"last": null, "failing": false, "silent_since": null, "mute": null, "probe_at": null},
            "phase": {"backup": {
                "down_at": 4_109_375_000_u64, "wants": false, "held": false, "last_heard": 500_000_000, "interval": 100,
                "followed": {
                    "source": "192.0.2.200", "priority": 150, "interval": 100, "at": 500_000_000,
                    "checksum": json["instances"][0]["phase"]["backup"]["followed"]["checksum"],
                    "same_addresses": true
                },
                "overruled": null, "lower_since": null, "released": false, "patience": null
            }},
            "counters": json["instances"][0]["counters"],
        }),
        serde_json::json!({
            "id": 1, "since": 3_219_000_000_u64, "priority": 200, "source": "192.0.2.100",
            "reason": {"master-down": {"master": null, "last_heard": 0, "interval": 3_218_750_000_u64}},
            "standby": null, "hold_until": null,
            "sending": {"last": 200, "failing": false, "silent_since": null, "mute": null, "probe_at": null},
            "phase": {"master": {
                "advert_at": 4_219_000_000_u64, "sent_at": 3_219_000_000_u64, "burst_at": 8_219_000_000_u64,
                "refresh_at": null, "contest_at": null, "answered": null, "contested": null, "spread": false
            }},
            "counters": json["instances"][1]["counters"],
        }),
    ];
    for (index, expected) in expected.iter().enumerate() {
        assert_eq!(&json["instances"][index], expected);
    }
}

/// A recording of the new process has what it went on from.
#[test]
fn a_recording_goes_on_from_it() {
    let (old, _) = Bench::master(router(100));
    let config = model(vec![router(100)]);
    let mut lines = vec![to_line(&Begin::new(&config, ms(3_900))).unwrap()];
    for fed in [
        Fed::Succeed(Box::new(handed_over(&old))),
        Fed::Input(Input::Start),
        Fed::Input(Input::Tick),
    ] {
        lines.push(to_line(&Step { now: ms(3_900), fed }).unwrap());
    }
    let played = replay(lines.iter().map(String::as_str)).unwrap();
    assert_eq!(played.last().unwrap().effects, [send(R0, 100)]);
}
