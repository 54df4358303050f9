//! Who stays and who goes: preemption, contention, owners, late waking.

use std::net::IpAddr;

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::fixture::{
    Bench, HIGH, L0, L1, LOW, OURS, R0, acquire, announce, centis, heard, link, model, ms, notify, release,
    remark, router, send, track, us, went,
};
use crate::proto::model::{Announce, Preempt, TrackObject, VirtualRouter};
use crate::proto::{Effect, Input, LinkState, NotifyState, Reason, Remark, State};

fn nopreempt(priority: u8) -> VirtualRouter {
    VirtualRouter {
        preempt: Preempt::Never,
        ..router(priority)
    }
}

fn rx_lower() -> Effect {
    notify(R0, NotifyState::MasterRxLowerPri, 100)
}

fn lower_heard(source: IpAddr, priority: u8) -> Effect {
    remark(
        R0,
        Remark::LowerPriority {
            mac: None,
            source,
            priority: Priority(priority),
        },
    )
}

/// A lower Master is replaced when the timer that it does not restart runs out; said once.
#[test]
fn preemption() {
    let mut bench = Bench::backup(router(100));
    let pending = remark(
        R0,
        Remark::PreemptPending {
            mac: None,
            source: LOW,
            priority: Priority(50),
        },
    );
    assert_eq!(bench.hear(ms(1_000), R0, LOW, 50), [pending]);
    assert_eq!(bench.hear(ms(2_000), R0, LOW, 50), []);
    assert_eq!(bench.hear(ms(3_000), R0, LOW, 50), []);
    assert_eq!(bench.vrrp.status(R0).unwrap().master.unwrap().address, LOW);
    let reason = Reason::Preempted {
        master: LOW,
        priority: Priority(50),
    };
    assert_eq!(
        bench.tick(us(3_609_375)),
        [
            send(R0, 100),
            acquire(R0),
            went(R0, State::Backup, State::Master, reason),
            notify(R0, NotifyState::Master, 100),
        ]
    );
}

#[test]
fn nopreempt_follows_a_lower_master_until_it_is_gone() {
    let mut bench = Bench::backup(nopreempt(100));
    assert_eq!(bench.hear(ms(1_000), R0, LOW, 50), []);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    bench.hear(ms(2_000), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(2_609_375)));
    let effects = bench.tick(us(2_609_375));
    let reason = Reason::MasterReleased { master: Some(LOW) };
    assert_eq!(effects[2], went(R0, State::Backup, State::Master, reason));
}

/// `nopreempt` says nothing about two Masters.
#[test]
fn nopreempt_master_yields_to_a_higher_one_and_stays_against_a_lower_one() {
    let (mut bench, now) = Bench::master(nopreempt(100));
    bench.hear(now, R0, HIGH, 99);
    assert_eq!(bench.state(R0), State::Master);
    bench.hear(now, R0, LOW, 101);
    assert_eq!(bench.state(R0), State::Backup);
}

#[test]
fn preempt_delay_counts_from_the_first_lower_advert() {
    let config = VirtualRouter {
        preempt: Preempt::After(Nanos::from_secs(10)),
        ..router(100)
    };
    let mut bench = Bench::backup(config);
    for second in 1..=10 {
        assert_eq!(bench.hear(ms(second * 1_000), R0, LOW, 50), [], "{second} s");
        assert_eq!(bench.deadline(), Some(us(second * 1_000_000 + 3_609_375)));
    }
    // Heard for ten seconds: the timer of the advert at 10 s runs on.
    let pending = remark(
        R0,
        Remark::PreemptPending {
            mac: None,
            source: LOW,
            priority: Priority(50),
        },
    );
    assert_eq!(bench.hear(ms(11_000), R0, LOW, 50), [pending]);
    assert_eq!(bench.deadline(), Some(us(13_609_375)));
    // A better Master in between: the count begins again.
    bench.hear(ms(12_000), R0, HIGH, 150);
    bench.hear(ms(13_000), R0, LOW, 50);
    bench.hear(ms(22_999), R0, LOW, 50);
    assert_eq!(bench.deadline(), Some(us(26_608_375)));
    bench.hear(ms(23_000), R0, LOW, 50);
    assert_eq!(bench.deadline(), Some(us(26_608_375)));
}

