//! Literal deadlines: the down timer, the advert cadence, the announcements.

use vrrp_common::id::{Priority, Version};
use vrrp_common::time::{MonoNanos, Nanos};

use super::fixture::{
    Bench, HIGH, L0, L1, LOW, R0, announce, centis, heard, link, model, ms, remark, router, send, track, us,
};
use crate::proto::model::{Announce, TrackObject, VirtualRouter};
use crate::proto::{Heard, Input, LinkState, Remark, State};

/// Version, priority, interval in cs, adverts: the wait from the start, in ns. By hand from RFC 3768 §6.1 and
/// RFC 9568 §6.1.
#[test]
fn first_wait() {
    let table = [
        (Version::V2, 150, 100, 3, 3_414_062_500),
        (Version::V3, 120, 25, 3, 882_812_500),
        (Version::V3, 100, 100, 3, 3_609_375_000),
        (Version::V3, 254, 1, 3, 30_078_125),
        (Version::V3, 100, 1, 3, 36_093_750),
        (Version::V3, 255, 1, 3, 30_039_062),
        (Version::V3, 1, 5, 3, 199_804_687),
        (Version::V3, 100, 100, 1, 1_609_375_000),
        (Version::V3, 100, 100, 10, 10_609_375_000),
    ];
    for (version, priority, interval, down_adverts, wait) in table {
        let interval = centis(interval);
        let bench = Bench::backup(VirtualRouter {
            version,
            interval,
            down_adverts,
            ..router(priority)
        });
        assert_eq!(
            bench.deadline(),
            Some(MonoNanos(wait)),
            "{version} {priority} {interval} {down_adverts}"
        );
    }
}

