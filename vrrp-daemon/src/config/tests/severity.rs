//! What each fault amounts to: the `-t` status and the run mode that keepalived 2.2.7 and 2.4.3 were seen
//! to have.

use super::{FakeHost, host, instance, read, refused, said};
use crate::config::{exit_class, parse_str};

#[test]
fn a_clean_file_gives_zero() {
    for text in [
        instance("state BACKUP"),
        instance("advert_int 1").replace("{\n 192.0.2.100\n }", "{ 192.0.2.100 }"),
    ] {
        let loaded = read(&text);
        assert_eq!(said(&loaded), Vec::<String>::new());
        assert_eq!(exit_class(&loaded), 0);
        assert_eq!(loaded.config.unwrap().model.routers[0].addresses.len(), 1);
    }
}

#[test]
fn remarks_never_keep_it_from_starting() {
    let pass9 = "authentication {\n auth_type PASS\n auth_pass 123456789\n}";
    let table: &[(String, &str)] = &[
        (
            format!("global_defs {{\n vrrp_garp_interval 0\n}}\n{}", instance("")),
            "`vrrp_garp_interval 0` is the default",
        ),
        (instance("prority 77"), "unknown keyword `prority`"),
        (instance("foo_blk {\n priority 77\n}"), "unknown block `foo_blk`"),
        (instance("priority 300"), "not `300`; 100, the default, is used"),
        (instance("priority 0"), "not `0`; 100, the default, is used"),
        (instance("state Master"), "unknown state `Master`; BACKUP is used"),
        (
            instance(pass9),
            "`auth_pass` is cut to 8 characters, of 9, as keepalived does",
        ),
        (
            instance("").trim_end().trim_end_matches('}').to_owned(),
            "`}` of `vrrp_instance` is missing at the end of the file",
        ),
        (
            instance("") + &instance("priority 7"),
            "instance `P` is already defined",
        ),
        (
            instance("advert_int 0.4"),
            "version 2 takes whole seconds; 1 s is used",
        ),
        (
            instance("track_script {\n nosuch\n}"),
            "there is no script `nosuch`",
        ),
        (
            "vrrp_script s {\n script /no/such\n}\n".to_owned() + &instance(""),
            "cannot find an executable `/no/such`: it is never run",
        ),
        (
            instance("state MASTER\nstate BACKUP\npriority 100"),
            "`state BACKUP` after `state MASTER`",
        ),
        (
            instance("track_interface {\n d0\n}"),
            "`d0` is the instance's own interface",
        ),
        (
            instance("nopreempt\npreempt_delay 5"),
            "`nopreempt` makes `preempt_delay` needless",
        ),
        (instance("}"), "`}` without `{`"),
        (
            instance("virtual_ipaddress {\n 2001:db8::1\n}"),
            "2001:db8::1 is IPv6, and the first virtual address is not",
        ),
        (
            instance("") + "vrrp_sync_group G {\n group {\n P Q\n}\n}",
            "there is no instance `Q`",
        ),
    ];
    for (text, remark) in table {
        let loaded = read(text);
        let said = said(&loaded);
        assert!(
            said.iter().any(|line| line.ends_with(remark)),
            "{text}\nwants {remark}\n{said:#?}"
        );
        assert_eq!(exit_class(&loaded), 5, "{text}");
        let config = loaded.config.unwrap_or_else(|| panic!("{text} does not start"));
        let router = &config.model.routers[0];
        // 77 stands in an unknown block, 7 in a second block of the same name: neither counts.
        assert_eq!((router.priority.0, router.interval.value()), (100, 100), "{text}");
        assert_eq!(router.addresses.len(), 1, "{text}");
        assert_eq!(config.model.routers.len(), 1, "{text}");
    }
}

#[test]
fn what_keepalived_does_not_start_with_is_an_error() {
    refused(
        &instance("").replace("virtual_router_id 51", ""),
        "`P` has no virtual router id",
    );
    refused(&instance("").replace("51", "0"), "`0` is not a virtual router id");
    refused(
        &instance("").replace("51", "256"),
        "`256` is not a virtual router id",
    );
    refused(&instance("").replace("interface d0", ""), "`P` has no interface");
    refused(&instance("").replace("d0", "lo"), "`P` has no interface");
    let twice = instance("") + &instance("").replace("vrrp_instance P", "vrrp_instance Q");
    refused(&twice, "`P` and `Q` both use VRID 51 with IPv4 on interface d0");
    // keepalived ends itself when a value is missing.
    refused(&instance("priority"), "`priority` has no value");
    refused(&instance("advert_int"), "`advert_int` has no value");
    // Other family, other interface, other group: no clash.
    for other in [
        ("192.0.2.100", "2001:db8::1"),
        ("d0", "d1"),
        (
            "virtual_router_id 51",
            "virtual_router_id 51\nmcast_dst_ip 224.0.0.99",
        ),
    ] {
        let second = instance("")
            .replace("vrrp_instance P", "vrrp_instance Q")
            .replace(other.0, other.1);
        assert!(read(&(instance("") + &second)).config.is_some(), "{other:?}");
    }
    // Unicast: a clash only if they share a peer.
    let unicast = |name: &str, peer: &str| {
        let text = instance(&format!("unicast_peer {{\n {peer}\n}}"));
        text.replace("vrrp_instance P", &format!("vrrp_instance {name}"))
    };
    assert!(
        read(&(unicast("P", "192.0.2.2") + &unicast("Q", "192.0.2.3")))
            .config
            .is_some()
    );
    refused(
        &(unicast("P", "192.0.2.2") + &unicast("Q", "192.0.2.2")),
        "`P` and `Q` both use VRID 51 with IPv4 on interface d0",
    );
    // Dangerous to leave out.
    refused(
        &instance("auth_hmac {\n key 1 0123456789\n}"),
        "`auth_hmac` is not supported, and going on without it is not safe",
    );
}

