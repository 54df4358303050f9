//! What moves with the addresses, and who is told: routes, rules, FIFOs, files, processes, strictness.

use std::time::Duration;

use super::super::scenario::{Act, Scenario};

const ROUTES: &str = r#"
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
    virtual_routes {
        203.0.113.0/24 via 192.0.2.254 dev eth0 metric 50
        src 192.0.2.100 to 198.18.0.0/15 via 192.0.2.254 table 100 scope global
        blackhole 198.51.100.128/25
        default via 192.0.2.253 dev eth0 metric 1000
    }
    virtual_rules {
        from 192.0.2.100 table 100 priority 1000
        to 198.18.0.0/15 lookup 100 preference 1001
        fwmark 0x7 table 100 priority 1002
    }
    notify /usr/local/bin/tell.sh
}
"#;

const FIFO: &str = r#"
global_defs {
    vrrp_notify_fifo /run/vrrp.fifo
    vrrp_notify_fifo_script /usr/local/bin/reader.sh
    vrrp_notify_priority_changes true
}
vrrp_script check {
    script /usr/local/bin/check.sh
    interval 1
    weight -60
}
vrrp_sync_group G {
    group {
        VI_1
    }
    track_script {
        check
    }
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
}
"#;

const FILE: &str = r#"
track_file level {
    file /run/level
    weight 1
    init_file 0
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    track_file {
        level weight 2
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const STRICT: &str = r#"
global_defs {
    vrrp_strict
}
vrrp_instance VI_1 {
    state MASTER
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
"#;

/// keepalived says good-bye twice, ours once.
const TWICE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 0";
const ONCE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0";
/// What keepalived does when a route or a rule is gone.
const GIVES_UP: &[&str] = &[
    "announces 192.0.2.100: 10",
    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 200",
    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
];
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("routes_and_rules", ROUTES)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "a better rival",
                Act::Rival(220),
                &["told INSTANCE VI_1: BACKUP 200"],
            )
            .step("it dies", Act::RivalDies, &[HOLDS])
            .step(
                "a route is removed",
                Act::Run(&[
                    "ip",
                    "route",
                    "del",
                    "203.0.113.0/24",
                    "via",
                    "192.0.2.254",
                    "metric",
                    "50",
                ]),
                &[HOLDS],
            )
            .differs("A route or a rule that somebody else removed", GIVES_UP, &[])
            .step(
                "a rule is removed",
                Act::Run(&["ip", "rule", "del", "priority", "1001"]),
                &[HOLDS],
            )
            .differs("A route or a rule that somebody else removed", GIVES_UP, &[])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("a_fifo_and_changes_of_priority", FIFO)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step("the check fails", Act::Run(&["rm", "/run/well"]), &[])
            .step("a better rival", Act::Rival(220), &[])
            .step("the check is well", Act::Run(&["touch", "/run/well"]), &[])
            .step("stop", Act::Stop, &[])
            .differs(
                "The last lines of a FIFO",
                &[],
                &[
                    "told fifo GROUP: \"G\" STOP 0",
                    "told fifo INSTANCE: \"VI_1\" STOP 200",
                ],
            ),
        Scenario::new("a_tracked_file", FILE)
            .step("start", Act::Start, &[HOLDS])
            .step("-20", Act::Write("/run/level", "-20\n"), &[HOLDS])
            .step("30", Act::Write("/run/level", "30"), &[HOLDS])
            .step("-127", Act::Write("/run/level", "-127\n"), &[])
            .differs(
                "The priority that a fault is told with",
                &["told INSTANCE VI_1: FAULT 254", TWICE],
                &["told INSTANCE VI_1: FAULT 200", ONCE],
            )
            .step("rubbish", Act::Write("/run/level", "rubbish\n"), &[])
            .step("0", Act::Write("/run/level", "0\n"), &[HOLDS])
            .step("it is gone", Act::Run(&["rm", "/run/level"]), &[]),
        Scenario::new("strict", STRICT)
            .step("start", Act::Start, &[HOLDS])
            .step("a lower advert", Act::RivalOnce(50), &[HOLDS]),
    ]
}
