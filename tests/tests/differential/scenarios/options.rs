//! One option at a time, and the event it is for.

use std::time::Duration;

use super::super::scenario::{Act, Cable, Scenario};
use super::{HOLDS, ONCE, TWICE};

const UNICAST: &str = vi_1!("unicast_src_ip 192.0.2.1\nunicast_peer {\n192.0.2.2\n}\n");
const OWNER: &str = vi_1!("state MASTER\npriority 255\n");
const DONT_TRACK: &str = vi_1!("dont_track_primary\n");
const POSITIVE: &str = vi_1!("track_interface {\neth1 weight 20\n}\n");
const NEGATED: &str = vi_1!("track_interface {\neth1 weight -20 reverse\n}\n");
const NOPREEMPT: &str = vi_1!("state BACKUP\nnopreempt\n");
const PREEMPT_DELAY: &str = vi_1!("state BACKUP\npreempt_delay 2\n");
const STARTUP_DELAY: &str = concat!("global_defs {\nvrrp_startup_delay 2\n}\n", vi_1!());
const DOWN_TIMER: &str = vi_1!("down_timer_adverts 20\n");
const NO_TRACK: &str =
    vi_1!("virtual_ipaddress_excluded {\n192.0.2.101/24 no_track\n192.0.2.102/24\n2001:db8::100/64\n}\n");
const V2: &str = r#"
vrrp_instance VI_1 {
    interface eth0
    virtual_router_id 51
    priority 200
    garp_master_delay 1
    authentication {
        auth_type PASS
        auth_pass secret
    }
    virtual_ipaddress {
        192.0.2.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;
const DYNAMIC: &str = r#"
global_defs {
    dynamic_interfaces allow_if_changes
}
vrrp_instance VI_1 {
    interface eth2
    virtual_router_id 51
    priority 200
    advert_int 0.1
    version 3
    garp_master_delay 1
    virtual_ipaddress {
        203.0.113.100/24
    }
    notify /usr/local/bin/tell.sh
}
"#;
/// It hangs, deaf to SIGTERM, while the file is not there.
const HANGING: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/hang.sh\ninterval 2\ntimeout 1\n}\n",
    vi_1!("track_script {\ncheck\n}\n")
);
const HANG: &str = "printf '%s\\n' '#!/bin/sh' 'test -e /run/well && exit 0' \"trap '' TERM\" \
                    'while :; do sleep 0.1; done' >/usr/local/bin/hang.sh; chmod 755 /usr/local/bin/hang.sh";
const FIFO: &str = concat!(fifo!(), vi_1!());

const NEIGHBOUR: Act = Act::Run(&[
    "ip",
    "neigh",
    "add",
    "192.0.2.2",
    "lladdr",
    "02:00:00:00:00:02",
    "dev",
    "eth0",
    "nud",
    "permanent",
]);
const REMOVED: &str = "An address that somebody else removed";
/// Removed from `virtual_ipaddress_excluded` (the one with `no_track` comes back with it).
const GIVES_UP: &[&str] = &[
    "announces 192.0.2.100: 10",
    "announces 192.0.2.101: 10",
    "announces 192.0.2.102: 10",
    "announces 2001:db8::100: 10",
    "holds 192.0.2.101/24 on eth0 scope global label eth0 secondary",
    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 200",
    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
];

