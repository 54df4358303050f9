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

use sim::{Change, Plan, Random, Sim};
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

/// Two to four hosts, one to three segments, 10 ms to 1 s.
fn plan(random: &mut Random) -> Plan {
    let interval = Centis::new(random.pick(&[1, 10, 100])).unwrap();
    let hosts = 2 + random.below(3);
    // Equal priorities are common in the field.
    let priorities = (0..hosts)
        .map(|_| random.pick(&[50, 100, 100, 150, 254]))
        .collect();
    let preempt = match random.below(3) {
        0 => Preempt::Never,
        1 => Preempt::After(Nanos::ZERO),
        _ => Preempt::After(interval.nanos().times(5)),
    };
    // Together less than a fifth of the interval.
    let part = interval.nanos().0 / 20;
    Plan {
        priorities,
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
    match sim.random.below(11) {
        0 => sim.isolate(host, segment, true),
        1 | 2 => sim.isolate(host, segment, false),
        3 => sim.network.loss = sim.random.pick(&[0, 5, 30, 60]),
        4 => sim.unplug(host, segment),
        5 | 6 => sim.plug(host, segment),
        7 => sim.script(host, ScriptState::Failing),
        8 => sim.script(host, ScriptState::Passing),
        9 => sim.crash(host),
        _ => {
            let intervals = 1 + sim.random.below(8);
            sim.hosts[host].stopped_until = Some(sim.now + sim.intervals(intervals));
        }
    }
}

/// Nobody takes over from a Master it hears: there were three intervals of silence, or its own priority 0.
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
        let plan = plan(&mut random);
        let mut sim = Sim::new(seed, plan);
        for _ in 0..random.below(25) {
            let tenths = random.below(40);
            sim.run(Nanos(sim.intervals(tenths).0 / 10));
            disturb(&mut sim);
        }
        sim.heal();
        // A contention lasts until the next advert at most; then at most one full wait, below four intervals.
        sim.run(sim.intervals(6));
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
        assert_eq!(sim.orphaned, None, "a segment without a Master: {plan:?}");
        // A hand-over overlaps by the way of one advert, and the time until the other one reads it.
        let overlap = sim.network.slowest() + plan.lateness;
        assert!(
            sim.longest_split <= overlap,
            "two Masters for {}, {overlap} allowed: {plan:?}",
            sim.longest_split
        );
        if plan.preempt != Preempt::Never {
            let best = plan.priorities.iter().max().unwrap();
            assert_eq!(
                plan.priorities[masters[0][0]], *best,
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

/// A host is not scheduled for up to ten intervals. A Backup that was: no change at all. A Master that was:
/// one takeover, and afterwards one Master, by the rules of its preemption.
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
        let slept = sim.intervals(5 + random.below(5));
        sim.hosts[1].stopped_until = Some(sim.now + slept);
        sim.run(slept + sim.intervals(6));
        assert!(sim.changes.is_empty(), "{:?} of {:?}", sim.changes, sim.plan);
        sim.hosts[0].stopped_until = Some(sim.now + slept);
        sim.run(slept + sim.intervals(12));
        respected(&sim);
        let expected = match sim.plan.preempt {
            Preempt::Never => 1,
            Preempt::After(_) => 0,
        };
        assert_eq!(sim.masters(0), [expected], "{:?}\n{}", sim.plan, sim.describe());
        let takeovers = sim
            .changes
            .iter()
            .filter(|change| change.to == State::Master && change.segment == 0)
            .count();
        assert_eq!(takeovers, 1, "{:?} of {:?}", sim.changes, sim.plan);
    });
}
