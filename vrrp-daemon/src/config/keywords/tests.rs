//! The table is whole, and says what it must.

use super::{Block, Entry, Key, Shape, Status, Usage, remedy};

/// Every keyword that keepalived 2.2.7 takes (tried one by one) or 2.4.3 has, block by block: written out by
/// hand, so that none gets lost.
const KEYWORDS: &[(Block, &str)] = &[
    (
        Block::Root,
        "\
         global_defs vrrp_instance vrrp_sync_group vrrp_script vrrp_track_process track_file \
         vrrp_track_file bfd_instance static_ipaddress static_routes static_rules track_group garp_group \
         linkbeat_interfaces linkbeat_use_polling interface_up_down_delays net_namespace \
         net_namespace_ipvs namespace_with_ipsets instance use_pid_dir child_wait_time virtual_server \
         virtual_server_group SSL",
    ),
    (
        Block::Global,
        "\
         router_id notification_email notification_email_from smtp_server smtp_helo_name \
         smtp_connect_timeout smtp_alert smtp_alert_vrrp no_email_faults enable_script_security \
         script_user vrrp_skip_check_adv_addr vrrp_strict vrrp_garp_interval vrrp_gna_interval \
         vrrp_version vrrp_garp_master_delay vrrp_garp_master_repeat vrrp_garp_master_refresh \
         vrrp_garp_master_refresh_repeat vrrp_garp_lower_prio_delay vrrp_garp_lower_prio_repeat \
         vrrp_min_garp vrrp_garp_extra_if vrrp_vmac_garp_intvl vrrp_lower_prio_no_advert \
         vrrp_higher_prio_send_advert vrrp_down_timer_adverts vrrp_mcast_group4 vrrp_mcast_group6 \
         vrrp_check_unicast_src vrrp_owner_ignore_adverts vrrp_startup_delay vrrp_delay_after_boot \
         dynamic_interfaces default_interface disable_local_igmp v3_checksum_as_v2 vrrp_iptables \
         vrrp_ipsets nftables nftables_priority nftables_ifindex nftables_counters notify_fifo \
         notify_fifo_script vrrp_notify_fifo vrrp_notify_fifo_script vrrp_notify_priority_changes \
         fifo_write_vrrp_states_on_reload startup_script startup_script_timeout shutdown_script \
         shutdown_script_timeout max_auto_priority min_auto_priority_delay vrrp_priority vrrp_rt_priority \
         vrrp_rlimit_rttime vrrp_no_swap vrrp_cpu_affinity vrrp_rx_bufs_policy vrrp_rx_bufs_multiplier \
         vrrp_netlink_cmd_rcv_bufs vrrp_netlink_cmd_rcv_bufs_force vrrp_netlink_monitor_rcv_bufs \
         vrrp_netlink_monitor_rcv_bufs_force process_monitor_rcv_bufs process_monitor_rcv_bufs_force \
         reload_check_config reload_time_file reload_repeat reload_file include_check config_save_dir \
         tmp_config_directory snmp_socket enable_traps enable_snmp_vrrp enable_snmp_rfc enable_snmp_rfcv2 \
         enable_snmp_rfcv3 enable_dbus dbus_service_name dbus_no_interface_name process_names \
         process_name vrrp_process_name use_symlink_paths set_supplementary_groups umask random_seed \
         iproute_usr_dir iproute_etc_dir log_unknown_vrids vmac_prefix vmac_addr_prefix json_version \
         data_use_instance state_dump_file stats_dump_file json_dump_file lvs_sync_daemon \
         rs_init_notifies smtp_alert_checker enable_snmp_keepalived enable_snmp_checker \
         checker_process_name bfd_process_name lvs_flush lvs_flush_on_stop lvs_flush_onstop lvs_timeouts \
         lvs_netlink_cmd_rcv_bufs lvs_netlink_cmd_rcv_bufs_force lvs_netlink_monitor_rcv_bufs \
         lvs_netlink_monitor_rcv_bufs_force lvs_notify_fifo lvs_notify_fifo_script checker_priority \
         checker_rt_priority checker_rlimit_rttime checker_no_swap checker_cpu_affinity \
         checker_log_all_failures no_checker_emails bfd_priority bfd_rt_priority bfd_rlimit_rttime \
         bfd_no_swap bfd_cpu_affinity vrrp_rlimit_rtime checker_rlimit_rtime bfd_rlimit_rtime \
         lvs_process_name nftables_ipvs nftables_ipvs_priority nftables_ipvs_start_fwmark",
    ),
    (
        Block::Instance,
        "\
         state interface virtual_router_id priority advert_int authentication auth_hmac virtual_ipaddress \
         virtual_ipaddress_excluded no_virtual_ipaddress virtual_routes virtual_rules unicast_src_ip \
         unicast_peer unicast_ttl unicast_fault_no_peer check_unicast_src old_unicast_checksum \
         mcast_src_ip mcast_dst_ip track_src_ip version native_ipv6 nopreempt preempt preempt_delay \
         track_interface track_script track_file track_process track_bfd dont_track_primary notify_master \
         notify_backup notify_fault notify_stop notify_deleted notify notify_master_rx_lower_pri \
         notify_priority_changes smtp_alert garp_master_delay garp_master_repeat garp_master_refresh \
         garp_master_refresh_repeat garp_lower_prio_delay garp_lower_prio_repeat garp_extra_if \
         vmac_garp_intvl lower_prio_no_advert higher_prio_send_advert owner_ignore_adverts \
         down_timer_adverts timer_expired_backup thread_timer_expired use_vmac use_vmac_addr \
         vmac_xmit_base use_ipvlan vrf promote_secondaries accept no_accept skip_check_adv_addr \
         strict_mode v3_checksum_as_v2 kernel_rx_buf_size debug linkbeat_use_polling \
         lvs_sync_daemon_interface",
    ),
    (Block::Authentication, "auth_type auth_pass"),
    (Block::AuthHmac, "key active_key time_window anti_replay mode"),
    (
        Block::SyncGroup,
        "\
         group notify_master notify_backup notify_fault notify_stop notify smtp_alert \
         notify_priority_changes track_interface track_script track_file track_process track_bfd \
         sync_group_tracking_weight global_tracking",
    ),
    (
        Block::Script,
        "script interval timeout weight rise fall user init_fail",
    ),
    (
        Block::TrackProcess,
        "\
         process param_match full_command weight quorum quorum_max delay terminate_delay fork_delay",
    ),
    (Block::TrackFile, "file weight init_file"),
    (
        Block::GarpGroup,
        "garp_interval gna_interval interface interfaces",
    ),
    (Block::TrackGroup, "group"),
    (
        Block::Bfd,
        "\
         neighbor_ip neighbour_ip source_ip min_rx min_tx idle_tx multiplier passive ttl hoplimit \
         max_hops multihop weight vrrp checker",
    ),
];

