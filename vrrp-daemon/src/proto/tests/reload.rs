//! Another configuration while running.

use vrrp_common::id::{Priority, Version, Vrid};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ladder::Auth;

use super::fixture::{
    Bench, HIGH, L0, L1, LOW, OURS, R0, R1, R2, S0, S1, advert, centis, grouped, heard, link, model, ms,
    notify, notify_group, remark, router, send, track, went,
};
use crate::proto::model::{Announce, GroupId, Model, SyncGroup, TrackObject, VirtualAddress, VirtualRouter};
use crate::proto::record::{Begin, Fed, Step, replay, to_line};
use crate::proto::{
    Correspondence, Effect, Input, LinkState, NotifyState, Reason, Remark, RouterId, ScriptState, State,
    Subject,
};

/// What a reload does: by old ids, by new ids.
fn reload(bench: &mut Bench, now: MonoNanos, new: Model) -> (Vec<Effect>, Vec<Effect>) {
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    let mut retired = Vec::new();
    bench.vrrp.retire(now, &correspondence, &mut retired);
    bench.vrrp.adopt(now, new, &correspondence);
    // The watch on interfaces tells everything again, which is no event.
    let routers = bench.vrrp.model().routers.len();
    for id in 0..3 {
        let told = bench.feed(now, link(crate::proto::LinkId(id), LinkState::Up));
        assert_eq!(told, []);
    }
    for router in (0..).map(RouterId).take(routers) {
        let address = Some(OURS);
        assert_eq!(bench.feed(now, Input::Source { router, address }), []);
    }
    (retired, bench.feed(now, Input::Start))
}

fn named(name: &str, vrid: u8, priority: u8) -> VirtualRouter {
    VirtualRouter {
        name: name.to_owned(),
        vrid: Vrid::new(vrid).unwrap(),
        ..router(priority)
    }
}

fn address(last: u8) -> VirtualAddress {
    VirtualAddress {
        address: std::net::IpAddr::from([192, 0, 2, last]),
        ..router(100).addresses.remove(0)
    }
}

/// Neither a packet nor a notification, and every deadline stays.
#[test]
fn the_same_configuration_again_is_no_event() {
    let config = || model(vec![named("A", 51, 100), named("B", 52, 200)]);
    let mut bench = Bench::started(config());
    bench.hear(ms(500), R0, HIGH, 150);
    bench.tick(ms(3_219));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Backup, State::Master));
    let before = (bench.vrrp.status(R0), bench.vrrp.status(R1), bench.deadline());
    assert_eq!(reload(&mut bench, ms(3_700), config()), (vec![], vec![]));
    assert_eq!(
        before,
        (bench.vrrp.status(R0), bench.vrrp.status(R1), bench.deadline())
    );
    // The down timer of A counts from what was heard before: 0.5 s + 3.609375 s.
    assert_eq!(bench.tick(ms(4_109)), []);
    assert_eq!(bench.tick(ms(4_110)).first(), Some(&send(R0, 100)));
    // The advert of B comes in turn.
    assert_eq!(bench.tick(ms(4_219)), [send(R1, 200)]);
}

#[test]
fn a_renamed_and_reordered_master_goes_on() {
    let mut bench = Bench::started(model(vec![named("A", 51, 100), named("B", 52, 200)]));
    bench.tick(ms(3_219));
    let new = model(vec![named("renamed", 52, 200), named("A", 51, 100)]);
    assert_eq!(reload(&mut bench, ms(3_500), new), (vec![], vec![]));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Master, State::Backup));
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.became_master, 1);
    bench.tick(ms(3_609));
    assert_eq!(bench.state(R1), State::Backup);
    bench.tick(ms(3_610));
    assert_eq!(bench.state(R1), State::Master);
    assert_eq!(bench.tick(ms(4_219)), [send(R0, 200)]);
}