/// Each packet of a flood of lower adverts costs neither an advert nor an announcement.
#[test]
fn a_flood_of_lower_adverts_is_answered_at_a_bounded_rate() {
    let (mut bench, start) = Bench::master(router(100));
    let mut effects = Vec::new();
    // 10 kHz for one second, on a 1 s interval.
    for nth in 0..10_000_u64 {
        let now = MonoNanos(start.0 + nth * 100_000);
        effects.extend(bench.hear(now, R0, LOW, 50));
        effects.extend(bench.tick(now));
    }
    let count = |wanted: Effect| effects.iter().filter(|effect| **effect == wanted).count();
    assert_eq!(count(send(R0, 100)), 10);
    assert_eq!(count(announce(R0, 3)), 1);
    assert_eq!(count(rx_lower()), 1);
    assert_eq!(count(lower_heard(LOW, 50)), 1);
    assert_eq!(effects.len(), 13);
}

/// The later burst waits for the end of the contention.
#[test]
fn a_contention_won_is_announced_again_afterwards() {
    let config = router(100);
    let announced = Announce {
        delay: Nanos::ZERO,
        ..config.announce
    };
    let (mut bench, _) = Bench::master(VirtualRouter {
        announce: announced,
        ..config
    });
    let first = bench.hear(ms(4_000), R0, LOW, 50);
    assert_eq!(
        first,
        [send(R0, 100), lower_heard(LOW, 50), announce(R0, 3), rx_lower()]
    );
    // The second within the second that the first opened: only answered, and the later burst moves.
    assert_eq!(bench.hear(ms(4_500), R0, LOW, 50), [send(R0, 100)]);
    for second in 0..3 {
        assert_eq!(bench.tick(ms(5_500 + second * 1_000)), [send(R0, 100)]);
    }
    // 4.5 s + 4 s, together with an advert.
    assert_eq!(bench.tick(ms(8_500)), [send(R0, 100), announce(R0, 3)]);
    assert_eq!(bench.tick(ms(9_500)), [send(R0, 100)]);
}

#[test]
fn lower_prio_no_advert() {
    let (mut bench, now) = Bench::master(VirtualRouter {
        advert_on_lower: false,
        ..router(100)
    });
    assert_eq!(
        bench.hear(now, R0, LOW, 50),
        [lower_heard(LOW, 50), announce(R0, 3), rx_lower()]
    );
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
}

#[test]
fn higher_prio_send_advert() {
    let (mut bench, now) = Bench::master(VirtualRouter {
        advert_on_higher: true,
        ..router(100)
    });
    let reason = Reason::HigherPriority {
        mac: None,
        source: HIGH,
        priority: Priority(150),
    };
    assert_eq!(
        bench.hear(now, R0, HIGH, 150),
        [
            send(R0, 100),
            release(R0),
            went(R0, State::Master, State::Backup, reason),
            notify(R0, NotifyState::Backup, 100),
        ]
    );
}

/// The new Backup waits from the arrival of the advert it yielded to, by that Master's interval.
#[test]
fn the_wait_after_yielding() {
    let (mut bench, _) = Bench::master(router(100));
    let better = crate::proto::Heard {
        interval: centis(200),
        ..heard(ms(3_900), R0, HIGH, 150)
    };
    let effects = bench.feed(ms(4_000), Input::Advert(better));
    let adopted = Remark::IntervalAdopted {
        source: HIGH,
        theirs: centis(200),
        ours: centis(100),
    };
    assert_eq!(effects.last(), Some(&remark(R0, adopted)));
    // 3.9 s + 3 x 2 s + 156/256 x 2 s
    assert_eq!(bench.deadline(), Some(us(11_118_750)));
}

