//! The transition table: every state with every kind of input, the effects and the next deadline.

use std::net::IpAddr;

use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ladder::Refusal;

use super::fixture::{
    Bench, HIGH, L0, L1, LOW, OURS, R0, S0, S1, acquire, advert, announce, link, model, ms, notify, numbered,
    release, remark, router, send, track, us, went,
};
use crate::proto::model::{TrackObject, VirtualRouter};
use crate::proto::{Effect, Input, LinkState, NotifyState, Reason, Remark, ScriptState, State};

/// Priority 100, 1 s; an unweighted script, a link worth -20 and a script worth +10.
fn config() -> VirtualRouter {
    VirtualRouter {
        track: vec![
            track(TrackObject::Script(S0), 0),
            track(TrackObject::Link(L1), -20),
            track(TrackObject::Script(S1), 10),
        ],
        ..router(100)
    }
}

/// In `state` at 10 s, whatever the way there. As Backup it heard HIGH with 150 at 9 s, so its down timer
/// runs out at 12.609375 s; as Master its next advert is due at 10.609375 s.
fn bench(state: State) -> Bench {
    let mut bench = Bench::told(model(vec![config()]));
    bench.feed(
        ms(0),
        Input::Script {
            script: S0,
            state: ScriptState::Passing,
        },
    );
    match state {
        State::Init => {
            bench = Bench::told(model(vec![config()]));
            bench.feed(ms(0), Input::Start);
        }
        State::Backup => {
            bench.feed(ms(0), Input::Start);
            bench.hear(ms(3_000), R0, HIGH, 150);
            bench.hear(ms(6_000), R0, HIGH, 150);
            bench.hear(ms(9_000), R0, HIGH, 150);
        }
        State::Master => {
            bench.feed(ms(0), Input::Start);
            for second in 0..7 {
                // 3.609375 s, when it takes over, and once each second after that, but for the last.
                bench.tick(us(3_609_375 + second * 1_000_000));
            }
            // The second burst was at 8.609375 s: only adverts are left.
        }
        State::Fault => {
            bench.feed(ms(0), Input::Start);
            bench.feed(ms(5_000), link(L0, LinkState::Down));
        }
    }
    assert_eq!(bench.state(R0), state);
    bench
}

const BACKUP_AT: Option<MonoNanos> = Some(MonoNanos(12_609_375_000));
const MASTER_AT: Option<MonoNanos> = Some(MonoNanos(10_609_375_000));
const NOW: MonoNanos = MonoNanos(10_000_000_000);
/// A full wait from [`NOW`].
const FULL_WAIT: Option<MonoNanos> = Some(MonoNanos(13_609_375_000));
/// One interval from [`NOW`].
const NEXT_ADVERT: Option<MonoNanos> = Some(MonoNanos(11_000_000_000));

struct Row {
    state: State,
    input: Input,
    effects: Vec<Effect>,
    next: Option<MonoNanos>,
}

fn row(state: State, input: Input, effects: Vec<Effect>, next: Option<MonoNanos>) -> Row {
    Row {
        state,
        input,
        effects,
        next,
    }
}

fn check(rows: Vec<Row>) {
    for Row {
        state,
        input,
        effects,
        next,
    } in rows
    {
        let mut bench = bench(state);
        assert_eq!(bench.feed(NOW, input), effects, "{state:?} and {input:?}");
        assert_eq!(bench.deadline(), next, "deadline after {state:?} and {input:?}");
    }
}

/// What leaves `from` unchanged and unremarked.
fn ignored(state: State, input: Input) -> Row {
    let next = match state {
        State::Init | State::Fault => None,
        State::Backup => BACKUP_AT,
        State::Master => MASTER_AT,
    };
    row(state, input, Vec::new(), next)
}

const ALL: [State; 4] = [State::Init, State::Backup, State::Master, State::Fault];

