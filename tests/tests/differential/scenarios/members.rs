//! Sync groups: what they track, and whose weights count.

use std::time::Duration;

use super::super::scenario::{Act, Cable, Scenario};
use super::{HOLDS, ONCE, TWICE};

const GROUP_TRACKS: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\ntrack_script {\ncheck\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
    vi_2!()
);
const GROUP_WEIGHS: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\nweight -60\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\ntrack_script {\ncheck\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
    vi_2!()
);
const MEMBERS_WEIGH: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\nweight -60\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nsync_group_tracking_weight\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!("track_script {\ncheck\n}\n"),
    vi_2!("track_script {\ncheck\n}\n")
);
const MEMBERS_IGNORED: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\nweight -60\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!("track_script {\ncheck\n}\n"),
    vi_2!("track_script {\ncheck\n}\n")
);
const ONE_FAILS: &str = concat!(
    "vrrp_script check {\nscript /usr/local/bin/check.sh\ninterval 1\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!("track_script {\ncheck\n}\n"),
    vi_2!()
);
const PLAIN: &str = concat!(
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
    vi_2!()
);
const UNGROUPED: &str = concat!(vi_1!(), vi_2!());
const GROUP_FILE: &str = concat!(
    "track_file level {\nfile /run/level\nweight 1\ninit_file 0\n}\n",
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\ntrack_file {\nlevel\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
    vi_2!()
);
const GROUP_LINK: &str = concat!(
    "vrrp_sync_group G {\ngroup {\nVI_1\n}\ntrack_interface {\neth1\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
);

/// One more, of its own instance.
const BOTH_GROUPS: &str = concat!(
    "vrrp_sync_group G {\ngroup {\nVI_1\nVI_2\n}\nnotify /usr/local/bin/tell.sh\n}\n",
    vi_1!(),
    vi_2!(),
    "vrrp_sync_group H {\ngroup {\nVI_3\n}\nnotify /usr/local/bin/tell.sh\n",
    "notify_fault \"/usr/local/bin/tell.sh fault H yes\"\n}\n",
    "vrrp_instance VI_3 {\ninterface eth1\nvirtual_router_id 53\npriority 150\nadvert_int 0.1\nversion 3\n",
    "garp_master_delay 1\nvirtual_ipaddress {\n198.51.100.103/24\n}\nnotify /usr/local/bin/tell.sh\n}\n"
);

pub(super) fn all() -> Vec<Scenario> {
    let weighed = |name, file| {
        Scenario::new(name, file)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step("it fails", Act::Run(&["rm", "/run/well"]), &[HOLDS])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS])
            .step("stop", Act::Stop, &["told GROUP G: STOP 0"])
    };
    let failing = |name, file| {
        Scenario::new(name, file)
            .quiet(Duration::from_millis(2_300))
            .step("start", Act::Start, &[HOLDS])
            .step(
                "it fails",
                Act::Run(&["rm", "/run/well"]),
                &["told GROUP G: FAULT 0"],
            )
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("it is well", Act::Run(&["touch", "/run/well"]), &[HOLDS])
            .step("stop", Act::Stop, &["told GROUP G: STOP 0"])
    };
    vec![
        failing("a_group_tracks_a_script", GROUP_TRACKS),
        weighed("a_group_weighs_a_script", GROUP_WEIGHS),
        weighed("members_weights_that_count", MEMBERS_WEIGH),
        weighed("members_weights_that_do_not", MEMBERS_IGNORED),
        failing("a_members_script_fails", ONE_FAILS),
        Scenario::new("a_group_tracks_a_link", GROUP_LINK)
            .step("start", Act::Start, &[HOLDS])
            .step("it fails", Act::Unplug(Cable::Back), &["told GROUP G: FAULT 0"])
            .differs("One good-bye on a fault", &[TWICE], &[ONCE])
            .step("it is well", Act::Plug(Cable::Back), &[HOLDS]),
        Scenario::new("a_group_tracks_a_file", GROUP_FILE)
            .step("start", Act::Start, &[HOLDS])
            .step("-20", Act::Write("/run/level", "-20\n"), &[HOLDS])
            .step("-300", Act::Write("/run/level", "-300\n"), &["told GROUP G: FAULT 0"])
            .differs(
                "The priority that a fault is told with",
                &["told INSTANCE VI_1: FAULT 180", "told INSTANCE VI_2: FAULT 130", TWICE],
                &["told INSTANCE VI_1: FAULT 200", "told INSTANCE VI_2: FAULT 150", ONCE],
            )
            .step("0", Act::Write("/run/level", "0\n"), &[HOLDS]),
        Scenario::new("a_member_loses_its_address", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step(
                "the address is removed",
                Act::Run(&["ip", "addr", "del", "192.0.2.100/24", "dev", "eth0"]),
                &[HOLDS],
            )
            .differs(
                "An address that somebody else removed",
                &[
                    "announces 192.0.2.100: 10",
                    "sends v3 VRID 51 every 100 ms from 192.0.2.1 to 224.0.0.18 ttl 255 [192.0.2.100]: 0, 200",
                    "told GROUP G: MASTER 0",
                    "told INSTANCE VI_1: BACKUP 200, MASTER 200",
                    "told INSTANCE VI_2: BACKUP 150, MASTER 150",
                ],
                &["announces 192.0.2.100: 1"],
            ),
        Scenario::new("a_group_is_formed_and_dissolved", UNGROUPED)
            .step("start", Act::Start, &[HOLDS])
            .step("a group", Act::Reload(PLAIN), &[HOLDS])
            .differs("A group that a reload makes", &[], &["told GROUP G: MASTER 0"])
            .step("a member's cable", Act::Unplug(Cable::Back), &["told INSTANCE VI_1: FAULT 200"])
            .step("no group", Act::Reload(UNGROUPED), &[HOLDS])
            .step("the cable is back", Act::Plug(Cable::Back), &[HOLDS]),
        Scenario::new("a_group_and_its_members_are_deleted", BOTH_GROUPS)
            .step("start", Act::Start, &[HOLDS])
            .step("reload", Act::Reload(PLAIN), &[HOLDS]),
        Scenario::new("a_group_and_kill", PLAIN)
            .step("start", Act::Start, &[HOLDS])
            .step("kill -9", Act::Kill, &[HOLDS]),
    ]
}
