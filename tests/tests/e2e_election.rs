//! Elections between two of our daemons, judged by captures and by the kernel's address list.

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Direction, Duo, Frame, Program, Settings, Side, Stamp, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(10);

fn start(side: &Side, settings: &Settings) -> anyhow::Result<Daemon> {
    Daemon::start(
        &side.host,
        &Program::ours()?,
        &settings.to_string(),
        Daemon::DETAILED,
    )
}

#[test]
fn the_higher_priority_becomes_master_and_says_so_in_the_right_bytes() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    // The router of a captured keepalived advert: the bytes below are keepalived's.
    let settings = |own: &Side, peer: &Side, priority| Settings {
        vrid: 53,
        interval: "0.25",
        address: [192, 0, 2, 111].into(),
        ..Settings::unicast(own.address, peer.address, priority)
    };
    let vip = settings(a, b, 200).address;
    let _b = start(b, &settings(b, a, 100)).unwrap();
    let _a = start(a, &settings(a, b, 200)).unwrap();
    a.await_mastery(vip, b, LIMIT).unwrap();

    let (_, advert) = a.await_adverts(1, Stamp(0), LIMIT).unwrap();
    assert_eq!(
        advert.pdu,
        [0x31, 0x35, 0xc8, 0x01, 0x00, 0x19, 0xbf, 0xbf, 192, 0, 2, 111]
    );
    assert_eq!(
        (advert.source, advert.destination, advert.ttl),
        (a.address.into(), b.address.into(), 255)
    );

    // The advert comes first, so that peers stand down; then the burst of five, as ARP requests.
    let first_advert = a.sent(Stamp(0))[0].0;
    let first_announcement = a.await_announcement(vip, Stamp(0), LIMIT).unwrap();
    assert!(first_advert < first_announcement);
    let fifth = a
        .capture
        .wait_for("five gratuitous ARPs", Stamp(0), LIMIT, {
            let mut seen = 0;
            move |captured| match captured.frame() {
                Frame::GratuitousArp {
                    address, operation, ..
                } if address == vip && captured.direction == Direction::FromHost => {
                    seen += 1;
                    (seen == 5).then_some(operation)
                }
                _ => None,
            }
        })
        .unwrap();
    assert_eq!(fifth.1, 1);

    // A Backup that hears its Master is silent: for ten adverts more, which is over three Master_Down_Intervals.
    let settled = Stamp::now();
    a.await_adverts(10, settled, LIMIT).unwrap();
    assert_eq!(b.sent(settled), []);
    // Each cable has a capture thread of its own, and B's may be behind.
    until("B has heard the ten", LIMIT, || Ok(b.heard(settled).len() >= 10)).unwrap();
}

#[test]
fn a_higher_priority_takes_back_unless_told_not_to() {
    if !root_or_skip() {
        return;
    }
    for nopreempt in [false, true] {
        let duo = Duo::new().unwrap();
        let (a, b) = (&duo.a, &duo.b);
        let mut settings = Settings::unicast(b.address, a.address, 100);
        let _b = start(b, &settings).unwrap();
        b.await_mastery(VIP, a, LIMIT).unwrap();
        settings = Settings {
            nopreempt,
            ..Settings::unicast(a.address, b.address, 200)
        };
        let began = Stamp::now();
        let _a = start(a, &settings).unwrap();
        if nopreempt {
            // Ten intervals are three Master_Down_Intervals: it would have come by now.
            b.await_adverts(20, Stamp::now(), LIMIT).unwrap();
            assert_eq!(a.sent(began), []);
            b.await_mastery(VIP, a, LIMIT).unwrap();
        } else {
            a.await_mastery(VIP, b, LIMIT).unwrap();
            // The loser steps down without a word: priority 0 would start another election.
            assert!(b.sent(began).iter().all(|(_, advert)| advert.priority == 100));
        }
    }
}

/// Both became Master behind a partition. When it heals, equal priorities are decided by the address, and
/// the winner announces again: the switch and the clients may have learnt the loser.
#[test]
fn two_masters_become_one_when_a_partition_heals() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    a.port.isolate().unwrap();
    let _a = start(a, &Settings::unicast(a.address, b.address, 100)).unwrap();
    let _b = start(b, &Settings::unicast(b.address, a.address, 100)).unwrap();
    for side in [a, b] {
        side.await_announcement(VIP, Stamp(0), LIMIT).unwrap();
    }
    let healed = Stamp::now();
    a.port.heal().unwrap();
    b.await_mastery(VIP, a, LIMIT).unwrap();
    b.await_announcement(VIP, healed, LIMIT).unwrap();
    let settled = Stamp::now();
    b.await_adverts(10, settled, LIMIT).unwrap();
    assert_eq!(a.sent(settled), []);
}
