//! What each fault amounts to: the `-t` status and the run mode that keepalived 2.2.7 and 2.4.3 were seen
//! to have, then what follows from keywords that decide over one another.

use vrrp_common::id::{Family, Version};
use vrrp_common::time::Nanos;
use vrrp_common::wire::ladder::{Auth, TtlRange};

use super::{FakeHost, host, instance, read, said};
use crate::config::{Config, XdpMode, exit_class, parse_str};
use crate::proto::model::{Preempt, TrackObject, Transport, V3Checksum};

/// The configuration of a text that gives one remark, which is this.
fn remarked(text: &str, remark: &str) -> Config {
    let loaded = read(text);
    let said = said(&loaded);
    assert!(said.len() == 1 && said[0].ends_with(remark), "{text}\n{said:#?}");
    loaded.config.unwrap_or_else(|| panic!("{text} does not start"))
}

/// The only remark of a text that does not start.
fn refused(text: &str, remark: &str) {
    let loaded = read(text);
    let said = said(&loaded);
    assert!(
        said.iter()
            .any(|line| line.starts_with("error") && line.ends_with(remark)),
        "{text}\n{said:#?}"
    );
    assert!(loaded.config.is_none());
    assert_eq!(exit_class(&loaded), 5);
}

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
            instance("notify_master /no/such"),
            "cannot find an executable `/no/such`: it is never run",
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
    refused("$VIP=192.0.2.1\n", "variables (`$NAME=…`) are not supported yet");
}

#[test]
fn the_owner() {
    let config = remarked(
        &instance("state MASTER"),
        "`state MASTER` without `priority` makes it the owner, priority 255",
    );
    let router = &config.model.routers[0];
    assert_eq!((router.priority.0, router.initially_master), (255, true));

    let router = &read(&instance("priority 255")).config.unwrap().model.routers[0];
    assert!(router.initially_master);

    let config = remarked(
        &instance("state MASTER\npriority 100\nnopreempt"),
        "`state MASTER` clears `nopreempt`",
    );
    assert_eq!(config.model.routers[0].preempt, Preempt::After(Nanos(0)));
    let config = remarked(
        &instance("priority 255\nnopreempt"),
        "priority 255 clears `nopreempt`",
    );
    assert_eq!(config.model.routers[0].preempt, Preempt::After(Nanos(0)));
    let config = read(&instance("preempt_delay 2.5")).config.unwrap();
    assert_eq!(
        config.model.routers[0].preempt,
        Preempt::After(Nanos(2_500_000_000))
    );
}

#[test]
fn versions_and_intervals() {
    let table: &[(&str, Version, u16)] = &[
        ("advert_int 2", Version::V2, 200),
        ("advert_int 255", Version::V2, 25_500),
        ("advert_int 2.5", Version::V2, 300),
        ("advert_int 256", Version::V2, 100),
        ("version 3\nadvert_int 0.01", Version::V3, 1),
        ("version 3\nadvert_int 40.95", Version::V3, 4_095),
        ("advert_int 0.25\nversion 3", Version::V3, 25),
        ("version 3\nadvert_int 0.123", Version::V3, 12),
        ("version 3\nadvert_int 41", Version::V3, 100),
        ("version 3\nadvert_int 0.001", Version::V3, 100),
        ("version 3\nadvert_int -1", Version::V3, 100),
        ("version 4", Version::V2, 100),
    ];
    for (lines, version, centis) in table {
        let config = read(&instance(lines)).config.unwrap();
        let router = &config.model.routers[0];
        assert_eq!(
            (router.version, router.interval.value()),
            (*version, *centis),
            "{lines}"
        );
    }
    let v3 = "global_defs {\n vrrp_version 3\n}\n".to_owned() + &instance("");
    assert_eq!(read(&v3).config.unwrap().model.routers[0].version, Version::V3);
}

