//! Every counter is fed: a test for each, from a single virtual router.

use vrrp_common::id::{Family, Version};
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::ladder::Refusal;

use super::fixture::{Bench, HIGH, L0, LOW, R0, heard, link, ms, remark, router, send, us};
use crate::proto::counters::Counters;
use crate::proto::model::VirtualRouter;
use crate::proto::{Heard, Input, LinkState, Remark};

fn counters(bench: &Bench) -> Counters {
    bench.vrrp.status(R0).unwrap().counters
}

#[test]
fn adverts_sent_and_mastership() {
    let (mut bench, now) = Bench::master(router(100));
    assert_eq!(
        counters(&bench),
        Counters {
            adverts_sent: 1,
            became_master: 1,
            ..Counters::default()
        }
    );
    bench.tick(us(4_609_375));
    assert_eq!(counters(&bench).adverts_sent, 2);
    bench.feed(ms(5_000), link(L0, LinkState::Down));
    let expected = Counters {
        adverts_sent: 3,
        became_master: 1,
        released_master: 1,
        priority_zero_sent: 1,
        ..Counters::default()
    };
    assert_eq!(counters(&bench), expected);
    assert_eq!(now, us(3_609_375));
}

#[test]
fn released_to_a_better_master() {
    let (mut bench, now) = Bench::master(router(100));
    bench.hear(now, R0, HIGH, 150);
    assert_eq!(
        (
            counters(&bench).released_master,
            counters(&bench).priority_zero_sent
        ),
        (1, 0)
    );
}

/// Taken back once for one send, however many peers it failed for; remarked once until one gets through.
#[test]
fn send_failures() {
    let (mut bench, now) = Bench::master(router(100));
    let failed = Input::SendFailed {
        router: R0,
        errno: 105,
        partly: false,
    };
    assert_eq!(
        bench.feed(now, failed),
        [remark(R0, Remark::SendFailed { errno: 105 })]
    );
    assert_eq!(bench.feed(now, failed), []);
    assert_eq!(
        (counters(&bench).adverts_sent, counters(&bench).send_failures),
        (0, 2)
    );
    // Still failing.
    assert_eq!(bench.tick(us(4_609_375)), [send(R0, 100)]);
    assert_eq!(bench.feed(us(4_609_375), failed), []);
    assert_eq!(
        (counters(&bench).adverts_sent, counters(&bench).send_failures),
        (0, 3)
    );
    // This one gets through, which shows when the next is due.
    assert_eq!(bench.tick(us(5_609_375)), [send(R0, 100)]);
    assert_eq!(
        bench.tick(us(6_609_375)),
        [remark(R0, Remark::SendRecovered), send(R0, 100)]
    );
    assert_eq!(
        (counters(&bench).adverts_sent, counters(&bench).send_failures),
        (2, 3)
    );
    assert_eq!(
        bench.feed(us(6_609_375), failed),
        [remark(R0, Remark::SendFailed { errno: 105 })]
    );
    // A priority 0 that failed was not sent either.
    bench.feed(ms(7_000), link(L0, LinkState::Down));
    assert_eq!(counters(&bench).priority_zero_sent, 1);
    bench.feed(ms(7_000), failed);
    assert_eq!(counters(&bench).priority_zero_sent, 0);
}

#[test]
fn adverts_received() {
    let mut bench = Bench::backup(router(100));
    bench.hear(ms(1_000), R0, HIGH, 150);
    bench.hear(ms(1_500), R0, LOW, 50);
    bench.hear(ms(2_000), R0, HIGH, 0);
    let expected = Counters {
        adverts_received: 3,
        priority_zero_received: 1,
        ..Counters::default()
    };
    assert_eq!(counters(&bench), expected);
    // A stamp is not an advert that was delivered: the kernel counts those.
    bench.feed(
        ms(2_100),
        Input::StillThere {
            adverts: 0,
            router: R0,
            source: HIGH,
            at: ms(2_100),
        },
    );
    assert_eq!(counters(&bench), expected);
}

#[test]
fn address_list_errors() {
    let mut bench = Bench::backup(router(100));
    let other = Heard {
        same_addresses: false,
        ..heard(ms(1_000), R0, HIGH, 150)
    };
    let said = [remark(
        R0,
        Remark::AddressesDiffer {
            source: HIGH,
            mac: None,
        },
    )];
    assert_eq!(bench.feed(ms(1_000), Input::Advert(other)), said);
    assert_eq!(bench.feed(ms(1_000), Input::Advert(other)), []);
    assert_eq!(counters(&bench).address_list_errors, 2);
    // Logged, not refused.
    assert_eq!(bench.deadline(), Some(us(4_609_375)));
}

/// Version, family and form: (message only, group).
#[test]
fn checksum_forms() {
    let table = [
        (Version::V3, Family::V4, ChecksumForm::Message, (1, 0)),
        (Version::V3, Family::V4, ChecksumForm::Pseudo, (0, 0)),
        (Version::V3, Family::V4, ChecksumForm::PseudoGroup, (0, 1)),
        (Version::V3, Family::V6, ChecksumForm::Pseudo, (0, 0)),
        // What VRRPv2 always does is nothing to count.
        (Version::V2, Family::V4, ChecksumForm::Message, (0, 0)),
    ];
    for (version, family, checksum, expected) in table {
        let mut bench = Bench::backup(VirtualRouter {
            version,
            family,
            ..router(100)
        });
        bench.feed(
            ms(1_000),
            Input::Advert(Heard {
                checksum,
                ..heard(ms(1_000), R0, HIGH, 150)
            }),
        );
        let counted = counters(&bench);
        assert_eq!(
            (counted.checksum_message_only, counted.checksum_group),
            expected,
            "{version} {family} {checksum:?}"
        );
    }
}

#[test]
fn refused_by_rung() {
    let mut bench = Bench::backup(router(100));
    for (refusal, index) in Refusal::ALL.into_iter().zip(0_usize..) {
        let refused = Input::Refused {
            mac: None,
            router: Some(R0),
            source: LOW,
            refusal,
        };
        assert_eq!(
            bench.feed(ms(1), refused),
            [remark(
                R0,
                Remark::Refused {
                    mac: None,
                    source: LOW,
                    refusal
                }
            )]
        );
        assert_eq!(bench.feed(ms(2), refused), []);
        let mut expected = [0; Refusal::ALL.len()];
        expected[..=index].fill(2);
        assert_eq!(counters(&bench).refused, expected);
    }
    assert_eq!(counters(&bench).adverts_received, 0);
}
