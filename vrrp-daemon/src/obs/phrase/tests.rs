use std::net::IpAddr;

use tracing::Level;
use vrrp_common::id::{Priority, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::restart::stays;
use super::{detail, phrase, reason};
use crate::config::{Host, parse_str};
use crate::ingress::control::events::EventKind;
use crate::proto::model::{Script, SyncGroup, VirtualAddress};
use crate::proto::router::MasterSeen;
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
            disabled: false,
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
            "(?) Entering BACKUP STATE (init): started; was INIT",
        ),
        (
            State::Init,
            State::Master,
            Reason::Owner,
            "(?) Entering MASTER STATE: it owns the addresses (priority 255); was INIT",
        ),
        (
            State::Backup,
            State::Master,
            down,
            "(?) Entering MASTER STATE: nothing heard from 192.0.2.2 for 3609.412 ms \
             (Master_Down_Interval 3609.375 ms); was BACKUP",
        ),
        (
            State::Backup,
            State::Master,
            alone,
            "(?) Entering MASTER STATE: no Master heard for 4000.000 ms (Master_Down_Interval 3609.375 ms); was BACKUP",
        ),
        (
            State::Backup,
            State::Master,
            Reason::MasterReleased { master: Some(peer()) },
            "(?) Entering MASTER STATE: 192.0.2.2 stood down with priority 0; was BACKUP",
        ),
        (
            State::Backup,
            State::Master,
            Reason::Preempted {
                master: peer(),
                priority: Priority(90),
            },
            "(?) Entering MASTER STATE: its priority is higher than that of 192.0.2.2 (90); was BACKUP",
        ),
        (
            State::Master,
            State::Backup,
            Reason::HigherPriority {
                mac: None,
                source: peer(),
                priority: Priority(150),
            },
            "(?) Entering BACKUP STATE: Master received advert from 192.0.2.2 with higher priority 150; was MASTER",
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
             address than ours; was MASTER",
        ),
        (
            State::Master,
            State::Backup,
            Reason::OversleptTakenOver {
                source: peer(),
                late: Nanos::from_millis(4200),
            },
            "(?) Entering BACKUP STATE: woke 4200.000 ms late and 192.0.2.2 had taken over meanwhile; was MASTER",
        ),
        (
            State::Master,
            State::Fault,
            Reason::LinkDown { link: LinkId(1) },
            "(?) Entering FAULT STATE: interface eth2 is not up; was MASTER",
        ),
        (
            State::Backup,
            State::Fault,
            Reason::ScriptFailing { script: ScriptId(0) },
            "(?) Entering FAULT STATE: script monitor_service fails; was BACKUP",
        ),
        (
            State::Fault,
            State::Backup,
            Reason::Recovered,
            "(?) Entering BACKUP STATE: everything tracked is well again; was FAULT",
        ),
        (
            State::Master,
            State::Init,
            Reason::Shutdown,
            "(?) Stopped: the daemon stops; was MASTER",
        ),
    ];
    for (from, to, reason, expected) in table {
        assert_eq!(
            line(Effect::Transition {
                router: ROUTER,
                from,
                to,
                reason,
                heard: None,
            }),
            expected
        );
    }
}

#[test]
fn a_transition_has_its_evidence_and_how_long_it_took() {
    let heard = Some(MasterSeen {
        address: peer(),
        priority: Priority(150),
        last: MonoNanos(9_968_750_000),
    });
    let said = |from, to, reason| {
        let transition = Effect::Transition {
            router: ROUTER,
            from,
            to,
            reason,
            heard,
        };
        phrase(&model(), NOW, &transition).unwrap().took(Nanos(184_999))
    };
    let master = Some(peer());
    let released = said(State::Backup, State::Master, Reason::MasterReleased { master });
    assert_eq!(
        released.text,
        "(?) Entering MASTER STATE: 192.0.2.2 stood down with priority 0; was BACKUP, last advert of 192.0.2.2 \
         31.250 ms ago, took 0.184 ms"
    );
    assert_eq!((released.source, released.age), (master, Some(Nanos(31_250_000))));
    assert_eq!(released.took, Some(Nanos(184_999)));
    let mac = Mac([2, 0x58, 0x83, 0x22, 0xcd, 0x26]);
    let higher = Reason::HigherPriority {
        source: peer(),
        mac: Some(mac),
        priority: Priority(150),
    };
    assert_eq!(
        said(State::Master, State::Backup, higher).text,
        "(?) Entering BACKUP STATE: Master received advert from 192.0.2.2 with higher priority 150; sent by MAC \
         address 02:58:83:22:cd:26; was MASTER, last advert of 192.0.2.2 31.250 ms ago, took 0.184 ms"
    );
    // The silence is the age.
    let down = Reason::MasterDown {
        master,
        last_heard: MonoNanos(9_968_750_000),
        interval: Nanos(30_000_000),
    };
    let down = said(State::Backup, State::Master, down);
    assert_eq!(
        down.text,
        "(?) Entering MASTER STATE: nothing heard from 192.0.2.2 for 31.250 ms (Master_Down_Interval 30.000 ms); was \
         BACKUP, took 0.184 ms"
    );
    assert_eq!(down.age, Some(Nanos(31_250_000)));
    let event = down.event(EventKind::Transition);
    assert_eq!(
        (event.age_ms, event.age_us, event.took_us),
        (Some(31), Some(31_250), Some(184))
    );
    // What is no transition is not timed.
    let remark = Effect::Remark {
        router: None,
        remark: Remark::SendRecovered,
    };
    let remark = phrase(&model(), NOW, &remark).unwrap().took(Nanos(1));
    assert_eq!(
        (remark.text.as_str(), remark.took),
        ("adverts can be sent again", None)
    );
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
            heard: None,
        }),
        "(?) Entering BACKUP STATE: asked to stand by (vrrpctl standby); was MASTER"
    );
}

