//! The arithmetic of weights, and what is a fault.

use std::net::IpAddr;

use super::fixture::{
    Bench, F0, L0, L1, L2, OURS, P0, R0, S0, S1, U0, acquire, grouped, link, model, ms, router, track, us,
};
use crate::proto::model::{Track, TrackObject, VirtualRouter};
use crate::proto::{Input, LinkState, Reason, ScriptState, State};

fn script(script: crate::proto::ScriptId, state: ScriptState) -> Input {
    Input::Script { script, state }
}

fn reversed(object: TrackObject, weight: i16) -> Track {
    Track {
        reverse: true,
        ..track(object, weight)
    }
}

fn priority(bench: &Bench) -> u8 {
    bench.vrrp.status(R0).unwrap().priority.0
}

/// Configured priority, tracks on link 1 and script 0, then the effective priority with: script not run and
/// link up, script passing, script failing, link down besides.
#[test]
fn weights() {
    let on_script = |weight| track(TrackObject::Script(S0), weight);
    let not_script = |weight| reversed(TrackObject::Script(S0), weight);
    let on_link = |weight| track(TrackObject::Link(L1), weight);
    let not_link = |weight| reversed(TrackObject::Link(L1), weight);
    let table = [
        (100, vec![on_script(20)], [100, 120, 100, 100]),
        (100, vec![on_script(-20)], [100, 100, 80, 80]),
        // keepalived 2.2.7: "Changing effective priority from 100 to 80" when it succeeds.
        (100, vec![not_script(20)], [100, 80, 100, 100]),
        // ... and "from 100 to 120" when it fails.
        (100, vec![not_script(-20)], [100, 100, 120, 120]),
        (100, vec![on_link(10)], [110, 110, 110, 100]),
        (100, vec![on_link(-10)], [100, 100, 100, 90]),
        (100, vec![not_link(10)], [90, 90, 90, 100]),
        (100, vec![not_link(-10)], [100, 100, 100, 110]),
        (100, vec![on_script(-60), on_link(-60)], [100, 100, 40, 1]),
        (100, vec![on_script(200)], [100, 254, 100, 100]),
        (200, vec![on_script(-253), on_link(253)], [254, 254, 200, 1]),
        (1, vec![on_script(-253)], [1, 1, 1, 1]),
        // The owner never changes.
        (255, vec![on_script(-100), on_link(-100)], [255, 255, 255, 255]),
    ];
    for (configured, tracks, expected) in table {
        let what = format!("{configured} {tracks:?}");
        let mut bench = Bench::started(model(vec![VirtualRouter {
            track: tracks,
            ..router(configured)
        }]));
        let mut seen = vec![priority(&bench)];
        let steps = [
            script(S0, ScriptState::Passing),
            script(S0, ScriptState::Failing),
            link(L1, LinkState::Down),
        ];
        for input in steps {
            bench.feed(ms(1), input);
            seen.push(priority(&bench));
        }
        assert_eq!(seen, expected, "{what}");
        assert_eq!(bench.state(R0), State::Backup, "{what}: a weight is no fault");
    }
}

/// Without a weight: well or FAULT; `reverse` turns it round.
#[test]
fn unweighted() {
    let table = [
        (
            track(TrackObject::Link(L1), 0),
            link(L1, LinkState::Down),
            link(L1, LinkState::Up),
        ),
        (
            reversed(TrackObject::Link(L1), 0),
            link(L1, LinkState::Up),
            link(L1, LinkState::Missing),
        ),
        (
            track(TrackObject::Script(S0), 0),
            script(S0, ScriptState::Failing),
            script(S0, ScriptState::Passing),
        ),
        (
            reversed(TrackObject::Script(S0), 0),
            script(S0, ScriptState::Passing),
            script(S0, ScriptState::Failing),
        ),
    ];
    for (tracked, bad, good) in table {
        let mut bench = Bench::told(model(vec![VirtualRouter {
            track: vec![tracked],
            ..router(100)
        }]));
        bench.feed(ms(0), bad);
        bench.feed(ms(0), Input::Start);
        assert_eq!(bench.state(R0), State::Fault, "{tracked:?}");
        bench.feed(ms(1), good);
        assert_eq!(bench.state(R0), State::Backup, "{tracked:?}");
        bench.feed(ms(2), bad);
        assert_eq!(bench.state(R0), State::Fault, "{tracked:?}");
    }
}