/// One of each kind that has no effect in a state.
#[test]
fn what_is_ignored() {
    let mut rows = Vec::new();
    for state in ALL {
        rows.push(ignored(state, Input::Start));
        rows.push(ignored(state, Input::Tick));
        rows.push(ignored(
            state,
            Input::Source {
                router: R0,
                address: Some(OURS),
            },
        ));
        rows.push(ignored(
            state,
            Input::Script {
                script: S1,
                state: ScriptState::Failing,
            },
        ));
        // Of others, or of nobody.
        let stranger = crate::proto::RouterId(7);
        rows.push(ignored(state, advert(NOW, stranger, HIGH, 200)));
        rows.push(ignored(
            state,
            Input::Source {
                router: stranger,
                address: None,
            },
        ));
        rows.push(ignored(state, link(crate::proto::LinkId(7), LinkState::Down)));
        // Older than what was heard before, and from somebody else than the Master.
        rows.push(ignored(
            state,
            Input::StillThere {
                adverts: 0,
                router: R0,
                source: HIGH,
                at: ms(8_000),
            },
        ));
        rows.push(ignored(
            state,
            Input::StillThere {
                adverts: 0,
                router: R0,
                source: LOW,
                at: NOW,
            },
        ));
    }
    for state in [State::Init, State::Fault] {
        rows.push(ignored(state, advert(NOW, R0, HIGH, 0)));
        rows.push(ignored(state, advert(NOW, R0, HIGH, 99)));
        rows.push(ignored(state, advert(NOW, R0, HIGH, 200)));
        rows.push(ignored(
            state,
            Input::StillThere {
                adverts: 0,
                router: R0,
                source: HIGH,
                at: NOW,
            },
        ));
    }
    rows.push(ignored(State::Fault, link(L0, LinkState::Missing)));
    rows.push(ignored(
        State::Master,
        Input::StillThere {
            adverts: 0,
            router: R0,
            source: HIGH,
            at: NOW,
        },
    ));
    check(rows);
}

/// Counted and remarked the same way in every state; no timer moves.
#[test]
fn what_is_only_remarked() {
    let mut rows = Vec::new();
    for state in ALL {
        let next = ignored(state, Input::Tick).next;
        let remarks = [
            (
                Input::Refused {
                    mac: None,
                    router: Some(R0),
                    source: LOW,
                    refusal: Refusal::Ttl,
                },
                Remark::Refused {
                    mac: None,
                    source: LOW,
                    refusal: Refusal::Ttl,
                },
            ),
            (
                Input::AddressesRefused {
                    router: R0,
                    failed: 2,
                },
                Remark::AddressesRefused { failed: 2 },
            ),
            (
                Input::SendFailed {
                    router: R0,
                    errno: 1,
                    partly: false,
                },
                Remark::SendFailed { errno: 1 },
            ),
            (
                advert(NOW, R0, OURS, 200),
                Remark::SameAddress {
                    mac: None,
                    source: OURS,
                },
            ),
            (
                advert(NOW, R0, OURS, 0),
                Remark::SameAddress {
                    mac: None,
                    source: OURS,
                },
            ),
        ];
        rows.extend(remarks.map(|(input, said)| row(state, input, vec![remark(R0, said)], next)));
        let stranger = Input::Refused {
            mac: None,
            router: None,
            source: LOW,
            refusal: Refusal::Vrid,
        };
        let said = Remark::Refused {
            mac: None,
            source: LOW,
            refusal: Refusal::Vrid,
        };
        rows.push(row(
            state,
            stranger,
            vec![Effect::Remark {
                router: None,
                remark: said,
            }],
            next,
        ));
    }
    check(rows);
}

#[test]
fn adverts_to_a_backup() {
    let backup = |source, priority, effects, next| {
        row(
            State::Backup,
            advert(NOW, R0, source, priority),
            effects,
            Some(next),
        )
    };
    let pending = |source, priority| {
        vec![remark(
            R0,
            Remark::PreemptPending {
                mac: None,
                source,
                priority: Priority(priority),
            },
        )]
    };
    check(vec![
        // Priority 0: the skew time. From somebody who is not the Master: nothing.
        backup(HIGH, 0, vec![], us(10_609_375)),
        backup(LOW, 0, vec![], us(12_609_375)),
        // Higher or equal, from anyone: a new wait.
        backup(HIGH, 150, vec![], us(13_609_375)),
        backup(LOW, 101, vec![], us(13_609_375)),
        backup(LOW, 100, vec![], us(13_609_375)),
        // Lower: the timer runs on.
        backup(HIGH, 99, pending(HIGH, 99), us(12_609_375)),
        backup(LOW, 1, pending(LOW, 1), us(12_609_375)),
        row(
            State::Backup,
            Input::StillThere {
                adverts: 0,
                router: R0,
                source: HIGH,
                at: ms(9_500),
            },
            vec![],
            Some(us(13_109_375)),
        ),
    ]);
}

