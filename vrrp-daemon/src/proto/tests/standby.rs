//! Planned moves: an instance gives up and stays Backup until it is told to take part again. Priority 100 and 1 s:
//! Master_Down_Interval 3609.375 ms, skew 609.375 ms; a priority of 1 has a skew of 996.09375 ms.

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::fixture::{
    Bench, HIGH, L0, LOW, R0, R1, R2, advert, grouped, link, model, ms, notify, notify_group, release,
    remark, router, send, us, went,
};
use crate::proto::model::{Model, Preempt, RouterId, VirtualRouter};
use crate::proto::{
    Correspondence, Effect, Input, LinkState, NotifyState, Reason, Remark, StandbySeen, State,
};

fn standby(router: RouterId) -> Input {
    Input::Standby { router, length: None }
}

fn standby_for(router: RouterId, seconds: u64) -> Input {
    Input::Standby {
        router,
        length: Some(Nanos::from_secs(seconds)),
    }
}

fn resume(router: RouterId) -> Input {
    Input::Resume { router }
}

fn seen(bench: &Bench, router: RouterId) -> Option<StandbySeen> {
    bench.vrrp.status(router).unwrap().outlook.standby
}

fn asked(router: RouterId) -> Effect {
    remark(router, Remark::Standby { length: None })
}

fn gives_up(router: RouterId, priority: u8) -> [Effect; 4] {
    [
        send(router, 0),
        release(router),
        went(router, State::Master, State::Backup, Reason::Standby),
        notify(router, NotifyState::Backup, priority),
    ]
}

#[test]
fn a_master_gives_up_with_priority_zero() {
    let (mut bench, now) = Bench::master(router(100));
    let effects = bench.feed(now, standby(R0));
    assert_eq!(effects[0], asked(R0));
    assert_eq!(effects[1..], gives_up(R0, 100));
    assert_eq!(
        seen(&bench, R0),
        Some(StandbySeen {
            until: None,
            alone: false
        })
    );
    assert_eq!(bench.vrrp.status(R0).unwrap().reason, Reason::Standby);
    // Asked again, nothing happens again.
    assert_eq!(bench.feed(now, standby(R0)), []);
}

#[test]
fn it_does_not_take_over_and_says_once_that_nobody_did() {
    let (mut bench, now) = Bench::master(router(100));
    assert_eq!(now, us(3_609_375));
    bench.feed(now, standby(R0));
    // Nobody else is there. A full Master_Down_Interval later that is worth a line.
    assert_eq!(bench.deadline(), Some(us(7_218_750)));
    assert_eq!(bench.tick(us(7_218_749)), []);
    assert_eq!(bench.tick(us(7_218_750)), [remark(R0, Remark::StandbyAlone)]);
    assert!(seen(&bench, R0).unwrap().alone);
    assert_eq!(bench.deadline(), None);
    assert_eq!(bench.tick(ms(3_600_000)), []);
    assert_eq!(bench.state(R0), State::Backup);
    // Somebody is: and dies. 3 s and the skew of priority 1 after its last advert.
    assert_eq!(bench.hear(ms(3_600_000), R0, LOW, 50), []);
    assert!(!seen(&bench, R0).unwrap().alone);
    assert_eq!(bench.deadline(), Some(MonoNanos(3_603_996_093_750)));
    assert_eq!(
        bench.tick(MonoNanos(3_603_996_093_750)),
        [remark(R0, Remark::StandbyAlone)]
    );
}

/// Also the owner of the addresses, and a Master that it would preempt.
#[test]
fn whoever_is_master_is_followed() {
    for ours in [100, 255] {
        let (mut bench, now) = Bench::master(router(ours));
        bench.feed(now, standby(R0));
        for second in 1..=60 {
            let at = now + Nanos::from_secs(second);
            assert_eq!(bench.hear(at, R0, LOW, 50), [], "priority {ours}");
            assert_eq!(bench.tick(at), []);
        }
        assert_eq!(bench.state(R0), State::Backup);
        // Its adverts need not wake us.
        assert_eq!(bench.vrrp.quiet(R0).unwrap().source, LOW);
        // It hears every one again as soon as it takes part.
        let at = now + Nanos::from_secs(61);
        let effects = bench.feed_whole(at, resume(R0));
        assert_eq!(
            effects,
            [
                remark(R0, Remark::Resumed { over: false }),
                Effect::Listen { router: R0 }
            ]
        );
    }
}

