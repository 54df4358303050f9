//! The protocol among several hosts, on a virtual clock and a network that loses, delays and splits.
//!
//! Each test runs many seeds (`SIM_SEEDS`, 500 by default). A failure prints its seed; `SIM_SEED=n` runs
//! that one alone.
#![expect(
    clippy::unwrap_used,
    reason = "a test that panics has failed, which is what it is for"
)]

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use sim::{CHECK, Change, Plan, Random, Sim, WEIGHTED};
use vrrp_common::id::{Family, Version};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_daemon::proto::model::Preempt;
use vrrp_daemon::proto::{Reason, ScriptState, State};

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{variable}={text} is not a number")),
    )
}

/// Run `trial` for every seed, and name the one that fails.
fn seeds(trial: impl Fn(u64)) {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIM_SEEDS").unwrap_or(500) + 1,
    };
    for seed in seeds {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| trial(seed))) {
            eprintln!("failed with SIM_SEED={seed}");
            resume_unwind(panic);
        }
    }
}

/// Two to four hosts, one to three segments, 10 ms to 1 s, either version and family, to a group or to peers.
fn plan(random: &mut Random) -> Plan {
    let (version, family) = random.pick(&[
        (Version::V2, Family::V4),
        (Version::V3, Family::V4),
        (Version::V3, Family::V6),
    ]);
    let interval = match version {
        Version::V2 => Centis::DEFAULT,
        Version::V3 => Centis::new(random.pick(&[1, 10, 100])).unwrap(),
    };
    let hosts = 2 + random.below(3);
    // Equal priorities are common in the field.
    let mut priorities: Vec<_> = (0..hosts)
        .map(|_| random.pick(&[50, 100, 100, 150, 254]))
        .collect();
    if random.chance(20) {
        let owner = usize::try_from(random.below(hosts)).unwrap();
        priorities[owner] = 255;
    }
    let preempt = match random.below(3) {
        0 => Preempt::Never,
        1 => Preempt::After(Nanos::ZERO),
        _ => Preempt::After(interval.nanos().times(5)),
    };
    // Together less than a fifth of the interval.
    let part = interval.nanos().0 / 20;
    Plan {
        priorities,
        contrary: false,
        version,
        family,
        unicast: random.chance(30),
        segments: usize::try_from(1 + random.below(3)).unwrap(),
        interval,
        preempt,
        silent: random.chance(50),
        lateness: Nanos(random.below(part)),
        delay: Nanos(random.below(part)),
        jitter: Nanos(random.below(part)),
    }
}

/// One thing goes wrong, or right again.
fn disturb(sim: &mut Sim) {
    let host = usize::try_from(sim.random.below(sim.hosts.len() as u64)).unwrap();
    let segment = usize::try_from(sim.random.below(sim.plan.segments as u64)).unwrap();
    let verdict = sim.random.pick(&[ScriptState::Failing, ScriptState::Passing]);
    match sim.random.below(18) {
        0 => sim.isolate(host, segment, true),
        1 | 2 => sim.isolate(host, segment, false),
        3 => sim.network.loss = sim.random.pick(&[0, 5, 30, 60]),
        4 => sim.network.damage = sim.random.pick(&[0, 5, 30]),
        5 => sim.unplug(host, segment),
        6 | 7 => sim.plug(host, segment),
        8 | 9 => sim.script(host, CHECK, verdict),
        10 => sim.script(host, WEIGHTED, verdict),
        11 => {
            // It flaps.
            for _ in 0..1 + sim.random.below(6) {
                for verdict in [ScriptState::Failing, ScriptState::Passing] {
                    sim.script(host, WEIGHTED, verdict);
                    let pause = sim.random.below(sim.intervals(2).0);
                    sim.run(Nanos(pause));
                }
            }
        }
        12 => sim.crash(host),
        13 => sim.restart(host),
        14 => {
            let priority = sim.random.pick(&[50, 100, 150, 254]);
            // An owner stays one, and who is better where stays as planned.
            let changes = !sim.plan.contrary && sim.plan.priorities[host] != 255;
            sim.reload(host, changes.then_some(priority));
        }
        15 => sim.reload(host, None),
        _ => {
            let intervals = 1 + sim.random.below(8);
            sim.hosts[host].stopped_until = Some(sim.now + sim.intervals(intervals));
        }
    }
}

