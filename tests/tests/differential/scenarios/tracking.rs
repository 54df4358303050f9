//! What is tracked: interfaces and scripts, with and without weight, alone and in a sync group.

use std::time::Duration;

use super::super::scenario::{Act, Cable, Scenario};

/// Two unweighted interfaces beside the own one (keepalived 2.4.3 leaves FAULT when one of them comes back).
const TWO_LINKS: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    track_interface {
        eth1
        lo
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const WEIGHED_LINK: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    track_interface {
        eth1 weight -50
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const SCRIPT: &str = r#"
vrrp_script check {
    script /usr/local/bin/check.sh
    interval 1
    fall 2
    rise 2
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    track_script {
        check
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const WEIGHED_SCRIPT: &str = r#"
vrrp_script check {
    script /usr/local/bin/check.sh
    interval 1
    weight -60
}
vrrp_script bonus {
    script "/bin/test -e /run/bonus"
    interval 1
    weight 30
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    track_script {
        check
        bonus
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const GROUP: &str = r#"
vrrp_sync_group G {
    group {
        VI_1
        VI_2
    }
    notify_master "/usr/local/bin/tell.sh master G yes"
    notify_backup "/usr/local/bin/tell.sh backup G yes"
    notify_fault "/usr/local/bin/tell.sh fault G yes"
    notify /usr/local/bin/tell.sh
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
vrrp_instance VI_2 {
    interface eth1
    virtual_router_id 52
    priority 150
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        198.51.100.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// keepalived says good-bye twice, ours once.
const TWICE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 0";
const ONCE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0";
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("two_links_down_and_one_up", TWO_LINKS)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "lo comes up",
                Act::Run(&["ip", "link", "set", "lo", "up"]),
                &[HOLDS],
            )
            .step(
                "eth1 loses its carrier",
                Act::Unplug(Cable::Back),
                &["told INSTANCE VI_1: FAULT 200"],
            )
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step(
                "lo goes down too",
                Act::Run(&["ip", "link", "set", "lo", "down"]),
                &[],
            )
            .step("eth1 is back", Act::Plug(Cable::Back), &[])
            .step(
                "lo is back",
                Act::Run(&["ip", "link", "set", "lo", "up"]),
                &[HOLDS],
            ),
        Scenario::new("the_own_link", WEIGHED_LINK)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "its cable is pulled",
                Act::Unplug(Cable::Front),
                &["told INSTANCE VI_1: FAULT 200"],
            )
            .step(
                "and plugged in",
                Act::Plug(Cable::Front),
                &[HOLDS, "told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .step(
                "it is set down",
                Act::Run(&["ip", "link", "set", "eth0", "down"]),
                &["told INSTANCE VI_1: FAULT 200"],
            )
            .step("and up", Act::Run(&["ip", "link", "set", "eth0", "up"]), &[HOLDS]),
        Scenario::new("a_weighed_link", WEIGHED_LINK)
            .step("start", Act::Start, &[HOLDS])
            .step("it loses its carrier", Act::Unplug(Cable::Back), &[HOLDS])
            .step(
                "a rival between",
                Act::Rival(170),
                &["told INSTANCE VI_1: BACKUP 150"],
            )
            .step(
                "the carrier is back",
                Act::Plug(Cable::Back),
                &[HOLDS, "told INSTANCE VI_1: MASTER 200"],
            )
            .uncounted(),
        Scenario::new("a_script_without_weight", SCRIPT)
            .quiet(Duration::from_millis(3_300))
            .step("start", Act::Start, &[HOLDS])
            .step(
                "it fails",
                Act::Run(&["rm", "/run/well"]),
                &["told INSTANCE VI_1: FAULT 200"],
            )
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("a_script_that_fails_from_the_start", SCRIPT)
            .quiet(Duration::from_millis(3_300))
            .step("not well", Act::Run(&["rm", "/run/well"]), &[])
            .step("start", Act::Start, &["told INSTANCE VI_1: FAULT 200"])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS]),
        Scenario::new("weighed_scripts", WEIGHED_SCRIPT)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step("the bonus", Act::Run(&["touch", "/run/bonus"]), &[HOLDS])
            .step("the check fails", Act::Run(&["rm", "/run/well"]), &[HOLDS])
            .step(
                "a rival between",
                Act::Rival(180),
                &["told INSTANCE VI_1: BACKUP 170"],
            )
            .step(
                "the check is well",
                Act::Run(&["touch", "/run/well"]),
                &[HOLDS, "told INSTANCE VI_1: MASTER 230"],
            )
            .uncounted(),
        Scenario::new("a_sync_group", GROUP)
            .step("start", Act::Start, &[HOLDS, "told GROUP G: BACKUP 0, MASTER 0"])
            .step(
                "one member's cable",
                Act::Unplug(Cable::Back),
                &["told INSTANCE VI_1: FAULT 200", "told GROUP G: FAULT 0"],
            )
            .step("is back", Act::Plug(Cable::Back), &[HOLDS])
            .step(
                "one member meets a rival",
                Act::Rival(220),
                &["told INSTANCE VI_2: BACKUP 150", "told backup G: yes"],
            )
            .step("which dies", Act::RivalDies, &[HOLDS, "told master G: yes"])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
    ]
}
