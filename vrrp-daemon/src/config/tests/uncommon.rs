//! Strict compliance, instances without addresses, and keywords that few configurations have. What keepalived
//! 2.2.7 does with each was seen in its dump (`-d`) and its log.

use vrrp_common::id::{Family, Priority, Version};
use vrrp_common::time::Nanos;

use super::{instance, read, refused, remarked, said};
use crate::config::Config;
use crate::proto::model::{Preempt, ReceiveBuffer, Transport, Uncommon, V3Checksum, VirtualRouter, XdpMode};

fn router(config: &Config) -> &VirtualRouter {
    &config.model.routers[0]
}

fn only(lines: &str) -> VirtualRouter {
    let config = read(&instance(lines)).config;
    router(&config.unwrap_or_else(|| panic!("{lines} does not start"))).clone()
}

fn uncommon(lines: &str) -> Uncommon {
    only(lines).uncommon
}

fn strict(lines: &str) -> String {
    "global_defs {\n vrrp_strict\n}\n".to_owned() + &instance(lines)
}

fn without_addresses(lines: &str) -> String {
    format!("vrrp_instance P {{\n interface d0\n virtual_router_id 51\n{lines}\n}}\n")
}

const NO_ACCEPT: &str =
    "`vrrp_strict` is done but for `no_accept`: no firewall rule drops traffic to the virtual addresses";

/// Everything that is taken back is said, once, and has keepalived's outcome.
#[test]
fn strict_takes_back_what_the_rfcs_do_not_know() {
    let text = strict(
        "priority 100\nauthentication {\n auth_type PASS\n auth_pass abc\n}\npreempt_delay 5\n\
         higher_prio_send_advert on\nlower_prio_no_advert off\ngarp_lower_prio_repeat 3\ngarp_master_repeat 4\n\
         down_timer_adverts 5\nowner_ignore_adverts off\nstate MASTER",
    );
    let loaded = read(&text);
    let told = said(&loaded);
    for part in [
        "`vrrp_strict` does not support authentication",
        "`vrrp_strict` does not allow `higher_prio_send_advert`",
        "`vrrp_strict` does not allow `lower_prio_no_advert off`",
        "`vrrp_strict` does not allow `garp_lower_prio_…`",
        "`vrrp_strict` does not allow `down_timer_adverts`",
        "`vrrp_strict` does not allow `owner_ignore_adverts off`",
        "with `vrrp_strict` only priority 255 begins as Master",
        NO_ACCEPT,
    ] {
        assert_eq!(
            told.iter().filter(|line| line.ends_with(part)).count(),
            1,
            "{part}\n{told:#?}"
        );
    }
    let config = loaded.config.unwrap();
    let router = router(&config);
    assert_eq!(
        (
            router.advert_on_lower,
            router.advert_on_higher,
            router.down_adverts
        ),
        (false, false, 3)
    );
    assert_eq!(router.preempt, Preempt::After(Nanos::ZERO));
    // As its dump says: the other announcements stay.
    let announce = router.announce;
    assert_eq!((announce.lower_repeat, announce.lower_delay), (0, Nanos::ZERO));
    assert_eq!((announce.repeat, announce.delay), (4, Nanos::from_secs(5)));
    assert!(router.uncommon.owner_is_deaf && !router.initially_master);
}

/// `strict_mode off` in an instance takes it back; `nopreempt` is no contradiction.
#[test]
fn strict_instances() {
    let config = read(&strict("strict_mode off\ndown_timer_adverts 5"))
        .config
        .unwrap();
    assert_eq!(
        (router(&config).down_adverts, router(&config).advert_on_lower),
        (5, true)
    );
    let config = remarked(&instance("strict_mode\nnopreempt"), NO_ACCEPT);
    assert_eq!(router(&config).preempt, Preempt::Never);
    // The owner answers on its addresses whatever is strict.
    assert_eq!(said(&read(&strict("priority 255"))), Vec::<String>::new());
}