/// Init waits for every unweighted script, and FAULT is entered as soon as one fails.
#[test]
fn scripts_that_have_not_run() {
    let tracks = vec![
        track(TrackObject::Script(S0), 0),
        track(TrackObject::Script(S1), 0),
    ];
    let config = VirtualRouter {
        track: tracks,
        ..router(100)
    };
    let mut bench = Bench::started(model(vec![config]));
    assert_eq!(bench.state(R0), State::Init);
    bench.feed(ms(1), script(S0, ScriptState::Passing));
    assert_eq!(bench.state(R0), State::Init);
    bench.feed(ms(2), script(S0, ScriptState::Failing));
    assert_eq!(bench.state(R0), State::Fault);
    // Not all is known to be well.
    bench.feed(ms(3), script(S0, ScriptState::Passing));
    assert_eq!(bench.state(R0), State::Fault);
    bench.feed(ms(4), script(S1, ScriptState::Passing));
    assert_eq!(bench.state(R0), State::Backup);
}

/// A weighted script that has not run keeps nobody waiting.
#[test]
fn weighted_scripts_are_not_waited_for() {
    let config = VirtualRouter {
        track: vec![track(TrackObject::Script(S0), -10)],
        ..router(100)
    };
    assert_eq!(Bench::started(model(vec![config])).state(R0), State::Backup);
}

/// Nothing told is down, not up.
#[test]
fn unknown_is_down() {
    let mut bench = Bench::new(model(vec![router(100)]));
    bench.feed(ms(0), Input::Start);
    assert_eq!(
        bench.vrrp.status(R0).unwrap().reason,
        Reason::LinkDown { link: L0 }
    );
    bench.feed(ms(1), link(L0, LinkState::Up));
    assert_eq!(bench.state(R0), State::Fault);
    assert_eq!(bench.vrrp.status(R0).unwrap().reason, Reason::NoSource);
    bench.feed(
        ms(2),
        Input::Source {
            router: R0,
            address: Some(OURS),
        },
    );
    assert_eq!(bench.state(R0), State::Backup);
}

/// `dont_track_primary`: the link may be down; without an address to send from it is still a fault.
#[test]
fn dont_track_primary() {
    let mut bench = Bench::started(model(vec![VirtualRouter {
        track_primary: false,
        ..router(100)
    }]));
    assert_eq!(bench.feed(ms(1), link(L0, LinkState::Down)), []);
    assert_eq!(bench.state(R0), State::Backup);
    bench.feed(
        ms(2),
        Input::Source {
            router: R0,
            address: None,
        },
    );
    assert_eq!(bench.state(R0), State::Fault);
}

/// A Master whose primary address changes goes on, and ties are decided with the new one.
#[test]
fn another_source() {
    let (mut bench, now) = Bench::master(router(100));
    let high: IpAddr = "192.0.2.250".parse().unwrap();
    assert_eq!(
        bench.feed(
            now,
            Input::Source {
                router: R0,
                address: Some(high)
            }
        ),
        []
    );
    bench.hear(now, R0, super::fixture::HIGH, 100);
    assert_eq!(bench.state(R0), State::Master);
}

/// Facts before the start are gathered without a word.
#[test]
fn facts_before_the_start() {
    let config = VirtualRouter {
        track: vec![track(TrackObject::Link(L2), -20)],
        ..router(100)
    };
    let mut bench = Bench::told(model(vec![config]));
    assert_eq!(bench.feed(ms(0), link(L2, LinkState::Down)), []);
    assert_eq!(bench.feed(ms(0), Input::Tick), []);
    bench.feed(ms(0), Input::Start);
    // 3 s + (256 - 80)/256 s
    assert_eq!((priority(&bench), bench.deadline()), (80, Some(us(3_687_500))));
    assert!(bench.tick(us(3_687_500)).contains(&acquire(R0)));
}

