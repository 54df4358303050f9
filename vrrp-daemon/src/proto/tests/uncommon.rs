//! What few configurations ask for: a deaf owner, a late Master that makes way, silence as a fault, no peers.

use std::net::IpAddr;

use vrrp_common::id::{Priority, Vrid};
use vrrp_common::time::Nanos;
use vrrp_common::wire::ladder::{Peer, TtlRange};

use super::fixture::{
    Bench, HIGH, L0, LOW, R0, R1, acquire, grouped, link, model, ms, notify, release, remark, router, send,
    us, went,
};
use crate::proto::model::{Preempt, Transport, Uncommon, VirtualRouter};
use crate::proto::{Clue, Effect, Input, LinkState, NotifyState, Reason, Remark, State};

/// ENOBUFS
const NO_BUFFERS: i32 = 105;

fn failed(partly: bool) -> Input {
    Input::SendFailed {
        router: R0,
        errno: NO_BUFFERS,
        partly,
    }
}

const CANNOT_SEND: Reason = Reason::CannotSend { errno: NO_BUFFERS };

fn send_fault(limit: Nanos) -> VirtualRouter {
    VirtualRouter {
        uncommon: Uncommon {
            send_fault: Some(limit),
            ..Uncommon::default()
        },
        ..router(100)
    }
}

fn unicast(uncommon: Uncommon) -> VirtualRouter {
    VirtualRouter {
        transport: Transport::Unicast {
            source: None,
            peers: vec![Peer {
                mac: None,
                address: HIGH,
                ttl: TtlRange::ANY,
            }],
            ttl: 255,
            check_source: true,
        },
        uncommon,
        ..router(100)
    }
}

/// `owner_ignore_adverts`: neither another owner nor a priority 0 makes it send or step back; nothing is counted.
#[test]
fn a_deaf_owner() {
    let deaf = VirtualRouter {
        initially_master: true,
        uncommon: Uncommon {
            owner_is_deaf: true,
            ..Uncommon::default()
        },
        ..router(255)
    };
    let mut bench = Bench::started(model(vec![deaf.clone()]));
    assert_eq!(bench.state(R0), State::Master);
    for priority in [0, 50, 255] {
        assert_eq!(bench.hear(ms(100), R0, HIGH, priority), []);
    }
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.adverts_received, 0);

    // Below 255 it is as any other.
    let mut bench = Bench::started(model(vec![VirtualRouter {
        priority: Priority(254),
        ..deaf
    }]));
    assert_eq!(bench.hear(ms(100), R0, HIGH, 255), []);
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.adverts_received, 1);
}

/// With `nopreempt`, priority 200 on the other side and 1 s, another may be Master 3218.75 ms after our last advert.
#[test]
fn a_late_master_makes_way_where_it_is_told_to() {
    let late = |preempt, highest| VirtualRouter {
        preempt,
        uncommon: Uncommon {
            late_is_backup: Some(Priority(highest)),
            ..Uncommon::default()
        },
        ..router(100)
    };
    let took_over = us(3_609_375);
    let (mut bench, now) = Bench::master(late(Preempt::Never, 200));
    assert_eq!(now, took_over);
    // Last advert at 3609.375 ms, woken 3218.751 ms later.
    let reason = Reason::Overslept {
        late: Nanos(2_218_751_000),
    };
    assert_eq!(
        bench.tick(us(6_828_126)),
        [
            release(R0),
            went(R0, State::Master, State::Backup, reason),
            notify(R0, NotifyState::Backup, 100),
        ]
    );
    assert_eq!(bench.deadline(), Some(us(6_828_126 + 3_609_375)));
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.overslept, 1);

    // In time, or where the other side has at most 100 (3609.375 ms), or with preemption: it goes on.
    for (config, at) in [
        (late(Preempt::Never, 200), us(6_828_125)),
        (late(Preempt::Never, 100), us(6_828_126)),
        (late(Preempt::After(Nanos::ZERO), 200), us(6_828_126)),
    ] {
        let (mut bench, _) = Bench::master(config);
        assert_eq!(bench.tick(at).first(), Some(&send(R0, 100)));
        assert_eq!(bench.state(R0), State::Master);
    }
}