/// The words of entries, likewise.
const WORDS: &[(Entry, &str)] = &[
    (
        Entry::Address,
        "\
         dev scope brd broadcast label peer home -nodad mngtmpaddr noprefixroute autojoin no_track \
         preferred_lft use_vmac track_group",
    ),
    (
        Entry::Peer,
        "\
         min_ttl max_ttl",
    ),
    (
        Entry::Track,
        "\
         weight reverse noreverse",
    ),
    (
        Entry::Route,
        "\
         src to via gw or dev oif scope table dsfield tos protocol metric priority preference pref mtu \
         hoplimit advmss rtt rttvar reordering window cwnd ssthresh realms rto_min initcwnd initrwnd \
         features quickack congctl ttl-propagate fastopen_no_cookie onlink encap expires add prepend \
         append nexthop weight as from inet inet6 vrf blackhole unreachable prohibit throw local \
         broadcast no_track track_group",
    ),
    (
        Entry::Rule,
        "\
         inet inet6 not from to table lookup preference order priority tos dsfield fwmark realms \
         suppress_prefixlength sup_pl suppress_ifgroup sup_group dev iif oif tunnel-id uidrange l3mdev \
         protocol ipproto sport dport goto nop blackhole no_track track_group",
    ),
];

/// What stands in the table and in no keepalived.
const OURS: &[&str] = &[
    "vrrp_xdp",
    "vrrp_xdp_pass",
    "vrrp_late_advert",
    "vrrp_peer_mac",
    "vrrp_send_fault",
    "vrrp_vip_removed",
    "vrrp_link_hold",
    "vrrp_control_group",
    "track_restarts",
    "check",
];