/// Ours to say; keepalived 2.2.7 says nothing of it.
#[test]
fn what_keepalived_takes_silently_is_clean() {
    let scripts = "vrrp_script s {\n script /bin/true\n}\n";
    let table: &[(String, &str)] = &[
        (
            instance("notify_master /no/such"),
            "cannot find an executable `/no/such`: it is never run",
        ),
        (
            instance("").replace("192.0.2.100", "192.0.2.100\n192.0.2.100"),
            "192.0.2.100 is named twice",
        ),
        (
            instance("unicast_peer {\n 192.0.2.2\n 192.0.2.2\n}"),
            "peer 192.0.2.2 is named twice",
        ),
        (
            instance("skip_check_adv_addr off"),
            "keepalived takes `skip_check_adv_addr off` for on",
        ),
        (
            instance("authentication {\n auth_pass abc\n}"),
            "`auth_pass` without `auth_type`",
        ),
        (
            "global_defs {\n enable_script_security\n script_user root\n}\n".to_owned()
                + scripts
                + scripts
                + &instance(""),
            "script `s` is already defined",
        ),
    ];
    for (text, remark) in table {
        let loaded = read(text);
        let said = said(&loaded);
        assert!(
            said.iter().any(|line| line.ends_with(remark)),
            "{text}\n{said:#?}"
        );
        assert_eq!(
            (loaded.config.is_some(), exit_class(&loaded)),
            (true, 0),
            "{text}"
        );
    }
}

/// A file of the load balancer loads, is said not to be run, and is clean for `-t`.
#[test]
fn the_load_balancer_is_skipped_and_counted() {
    let server = "virtual_server 192.0.2.100 80 {\n delay_loop 6\n real_server 10.0.0.1 80 {\n HTTP_GET {\n url {\n path \"/}{\"\n }\n }\n }\n}\n";
    let text = format!("{server}{}{server}", instance(""));
    let loaded = read(&text);
    assert_eq!(
        said(&loaded),
        ["warning - 2 virtual servers are NOT run by this daemon"]
    );
    assert_eq!(exit_class(&loaded), 0);
    let config = loaded.config.unwrap();
    assert_eq!(
        (config.global.virtual_servers, config.model.routers.len()),
        (2, 1)
    );
}

#[test]
fn a_missing_file_is_fatal() {
    let loaded = crate::config::load(
        "/no/such.conf".as_ref(),
        &crate::config::ReadOptions::default(),
        &host(),
    );
    assert!(loaded.config.is_none());
    assert_eq!(exit_class(&loaded), 4);
    assert_eq!(
        said(&loaded),
        ["error - cannot read /no/such.conf: entity not found"]
    );
}

#[test]
fn an_interface_that_is_not_there_is_an_error_unless_it_is_waited_for() {
    let host = FakeHost {
        interfaces: Some(vec!["lo".into(), "eth0".into()]),
        ..host()
    };
    let loaded = parse_str("test.conf", &instance("track_interface {\n eth0\n }"), &host);
    assert_eq!(said(&loaded), ["error 2:12 non-existent interface `d0`"]);
    assert_eq!((loaded.config.is_none(), exit_class(&loaded)), (true, 5));
    assert!(loaded.render(false).contains("this host has lo, eth0"));

    let waits = format!("global_defs {{\n dynamic_interfaces\n}}\n{}", instance(""));
    let loaded = parse_str("test.conf", &waits, &host);
    assert_eq!((said(&loaded), exit_class(&loaded)), (vec![], 0));
}

#[test]
fn a_file_without_a_virtual_router_is_told_to_do_nothing() {
    let nothing = "there is no virtual router in this configuration: nothing will be done";
    for (text, code) in [("", 0), ("hello world\n", 5)] {
        let loaded = read(text);
        assert!(said(&loaded).iter().any(|line| line.ends_with(nothing)), "{text}");
        assert_eq!(
            (loaded.config.is_some(), exit_class(&loaded)),
            (true, code),
            "{text}"
        );
    }
    // What is wrong with its instance is enough to say.
    let loaded = read("vrrp_instance P {\n interface d0\n}\n");
    assert!(!said(&loaded).iter().any(|line| line.ends_with(nothing)));
}

#[test]
fn a_verdict_says_whether_the_daemon_starts() {
    let table = [
        (instance(""), "good: nothing to remark"),
        (instance("priorty 90"), "the daemon starts with this; remarks: 1"),
        (
            "vrrp_instance P {\n interface d0\n priorty 90\n}\n".to_owned(),
            "the daemon does not start with this; errors: 1",
        ),
    ];
    for (text, verdict) in table {
        assert_eq!(read(&text).verdict(), verdict, "{text}");
    }
}