/// The whole group makes way with the member that was late.
#[test]
fn a_late_member_takes_its_group_along() {
    let member = || VirtualRouter {
        preempt: Preempt::Never,
        uncommon: Uncommon {
            late_is_backup: Some(Priority(254)),
            ..Uncommon::default()
        },
        ..router(100)
    };
    let mut bench = Bench::started(grouped(vec![member(), member()]));
    bench.tick(us(3_609_375));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Master, State::Master));
    bench.tick(ms(8_000));
    assert_eq!((bench.state(R0), bench.state(R1)), (State::Backup, State::Backup));
}

/// `vrrp_send_fault 2.5`: silent for that long is a fault, probed every second, and over with the first probe sent.
#[test]
fn silence_is_a_fault_where_it_is_told_to() {
    let (mut bench, now) = Bench::master(send_fault(Nanos::from_millis(2_500)));
    assert_eq!(
        bench.feed(now, failed(false)),
        [remark(R0, Remark::SendFailed { errno: NO_BUFFERS })]
    );
    for millis in [1_000, 2_000] {
        let now = now + Nanos::from_millis(millis);
        assert_eq!(bench.tick(now), [send(R0, 100)]);
        assert_eq!(bench.feed(now, failed(false)), []);
    }
    let fault = now + Nanos::from_millis(3_000);
    bench.tick(fault);
    assert_eq!(
        bench.feed(fault, failed(false)),
        [
            send(R0, 0),
            release(R0),
            went(R0, State::Master, State::Fault, CANNOT_SEND),
            notify(R0, NotifyState::Fault, 100),
        ]
    );
    // The priority 0 does not leave either.
    assert_eq!(bench.feed(fault, failed(false)), []);

    assert_eq!(bench.deadline(), Some(fault + Nanos::from_secs(1)));
    for seconds in [1, 2] {
        let now = fault + Nanos::from_secs(seconds);
        assert_eq!(bench.tick(now), [Effect::Probe { router: R0 }]);
        assert_eq!(bench.deadline(), Some(now + Nanos::from_secs(1)));
    }
    let over = fault + Nanos::from_secs(2);
    assert_eq!(
        bench.feed(over, Input::Probed { router: R0 }),
        [
            remark(R0, Remark::SendRecovered),
            went(R0, State::Fault, State::Backup, Reason::Recovered),
            notify(R0, NotifyState::Backup, 100),
        ]
    );
    assert_eq!(bench.deadline(), Some(over + Nanos(3_609_375_000)));
    assert_eq!(bench.feed(over, Input::Probed { router: R0 }), []);
}

/// One advert that got through, or one peer that was reached, starts the count anew; without the option it never ends.
#[test]
fn only_unbroken_silence_is_a_fault() {
    let limit = Nanos::from_millis(1_500);
    let second = |now, seconds| now + Nanos::from_secs(seconds);

    let (mut bench, now) = Bench::master(send_fault(limit));
    bench.feed(now, failed(false));
    bench.tick(second(now, 1));
    // This one was sent, as shows when the next is.
    bench.tick(second(now, 2));
    bench.feed(second(now, 2), failed(false));
    assert_eq!(bench.state(R0), State::Master);

    let (mut bench, now) = Bench::master(send_fault(limit));
    for (seconds, partly) in [(0, false), (1, true), (2, false), (3, false)] {
        bench.tick(second(now, seconds));
        bench.feed(second(now, seconds), failed(partly));
        assert_eq!(bench.state(R0), State::Master);
    }
    bench.tick(second(now, 4));
    bench.feed(second(now, 4), failed(false));
    assert_eq!(bench.state(R0), State::Fault);

    let (mut bench, now) = Bench::master(router(100));
    for seconds in 0..100 {
        bench.tick(second(now, seconds));
        bench.feed(second(now, seconds), failed(false));
    }
    assert_eq!(bench.state(R0), State::Master);
}

/// A link that comes back does not make a mute router speak, nor does a probe mend a link.
#[test]
fn silence_is_a_fault_beside_others() {
    let (mut bench, now) = Bench::master(send_fault(Nanos::ZERO));
    bench.feed(now, failed(false));
    assert_eq!(bench.state(R0), State::Fault);
    bench.feed(now, link(L0, LinkState::Down));
    bench.feed(now, link(L0, LinkState::Up));
    assert_eq!(bench.state(R0), State::Fault);
    assert_eq!(bench.vrrp.status(R0).unwrap().reason, CANNOT_SEND);
    bench.feed(now, link(L0, LinkState::Down));
    bench.feed(now, Input::Probed { router: R0 });
    assert_eq!(bench.state(R0), State::Fault);
    assert_eq!(bench.deadline(), None);
    bench.feed(now, link(L0, LinkState::Up));
    assert_eq!(bench.state(R0), State::Backup);
}