/// Nobody takes over from a Master it hears: there were three intervals of silence, or its own priority 0. (An owner
/// that comes up asks nobody.)
fn respected(sim: &Sim) {
    for change in sim.changes.iter().filter(|change| change.to == State::Master) {
        let silent_since = change
            .respected
            .map_or(MonoNanos(0), |heard| heard + sim.intervals(3));
        assert!(
            change.at >= silent_since,
            "took over from a Master it heard: {change:?} of {:?}",
            sim.plan
        );
    }
}

#[test]
fn one_master_after_the_network_heals() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let mut plan = plan(&mut random);
        plan.contrary = random.chance(25);
        let contrary = plan.contrary;
        let mut sim = Sim::new(seed, plan);
        for _ in 0..random.below(25) {
            let tenths = random.below(40);
            sim.run(Nanos(sim.intervals(tenths).0 / 10));
            disturb(&mut sim);
        }
        sim.heal();
        // A contention lasts until the next advert at most; then at most one full wait, below four intervals. If hosts
        // make each other yield, another one for each of them but the last.
        sim.run(sim.intervals(if contrary { 22 } else { 6 }));
        sim.clear_measures();
        sim.run(sim.intervals(25));
        respected(&sim);
        let masters: Vec<_> = (0..sim.plan.segments)
            .map(|segment| sim.masters(segment))
            .collect();
        let plan = &sim.plan;
        assert!(
            masters.iter().all(|one| one.len() == 1 && *one == masters[0]),
            "{masters:?} of {plan:?}\n{}",
            sim.describe()
        );
        assert_eq!(
            sim.orphaned,
            None,
            "a segment without a Master: {plan:?}\n{:#?}\n{}",
            sim.changes,
            sim.describe()
        );
        // A hand-over overlaps by the way of one advert, and the time until the other one reads it.
        let overlap = sim.network.slowest() + plan.lateness;
        assert!(
            sim.longest_split <= overlap,
            "two Masters for {}, {overlap} allowed: {plan:?}",
            sim.longest_split
        );
        let best = *plan.priorities.iter().max().unwrap();
        if !contrary && (plan.preempt != Preempt::Never || best == 255) {
            assert_eq!(
                plan.priorities[masters[0][0]], best,
                "the best is Master: {plan:?}"
            );
        }
    });
}

/// One or two adverts lost in a row, and late, and as often as can be: not one transition.
#[test]
fn fewer_than_three_lost_adverts_change_nothing() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let plan = Plan {
            priorities: vec![200, 100, 100],
            preempt: Preempt::After(Nanos::ZERO),
            ..plan(&mut random)
        };
        // Priority 100 has a skew of 0.6 intervals, far more than jitter and lateness together.
        let mut sim = Sim::new(seed, plan);
        sim.run(sim.intervals(6));
        assert_eq!(sim.masters(0), [0]);
        sim.changes.clear();
        sim.network.loss = 80;
        sim.network.most_in_a_row = 2;
        sim.run(sim.intervals(60));
        assert!(sim.changes.is_empty(), "{:?} of {:?}", sim.changes, sim.plan);
    });
}

