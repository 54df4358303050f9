use super::{Class, Gaps, peers, render};
use crate::ingress::control::status::{Instance, Master, Sender};
use crate::obs::status::tests::instance;

/// A class of the kernel begins at 2^(10 + n) ns: 67.108864, 134.217728, 268.435456, 536.870912 ms and so on.
fn heard(gaps_us: Vec<(u64, u64)>) -> Instance {
    let mut instance = instance();
    instance.interval_ms = 100;
    instance.timers.master_interval_ms = Some(100);
    instance.master = Some(Master {
        address: "192.0.2.1".parse().unwrap(),
        priority: 200,
        last_advert_ms: 30,
    });
    instance.senders = vec![
        Sender {
            source: None,
            last_us: Some(9_000_000),
            unread: 0,
            late: 0,
            gaps_us: vec![(67_108, 3)],
        },
        Sender {
            source: Some("192.0.2.1".parse().unwrap()),
            last_us: Some(30_250),
            unread: 0,
            late: 1,
            gaps_us,
        },
    ];
    instance
}

/// A Master that stood by for a while has lost nothing. 321.875 ms: what is 537 ms and more is longer; 268 ms and
/// more may be, and is three intervals at most.
#[test]
fn a_silence_is_no_loss() {
    let mut instance = heard(vec![(67_108, 1000), (268_435, 1), (536_870, 1), (4_294_967, 2)]);
    instance.master_down_us = 321_875;
    let found = peers(&instance);
    let gaps = found[1].gaps.as_ref().unwrap();
    assert_eq!((gaps.lost_at_least, gaps.lost_at_most), (0, 2));
    assert_eq!((gaps.count, gaps.longest_us.from), (1004, 4_294_967));
}

#[test]
fn lost_adverts_have_two_bounds() {
    // 1000 gaps of 67 to 134 ms are one interval of 100 ms each. Two of 134 to 268 ms: 134 is one interval (none lost),
    // 268 is nearly three (two lost). One of 537 ms to 1.074 s: five to eleven intervals, four to ten lost.
    let found = peers(&heard(vec![(67_108, 1000), (134_217, 2), (536_870, 1)]));
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].gaps, None);
    let peer = &found[1];
    assert!(peer.master);
    assert_eq!((peer.age_us, peer.priority), (Some(30_250), Some(200)));
    assert_eq!(
        peer.gaps,
        Some(Gaps {
            count: 1003,
            median_us: Class {
                from: 67_108,
                below: Some(134_217)
            },
            p99_us: Class {
                from: 67_108,
                below: Some(134_217)
            },
            longest_us: Class {
                from: 536_870,
                below: Some(1_073_741)
            },
            late: 1,
            lost_at_least: 4,
            lost_at_most: 14,
        })
    );
    assert_eq!(
        render(&found),
        "\
INSTANCE  SENDER     ROLE    LAST           MEDIAN       P99          LONGEST   LATE  LOST
VI_1      others     -       9.000 s ago    -            -            -         -     -
VI_1      192.0.2.1  Master  30.250 ms ago  <134.217 ms  <134.217 ms  <1.073 s  1     4 to 14 of 1017
"
    );
}

#[test]
fn regular_ones_lost_nothing() {
    let found = peers(&heard(vec![(67_108, 50)]));
    let gaps = found[1].gaps.as_ref().unwrap();
    assert_eq!((gaps.lost_at_least, gaps.lost_at_most), (0, 0));
    assert!(render(&found).contains("  0 of 50\n"));
}

#[test]
fn a_master_that_xdp_does_not_see_is_known_by_its_last_advert() {
    let mut instance = heard(Vec::new());
    instance.senders.clear();
    let found = peers(&instance);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].age_us, found[0].gaps.is_none()), (Some(30_000), true));
    instance.master = None;
    assert_eq!(render(&peers(&instance)), "no other router has been heard\n");
}
