//! Two Masters, in every version and by every way that adverts go.

use std::time::Duration;

use super::super::rival::{Speech, Version};
use super::super::scenario::{Act, Scenario};

const V2: Speech = Speech {
    version: Version::Two(None),
    ..Speech::PLAIN
};
const V3_UNICAST: Speech = Speech {
    unicast: true,
    ..Speech::PLAIN
};
const V3_IPV6: Speech = Speech {
    six: true,
    ..Speech::PLAIN
};

/// One way to speak.
struct Manner {
    /// As the scenarios are called: who is better, and who is equal.
    names: [&'static str; 2],
    file: &'static str,
    speech: Speech,
    /// The address that a Master holds.
    holds: &'static str,
    /// Its adverts, and that they go on.
    sends: [&'static str; 2],
    /// That one of them is an answer; version 3's follow each other too fast to tell.
    answers: Option<&'static str>,
}

const MANNERS: [Manner; 6] = [
    Manner {
        names: ["contention_version_2", "equals_version_2"],
        file: spoken!(v2 ipv4),
        speech: V2,
        holds: super::HOLDS,
        sends: [
            "sends v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 200",
            "goes on with v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]",
        ],
        answers: Some(
            "answers with v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]",
        ),
    },
    Manner {
        names: ["contention_version_2_password", "equals_version_2_password"],
        file: spoken!(v2 pass ipv4),
        speech: Speech {
            version: Version::Two(Some("s3cret")),
            ..V2
        },
        holds: super::HOLDS,
        sends: [
            "sends v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100] \
             authentication 1 \"s3cret\\0\\0\": 200",
            "goes on with v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100] \
             authentication 1 \"s3cret\\0\\0\"",
        ],
        answers: Some(
            "answers with v2 VRID 51 every 1000 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100] \
             authentication 1 \"s3cret\\0\\0\"",
        ),
    },
    Manner {
        names: ["contention_version_2_unicast", "equals_version_2_unicast"],
        file: spoken!(v2 unicast ipv4),
        speech: Speech { unicast: true, ..V2 },
        holds: super::HOLDS,
        sends: [
            "sends v2 VRID 51 every 1000 ms from 192.0.2.1 to 192.0.2.2 ttl 255 [192.0.2.100]: 200",
            "goes on with v2 VRID 51 every 1000 ms from 192.0.2.1 to 10.0.0.2 ttl 255 [192.0.2.100]",
        ],
        answers: Some(
            "answers with v2 VRID 51 every 1000 ms from 192.0.2.1 to 10.0.0.2 ttl 255 [192.0.2.100]",
        ),
    },
    Manner {
        names: ["contention_unicast", "equals_unicast"],
        file: spoken!(v3 unicast ipv4),
        speech: V3_UNICAST,
        holds: super::HOLDS,
        sends: [
            "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 192.0.2.2 ttl 255 [192.0.2.100]: 200",
            "goes on with v3 VRID 51 every 100 ms from 192.0.2.1 to 10.0.0.2 ttl 255 [192.0.2.100]",
        ],
        answers: None,
    },
    Manner {
        names: ["contention_ipv6", "equals_ipv6"],
        file: spoken!(v3 ipv6),
        speech: V3_IPV6,
        holds: super::HOLDS_6,
        sends: [
            "sends v3 VRID 51 every 100 ms from its link-local to ff02::12 ttl 255 [fe80::100 2001:db8::100]: 200",
            "goes on with v3 VRID 51 every 100 ms from its link-local to ff02::12 ttl 255 [fe80::100 2001:db8::100]",
        ],
        answers: None,
    },
    Manner {
        names: ["contention_ipv6_unicast", "equals_ipv6_unicast"],
        file: spoken!(v3 unicast_6 ttl ipv6),
        speech: Speech {
            unicast: true,
            ..V3_IPV6
        },
        holds: super::HOLDS_6,
        sends: [
            "sends v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::9 ttl 255 [fe80::100 2001:db8::100]: 200",
            "goes on with v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::2 ttl 255 [fe80::100 2001:db8::100]",
        ],
        answers: None,
    },
];

const STARTED: &str = "told INSTANCE VI_1: BACKUP 200, MASTER 200";
const MASTER: &str = "told INSTANCE VI_1: MASTER 200";
const BACKUP: &str = "told INSTANCE VI_1: BACKUP 200";
const LOWER: &str = "told lower VI_1: yes";

impl Manner {
    fn scenario(&self, name: &'static str) -> Scenario {
        Scenario::new(name, self.file)
            .speech(self.speech)
            .quiet(match self.speech.version {
                Version::Two(_) => Duration::from_millis(3_500),
                Version::Three => Duration::from_millis(1_200),
            })
    }

    /// A Master that stays it, and says so at once.
    fn stays(&self) -> Vec<&'static str> {
        let mut lines = vec![self.holds, self.sends[1]];
        lines.extend(self.answers);
        lines
    }

    /// Others are better, or worse, and say good-bye.
    fn contention(&self) -> Scenario {
        let [sends, goes_on] = self.sends;
        self.scenario(self.names[0])
            .step("start", Act::Start, &[STARTED, self.holds, sends, goes_on])
            .step("a better rival", Act::Rival(220), &[BACKUP])
            .step("it dies", Act::RivalDies, &[MASTER, self.holds, goes_on])
            .step(
                "a lower advert",
                Act::RivalOnce(50),
                &[&[LOWER], self.stays().as_slice()].concat(),
            )
            .step("somebody's good-bye", Act::RivalOnce(0), &self.stays())
            .step("a better rival again", Act::Rival(201), &[BACKUP])
            .step(
                "it becomes lower",
                Act::Rival(150),
                &[MASTER, self.holds, goes_on],
            )
            .uncounted()
            .step("it becomes better", Act::Rival(254), &[BACKUP])
            .step("it stops", Act::RivalStops, &[MASTER, self.holds, goes_on])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"])
    }

    /// Others have the same priority, and addresses above and below.
    fn equals(&self) -> Scenario {
        let goes_on = self.sends[1];
        self.scenario(self.names[1])
            .step("one below is there", Act::RivalBelow(200), &[])
            .step("start", Act::Start, &[BACKUP])
            .step("it dies", Act::RivalDies, &[MASTER, self.holds, goes_on])
            .step("an advert from below", Act::RivalBelowOnce(200), &self.stays())
            .step("one below again", Act::RivalBelow(200), &[self.holds, goes_on])
            .uncounted()
            .step("one above", Act::Rival(200), &[BACKUP])
            .step("it stops", Act::RivalStops, &[MASTER, self.holds, goes_on])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"])
    }
}

/// Without `unicast_ttl`.
fn hop_limit() -> Scenario {
    Scenario::new("hop_limit_ipv6_unicast", spoken!(v3 unicast_6 ipv6))
        .speech(Speech {
            unicast: true,
            ..V3_IPV6
        })
        .step("start", Act::Start, &[STARTED, super::HOLDS_6])
        .differs(
            "The hop limit of unicast over IPv6",
            &[
                "sends v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::2 ttl 64 [fe80::100 2001:db8::100]: 200",
                "sends v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::9 ttl 64 [fe80::100 2001:db8::100]: 200",
                "goes on with v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::2 ttl 64 [fe80::100 2001:db8::100]",
                "goes on with v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::9 ttl 64 [fe80::100 2001:db8::100]",
            ],
            &[
                "sends v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::2 ttl 255 [fe80::100 2001:db8::100]: 200",
                "sends v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::9 ttl 255 [fe80::100 2001:db8::100]: 200",
                "goes on with v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::2 ttl 255 [fe80::100 2001:db8::100]",
                "goes on with v3 VRID 51 every 100 ms from 2001:db8::8 to 2001:db8::9 ttl 255 [fe80::100 2001:db8::100]",
            ],
        )
}

/// A contention, and then mastership is lost and won before the second announcement is due.
fn late_burst() -> Scenario {
    Scenario::new("second_burst_of_a_lost_mastership", spoken!(v3 late_burst ipv4))
        .quiet(Duration::from_millis(2_500))
        .step("start", Act::Start, &[STARTED, super::HOLDS])
        .step(
            "a lower advert, and a better one",
            Act::RivalSays(&[50, 220]),
            &["told INSTANCE VI_1: BACKUP 200, MASTER 200", super::HOLDS],
        )
        .differs(
            "Announcements that were due in an earlier mastership",
            &["announces 192.0.2.100: 20"],
            &["announces 192.0.2.100: 15"],
        )
}

pub(super) fn all() -> Vec<Scenario> {
    MANNERS
        .iter()
        .flat_map(|manner| [manner.contention(), manner.equals()])
        .chain([hop_limit(), late_burst()])
        .collect()
}
