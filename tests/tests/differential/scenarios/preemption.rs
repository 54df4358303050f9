//! `nopreempt` and `preempt_delay` where adverts are not VRRPv3 by IPv4 multicast.

use std::time::Duration;

use super::super::rival::{Speech, Version};
use super::super::scenario::{Act, Scenario};

const V2: Speech = Speech {
    version: Version::Two(None),
    ..Speech::PLAIN
};
const V2_PASSWORD: Speech = Speech {
    version: Version::Two(Some("s3cret")),
    ..Speech::PLAIN
};
const IPV6: Speech = Speech {
    six: true,
    ..Speech::PLAIN
};
const IPV6_UNICAST: Speech = Speech {
    unicast: true,
    ..IPV6
};

const STARTED: &str = "told INSTANCE VI_1: BACKUP 200, MASTER 200";
const MASTER: &str = "told INSTANCE VI_1: MASTER 200";
const BACKUP: &str = "told INSTANCE VI_1: BACKUP 200";

/// Longer than Master_Down_Interval of version 2.
const SECONDS: Duration = Duration::from_millis(3_500);

pub(super) fn all() -> Vec<Scenario> {
    vec![
        never(
            "nopreempt_version_2",
            spoken!(nopreempt v2 pass ipv4),
            super::HOLDS,
        )
        .speech(V2_PASSWORD)
        .quiet(SECONDS),
        never("nopreempt_ipv6", spoken!(nopreempt v3 ipv6), super::HOLDS_6).speech(IPV6),
        late(
            "preempt_delay_version_2",
            spoken!(preempt_delay v2 ipv4),
            super::HOLDS,
        )
        .speech(V2)
        .quiet(Duration::from_millis(7_500)),
        late(
            "preempt_delay_ipv6",
            spoken!(preempt_delay v3 unicast_6 ttl ipv6),
            super::HOLDS_6,
        )
        .speech(IPV6_UNICAST)
        .quiet(Duration::from_millis(4_000)),
    ]
}

/// Who is Master stays it.
fn never(name: &'static str, file: &'static str, holds: &'static str) -> Scenario {
    Scenario::new(name, file)
        .step("a lower rival is there", Act::Rival(150), &[])
        .step("start", Act::Start, &[BACKUP])
        .step("it dies", Act::RivalDies, &[MASTER, holds])
        .step("a lower advert", Act::RivalOnce(150), &[holds])
        .step("a better one", Act::Rival(210), &[BACKUP])
        .step("it becomes lower", Act::Rival(150), &[])
        .step("it stops", Act::RivalStops, &[MASTER, holds])
        .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"])
}

/// The delay is waited for, unless the rival goes.
fn late(name: &'static str, file: &'static str, holds: &'static str) -> Scenario {
    Scenario::new(name, file)
        .step("a lower rival is there", Act::Rival(150), &[])
        .step("start", Act::Start, &[STARTED, holds])
        .uncounted()
        .step("a better one", Act::Rival(210), &[BACKUP])
        .step("it stops", Act::RivalStops, &[MASTER, holds])
}
