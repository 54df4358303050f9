//! Whose unchanged adverts need not be handed over one by one, and when all of them are wanted again.

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::fixture::{Bench, HIGH, LOW, R0, advert, model, ms, router};
use crate::proto::model::{Model, Preempt, Uncommon, VirtualRouter};
use crate::proto::{Effect, Input, Remark};

const LISTEN: Effect = Effect::Listen { router: R0 };

fn quiet(bench: &Bench) -> Option<std::net::IpAddr> {
    bench.vrrp.quiet(R0).map(|quiet| quiet.source)
}

fn still_there(at: MonoNanos, adverts: u64) -> Input {
    Input::StillThere {
        router: R0,
        source: HIGH,
        at,
        adverts,
    }
}

fn with(change: impl FnOnce(&mut VirtualRouter)) -> Model {
    let mut router = router(100);
    change(&mut router);
    model(vec![router])
}

#[test]
fn a_master_that_is_followed_for_good_may_go_by_unheard() {
    let mut bench = Bench::started(model(vec![router(100)]));
    assert_eq!(quiet(&bench), None);
    bench.feed(ms(500), advert(ms(500), R0, HIGH, 150));
    assert_eq!(quiet(&bench), Some(HIGH));
    // 3.609375 s after the last of them.
    bench.feed(ms(2_000), still_there(ms(1_900), 14));
    assert_eq!(bench.deadline(), Some(MonoNanos(5_509_375_000)));
    let counters = bench.vrrp.status(R0).unwrap().counters;
    assert_eq!(counters.adverts_received, 15);
}

/// What was different about the advert that repeats is counted of each repeat.
#[test]
fn repeats_are_counted_as_what_they_repeat() {
    let mut bench = Bench::started(model(vec![router(100)]));
    let Input::Advert(heard) = advert(ms(500), R0, HIGH, 150) else {
        unreachable!()
    };
    let other = crate::proto::Heard {
        same_addresses: false,
        ..heard
    };
    bench.feed(ms(500), Input::Advert(other));
    bench.feed(ms(2_000), still_there(ms(1_900), 14));
    let counters = bench.vrrp.status(R0).unwrap().counters;
    assert_eq!(
        (counters.adverts_received, counters.address_list_errors),
        (15, 15)
    );
}

/// Everything that makes the same advert mean something else ends the silence, once.
#[test]
fn listening_is_asked_for_when_the_same_advert_may_mean_something_else() {
    let heard = || {
        let mut bench = Bench::started(model(vec![router(100)]));
        bench.feed(ms(500), advert(ms(500), R0, HIGH, 150));
        bench
    };
    // The Master stands down.
    let mut bench = heard();
    assert_eq!(bench.feed_whole(ms(600), advert(ms(600), R0, HIGH, 0)), [LISTEN]);
    assert_eq!(quiet(&bench), None);
    assert_eq!(bench.feed_whole(ms(700), advert(ms(700), R0, HIGH, 0)), []);
    // Another Master, whose adverts may go by in their turn.
    let mut bench = heard();
    assert_eq!(bench.feed_whole(ms(600), advert(ms(600), R0, LOW, 160)), [LISTEN]);
    assert_eq!(quiet(&bench), Some(LOW));
    // It falls silent.
    let mut bench = heard();
    assert!(bench.feed_whole(ms(4_200), Input::Tick).contains(&LISTEN));
    // The daemon stops.
    let mut bench = heard();
    assert_eq!(bench.feed_whole(ms(600), Input::Shutdown).last(), Some(&LISTEN));
}

/// A Master of lower priority may be replaced some day, which the clock decides; with `nopreempt` it may not.
#[test]
fn a_lower_master_is_listened_to_unless_it_is_never_replaced() {
    let mut bench = Bench::started(with(|router| {
        router.preempt = Preempt::After(Nanos::from_secs(60))
    }));
    bench.feed(ms(500), advert(ms(500), R0, LOW, 50));
    assert_eq!(quiet(&bench), None);
    let mut bench = Bench::started(with(|router| router.preempt = Preempt::Never));
    bench.feed(ms(500), advert(ms(500), R0, LOW, 50));
    assert_eq!(quiet(&bench), Some(LOW));
}

/// Half of 3.609375 s without an advert, and the next one is worth a line; it is asked for however alike it is.
#[test]
fn a_late_advert_is_told() {
    let half = Uncommon {
        late_share: 50,
        ..Uncommon::default()
    };
    let mut bench = Bench::started(with(|router| router.uncommon = half));
    bench.feed(ms(500), advert(ms(500), R0, HIGH, 150));
    let limit = Nanos(1_804_687_500);
    assert_eq!(bench.vrrp.quiet(R0).map(|quiet| quiet.late_after), Some(limit));
    assert_eq!(bench.feed(ms(2_304), advert(ms(2_304), R0, HIGH, 150)), []);
    let late = bench.feed(ms(4_109), advert(ms(4_109), R0, HIGH, 150));
    let remark = Remark::Late {
        source: HIGH,
        gap: Nanos::from_millis(1_805),
        master_down: Nanos(3_609_375_000),
    };
    assert_eq!(
        late,
        [Effect::Remark {
            router: Some(R0),
            remark
        }]
    );
    let status = bench.vrrp.status(R0).unwrap();
    assert_eq!(status.counters.late_adverts, 1);
    assert_eq!(status.priority, Priority(100));
}

/// Regression: a forged advert with 10 ms in it made a Backup at 1 s take over 36 ms later.
#[test]
fn an_interval_far_below_ours_is_not_adopted() {
    let mut bench = Bench::started(model(vec![router(100)]));
    bench.feed(ms(500), advert(ms(500), R0, HIGH, 150));
    let Input::Advert(heard) = advert(ms(600), R0, HIGH, 150) else {
        unreachable!()
    };
    let hasty = crate::proto::Heard {
        interval: super::fixture::centis(1),
        ..heard
    };
    let effects = bench.feed(ms(600), Input::Advert(hasty));
    let remark = Remark::IntervalTooShort {
        source: HIGH,
        theirs: super::fixture::centis(1),
        kept: super::fixture::centis(100),
    };
    assert_eq!(
        effects,
        [Effect::Remark {
            router: Some(R0),
            remark
        }]
    );
    assert_eq!(bench.deadline(), Some(MonoNanos(4_209_375_000)));
}