#[test]
fn no_keyword_is_lost() {
    for (block, names) in KEYWORDS {
        for name in names.split_whitespace() {
            assert!(
                block.find(name).is_some(),
                "`{name}` is missing in {}",
                block.name()
            );
        }
    }
    for (entry, names) in WORDS {
        for name in names.split_whitespace() {
            assert!(
                entry.find(name).is_some(),
                "`{name}` is missing in {}",
                entry.name()
            );
        }
    }
}

/// Whatever is added to the table is added to the list above, or is named as ours.
#[test]
fn no_keyword_is_made_up() {
    for block in Block::ALL {
        let (_, names) = KEYWORDS.iter().find(|(known, _)| *known == block).unwrap();
        for keyword in block.keywords() {
            let known = names.split_whitespace().any(|name| name == keyword.name);
            assert!(
                known || OURS.contains(&keyword.name),
                "`{}` in {} is in no keepalived",
                keyword.name,
                block.name()
            );
        }
    }
}

#[test]
fn every_line_is_filled_in_and_stands_once() {
    let blocks = Block::ALL.iter().map(|block| (block.name(), block.keywords()));
    let entries = Entry::ALL.iter().map(|entry| (entry.name(), entry.words()));
    for (place, keywords) in blocks.chain(entries) {
        for (at, keyword) in keywords.iter().enumerate() {
            let name = keyword.name;
            assert!(
                !keyword.doc.is_empty() && !keyword.doc.ends_with('.'),
                "{name} in {place}"
            );
            if let Status::Missing(why) | Status::Needless(why) | Status::Refused(why) = keyword.status {
                assert!(!why.is_empty(), "{name} in {place}");
            }
            let before = keywords.get(..at).unwrap();
            assert!(
                before.iter().all(|other| other.name != name),
                "{name} stands twice in {place}"
            );
        }
    }
}

/// Nothing that is met in many files is left undone for good.
#[test]
fn what_many_files_have_works_or_is_to_come() {
    let entries = Entry::ALL.iter().flat_map(|entry| entry.words());
    for keyword in Block::ALL
        .iter()
        .flat_map(|block| block.keywords())
        .chain(entries)
    {
        let undone = matches!(keyword.status, Status::Missing(_) | Status::Refused(_));
        assert!(
            !undone || keyword.to_come || keyword.usage == Usage::Rare,
            "{}",
            keyword.name
        );
        assert!(!keyword.to_come || undone, "{}", keyword.name);
    }
}

/// Lowering looks a keyword up by its key: a key in the wrong block would be dead.
#[test]
fn keys_stand_in_their_block() {
    for block in Block::ALL {
        for keyword in block.keywords() {
            let Status::Works(key) = keyword.status else {
                continue;
            };
            let fits = match key {
                Key::Root(_) => block == Block::Root,
                Key::Global(_) => block == Block::Global,
                Key::Daemon(_) => matches!(block, Block::Root | Block::Global),
                Key::Instance(_) => block == Block::Instance,
                Key::Auth(_) => block == Block::Authentication,
                Key::Group(_) => block == Block::SyncGroup,
                Key::Script(_) => block == Block::Script,
                Key::File(_) => block == Block::TrackFile,
                Key::Process(_) => block == Block::TrackProcess,
                Key::GarpGroup(_) => block == Block::GarpGroup,
                Key::Word => false,
            };
            assert!(fits, "{} in {}", keyword.name, block.name());
        }
    }
    for entry in Entry::ALL {
        for word in entry.words() {
            let fits = matches!(
                word.status,
                Status::Works(Key::Word) | Status::Missing(_) | Status::Needless(_)
            );
            assert!(fits && !word.shape.opens(), "{} of {}", word.name, entry.name());
        }
    }
}

#[test]
fn blocks_hold_what_their_shape_says() {
    for block in Block::ALL {
        for keyword in block.keywords() {
            if let Shape::Block(inner) | Shape::Named(inner) = keyword.shape {
                assert!(Block::ALL.contains(&inner), "{}", keyword.name);
                // One kind of block may have two names: `track_file` and `vrrp_track_file`.
                assert!(keyword.name.ends_with(inner.name()), "{}", keyword.name);
            }
        }
    }
}

#[test]
fn historic_names_have_a_remedy() {
    for name in [
        "vrrp_unicast_bind",
        "vrrp_unicast_peer",
        "lvs_sync_daemon_inteface",
    ] {
        assert!(remedy(name).is_some(), "{name}");
        assert!(Block::Instance.find(name).is_none(), "{name}");
    }
}
