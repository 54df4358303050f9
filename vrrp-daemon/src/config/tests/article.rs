//! The article's file: everything it says, and everything there is to say about it.

use std::net::IpAddr;

use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::ladder::{Auth, Peer, TtlRange};

use super::{FakeHost, host, said};
use crate::config::{Command, Global, Notify, ScriptSpec, exit_class, parse_str};
use crate::proto::model::{
    AddressExtra, Announce, Preempt, Script, SyncGroup, Track, TrackObject, Transport, Uncommon, V3Checksum,
    VirtualAddress, VirtualRouter,
};
use crate::proto::{GroupId, LinkId, Model, RouterId, ScriptId};

const NODE_A: &str = include_str!("../../../../examples/node-a.conf");
const NODE_B: &str = include_str!("../../../../examples/node-b.conf");

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn address(text: &str, link: u16) -> VirtualAddress {
    VirtualAddress {
        address: ip(text),
        prefix: 32,
        link: LinkId(link),
        label: None,
        scope: 0,
        broadcast: None,
        dad: false,
        extra: AddressExtra::default(),
    }
}

fn router(name: &str, link: u16, vrid: u8, ours: &str, peer: &str, addresses: [&str; 2]) -> VirtualRouter {
    VirtualRouter {
        name: name.to_owned(),
        link: LinkId(link),
        vrid: Vrid::new(vrid).unwrap(),
        version: Version::V2,
        family: Family::V4,
        priority: Priority(100),
        interval: Centis::new(100).unwrap(),
        initially_master: false,
        preempt: Preempt::Never,
        down_adverts: 3,
        // The ninth character never took part.
        auth: Auth::Pass(*b"33763994"),
        transport: Transport::Unicast {
            source: Some(ip(ours)),
            peers: vec![Peer {
                mac: None,
                address: ip(peer),
                ttl: TtlRange { min: 0, max: 255 },
            }],
            ttl: 255,
            check_source: true,
        },
        v3_checksum: V3Checksum::PseudoHeader,
        addresses: addresses.map(|text| address(text, link)).into(),
        excluded: vec![],
        routes: vec![],
        rules: vec![],
        // Its own interface is named too, and counts anyway.
        track: vec![Track {
            object: TrackObject::Script(ScriptId(0)),
            weight: 0,
            reverse: false,
        }],
        track_primary: true,
        announce: Announce {
            repeat: 5,
            delay: Nanos(5_000_000_000),
            refresh: Nanos(0),
            refresh_repeat: 1,
            lower_repeat: 5,
            lower_delay: Nanos(5_000_000_000),
        },
        advert_on_lower: true,
        advert_on_higher: false,
        group: Some(GroupId(0)),
        uncommon: Uncommon {
            late_share: 50,
            link_hold: Nanos::from_secs(30),
            ..Uncommon::default()
        },
    }
}

fn notify(state: &str) -> Option<Command> {
    Some(Command {
        argv: vec!["/etc/keepalived/notify.sh".to_owned(), state.to_owned()],
        user: None,
    })
}

#[test]
fn it_means_what_its_author_meant() {
    let config = parse_str("node-a.conf", NODE_A, &host()).config.unwrap();
    let expected = Model {
        links: vec!["bond0".to_owned(), "eth2".to_owned()],
        routers: vec![
            router(
                "VI_1",
                0,
                133,
                "20.31.250.10",
                "20.31.250.11",
                ["20.31.250.13", "20.31.250.14"],
            ),
            router(
                "VI_2",
                1,
                233,
                "192.168.10.10",
                "192.168.10.11",
                ["192.168.10.13", "192.168.10.14"],
            ),
        ],
        groups: vec![SyncGroup {
            name: "VG_1".to_owned(),
            members: vec![RouterId(0), RouterId(1)],
            track: vec![],
            keep_weights: false,
        }],
        scripts: vec![Script {
            name: "monitor_service".to_owned(),
            disabled: false,
        }],
        ..Model::default()
    };
    assert_eq!(config.model, expected);
    assert_eq!(
        config.scripts,
        [ScriptSpec {
            command: Command {
                // keepalived runs it without any of these arguments.
                argv: [
                    "/usr/local/bin/monitor_service.sh",
                    "20.31.250.13",
                    "20.31.250.14",
                    "192.168.10.13",
                    "192.168.10.14"
                ]
                .map(str::to_owned)
                .into(),
                user: None,
            },
            interval: Nanos(2_000_000_000),
            timeout: Nanos(2_000_000_000),
            rise: 1,
            fall: 1,
            init_fail: false,
            disabled: false,
        }]
    );
    assert_eq!(config.router_notify, [Notify::default(), Notify::default()]);
    assert_eq!(
        config.group_notify,
        [Notify {
            master: notify("master"),
            backup: notify("backup"),
            fault: notify("fault"),
            ..Notify::default()
        }]
    );
    assert_eq!(
        config.global,
        Global {
            router_id: Some("LVS_DEVEL1".to_owned()),
            ..Global::default()
        }
    );
}

