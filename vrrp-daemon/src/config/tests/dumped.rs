//! The configuration whose dumps by keepalived 2.2.7 and 2.4.3 are at hand: the same facts must come out.

use vrrp_common::id::{Family, Version};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::timers::master_down;
use vrrp_common::wire::ladder::Auth;

use super::read;
use crate::config::{ScriptUser, exit_class};
use crate::proto::model::{Preempt, Transport, VirtualRouter};

const DUMPED: &str = include_str!("../../../../tests/data/config/dumped.conf");

fn down_micros(router: &VirtualRouter) -> u64 {
    master_down(
        router.version,
        router.priority,
        router.interval,
        router.down_adverts,
    )
    .as_micros()
}

#[test]
fn the_dumps_say_the_same() {
    let loaded = read(DUMPED);
    // `/bin/true` is run, unguarded.
    assert_eq!(exit_class(&loaded), 6);
    let config = loaded.config.unwrap();
    assert_eq!(config.global.router_id.as_deref(), Some("G"));
    assert_eq!(
        config.global.script_user,
        Some(ScriptUser {
            user: "root".to_owned(),
            group: None
        })
    );
    assert_eq!(config.scripts[0].interval, Nanos(2_000_000_000));
    assert_eq!(
        config.scripts[0].command.user,
        Some(ScriptUser {
            user: "root".to_owned(),
            group: None
        })
    );
    let [v2, v3] = config.model.routers.as_slice() else {
        panic!("{:#?}", config.model.routers);
    };

    assert_eq!(
        (v2.vrid.value(), v2.priority.0, v2.version),
        (51, 150, Version::V2)
    );
    assert!(v2.initially_master);
    assert_eq!(v2.preempt, Preempt::After(Nanos(0)));
    assert_eq!(down_micros(v2), 3_414_062);
    assert_eq!(v2.auth, Auth::Pass(*b"secret12"));
    // `weight 5` of the script.
    assert_eq!((v2.track[0].weight, v2.track[0].reverse), (5, false));
    assert_eq!(
        v2.transport,
        Transport::Multicast {
            group: "224.0.0.18".parse().unwrap(),
            source: None
        }
    );
    let vip = &v2.addresses[0];
    assert_eq!(
        (vip.address.to_string().as_str(), vip.prefix),
        ("192.0.2.100", 24)
    );
    assert_eq!((vip.label.as_deref(), vip.scope), (Some("d0:1"), 0));
    assert_eq!(
        (v2.excluded[0].address.to_string().as_str(), v2.excluded[0].prefix),
        ("192.0.2.120", 32)
    );

    assert_eq!(
        (v3.vrid.value(), v3.priority.0, v3.version),
        (52, 120, Version::V3)
    );
    assert_eq!((v3.family, v3.interval), (Family::V6, Centis::new(25).unwrap()));
    assert_eq!(down_micros(v3), 882_812);
    assert_eq!(
        v3.transport,
        Transport::Multicast {
            group: "ff02::12".parse().unwrap(),
            source: None
        }
    );
    let prefixes: Vec<u8> = v3.addresses.iter().map(|address| address.prefix).collect();
    assert_eq!(prefixes, [128, 64]);

    assert_eq!(config.model.links, ["d0"]);
    assert_eq!(config.model.groups[0].name, "G1");
    assert_eq!(config.model.groups[0].members.len(), 2);
}