fn file(value: i32) -> Input {
    Input::File { file: F0, value }
}

fn process(quorum: bool) -> Input {
    Input::Process { process: P0, quorum }
}

/// Weight, `reverse`, the number in the file, and what a router of priority 100 becomes; `None` is FAULT.
#[test]
fn a_number_in_a_file() {
    let table = [
        (1, false, 0, Some(100)),
        (1, false, 30, Some(130)),
        (1, false, -30, Some(70)),
        (1, true, 30, Some(70)),
        (1, true, -30, Some(130)),
        (-2, false, 30, Some(40)),
        (2, false, -50, Some(1)),
        (1, false, 200, Some(254)),
        (1, false, 1_000_000_000, Some(254)),
        (254, false, i32::MAX, Some(254)),
        // From -254 on down it is a fault, not a low priority.
        (1, false, -253, Some(1)),
        (1, false, -254, None),
        (127, false, -2, None),
        (126, false, -2, Some(1)),
        (1, true, 254, None),
        (-254, false, i32::MAX, None),
        (-254, false, i32::MIN, Some(254)),
        // Without a weight any number is a fault; reversed, any but that is one.
        (0, false, 0, Some(100)),
        (0, false, 1, None),
        (0, false, -1, None),
        (0, true, 0, None),
        (0, true, 7, Some(100)),
    ];
    for (weight, reverse, value, expected) in table {
        let tracked = Track {
            object: TrackObject::File(F0),
            weight,
            reverse,
        };
        let mut bench = Bench::started(model(vec![VirtualRouter {
            track: vec![tracked],
            ..router(100)
        }]));
        assert_eq!(bench.state(R0), State::Init, "it is read first");
        bench.feed(ms(1), file(value));
        let came = (bench.state(R0) == State::Backup).then(|| priority(&bench));
        assert_eq!(came, expected, "{weight} {reverse} {value}");
        if came.is_none() {
            let reason = bench.vrrp.status(R0).unwrap().reason;
            assert_eq!(
                reason,
                Reason::FileFailing { file: F0 },
                "{weight} {reverse} {value}"
            );
        }
    }
}

/// An owner has no use for a weight: any number but 0 is a fault, as in keepalived 2.2.7.
#[test]
fn an_owner_and_a_file() {
    let config = VirtualRouter {
        track: vec![track(TrackObject::File(F0), 1)],
        ..router(255)
    };
    let mut bench = Bench::started(model(vec![config]));
    bench.feed(ms(1), file(0));
    assert_eq!((bench.state(R0), priority(&bench)), (State::Backup, 255));
    bench.feed(ms(2), file(5));
    assert_eq!((bench.state(R0), priority(&bench)), (State::Fault, 255));
}

/// Weight, `reverse`, then the priority while enough run and while not; `None` is FAULT.
#[test]
fn a_process() {
    let table = [
        (0, false, Some(100), None),
        (0, true, None, Some(100)),
        (20, false, Some(120), Some(100)),
        (-20, false, Some(100), Some(80)),
        (20, true, Some(80), Some(100)),
        (-20, true, Some(100), Some(120)),
        (-254, false, Some(100), Some(1)),
        (254, false, Some(254), Some(100)),
    ];
    for (weight, reverse, enough, too_few) in table {
        let tracked = Track {
            object: TrackObject::Process(P0),
            weight,
            reverse,
        };
        let mut bench = Bench::started(model(vec![VirtualRouter {
            track: vec![tracked],
            ..router(100)
        }]));
        assert_eq!(bench.state(R0), State::Init, "it is looked for first");
        let mut seen = |quorum| {
            bench.feed(ms(1), process(quorum));
            (bench.state(R0) == State::Backup).then(|| priority(&bench))
        };
        assert_eq!((seen(true), seen(false)), (enough, too_few), "{weight} {reverse}");
    }
}

