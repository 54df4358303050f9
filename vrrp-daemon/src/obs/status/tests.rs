use std::collections::BTreeMap;

use super::{render, show};
use crate::ingress::control::status::{
    Address, Counters, Daemon, File, Frames, Group, Instance, Master, Preemption, Process, ReceivePath,
    Script, Sender, Standby, Status, Timers, Tracked, TrackedKind, TrackedOutcome, Unit,
};
use crate::proto::{ScriptState, State};

pub(in crate::obs) fn status() -> Status {
    Status {
        daemon: Daemon {
            version: "0.1.0".to_owned(),
            pid: 42,
            uptime_ms: 303_000,
            config_file: "/etc/keepalived/keepalived.conf".into(),
            notifications_dropped: 0,
            last_reload: None,
            reloads: 0,
            reloads_refused: 0,
        },
        instances: vec![Instance {
            name: "VI_1".to_owned(),
            vrid: 133,
            interface: "bond0".to_owned(),
            version: 2,
            group: Some("VG_1".to_owned()),
            state: State::Backup,
            since_ms: 12_345,
            reason: "started".to_owned(),
            reason_code: "started".to_owned(),
            tracked: vec![Tracked {
                kind: TrackedKind::Script,
                name: "monitor_service".to_owned(),
                weight: -10,
                reverse: false,
                outcome: TrackedOutcome::Adds(-10),
            }],
            preempt: Preemption::Never,
            standby: None,
            timers: Timers {
                takeover_us: Some(3_192_369),
                master_interval_ms: Some(1000),
                ..Timers::default()
            },
            priority_configured: 100,
            priority_effective: 90,
            master: Some(Master {
                address: "20.31.250.11".parse().unwrap(),
                priority: 100,
                last_advert_ms: 417,
            }),
            master_down_us: 3_609_375,
            interval_ms: 1000,
            receive_path: ReceivePath::XdpNative,
            addresses: vec![Address {
                address: "20.31.250.13".parse().unwrap(),
                prefix: 32,
                interface: "bond0".to_owned(),
                present: false,
            }],
            counters: Counters {
                adverts_received: 301,
                late_adverts: 2,
                refused: BTreeMap::from([("checksum".to_owned(), 2), ("ttl".to_owned(), 1)]),
                ..Counters::default()
            },
            senders: vec![
                Sender {
                    source: None,
                    last_us: None,
                    unread: 5,
                    late: 0,
                    gaps_us: Vec::new(),
                },
                Sender {
                    source: Some("20.31.250.11".parse().unwrap()),
                    last_us: Some(417_006),
                    unread: 0,
                    late: 2,
                    gaps_us: vec![(0, 1), (524_288, 297), (2_097_152, 2)],
                },
            ],
        }],
        groups: vec![Group {
            name: "VG_1".to_owned(),
            state: None,
            members: vec!["VI_1".to_owned(), "VI_2".to_owned()],
        }],
        scripts: vec![
            Script {
                name: "monitor_service".to_owned(),
                state: Some(ScriptState::Failing),
                disabled: false,
            },
            Script {
                name: "not_there".to_owned(),
                state: None,
                disabled: true,
            },
        ],
        files: vec![File {
            name: "load".to_owned(),
            value: Some(-20),
        }],
        processes: vec![Process {
            name: "nginx".to_owned(),
            quorum: Some(false),
        }],
        units: vec![Unit {
            name: "haproxy.service 5 600".to_owned(),
            steady: Some(false),
        }],
        refused_elsewhere: BTreeMap::from([("vrid".to_owned(), 3)]),
        frames: Some(Frames {
            accepted: 12,
            unchanged: 289,
            kept: 0,
            ring_full: 0,
            not_ours: 4,
            not_judged: 0,
            refused: BTreeMap::from([("checksum".to_owned(), 2), ("ttl".to_owned(), 1)]),
        }),
    }
}

/// Its one virtual router.
pub(in crate::obs) fn instance() -> Instance {
    status().instances.remove(0)
}