/// The Master dies silently: the next best has the addresses within its Master_Down_Interval, not before
/// three intervals, and the third best stays where it is.
#[test]
fn a_dead_master_is_replaced_in_time_and_nopreempt_keeps_it_so() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let plan = Plan {
            priorities: vec![200, 150, 100],
            preempt: Preempt::Never,
            ..plan(&mut random)
        };
        let mut sim = Sim::new(seed, plan);
        sim.run(sim.intervals(6) + Nanos(random.below(1_000_000_000)));
        assert_eq!(sim.masters(0), [0]);
        for segment in 0..sim.plan.segments {
            sim.isolate(0, segment, true);
        }
        let died = sim.now;
        sim.changes.clear();
        sim.run(sim.intervals(5));
        let masters: Vec<_> = sim
            .changes
            .iter()
            .map(|change| (change.host, change.to))
            .collect();
        assert_eq!(
            masters,
            vec![(1, State::Master); sim.plan.segments],
            "{:?}",
            sim.plan
        );
        let silence = |change: &Change| matches!(change.reason, Reason::MasterDown { master: Some(_), .. });
        assert!(sim.changes.iter().all(silence), "{:?}", sim.changes);
        // 3 intervals and the skew of priority 150, 106/256, after an advert at most one interval before.
        let last = sim.changes.last().unwrap().at;
        let master_down = sim.plan.interval.nanos().0 * (3 * 256 + 106) / 256;
        let slack = sim.network.slowest() + sim.plan.lateness + sim.plan.lateness;
        assert!(
            last.since(died) <= Nanos(master_down) + slack,
            "{} after the death: {:?}",
            last.since(died),
            sim.plan
        );
        assert!(
            last >= MonoNanos(died.0 - slack.0) + sim.intervals(2),
            "too early: {:?}",
            sim.plan
        );
        // The dead one was stopped, comes back as a Backup, and stays one, whatever its priority.
        sim.crash(0);
        for segment in 0..sim.plan.segments {
            sim.isolate(0, segment, false);
        }
        sim.run(sim.intervals(60));
        assert_eq!(sim.masters(0), [1], "{:?}", sim.plan);
        respected(&sim);
    });
}

/// A host is not scheduled for up to ten intervals. A Backup that was: no change at all. A Master that was: one
/// takeover if it was long enough for that, and afterwards one Master, by the rules of its preemption.
#[test]
fn a_stopped_host_disturbs_nobody() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let plan = Plan {
            priorities: vec![200, 100],
            ..plan(&mut random)
        };
        let mut sim = Sim::new(seed, plan);
        sim.run(sim.intervals(6));
        assert_eq!(sim.masters(0), [0]);
        sim.changes.clear();
        let slept = sim.intervals(1) + Nanos(random.below(sim.intervals(9).0));
        sim.hosts[1].stopped_until = Some(sim.now + slept);
        sim.run(slept + sim.intervals(6));
        assert!(sim.changes.is_empty(), "{:?} of {:?}", sim.changes, sim.plan);
        sim.hosts[0].stopped_until = Some(sim.now + slept);
        sim.run(slept);
        let woken = sim.now;
        let taken_over = sim.masters(0).contains(&1);
        // Preempting is a matter of one advert; without, there is nothing left to do.
        sim.run(sim.intervals(2));
        respected(&sim);
        let takeovers: Vec<_> = sim
            .changes
            .iter()
            .filter(|change| change.to == State::Master && change.segment == 0)
            .map(|change| change.at)
            .collect();
        assert!(takeovers.len() <= 1, "{:?} of {:?}", sim.changes, sim.plan);
        let masters = sim.masters(0);
        // If the adverts of the two crossed, both knew too little, and the election has decided.
        let crossing = sim.network.slowest() + sim.plan.lateness + sim.plan.lateness;
        let crossed = |at: &MonoNanos| at.since(woken).max(woken.since(*at)) <= crossing;
        if !takeovers.iter().any(crossed) {
            assert_eq!(takeovers.len(), usize::from(taken_over), "{:?}", sim.plan);
            let expected = usize::from(taken_over && sim.plan.preempt == Preempt::Never);
            assert_eq!(masters, [expected], "{:?}\n{}", sim.plan, sim.describe());
        }
        sim.changes.clear();
        sim.run(sim.intervals(10));
        assert_eq!(masters.len(), 1, "{masters:?} of {:?}", sim.plan);
        assert!(sim.changes.is_empty(), "{:?} of {:?}", sim.changes, sim.plan);
    });
}

