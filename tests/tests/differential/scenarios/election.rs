//! Who is Master: priorities, preemption, good-byes.

use std::time::Duration;

use super::super::scenario::{Act, Scenario};

/// A whole instance with every script.
const PLAIN: &str = r#"
vrrp_instance VI_1 {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    garp_lower_prio_delay 1
    virtual_ipaddress {
        192.0.2.100/24 brd 192.0.2.255 label eth0:vip
    }
    notify_master "/usr/local/bin/tell.sh master VI_1 yes"
    notify_backup "/usr/local/bin/tell.sh backup VI_1 yes"
    notify_fault "/usr/local/bin/tell.sh fault VI_1 yes"
    notify_stop "/usr/local/bin/tell.sh stop VI_1 yes"
    notify_master_rx_lower_pri "/usr/local/bin/tell.sh lower VI_1 yes"
    notify /usr/local/bin/tell.sh
}
"#;

/// The second burst of a contention has the global delay, not the instance's.
const LOWER_DELAY: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    garp_master_repeat 2
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const NOPREEMPT: &str = r#"
vrrp_instance VI_1 {
    state BACKUP
    nopreempt
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

const PREEMPT_DELAY: &str = r#"
vrrp_instance VI_1 {
    state BACKUP
    preempt_delay 3
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

const QUIET_MASTER: &str = r#"
global_defs {
    vrrp_garp_master_delay 0
    vrrp_garp_master_repeat 1
    vrrp_lower_prio_no_advert true
    vrrp_higher_prio_send_advert true
}
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

const OWNER: &str = r#"
vrrp_instance VI_1 {
    state MASTER
    interface eth0
    virtual_router_id 51
    priority 255
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;

/// `state MASTER` clears nopreempt, and is otherwise a hint.
const STATE_MASTER: &str = r#"
vrrp_instance VI_1 {
    state MASTER
    nopreempt
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

const HOLDS_LABELLED: &str =
    "holds 192.0.2.100/24 on eth0 scope global label eth0:vip broadcast 192.0.2.255 secondary";
const HOLDS: &str = "holds 192.0.2.100/24 on eth0 scope global label eth0 secondary";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("alone_then_a_better_one_then_alone_again", PLAIN)
            .step(
                "start",
                Act::Start,
                &[HOLDS_LABELLED, "told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .step(
                "a better rival",
                Act::Rival(220),
                &["told INSTANCE VI_1: BACKUP 200"],
            )
            .step(
                "it dies",
                Act::RivalDies,
                &[HOLDS_LABELLED, "told INSTANCE VI_1: MASTER 200"],
            )
            .step(
                "a lower advert",
                Act::RivalOnce(50),
                &[HOLDS_LABELLED, "told lower VI_1: yes"],
            )
            .step("an equal advert of a higher address", Act::RivalOnce(200), &[])
            .step(
                "a better rival again",
                Act::Rival(201),
                &["told backup VI_1: yes"],
            )
            .step("it stops", Act::RivalStops, &["told master VI_1: yes"])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("killed_and_started_again", PLAIN)
            .step("start", Act::Start, &[HOLDS_LABELLED])
            .step(
                "kill -9",
                Act::Kill,
                &[HOLDS_LABELLED, "told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            ),
        Scenario::new("delay_of_the_second_burst_after_a_contention", LOWER_DELAY)
            .quiet(Duration::from_millis(5_600))
            .step("start", Act::Start, &[HOLDS])
            .step("a lower advert", Act::RivalOnce(50), &[HOLDS]),
        Scenario::new("nopreempt", NOPREEMPT)
            .step("a lower rival is there", Act::Rival(150), &[])
            .step("start", Act::Start, &["told INSTANCE VI_1: BACKUP 200"])
            .step(
                "the rival dies",
                Act::RivalDies,
                &[HOLDS, "told INSTANCE VI_1: MASTER 200"],
            )
            .step(
                "a better one",
                Act::Rival(210),
                &["told INSTANCE VI_1: BACKUP 200"],
            )
            .step("it becomes lower", Act::Rival(150), &[])
            .step("it stops", Act::RivalStops, &["told INSTANCE VI_1: MASTER 200"]),
        Scenario::new("preempt_delay", PREEMPT_DELAY)
            .quiet(Duration::from_millis(4_000))
            .step("a lower rival is there", Act::Rival(150), &[])
            .step(
                "start",
                Act::Start,
                &[HOLDS, "told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .uncounted(),
        Scenario::new("few_words_to_contenders", QUIET_MASTER)
            .step("start", Act::Start, &[HOLDS, "announces 192.0.2.100: 1"])
            .step("a lower advert", Act::RivalOnce(50), &[HOLDS])
            .step(
                "a better rival",
                Act::Rival(220),
                &["told INSTANCE VI_1: BACKUP 200"],
            ),
        Scenario::new("the_owner_starts_at_once", OWNER)
            .step("start", Act::Start, &[HOLDS, "told INSTANCE VI_1: MASTER 255"])
            .step("a lower advert", Act::RivalOnce(254), &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 255"]),
        Scenario::new("state_master_is_a_hint_and_clears_nopreempt", STATE_MASTER)
            .step("a lower rival is there", Act::Rival(150), &[])
            .step(
                "start",
                Act::Start,
                &[HOLDS, "told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .uncounted(),
    ]
}