#[test]
fn strict_and_unicast() {
    let lines = "unicast_peer {\n192.0.2.2\n}";
    let loaded = read(&strict(lines));
    let told = said(&loaded);
    assert!(
        told.iter()
            .any(|line| line.starts_with("note") && line.contains("multicast only")),
        "{told:#?}"
    );
    let config = loaded.config.unwrap();
    assert!(matches!(router(&config).transport, Transport::Unicast { .. }));
}

/// 2.2.7: strict wants one (exit 2), version 3 does (exit 2), version 2 can do without.
#[test]
fn no_address_at_all() {
    let none = "`P` has no virtual address";
    refused(&(strict("").replace("192.0.2.100", "") + ""), none);
    refused(&without_addresses("version 3"), none);
    refused(&without_addresses("version 3\nno_virtual_ipaddress"), none);
    refused(
        &without_addresses("version 3\nvirtual_ipaddress_excluded {\n192.0.2.1\n}"),
        none,
    );
    let config = remarked(&without_addresses(""), none);
    assert_eq!(router(&config).addresses, []);
    let config = read(&without_addresses("no_virtual_ipaddress"));
    assert_eq!(said(&config), Vec::<String>::new());
    assert_eq!(router(&config.config.unwrap()).version, Version::V2);
}

#[test]
fn native_ipv6() {
    let v6 = "virtual_ipaddress {\nfe80::1\n}\nnative_ipv6";
    let config = read(&without_addresses(v6)).config.unwrap();
    assert_eq!(
        (router(&config).family, router(&config).version),
        (Family::V6, Version::V3)
    );
    // 2.2.7 ignores the address as well, and then ends for want of one.
    let loaded = read(&instance("native_ipv6"));
    let told = said(&loaded);
    assert!(
        told.iter()
            .any(|line| line.ends_with("and the first virtual address is not")),
        "{told:#?}"
    );
    assert!(loaded.config.is_none());
}

/// keepalived says so with and without strict, and runs.
#[test]
fn first_ipv6_address_is_link_local() {
    let text = without_addresses("virtual_ipaddress {\n2001:db8::1\nfe80::1\n}");
    remarked(&text, "the first IPv6 address, 2001:db8::1, should be link-local");
    let text = "global_defs {\n vrrp_strict\n}\n".to_owned() + &text;
    let told = said(&read(&text));
    assert!(
        told.iter()
            .any(|line| line.contains("2001:db8::1, must be link-local")),
        "{told:#?}"
    );
}

/// The dump says "Priority = 255" for each; the log says who waits.
#[test]
fn who_begins_as_master() {
    let begins = |text: &str| {
        let config = read(text).config.unwrap();
        (router(&config).priority.0, router(&config).initially_master)
    };
    assert_eq!(begins(&instance("priority 255")), (255, true));
    assert_eq!(begins(&instance("priority 255\nstate BACKUP")), (255, false));
    assert_eq!(begins(&strict("priority 255\nstate BACKUP")), (255, true));
    assert_eq!(begins(&instance("state MASTER")), (255, true));
    assert_eq!(begins(&strict("state MASTER")), (255, true));
    assert_eq!(
        begins(&instance("state BACKUP\nstate MASTER\npriority 100")),
        (100, true)
    );
    assert_eq!(
        said(&read(&instance("priority 255\nstate BACKUP"))),
        Vec::<String>::new()
    );
    let config = remarked(
        &instance("priority 100\nstate MASTER\nstate BACKUP"),
        "`state BACKUP` after `state MASTER`",
    );
    assert!(router(&config).initially_master);
}

#[test]
fn deaf_owners() {
    assert!(!uncommon("").owner_is_deaf);
    assert!(uncommon("owner_ignore_adverts").owner_is_deaf);
    let global = "global_defs {\n vrrp_owner_ignore_adverts\n}\n".to_owned();
    assert!(
        router(&read(&(global.clone() + &instance(""))).config.unwrap())
            .uncommon
            .owner_is_deaf
    );
    let off = read(&(global + &instance("owner_ignore_adverts off\npriority 255")))
        .config
        .unwrap();
    assert!(!router(&off).uncommon.owner_is_deaf);
}

