//! Random sequences of inputs, with invariants that must hold after each.

use std::net::IpAddr;

use proptest::prelude::*;
use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::ladder::Refusal;

use super::fixture::{Bench, HIGH, LOW, OURS, centis, grouped, model, router, track};
use crate::proto::model::{LinkId, Model, Preempt, RouterId, ScriptId, TrackObject, Uncommon, VirtualRouter};
use crate::proto::{Correspondence, Effect, Heard, Input, LinkState, ScriptState, State, Vrrp};

/// Three routers: alone, or in one group; with trackers; one that does not preempt.
fn models() -> impl Strategy<Value = Model> {
    (any::<bool>(), said()).prop_map(|(group, said)| configured(group, said))
}

/// Two priorities, and whether what is tracked has weights.
type Said = (u8, u8, bool);

fn said() -> impl Strategy<Value = Said> {
    (1_u8..=255, 1_u8..=254, any::<bool>())
}

fn configured(group: bool, (first, second, weighted): Said) -> Model {
    let weight = if weighted { -30 } else { 0 };
    let routers = vec![
        VirtualRouter {
            initially_master: true,
            advert_on_higher: true,
            uncommon: Uncommon {
                owner_is_deaf: weighted,
                send_fault: Some(Nanos::from_secs(2)),
                ..Uncommon::default()
            },
            ..router(first)
        },
        VirtualRouter {
            preempt: Preempt::Never,
            uncommon: Uncommon {
                late_is_backup: weighted.then_some(Priority(254)),
                link_hold: Nanos::from_secs(5),
                ..Uncommon::default()
            },
            track: vec![track(TrackObject::Script(ScriptId(0)), weight)],
            ..router(second)
        },
        VirtualRouter {
            preempt: Preempt::After(Nanos::from_secs(3)),
            interval: centis(10),
            track_primary: weighted,
            uncommon: Uncommon {
                link_hold: Nanos::from_secs(30),
                ..Uncommon::default()
            },
            track: vec![track(TrackObject::Link(LinkId(2)), weight)],
            ..router(100)
        },
    ];
    if group { grouped(routers) } else { model(routers) }
}

#[derive(Clone, Debug)]
enum Op {
    Feed(Input),
    /// An advert, this long ago.
    Hear(Heard, u64),
    /// Wait this long without a tick, in ns.
    Sleep(u64),
    /// Go to the next deadline and tick.
    Next,
    /// Run with other settings from now on.
    Reload(Said),
}

fn ops() -> impl Strategy<Value = Op> {
    let id = (0_u16..4).prop_map(RouterId);
    let source = prop_oneof![Just(HIGH), Just(LOW), Just(OURS)];
    let priority = prop_oneof![Just(0), Just(255), Just(100), 1_u8..=254];
    let hear = (
        id.clone(),
        source.clone(),
        priority,
        1_u16..=4_095,
        any::<bool>(),
        0_u64..2_000_000_000,
    )
        .prop_map(
            |(router, source, priority, interval, same_addresses, ago): (_, IpAddr, u8, u16, bool, u64)| {
                let heard = Heard {
                    mac: None,
                    router,
                    source,
                    priority: Priority(priority),
                    interval: centis(interval),
                    at: MonoNanos(0),
                    checksum: ChecksumForm::Pseudo,
                    same_addresses,
                };
                Op::Hear(heard, ago)
            },
        );
    let link = (
        0_u16..4,
        prop_oneof![Just(LinkState::Up), Just(LinkState::Up), Just(LinkState::Down)],
    )
        .prop_map(|(link, state)| Input::Link {
            link: LinkId(link),
            state,
        });
    let script = (
        0_u16..3,
        prop_oneof![Just(ScriptState::Passing), Just(ScriptState::Failing)],
    )
        .prop_map(|(script, state)| Input::Script {
            script: ScriptId(script),
            state,
        });
    let source_input = (id.clone(), prop::option::weighted(0.8, Just(OURS)))
        .prop_map(|(router, address)| Input::Source { router, address });
    let refused = (prop::option::of(id.clone()), source).prop_map(|(router, source)| Input::Refused {
        mac: None,
        router,
        source,
        refusal: Refusal::Checksum,
    });
    prop_oneof![
        8 => hear,
        4 => Just(Op::Next),
        2 => (0_u64..6_000_000_000).prop_map(Op::Sleep),
        2 => Just(Op::Feed(Input::Tick)),
        1 => link.prop_map(Op::Feed),
        1 => script.prop_map(Op::Feed),
        1 => source_input.prop_map(Op::Feed),
        1 => refused.prop_map(Op::Feed),
        1 => (id.clone(), any::<bool>())
            .prop_map(|(router, partly)| Op::Feed(Input::SendFailed { router, errno: 1, partly })),
        1 => id.clone().prop_map(|router| Op::Feed(Input::Probed { router })),
        1 => (id.clone(), prop::option::of(0_u64..20_000_000_000))
            .prop_map(|(router, length)| Op::Feed(Input::Standby { router, length: length.map(Nanos) })),
        1 => id.prop_map(|router| Op::Feed(Input::Resume { router })),
        1 => said().prop_map(Op::Reload),
        1 => (0_u16..4).prop_map(|link| Op::Feed(Input::Proven { link: LinkId(link) })),
    ]
}