#[test]
fn ipv6_needs_version_3() {
    let six = instance("").replace("192.0.2.100", "fe80::1 2001:db8::1/64 -nodad");
    let config = read(&six).config.unwrap();
    let router = &config.model.routers[0];
    assert_eq!((router.version, router.family), (Version::V3, Family::V6));
    assert_eq!(
        router
            .addresses
            .iter()
            .map(|address| address.dad)
            .collect::<Vec<_>>(),
        [false, true]
    );
    let explicit = six.replace("virtual_router_id", "version 2\nvirtual_router_id");
    let config = remarked(&explicit, "VRRP version 2 has no IPv6; version 3 is used");
    assert_eq!(config.model.routers[0].version, Version::V3);
}

#[test]
fn authentication() {
    let with = |body: &str| instance(&format!("authentication {{\n{body}\n}}"));
    let auth = |config: Config| config.model.routers[0].auth;
    assert_eq!(
        auth(read(&with("auth_type PASS\nauth_pass abc")).config.unwrap()),
        Auth::Pass(*b"abc\0\0\0\0\0")
    );
    // `!` begins a comment unless quoted or escaped.
    for pass in ["\"a!b\"", "a\\!b"] {
        let config = read(&with(&format!("auth_type PASS\nauth_pass {pass}")))
            .config
            .unwrap();
        assert_eq!(auth(config), Auth::Pass(*b"a!b\0\0\0\0\0"));
    }
    let config = remarked(
        &with("auth_type PASS\nauth_pass a!b"),
        "`!` begins a comment, also within a word",
    );
    assert_eq!(auth(config), Auth::Pass(*b"a\0\0\0\0\0\0\0"));
    let config = remarked(&with("auth_type PASS"), "`auth_type PASS` without `auth_pass`");
    assert_eq!(auth(config), Auth::None);
    let v3 = with("auth_type PASS\nauth_pass abc").replace("interface", "version 3\ninterface");
    assert_eq!(
        auth(remarked(&v3, "VRRP version 3 does not support authentication")),
        Auth::None
    );
    refused(
        &with("auth_type AH\nauth_pass abc"),
        "`auth_type AH` is not supported, and going on without it is not safe",
    );
    // Strict drops it, as keepalived does: its peers would refuse our password.
    let strict = "global_defs {\n vrrp_strict\n}\n".to_owned() + &with("auth_type PASS\nauth_pass abc");
    let config = read(&strict).config.unwrap();
    assert_eq!(auth(config.clone()), Auth::None);
    assert!(!config.model.routers[0].advert_on_lower);
}

#[test]
fn unicast() {
    let lines = "unicast_src_ip 192.0.2.1\nunicast_ttl 64\nunicast_peer {\n 192.0.2.2 min_ttl 254\n 192.0.2.3 max_ttl 9 192.0.2.4\n 2001:db8::9\n}";
    let config = remarked(
        &instance(lines),
        "2001:db8::9 is not IPv4, which the adverts travel in",
    );
    let Transport::Unicast {
        source,
        peers,
        ttl,
        check_source,
    } = &config.model.routers[0].transport
    else {
        panic!("multicast");
    };
    assert_eq!(
        (source.unwrap().to_string().as_str(), *ttl, *check_source),
        ("192.0.2.1", 64, true)
    );
    let ranges: Vec<TtlRange> = peers.iter().map(|peer| peer.ttl).collect();
    assert_eq!(
        ranges,
        [
            TtlRange { min: 254, max: 255 },
            TtlRange { min: 0, max: 9 },
            TtlRange { min: 0, max: 255 }
        ]
    );
    // Any source is taken only on request.
    for (global, local, expected) in [
        ("", "", true),
        ("off", "", false),
        ("off", "on", true),
        ("on", "off", false),
    ] {
        let global = if global.is_empty() {
            String::new()
        } else {
            format!("global_defs {{\n vrrp_check_unicast_src {global}\n}}\n")
        };
        let local = if local.is_empty() {
            String::new()
        } else {
            format!("check_unicast_src {local}\n")
        };
        let text = global + &instance(&format!("{local}unicast_peer {{\n 192.0.2.2\n}}"));
        let config = read(&text).config.unwrap();
        let Transport::Unicast { check_source, .. } = &config.model.routers[0].transport else {
            panic!("multicast");
        };
        assert_eq!(*check_source, expected, "{text}");
    }
}