#[test]
fn an_owner_starts_as_master() {
    let owner = VirtualRouter {
        initially_master: true,
        ..router(255)
    };
    let mut bench = Bench::told(model(vec![owner]));
    assert_eq!(
        bench.feed(ms(7), Input::Start),
        [
            send(R0, 255),
            acquire(R0),
            went(R0, State::Init, State::Master, Reason::Owner),
            notify(R0, NotifyState::Master, 255),
        ]
    );
    assert_eq!(bench.deadline(), Some(ms(1_007)));
    // Nobody but another owner moves it.
    bench.hear(ms(8), R0, HIGH, 254);
    assert_eq!(bench.state(R0), State::Master);
}

/// RFC 9568 §6.4.1 knows no FAULT: a link that comes back is a start, and the owner does not wait there either.
#[test]
fn an_owner_is_master_as_soon_as_its_fault_is_over() {
    let owner = VirtualRouter {
        initially_master: true,
        ..router(255)
    };
    let mut bench = Bench::started(model(vec![owner]));
    bench.feed(ms(1_000), link(L0, LinkState::Down));
    assert_eq!(bench.state(R0), State::Fault);
    assert_eq!(
        bench.feed(ms(2_000), link(L0, LinkState::Up)),
        [
            send(R0, 255),
            acquire(R0),
            went(R0, State::Fault, State::Master, Reason::Owner),
            notify(R0, NotifyState::Master, 255),
        ]
    );
    assert_eq!(bench.deadline(), Some(ms(3_000)));
}

/// `state MASTER` alone waits like anyone, and 255 without it too.
#[test]
fn only_the_owner_with_state_master_skips_the_wait() {
    for (priority, initially_master) in [(254, true), (255, false)] {
        let config = VirtualRouter {
            initially_master,
            ..router(priority)
        };
        let mut bench = Bench::told(model(vec![config]));
        assert_eq!(
            bench.feed(ms(0), Input::Start),
            [
                went(R0, State::Init, State::Backup, Reason::Started),
                notify(R0, NotifyState::Backup, priority),
            ]
        );
    }
}

/// The higher address wins; both say so.
#[test]
fn two_owners() {
    let owner = VirtualRouter {
        initially_master: true,
        ..router(255)
    };
    let mut bench = Bench::started(model(vec![owner.clone()]));
    let effects = bench.hear(ms(1), R0, LOW, 255);
    assert_eq!(
        effects[0],
        remark(
            R0,
            Remark::TwoOwners {
                mac: None,
                source: LOW
            }
        )
    );
    assert_eq!(bench.state(R0), State::Master);
    let mut bench = Bench::started(model(vec![owner]));
    let effects = bench.hear(ms(1), R0, HIGH, 255);
    assert_eq!(
        effects[0],
        remark(
            R0,
            Remark::TwoOwners {
                mac: None,
                source: HIGH
            }
        )
    );
    assert_eq!(bench.state(R0), State::Backup);
}

#[test]
fn an_owner_ignores_nopreempt() {
    let mut bench = Bench::backup(nopreempt(255));
    bench.hear(ms(1_000), R0, HIGH, 254);
    assert_eq!(bench.deadline(), Some(us(3_003_906) + Nanos(250)));
}

/// The Master was stopped and nobody noticed: it carries on, one advert, an alarm, a new cadence.
#[test]
fn overslept_and_nobody_heard() {
    let (mut bench, _) = Bench::master(nopreempt(100));
    // Silent since 3.609375 s; for the Master_Down_Interval is still not overslept.
    let effects = bench.tick(us(7_218_750));
    assert_eq!(effects, [send(R0, 100)]);
    // The next one is due at 8.21875 s.
    let at = MonoNanos(7_218_750_000 + 3_609_375_001);
    let late = Nanos(2_609_375_001);
    assert_eq!(
        bench.tick(at),
        [
            remark(R0, Remark::Overslept { late }),
            send(R0, 100),
            announce(R0, 5)
        ]
    );
    assert_eq!(bench.deadline(), Some(at + Nanos::from_secs(1)));
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.overslept, 1);
    // Over with the first tick: an ordinary lower advert is an ordinary contention.
    bench.hear(at, R0, LOW, 50);
    assert_eq!(bench.state(R0), State::Master);
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.overslept, 1);
}

