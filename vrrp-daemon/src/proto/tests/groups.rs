//! Sync groups: the members move together.

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use super::fixture::{
    Bench, G0, HIGH, L0, L1, L2, LOW, R0, R1, R2, S0, acquire, advert, announce, grouped, link, ms, notify,
    notify_group, release, remark, router, send, track, us, went,
};
use crate::proto::model::{Model, SyncGroup, TrackObject, VirtualRouter};
use crate::proto::{Effect, Input, LinkState, NotifyState, Reason, Remark, ScriptState, State, Subject};

/// Two members on links of their own, both Backup since 0.
fn pair() -> Bench {
    Bench::started(grouped(vec![router(100), router(100)]))
}

fn master_pair() -> (Bench, MonoNanos) {
    let mut bench = pair();
    let now = us(3_609_375);
    bench.tick(now);
    assert_eq!(states(&bench), [State::Master, State::Master]);
    (bench, now)
}

fn states(bench: &Bench) -> Vec<State> {
    [R0, R1, R2]
        .into_iter()
        .filter_map(|router| Some(bench.vrrp.status(router)?.state))
        .collect()
}

#[test]
fn the_group_is_told_after_its_members() {
    let mut bench = Bench::told(grouped(vec![router(100), router(90)]));
    let begun = |router, priority| {
        [
            went(router, State::Init, State::Backup, Reason::Started),
            notify(router, NotifyState::Backup, priority),
        ]
    };
    let expected: Vec<_> = begun(R0, 100)
        .into_iter()
        .chain(begun(R1, 90))
        .chain([notify_group(NotifyState::Backup)])
        .collect();
    assert_eq!(bench.feed(ms(0), Input::Start), expected);
}

/// The first whose timer runs out waits for the slowest (3.6484375 s at priority 90), then both go.
#[test]
fn master_only_when_all_want_it() {
    let mut bench = Bench::started(grouped(vec![router(100), router(90)]));
    assert_eq!(bench.tick(us(3_609_375)), []);
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    assert_eq!(bench.deadline(), Some(MonoNanos(3_648_437_500)));
    let reason = |nanos| Reason::MasterDown {
        master: None,
        last_heard: ms(0),
        interval: Nanos(nanos),
    };
    assert_eq!(
        bench.tick(MonoNanos(3_648_437_500)),
        [
            send(R0, 100),
            acquire(R0),
            went(R0, State::Backup, State::Master, reason(3_609_375_000)),
            notify(R0, NotifyState::Master, 100),
            send(R1, 90),
            acquire(R1),
            went(R1, State::Backup, State::Master, reason(3_648_437_500)),
            notify(R1, NotifyState::Master, 90),
            notify_group(NotifyState::Master),
        ]
    );
}

/// A member that wants but must wait is not due again, until a qualifying advert takes its wish back.
#[test]
fn a_wish_is_kept_until_a_master_is_heard() {
    let mut bench = pair();
    bench.hear(ms(3_000), R1, HIGH, 150);
    assert_eq!(bench.tick(us(3_609_375)), []);
    assert_eq!(bench.deadline(), Some(us(6_609_375)));
    // A lower one does not.
    bench.hear(ms(4_000), R0, LOW, 50);
    assert_eq!(bench.deadline(), Some(us(6_609_375)));
    bench.hear(ms(5_000), R0, HIGH, 150);
    assert_eq!(bench.deadline(), Some(us(6_609_375)));
    assert_eq!(bench.tick(us(6_609_375)), []);
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    // Member 1 wants now; member 0 follows at 8.609375 s.
    assert_eq!(bench.deadline(), Some(us(8_609_375)));
    bench.tick(us(8_609_375));
    assert_eq!(states(&bench), [State::Master, State::Master]);
}

/// Before the last member's timer takes the whole group over, the driver is asked to look at the stamps of
/// those that have waited since: the kernel wakes nobody for an unchanged Master.
#[test]
fn members_that_wait_are_asked_about_again() {
    let mut bench = pair();
    bench.hear(ms(0), R0, HIGH, 150);
    bench.hear(ms(3_000), R1, HIGH, 150);
    bench.tick(us(3_609_375));
    let due = |bench: &Bench, now| bench.vrrp.down_timers_due(now).collect::<Vec<_>>();
    assert_eq!(due(&bench, us(6_609_374)), []);
    assert_eq!(due(&bench, us(6_609_375)), [R0, R1]);
    bench.feed(
        us(6_609_375),
        Input::StillThere {
            adverts: 0,
            router: R0,
            source: HIGH,
            at: ms(6_000),
        },
    );
    bench.tick(us(6_609_375));
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    assert_eq!(bench.deadline(), Some(us(9_609_375)));
}