/// A virtual router of the configuration's own making.
fn named() -> Model {
    let text = "global_defs {\n dynamic_interfaces\n}\nvrrp_instance VI_1 {\n interface eth2\n virtual_router_id 51\n virtual_ipaddress {\n 192.0.2.100\n }\n}\n";
    let loaded = parse_str("p.conf", text, &Host);
    assert!(loaded.config.is_some(), "{}", loaded.render(false));
    loaded.config.unwrap().model
}

#[test]
fn announcements_are_a_detail_with_keepaliveds_words() {
    let said = |effect| {
        let told = phrase(&named(), NOW, &effect).unwrap();
        assert_eq!((told.level, told.kind), (Level::DEBUG, None));
        told.text
    };
    let acquire = |announce| Effect::Acquire {
        router: ROUTER,
        announce,
    };
    assert_eq!(
        said(acquire(5)),
        "(VI_1) setting VIPs. Sending/queueing gratuitous ARPs on eth2 for 192.0.2.100: 5 rounds"
    );
    assert_eq!(said(acquire(0)), "(VI_1) setting VIPs.");
    let mut model = named();
    model.routers[0].addresses = ["2001:db8::1", "2001:db8::2", "2001:db8::3"]
        .map(|address| VirtualAddress {
            address: address.parse().unwrap(),
            ..model.routers[0].addresses[0].clone()
        })
        .to_vec();
    let again = Effect::Announce {
        router: ROUTER,
        rounds: 1,
    };
    assert_eq!(
        phrase(&model, NOW, &again).unwrap().text,
        "(VI_1) Sending/queueing Unsolicited Neighbour Adverts on eth2 for 2001:db8::1 and 2 more: 1 round"
    );
    model.routers[0].addresses.clear();
    assert_eq!(phrase(&model, NOW, &again), None);
}

/// What would be a line for each advert is asked for apart.
#[test]
fn what_happens_all_day_long_is_for_dd() {
    let send = Effect::Send {
        router: ROUTER,
        priority: Priority(150),
    };
    assert_eq!(phrase(&named(), NOW, &send), None);
    let told = detail(&named(), &send).unwrap();
    assert_eq!(told.text, "(VI_1) sends an advert with priority 150");
    assert_eq!((told.level, told.vrid), (Level::TRACE, Some(51)));
    let notify = Effect::Notify {
        subject: Subject::Router(ROUTER),
        state: NotifyState::Stop,
        priority: Priority(150),
    };
    assert_eq!(
        detail(&named(), &notify).unwrap().text,
        "(VI_1) notifies scripts and FIFOs: STOP, priority 150"
    );
}

#[test]
fn a_restart_is_no_transition() {
    let told = stays(&named(), ROUTER, State::Master, 4711).unwrap();
    assert_eq!(told.text, "(VI_1) stays MASTER: taken over from process 4711");
    assert_eq!(
        (told.level, told.kind, told.own),
        (Level::INFO, None, Some("restart"))
    );
    assert_eq!((told.from, told.to), (Some("MASTER"), Some("MASTER")));
    assert_eq!(
        (told.subject.as_deref(), told.reason),
        (Some("VI_1"), Some("taken-over"))
    );
    // The earlier process did not have it.
    assert_eq!(stays(&named(), ROUTER, State::Init, 4711), None);
}

#[test]
fn fields_say_what_it_is_about() {
    let (from, to) = (State::Backup, State::Fault);
    let transition = Effect::Transition {
        router: ROUTER,
        from,
        to,
        reason: Reason::LinkDown { link: LinkId(0) },
        heard: None,
    };
    let told = phrase(&named(), NOW, &transition).unwrap();
    assert_eq!(told.level, Level::WARN);
    assert_eq!(told.kind, Some(EventKind::Transition));
    assert_eq!(told.subject.as_deref(), Some("VI_1"));
    assert_eq!((told.vrid, told.interface.as_deref()), (Some(51), Some("eth2")));
    assert_eq!((told.from, told.to), (Some("BACKUP"), Some("FAULT")));
    assert_eq!(told.reason, Some("link-down"));
    assert_eq!((told.source, told.age), (None, None));
    let zero = Effect::Send {
        router: ROUTER,
        priority: Priority(0),
    };
    let told = phrase(&named(), NOW, &zero).unwrap();
    assert_eq!(told.text, "(VI_1) sent 0 priority");
    assert_eq!(
        (told.kind, told.reason),
        (Some(EventKind::Remark), Some("priority-zero-sent"))
    );
    assert_eq!((told.vrid, told.interface.as_deref()), (Some(51), Some("eth2")));
    // A detail of it is in the log alone.
    let release = Effect::Release { router: ROUTER };
    assert_eq!(phrase(&named(), NOW, &release).unwrap().kind, None);
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