/// What an executor of effects would have done so far.
#[derive(Default)]
struct World {
    held: [bool; 3],
    sent: [u64; 3],
    /// Whose unchanged adverts wake nobody.
    hushed: [Option<IpAddr>; 3],
}

impl World {
    /// Carry out what followed `before`, checking that it makes sense in this order.
    fn carry_out(&mut self, before: [State; 3], effects: &[Effect]) -> Result<(), TestCaseError> {
        let mut states = before;
        for (position, effect) in effects.iter().enumerate() {
            match *effect {
                Effect::Send { router, priority } => {
                    self.sent[router.index()] += 1;
                    let acquires = effects.get(position + 1).is_some_and(
                        |next| matches!(next, Effect::Acquire { router: taker, .. } if *taker == router),
                    );
                    prop_assert!(self.held[router.index()] || acquires, "only a Master sends");
                    prop_assert!(!priority.is_release() || !acquires);
                }
                Effect::Acquire { router, .. } => {
                    prop_assert!(!self.held[router.index()], "acquired twice");
                    self.held[router.index()] = true;
                }
                Effect::Release { router } => {
                    prop_assert!(self.held[router.index()], "released what was not held");
                    self.held[router.index()] = false;
                }
                Effect::AnnounceSource { router } | Effect::Probe { router } => {
                    prop_assert_eq!(states[router.index()], State::Fault);
                }
                Effect::Restore { router, .. } => {
                    prop_assert!(self.held[router.index()], "restored what is not held");
                }
                Effect::Announce { router, rounds } => {
                    prop_assert!(
                        self.held[router.index()] && rounds > 0,
                        "announced what is not held"
                    );
                }
                Effect::Transition { router, from, to, .. } => {
                    prop_assert_eq!(states[router.index()], from);
                    prop_assert_ne!(from, to);
                    states[router.index()] = to;
                }
                Effect::Listen { router } => self.hushed[router.index()] = None,
                Effect::Notify { .. } | Effect::Remark { .. } => {}
            }
        }
        Ok(())
    }

    /// As the driver does: hush whom the protocol need not hear. Who was hushed before must be still.
    fn hush(&mut self, vrrp: &Vrrp) -> Result<(), TestCaseError> {
        for (id, hushed) in (0..).map(RouterId).zip(&mut self.hushed) {
            let quiet = vrrp.quiet(id).map(|quiet| quiet.source);
            prop_assert!(
                hushed.is_none() || *hushed == quiet,
                "{:?} stays hushed, {:?} may be",
                hushed,
                quiet
            );
            *hushed = quiet;
        }
        Ok(())
    }
}

fn states(bench: &Bench) -> [State; 3] {
    [0, 1, 2].map(|router| bench.state(RouterId(router)))
}

