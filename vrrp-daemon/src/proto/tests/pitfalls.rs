//! Bugs of other implementations, each of which one of these tests would show.

use vrrp_common::time::MonoNanos;
use vrrp_common::wire::ladder::Refusal;

use super::fixture::{
    Bench, HIGH, L1, L2, LOW, OURS, R0, centis, heard, link, model, ms, router, send, track, us,
};
use crate::proto::model::{TrackObject, VirtualRouter};
use crate::proto::{Effect, Heard, Input, LinkState, State};

/// keepalived (all versions): any packet for our VRID re-arms the Master's advert timer, so one bad packet
/// each 0.3 s silences it and the Backup takes over.
#[test]
fn a_refused_packet_does_not_silence_the_master() {
    for refusal in [Refusal::AuthPassword, Refusal::Ttl, Refusal::Interval] {
        let (mut bench, start) = Bench::master(router(100));
        let mut sent = Vec::new();
        for tenth in 0..60_u64 {
            let now = MonoNanos(start.0 + tenth * 100_000_000);
            if tenth % 3 == 0 {
                bench.feed(
                    now,
                    Input::Refused {
                        mac: None,
                        router: Some(R0),
                        source: LOW,
                        refusal,
                    },
                );
            }
            if bench.tick(now).contains(&send(R0, 100)) {
                sent.push(tenth);
            }
        }
        assert_eq!(sent, [10, 20, 30, 40, 50], "{refusal:?}");
    }
}

/// The same for adverts that are accepted and lose, with `lower_prio_no_advert`.
#[test]
fn a_lost_advert_does_not_silence_the_master() {
    let (mut bench, start) = Bench::master(VirtualRouter {
        advert_on_lower: false,
        ..router(100)
    });
    let mut sent = Vec::new();
    for tenth in 0..60_u64 {
        let now = MonoNanos(start.0 + tenth * 100_000_000);
        bench.hear(now, R0, LOW, 50);
        if bench.tick(now).contains(&send(R0, 100)) {
            sent.push(tenth);
        }
    }
    assert_eq!(sent, [10, 20, 30, 40, 50]);
}

/// FRR, VPP, holo, rVRRPd: skew in whole centiseconds, or truncated from a float, is 0 at 10 ms, and all
/// Backups fire together.
#[test]
fn two_backups_at_ten_milliseconds_fire_apart() {
    let bench = |priority| {
        Bench::backup(VirtualRouter {
            interval: centis(1),
            ..router(priority)
        })
    };
    assert_eq!(bench(200).deadline(), Some(MonoNanos(32_187_500)));
    assert_eq!(bench(199).deadline(), Some(MonoNanos(32_226_562)));
    let mut released = bench(100);
    released.feed(
        ms(5),
        Input::Advert(Heard {
            interval: centis(1),
            ..heard(ms(5), R0, HIGH, 0)
        }),
    );
    assert_eq!(released.deadline(), Some(MonoNanos(11_093_750)));
}

/// keepalived 2.3.3 and later: one fault bit for all tracked interfaces. Both down, one back: still FAULT.
/// The other back: Backup, once, and a Master never loses its place to a link that comes up.
#[test]
fn two_tracked_interfaces_are_two_faults() {
    let tracks = vec![track(TrackObject::Link(L1), 0), track(TrackObject::Link(L2), 0)];
    let mut bench = Bench::started(model(vec![VirtualRouter {
        track: tracks,
        ..router(100)
    }]));
    bench.feed(ms(100), link(L1, LinkState::Down));
    assert_eq!(bench.feed(ms(200), link(L2, LinkState::Down)), []);
    assert_eq!(bench.feed(ms(300), link(L1, LinkState::Up)), []);
    assert_eq!((bench.state(R0), bench.deadline()), (State::Fault, None));
    bench.feed(ms(400), link(L2, LinkState::Up));
    bench.tick(us(4_009_375));
    assert_eq!(bench.state(R0), State::Master);
    assert_eq!(bench.feed(us(4_100_000), link(L2, LinkState::Up)), []);
    assert_eq!(bench.state(R0), State::Master);
}

/// keepalived 2.4.3 says priority 0 twice when it goes to FAULT.
#[test]
fn priority_zero_is_said_once() {
    let (mut bench, now) = Bench::master(router(100));
    let effects = bench.feed(now, link(super::fixture::L0, LinkState::Down));
    assert_eq!(effects.iter().filter(|effect| **effect == send(R0, 0)).count(), 1);
    let effects = bench.feed(
        now,
        Input::Source {
            router: R0,
            address: None,
        },
    );
    assert_eq!(effects, []);
}

/// holo discards a VRRPv3 advert with another interval than its own: two Masters.
#[test]
fn another_v3_interval_is_followed() {
    let mut bench = Bench::backup(router(100));
    for second in 1..20 {
        let now = ms(second * 5_000);
        bench.feed(
            now,
            Input::Advert(Heard {
                interval: centis(500),
                ..heard(now, R0, HIGH, 150)
            }),
        );
        bench.tick(now);
    }
    assert_eq!(bench.state(R0), State::Backup);
}

/// A Master that re-arms from the time it woke drifts: a thousand wakings, each 5 ms late, were 5 s.
#[test]
fn late_wakings_do_not_add_up() {
    let (mut bench, start) = Bench::master(router(100));
    for _ in 0..1_000 {
        let due = bench.deadline().unwrap();
        bench.tick(MonoNanos(due.0 + 5_000_000));
    }
    // 1000 adverts at least, and one wake-up more for the second burst, which an advert took along.
    assert_eq!(bench.deadline(), Some(MonoNanos(start.0 + 1_001_000_000_000)));
}

/// holo announces addresses before it has them, and keepalived's peers stand down at the advert.
#[test]
fn advert_then_addresses_and_announcements_only_with_them() {
    let mut bench = Bench::backup(router(100));
    let effects = bench.tick(us(3_609_375));
    let position = |wanted: fn(&Effect) -> bool| effects.iter().position(wanted);
    assert_eq!(position(|effect| matches!(effect, Effect::Send { .. })), Some(0));
    assert_eq!(
        position(|effect| matches!(effect, Effect::Acquire { announce: 5, .. })),
        Some(1)
    );
    assert_eq!(position(|effect| matches!(effect, Effect::Announce { .. })), None);
}

/// Losing two adverts in a row never costs the Master its place; three do.
#[test]
fn two_lost_adverts_are_no_failure() {
    let mut bench = Bench::backup(router(100));
    // Each third advert arrives.
    for third in 1..20_u64 {
        let now = ms(third * 3_000);
        assert!(bench.deadline().unwrap() > now);
        bench.hear(now, R0, HIGH, 150);
    }
    bench.tick(us(57_000_000 + 3_609_374));
    assert_eq!(bench.state(R0), State::Backup);
    bench.tick(us(57_000_000 + 3_609_375));
    assert_eq!(bench.state(R0), State::Master);
}

/// keepalived up to 2.2 writes a line for each bad packet.
#[test]
fn a_flood_of_bad_packets_is_one_line_a_minute() {
    let mut bench = Bench::backup(router(100));
    let mut lines = 0;
    for milli in 0..120_000 {
        let refused = Input::Refused {
            mac: None,
            router: Some(R0),
            source: LOW,
            refusal: Refusal::Checksum,
        };
        lines += bench.feed(ms(milli), refused).len();
        let stranger = Input::Refused {
            mac: None,
            router: None,
            source: LOW,
            refusal: Refusal::Vrid,
        };
        lines += bench.feed(ms(milli), stranger).len();
    }
    assert_eq!(lines, 4);
    assert_ne!(OURS, LOW);
}