/// The wait counts from the arrival of the advert, not from when it was read.
#[test]
fn down_timer_counts_from_arrival() {
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1_900), Input::Advert(heard(ms(1_000), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    // Released at 2 s, read at 2.5 s: the skew of 0.609375 s counts from 2 s.
    bench.feed(ms(2_500), Input::Advert(heard(ms(2_000), R0, HIGH, 0)));
    assert_eq!(bench.deadline(), Some(us(2_609_375)));
}

/// A stamp from the future (clocks that disagree) is taken for now.
#[test]
fn arrival_is_never_after_now() {
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1_000), Input::Advert(heard(ms(9_000), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
}

/// A late reader that gets two adverts of one Master in the wrong order keeps the younger one's wait.
#[test]
fn an_older_advert_moves_nothing() {
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(2_000), Input::Advert(heard(ms(2_000), R0, HIGH, 150)));
    bench.feed(ms(2_000), Input::Advert(heard(ms(1_000), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(5_609_375)));
    // Neither does it undo a priority 0.
    bench.feed(ms(3_000), Input::Advert(heard(ms(3_000), R0, HIGH, 0)));
    assert_eq!(bench.deadline(), Some(us(3_609_375)));
    bench.feed(ms(3_000), Input::Advert(heard(ms(1_500), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(3_609_375)));
    // Also one that was heard after the last, and before the zero.
    bench.feed(ms(3_000), Input::Advert(heard(ms(2_900), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(3_609_375)));
    // A Master that changed its mind is a Master.
    bench.feed(ms(3_100), Input::Advert(heard(ms(3_100), R0, HIGH, 150)));
    assert_eq!(bench.deadline(), Some(us(6_709_375)));
}

/// Repeated zeros shorten the wait and never lengthen it.
#[test]
fn repeated_release_does_not_postpone_the_takeover() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.hear(ms(2_000), R0, HIGH, 0);
    bench.hear(ms(2_500), R0, HIGH, 0);
    assert_eq!(bench.deadline(), Some(us(2_609_375)));
}

/// VRRPv3 follows the Master's interval: 3 x 250 ms + 156/256 of 250 ms. VRRPv2 cannot differ.
#[test]
fn adopted_interval() {
    let mut bench = Bench::backup(router(100));
    let faster = Heard {
        interval: centis(25),
        ..heard(ms(1_000), R0, HIGH, 150)
    };
    assert_eq!(
        bench.feed(ms(1_000), Input::Advert(faster)),
        [remark(
            R0,
            Remark::IntervalAdopted {
                source: HIGH,
                theirs: centis(25),
                ours: centis(100)
            }
        )]
    );
    assert_eq!(bench.deadline(), Some(us(1_902_343) + Nanos(750)));
    // The skew of a release is the Master's too.
    bench.hear(ms(1_100), R0, HIGH, 0);
    assert_eq!(bench.deadline(), Some(us(1_252_343) + Nanos(750)));
}

/// Ten times ours is followed, more is not: 4095 cs would keep a dead Master's addresses away for two minutes.
#[test]
fn an_absurd_interval_is_not_adopted() {
    let mut bench = Bench::backup(router(100));
    let slow = |at, interval| {
        Input::Advert(Heard {
            interval: centis(interval),
            ..heard(at, R0, HIGH, 150)
        })
    };
    bench.feed(ms(1_000), slow(ms(1_000), 1_000));
    assert_eq!(bench.deadline(), Some(us(37_093_750)));
    // The last interval (10 s) is kept, and the advert still counts as life.
    assert_eq!(
        bench.feed(ms(2_000), slow(ms(2_000), 1_001)),
        [remark(
            R0,
            Remark::IntervalTooLong {
                source: HIGH,
                theirs: centis(1_001),
                kept: centis(1_000)
            }
        )]
    );
    assert_eq!(bench.deadline(), Some(us(38_093_750)));
    // Back to ours.
    bench.hear(ms(3_000), R0, HIGH, 150);
    assert_eq!(bench.deadline(), Some(us(6_609_375)));
}

/// The interval is that of the Master followed last, and our own again after a mastership of ours.
#[test]
fn an_adopted_interval_goes_with_its_master() {
    let faster = |at, source| {
        Input::Advert(Heard {
            interval: centis(25),
            ..heard(at, R0, source, 150)
        })
    };
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1_000), faster(ms(1_000), HIGH));
    // Another Master, with our interval: 3 s and 156/256 s.
    bench.hear(ms(1_100), R0, LOW, 120);
    assert_eq!(bench.deadline(), Some(us(4_709_375)));
    // Fast again, and gone; we take over after 902.34375 ms, by our own interval, and yield to LOW's.
    bench.feed(ms(1_200), faster(ms(1_200), HIGH));
    bench.tick(us(2_102_344));
    assert_eq!(
        (bench.state(R0), bench.deadline()),
        (State::Master, Some(us(3_102_344)))
    );
    bench.hear(ms(3_000), R0, LOW, 120);
    assert_eq!(
        (bench.state(R0), bench.deadline()),
        (State::Backup, Some(us(6_609_375)))
    );
}

/// Ticks that come late do not push the cadence: 3.609375 s + n x 1 s.
#[test]
fn cadence_is_absolute() {
    let (mut bench, _) = Bench::master(router(100));
    for (late, next) in [
        (4_610_000, 5_609_375),
        (6_100_000, 6_609_375),
        (6_609_375, 7_609_375),
    ] {
        assert_eq!(bench.tick(us(late)), [send(R0, 100)]);
        assert_eq!(bench.deadline(), Some(us(next)));
    }
    // More than one interval late: one advert, not a burst, and a new cadence. (The second burst of
    // announcements, due at 8.609375 s, comes with it.)
    assert_eq!(bench.tick(us(9_000_000)), [send(R0, 100), announce(R0, 5)]);
    assert_eq!(bench.deadline(), Some(us(10_000_000)));
}

/// A burst after 5 s, then every 10 s; and a late refresh keeps its own cadence.
#[test]
fn announcements() {
    let config = router(100);
    let announced = Announce {
        refresh: Nanos::from_secs(10),
        refresh_repeat: 2,
        ..config.announce
    };
    let (mut bench, start) = Bench::master(VirtualRouter {
        announce: announced,
        interval: centis(4_000),
        ..config
    });
    assert_eq!(start, MonoNanos(144_375_000_000));
    assert_eq!(bench.deadline(), Some(ms(149_375)));
    assert_eq!(bench.tick(ms(149_375)), [announce(R0, 5)]);
    assert_eq!(bench.deadline(), Some(ms(154_375)));
    assert_eq!(bench.tick(ms(154_900)), [announce(R0, 2)]);
    assert_eq!(bench.deadline(), Some(ms(164_375)));
    assert_eq!(bench.tick(ms(164_375)), [announce(R0, 2)]);
    assert_eq!(bench.deadline(), Some(ms(174_375)));
}

/// `garp_master_delay 0`: one burst is all.
#[test]
fn no_second_burst() {
    let config = router(100);
    let announced = Announce {
        delay: Nanos::ZERO,
        ..config.announce
    };
    let (mut bench, _) = Bench::master(VirtualRouter {
        announce: announced,
        ..config
    });
    for nth in 1..10 {
        assert_eq!(bench.tick(us(3_609_375 + nth * 1_000_000)), [send(R0, 100)]);
    }
}

/// The running timer moves by the difference of the skews, both ways, and so does one shortened by priority 0.
#[test]
fn a_changed_priority_moves_the_running_timer() {
    let config = VirtualRouter {
        track: vec![track(TrackObject::Link(L1), -64)],
        ..router(100)
    };
    let mut bench = Bench::backup(config);
    bench.hear(ms(1_000), R0, HIGH, 150);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    let changed = |from, to| {
        [remark(
            R0,
            Remark::PriorityChanged {
                from: Priority(from),
                to: Priority(to),
            },
        )]
    };
    assert_eq!(bench.feed(ms(1_100), link(L1, LinkState::Down)), changed(100, 36));
    assert_eq!(bench.deadline(), Some(us(4_859_375)));
    assert_eq!(bench.feed(ms(1_200), link(L1, LinkState::Up)), changed(36, 100));
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    bench.hear(ms(1_300), R0, HIGH, 0);
    assert_eq!(bench.deadline(), Some(us(1_909_375)));
    bench.feed(ms(1_400), link(L1, LinkState::Down));
    assert_eq!(bench.deadline(), Some(us(2_159_375)));
}

/// From FAULT a router waits in full before it takes over, and forgets the Master it knew.
#[test]
fn full_wait_after_a_fault() {
    let mut bench = Bench::backup(router(100));
    let faster = Heard {
        interval: centis(10),
        ..heard(ms(1_000), R0, HIGH, 150)
    };
    bench.feed(ms(1_000), Input::Advert(faster));
    bench.feed(ms(1_100), link(L0, LinkState::Down));
    assert_eq!((bench.state(R0), bench.deadline()), (State::Fault, None));
    bench.feed(ms(5_000), link(L0, LinkState::Up));
    assert_eq!(
        (bench.state(R0), bench.deadline()),
        (State::Backup, Some(us(8_609_375)))
    );
    assert_eq!(bench.vrrp.status(R0).unwrap().master, None);
}

/// A spurious tick does nothing in any state.
#[test]
fn a_spurious_tick_does_nothing() {
    let (mut bench, now) = Bench::master(router(100));
    assert_eq!(bench.tick(now), []);
    assert_eq!(bench.tick(us(4_609_374)), []);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    let mut bench = Bench::backup(router(100));
    assert_eq!(bench.tick(ms(3_609)), []);
    assert_eq!(bench.deadline(), Some(us(3_609_375)));
}

/// What the kernel's stamp says counts like the advert it stands for.
#[test]
fn a_stamp_counts_like_its_advert() {
    let still = |source, at| Input::StillThere {
        adverts: 0,
        router: R0,
        source,
        at,
    };
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    assert_eq!(bench.feed(us(4_609_375), still(HIGH, ms(4_000))), []);
    assert_eq!(bench.deadline(), Some(us(7_609_375)));
    assert_eq!(bench.vrrp.status(R0).unwrap().master.unwrap().last, ms(4_000));
    // Of a Master that stood down, or that we mean to replace, it means nothing.
    bench.hear(ms(4_700), R0, HIGH, 0);
    bench.feed(ms(5_000), still(HIGH, ms(4_900)));
    assert_eq!(bench.deadline(), Some(us(5_309_375)));
    bench.hear(ms(5_100), R0, HIGH, 150);
    bench.hear(ms(5_200), R0, LOW, 90);
    bench.feed(ms(8_000), still(LOW, ms(8_000)));
    assert_eq!(bench.deadline(), Some(us(8_709_375)));
    // Our own priority fell below its: now it does.
    let config = VirtualRouter {
        track: vec![track(TrackObject::Link(L1), -20)],
        ..router(100)
    };
    let mut bench = Bench::started(model(vec![config]));
    bench.hear(ms(1_000), R0, LOW, 90);
    bench.feed(ms(1_000), link(L1, LinkState::Down));
    assert_eq!(bench.deadline(), Some(us(3_687_500)));
    bench.feed(ms(3_000), still(LOW, ms(2_000)));
    assert_eq!(bench.deadline(), Some(us(5_687_500)));
}