#[test]
fn late_masters() {
    for keyword in ["timer_expired_backup", "thread_timer_expired"] {
        assert_eq!(
            uncommon(&format!("nopreempt\n{keyword}")).late_is_backup,
            Some(Priority(254))
        );
        assert_eq!(
            uncommon(&format!("{keyword} 150\nnopreempt")).late_is_backup,
            Some(Priority(150))
        );
    }
    let config = remarked(
        &instance("timer_expired_backup 150"),
        "`timer_expired_backup` needs `nopreempt`",
    );
    assert_eq!(router(&config).uncommon.late_is_backup, None);
}

#[test]
fn silence_as_a_fault() {
    let global = |value: &str| format!("global_defs {{\n vrrp_send_fault {value}\n}}\n");
    let of = |text: &str| router(&read(text).config.unwrap()).uncommon.send_fault;
    assert_eq!(of(&instance("")), None);
    assert_eq!(
        of(&instance("vrrp_send_fault\nadvert_int 2")),
        Some(Nanos::from_secs(6))
    );
    assert_eq!(
        of(&instance("vrrp_send_fault\ndown_timer_adverts 5")),
        Some(Nanos::from_secs(5))
    );
    assert_eq!(
        of(&instance("vrrp_send_fault 0.5")),
        Some(Nanos::from_millis(500))
    );
    assert_eq!(of(&(global("2") + &instance(""))), Some(Nanos::from_secs(2)));
    assert_eq!(of(&(global("2") + &instance("vrrp_send_fault off"))), None);
    remarked(
        &instance("vrrp_send_fault soon"),
        "`vrrp_send_fault` takes seconds from 0 to 86400, not `soon`; three adverts are waited for",
    );
}

#[test]
fn hold_of_an_unproven_link() {
    let global = |value: &str| format!("global_defs {{\n vrrp_link_hold {value}\n}}\n");
    let of = |text: &str| router(&read(text).config.unwrap()).uncommon.link_hold;
    assert_eq!(of(&instance("")), Nanos::from_secs(30));
    assert_eq!(of(&instance("vrrp_link_hold 0.5")), Nanos::from_millis(500));
    assert_eq!(of(&instance("vrrp_link_hold off")), Nanos::ZERO);
    assert_eq!(of(&(global("60") + &instance(""))), Nanos::from_secs(60));
    assert_eq!(
        of(&(global("off") + &instance("vrrp_link_hold 5"))),
        Nanos::from_secs(5)
    );
    let config = remarked(
        &instance("vrrp_link_hold long"),
        "`vrrp_link_hold` takes seconds from 0 to 86400, not `long`; it is ignored",
    );
    assert_eq!(router(&config).uncommon.link_hold, Nanos::from_secs(30));
}

/// 2.2.7 goes to FAULT whether or not a unicast keyword is there, and otherwise to multicast.
#[test]
fn no_peers() {
    for lines in [
        "unicast_fault_no_peer",
        "unicast_fault_no_peer\nunicast_src_ip 192.0.2.1",
    ] {
        let config = remarked(&instance(lines), "`P` has no unicast peer");
        assert!(router(&config).uncommon.lacks_peers);
    }
    assert!(!uncommon("unicast_fault_no_peer\nunicast_peer {\n192.0.2.2\n}").lacks_peers);
    remarked(
        &instance("unicast_ttl 64"),
        "`unicast_ttl` without a unicast peer",
    );
}

#[test]
fn a_range_of_ttls_asks_who_sends() {
    let text = instance("check_unicast_src off\nunicast_peer {\n192.0.2.2 min_ttl 254\n}");
    let config = remarked(&text, "`min_ttl` and `max_ttl` turn `check_unicast_src` on");
    assert!(matches!(
        router(&config).transport,
        Transport::Unicast {
            check_source: true,
            ..
        }
    ));
    let off = "global_defs {\n vrrp_check_unicast_src off\n}\n".to_owned();
    let config = read(&(off + &instance("unicast_peer {\n192.0.2.2\n}")))
        .config
        .unwrap();
    assert!(matches!(
        router(&config).transport,
        Transport::Unicast {
            check_source: false,
            ..
        }
    ));
}

