//! Addresses that somebody else removes.

use std::net::{IpAddr, Ipv4Addr};

use super::fixture::{
    Bench, HIGH, R0, R1, acquire, grouped, ms, notify, notify_group, release, router, send, us, went,
};
use crate::proto::model::{Carried, Uncommon, VirtualRouter, WhenLost};
use crate::proto::{Effect, Input, NotifyState, Reason, RouterId, State};

const LOST: Carried = Carried::Address(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 100)));

fn lost(router: RouterId) -> Input {
    Input::Lost { router, lost: LOST }
}

fn steps_down(priority: u8) -> VirtualRouter {
    VirtualRouter {
        uncommon: Uncommon {
            when_lost: WhenLost::Backup,
            ..Uncommon::default()
        },
        ..router(priority)
    }
}

/// keepalived gives up the addresses with a priority 0 for this; there is no need to.
#[test]
fn a_master_puts_its_address_back() {
    let (mut bench, now) = Bench::master(router(100));
    let restore = Effect::Restore {
        router: R0,
        lost: LOST,
    };
    assert_eq!(bench.feed(now, lost(R0)), [restore]);
    assert_eq!(bench.feed(now, lost(R0)), [restore]);
    assert_eq!(bench.vrrp.status(R0).unwrap().counters.addresses_lost, 2);
}

/// It has none to lose.
#[test]
fn a_backup_does_not_care() {
    for config in [router(100), steps_down(100)] {
        let mut bench = Bench::backup(config);
        assert_eq!(bench.feed(ms(100), lost(R0)), []);
        assert_eq!(bench.vrrp.status(R0).unwrap().counters.addresses_lost, 0);
    }
}

/// Seen of keepalived 2.2.7: priority 0, BACKUP, Master again after the skew time (0.609375 s at priority 100).
#[test]
fn in_keepalived_s_way_it_is_backup_for_a_skew_time() {
    let (mut bench, now) = Bench::master(steps_down(100));
    let reason = Reason::Lost { lost: LOST };
    assert_eq!(
        bench.feed(now, lost(R0)),
        [
            send(R0, 0),
            release(R0),
            went(R0, State::Master, State::Backup, reason),
            notify(R0, NotifyState::Backup, 100),
        ]
    );
    let back = now + us(609_375).since(us(0));
    assert_eq!(bench.deadline(), Some(back));
    assert_eq!(
        bench.tick(back),
        [
            send(R0, 100),
            acquire(R0),
            went(
                R0,
                State::Backup,
                State::Master,
                Reason::MasterReleased { master: None }
            ),
            notify(R0, NotifyState::Master, 100),
        ]
    );
}

/// Another one that takes over meanwhile is followed.
#[test]
fn in_keepalived_s_way_another_may_take_over() {
    let (mut bench, now) = Bench::master(steps_down(100));
    bench.feed(now, lost(R0));
    bench.hear(now + us(300_000).since(us(0)), R0, HIGH, 150);
    bench.tick(now + us(609_375).since(us(0)));
    assert_eq!(bench.state(R0), State::Backup);
}

/// Seen of keepalived 2.2.7: every member says priority 0 and is Master again a skew time later, all together.
#[test]
fn in_keepalived_s_way_the_whole_group_follows() {
    let mut bench = Bench::started(grouped(vec![steps_down(100), router(100)]));
    let now = us(3_609_375);
    bench.tick(now);
    assert_eq!(
        bench.feed(now, lost(R0)),
        [
            send(R0, 0),
            release(R0),
            went(R0, State::Master, State::Backup, Reason::Lost { lost: LOST }),
            notify(R0, NotifyState::Backup, 100),
            send(R1, 0),
            release(R1),
            went(R1, State::Master, State::Backup, Reason::Group { leader: R0 }),
            notify(R1, NotifyState::Backup, 100),
            notify_group(NotifyState::Backup),
        ]
    );
    bench.tick(us(3_609_375 + 609_375));
    assert_eq!([bench.state(R0), bench.state(R1)], [State::Master, State::Master]);
}