/// Everything is renamed at any moment, on any host, many times: not one transition, and a Master that falls silent is
/// replaced as fast as ever.
#[test]
fn a_reload_without_effect_has_none() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let plan = Plan {
            priorities: vec![200, 150, 100],
            preempt: Preempt::After(Nanos::ZERO),
            ..plan(&mut random)
        };
        let mut sim = Sim::new(seed, plan);
        sim.run(sim.intervals(6));
        assert_eq!(sim.masters(0), [0]);
        sim.changes.clear();
        sim.network.loss = 30;
        sim.network.most_in_a_row = 2;
        let reloads = |sim: &mut Sim| {
            for _ in 0..20 {
                let host = usize::try_from(sim.random.below(3)).unwrap();
                sim.reload(host, None);
                let pause = sim.random.below(sim.intervals(1).0);
                sim.run(Nanos(pause));
            }
        };
        reloads(&mut sim);
        assert!(sim.changes.is_empty(), "{:?} of {:?}", sim.changes, sim.plan);
        for segment in 0..sim.plan.segments {
            sim.isolate(0, segment, true);
        }
        sim.network.loss = 0;
        let died = sim.now;
        let mut left = sim.intervals(4);
        while left > Nanos::ZERO {
            sim.reload(1, None);
            let pause = Nanos((sim.intervals(1).0 / 7).min(left.0));
            sim.run(pause);
            left = Nanos(left.0 - pause.0);
        }
        let taken_over = |change: &&Change| change.host == 1 && change.to == State::Master;
        let taken_over: Vec<_> = sim
            .changes
            .iter()
            .filter(taken_over)
            .map(|change| change.at)
            .collect();
        assert_eq!(
            taken_over.len(),
            sim.plan.segments,
            "{:?} of {:?}",
            sim.changes,
            sim.plan
        );
        // 3 intervals and the skew of priority 150, 106/256, after an advert that may have been on its way.
        let master_down = Nanos(sim.plan.interval.nanos().0 * (3 * 256 + 106) / 256);
        let slack = sim.network.slowest() + sim.plan.lateness + sim.plan.lateness;
        assert!(
            taken_over.iter().all(|at| at.since(died) <= master_down + slack),
            "{taken_over:?} after {died:?}: {:?}",
            sim.plan
        );
        respected(&sim);
    });
}

/// Two hosts in one sync group, each better in another member, become Master at the same moment: each makes the
/// other yield. One more wait, and one of them has both, for good.
#[test]
fn groups_that_prefer_different_hosts_settle() {
    seeds(|seed| {
        let mut random = Random::new(seed);
        let plan = Plan {
            priorities: vec![200, 100],
            contrary: true,
            segments: 2,
            // The adverts cross almost always.
            lateness: Nanos(random.below(100_000)),
            ..plan(&mut random)
        };
        let mut sim = Sim::new(seed, plan);
        sim.run(sim.intervals(10));
        sim.clear_measures();
        sim.run(sim.intervals(50));
        let masters = [sim.masters(0), sim.masters(1)];
        assert!(
            masters == [[0], [0]] || masters == [[1], [1]],
            "{masters:?} of {:?}\n{}",
            sim.plan,
            sim.describe()
        );
        assert_eq!(sim.orphaned, None, "{:?}", sim.plan);
        assert_eq!(sim.longest_split, Nanos::ZERO, "{:?}", sim.plan);
        let takeovers = |host| {
            let taken = |change: &&Change| change.host == host && change.to == State::Master;
            sim.changes.iter().filter(taken).count() / 2
        };
        assert!(takeovers(0) + takeovers(1) <= 3, "{:?}", sim.changes);
    });
}