fn invariants(bench: &Bench, world: &World, now: MonoNanos) -> Result<(), TestCaseError> {
    let states = states(bench);
    let standby = [0, 1, 2].map(|router| {
        let status = bench.vrrp.status(RouterId(router));
        status.and_then(|status| status.outlook.standby)
    });
    for (state, standby) in states.iter().zip(&standby) {
        prop_assert!(
            *state != State::Master || standby.is_none(),
            "who stands by is not Master"
        );
    }
    if !bench.vrrp.model().groups.is_empty() {
        let until = standby.map(|standby| standby.map(|standby| standby.until));
        prop_assert!(
            until.iter().all(|other| *other == until[0]),
            "a group stands by as one: {:?}",
            until
        );
    }
    for (index, state) in states.into_iter().enumerate() {
        prop_assert_eq!(world.held[index], state == State::Master, "held means Master");
        let status = bench
            .vrrp
            .status(RouterId(u16::try_from(index).unwrap()))
            .unwrap();
        prop_assert!(status.priority.0 >= 1);
        prop_assert!(status.since <= now);
        let counted = status.counters;
        prop_assert!(counted.adverts_sent <= world.sent[index]);
        prop_assert!(counted.adverts_sent + counted.send_failures >= world.sent[index]);
        prop_assert_eq!(
            counted.became_master - counted.released_master,
            u64::from(state == State::Master)
        );
    }
    if states.contains(&State::Master) {
        prop_assert!(
            bench.deadline().is_some(),
            "a Master always has an advert to send"
        );
    }
    if states
        .iter()
        .all(|state| matches!(state, State::Init | State::Fault))
    {
        // The only one whose silence is a fault may be probing, and to stand by may end.
        let waits = standby.iter().flatten().any(|standby| standby.until.is_some());
        prop_assert!(bench.deadline().is_none() || states[0] == State::Fault || waits);
    }
    if !bench.vrrp.model().groups.is_empty() {
        let all = |wanted| states.iter().all(|state| *state == wanted);
        prop_assert!(
            all(State::Master) || !states.contains(&State::Master),
            "{:?}",
            states
        );
        prop_assert!(
            all(State::Fault) || !states.contains(&State::Fault),
            "{:?}",
            states
        );
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold(model in models(), ops in prop::collection::vec(ops(), 1..120)) {
        let mut bench = Bench::told(model);
        let mut world = World::default();
        let mut now = MonoNanos(10_000_000_000);
        for op in [Op::Feed(Input::Start)].into_iter().chain(ops).chain([Op::Feed(Input::Shutdown)]) {
            let input = match op {
                Op::Feed(input) => input,
                Op::Hear(heard, ago) => Input::Advert(Heard { at: MonoNanos(now.0 - ago), ..heard }),
                Op::Sleep(nanos) => {
                    now = now + Nanos(nanos);
                    continue;
                }
                Op::Next => {
                    now = bench.deadline().unwrap_or(now).max(now);
                    Input::Tick
                }
                Op::Reload(said) => {
                    let new = configured(!bench.vrrp.model().groups.is_empty(), said);
                    let correspondence = Correspondence::between(bench.vrrp.model(), &new);
                    let mut effects = Vec::new();
                    bench.vrrp.retire(now, &correspondence, &mut effects);
                    prop_assert!(effects.is_empty(), "nothing is gone");
                    bench.vrrp.adopt(now, new, &correspondence);
                    Input::Start
                }
            };
            let before = states(&bench);
            let effects = bench.feed_whole(now, input);
            world.carry_out(before, &effects)?;
            world.hush(&bench.vrrp)?;
            invariants(&bench, &world, now)?;
            if input == Input::Tick {
                prop_assert!(bench.deadline().is_none_or(|at| at > now), "a tick leaves nothing due");
            }
        }
        prop_assert_eq!(states(&bench), [State::Init; 3]);
        prop_assert_eq!(world.held, [false; 3]);
    }
}