#[test]
fn the_other_node_has_the_addresses_swapped() {
    let a = parse_str("node-a.conf", NODE_A, &host()).config.unwrap();
    let b = parse_str("node-b.conf", NODE_B, &host()).config.unwrap();
    assert_eq!(b.global.router_id.as_deref(), Some("LVS_DEVEL2"));
    let sources = |model: &Model| -> Vec<(Option<IpAddr>, IpAddr)> {
        let of = |router: &VirtualRouter| match &router.transport {
            Transport::Unicast { source, peers, .. } => (*source, peers[0].address),
            Transport::Multicast { group, source } => (*source, *group),
        };
        model.routers.iter().map(of).collect()
    };
    assert_eq!(
        sources(&a.model),
        [
            (Some(ip("20.31.250.10")), ip("20.31.250.11")),
            (Some(ip("192.168.10.10")), ip("192.168.10.11"))
        ]
    );
    assert_eq!(
        sources(&b.model),
        [
            (Some(ip("20.31.250.11")), ip("20.31.250.10")),
            (Some(ip("192.168.10.11")), ip("192.168.10.10"))
        ]
    );
}

#[test]
fn exactly_this_is_said_about_it() {
    let loaded = parse_str("node-a.conf", NODE_A, &host());
    assert_eq!(
        said(&loaded),
        [
            "warning 3:5 `notification_email` has no effect: mail is not sent",
            "warning 15:12 `monitor_service.sh` has no path; found as /usr/local/bin/monitor_service.sh",
            "warning 15:12 scripts are run, and `enable_script_security` is not set",
            "warning 15:34 arguments outside the quotes are passed; keepalived drops them",
            "note 34:9 `bond0` is the instance's own interface",
            "warning 41:19 `auth_pass` is cut to 8 characters, of 9, as keepalived does",
            "note 61:9 `eth2` is the instance's own interface",
            "warning 68:19 `auth_pass` is cut to 8 characters, of 9, as keepalived does",
        ]
    );
    assert_eq!(exit_class(&loaded), 6);
}

/// Without the script on the host keepalived's `-t` answers 5, not 6: nothing is run. It is not tracked
/// either, for it would hold both instances in FAULT.
#[test]
fn missing_scripts_are_disabled_aloud() {
    let loaded = parse_str("node-a.conf", NODE_A, &FakeHost::default());
    assert_eq!(exit_class(&loaded), 5);
    let config = loaded.config.as_ref().unwrap();
    assert!(config.scripts[0].disabled);
    assert!(config.model.scripts[0].disabled);
    assert_eq!(config.model.routers[0].track, []);
    assert_eq!(config.group_notify, [Notify::default()]);
    let said = said(&loaded);
    assert!(
        said.contains(
            &"warning 15:12 cannot find an executable `monitor_service.sh`: it is never run".to_owned()
        ),
        "{said:#?}"
    );
    assert!(
        said.contains(
            &"warning 52:9 script `monitor_service` is disabled, so it protects nothing here".to_owned()
        ),
        "{said:#?}"
    );
}

/// The password stands in no diagnostic, not even in the source lines shown.
#[test]
fn the_password_is_never_shown() {
    let loaded = parse_str("node-a.conf", NODE_A, &host());
    let shown = loaded.render(false) + &format!("{:?}", loaded.config);
    assert!(shown.contains("auth_pass"));
    assert!(!shown.contains("3376"), "{shown}");
}

/// Nor in the repair that is proposed for its quotes.
#[test]
fn a_repair_does_not_show_the_password() {
    let text = NODE_A.replace("auth_pass 337639943", "auth_pass “337639943”");
    let loaded = parse_str("node-a.conf", &text, &host());
    let shown = loaded.render(false);
    assert!(shown.contains("typographic quotes"), "{shown}");
    assert!(!shown.contains("3376"), "{shown}");
}