#[test]
fn a_deleted_master_gives_up_and_a_new_router_waits_like_any_other() {
    let mut bench = Bench::started(model(vec![named("A", 51, 200), named("B", 52, 100)]));
    bench.tick(ms(3_219));
    let new = model(vec![named("B", 52, 100), named("C", 53, 100)]);
    let (retired, adopted) = reload(&mut bench, ms(3_500), new);
    // The addresses are the writer's to remove: the new configuration may hold them elsewhere.
    assert_eq!(
        retired,
        [
            send(R0, 0),
            went(R0, State::Master, State::Init, Reason::Removed),
            notify(R0, NotifyState::Deleted, 200)
        ]
    );
    assert_eq!(
        adopted,
        [
            went(R1, State::Init, State::Backup, Reason::Started),
            notify(R1, NotifyState::Backup, 100)
        ]
    );
    // B since time 0, C since the reload; each 3609.375 ms.
    bench.tick(ms(3_610));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Master, State::Backup));
    bench.tick(ms(7_109));
    assert_eq!(bench.state(R1), State::Backup);
    bench.tick(ms(7_110));
    assert_eq!(bench.state(R1), State::Master);
}

#[test]
fn another_interface_is_another_router() {
    let (mut bench, now) = Bench::master(router(200));
    let moved = VirtualRouter {
        link: L1,
        ..router(200)
    };
    let (retired, adopted) = reload(&mut bench, now, model(vec![moved]));
    assert_eq!(retired.first(), Some(&send(R0, 0)));
    assert_eq!(adopted.last(), Some(&notify(R0, NotifyState::Backup, 200)));
}

/// Let time pass, each timer when it is due.
fn punctual(bench: &mut Bench, until: MonoNanos) {
    while let Some(at) = bench.deadline().filter(|at| *at <= until) {
        bench.tick(at);
    }
}

/// What a Master does after its configuration was changed to the given one: at once, and its next deadline.
fn master_after(new: VirtualRouter) -> (Vec<Effect>, Option<MonoNanos>) {
    let (mut bench, now) = Bench::master(router(200));
    assert_eq!(now, MonoNanos(3_218_750_000));
    // The second burst is out of the way; adverts at ..218.75 ms.
    punctual(&mut bench, ms(8_219));
    let (retired, adopted) = reload(&mut bench, ms(8_300), model(vec![new]));
    assert_eq!((retired, adopted), (vec![], vec![]));
    let now = bench.tick(ms(8_300));
    assert_eq!(bench.state(R0), State::Master);
    (now, bench.deadline())
}

#[test]
fn what_a_master_does_with_a_changed_configuration() {
    let next = |millis| Some(ms(millis));
    let in_turn = Some(MonoNanos(9_218_750_000));
    assert_eq!(master_after(router(200)), (vec![], in_turn));
    // Another priority is told in turn.
    let (mut bench, _) = Bench::master(router(200));
    punctual(&mut bench, ms(8_219));
    let changed = remark(
        R0,
        Remark::PriorityChanged {
            from: Priority(200),
            to: Priority(90),
        },
    );
    assert_eq!(
        reload(&mut bench, ms(8_300), model(vec![router(90)])),
        (vec![], vec![changed])
    );
    assert_eq!(bench.tick(ms(9_219)), [send(R0, 90)]);
    // A shorter interval counts from now, a longer one from the next advert.
    let shorter = VirtualRouter {
        interval: centis(10),
        ..router(200)
    };
    assert_eq!(master_after(shorter), (vec![], next(8_400)));
    let longer = VirtualRouter {
        interval: centis(200),
        ..router(200)
    };
    assert_eq!(master_after(longer), (vec![], in_turn));
    // What is in the adverts and who hears them is told at once.
    let mut more = router(200);
    more.addresses.push(address(2));
    assert_eq!(master_after(more), (vec![send(R0, 200)], next(9_300)));
    let mut fewer = router(200);
    fewer.addresses.clear();
    assert_eq!(master_after(fewer), (vec![send(R0, 200)], next(9_300)));
    let other_version = VirtualRouter {
        version: Version::V2,
        ..router(200)
    };
    assert_eq!(master_after(other_version), (vec![send(R0, 200)], next(9_300)));
    let password = VirtualRouter {
        auth: Auth::pass("secret").0,
        ..router(200)
    };
    assert_eq!(master_after(password), (vec![send(R0, 200)], next(9_300)));
    // Addresses that are not advertised need no advert.
    let mut excluded = router(200);
    excluded.excluded.push(address(3));
    assert_eq!(master_after(excluded), (vec![], in_turn));
}

