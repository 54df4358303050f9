//! Addresses: what is held, in which form, and what happens when somebody else meddles.

use super::super::scenario::{Act, Scenario};

const MANY: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100
        203.0.113.101/24 dev eth0 scope link
        198.51.100.100/24 brd + dev eth1 label eth1:x
        203.0.113.1/32 scope host
    }
    virtual_ipaddress_excluded {
        203.0.113.2/32 dev eth1
        2001:db8::100/64
    }
    notify /usr/local/bin/tell.sh
}
"#;

const IPV6: &str = r#"
vrrp_instance VI_6 {
    interface eth0
    virtual_router_id 56
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        fe80::56/64
        2001:db8::56/128
        2001:db8::57/64
    }
    notify /usr/local/bin/tell.sh
}
"#;

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
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// Told by FIFO, which keeps the order of two changes at one instant; keepalived's scripts may overtake each other.
const TOLD_IN_ORDER: &str = r#"
global_defs {
    vrrp_notify_fifo /run/vrrp.fifo
    vrrp_notify_fifo_script /usr/local/bin/reader.sh
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

const V2: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    garp_master_delay 1
    advert_int 1
    authentication {
        auth_type PASS
        auth_pass 337639943
    }
    unicast_src_ip 192.0.2.1
    unicast_peer {
        192.0.2.2
        192.0.2.3
    }
    unicast_ttl 64
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// What keepalived says and does when it finds an address gone.
const GIVES_UP: &[&str] = &[
    "announces 192.0.2.100: 10",
    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 200",
    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
];
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("addresses_of_all_kinds", MANY)
            .step(
                "start",
                Act::Start,
                &[
                    "announces 203.0.113.101: 10",
                    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
                ],
            )
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("ipv6", IPV6)
            .step(
                "start",
                Act::Start,
                &["told INSTANCE VI_6: BACKUP 200, MASTER 200"],
            )
            .step("stop", Act::Stop, &["told INSTANCE VI_6: STOP 200"]),
        Scenario::new("version_2_by_unicast", V2)
            .quiet(std::time::Duration::from_millis(4_500))
            .step("start", Act::Start, &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("an_address_is_removed_by_hand", ONE)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "the address is removed",
                Act::Run(&["ip", "addr", "del", "192.0.2.100/24", "dev", "eth0"]),
                &[HOLDS],
            )
            .differs(
                "An address that somebody else removed",
                GIVES_UP,
                &["announces 192.0.2.100: 1"],
            ),
        Scenario::new("all_addresses_are_flushed_but_the_own", TOLD_IN_ORDER)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "the own address is removed",
                Act::Run(&["ip", "addr", "flush", "dev", "eth0", "scope", "global"]),
                &[],
            )
            .differs(
                "An address that somebody else removed",
                &[
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0",
                    "told fifo INSTANCE: \"VI_1\" BACKUP 200, \"VI_1\" FAULT 200",
                ],
                &["told fifo INSTANCE: \"VI_1\" FAULT 200"],
            )
            .step(
                "and comes back",
                Act::Run(&["ip", "addr", "add", "192.0.2.1/24", "dev", "eth0"]),
                &[],
            )
            // The last that was heard of it was its good-bye.
            .differs(
                "An address that somebody else removed",
                &["sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 200"],
                &[],
            ),
        Scenario::new("an_address_is_there_already", ONE)
            .step(
                "the address is there",
                Act::Run(&["ip", "addr", "add", "192.0.2.100/24", "dev", "eth0"]),
                &[HOLDS],
            )
            .step("start", Act::Start, &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
    ]
}