pub(super) fn all() -> Vec<Scenario> {
    vec![
        Scenario::new("unicast_and_its_cable", UNICAST)
            .step("a hardware address that need not be asked for", NEIGHBOUR, &[])
            .step("start", Act::Start, &[HOLDS])
            .step("its cable is pulled", Act::Unplug(Cable::Front), &["told INSTANCE VI_1: FAULT 200"])
            .step("and plugged in", Act::Plug(Cable::Front), &[HOLDS, "announces 192.0.2.1: 1"])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("two_owners", OWNER)
            .step("start", Act::Start, &[HOLDS])
            .step("another owner", Act::Rival(255), &[])
            .differs(
                "Two owners",
                &["told INSTANCE VI_1: BACKUP 254"],
                &["told INSTANCE VI_1: BACKUP 255"],
            )
            .step("it dies", Act::RivalDies, &[HOLDS])
            .differs(
                "Two owners",
                &[
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 254",
                    "told INSTANCE VI_1: MASTER 254",
                ],
                &["told INSTANCE VI_1: MASTER 255"],
            ),
        Scenario::new("dont_track_primary", DONT_TRACK)
            .step("start", Act::Start, &[HOLDS])
            .step("its cable is pulled", Act::Unplug(Cable::Front), &[])
            .step("and plugged in", Act::Plug(Cable::Front), &[HOLDS])
            .differs("A Master whose interface was down", &[], &["announces 192.0.2.100: 1"]),
        Scenario::new("a_positive_weight", POSITIVE)
            .step("start", Act::Start, &[HOLDS])
            .step("the carrier is lost", Act::Unplug(Cable::Back), &[HOLDS])
            .step("and back", Act::Plug(Cable::Back), &[HOLDS]),
        Scenario::new("a_weight_reversed", NEGATED)
            .step("start", Act::Start, &[HOLDS])
            .step("the carrier is lost", Act::Unplug(Cable::Back), &[HOLDS])
            .step("and back", Act::Plug(Cable::Back), &[HOLDS]),
        Scenario::new("nopreempt_and_the_cable", NOPREEMPT)
            .step("start", Act::Start, &[HOLDS])
            .step("its cable is pulled", Act::Unplug(Cable::Front), &[])
            .step("a lower rival", Act::Rival(150), &[])
            .step("and plugged in", Act::Plug(Cable::Front), &["told INSTANCE VI_1: BACKUP 200"])
            .step("the rival stops", Act::RivalStops, &[HOLDS]),
        Scenario::new("preempt_delay_and_the_cable", PREEMPT_DELAY)
            .quiet(Duration::from_millis(3_000))
            .step("start", Act::Start, &[HOLDS])
            .step("its cable is pulled", Act::Unplug(Cable::Front), &[])
            .step("a lower rival", Act::Rival(150), &[])
            .step("and plugged in", Act::Plug(Cable::Front), &[HOLDS])
            .uncounted(),
        Scenario::new("startup_delay", STARTUP_DELAY)
            .quiet(Duration::from_millis(3_000))
            .step("start", Act::Start, &[HOLDS, "told INSTANCE VI_1: BACKUP 200, MASTER 200"]),
        Scenario::new("startup_delay_beside_a_lower_master", STARTUP_DELAY)
            .quiet(Duration::from_millis(3_000))
            .step("a lower rival is there", Act::Rival(150), &[])
            .step("start", Act::Start, &[])
            .uncounted()
            .differs(
                "After the startup delay",
                &["told INSTANCE VI_1: BACKUP 200"],
                &[
                    "announces 192.0.2.100",
                    "goes on with v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]",
                    HOLDS,
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 200",
                    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
                ],
            ),
        Scenario::new("twenty_adverts_may_be_missed", DOWN_TIMER)
            .quiet(Duration::from_millis(3_000))
            .step("start", Act::Start, &[HOLDS])
            .step("a better rival", Act::Rival(220), &["told INSTANCE VI_1: BACKUP 200"])
            .step("it stops", Act::RivalStops, &[HOLDS])
            .step("stop", Act::Stop, &[]),
        Scenario::new("excluded_addresses_are_removed", NO_TRACK)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "one without tracking",
                Act::Run(&["ip", "addr", "del", "192.0.2.101/24", "dev", "eth0"]),
                &[HOLDS],
            )
            .step(
                "one with",
                Act::Run(&["ip", "addr", "del", "192.0.2.102/24", "dev", "eth0"]),
                &[HOLDS],
            )
            .differs(REMOVED, GIVES_UP, &["announces 192.0.2.102: 1"])
            .step(
                "one of the other family",
                Act::Run(&["ip", "addr", "del", "2001:db8::100/64", "dev", "eth0"]),
                &[HOLDS],
            )
            .differs(REMOVED, GIVES_UP, &["announces 2001:db8::100: 1"]),
        Scenario::new("version_2_by_multicast", V2)
            .quiet(Duration::from_millis(4_500))
            .step("start", Act::Start, &[HOLDS])
            .step("its cable is pulled", Act::Unplug(Cable::Front), &["told INSTANCE VI_1: FAULT 200"])
            .step("and plugged in", Act::Plug(Cable::Front), &[HOLDS])
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("an_interface_that_comes_and_goes", DYNAMIC)
            .step("start", Act::Start, &["told INSTANCE VI_1: FAULT 200"])
            .step(
                "it is made",
                Act::Run(&["sh", "-c", "ip link add eth2 type veth peer name eth3 && ip link set eth3 up && ip addr add 203.0.113.1/24 dev eth2 && ip link set eth2 up"]),
                &["told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .step("it is deleted", Act::Run(&["ip", "link", "del", "eth2"]), &["told INSTANCE VI_1: FAULT 200"])
            .step(
                "it is made again",
                Act::Run(&["sh", "-c", "ip link add eth2 type veth peer name eth3 && ip link set eth3 up && ip addr add 203.0.113.1/24 dev eth2 && ip link set eth2 up"]),
                &["told INSTANCE VI_1: BACKUP 200, MASTER 200"],
            )
            .step("stop", Act::Stop, &["told INSTANCE VI_1: STOP 200"]),
        Scenario::new("a_script_that_hangs", HANGING)
            .quiet(Duration::from_millis(4_500))
            .step("a script", Act::Run(&["sh", "-c", HANG]), &[])
            .step("start", Act::Start, &[HOLDS])
            .step("it hangs", Act::Run(&["rm", "/run/well"]), &["told INSTANCE VI_1: FAULT 200"])
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS]),
        Scenario::new("a_fifo_and_a_contender", FIFO)
            .step("start", Act::Start, &[HOLDS])
            .step("a lower advert", Act::RivalOnce(50), &[HOLDS]),
    ]
}