/// The writer announces new addresses as it adds them; the second burst is ours.
#[test]
fn new_addresses_are_announced_a_second_time() {
    let (mut bench, _) = Bench::master(router(200));
    punctual(&mut bench, ms(8_219));
    let mut more = router(200);
    more.excluded.push(address(3));
    reload(&mut bench, ms(8_300), model(vec![more]));
    let told: Vec<_> = (9..=13)
        .flat_map(|second| bench.tick(ms(second * 1_000 + 219)))
        .collect();
    assert_eq!(told, [send(R0, 200); 5]);
    assert_eq!(
        bench.tick(ms(13_300)),
        [Effect::Announce {
            router: R0,
            rounds: 5
        }]
    );
}

#[test]
fn a_changed_refresh_starts_anew() {
    let refreshing = VirtualRouter {
        announce: Announce {
            refresh: Nanos::from_millis(700),
            ..router(200).announce
        },
        ..router(200)
    };
    assert_eq!(master_after(refreshing), (vec![], Some(ms(9_000))));
}

/// A silence that was none by the old interval is none by the new one.
#[test]
fn a_shorter_interval_does_not_make_a_master_oversleep() {
    let (mut bench, now) = Bench::master(router(200));
    let shorter = VirtualRouter {
        interval: centis(1),
        ..router(200)
    };
    reload(&mut bench, now + Nanos::from_millis(900), model(vec![shorter]));
    assert_eq!(bench.tick(now + Nanos::from_millis(910)), [send(R0, 200)]);
}

/// The down timer of a Backup that last heard its Master at 10 s, with the configuration changed 900 ms later.
fn backup_after(new: VirtualRouter) -> (Option<MonoNanos>, bool) {
    let mut bench = Bench::backup(router(100));
    for second in 1..=10 {
        bench.hear(ms(second * 1_000), R0, HIGH, 150);
    }
    let (retired, _) = reload(&mut bench, ms(10_900), model(vec![new]));
    assert_eq!(retired, []);
    assert_eq!(bench.state(R0), State::Backup);
    let follows = bench.vrrp.status(R0).unwrap().master.is_some();
    (bench.deadline(), follows)
}

#[test]
fn what_a_backup_does_with_a_changed_configuration() {
    // 10 s + 3 s + 156/256 s.
    assert_eq!(backup_after(router(100)), (Some(MonoNanos(13_609_375_000)), true));
    // The skew of priority 101 is 155/256 s, of 255 1/256 s.
    assert_eq!(backup_after(router(101)), (Some(MonoNanos(13_605_468_750)), true));
    assert_eq!(backup_after(router(255)), (Some(MonoNanos(13_003_906_250)), true));
    let patient = VirtualRouter {
        down_adverts: 5,
        ..router(100)
    };
    assert_eq!(backup_after(patient), (Some(MonoNanos(15_609_375_000)), true));
    // The Master still has its own interval, which a VRRPv3 Backup goes by.
    let shorter = VirtualRouter {
        interval: centis(10),
        ..router(100)
    };
    assert_eq!(backup_after(shorter), (Some(MonoNanos(13_609_375_000)), true));
    let absurd = VirtualRouter {
        interval: centis(1),
        ..router(100)
    };
    assert_eq!(backup_after(absurd), (Some(MonoNanos(13_609_375_000)), true));
    // Adverts of another kind: the wait begins now. 10.9 s + 3.609375 s.
    let anew = (Some(MonoNanos(14_509_375_000)), false);
    let other_version = VirtualRouter {
        version: Version::V2,
        ..router(100)
    };
    assert_eq!(backup_after(other_version), anew);
    let password = VirtualRouter {
        auth: Auth::pass("secret").0,
        ..router(100)
    };
    assert_eq!(backup_after(password), anew);
}