#[test]
fn adverts_to_a_master() {
    let lower = |source, priority| {
        vec![
            send(R0, 100),
            remark(
                R0,
                Remark::LowerPriority {
                    mac: None,
                    source,
                    priority: Priority(priority),
                },
            ),
            announce(R0, 3),
            notify(R0, NotifyState::MasterRxLowerPri, 100),
        ]
    };
    let yields = |reason| {
        vec![
            release(R0),
            went(R0, State::Master, State::Backup, reason),
            notify(R0, NotifyState::Backup, 100),
        ]
    };
    let higher = |source, priority| {
        yields(Reason::HigherPriority {
            mac: None,
            source,
            priority: Priority(priority),
        })
    };
    let equal = Reason::HigherAddress {
        mac: None,
        source: HIGH,
        priority: Priority(100),
    };
    let master = |source, priority, effects, next| {
        row(State::Master, advert(NOW, R0, source, priority), effects, next)
    };
    check(vec![
        master(HIGH, 0, vec![send(R0, 100)], NEXT_ADVERT),
        master(HIGH, 99, lower(HIGH, 99), NEXT_ADVERT),
        master(LOW, 100, lower(LOW, 100), NEXT_ADVERT),
        master(HIGH, 100, yields(equal), FULL_WAIT),
        master(LOW, 101, higher(LOW, 101), FULL_WAIT),
        master(LOW, 255, higher(LOW, 255), FULL_WAIT),
    ]);
}

#[test]
fn what_is_tracked_fails_or_recovers() {
    let down = Reason::LinkDown { link: L0 };
    let failing = Reason::ScriptFailing { script: S0 };
    let faulted = |state, reason| {
        let mut effects = Vec::new();
        if state == State::Master {
            effects.extend([send(R0, 0), release(R0)]);
        }
        effects.extend([
            went(R0, state, State::Fault, reason),
            notify(R0, NotifyState::Fault, 100),
        ]);
        effects
    };
    let mut rows = Vec::new();
    for state in [State::Init, State::Backup, State::Master] {
        rows.push(row(state, link(L0, LinkState::Down), faulted(state, down), None));
        rows.push(row(
            state,
            link(L0, LinkState::Missing),
            faulted(state, down),
            None,
        ));
        let script = Input::Script {
            script: S0,
            state: ScriptState::Failing,
        };
        rows.push(row(state, script, faulted(state, failing), None));
        // There is no address to say priority 0 from.
        let mut silent = faulted(state, Reason::NoSource);
        silent.retain(|effect| *effect != send(R0, 0));
        rows.push(row(
            state,
            Input::Source {
                router: R0,
                address: None,
            },
            silent,
            None,
        ));
    }
    // It waits for the script, which now ran.
    let passing = Input::Script {
        script: S0,
        state: ScriptState::Passing,
    };
    let begun = vec![
        went(R0, State::Init, State::Backup, Reason::Started),
        notify(R0, NotifyState::Backup, 100),
    ];
    rows.push(row(State::Init, passing, begun, FULL_WAIT));
    rows.push(ignored(State::Backup, passing));
    rows.push(ignored(State::Master, passing));
    rows.push(ignored(State::Fault, passing));
    rows.push(ignored(
        State::Fault,
        Input::Script {
            script: S0,
            state: ScriptState::Failing,
        },
    ));
    rows.push(ignored(
        State::Fault,
        Input::Source {
            router: R0,
            address: None,
        },
    ));
    // The link is back.
    let recovered = vec![
        went(R0, State::Fault, State::Backup, Reason::Recovered),
        notify(R0, NotifyState::Backup, 100),
    ];
    rows.push(row(State::Fault, link(L0, LinkState::Up), recovered, FULL_WAIT));
    for state in [State::Init, State::Backup, State::Master] {
        rows.push(ignored(state, link(L0, LinkState::Up)));
    }
    check(rows);
}

/// -20 by a link, +10 by a script. In Backup the timer moves by the difference of the skews: 20/256 s.
#[test]
fn priority_changes() {
    let changed = |to| {
        vec![remark(
            R0,
            Remark::PriorityChanged {
                from: Priority(100),
                to: Priority(to),
            },
        )]
    };
    let mut rows = Vec::new();
    for state in ALL {
        let next = ignored(state, Input::Tick).next;
        let moved = |span: i64| match state {
            State::Backup => next.map(|at| MonoNanos(at.0.checked_add_signed(span).unwrap())),
            State::Init | State::Master | State::Fault => next,
        };
        rows.push(row(
            state,
            link(L1, LinkState::Down),
            changed(80),
            moved(78_125_000),
        ));
        let script = Input::Script {
            script: S1,
            state: ScriptState::Passing,
        };
        rows.push(row(state, script, changed(110), moved(-39_062_500)));
    }
    check(rows);
}

