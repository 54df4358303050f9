//! How announcements are paced and repeated, and what is done when an address is removed. The outcomes are those
//! seen of keepalived 2.2.7 with `-t`, where it has the keyword.

use vrrp_common::time::Nanos;

use super::{FakeHost, instance, read, remarked, said};
use crate::config::{Pacing, PacingGroup, exit_class, parse_str};
use crate::proto::model::WhenLost;

fn global(lines: &str) -> String {
    format!("global_defs {{\n{lines}\n}}\n{}", instance(""))
}

fn group(lines: &str) -> String {
    format!("garp_group {{\n{lines}\n}}\n")
}

/// The pacing of a text that gives no remark.
fn pacing(text: &str) -> Pacing {
    let loaded = read(text);
    assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
    loaded.config.unwrap().global.pacing
}

#[test]
fn intervals() {
    assert_eq!(
        pacing(&global("vrrp_garp_interval 0.0001\nvrrp_gna_interval 2")),
        Pacing {
            garp: Nanos(100_000),
            gna: Nanos(2_000_000_000),
            groups: Vec::new(),
        }
    );
    for bad in ["4294.967296", "-1", "abc"] {
        let config = remarked(
            &global(&format!("vrrp_garp_interval {bad}")),
            &format!(
                "`vrrp_garp_interval` takes seconds from 0.000001 to 4294.967295, not `{bad}`; there is no pause"
            ),
        );
        assert_eq!(config.global.pacing, Pacing::default());
    }
}

#[test]
fn groups_in_every_shape() {
    let shapes = [
        "garp_interval 0.5\ngna_interval 0.25\ninterfaces {\n d0\n d1\n}",
        "garp_interval 0.5\ngna_interval 0.25\ninterfaces { d0 d1 }",
        "garp_interval 0.5\ngna_interval 0.25\ninterface d0\ninterface d1",
        "interface d0\ngarp_interval 0.5\ninterfaces {\n d1 }\ngna_interval 0.25",
    ];
    for lines in shapes {
        // Before the instance or after it.
        for text in [group(lines) + &instance(""), instance("") + &group(lines)] {
            let expected = PacingGroup {
                garp: Nanos(500_000_000),
                gna: Nanos(250_000_000),
                interfaces: vec!["d0".to_owned(), "d1".to_owned()],
            };
            assert_eq!(pacing(&text).groups, [expected], "{text}");
        }
    }
}

#[test]
fn groups_that_make_no_sense() {
    let given = |text: String, remark: &str, class: u8| {
        let loaded = read(&text);
        let said = said(&loaded);
        assert!(said.len() == 1 && said[0].ends_with(remark), "{text}\n{said:#?}");
        assert_eq!(exit_class(&loaded), class, "{text}");
        loaded.config.unwrap().global.pacing
    };
    let none = "this `garp_group` has no interval";
    given(group("interface d0") + &instance(""), none, 5);
    given(group("garp_interval 0\ninterface d0") + &instance(""), none, 0);
    let twice = group("garp_interval 1\ninterface d0");
    let pacing = given(
        twice.clone() + &twice + &instance(""),
        "`d0` is in a `garp_group` already",
        5,
    );
    assert_eq!(pacing.groups[0].interfaces, ["d0"]);
    assert!(pacing.groups[1].interfaces.is_empty());
    given(
        group("garp_interval 1\ngna_interval 4294.5\ninterface d0") + &instance(""),
        "`gna_interval` takes seconds from 0 to 2147.483647, not `4294.5`; there is no pause",
        5,
    );
}

/// As with the interface of an instance: keepalived ends with a configuration error.
#[test]
fn an_interface_that_is_not_there() {
    let host = FakeHost {
        interfaces: Some(vec!["d0".to_owned()]),
        ..FakeHost::default()
    };
    let text = group("garp_interval 1\ninterface d7") + &instance("");
    let loaded = parse_str("test.conf", &text, &host);
    assert_eq!(said(&loaded), ["error 3:11 non-existent interface `d7`"]);
    assert!(loaded.config.is_none());
    let text = format!("global_defs {{\n dynamic_interfaces\n}}\n{text}");
    assert!(parse_str("test.conf", &text, &host).config.is_some());
}