/// Nobody was heard: how long the wait was tells nothing by the new interval.
#[test]
fn a_wait_for_nobody_begins_anew_with_another_interval() {
    let mut bench = Bench::backup(router(100));
    let shorter = VirtualRouter {
        interval: centis(10),
        ..router(100)
    };
    reload(&mut bench, ms(1_000), model(vec![shorter]));
    // 300 ms + 156/256 of 100 ms.
    assert_eq!(bench.deadline(), Some(MonoNanos(1_360_937_500)));
}

#[test]
fn v2_refuses_another_interval_and_so_waits_anew() {
    let v2 = |interval| VirtualRouter {
        version: Version::V2,
        interval: centis(interval),
        ..router(100)
    };
    let mut bench = Bench::backup(v2(100));
    bench.hear(ms(3_000), R0, HIGH, 150);
    reload(&mut bench, ms(3_900), model(vec![v2(200)]));
    // 3.9 s + 6 s + 156/256 s.
    assert_eq!(bench.deadline(), Some(MonoNanos(10_509_375_000)));
}

/// The Master has stood down; the skew, 609.375 ms, runs.
#[test]
fn a_release_stays_a_release() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.hear(ms(1_200), R0, HIGH, 0);
    assert_eq!(bench.deadline(), Some(MonoNanos(1_809_375_000)));
    reload(&mut bench, ms(1_300), model(vec![router(200)]));
    // 1.2 s + 56/256 s.
    assert_eq!(bench.deadline(), Some(MonoNanos(1_418_750_000)));
}

#[test]
fn preempt_takes_effect_with_the_next_advert() {
    let stay = VirtualRouter {
        preempt: crate::proto::model::Preempt::Never,
        ..router(200)
    };
    let mut bench = Bench::backup(stay);
    bench.hear(ms(1_000), R0, HIGH, 150);
    reload(&mut bench, ms(1_100), model(vec![router(200)]));
    bench.hear(ms(2_000), R0, HIGH, 150);
    bench.hear(ms(3_000), R0, HIGH, 150);
    // From the last advert that was respected: 1 s + 3 s + 56/256 s.
    assert_eq!(bench.deadline(), Some(MonoNanos(4_218_750_000)));
}

/// Two scripts, of which the second is tracked with a weight.
fn tracked(priority: u8, scripts: &[(crate::proto::ScriptId, i16)]) -> VirtualRouter {
    VirtualRouter {
        track: scripts
            .iter()
            .map(|(script, weight)| track(TrackObject::Script(*script), *weight))
            .collect(),
        ..router(priority)
    }
}

#[test]
fn a_verdict_is_carried_over() {
    let mut bench = Bench::told(model(vec![tracked(100, &[(S0, 0), (S1, 50)])]));
    for script in [S0, S1] {
        let state = ScriptState::Passing;
        bench.feed(ms(0), Input::Script { script, state });
    }
    bench.feed(ms(0), Input::Start);
    assert_eq!(bench.vrrp.status(R0).unwrap().priority, Priority(150));
    // The other way round in the file.
    let mut new = model(vec![tracked(100, &[(S1, 0), (S0, 50)])]);
    new.scripts.reverse();
    assert_eq!(reload(&mut bench, ms(100), new), (vec![], vec![]));
    assert_eq!(bench.state(R0), State::Backup);
    let failing = Input::Script {
        script: S1,
        state: ScriptState::Failing,
    };
    assert_eq!(
        bench.feed(ms(200), failing).first(),
        Some(&went(
            R0,
            State::Backup,
            State::Fault,
            Reason::ScriptFailing { script: S1 }
        ))
    );
    // The reason goes by the new number, too.
    let mut back = model(vec![tracked(100, &[(S0, 0), (S1, 50)])]);
    assert_eq!(reload(&mut bench, ms(300), back.clone()), (vec![], vec![]));
    assert_eq!(
        bench.vrrp.status(R0).unwrap().reason,
        Reason::ScriptFailing { script: S0 }
    );
    // No longer tracked: well again.
    back.routers[0].track.clear();
    let (_, adopted) = reload(&mut bench, ms(400), back);
    assert_eq!(
        adopted[1],
        went(R0, State::Fault, State::Backup, Reason::Recovered)
    );
}

