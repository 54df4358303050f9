use super::between;
use crate::config::{Config, Host, parse_str};
use crate::ingress::control::message::{Change, ChangeKind};

const BEFORE: &str = "\
global_defs {
    dynamic_interfaces
}
vrrp_instance web {
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass first
    }
    unicast_peer {
        192.0.2.2
    }
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.101/24
    }
}
vrrp_instance old {
    interface eth0
    virtual_router_id 52
    virtual_ipaddress {
        192.0.2.110
    }
}
";

fn config(text: &str) -> Config {
    parse_str("test.conf", text, &Host).config.unwrap()
}

fn change(subject: &str, kind: ChangeKind, details: &[&str]) -> Change {
    Change {
        subject: subject.to_owned(),
        kind,
        details: details.iter().map(|detail| (*detail).to_owned()).collect(),
    }
}

#[test]
fn the_same_changes_nothing() {
    assert_eq!(between(&config(BEFORE), &config(BEFORE)), []);
}

#[test]
fn each_setting_has_its_words_and_no_password() {
    let after = BEFORE
        .replace("priority 100", "priority 150\n    nopreempt")
        .replace("advert_int 1", "advert_int 2")
        .replace("auth_pass first", "auth_pass second")
        .replace("192.0.2.2\n", "192.0.2.3\n")
        .replace("192.0.2.101/24", "192.0.2.102/24")
        .replace("instance old", "instance new")
        .replace("virtual_router_id 52", "virtual_router_id 53");
    let changes = between(&config(BEFORE), &config(&after));
    assert_eq!(
        changes,
        [
            change(
                "instance web",
                ChangeKind::Changed,
                &[
                    "priority 100 -> 150",
                    "advert_int 1.00 s -> 2.00 s",
                    "preemption at once -> nopreempt",
                    "authentication",
                    "peer 192.0.2.3: new",
                    "peer 192.0.2.2: gone",
                    "address 192.0.2.102/24 on eth0: new",
                    "address 192.0.2.101/24 on eth0: gone",
                ]
            ),
            change(
                "instance new",
                ChangeKind::Added,
                &[
                    "VRID 53 on eth0, priority 100, advert every 1.00 s",
                    "addresses 192.0.2.110/32 on eth0"
                ]
            ),
            change(
                "instance old",
                ChangeKind::Removed,
                &["gives up with priority 0 if it is Master"]
            ),
        ]
    );
    let text = format!("{changes:?}");
    assert!(!text.contains("first") && !text.contains("second"), "{text}");
}

#[test]
fn what_has_no_words_of_its_own_is_not_passed_over() {
    let after = BEFORE.replace("priority 100", "priority 100\n    vrrp_late_advert 70");
    assert_eq!(
        between(&config(BEFORE), &config(&after)),
        [change("instance web", ChangeKind::Changed, &["other settings"])]
    );
    let after = BEFORE.replace("dynamic_interfaces", "dynamic_interfaces\n vrrp_startup_delay 5");
    assert_eq!(
        between(&config(BEFORE), &config(&after)),
        [change(
            "global",
            ChangeKind::Changed,
            &["vrrp_startup_delay or vrrp_delay_after_boot: at the next start"]
        )]
    );
}
