use std::net::IpAddr;

use tracing::Level;
use vrrp_common::id::{Priority, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::{phrase, reason};
use crate::config::{Host, parse_str};
use crate::proto::model::{Script, SyncGroup};
use crate::proto::{
    Clue, Effect, GroupId, HoldNews, LinkId, Model, NotifyState, Reason, Remark, RouterId, ScriptId, State,
    Subject,
};

/// Names for every index that effects below use; virtual routers are left unnamed (`?`).
fn model() -> Model {
    Model {
        links: vec!["bond0".to_owned(), "eth2".to_owned()],
        scripts: vec![Script {
            name: "monitor_service".to_owned(),
        }],
        groups: vec![SyncGroup {
            name: "VG_1".to_owned(),
            members: Vec::new(),
            track: Vec::new(),
            keep_weights: false,
        }],
        ..Model::default()
    }
}

const ROUTER: RouterId = RouterId(0);
const NOW: MonoNanos = MonoNanos(10_000_000_000);

fn peer() -> IpAddr {
    "192.0.2.2".parse().unwrap()
}

fn line(effect: Effect) -> String {
    phrase(&model(), NOW, &effect).unwrap().text
}

#[test]
fn an_interface_that_has_not_received_anything_is_named() {
    let said = |news| {
        let remark = Remark::LinkHold {
            link: LinkId(1),
            news,
        };
        line(Effect::Remark { router: None, remark })
    };
    assert_eq!(
        said(HoldNews::Waits {
            hold: Nanos::from_secs(30)
        }),
        "eth2 has carrier and has received nothing yet: waiting up to 30 s for it (vrrp_link_hold)"
    );
    assert_eq!(
        said(HoldNews::Proven {
            after: Nanos::from_millis(12_345)
        }),
        "eth2 has received something, 12.3 s after it came up: listening for a Master"
    );
    assert_eq!(
        said(HoldNews::Over {
            after: Nanos::from_millis(30_001)
        }),
        "eth2 has received nothing in 30 s: going on as if nobody were there (vrrp_link_hold)"
    );
    assert_eq!(
        reason(&model(), ROUTER, NOW, &Reason::LinkUnproven { link: LinkId(1) }),
        "waiting for eth2 to receive something (vrrp_link_hold)"
    );
}

#[test]
fn transitions_begin_with_keepaliveds_words_and_give_the_evidence() {
    let down = Reason::MasterDown {
        master: Some(peer()),
        last_heard: MonoNanos(6_390_588_000),
        interval: Nanos(3_609_375_000),
    };
    let alone = Reason::MasterDown {
        master: None,
        last_heard: MonoNanos(6_000_000_000),
        interval: Nanos(3_609_375_000),
    };
    let table = [
        (
            State::Init,
            State::Backup,
            Reason::Started,
            "(?) Entering BACKUP STATE (init)",
        ),
        (
            State::Init,
            State::Master,
            Reason::Owner,
            "(?) Entering MASTER STATE: it owns the addresses (priority 255)",
        ),
        (
            State::Backup,
            State::Master,
            down,
            "(?) Entering MASTER STATE: nothing heard from 192.0.2.2 for 3609.412 ms \
             (Master_Down_Interval 3609.375 ms)",
        ),
        (
            State::Backup,
            State::Master,
            alone,
            "(?) Entering MASTER STATE: no Master heard for 4000.000 ms (Master_Down_Interval 3609.375 ms)",
        ),
        (
            State::Backup,
            State::Master,
            Reason::MasterReleased { master: Some(peer()) },
            "(?) Entering MASTER STATE: 192.0.2.2 stood down with priority 0",
        ),
        (
            State::Backup,
            State::Master,
            Reason::Preempted {
                master: peer(),
                priority: Priority(90),
            },
            "(?) Entering MASTER STATE: its priority is higher than that of 192.0.2.2 (90)",
        ),
        (
            State::Master,
            State::Backup,
            Reason::HigherPriority {
                mac: None,
                source: peer(),
                priority: Priority(150),
            },
            "(?) Entering BACKUP STATE: Master received advert from 192.0.2.2 with higher priority 150",
        ),
        (
            State::Master,
            State::Backup,
            Reason::HigherAddress {
                mac: None,
                source: peer(),
                priority: Priority(100),
            },
            "(?) Entering BACKUP STATE: Master received advert from 192.0.2.2 with same priority 100 but higher IP \
             address than ours",
        ),
        (
            State::Master,
            State::Backup,
            Reason::OversleptTakenOver {
                source: peer(),
                late: Nanos::from_millis(4200),
            },
            "(?) Entering BACKUP STATE: woke 4200.000 ms late and 192.0.2.2 had taken over meanwhile",
        ),
        (
            State::Master,
            State::Fault,
            Reason::LinkDown { link: LinkId(1) },
            "(?) Entering FAULT STATE: interface eth2 is not up",
        ),
        (
            State::Backup,
            State::Fault,
            Reason::ScriptFailing { script: ScriptId(0) },
            "(?) Entering FAULT STATE: script monitor_service fails",
        ),
        (
            State::Fault,
            State::Backup,
            Reason::Recovered,
            "(?) Entering BACKUP STATE: everything tracked is well again",
        ),
        (
            State::Master,
            State::Init,
            Reason::Shutdown,
            "(?) Stopped: the daemon stops",
        ),
    ];
    for (from, to, reason, expected) in table {
        assert_eq!(
            line(Effect::Transition {
                router: ROUTER,
                from,
                to,
                reason
            }),
            expected
        );
    }
}

#[test]
fn standing_by() {
    let said = |remark| {
        line(Effect::Remark {
            router: Some(ROUTER),
            remark,
        })
    };
    let length = Some(Nanos::from_secs(90));
    assert_eq!(
        said(Remark::Standby { length }),
        "(?) stands by for 90 s, as asked"
    );
    assert_eq!(
        said(Remark::Standby { length: None }),
        "(?) stands by until it is told to resume, as asked"
    );
    assert_eq!(
        said(Remark::StandbyAlone),
        "(?) stands by and hears no Master: nobody holds the addresses; `vrrpctl resume` takes them back"
    );
    assert_eq!(
        said(Remark::Resumed { over: true }),
        "(?) the time to stand by is over: takes part again"
    );
    assert_eq!(
        line(Effect::Transition {
            router: ROUTER,
            from: State::Master,
            to: State::Backup,
            reason: Reason::Standby,
        }),
        "(?) Entering BACKUP STATE: asked to stand by (vrrpctl standby)"
    );
}

#[test]
fn fields_carry_the_evidence() {
    let reason = Reason::MasterDown {
        master: Some(peer()),
        last_heard: MonoNanos(6_390_000_000),
        interval: Nanos(3_609_375_000),
    };
    let (from, to) = (State::Backup, State::Master);
    let phrase = phrase(
        &model(),
        NOW,
        &Effect::Transition {
            router: ROUTER,
            from,
            to,
            reason,
        },
    )
    .unwrap();
    assert_eq!(phrase.level, Level::INFO);
    assert_eq!((phrase.from, phrase.to), (Some("BACKUP"), Some("MASTER")));
    assert_eq!(phrase.reason, Some("master-down"));
    assert_eq!((phrase.source, phrase.age_ms), (Some(peer()), Some(3610)));
}

#[test]
fn groups_and_priority_zero() {
    let group = |state| Effect::Notify {
        subject: Subject::Group(GroupId(0)),
        state,
        priority: Priority(0),
    };
    assert_eq!(
        line(group(NotifyState::Master)),
        "VRRP_Group(VG_1) Syncing instances to MASTER state"
    );
    assert_eq!(
        line(group(NotifyState::Fault)),
        "VRRP_Group(VG_1) Syncing instances to FAULT state"
    );
    let released = Effect::Send {
        router: ROUTER,
        priority: Priority(0),
    };
    assert_eq!(line(released), "(?) sent 0 priority");
    // An ordinary advert is not worth a line.
    let advert = Effect::Send {
        router: ROUTER,
        priority: Priority(100),
    };
    assert_eq!(phrase(&model(), NOW, &advert), None);
}

#[test]
fn remarks_name_the_remedy() {
    let source = peer();
    let centis = |value| Centis::new(value).unwrap();
    let table = [
        (
            Remark::Refused {
                mac: None,
                source,
                refusal: Refusal::Source,
            },
            "(?) advert from 192.0.2.2 refused: the sender is not a unicast_peer: add it there if it should be one",
        ),
        (
            Remark::Refused {
                mac: None,
                source,
                refusal: Refusal::AuthPassword,
            },
            "(?) advert from 192.0.2.2 refused: its password differs: set auth_pass the same on both",
        ),
        (
            Remark::IntervalAdopted {
                source,
                theirs: centis(200),
                ours: centis(25),
            },
            "(?) 192.0.2.2 advertises every 2.00 s, we every 0.25 s: following the Master's interval",
        ),
        (
            Remark::LowerPriority {
                mac: None,
                source,
                priority: Priority(90),
            },
            "(?) Received advert from 192.0.2.2 with lower priority 90, forcing new election",
        ),
        (
            Remark::PreemptPending {
                mac: None,
                source,
                priority: Priority(90),
            },
            "(?) received lower priority (90) advert from 192.0.2.2 - discarding",
        ),
        (
            Remark::PriorityChanged {
                from: Priority(100),
                to: Priority(80),
            },
            "(?) Changing effective priority from 100 to 80",
        ),
        (
            Remark::SendFailed { errno: 1 },
            "(?) adverts cannot be sent: Operation not permitted (os error 1)",
        ),
    ];
    for (remark, expected) in table {
        assert_eq!(
            line(Effect::Remark {
                router: Some(ROUTER),
                remark
            }),
            expected
        );
    }
    let remark = Remark::Refused {
        mac: None,
        source,
        refusal: Refusal::Vrid,
    };
    assert_eq!(
        line(Effect::Remark { router: None, remark }),
        "advert from 192.0.2.2 refused: no virtual router here has its VRID"
    );
}

/// In version 3 only 0 is refused, and the remedy is not to set the same on both.
#[test]
fn a_refused_interval_by_version() {
    let remark = Remark::Refused {
        mac: None,
        source: peer(),
        refusal: Refusal::Interval,
    };
    let said = |version: &str| {
        let text = format!(
            "global_defs {{\n dynamic_interfaces\n}}\nvrrp_instance P {{\n interface bond0\n virtual_router_id 51\n version {version}\n virtual_ipaddress {{\n \
             192.0.2.100\n }}\n}}\n"
        );
        let model = parse_str("p.conf", &text, &Host).config.unwrap().model;
        let effect = Effect::Remark {
            router: Some(RouterId(0)),
            remark,
        };
        phrase(&model, MonoNanos(0), &effect).unwrap().text
    };
    assert_eq!(
        said("3"),
        "(P) advert from 192.0.2.2 refused: its interval is 0: correct advert_int there"
    );
    assert_eq!(
        said("2"),
        "(P) advert from 192.0.2.2 refused: its interval differs: set advert_int the same on both"
    );
}

#[test]
fn strangers_are_told_with_the_remedy() {
    let told = |router, clue| {
        let remark = Remark::Stranger {
            source: peer(),
            mac: (clue == Clue::OurAddress).then_some(Mac([2, 0, 0, 0, 0, 7])),
            vrid: Vrid::new(52).unwrap(),
            clue,
        };
        line(Effect::Remark { router, remark })
    };
    assert_eq!(
        told(None, Clue::UnknownVrid),
        "advert from 192.0.2.2 for VRID 52, which is not configured here"
    );
    assert_eq!(
        told(Some(ROUTER), Clue::OurAddress),
        "(?) 192.0.2.2 advertises an address of ours under VRID 52: set the same virtual_router_id on both; \
         sent by MAC address 02:00:00:00:00:07"
    );
    assert_eq!(
        told(Some(ROUTER), Clue::Multicast),
        "(?) 192.0.2.2 sends its adverts to the group and we ours to peers, so neither hears the other: write \
         unicast_peer on both or on neither"
    );
}

#[test]
fn a_missing_source_address_is_named_with_its_interface() {
    let table = [
        (
            "unicast_src_ip 192.0.2.9\n unicast_peer {\n 192.0.2.2\n }\n virtual_ipaddress {\n 192.0.2.100\n }",
            "bond0 does not have 192.0.2.9: give it that address, or correct unicast_src_ip",
        ),
        (
            "mcast_src_ip 192.0.2.9\n virtual_ipaddress {\n 192.0.2.100\n }",
            "bond0 does not have 192.0.2.9: give it that address, or correct mcast_src_ip",
        ),
        (
            "virtual_ipaddress {\n 192.0.2.100\n }",
            "bond0 has no IPv4 address to send from: give it one",
        ),
        (
            "virtual_ipaddress {\n 2001:db8::100\n }",
            "bond0 has no link-local IPv6 address to send from: give it one",
        ),
    ];
    for (lines, words) in table {
        let text = format!(
            "global_defs {{\n dynamic_interfaces\n}}\n\
             vrrp_instance P {{\n interface bond0\n virtual_router_id 51\n {lines}\n}}\n"
        );
        let model = parse_str("test.conf", &text, &Host).config.unwrap().model;
        assert_eq!(reason(&model, ROUTER, NOW, &Reason::NoSource), words);
    }
}