#[test]
fn text_for_people() {
    let expected = "\
vrrp-daemon 0.1.0, pid 42, up 5 m 03 s, /etc/keepalived/keepalived.conf

INSTANCE  VRID  INTERFACE  STATE   SINCE  PRIO  MASTER        RECEIVE
VI_1      133   bond0      BACKUP  12 s   90    20.31.250.11  xdp-native

VI_1: BACKUP: started
  priority 90 (configured 100), advert every 1000 ms, Master_Down_Interval 3609.375 ms
  script monitor_service, weight -10: -10
  takes over in 3.192 s if nothing is heard
  Master 20.31.250.11 with priority 100, last advert 417 ms ago
  20.31.250.13/32 on bond0: absent
  adverts: 0 sent, 0 failed, 301 received; times Master 0, released 0
  late adverts of the Master: 2
  refused: checksum 2, ttl 1

group VG_1: (members differ), members VI_1 VI_2
script monitor_service: FAILING
script not_there: never run, see the log
file load: -20
process nginx: TOO FEW OR TOO MANY RUN
unit haproxy.service 5 600: RESTARTS TOO OFTEN OR HAS FAILED
refused, for no virtual router of ours: vrid 3
XDP: 12 accepted, 289 unchanged, 0 kept (0 for the ring was full), 4 not ours, 0 not judged; refused: checksum 2, ttl 1
";
    assert_eq!(render(&status(), false), expected);
}

#[test]
fn the_times_between_adverts_are_one_line_for_each_sender() {
    let text = render(&status(), true);
    let expected = "
  refused: checksum 2, ttl 1
  others, 5 unread, 0 late
  20.31.250.11: 417.006 ms ago, 0 unread, 2 late; gaps of at least 0 us 1, 524.288 ms 297, 2.097 s 2

group ";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn json_names_are_stable() {
    let json = serde_json::to_value(status()).unwrap();
    assert_eq!(json["instances"][0]["state"], "BACKUP");
    assert_eq!(json["instances"][0]["receive_path"], "xdp-native");
    assert_eq!(json["instances"][0]["master"]["last_advert_ms"], 417);
    assert_eq!(json["instances"][0]["addresses"][0]["present"], false);
    assert_eq!(json["instances"][0]["counters"]["refused"]["checksum"], 2);
    assert_eq!(json["instances"][0]["counters"]["late_adverts"], 2);
    let sender = &json["instances"][0]["senders"][1];
    assert_eq!(sender["last_us"], 417_006);
    assert_eq!(
        sender["gaps_us"],
        serde_json::json!([[0, 1], [524_288, 297], [2_097_152, 2]])
    );
    assert_eq!(json["frames"]["refused"]["checksum"], 2);
    assert_eq!(json["scripts"][0]["state"], "failing");
    let instance = &json["instances"][0];
    assert_eq!(
        instance["tracked"][0]["outcome"],
        serde_json::json!({"adds": -10})
    );
    assert_eq!(instance["tracked"][0]["kind"], "script");
    assert_eq!(instance["preempt"], "never");
    assert_eq!(instance["reason_code"], "started");
    assert_eq!(instance["timers"]["takeover_us"], 3_192_369);
    assert_eq!(instance["standby"], serde_json::Value::Null);
    assert_eq!(serde_json::from_value::<Status>(json).unwrap(), status());
}

#[test]
fn one_in_full_and_what_stands_by() {
    let mut status = status();
    let instance = &mut status.instances[0];
    instance.standby = Some(Standby {
        left_ms: Some(598_000),
        alone: false,
    });
    instance.timers.takeover_us = None;
    let expected = "\
VI_1: BACKUP: started
  priority 90 (configured 100), advert every 1000 ms, Master_Down_Interval 3609.375 ms
  script monitor_service, weight -10: -10
  STANDS BY for another 9 m 58 s
  Master 20.31.250.11 with priority 100, last advert 417 ms ago
";
    let shown = show(instance);
    assert!(shown.starts_with(expected), "{shown}");
    assert!(
        shown.contains("\n  20.31.250.11: 417.006 ms ago, 0 unread, 2 late"),
        "{shown}"
    );
}