/// One member's cable is pulled: it says priority 0 and faults, and so do the others, led by it.
#[test]
fn one_fault_is_everyones() {
    let (mut bench, _) = master_pair();
    let down = Reason::LinkDown { link: L1 };
    assert_eq!(
        bench.feed(ms(4_000), link(L1, LinkState::Down)),
        [
            send(R1, 0),
            release(R1),
            went(R1, State::Master, State::Fault, down),
            notify(R1, NotifyState::Fault, 100),
            send(R0, 0),
            release(R0),
            went(R0, State::Master, State::Fault, Reason::Group { leader: R1 }),
            notify(R0, NotifyState::Fault, 100),
            notify_group(NotifyState::Fault),
        ]
    );
    assert_eq!(bench.deadline(), None);
    // A second fault is no news; recovery only when the last is over.
    assert_eq!(bench.feed(ms(5_000), link(L0, LinkState::Down)), []);
    assert_eq!(
        bench.vrrp.status(R0).unwrap().reason,
        Reason::LinkDown { link: L0 }
    );
    assert_eq!(bench.feed(ms(6_000), link(L1, LinkState::Up)), []);
    assert_eq!(
        bench.vrrp.status(R1).unwrap().reason,
        Reason::Group { leader: R0 }
    );
    let back = |router| {
        [
            went(router, State::Fault, State::Backup, Reason::Recovered),
            notify(router, NotifyState::Backup, 100),
        ]
    };
    let expected: Vec<_> = back(R0)
        .into_iter()
        .chain(back(R1))
        .chain([notify_group(NotifyState::Backup)])
        .collect();
    assert_eq!(bench.feed(ms(7_000), link(L0, LinkState::Up)), expected);
    assert_eq!(bench.deadline(), Some(us(10_609_375)));
}

/// One member yields: all do, and nobody says priority 0, since the better one is there.
#[test]
fn one_backup_is_everyones() {
    let (mut bench, _) = master_pair();
    let reason = Reason::HigherPriority {
        mac: None,
        source: HIGH,
        priority: Priority(150),
    };
    assert_eq!(
        bench.hear(ms(4_000), R1, HIGH, 150),
        [
            release(R1),
            went(R1, State::Master, State::Backup, reason),
            notify(R1, NotifyState::Backup, 100),
            release(R0),
            went(R0, State::Master, State::Backup, Reason::Group { leader: R1 }),
            notify(R0, NotifyState::Backup, 100),
            notify_group(NotifyState::Backup),
        ]
    );
    // Its address is higher: an interval longer than 3.609375 s.
    assert_eq!(bench.deadline(), Some(us(8_609_375)));
}

/// Two hosts that are better in one member each and whose adverts cross make each other yield. By waits of one
/// length they would do so again and again; the host with the lower address lets the other go first.
#[test]
fn of_two_groups_that_yield_to_each_other_the_higher_address_goes_first() {
    for (better, wait) in [(HIGH, 4_609_375), (LOW, 3_609_375)] {
        let (mut bench, now) = master_pair();
        bench.hear(now, R1, better, 150);
        bench.tick(now + Nanos(3_609_375_000));
        let second = Nanos((wait - 3_609_375) * 1_000);
        let expected = if better == HIGH {
            State::Backup
        } else {
            State::Master
        };
        assert_eq!(states(&bench), [expected, expected], "{better}");
        bench.tick(now + Nanos(3_609_375_000) + second);
        assert_eq!(states(&bench), [State::Master, State::Master], "{better}");
    }
}

/// A third host may have yielded too and be back, so what is heard does not end the longer wait; sixteen intervals do.
#[test]
fn the_longer_wait_ends_after_sixteen_intervals() {
    let (mut bench, now) = master_pair();
    let later = |millis| now + Nanos::from_millis(millis);
    bench.hear(now, R1, HIGH, 150);
    bench.hear(later(1), R0, HIGH, 150);
    bench.hear(later(20_000), R1, HIGH, 150);
    assert_eq!(bench.deadline(), Some(later(1) + Nanos(4_609_375_000)));
    bench.hear(later(15_999), R0, HIGH, 150);
    assert_eq!(bench.deadline(), Some(later(15_999) + Nanos(4_609_375_000)));
    bench.hear(later(16_000), R0, HIGH, 150);
    assert_eq!(bench.deadline(), Some(later(16_000) + Nanos(3_609_375_000)));
}