/// `unicast_fault_no_peer` without peers: FAULT, whatever happens.
#[test]
fn without_peers_where_they_are_wanted() {
    let mut bench = Bench::told(model(vec![VirtualRouter {
        uncommon: Uncommon {
            lacks_peers: true,
            ..Uncommon::default()
        },
        ..router(100)
    }]));
    assert_eq!(
        bench.feed(ms(0), Input::Start),
        [
            went(R0, State::Init, State::Fault, Reason::NoPeers),
            notify(R0, NotifyState::Fault, 100),
        ]
    );
    bench.feed(ms(1), link(L0, LinkState::Down));
    assert_eq!(bench.feed(ms(2), link(L0, LinkState::Up)), []);
    assert_eq!(bench.state(R0), State::Fault);
}

/// Unicast peers send to where they last saw us, which a cable that was out may have changed. (keepalived #1283.)
#[test]
fn leaving_a_fault_unicast_announces_its_own_address() {
    let told = |config| {
        let mut bench = Bench::backup(config);
        bench.feed(ms(10), link(L0, LinkState::Down));
        bench.feed(ms(20), link(L0, LinkState::Up))
    };
    let recovered = [
        went(R0, State::Fault, State::Backup, Reason::Recovered),
        notify(R0, NotifyState::Backup, 100),
    ];
    let mut announced = vec![Effect::AnnounceSource { router: R0 }];
    announced.extend(recovered);
    assert_eq!(told(unicast(Uncommon::default())), announced);
    assert_eq!(told(router(100)), recovered);

    // Before the first advert of an owner, too.
    let owner = VirtualRouter {
        priority: Priority::OWNER,
        initially_master: true,
        ..unicast(Uncommon::default())
    };
    let mut bench = Bench::started(model(vec![owner]));
    bench.feed(ms(10), link(L0, LinkState::Down));
    assert_eq!(
        bench.feed(ms(20), link(L0, LinkState::Up)),
        [
            Effect::AnnounceSource { router: R0 },
            send(R0, 255),
            acquire(R0),
            went(R0, State::Fault, State::Master, Reason::Owner),
            notify(R0, NotifyState::Master, 255),
        ]
    );
}

/// A deaf owner's Backup hears nobody: it takes over when its own timer says so.
#[test]
fn a_deaf_owner_in_backup_takes_over_from_anyone() {
    let mut bench = Bench::backup(VirtualRouter {
        uncommon: Uncommon {
            owner_is_deaf: true,
            ..Uncommon::default()
        },
        ..router(255)
    });
    let sources: [IpAddr; 2] = [LOW, HIGH];
    for source in sources {
        assert_eq!(bench.hear(ms(1_000), R0, source, 255), []);
    }
    // 3 s and 1/256 s.
    assert_eq!(bench.deadline(), Some(us(3_003_906) + Nanos(250)));
}

/// Said once a minute each, however many adverts come; nothing else happens.
#[test]
fn strangers_are_only_remarked() {
    let (mut bench, now) = Bench::master(router(100));
    let deadline = bench.deadline();
    let stranger = |router, vrid, clue| {
        let vrid = Vrid::new(vrid).unwrap();
        let input = Input::Stranger {
            router,
            source: LOW,
            mac: None,
            vrid,
            clue,
        };
        let remark = Remark::Stranger {
            source: LOW,
            mac: None,
            vrid,
            clue,
        };
        (input, Effect::Remark { router, remark })
    };
    for (input, said) in [
        stranger(Some(R0), 99, Clue::OurAddress),
        stranger(Some(R0), 51, Clue::Multicast),
        stranger(Some(R0), 51, Clue::Unicast),
        stranger(None, 98, Clue::UnknownVrid),
        stranger(None, 99, Clue::UnknownVrid),
    ] {
        assert_eq!(bench.feed(now, input), [said]);
        assert_eq!(bench.feed(now, input), []);
    }
    assert_eq!(bench.deadline(), deadline);
}
