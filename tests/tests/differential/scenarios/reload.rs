//! The file changes under a running daemon.

use super::super::scenario::{Act, Scenario};

const BASE: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.101/24
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

/// VI_1 has another priority and another interval.
const SLOWER: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 120
    advert_int 0.2
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// One address, as the rival has it.
const SINGLE: &str = r#"
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
"#;

/// The same, and an address that is not in the adverts.
const SINGLE_AND_EXCLUDED: &str = r#"
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
    virtual_ipaddress_excluded {
        192.0.2.109/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// 192.0.2.101 went, 192.0.2.102 came.
const OTHER_ADDRESSES: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.102/24
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

/// 192.0.2.101 moved to VI_2.
const MOVED: &str = r#"
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
        192.0.2.101/24 dev eth0
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// VI_2 is gone.
const ONE: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.101/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// VI_1 is called VI_X.
const RENAMED: &str = r#"
vrrp_instance VI_X {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
        192.0.2.101/24
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

/// It does not say which interface.
const BAD: &str = r#"
vrrp_instance VI_1 {
    interface nosuch0
    virtual_router_id 51
    priority 200
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"#;

const SCRIPT: &str = r#"
vrrp_script check {
    script /usr/local/bin/check.sh
    interval 1
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

/// The same script, looked at less often; and another priority.
const SCRIPT_CHANGED: &str = r#"
vrrp_script check {
    script /usr/local/bin/check.sh
    interval 2
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 190
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

/// keepalived says good-bye twice, ours once.
const TWICE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 0";
const ONCE: &str = "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0";
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";
const HOLDS_TOO: &str = "holds 192.0.2.101/24 on eth0 scope global label eth0 secondary";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("reload_of_the_same_file", BASE)
            .step("start", Act::Start, &[HOLDS, HOLDS_TOO])
            .step("reload", Act::Reload(BASE), &[HOLDS, HOLDS_TOO])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("reload_with_another_priority_and_interval", SINGLE)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(SLOWER), &[HOLDS])
            .step(
                "a rival between",
                Act::Rival(160),
                &["told INSTANCE VI_1: BACKUP 120"],
            )
            .step("reload back", Act::Reload(SINGLE), &[HOLDS])
            .uncounted(),
        Scenario::new("reload_with_other_addresses", BASE)
            .step("start", Act::Start, &[HOLDS, HOLDS_TOO])
            .step("reload", Act::Reload(OTHER_ADDRESSES), &[HOLDS])
            .differs(
                "Announcements after a reload",
                &["announces 192.0.2.102: 5"],
                &["announces 192.0.2.102: 10"],
            )
            .step("the old ones", Act::Reload(BASE), &[HOLDS_TOO])
            .differs(
                "Announcements after a reload",
                &["announces 192.0.2.101: 5"],
                &["announces 192.0.2.101: 10"],
            )
            .step("one moves to another instance", Act::Reload(MOVED), &[HOLDS, HOLDS_TOO])
            .step("and back", Act::Reload(BASE), &[HOLDS])
            .differs("An address that moves to another instance", &[], &[HOLDS_TOO]),
        Scenario::new("reload_with_fewer_and_more_instances", BASE)
            .step("start", Act::Start, &[HOLDS, HOLDS_TOO])
            .step("one less", Act::Reload(ONE), &[HOLDS])
            .step("one more", Act::Reload(BASE), &[HOLDS]),
        Scenario::new("reload_with_another_name", BASE)
            .step("start", Act::Start, &[HOLDS, HOLDS_TOO])
            .step("reload", Act::Reload(RENAMED), &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_X: STOP 200"]),
        Scenario::new("reload_of_a_bad_file", BASE)
            .step("start", Act::Start, &[HOLDS, HOLDS_TOO])
            .step("reload", Act::Reload(BAD), &[])
            .differs(
                "A reload of a file that cannot be run",
                &[],
                &["goes on with v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100 192.0.2.101]"],
            ),
        Scenario::new("reload_while_backup", SINGLE)
            .step("a rival", Act::Rival(220), &[])
            .step("start", Act::Start, &["told INSTANCE VI_1: BACKUP 200"])
            .step("reload", Act::Reload(SINGLE_AND_EXCLUDED), &[])
            .step(
                "the rival dies",
                Act::RivalDies,
                &["told INSTANCE VI_1: MASTER 200"],
            ),
        Scenario::new("reload_with_a_script", SCRIPT)
            .quiet(std::time::Duration::from_millis(3_300))
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(SCRIPT_CHANGED), &[HOLDS])
            .step(
                "it fails",
                Act::Run(&["rm", "/run/well"]),
                &["told INSTANCE VI_1: FAULT 190"],
            )
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("reload", Act::Reload(SCRIPT), &[])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS]),
    ]
}