#[test]
fn resume_waits_in_full_and_the_rules_of_preemption_decide() {
    let table = [
        // Preempting a lower one after a full wait from the resume on, whatever it sends.
        (100, Preempt::After(Nanos::ZERO), LOW, 50, Some(us(103_609_375))),
        // nopreempt: it stays where it is.
        (100, Preempt::Never, LOW, 50, None),
        // A better one stays.
        (100, Preempt::After(Nanos::ZERO), HIGH, 150, None),
        // preempt_delay counts from the first advert after the resume, at 101 s: that of 105 s is the last that counts.
        (
            100,
            Preempt::After(Nanos::from_secs(5)),
            LOW,
            50,
            Some(us(108_609_375)),
        ),
        // An owner preempts always; its skew is 3.90625 ms.
        (255, Preempt::Never, LOW, 50, Some(MonoNanos(103_003_906_250))),
    ];
    for (ours, preempt, source, theirs, takes_over) in table {
        let mut bench = Bench::backup(VirtualRouter {
            preempt,
            ..router(ours)
        });
        bench.feed(ms(1_000), standby(R0));
        for second in 1..=99 {
            bench.hear(ms(second * 1_000), R0, source, theirs);
        }
        assert_eq!(
            bench.feed(ms(100_000), resume(R0)),
            [remark(R0, Remark::Resumed { over: false })]
        );
        assert_eq!(seen(&bench, R0), None);
        let mut taken = None;
        for step in 1..=1_000 {
            let at = ms(100_000) + Nanos::from_millis(step * 20);
            while let Some(due) = bench.deadline().filter(|due| *due <= at) {
                bench.tick(due);
                if bench.state(R0) == State::Master && taken.is_none() {
                    taken = Some(due);
                }
            }
            if step % 50 == 0 && taken.is_none() {
                bench.hear(at, R0, source, theirs);
            }
        }
        assert_eq!(taken, takes_over, "{ours} {preempt:?} {theirs}");
    }
}

/// The down timer of a Backup that stood by is long past, and says nothing of the Master.
#[test]
fn a_living_master_that_was_not_heard_one_by_one_is_not_taken_for_dead() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.feed(ms(1_000), standby_for(R0, 600));
    // The stamps are read when somebody asks, which nobody does here.
    assert_eq!(
        bench.tick(ms(601_000)).last(),
        Some(&remark(R0, Remark::Resumed { over: true }))
    );
    assert_eq!(bench.deadline(), Some(us(604_609_375)));
    assert_eq!(bench.state(R0), State::Backup);
}

#[test]
fn the_time_ends_it() {
    let (mut bench, now) = Bench::master(router(100));
    let effects = bench.feed(now, standby_for(R0, 60));
    let length = Some(Nanos::from_secs(60));
    assert_eq!(effects[0], remark(R0, Remark::Standby { length }));
    bench.tick(us(7_218_750));
    assert_eq!(bench.deadline(), Some(us(63_609_375)));
    assert_eq!(bench.tick(us(63_609_374)), []);
    assert_eq!(
        bench.tick(us(63_609_375)),
        [remark(R0, Remark::Resumed { over: true })]
    );
    assert_eq!(bench.vrrp.status(R0).unwrap().reason, Reason::Resumed);
    assert_eq!(bench.deadline(), Some(us(67_218_750)));
    assert_eq!(bench.tick(us(67_218_750)).first(), Some(&send(R0, 100)));
    // Of what is over nothing is left, and a resume too many is nothing.
    assert_eq!(bench.feed(ms(70_000), resume(R0)), []);
    assert_eq!(bench.state(R0), State::Master);
}

#[test]
fn another_time_replaces_the_first() {
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1_000), standby_for(R0, 60));
    let length = Some(Nanos::from_secs(10));
    assert_eq!(
        bench.feed(ms(2_000), standby_for(R0, 10)),
        [remark(R0, Remark::Standby { length })]
    );
    assert_eq!(seen(&bench, R0).unwrap().until, Some(ms(12_000)));
}

#[test]
fn a_fault_comes_and_goes_and_it_stands_by_still() {
    let (mut bench, now) = Bench::master(router(255));
    bench.feed(now, standby_for(R0, 60));
    bench.feed(ms(10_000), link(L0, LinkState::Down));
    assert_eq!(bench.state(R0), State::Fault);
    bench.feed(ms(11_000), link(L0, LinkState::Up));
    assert_eq!(bench.state(R0), State::Backup);
    assert_eq!(bench.vrrp.status(R0).unwrap().reason, Reason::Standby);
    bench.tick(ms(20_000));
    assert_eq!(bench.state(R0), State::Backup);
    // It may also end in FAULT.
    bench.feed(ms(21_000), link(L0, LinkState::Down));
    let until = now + Nanos::from_secs(60);
    assert_eq!(bench.deadline(), Some(until));
    assert_eq!(bench.tick(until), [remark(R0, Remark::Resumed { over: true })]);
    assert_eq!(bench.deadline(), None);
    assert_eq!(bench.state(R0), State::Fault);
}

