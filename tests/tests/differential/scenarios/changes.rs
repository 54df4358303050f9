//! More reloads: what is tracked, who is told, and how a virtual router is known.

use std::time::Duration;

use super::super::scenario::{Act, Cable, Scenario};
use super::{HOLDS, ONCE, TWICE};

const PLAIN: &str = vi_1!();
const TRACKED: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\n}\n",
    vi_1!("track_script {\ncheck\n}\n")
);
const WEIGHED: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\nweight -60\n}\n",
    vi_1!("track_script {\ncheck\n}\n")
);
const WEIGHED_MORE: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\nweight -80\n}\n",
    vi_1!("track_script {\ncheck\n}\n")
);
const LINK: &str = vi_1!("track_interface {\neth1\n}\n");
const MULTICAST: &str = concat!(fifo!(), untold_1!());
const UNICAST: &str = concat!(
    fifo!(),
    untold_1!("unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n")
);
const BOTH: &str = concat!(
    vi_1!("notify_stop \"/usr/local/bin/tell.sh stop VI_1 yes\"\n"),
    vi_2!(
        "notify_stop \"/usr/local/bin/tell.sh stop VI_2 yes\"\nnotify_fault \"/usr/local/bin/tell.sh fault VI_2 yes\"\nnotify_deleted \"/usr/local/bin/tell.sh deleted VI_2 yes\"\n"
    )
);
const BOTH_WITHOUT: &str = concat!(
    vi_1!("notify_stop \"/usr/local/bin/tell.sh stop VI_1 yes\"\n"),
    vi_2!(
        "notify_stop \"/usr/local/bin/tell.sh stop VI_2 yes\"\nnotify_fault \"/usr/local/bin/tell.sh fault VI_2 yes\"\n"
    )
);
const OTHER_VRID: &str = concat!(
    fifo!(),
    r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 61
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"#
);
const OTHER_LINK: &str = concat!(
    fifo!(),
    r#"
vrrp_instance VI_1 {
    interface eth1
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
}
"#
);
const VERSION_2: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 1
    version 2
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;
const LABELLED: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        192.0.2.100/24 label eth0:vip
    }
    notify /usr/local/bin/tell.sh
}
"#;
const ROUTES: &str = vi_1!(
    "virtual_routes {\n203.0.113.0/24 via 192.0.2.254 dev eth0\n198.18.0.0/15 via 192.0.2.254 dev eth0\n}\nvirtual_rules {\nfrom 192.0.2.100 table 100 priority 1000\n}\n"
);
const OTHER_ROUTES: &str = vi_1!(
    "virtual_routes {\n203.0.113.0/24 via 192.0.2.253 dev eth0\n198.18.0.0/15 via 192.0.2.254 dev eth0\n}\nvirtual_rules {\nfrom 192.0.2.100 table 101 priority 1001\n}\n"
);
const NOPREEMPT: &str = vi_1!("state BACKUP\nnopreempt\n");
const OWNER: &str = vi_1!("priority 255\n");
const FIFO: &str = concat!(fifo!("fifo_write_vrrp_states_on_reload\n"), vi_1!(), vi_2!());
const SLOW_CHECK: &str = concat!(
    "vrrp_script check {\nscript \"/bin/sleep 2\"\ninterval 5\n}\n",
    vi_1!("track_script {\ncheck\n}\n")
);

