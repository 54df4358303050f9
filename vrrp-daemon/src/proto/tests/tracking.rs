//! The arithmetic of weights, and what is a fault.

use std::net::IpAddr;

use super::fixture::{Bench, L0, L1, L2, OURS, R0, S0, S1, acquire, link, model, ms, router, track, us};
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
        (100, vec![not_script(20)], [100, 100, 120, 120]),
        (100, vec![not_script(-20)], [100, 80, 100, 100]),
        (100, vec![on_link(10)], [110, 110, 110, 100]),
        (100, vec![on_link(-10)], [100, 100, 100, 90]),
        (100, vec![not_link(10)], [100, 100, 100, 110]),
        (100, vec![not_link(-10)], [90, 90, 90, 100]),
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