/// With nopreempt whoever took over while we slept stays; not one advert of ours disturbs it.
#[test]
fn overslept_and_taken_over_with_nopreempt() {
    let (mut bench, _) = Bench::master(nopreempt(100));
    let reason = Reason::OversleptTakenOver {
        source: LOW,
        late: Nanos(10_390_625_000),
    };
    assert_eq!(
        bench.feed(ms(15_000), Input::Advert(heard(ms(14_800), R0, LOW, 50))),
        [
            release(R0),
            went(R0, State::Master, State::Backup, reason),
            notify(R0, NotifyState::Backup, 100),
        ]
    );
    assert_eq!(bench.deadline(), Some(us(18_409_375)));
    assert_eq!(bench.tick(ms(15_000)), []);
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.overslept, 1);
}

/// The others count from our last advert, not from the one that we missed: the next best Backup has taken over
/// when we are late by less than the Master_Down_Interval.
#[test]
fn overslept_is_counted_from_the_last_advert() {
    for (woken, state) in [(7_218_750_000, State::Master), (7_218_750_001, State::Backup)] {
        let (mut bench, start) = Bench::master(nopreempt(100));
        assert_eq!(start, us(3_609_375));
        let now = MonoNanos(woken);
        let effects = bench.hear(now, R0, LOW, 100);
        assert_eq!(bench.state(R0), state, "woken at {woken}");
        assert_eq!(effects.contains(&send(R0, 100)), state == State::Master);
    }
}

/// An advert from before our silence began is no takeover.
#[test]
fn overslept_with_an_old_contender_in_the_queue() {
    let (mut bench, _) = Bench::master(nopreempt(100));
    bench.feed(ms(15_000), Input::Advert(heard(ms(4_000), R0, LOW, 50)));
    assert_eq!(bench.state(R0), State::Master);
}

/// Without nopreempt the election decides at once, and the winner announces again, whatever it announced
/// a moment before.
#[test]
fn overslept_and_the_election_decides() {
    let (mut bench, _) = Bench::master(router(100));
    let effects = bench.feed(ms(15_000), Input::Advert(heard(ms(14_800), R0, LOW, 50)));
    assert_eq!(
        effects,
        [send(R0, 100), lower_heard(LOW, 50), announce(R0, 3), rx_lower()]
    );
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.overslept, 1);
    // Sent already: the tick that follows has only the second burst left to do.
    assert_eq!(bench.tick(ms(15_000)), [announce(R0, 5)]);

    let (mut bench, _) = Bench::master(VirtualRouter {
        advert_on_higher: true,
        ..router(100)
    });
    let effects = bench.feed(ms(15_000), Input::Advert(heard(ms(14_800), R0, HIGH, 150)));
    assert_eq!(effects[0], release(R0));
    assert_eq!(bench.state(R0), State::Backup);
}

/// A Backup that slept past its down timer is told of the Master's life before the tick: no takeover, ever.
#[test]
fn a_late_backup_does_not_take_over_from_a_living_master() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    let now = ms(60_000);
    assert_eq!(bench.vrrp.down_timers_due(now).collect::<Vec<_>>(), [R0]);
    assert_eq!(
        bench.feed(
            now,
            Input::StillThere {
                adverts: 0,
                router: R0,
                source: HIGH,
                at: ms(59_700)
            }
        ),
        []
    );
    assert_eq!(bench.tick(now), []);
    assert_eq!(bench.deadline(), Some(us(63_309_375)));
}