/// Without `interface` the device that carries the source address is taken.
#[test]
fn unicast_without_an_interface() {
    let text =
        instance("unicast_src_ip 192.0.2.1\nunicast_peer {\n 192.0.2.2\n}").replace("interface d0", "");
    refused(&text, "no interface of this host has the address 192.0.2.1");
    let mut host = host();
    host.addresses
        .insert("192.0.2.1".parse().unwrap(), "bond7".to_owned());
    let config = parse_str("test.conf", &text, &host).config.unwrap();
    assert_eq!(config.model.links, ["bond7"]);
}

#[test]
fn settings_of_instances_and_their_defaults() {
    let global = "global_defs {\n vrrp_garp_master_delay 2.5\n vrrp_garp_master_repeat 3\n vrrp_garp_master_refresh 60\n\
                  vrrp_lower_prio_no_advert\n vrrp_higher_prio_send_advert true\n vrrp_down_timer_adverts 4\n\
                  vrrp_mcast_group4 224.0.0.99\n v3_checksum_as_v2\n vrrp_startup_delay 5.5\n dynamic_interfaces\n\
                  enable_script_security\n vrrp_xdp native\n vrrp_skip_check_adv_addr\n}\n";
    let config = read(&(global.to_owned() + &instance(""))).config.unwrap();
    assert_eq!(config.global.startup_delay, Nanos(5_500_000_000));
    assert!(config.global.dynamic_interfaces && config.global.script_security);
    assert_eq!(config.global.xdp, XdpMode::Native);
    let router = &config.model.routers[0];
    let announce = router.announce;
    assert_eq!((announce.delay, announce.repeat), (Nanos(2_500_000_000), 3));
    assert_eq!(
        (announce.lower_delay, announce.lower_repeat),
        (Nanos(2_500_000_000), 3)
    );
    assert_eq!(
        (announce.refresh, announce.refresh_repeat),
        (Nanos(60_000_000_000), 1)
    );
    assert!(!router.advert_on_lower && router.advert_on_higher);
    assert_eq!(
        (router.down_adverts, router.v3_checksum),
        (4, V3Checksum::MessageOnly)
    );
    assert_eq!(
        router.transport,
        Transport::Multicast {
            group: "224.0.0.99".parse().unwrap(),
            source: None
        }
    );

    let own = "garp_master_delay 1\ngarp_lower_prio_repeat 9\nlower_prio_no_advert off\nhigher_prio_send_advert no\n\
               down_timer_adverts 2\nv3_checksum_as_v2 off\nmcast_dst_ip 224.0.0.77\nmcast_src_ip 192.0.2.9\n\
               dont_track_primary";
    let config = read(&(global.to_owned() + &instance(own))).config.unwrap();
    let router = &config.model.routers[0];
    assert_eq!(
        (router.announce.delay, router.announce.lower_repeat),
        (Nanos(1_000_000_000), 9)
    );
    assert!(router.advert_on_lower && !router.advert_on_higher && !router.track_primary);
    assert_eq!(
        (router.down_adverts, router.v3_checksum),
        (2, V3Checksum::PseudoHeader)
    );
    assert_eq!(
        router.transport,
        Transport::Multicast {
            group: "224.0.0.77".parse().unwrap(),
            source: Some("192.0.2.9".parse().unwrap())
        }
    );
}