#[test]
fn a_group_of_one_is_told_beside_its_member() {
    let mut bench = Bench::started(grouped(vec![router(100)]));
    let effects = bench.tick(us(3_609_375));
    assert_eq!(
        effects.last_chunk(),
        Some(&[
            notify(R0, NotifyState::Master, 100),
            notify_group(NotifyState::Master)
        ])
    );
    let effects = bench.hear(ms(4_000), R0, HIGH, 150);
    assert_eq!(
        effects.last_chunk(),
        Some(&[
            notify(R0, NotifyState::Backup, 100),
            notify_group(NotifyState::Backup)
        ])
    );
    assert_eq!(bench.deadline(), Some(us(7_609_375)));
}

/// A contention won by one member: the others' addresses were contested too.
#[test]
fn siblings_announce_after_a_contention() {
    let (mut bench, _) = master_pair();
    let rx_lower = |router| notify(router, NotifyState::MasterRxLowerPri, 100);
    assert_eq!(
        bench.hear(ms(4_000), R0, LOW, 50),
        [
            send(R0, 100),
            remark(
                R0,
                Remark::LowerPriority {
                    mac: None,
                    source: LOW,
                    priority: Priority(50)
                }
            ),
            announce(R0, 3),
            rx_lower(R0),
            announce(R1, 3),
            rx_lower(R1),
        ]
    );
}

#[test]
fn shutdown_tells_members_then_groups() {
    let (mut bench, _) = master_pair();
    let stopped = |router| {
        [
            send(router, 0),
            release(router),
            went(router, State::Master, State::Init, Reason::Shutdown),
            notify(router, NotifyState::Stop, 100),
        ]
    };
    let expected: Vec<_> = stopped(R0)
        .into_iter()
        .chain(stopped(R1))
        .chain([notify_group(NotifyState::Stop)])
        .collect();
    assert_eq!(bench.feed(ms(4_000), Input::Shutdown), expected);
}

fn with_group(model: Model, change: impl FnOnce(&mut SyncGroup)) -> Model {
    let mut model = model;
    change(model.groups.first_mut().unwrap());
    model
}

/// A script tracked by the group, without a weight: a fault of each member.
#[test]
fn the_groups_own_tracks_count_for_each_member() {
    let script = track(TrackObject::Script(S0), 0);
    let model = with_group(grouped(vec![router(100), router(100)]), |group| {
        group.track.push(script)
    });
    let mut bench = Bench::started(model);
    assert_eq!(states(&bench), [State::Init, State::Init]);
    bench.feed(
        ms(100),
        Input::Script {
            script: S0,
            state: ScriptState::Passing,
        },
    );
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
    let failing = Reason::ScriptFailing { script: S0 };
    assert_eq!(
        bench.feed(
            ms(200),
            Input::Script {
                script: S0,
                state: ScriptState::Failing
            }
        ),
        [
            went(R0, State::Backup, State::Fault, failing),
            notify(R0, NotifyState::Fault, 100),
            went(R1, State::Backup, State::Fault, failing),
            notify(R1, NotifyState::Fault, 100),
            notify_group(NotifyState::Fault),
        ]
    );
}

/// Members' weights are dropped; the group's count for all; `sync_group_tracking_weight` keeps both.
#[test]
fn weights_in_a_group() {
    for (keep, expected) in [(false, [95, 95]), (true, [65, 95])] {
        let weighted = VirtualRouter {
            track: vec![track(TrackObject::Link(L2), -30)],
            ..router(100)
        };
        let model = with_group(grouped(vec![weighted, router(100)]), |group| {
            group.track.push(track(TrackObject::Script(S0), -5));
            group.keep_weights = keep;
        });
        let mut bench = Bench::started(model);
        bench.feed(ms(100), link(L2, LinkState::Down));
        bench.feed(
            ms(100),
            Input::Script {
                script: S0,
                state: ScriptState::Failing,
            },
        );
        let priorities = [R0, R1].map(|router| bench.vrrp.status(router).unwrap().priority.0);
        assert_eq!(priorities, expected, "sync_group_tracking_weight {keep}");
    }
}