/// Priority 0 of one that is not the Master (it yielded, and now its cable is pulled) is not the Master's.
#[test]
fn a_strangers_release_starts_no_election() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.hear(ms(1_100), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    // Nor that of one that was heard as Master just now, and lost.
    bench.hear(ms(1_200), R0, LOW, 50);
    bench.hear(ms(1_300), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    // With no Master known, anybody's will do.
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(1_609_375)));
}

/// What that costs: a Master whose address changed, and that stops before it ever advertised from the new one,
/// is missed only after the Master_Down_Interval.
#[test]
fn a_release_from_a_new_address_waits_for_the_down_timer() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.hear(ms(1_100), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
    // One advert from there is enough.
    bench.hear(ms(1_200), R0, LOW, 150);
    bench.hear(ms(1_300), R0, LOW, 0);
    assert_eq!(bench.deadline(), Some(us(1_909_375)));
}

/// RFC 9568 §6.4.3 asks for an advert at once and a new cadence.
#[test]
fn a_master_that_hears_a_release_advertises_at_once() {
    let (mut bench, start) = Bench::master(router(100));
    let now = start + Nanos::from_millis(400);
    assert_eq!(bench.hear(now, R0, LOW, 0), [send(R0, 100)]);
    assert_eq!(bench.deadline(), Some(now + Nanos::from_secs(1)));
}

/// A Master whose priority falls below a Backup's says so with its next advert and stays until the Backup acts.
#[test]
fn a_master_of_falling_priority_waits_to_be_replaced() {
    let config = VirtualRouter {
        track: vec![track(TrackObject::Link(L1), -60)],
        ..router(100)
    };
    let (mut bench, _) = Bench::master(config);
    bench.feed(ms(4_000), link(L1, LinkState::Down));
    assert_eq!(bench.tick(us(4_609_375)), [send(R0, 40)]);
    assert_eq!(bench.state(R0), State::Master);
    bench.hear(ms(5_000), R0, LOW, 90);
    assert_eq!(bench.state(R0), State::Backup);
}

/// Our own adverts that come back, or another host with our address.
#[test]
fn our_own_address_is_never_heard() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, OURS, 150);
    assert_eq!(bench.deadline(), Some(us(3_609_375)));
    let (mut bench, now) = Bench::master(router(100));
    assert_eq!(
        bench.hear(now, R0, OURS, 150),
        [remark(
            R0,
            Remark::SameAddress {
                mac: None,
                source: OURS
            }
        )]
    );
    assert_eq!(bench.state(R0), State::Master);
}

/// The advert that a transition goes with, as the log tells it.
fn goes_with(effects: &[Effect]) -> Option<(IpAddr, u8, MonoNanos)> {
    let heard = effects.iter().find_map(|effect| match effect {
        Effect::Transition { heard, .. } => Some(*heard),
        _ => None,
    });
    let heard = heard.expect("a transition")?;
    Some((heard.address, heard.priority.0, heard.last))
}

#[test]
fn a_transition_goes_with_the_last_advert() {
    // Backup: the Master falls silent.
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(100), R0, HIGH, 150);
    let down = bench.deadline().unwrap();
    let effects = bench.feed_whole(down, Input::Tick);
    assert_eq!(goes_with(&effects), Some((HIGH, 150, ms(100))));
    // Master: a better one is heard, and read a moment later.
    let better = Input::Advert(heard(down, R0, LOW, 200));
    let effects = bench.feed_whole(down + Nanos::from_millis(3), better);
    assert_eq!(goes_with(&effects), Some((LOW, 200, down)));
    // Backup again: it stands down.
    let zero = down + Nanos::from_millis(900);
    bench.hear(zero, R0, LOW, 0);
    let skew = bench.deadline().unwrap();
    let effects = bench.feed_whole(skew, Input::Tick);
    assert_eq!(goes_with(&effects), Some((LOW, 200, zero)));
    // A fault has nothing to do with anybody's adverts.
    let effects = bench.feed_whole(skew, link(L0, LinkState::Down));
    assert_eq!(goes_with(&effects), None);
}