#[test]
fn checksums() {
    assert_eq!(only("version 3").v3_checksum, V3Checksum::PseudoHeader);
    assert_eq!(
        only("version 3\nold_unicast_checksum").v3_checksum,
        V3Checksum::Group
    );
    assert_eq!(
        only("version 3\nold_unicast_checksum never").v3_checksum,
        V3Checksum::PseudoHeader
    );
    assert_eq!(
        only("version 3\nv3_checksum_as_v2").v3_checksum,
        V3Checksum::MessageOnly
    );
}

/// An advert of one address is 20 + 8 + 4 + 8 bytes in version 2, and 20 + 8 + 4 in version 3.
#[test]
fn receive_buffers() {
    let of = |globals: &str, lines: &str| {
        let text = format!("global_defs {{\n{globals}\n}}\n") + &instance(lines);
        router(&read(&text).config.unwrap()).uncommon.receive_buffer
    };
    assert_eq!(of("", ""), ReceiveBuffer::System);
    assert_eq!(of("vrrp_rx_bufs_policy MTU", ""), ReceiveBuffer::Mtus(3));
    assert_eq!(
        of("vrrp_rx_bufs_policy MTU\nvrrp_rx_bufs_multiplier 7", ""),
        ReceiveBuffer::Mtus(7)
    );
    assert_eq!(of("vrrp_rx_bufs_policy ADVERT", ""), ReceiveBuffer::Bytes(120));
    assert_eq!(
        of("vrrp_rx_bufs_policy ADVERT", "version 3"),
        ReceiveBuffer::Bytes(96)
    );
    assert_eq!(
        of("vrrp_rx_bufs_policy 100000", ""),
        ReceiveBuffer::Bytes(100_000)
    );
    assert_eq!(
        of("vrrp_rx_bufs_policy MTU", "kernel_rx_buf_size 9000"),
        ReceiveBuffer::Bytes(9_000)
    );
}

#[test]
fn the_rest() {
    assert!(uncommon("track_src_ip").source_is_tracked && !uncommon("").source_is_tracked);
    assert_eq!(uncommon("vrrp_xdp generic").xdp, XdpMode::Generic);
    assert_eq!(uncommon("").xdp, XdpMode::Auto);
    let off = "global_defs {\n vrrp_xdp off\n}\n".to_owned() + &instance("");
    assert_eq!(router(&read(&off).config.unwrap()).uncommon.xdp, XdpMode::Off);
    let text = "global_defs {\n log_unknown_vrids\n vrrp_delay_after_boot 90.5\n}\n".to_owned()
        + &instance("debug 3");
    let loaded = read(&text);
    assert_eq!(said(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    assert!(config.model.log_unknown_vrids);
    assert_eq!(config.global.delay_after_boot, Nanos::from_millis(90_500));
    // A lower advert may be answered without announcements.
    assert_eq!(only("garp_lower_prio_repeat 0").announce.lower_repeat, 0);
}

/// A group of one is remarked; an instance stays in the first group that names it.
#[test]
fn sync_groups() {
    let second = instance("")
        .replace("vrrp_instance P", "vrrp_instance Q")
        .replace("d0", "d1");
    let third = instance("")
        .replace("vrrp_instance P", "vrrp_instance R")
        .replace("d0", "d2");
    let groups =
        "vrrp_sync_group G {\n group {\n P\n Q\n }\n}\nvrrp_sync_group H {\n group {\n Q\n R\n }\n}\n";
    let loaded = read(&(instance("") + &second + &third + groups));
    let told = said(&loaded);
    for part in [
        "instance `Q` is already a member of `G`",
        "sync group `H` has one member only",
    ] {
        assert!(told.iter().any(|line| line.ends_with(part)), "{told:#?}");
    }
    let model = loaded.config.unwrap().model;
    let members: Vec<Vec<u16>> = model
        .groups
        .iter()
        .map(|group| group.members.iter().map(|member| member.0).collect())
        .collect();
    assert_eq!(members, [vec![0, 1], vec![2]]);
}
