//! Many Masters that took over together do not go on sending together.

use vrrp_common::time::MonoNanos;

use super::fixture::{Bench, centis, model, ms, numbered};
use crate::proto::model::VirtualRouter;
use crate::proto::{Effect, Input};

/// 96 virtual routers: three groups of 32.
fn crowd(interval: u16) -> Vec<VirtualRouter> {
    (1..=96)
        .map(|vrid| VirtualRouter {
            interval: centis(interval),
            ..numbered(vrid, 200)
        })
        .collect()
}

/// Go on to the next deadline: when, and who sent an advert then.
fn next(bench: &mut Bench) -> (MonoNanos, Vec<u16>) {
    let at = bench.deadline().unwrap();
    let sent = bench
        .feed(at, Input::Tick)
        .into_iter()
        .filter_map(|effect| match effect {
            Effect::Send { router, .. } => Some(router.0),
            _ => None,
        });
    (at, sent.collect())
}

fn numbers(range: std::ops::Range<u16>) -> Vec<u16> {
    range.collect()
}

#[test]
fn each_sends_earlier_once_and_then_keeps_its_interval() {
    let mut bench = Bench::started(model(crowd(100)));
    // 3 x 1 s and a skew of 56/256 s.
    assert_eq!(next(&mut bench), (MonoNanos(3_218_750_000), numbers(0..96)));
    // The last third one third of the interval later, the second two thirds, the first a whole one.
    assert_eq!(next(&mut bench), (MonoNanos(3_552_083_334), numbers(64..96)));
    assert_eq!(next(&mut bench), (MonoNanos(3_885_416_667), numbers(32..64)));
    assert_eq!(next(&mut bench), (MonoNanos(4_218_750_000), numbers(0..32)));
    for round in 1..4 {
        let later = |at: u64| MonoNanos(at + round * 1_000_000_000);
        assert_eq!(next(&mut bench), (later(3_552_083_334), numbers(64..96)));
        assert_eq!(next(&mut bench), (later(3_885_416_667), numbers(32..64)));
        assert_eq!(next(&mut bench), (later(4_218_750_000), numbers(0..32)));
    }
}

/// Late by more than an interval, all groups are due at once: the cadences start anew, and part anew.
#[test]
fn a_crowd_that_overslept_parts_again() {
    let mut bench = Bench::started(model(crowd(100)));
    for _ in 0..4 {
        next(&mut bench);
    }
    let sends = |effects: &[Effect]| {
        effects
            .iter()
            .filter(|e| matches!(e, Effect::Send { .. }))
            .count()
    };
    assert_eq!(sends(&bench.tick(ms(9_000))), 96);
    let mut times = Vec::new();
    for _ in 0..3 {
        let (at, sent) = next(&mut bench);
        assert_eq!(sent.len(), 32);
        times.push(at);
    }
    assert_eq!(
        times,
        [MonoNanos(9_333_333_334), MonoNanos(9_666_666_667), ms(10_000)]
    );
}

#[test]
fn a_few_go_on_together() {
    let mut bench = Bench::started(model(crowd(100).into_iter().take(64).collect()));
    assert_eq!(next(&mut bench), (MonoNanos(3_218_750_000), numbers(0..64)));
    assert_eq!(next(&mut bench), (MonoNanos(4_218_750_000), numbers(0..64)));
}