#[test]
fn repeats() {
    let announce = |text: &str| read(text).config.unwrap().model.routers[0].announce;
    for (keyword, said) in [
        ("garp_master_repeat 0", "`garp_master_repeat` must be at least 1"),
        (
            "garp_master_refresh_repeat 0",
            "`garp_master_refresh_repeat` must be at least 1",
        ),
        (
            "garp_master_repeat 256",
            "`garp_master_repeat` is at most 255 here",
        ),
    ] {
        remarked(&instance(keyword), said);
    }
    assert_eq!(announce(&instance("garp_master_repeat 0")).repeat, 1);
    assert_eq!(
        announce(&instance("garp_master_refresh_repeat 0")).refresh_repeat,
        1
    );
    assert_eq!(announce(&instance("garp_master_repeat 256")).repeat, 255);
    // None is asked for, and none is what it gets.
    let quiet = instance("garp_lower_prio_repeat 0");
    assert_eq!(said(&read(&quiet)), Vec::<String>::new());
    assert_eq!(announce(&quiet).lower_repeat, 0);
}

/// Delay, repeat, refresh, refresh repeat, lower delay, lower repeat; times in seconds.
#[test]
fn each_number_has_its_keyword() {
    let numbers = |text: &str| {
        let loaded = read(text);
        assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
        let announce = loaded.config.unwrap().model.routers[0].announce;
        let seconds = |time: Nanos| time.0 / 1_000_000_000;
        (
            seconds(announce.delay),
            announce.repeat,
            seconds(announce.refresh),
            announce.refresh_repeat,
            seconds(announce.lower_delay),
            announce.lower_repeat,
        )
    };
    let all = |prefix: &str| {
        format!(
            "{prefix}garp_master_delay 11\n{prefix}garp_master_repeat 12\n{prefix}garp_master_refresh 13\n\
             {prefix}garp_master_refresh_repeat 14\n{prefix}garp_lower_prio_delay 15\n\
             {prefix}garp_lower_prio_repeat 16"
        )
    };
    assert_eq!(numbers(&global("")), (5, 5, 0, 1, 5, 5));
    assert_eq!(numbers(&global(&all("vrrp_"))), (11, 12, 13, 14, 15, 16));
    assert_eq!(numbers(&instance(&all(""))), (11, 12, 13, 14, 15, 16));
    // Whatever is not said of the lower priority is that of the Master.
    assert_eq!(
        numbers(&global("vrrp_garp_master_delay 7\nvrrp_garp_master_repeat 3")),
        (7, 3, 0, 1, 7, 3)
    );
    assert_eq!(numbers(&instance("garp_master_repeat 2")), (5, 2, 0, 1, 5, 5));
    assert_eq!(numbers(&global("vrrp_min_garp")), (0, 1, 0, 1, 0, 1));
    assert_eq!(numbers(&global("vrrp_min_garp off")), (5, 5, 0, 1, 5, 5));
}

#[test]
fn what_to_do_when_an_address_is_removed() {
    let lost = |text: &str| {
        let loaded = read(text);
        assert_eq!(said(&loaded), Vec::<String>::new(), "{text}");
        loaded.config.unwrap().model.routers[0].uncommon.when_lost
    };
    assert_eq!(lost(&instance("")), WhenLost::Restore);
    assert_eq!(lost(&instance("vrrp_vip_removed backup")), WhenLost::Backup);
    assert_eq!(lost(&global("vrrp_vip_removed backup")), WhenLost::Backup);
    let both = global("vrrp_vip_removed backup").replace("}\n\n}\n", "}\n vrrp_vip_removed restore\n}\n");
    assert_eq!(lost(&both), WhenLost::Restore);
    remarked(
        &instance("vrrp_vip_removed never"),
        "`vrrp_vip_removed` takes restore or backup, not `never`; it is ignored",
    );
}