/// One went, another came.
const AGAIN: &str = "told fifo INSTANCE: \"VI_1\" FAULT 200, \"VI_1\" BACKUP 200, \"VI_1\" MASTER 200";
const SILENT: &str = "A Master that a reload takes to FAULT";

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("reload_that_deletes_with_notify_deleted", BOTH)
            .step("start", Act::Start, &[HOLDS])
            .step("one less", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("reload_that_deletes_without_notify_deleted", BOTH_WITHOUT)
            .step("start", Act::Start, &[HOLDS])
            .step("one less", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("reload_that_adds_a_failing_script", PLAIN)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step("not well", Act::Run(&["rm", "/run/well"]), &[HOLDS])
            .step("reload", Act::Reload(TRACKED), &["told INSTANCE VI_1: FAULT 200"])
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("and back", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("reload_with_other_weights", WEIGHED)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step("it fails", Act::Run(&["rm", "/run/well"]), &[HOLDS])
            .step("reload", Act::Reload(WEIGHED_MORE), &[HOLDS])
            .step(
                "no weight",
                Act::Reload(TRACKED),
                &["told INSTANCE VI_1: FAULT 200"],
            )
            .differs(SILENT, &[], &[ONCE])
            .step("and back", Act::Reload(WEIGHED), &[HOLDS]),
        Scenario::new("reload_that_tracks_a_link_without_carrier", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("no carrier", Act::Unplug(Cable::Back), &[HOLDS])
            .step("reload", Act::Reload(LINK), &["told INSTANCE VI_1: FAULT 200"])
            .differs(SILENT, &[], &[ONCE])
            .step("the carrier is back", Act::Plug(Cable::Back), &[HOLDS])
            // The last that was heard of it was its good-bye.
            .differs(
                SILENT,
                &[],
                &["sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 200"],
            ),
        Scenario::new("reload_from_multicast_to_unicast", MULTICAST)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(UNICAST), &[HOLDS])
            .differs(
                "Another way to the peers",
                &["announces 192.0.2.100: 10", ONCE, AGAIN],
                &[],
            )
            .step("and back", Act::Reload(MULTICAST), &[HOLDS])
            .differs(
                "Another way to the peers",
                &[
                    "announces 192.0.2.100: 10",
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 192.0.2.2 ttl 255 [192.0.2.100]: 0",
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 200",
                    AGAIN,
                ],
                &[],
            ),
        Scenario::new("reload_with_another_vrid", MULTICAST)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(OTHER_VRID), &[HOLDS, AGAIN]),
        Scenario::new("reload_with_another_interface", MULTICAST)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(OTHER_LINK), &[AGAIN]),
        Scenario::new("reload_with_another_version", PLAIN)
            .quiet(Duration::from_millis(4_500))
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(VERSION_2), &[HOLDS]),
        Scenario::new("reload_with_a_label", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(LABELLED), &[])
            .differs("Announcements after a reload", &["announces 192.0.2.100: 5"], &[])
            .step("and back", Act::Reload(PLAIN), &[HOLDS])
            .differs("Announcements after a reload", &["announces 192.0.2.100: 5"], &[]),
        Scenario::new("reload_with_other_routes", ROUTES)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(OTHER_ROUTES), &[HOLDS])
            .step("none", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("reload_with_nopreempt", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("a better rival", Act::Rival(220), &[])
            .step("reload", Act::Reload(NOPREEMPT), &[])
            .step("the rival becomes lower", Act::Rival(150), &[])
            .step("and back", Act::Reload(PLAIN), &[HOLDS])
            .uncounted(),
        Scenario::new("reload_to_owner_and_back", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(OWNER), &[HOLDS])
            .step("and back", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("reload_that_tells_a_fifo_all_states", FIFO)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(FIFO), &[HOLDS])
            .differs(
                "States in a FIFO after a reload",
                &[],
                &["told fifo INSTANCE: \"VI_1\" MASTER 200, \"VI_2\" MASTER 150"],
            ),
        Scenario::new("reload_while_a_script_runs", SLOW_CHECK)
            .quiet(Duration::from_millis(3_500))
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(SLOW_CHECK), &[HOLDS]),
        Scenario::new("reload_while_in_fault", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("its cable", Act::Unplug(Cable::Front), &[])
            .step("reload", Act::Reload(LABELLED), &[])
            .step("it is back", Act::Plug(Cable::Front), &[])
            .step("stop", Act::Stop, &[]),
    ]
}