#[test]
fn a_new_script_that_has_not_run_takes_nothing_away() {
    let (mut bench, now) = Bench::master(router(200));
    let reloaded = reload(&mut bench, now, model(vec![tracked(200, &[(S0, 0)])]));
    assert_eq!(reloaded, (vec![], vec![]));
    assert_eq!(bench.state(R0), State::Master);
    let failing = Input::Script {
        script: S0,
        state: ScriptState::Failing,
    };
    bench.feed(now, failing);
    assert_eq!(bench.state(R0), State::Fault);
}

#[test]
fn a_new_weight_moves_the_priority_and_the_timer() {
    let mut bench = Bench::told(model(vec![tracked(100, &[(S0, 10)])]));
    let state = ScriptState::Passing;
    bench.feed(ms(0), Input::Script { script: S0, state });
    bench.feed(ms(0), Input::Start);
    // 3 s + 146/256 s, then 3 s + 136/256 s.
    assert_eq!(bench.deadline(), Some(MonoNanos(3_570_312_500)));
    let (_, adopted) = reload(&mut bench, ms(100), model(vec![tracked(100, &[(S0, 20)])]));
    let (from, to) = (Priority(110), Priority(120));
    assert_eq!(adopted, [remark(R0, Remark::PriorityChanged { from, to })]);
    assert_eq!(bench.deadline(), Some(MonoNanos(3_531_250_000)));
}

/// Two routers of priority 200 that are Master, in the groups given by their members.
fn masters(groups: &[&[RouterId]]) -> (Bench, MonoNanos) {
    let mut bench = Bench::started(with_groups(&[200, 200], groups));
    bench.tick(ms(3_219));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Master, State::Master));
    (bench, ms(3_300))
}

fn with_groups(priorities: &[u8], groups: &[&[RouterId]]) -> Model {
    let routers = (51..)
        .zip(priorities)
        .map(|(vrid, priority)| named("A", vrid, *priority));
    let mut model = model(routers.collect());
    for (index, members) in (0..).zip(groups) {
        model.groups.push(SyncGroup {
            name: format!("VG_{index}"),
            members: members.to_vec(),
            track: Vec::new(),
            keep_weights: false,
        });
        for member in *members {
            model.routers[member.index()].group = Some(GroupId(index));
        }
    }
    model
}

#[test]
fn masters_that_form_a_group_tell_of_it_and_a_renamed_group_does_not() {
    let (mut bench, now) = masters(&[]);
    let (_, adopted) = reload(&mut bench, now, with_groups(&[200, 200], &[&[R0, R1]]));
    assert_eq!(adopted, [notify_group(NotifyState::Master)]);
    let mut renamed = with_groups(&[200, 200], &[&[R0, R1]]);
    renamed.groups[0].name = "renamed".to_owned();
    assert_eq!(reload(&mut bench, now, renamed), (vec![], vec![]));
    // And apart again.
    assert_eq!(
        reload(&mut bench, now, with_groups(&[200, 200], &[])),
        (vec![], vec![])
    );
}