#[test]
fn a_unit_that_is_restarted_too_often() {
    let table = [
        (0, Some(100), None),
        (20, Some(120), Some(100)),
        (-20, Some(100), Some(80)),
    ];
    for (weight, steady, unsteady) in table {
        let mut bench = Bench::started(model(vec![VirtualRouter {
            track: vec![track(TrackObject::Unit(U0), weight)],
            ..router(100)
        }]));
        assert_eq!(bench.state(R0), State::Init, "it is looked at first");
        let mut seen = |steady| {
            bench.feed(ms(1), Input::Unit { unit: U0, steady });
            (bench.state(R0) == State::Backup).then(|| priority(&bench))
        };
        assert_eq!((seen(true), seen(false)), (steady, unsteady), "{weight}");
    }
}

/// What a group tracks counts for each of its members, and instead of what a member says of the same object.
#[test]
fn a_group_tracks_for_its_members() {
    let member = VirtualRouter {
        track: vec![track(TrackObject::Process(P0), 7)],
        ..router(100)
    };
    let mut model = grouped(vec![member, router(100)]);
    model.groups[0].keep_weights = true;
    model.groups[0].track = vec![
        track(TrackObject::Process(P0), 20),
        track(TrackObject::File(F0), 1),
        track(TrackObject::Script(S0), -40),
        track(TrackObject::Link(L2), 1),
    ];
    let mut bench = Bench::started(model);
    let both = |bench: &Bench| {
        let of = |router| bench.vrrp.status(router).unwrap().priority.0;
        [of(R0), of(super::fixture::R1)]
    };
    bench.feed(ms(1), process(true));
    assert_eq!(both(&bench), [121, 121]);
    bench.feed(ms(2), file(-5));
    assert_eq!(both(&bench), [116, 116]);
    bench.feed(ms(3), script(S0, ScriptState::Failing));
    assert_eq!(both(&bench), [76, 76]);
    bench.feed(ms(4), link(L2, LinkState::Down));
    assert_eq!(both(&bench), [75, 75]);
}

/// What becomes of a member's own tracks: with the group's `sync_group_tracking_weight`, then without it. The
/// script fails, the link is up, the file says 5, the process is not there, the unit
/// is restarted too often.
#[test]
fn a_members_own_weights() {
    let table = [
        (track(TrackObject::Script(S0), -20), Some(80), Some(100)),
        (track(TrackObject::Link(L2), 10), Some(110), Some(100)),
        (track(TrackObject::File(F0), 1), Some(105), None),
        (track(TrackObject::File(F0), -3), Some(85), None),
        (track(TrackObject::Process(P0), -30), Some(70), Some(70)),
        (track(TrackObject::Unit(U0), -30), Some(70), Some(70)),
        (track(TrackObject::Script(S0), 0), None, None),
        (track(TrackObject::Process(P0), 0), None, None),
        (track(TrackObject::Link(L2), 0), Some(100), Some(100)),
    ];
    for (tracked, kept, dropped) in table {
        for (keep_weights, expected) in [(true, kept), (false, dropped)] {
            let member = VirtualRouter {
                track: vec![tracked],
                ..router(100)
            };
            let mut model = grouped(vec![member, router(100)]);
            model.groups[0].keep_weights = keep_weights;
            let mut bench = Bench::started(model);
            bench.feed(ms(1), script(S0, ScriptState::Failing));
            bench.feed(ms(1), file(5));
            bench.feed(ms(1), process(false));
            let (unit, steady) = (U0, false);
            bench.feed(ms(1), Input::Unit { unit, steady });
            let came = (bench.state(R0) == State::Backup).then(|| priority(&bench));
            assert_eq!(came, expected, "{tracked:?} {keep_weights}");
        }
    }
}

/// A fault of one is one of all.
#[test]
fn a_missing_process_holds_the_whole_group() {
    let mut model = grouped(vec![router(100), router(100)]);
    model.routers[0].track = vec![track(TrackObject::Process(P0), 0)];
    let mut bench = Bench::started(model);
    bench.feed(ms(1), process(false));
    assert_eq!(bench.state(super::fixture::R1), State::Fault);
    bench.feed(ms(2), process(true));
    assert_eq!(bench.state(super::fixture::R1), State::Backup);
}