#[test]
fn shutdown() {
    let stop = notify(R0, NotifyState::Stop, 100);
    check(vec![
        row(State::Init, Input::Shutdown, vec![stop], None),
        row(
            State::Backup,
            Input::Shutdown,
            vec![went(R0, State::Backup, State::Init, Reason::Shutdown), stop],
            None,
        ),
        row(
            State::Master,
            Input::Shutdown,
            vec![
                send(R0, 0),
                release(R0),
                went(R0, State::Master, State::Init, Reason::Shutdown),
                stop,
            ],
            None,
        ),
        row(
            State::Fault,
            Input::Shutdown,
            vec![went(R0, State::Fault, State::Init, Reason::Shutdown), stop],
            None,
        ),
    ]);
}

/// After the stop facts are still noted, and nothing else happens, also not on a second stop.
#[test]
fn nothing_happens_after_shutdown() {
    let mut bench = bench(State::Master);
    bench.feed(NOW, Input::Shutdown);
    let inputs = [
        Input::Shutdown,
        Input::Start,
        Input::Tick,
        advert(NOW, R0, HIGH, 99),
        link(L0, LinkState::Down),
        link(L0, LinkState::Up),
        Input::Script {
            script: S0,
            state: ScriptState::Failing,
        },
    ];
    for input in inputs {
        assert_eq!(bench.feed(NOW, input), [], "{input:?}");
        assert_eq!(bench.deadline(), None);
    }
}

/// The down timer of a Backup that followed HIGH.
#[test]
fn takeover() {
    let mut bench = bench(State::Backup);
    assert_eq!(bench.vrrp.down_timers_due(us(12_609_374)).collect::<Vec<_>>(), []);
    assert_eq!(bench.tick(us(12_609_374)), []);
    assert_eq!(
        bench.vrrp.down_timers_due(us(12_609_375)).collect::<Vec<_>>(),
        [R0]
    );
    let reason = Reason::MasterDown {
        master: Some(HIGH),
        last_heard: ms(9_000),
        interval: Nanos(3_609_375_000),
    };
    assert_eq!(
        bench.tick(us(12_609_375)),
        [
            send(R0, 100),
            acquire(R0),
            went(R0, State::Backup, State::Master, reason),
            notify(R0, NotifyState::Master, 100),
        ]
    );
    assert_eq!(bench.deadline(), Some(us(13_609_375)));
}

/// The IPv6 tie is decided like the IPv4 one: by the whole address as an unsigned number.
#[test]
fn unsigned_comparison_of_addresses() {
    let table = [
        ("192.0.2.100", "223.255.255.254", State::Backup),
        ("192.0.2.100", "127.255.255.254", State::Master),
        ("fe80::1:2", "fe80::ffff:0", State::Backup),
        ("fe80::1:2", "fe80::1:1", State::Master),
    ];
    for (ours, theirs, expected) in table {
        let (mut bench, now) = Bench::master(router(100));
        let address = Some(ours.parse::<IpAddr>().unwrap());
        bench.feed(now, Input::Source { router: R0, address });
        bench.hear(now, R0, theirs.parse::<IpAddr>().unwrap(), 100);
        assert_eq!(bench.state(R0), expected, "{theirs} heard by {ours}");
    }
}

/// Who gets up early for a takeover must not get up for anything else.
#[test]
fn the_next_takeover_is_a_backups_and_the_next_deadline() {
    let mut bench = Bench::started(model(vec![numbered(51, 100), numbered(52, 200)]));
    // 3 s + (256 - 200)/256 s, and 3 s + (256 - 100)/256 s.
    assert_eq!(bench.vrrp.next_takeover(), Some(us(3_218_750)));
    bench.tick(us(3_218_750));
    assert_eq!(bench.vrrp.next_takeover(), Some(us(3_609_375)));
    bench.tick(us(3_609_375));
    // Two Masters: what comes next is an advert.
    assert_eq!(
        (bench.vrrp.next_takeover(), bench.deadline()),
        (None, Some(us(4_218_750)))
    );
}