/// A new member is no reason to give up: it waits, and then the group is Master of it, too.
#[test]
fn a_new_member_joins_its_master() {
    let (mut bench, now) = masters(&[&[R0, R1]]);
    let (_, adopted) = reload(&mut bench, now, with_groups(&[200, 200, 200], &[&[R0, R1, R2]]));
    assert_eq!(
        adopted,
        [
            went(R2, State::Init, State::Backup, Reason::Started),
            notify(R2, NotifyState::Backup, 200)
        ]
    );
    // 3.3 s + 3 s + 56/256 s.
    bench.tick(ms(6_518));
    assert_eq!(bench.state(R2), State::Backup);
    let effects = bench.tick(ms(6_519));
    assert_eq!(bench.state(R2), State::Master);
    // It was Master before: no news for the group.
    let group = |effect: &&Effect| {
        matches!(
            effect,
            Effect::Notify {
                subject: Subject::Group(_),
                ..
            }
        )
    };
    assert_eq!(effects.iter().find(group), None);
    // From now on it is a group like any other.
    let effects = bench.hear(ms(6_600), R2, HIGH, 250);
    assert_eq!(effects.last(), Some(&notify_group(NotifyState::Backup)));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Backup, State::Backup));
}

/// ... unless it has its Master elsewhere: then all go there.
#[test]
fn a_member_with_a_master_elsewhere_takes_the_group_there() {
    let (mut bench, now) = masters(&[&[R0, R1]]);
    reload(&mut bench, now, with_groups(&[200, 200, 100], &[&[R0, R1, R2]]));
    let effects = bench.hear(ms(3_400), R2, HIGH, 150);
    let reason = Reason::Group { leader: R2 };
    let gives_up = |router| {
        [
            send(router, 0),
            Effect::Release { router },
            went(router, State::Master, State::Backup, reason),
            notify(router, NotifyState::Backup, 200),
        ]
    };
    let expected = [
        &gives_up(R0)[..],
        &gives_up(R1),
        &[notify_group(NotifyState::Backup)],
    ]
    .concat();
    assert_eq!(effects, expected);
}

#[test]
fn a_master_that_joins_a_backup_group_hands_over() {
    let mut bench = Bench::started(with_groups(&[100, 200], &[&[R0]]));
    bench.hear(ms(500), R0, HIGH, 150);
    bench.hear(ms(1_500), R0, HIGH, 150);
    bench.hear(ms(2_500), R0, HIGH, 150);
    bench.tick(ms(3_219));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Backup, State::Master));
    let (_, adopted) = reload(&mut bench, ms(3_300), with_groups(&[100, 200], &[&[R0, R1]]));
    assert_eq!(adopted.first(), Some(&send(R1, 0)));
    assert_eq!(bench.state(R1), State::Backup);
    // Its group was told Backup before.
    assert_eq!(adopted.last(), Some(&notify(R1, NotifyState::Backup, 200)));
}

/// It waited for a sibling that is not one any more.
#[test]
fn who_waited_for_the_group_takes_over_when_it_leaves() {
    let mut bench = Bench::started(with_groups(&[200, 100], &[&[R0, R1]]));
    bench.hear(ms(3_000), R1, HIGH, 150);
    bench.tick(ms(3_219));
    assert_eq!(bench.state(R0), State::Backup);
    let (_, adopted) = reload(&mut bench, ms(3_300), with_groups(&[200, 100], &[]));
    assert_eq!(adopted.first(), Some(&send(R0, 200)));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Master, State::Backup));
}

#[test]
fn a_faulty_sibling_that_left_keeps_nobody_in_fault() {
    let mut bench = Bench::started(grouped(vec![named("A", 51, 200), named("B", 52, 200)]));
    bench.feed(ms(100), link(L0, LinkState::Down));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Fault, State::Fault));
    let mut new = grouped(vec![named("A", 51, 200), named("B", 52, 200)]);
    new.groups.clear();
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    let mut effects = Vec::new();
    bench.vrrp.retire(ms(200), &correspondence, &mut effects);
    bench.vrrp.adopt(ms(200), new, &correspondence);
    // What was known of the links is known still.
    bench.vrrp.handle(ms(200), Input::Start, &mut effects);
    assert_eq!(
        effects,
        [
            went(R1, State::Fault, State::Backup, Reason::Recovered),
            notify(R1, NotifyState::Backup, 200)
        ]
    );
    assert_eq!(bench.state(R0), State::Fault);
}