/// A group of owners starts as Master; one member that is not keeps all waiting.
#[test]
fn a_group_of_owners() {
    let owner = VirtualRouter {
        initially_master: true,
        ..router(255)
    };
    let mut bench = Bench::started(grouped(vec![owner.clone(), owner.clone()]));
    assert_eq!(states(&bench), [State::Master, State::Master]);
    bench.feed(ms(1_000), link(L1, LinkState::Down));
    assert_eq!(states(&bench), [State::Fault, State::Fault]);
    bench.feed(ms(2_000), link(L1, LinkState::Up));
    assert_eq!(states(&bench), [State::Master, State::Master]);
    let bench = Bench::started(grouped(vec![owner, router(100)]));
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
}

/// Owners that had to wait for one another's script begin as Backup, and no one of them alone as Master.
#[test]
fn a_group_of_owners_with_a_script_to_wait_for() {
    let owner = VirtualRouter {
        initially_master: true,
        ..router(255)
    };
    let scripted = VirtualRouter {
        track: vec![track(TrackObject::Script(S0), 0)],
        ..owner.clone()
    };
    let mut bench = Bench::started(grouped(vec![owner, scripted]));
    assert_eq!(states(&bench), [State::Backup, State::Init]);
    bench.feed(
        ms(100),
        Input::Script {
            script: S0,
            state: ScriptState::Passing,
        },
    );
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
}

/// A member in FAULT whose link is back, but whose script has yet to run, still holds the others.
#[test]
fn a_pending_member_in_fault_holds_the_group_in_fault() {
    let scripted = VirtualRouter {
        track: vec![track(TrackObject::Script(S0), 0)],
        ..router(100)
    };
    let mut bench = Bench::started(grouped(vec![router(100), scripted]));
    bench.feed(ms(100), link(L1, LinkState::Down));
    bench.feed(ms(200), link(L1, LinkState::Up));
    assert_eq!(states(&bench), [State::Fault, State::Fault]);
    bench.feed(
        ms(300),
        Input::Script {
            script: S0,
            state: ScriptState::Passing,
        },
    );
    assert_eq!(states(&bench), [State::Backup, State::Backup]);
}

/// A member that waits for its script keeps the group from being Master, and not from being Backup.
#[test]
fn one_pending_member_holds_the_group_back() {
    let scripted = VirtualRouter {
        track: vec![track(TrackObject::Script(S0), 0)],
        ..router(100)
    };
    let mut bench = Bench::started(grouped(vec![scripted, router(100)]));
    assert_eq!(states(&bench), [State::Init, State::Backup]);
    bench.tick(us(3_609_375));
    assert_eq!(states(&bench), [State::Init, State::Backup]);
    bench.feed(
        ms(5_000),
        Input::Script {
            script: S0,
            state: ScriptState::Passing,
        },
    );
    bench.tick(us(8_609_375));
    assert_eq!(states(&bench), [State::Master, State::Master]);
}

/// Three members, one link that two of them share: one fault, told once.
#[test]
fn two_members_with_a_fault_of_their_own() {
    let mut model = grouped(vec![router(100), router(100), router(100)]);
    for config in model.routers.iter_mut().skip(1) {
        config.link = L1;
    }
    let mut bench = Bench::started(model);
    let effects = bench.feed(ms(100), link(L1, LinkState::Missing));
    let down = Reason::LinkDown { link: L1 };
    let reasons: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Transition { router, reason, .. } => Some((*router, *reason)),
            _ => None,
        })
        .collect();
    assert_eq!(
        reasons,
        [(R1, down), (R2, down), (R0, Reason::Group { leader: R1 })]
    );
    let told = Effect::Notify {
        subject: Subject::Group(G0),
        state: NotifyState::Fault,
        priority: Priority(0),
    };
    assert_eq!(effects.iter().filter(|effect| **effect == told).count(), 1);
}

/// A group whose Master comes back while it waits: the advert of one member's Master is enough to stay.
#[test]
fn a_half_heard_master_keeps_the_group_in_backup() {
    let mut bench = pair();
    for second in 1..20 {
        bench.feed(ms(second * 1_000), advert(ms(second * 1_000), R1, HIGH, 150));
        bench.tick(ms(second * 1_000));
        assert_eq!(states(&bench), [State::Backup, State::Backup]);
    }
}