#[test]
fn tracking() {
    let scripts = "vrrp_script a {\n script /bin/true\n weight -20 reverse\n timeout 0.5\n rise 2\n fall 3\n init_fail\n user nobody nogroup\n}\n\
                   vrrp_script b {\n script \"/bin/true 'x y'\"\n}\n";
    let lines = "track_script {\n a\n b weight 7 noreverse\n a weight 1\n}\ntrack_interface {\n d0\n d1 weight -30\n}";
    let group =
        "vrrp_sync_group G {\n group { P }\n track_script { b weight 300 }\n sync_group_tracking_weight\n}\n";
    let loaded = read(&(scripts.to_owned() + &instance(lines) + group));
    let said = said(&loaded);
    assert!(
        said.iter().any(|line| line.ends_with("`a` is tracked twice")),
        "{said:#?}"
    );
    assert!(
        said.iter()
            .any(|line| line.ends_with("`weight` takes a whole number from -253 to 253")),
        "{said:#?}"
    );
    assert!(
        said.iter()
            .any(|line| line.ends_with("sync group `G` has one member only")),
        "{said:#?}"
    );
    let config = loaded.config.unwrap();
    let a = &config.scripts[0];
    assert_eq!(
        (a.interval, a.timeout),
        (Nanos(1_000_000_000), Nanos(500_000_000))
    );
    assert_eq!((a.rise, a.fall, a.init_fail), (2, 3, true));
    let user = a.command.user.as_ref().unwrap();
    assert_eq!(
        (user.user.as_str(), user.group.as_deref()),
        ("nobody", Some("nogroup"))
    );
    assert_eq!(config.scripts[1].command.argv, ["/bin/true", "x y"]);
    let facts: Vec<(bool, i16, bool)> = config.model.routers[0]
        .track
        .iter()
        .map(|track| {
            (
                matches!(track.object, TrackObject::Script(_)),
                track.weight,
                track.reverse,
            )
        })
        .collect();
    assert_eq!(
        facts,
        [
            (false, 0, false),
            (false, -30, false),
            (true, -20, true),
            (true, 7, false)
        ]
    );
    let group = &config.model.groups[0];
    assert!(group.keep_weights);
    assert_eq!(group.track.len(), 1);
}

#[test]
fn addresses_and_their_options() {
    let text = instance("").replace(
        "192.0.2.100",
        "10.0.0.1/24 dev d1 label d1:vip scope link brd + 10.0.0.2 brd 10.0.0.9\n 10.0.0.3/8 brd -\n 10.0.0.1\n 10.0.0.4 home",
    );
    let loaded = read(&text);
    let said = said(&loaded);
    assert_eq!(
        said,
        [
            "warning 7:2 10.0.0.1 is named twice",
            "warning 8:11 `home` of an address has no effect: it is not done",
        ]
    );
    let config = loaded.config.unwrap();
    assert_eq!(config.model.links, ["d0", "d1"]);
    let addresses = &config.model.routers[0].addresses;
    let broadcast = |index: usize| addresses[index].broadcast.map(|address| address.to_string());
    assert_eq!(addresses.len(), 4);
    assert_eq!(
        (
            addresses[0].link.0,
            addresses[0].scope,
            addresses[0].label.as_deref()
        ),
        (1, 253, Some("d1:vip"))
    );
    assert_eq!(broadcast(0).as_deref(), Some("10.0.0.255"));
    assert_eq!(broadcast(1).as_deref(), Some("10.0.0.9"));
    assert_eq!(broadcast(2).as_deref(), Some("10.0.0.0"));
    assert_eq!(
        (addresses[3].link.0, addresses[3].prefix, addresses[3].scope),
        (0, 32, 0)
    );

    let many: String = (0..300)
        .map(|n| format!("10.1.{}.{}\n", n / 250, n % 250))
        .collect();
    let config = remarked(
        &instance("").replace("192.0.2.100", &many),
        "more than 255 addresses do not fit an advert",
    );
    assert_eq!(
        (
            config.model.routers[0].addresses.len(),
            config.model.routers[0].excluded.len()
        ),
        (255, 45)
    );
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
    let loaded = crate::config::load("/no/such.conf".as_ref(), &host());
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
    let loaded = parse_str("test.conf", &instance("track_interface {\n eth0\n d0\n }"), &host);
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