/// Facts that are told between are only noted: what goes down and comes up again meanwhile never was down.
#[test]
fn facts_in_between_are_judged_at_the_end() {
    let (mut bench, now) = Bench::master(router(200));
    let new = model(vec![router(200)]);
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    bench.vrrp.adopt(now, new, &correspondence);
    for state in [LinkState::Missing, LinkState::Up] {
        assert_eq!(bench.feed(now, link(L0, state)), []);
    }
    assert_eq!(bench.feed(now, Input::Start), []);
    assert_eq!(bench.state(R0), State::Master);
}

#[test]
fn before_the_election_a_reload_only_changes_what_it_will_be_about() {
    let mut bench = Bench::told(model(vec![router(100), named("B", 52, 100)]));
    let new = model(vec![named("A", 51, 150)]);
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    let mut effects = Vec::new();
    bench.vrrp.retire(ms(5), &correspondence, &mut effects);
    bench.vrrp.adopt(ms(5), new, &correspondence);
    assert_eq!(effects, []);
    assert_eq!(
        bench.feed(ms(10), Input::Start),
        [
            went(R0, State::Init, State::Backup, Reason::Started),
            notify(R0, NotifyState::Backup, 150)
        ]
    );
}

#[test]
fn an_owner_of_late_takes_over_and_a_former_owner_goes_on() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    reload(&mut bench, ms(1_500), model(vec![router(255)]));
    bench.hear(ms(2_000), R0, HIGH, 150);
    bench.tick(ms(4_004));
    assert_eq!(bench.state(R0), State::Master);
    let (_, adopted) = reload(&mut bench, ms(4_100), model(vec![router(100)]));
    let (from, to) = (Priority(255), Priority(100));
    assert_eq!(adopted, [remark(R0, Remark::PriorityChanged { from, to })]);
    assert_eq!(bench.state(R0), State::Master);
    // And yields like any other.
    bench.hear(ms(4_200), R0, LOW, 101);
    assert_eq!(bench.state(R0), State::Backup);
}

/// A recording with a reload in it plays to the same effects.
#[test]
fn a_reload_is_recorded() {
    let old = model(vec![named("A", 51, 200), named("B", 52, 100)]);
    let new = model(vec![named("B", 52, 100), named("C", 53, 255)]);
    let mut bench = Bench::told(old.clone());
    let mut lines = vec![to_line(&Begin::new(&old, ms(0))).unwrap()];
    let mut step = |now, fed| lines.push(to_line(&Step { now, fed }).unwrap());
    for id in 0..3 {
        let state = LinkState::Up;
        step(ms(0), Fed::Input(link(crate::proto::LinkId(id), state)));
    }
    for router in [R0, R1] {
        let address = Some(OURS);
        step(ms(0), Fed::Input(Input::Source { router, address }));
    }
    step(ms(0), Fed::Input(Input::Start));
    step(ms(3_219), Fed::Input(Input::Tick));
    step(ms(3_300), Fed::Reload(Box::new(new.clone())));
    step(ms(3_300), Fed::Input(Input::Start));
    step(ms(3_400), Fed::Input(advert(ms(3_400), R0, HIGH, 150)));
    let played = replay(lines.iter().map(String::as_str)).unwrap();

    bench.feed(ms(0), Input::Start);
    bench.tick(ms(3_219));
    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
    let mut retired = Vec::new();
    bench.vrrp.retire(ms(3_300), &correspondence, &mut retired);
    bench.vrrp.adopt(ms(3_300), new, &correspondence);
    let [.., reloaded, resumed, last] = played.as_slice() else {
        panic!("{played:?}")
    };
    assert_eq!(reloaded.effects, retired);
    assert_eq!(retired.first(), Some(&send(R0, 0)));
    assert_eq!(resumed.effects, bench.feed(ms(3_300), Input::Start));
    let _ = bench.feed(ms(3_400), Input::Advert(heard(ms(3_400), R0, HIGH, 150)));
    assert_eq!(last.next_deadline, bench.deadline());
}
