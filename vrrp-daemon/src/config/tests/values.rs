//! What each setting comes to, and what is said of values that do not fit.

use vrrp_common::id::{Family, Version};
use vrrp_common::time::Nanos;
use vrrp_common::wire::ladder::{Auth, TtlRange};

use std::path::PathBuf;

use super::{FakeHost, host, instance, read, refused, remarked, said};
use crate::config::{Config, InitFile, LinkDelays, ParamMatch, ProcessSpec, XdpMode, parse_str};
use crate::proto::FileId;
use crate::proto::model::{Preempt, Track, TrackObject, Transport, V3Checksum};

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
        ("version 3\nadvert_int 41", Version::V3, 4_095),
        ("version 3\nadvert_int 256", Version::V3, 100),
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

/// keepalived 2.2.7 uses these too: an address is rather held as a host's than not at all.
#[test]
fn values_beyond_their_range() {
    let long = instance("version 3\nadvert_int 60");
    let config = remarked(
        &long,
        "`advert_int` is at most 40.95 s in version 3, which is used",
    );
    assert_eq!(config.model.routers[0].interval.value(), 4_095);
    for (text, prefix) in [
        ("192.0.2.100/33", 32),
        ("192.0.2.100/abc", 32),
        ("fe80::1/129", 128),
    ] {
        let file = instance("version 3").replace("192.0.2.100", text);
        let config = remarked(
            &file,
            &format!("`{text}` has no prefix length that an address can have; {prefix} is used"),
        );
        let held = &config.model.routers[0].addresses;
        assert_eq!((held.len(), held[0].prefix), (1, prefix), "{text}");
    }
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

/// As in keepalived: what stands first decides, and addresses of the other family are not held.
#[test]
fn the_first_address_in_the_file_decides_the_family() {
    let peers = |body: &str| {
        let peers = "unicast_peer {\n 2001:db8::2\n}\nvirtual_ipaddress";
        body.replacen("virtual_ipaddress", peers, 1)
    };
    refused(&peers(&instance("")), "`P` has no virtual address");
    // After the addresses it decides nothing.
    let config = remarked(
        &instance("unicast_peer {\n 2001:db8::2\n 192.0.2.2\n}"),
        "2001:db8::2 is not IPv4, which the adverts travel in",
    );
    assert_eq!(config.model.routers[0].family, Family::V4);
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
    assert_eq!(facts, [(false, -30, false), (true, -20, true), (true, 7, false)]);
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
            "note 8:11 `home` is for IPv6 addresses",
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

/// What keepalived 2.2.7 was seen to make of the same lines.
#[test]
fn tracked_files() {
    let text = "track_file plain {\n file /run/plain\n}\n\
        vrrp_track_file old {\n file /run/old\n weight -5 reverse\n init_file 7 overwrite\n}\n\
        track_file unweighted {\n file \"/run/un weighted\"\n weight 0\n init_file\n}\n";
    let entries = "track_file {\n plain\n old weight 3\n unweighted reverse\n}";
    let loaded = read(&(text.to_owned() + &instance(entries)));
    assert_eq!(said(&loaded), Vec::<String>::new());
    let config = loaded.config.unwrap();
    let track = |id, weight, reverse| Track {
        object: TrackObject::File(FileId(id)),
        weight,
        reverse,
    };
    assert_eq!(
        config.model.routers[0].track,
        [track(0, 1, false), track(1, 3, true), track(2, 0, true)]
    );
    let files: Vec<_> = config
        .files
        .iter()
        .map(|file| (file.path.to_str().unwrap(), file.init))
        .collect();
    let init = |value, overwrite| Some(InitFile { value, overwrite });
    assert_eq!(
        files,
        [
            ("/run/plain", None),
            ("/run/old", init(7, true)),
            ("/run/un weighted", init(0, false))
        ]
    );
    let table = [
        (
            "track_file f {\n weight 3\n}\n",
            "track_file `f` does not say what to track",
        ),
        (
            "track_file f {\n file /f\n weight 255\n}\n",
            "`weight` takes a whole number from -254 to 254, not `255`; 1 is used",
        ),
        (
            "track_file f {\n file /f\n init_file 3 foo\n}\n",
            "`init_file` does not know `foo`",
        ),
        (
            "track_file f {\n file /f\n}\ntrack_file f {\n file /g\n}\n",
            "track_file `f` is already defined",
        ),
        ("track_file f {\n file f\n}\n", "`f` is not a whole path"),
    ];
    for (text, remark) in table {
        remarked(&(text.to_owned() + &instance("")), remark);
    }
    remarked(&instance("track_file {\n g\n}"), "there is no tracked file `g`");
}

#[test]
fn tracked_processes() {
    let block = |lines: &str| {
        let entries = "track_process {\n p weight -20\n}";
        format!("vrrp_track_process p {{\n{lines}\n}}\n") + &instance(entries)
    };
    let one = |config: Config| {
        assert_eq!(config.model.routers[0].track[0].weight, -20);
        config.processes[0].clone()
    };
    let plain = one(read(&block("process nginx")).config.unwrap());
    assert_eq!(
        plain,
        ProcessSpec {
            program: "nginx".to_owned(),
            by_name: true,
            params: Vec::new(),
            param_match: ParamMatch::Any,
            quorum: 1,
            quorum_max: None,
            fork_delay: Nanos(0),
            terminate_delay: Nanos(0),
        }
    );
    let table = [
        ("process /bin/p a \"b c\"", false, 2, ParamMatch::Exact),
        (
            "process \"/bin/p\" a\nparam_match initial",
            false,
            1,
            ParamMatch::Initial,
        ),
        (
            "process /bin/p\nparam_match partial",
            false,
            0,
            ParamMatch::Partial,
        ),
        ("process /bin/p\nfull_command", false, 0, ParamMatch::Any),
        ("process \"my process\"", true, 0, ParamMatch::Any),
    ];
    for (lines, by_name, params, param_match) in table {
        let loaded = read(&block(lines));
        assert_eq!(said(&loaded), Vec::<String>::new(), "{lines}");
        let spec = one(loaded.config.unwrap());
        assert_eq!(
            (spec.by_name, spec.params.len(), spec.param_match),
            (by_name, params, param_match),
            "{lines}"
        );
    }
    let spec = one(read(&block(
        "process p\nquorum 2\nquorum_max 4\ndelay 1.5\nfork_delay 0.25",
    ))
    .config
    .unwrap());
    assert_eq!(
        (
            spec.quorum,
            spec.quorum_max,
            spec.fork_delay,
            spec.terminate_delay
        ),
        (2, Some(4), Nanos(250_000_000), Nanos(1_500_000_000))
    );
    // None may run, so none need run.
    let spec = one(read(&block("process p\nquorum_max 0")).config.unwrap());
    assert_eq!((spec.quorum, spec.quorum_max), (0, Some(0)));
    let table = [
        ("weight 3", "vrrp_track_process `p` does not say what to track"),
        (
            "process p\nquorum 0",
            "`quorum` takes a whole number from 1 to 65535, not `0`; ignored",
        ),
        (
            "process p\nquorum 5\nquorum_max 3",
            "`quorum_max` is less than `quorum`",
        ),
        ("process p\nparam_match foo", "`param_match` does not know `foo`"),
        (
            "process p\ndelay 4000",
            "`delay` takes seconds from 0.000001 to 3600, not `4000`; there is no delay",
        ),
        (
            "process /bin/p",
            "`/bin/p` is not the name of a process: a name has no path",
        ),
    ];
    for (lines, remark) in table {
        let loaded = read(&block(lines));
        let said = said(&loaded);
        assert!(
            said.iter().any(|line| line.ends_with(remark)),
            "{lines}\n{said:#?}"
        );
        assert!(loaded.config.is_some());
    }
}

/// Said as often as keepalived says it; what becomes of them is the protocol's.
#[test]
fn weights_that_cannot_count() {
    let defined = "global_defs {\n script_user root\n}\nvrrp_script s {\n script /bin/true\n}\n\
        track_file f {\n file /run/f\n}\nvrrp_track_process p {\n process p\n}\n";
    let entries = "track_script {\n s weight 5\n}\ntrack_file {\n f\n}\ntrack_process {\n p weight 5\n}\n\
        track_interface {\n d9 weight 5\n}";
    let group = |lines: &str| format!("vrrp_sync_group G {{\n group {{\n P\n Q\n }}\n{lines}\n}}\n");
    let second = instance("")
        .replace("vrrp_instance P", "vrrp_instance Q")
        .replace("51", "52")
        .replace("192.0.2.100", "192.0.2.101");
    let of = |lines: &str, rest: &str| {
        let loaded = read(&(defined.to_owned() + &instance(lines) + rest));
        assert!(loaded.config.is_some());
        said(&loaded)
            .into_iter()
            .filter(|line| !line.contains("script_user") && !line.contains("scripts are run"))
            .map(|line| {
                line.split_once(": ")
                    .map_or(line.clone(), |(_, what)| what.to_owned())
            })
            .collect::<Vec<_>>()
    };
    let lost = [
        "interface `d9` is not tracked",
        "script `s` is not tracked",
        "file `f` loses its weight: any number in it but 0 is a fault",
    ];
    let sorted = |mut lines: Vec<String>| {
        lines.sort_unstable_by_key(|line| lost.iter().position(|known| known == line));
        lines
    };
    assert_eq!(sorted(of(&format!("priority 255\n{entries}"), "")), lost);
    assert_eq!(sorted(of(entries, &(second.clone() + &group("")))), lost);
    let kept = second.clone() + &group("sync_group_tracking_weight");
    assert_eq!(of(entries, &kept), Vec::<String>::new());
    let both = second + &group("sync_group_tracking_weight\ntrack_file {\n f\n}");
    assert!(of(entries, &both)[0].ends_with("`P` and its sync group both track file `f`"));
}

#[test]
fn link_delays() {
    let text = |lines: &str| {
        instance("track_interface {\n d1\n d2\n}") + &format!("interface_up_down_delays {{\n{lines}\n}}\n")
    };
    let delays = |down, up| LinkDelays {
        down: Nanos(down),
        up: Nanos(up),
    };
    // Without the second both are the first, by the manual.
    let config = read(&text("d1 2 0.5\nd2 3")).config.unwrap();
    assert_eq!(config.model.links, ["d0", "d1", "d2"]);
    assert_eq!(
        config.link_delays,
        [
            delays(0, 0),
            delays(2_000_000_000, 500_000_000),
            delays(3_000_000_000, 3_000_000_000)
        ]
    );
    for (lines, remark) in [
        ("d1", "`d1` has no delay"),
        ("d1 x", "a delay is 0 to 255 seconds, not `x`"),
        ("d1 1 256", "a delay is 0 to 255 seconds, not `256`"),
    ] {
        assert_eq!(remarked(&text(lines), remark).link_delays, []);
    }
    // Of an interface that nothing depends on there is nothing to delay.
    assert_eq!(read(&text("d7 1")).config.unwrap().link_delays, []);
}

/// keepalived runs this, and nothing else, through a shell (2.2.7).
#[test]
fn a_redirection_is_run_by_the_shell() {
    let host = FakeHost {
        executables: [PathBuf::from("/bin/sh")].into(),
        ..host()
    };
    for script in [
        "\"</dev/tcp/127.0.0.1/80\"",
        "</dev/tcp/127.0.0.1/80",
        "'</dev/tcp/127.0.0.1/80'",
    ] {
        let text = format!("vrrp_script s {{\n script {script}\n}}\n") + &instance("track_script {\n s\n}");
        let loaded = parse_str("test.conf", &text, &host);
        let said = said(&loaded);
        assert!(
            said.iter()
                .any(|line| line.ends_with("`</dev/tcp/127.0.0.1/80` is run by /bin/sh")),
            "{said:#?}"
        );
        let spec = loaded.config.unwrap().scripts[0].clone();
        assert_eq!(spec.command.argv, ["/bin/sh", "-c", "</dev/tcp/127.0.0.1/80"]);
        assert!(!spec.disabled);
    }
}