/// `state MASTER` and priority 255: Master at once, but not then.
#[test]
fn an_owner_that_stands_by_does_not_begin_as_master() {
    let mut bench = Bench::told(model(vec![VirtualRouter {
        initially_master: true,
        ..router(255)
    }]));
    bench.feed(ms(0), standby(R0));
    bench.feed(ms(0), Input::Start);
    assert_eq!(bench.state(R0), State::Backup);
    bench.tick(ms(60_000));
    assert_eq!(bench.state(R0), State::Backup);
}

#[test]
fn a_group_moves_as_one() {
    let mut bench = Bench::started(grouped(vec![router(100), router(100), router(100)]));
    while bench.state(R0) != State::Master {
        let due = bench.deadline().unwrap();
        bench.tick(due);
    }
    let effects = bench.feed(ms(10_000), standby_for(R1, 60));
    let remarked = |router| {
        let length = Some(Nanos::from_secs(60));
        remark(router, Remark::Standby { length })
    };
    let mut expected = Vec::new();
    for router in [R0, R1, R2] {
        expected.push(remarked(router));
        expected.extend(gives_up(router, 100));
    }
    expected.push(notify_group(NotifyState::Backup));
    assert_eq!(effects, expected);
    // All end together, and are Master together.
    assert_eq!(bench.tick(ms(60_000)).len(), 3);
    assert_eq!([R0, R1, R2].map(|router| bench.state(router)), [State::Backup; 3]);
    bench.tick(ms(70_000));
    assert_eq!([R0, R1, R2].map(|router| seen(&bench, router)), [None; 3]);
    bench.tick(ms(80_000));
    assert_eq!([R0, R1, R2].map(|router| bench.state(router)), [State::Master; 3]);
}

fn reload(bench: &mut Bench, now: MonoNanos, new: Model) -> Vec<Effect> {
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    let mut effects = Vec::new();
    bench.vrrp.retire(now, &correspondence, &mut effects);
    bench.vrrp.adopt(now, new, &correspondence);
    effects.extend(bench.feed(now, Input::Start));
    effects
}

#[test]
fn a_reload_does_not_end_it() {
    let (mut bench, now) = Bench::master(router(100));
    bench.feed(now, standby_for(R0, 60));
    let other = VirtualRouter {
        priority: Priority(120),
        ..router(100)
    };
    reload(&mut bench, ms(10_000), model(vec![other]));
    assert_eq!(seen(&bench, R0).unwrap().until, Some(us(63_609_375)));
    bench.tick(ms(63_000));
    assert_eq!(bench.state(R0), State::Backup);
}

#[test]
fn whoever_a_reload_puts_into_its_group_stands_by_too() {
    let apart = grouped(vec![router(100), router(100)]);
    let mut alone = apart.clone();
    alone.groups.clear();
    for router in &mut alone.routers {
        router.group = None;
    }
    let mut bench = Bench::started(alone);
    bench.tick(us(3_609_375));
    bench.feed(ms(5_000), standby(R0));
    assert_eq!(
        [R0, R1].map(|router| bench.state(router)),
        [State::Backup, State::Master]
    );
    let effects = reload(&mut bench, ms(6_000), apart);
    assert!(effects.contains(&send(R1, 0)), "{effects:?}");
    assert_eq!([R0, R1].map(|router| bench.state(router)), [State::Backup; 2]);
    assert!(seen(&bench, R1).is_some());
    assert_eq!(bench.vrrp.model().groups.len(), 1);
}

#[test]
fn after_the_end_nothing_is_due() {
    let mut bench = Bench::backup(router(100));
    bench.feed(ms(1_000), standby_for(R0, 60));
    bench.feed(ms(2_000), Input::Shutdown);
    assert_eq!(bench.deadline(), None);
    assert_eq!(bench.feed(ms(3_000), standby(R0)), []);
    assert_eq!(bench.feed(ms(3_000), advert(ms(3_000), R0, HIGH, 150)), []);
}
