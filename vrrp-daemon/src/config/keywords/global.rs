//! `global_defs`.

use super::Shape::{Address, Any, Bool, Command, Entries, Flag, Number, Seconds, Word, Words};
use super::{DaemonKey, GarpKey, Key, Keyword, balancer, missing, needless, to_come, works};

/// Keywords of `global_defs` that are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalKey {
    /// `router_id`
    RouterId,
    /// `include_check`
    IncludeCheck,
    /// `default_interface`
    DefaultInterface,
    /// `iproute_usr_dir`
    IprouteUsr,
    /// `iproute_etc_dir`
    IprouteEtc,
    /// `enable_script_security`
    ScriptSecurity,
    /// `script_user`
    ScriptUser,
    /// `vrrp_strict`
    Strict,
    /// `vrrp_version`
    Version,
    /// `vrrp_garp_…`
    Garp(GarpKey),
    /// `vrrp_min_garp`
    MinGarp,
    /// `vrrp_garp_interval`
    GarpInterval,
    /// `vrrp_gna_interval`
    GnaInterval,
    /// `vrrp_lower_prio_no_advert`
    LowerNoAdvert,
    /// `vrrp_higher_prio_send_advert`
    HigherSendAdvert,
    /// `vrrp_down_timer_adverts`
    DownAdverts,
    /// `vrrp_mcast_group4`
    Group4,
    /// `vrrp_mcast_group6`
    Group6,
    /// `vrrp_check_unicast_src`
    CheckSource,
    /// `vrrp_startup_delay`
    StartupDelay,
    /// `dynamic_interfaces`
    DynamicInterfaces,
    /// `v3_checksum_as_v2`
    ChecksumAsV2,
    /// `vrrp_xdp`
    Xdp,
    /// `vrrp_xdp_pass`
    XdpPass,
    /// `vrrp_late_advert`
    LateAdvert,
    /// `vrrp_owner_ignore_adverts`
    OwnerIgnore,
    /// `vrrp_delay_after_boot`
    DelayAfterBoot,
    /// `vrrp_rx_bufs_policy`
    BufferPolicy,
    /// `vrrp_rx_bufs_multiplier`
    BufferMultiplier,
    /// `log_unknown_vrids`
    LogUnknown,
    /// `vrrp_send_fault`
    SendFault,
    /// `vrrp_vip_removed`
    WhenLost,
    /// `vrrp_link_hold`
    LinkHold,
    /// `vrrp_control_group`
    ControlGroup,
}

const MAIL: &str = "mail is not sent";
const FIREWALL: &str = "firewall rules are not installed";
const BFD: &str = "BFD does not run";
const SCHEDULE: &str = "reload happens on SIGHUP alone";
const SNMP: &str = "SNMP is not answered";
const DBUS: &str = "D-Bus is not served";
const DUMPS: &str = "dump files have their own names and forms";
const BUFFERS: &str = "socket buffers are sized by the daemon";

const fn global(name: &'static str, shape: super::Shape, key: GlobalKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Global(key), doc)
}

const fn daemon(name: &'static str, shape: super::Shape, key: DaemonKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Daemon(key), doc)
}

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TABLE: &[Keyword] = &[
    global("router_id", Word, GlobalKey::RouterId, "Name of this host in mail and status").everywhere().default("the host's name"),
    global("enable_script_security", Flag, GlobalKey::ScriptSecurity, "No script as root that others may change").everywhere(),
    global("script_user", Words, GlobalKey::ScriptUser, "USER [GROUP] that scripts run as").everywhere().default("keepalived_script, else root"),
    global("vrrp_strict", Bool, GlobalKey::Strict, "Keep to the letter of the RFCs").everywhere().default("off"),
    global("vrrp_version", Number, GlobalKey::Version, "Protocol version of all instances, 2 or 3").common().default("2"),
    global("vrrp_garp_master_delay", Seconds, GlobalKey::Garp(GarpKey::Delay), "Until the second gratuitous ARP burst").common().default("5"),
    global("vrrp_garp_master_repeat", Number, GlobalKey::Garp(GarpKey::Repeat), "Gratuitous ARPs per burst").common().default("5"),
    global("vrrp_garp_master_refresh", Seconds, GlobalKey::Garp(GarpKey::Refresh), "Between repeated gratuitous ARPs").common().default("0"),
    global("vrrp_garp_master_refresh_repeat", Number, GlobalKey::Garp(GarpKey::RefreshRepeat), "Gratuitous ARPs per repetition").common().default("1"),
    global("vrrp_garp_lower_prio_delay", Seconds, GlobalKey::Garp(GarpKey::LowerDelay), "Until the second burst after a contender of lower priority").common().default("vrrp_garp_master_delay"),
    global("vrrp_garp_lower_prio_repeat", Number, GlobalKey::Garp(GarpKey::LowerRepeat), "Gratuitous ARPs after a contender of lower priority").common().default("vrrp_garp_master_repeat"),
    global("vrrp_min_garp", Bool, GlobalKey::MinGarp, "One gratuitous ARP, no second burst").default("off"),
    global("vrrp_garp_interval", Seconds, GlobalKey::GarpInterval, "Least time between gratuitous ARPs").everywhere().default("0"),
    global("vrrp_gna_interval", Seconds, GlobalKey::GnaInterval, "Least time between unsolicited NAs").everywhere().default("0"),
    global("vrrp_lower_prio_no_advert", Bool, GlobalKey::LowerNoAdvert, "Do not answer a contender of lower priority").common().default("off"),
    global("vrrp_higher_prio_send_advert", Bool, GlobalKey::HigherSendAdvert, "One last advert when standing down").common().default("off"),
    global("vrrp_down_timer_adverts", Number, GlobalKey::DownAdverts, "Missed adverts until the Master is dead, 1-100").default("3"),
    global("vrrp_mcast_group4", Address, GlobalKey::Group4, "IPv4 group, 224.0.0.18").default("224.0.0.18"),
    global("vrrp_mcast_group6", Address, GlobalKey::Group6, "IPv6 group, ff02::12").default("ff02::12"),
    global("vrrp_check_unicast_src", Bool, GlobalKey::CheckSource, "Only configured unicast peers count").common().default("on"),
    global("vrrp_startup_delay", Seconds, GlobalKey::StartupDelay, "Wait before taking part").common().default("0"),
    global("dynamic_interfaces", Words, GlobalKey::DynamicInterfaces, "Interfaces may come later").common(),
    global("v3_checksum_as_v2", Bool, GlobalKey::ChecksumAsV2, "IPv4 version 3 checksum without pseudo-header").default("off").since("after 2.2.7"),
    global("vrrp_xdp", Word, GlobalKey::Xdp, "auto, native, generic or off: how adverts are received").default("auto").since("here only"),
    global("vrrp_xdp_pass", Bool, GlobalKey::XdpPass, "Accepted adverts go on to the stack, where tcpdump sees them; each wakes the daemon then").default("off").since("here only"),
    global("vrrp_late_advert", Word, GlobalKey::LateAdvert, "1-100 or off: after so many percent of Master_Down_Interval an advert is late, which is logged and counted").default("50").since("here only"),
    global("vrrp_send_fault", Words, GlobalKey::SendFault, "[SECONDS|off]: FAULT once no advert has left the host for so long, three adverts if not given").default("off").since("here only"),
    global("vrrp_vip_removed", Word, GlobalKey::WhenLost, "restore or backup: what a Master does when another program removes an address").default("restore").since("here only"),
    global("vrrp_link_hold", Word, GlobalKey::LinkHold, "SECONDS or off: how long after its interface came up a Backup that hears nobody waits for it to receive a first frame").default("30").since("here only"),
    global("vrrp_control_group", Word, GlobalKey::ControlGroup, "Group whose members may use the control socket (vrrpctl), besides root").default("none").since("here only"),
    needless("vrrp_skip_check_adv_addr", Bool, "a differing address list is counted and never refused", "Do not compare the address list of the known Master").everywhere().default("off"),
    to_come("notification_email", Entries, MAIL, "Addresses that are told of changes").everywhere(),
    to_come("notification_email_from", Words, MAIL, "Sender of the mail").everywhere(),
    to_come("smtp_server", Words, MAIL, "HOST [PORT] that takes the mail").everywhere().default("port 25"),
    to_come("smtp_helo_name", Word, MAIL, "Name given in HELO").everywhere(),
    to_come("smtp_connect_timeout", Number, MAIL, "How long to wait for the mail server, s").everywhere().default("30"),
    to_come("smtp_alert", Bool, MAIL, "Mail on every change").common(),
    to_come("smtp_alert_vrrp", Bool, MAIL, "Mail on every VRRP change").common(),
    to_come("no_email_faults", Flag, MAIL, "No mail on FAULT"),
    balancer("smtp_alert_checker"),
    to_come("vrrp_garp_extra_if", Words, "VMAC addresses are not announced elsewhere", "Gratuitous ARP of VMAC addresses"),
    to_come("vrrp_vmac_garp_intvl", Words, "VMAC addresses are not announced elsewhere", "Old name of vrrp_garp_extra_if").deprecated("vrrp_garp_extra_if"),
    global("vrrp_owner_ignore_adverts", Bool, GlobalKey::OwnerIgnore, "Priority 255 hears nothing").default("off").since("after 2.2.7"),
    global("vrrp_delay_after_boot", Seconds, GlobalKey::DelayAfterBoot, "Wait after boot before taking part").common().default("0").since("after 2.2.7"),
    global("default_interface", Word, GlobalKey::DefaultInterface, "Interface of static addresses").default("eth0"),
    missing("disable_local_igmp", Flag, "IGMP is left to the kernel", "No IGMP for VMAC interfaces"),
    to_come("vrrp_iptables", Words, FIREWALL, "iptables chains for no_accept"),
    to_come("vrrp_ipsets", Words, FIREWALL, "ipsets for no_accept").since("after 2.2.7"),
    to_come("nftables", Words, FIREWALL, "nftables table for no_accept").default("keepalived"),
    to_come("nftables_priority", Number, FIREWALL, "Priority of the nftables chains").default("-1"),
    to_come("nftables_ifindex", Flag, FIREWALL, "Interfaces by index in nftables"),
    to_come("nftables_counters", Flag, FIREWALL, "Counters in nftables"),
    global("vrrp_rx_bufs_policy", Words, GlobalKey::BufferPolicy, "MTU, ADVERT or bytes: how receive buffers are sized"),
    global("vrrp_rx_bufs_multiplier", Number, GlobalKey::BufferMultiplier, "MTUs or adverts that a receive buffer holds").default("3"),
    daemon("notify_fifo", Words, DaemonKey::Fifo, "PATH [USER [GROUP]]: FIFO that is told of every change").common(),
    daemon("notify_fifo_script", Command, DaemonKey::FifoScript, "Reader of the FIFO; gets its path as the last argument").common(),
    daemon("vrrp_notify_fifo", Words, DaemonKey::VrrpFifo, "PATH [USER [GROUP]]: FIFO that is told of VRRP changes").common(),
    daemon("vrrp_notify_fifo_script", Command, DaemonKey::VrrpFifoScript, "Reader of the VRRP FIFO").common(),
    daemon("vrrp_notify_priority_changes", Bool, DaemonKey::PriorityChanges, "Tell the FIFOs of priority changes too").default("off"),
    daemon("fifo_write_vrrp_states_on_reload", Bool, DaemonKey::StatesOnReload, "Tell the FIFOs all states after a reload").default("off"),
    daemon("startup_script", Command, DaemonKey::StartupScript, "Run before anything else"),
    daemon("startup_script_timeout", Number, DaemonKey::StartupTimeout, "How long it may take, 1-1000 s").default("10"),
    daemon("shutdown_script", Command, DaemonKey::ShutdownScript, "Run after everything else"),
    daemon("shutdown_script_timeout", Number, DaemonKey::ShutdownTimeout, "How long it may take, 1-1000 s").default("10"),
    daemon("max_auto_priority", Number, DaemonKey::MaxAutoPriority, "Highest real-time priority that the daemon gives itself; 0, -1: none").common().default("0"),
    needless("min_auto_priority_delay", Number, "the protocol thread has its priority from the start", "How late is late, us").common().default("1000000"),
    daemon("vrrp_priority", Number, DaemonKey::Nice, "Nice value, -20 to 19").common(),
    daemon("vrrp_rt_priority", Number, DaemonKey::RealTimePriority, "Real-time priority, 1-99").common(),
    daemon("vrrp_rlimit_rttime", Number, DaemonKey::RealTimeLimit, "How long a real-time thread may compute without a pause, us; at least 100000").common().default("10000"),
    daemon("vrrp_rlimit_rtime", Number, DaemonKey::RealTimeLimit, "Old name of vrrp_rlimit_rttime").deprecated("vrrp_rlimit_rttime"),
    needless("vrrp_no_swap", Flag, "memory is always locked", "Lock memory").common(),
    daemon("vrrp_cpu_affinity", Words, DaemonKey::Cpus, "CPUs to run on").common(),
    missing("vrrp_netlink_cmd_rcv_bufs", Number, BUFFERS, "Netlink command buffer"),
    missing("vrrp_netlink_cmd_rcv_bufs_force", Bool, BUFFERS, "Force it"),
    missing("vrrp_netlink_monitor_rcv_bufs", Number, BUFFERS, "Netlink event buffer"),
    missing("vrrp_netlink_monitor_rcv_bufs_force", Bool, BUFFERS, "Force it"),
    missing("process_monitor_rcv_bufs", Number, BUFFERS, "Process event buffer"),
    missing("process_monitor_rcv_bufs_force", Bool, BUFFERS, "Force it"),
    needless("reload_check_config", Words, "a file that cannot run never changes anything", "Check the file before a reload"),
    missing("reload_time_file", Word, SCHEDULE, "File that names the time of a reload"),
    missing("reload_repeat", Flag, SCHEDULE, "Repeat it daily"),
    missing("reload_file", Words, SCHEDULE, "File that asks for a reload"),
    global("include_check", Words, GlobalKey::IncludeCheck, "What includes must find: readable, match, wildcard_match, brace_match; all without a word"),
    missing("config_save_dir", Word, DUMPS, "Where configurations are kept"),
    missing("tmp_config_directory", Word, DUMPS, "Where configurations are kept for a while"),
    missing("snmp_socket", Word, SNMP, "AgentX socket"),
    missing("enable_traps", Flag, SNMP, "Send traps"),
    missing("enable_snmp_keepalived", Flag, SNMP, "KEEPALIVED-MIB"),
    missing("enable_snmp_vrrp", Flag, SNMP, "KEEPALIVED-MIB, VRRP part"),
    missing("enable_snmp_checker", Flag, SNMP, "KEEPALIVED-MIB, checker part"),
    missing("enable_snmp_rfc", Flag, SNMP, "VRRP MIBs"),
    missing("enable_snmp_rfcv2", Flag, SNMP, "VRRPv2 MIB"),
    missing("enable_snmp_rfcv3", Flag, SNMP, "VRRPv3 MIB"),
    missing("enable_dbus", Flag, DBUS, "org.keepalived.Vrrp1"),
    missing("dbus_service_name", Word, DBUS, "Another service name"),
    missing("dbus_no_interface_name", Word, DBUS, "Name of the path without interface").since("after 2.2.7"),
    daemon("process_names", Flag, DaemonKey::ProcessNames, "Processes are called keepalived and keepalived_vrrp"),
    daemon("process_name", Word, DaemonKey::ParentName, "Name of the parent"),
    daemon("vrrp_process_name", Word, DaemonKey::VrrpName, "Name of the VRRP process"),
    balancer("checker_process_name"),
    balancer("lvs_process_name").deprecated("checker_process_name"),
    balancer("nftables_ipvs"),
    balancer("nftables_ipvs_priority"),
    balancer("nftables_ipvs_start_fwmark"),
    missing("bfd_process_name", Word, BFD, "Name of the BFD process"),
    needless("use_symlink_paths", Bool, "script paths are always used as written", "Keep symbolic links in script paths").since("after 2.2.7"),
    needless("set_supplementary_groups", Bool, "scripts always get all groups of their user", "Scripts get all groups of their user").since("after 2.2.7"),
    daemon("umask", Any, DaemonKey::Umask, "umask of the daemon and its scripts: a number, or names as in IWGRP | IWOTH").default("0177"),
    missing("random_seed", Number, "there is no random number in it", "Seed"),
    global("iproute_usr_dir", Word, GlobalKey::IprouteUsr, "Where iproute2's tables are").since("after 2.2.7"),
    global("iproute_etc_dir", Word, GlobalKey::IprouteEtc, "Where iproute2's tables are").since("after 2.2.7"),
    global("log_unknown_vrids", Flag, GlobalKey::LogUnknown, "Log adverts for VRIDs that are not configured"),
    to_come("vmac_prefix", Word, "VMAC is not done", "Name of VMAC interfaces").default("vrrp"),
    to_come("vmac_addr_prefix", Word, "VMAC is not done", "Name of VMAC interfaces of addresses").default("vmac_prefix"),
    to_come("json_version", Number, DUMPS, "Form of the JSON dump").default("1").since("after 2.2.7"),
    to_come("data_use_instance", Flag, DUMPS, "Name dumps by instance"),
    to_come("state_dump_file", Word, DUMPS, "Name of the data dump").since("after 2.2.7"),
    to_come("stats_dump_file", Word, DUMPS, "Name of the statistics dump").since("after 2.2.7"),
    to_come("json_dump_file", Word, DUMPS, "Name of the JSON dump").since("after 2.2.7"),
    balancer("lvs_sync_daemon"),
    balancer("lvs_flush"),
    balancer("lvs_flush_on_stop"),
    balancer("lvs_flush_onstop"),
    balancer("lvs_timeouts"),
    balancer("lvs_netlink_cmd_rcv_bufs"),
    balancer("lvs_netlink_cmd_rcv_bufs_force"),
    balancer("lvs_netlink_monitor_rcv_bufs"),
    balancer("lvs_netlink_monitor_rcv_bufs_force"),
    balancer("lvs_notify_fifo"),
    balancer("lvs_notify_fifo_script"),
    balancer("checker_priority"),
    balancer("checker_rt_priority"),
    balancer("checker_rlimit_rttime"),
    balancer("checker_rlimit_rtime").deprecated("checker_rlimit_rttime"),
    balancer("checker_no_swap"),
    balancer("checker_cpu_affinity"),
    balancer("checker_log_all_failures"),
    balancer("rs_init_notifies"),
    balancer("no_checker_emails"),
    missing("bfd_priority", Number, BFD, "Nice value of BFD"),
    missing("bfd_rt_priority", Number, BFD, "Real-time priority of BFD"),
    missing("bfd_rlimit_rttime", Number, BFD, "Real-time limit of BFD"),
    missing("bfd_rlimit_rtime", Number, BFD, "Old name of bfd_rlimit_rttime").deprecated("bfd_rlimit_rttime"),
    missing("bfd_no_swap", Flag, BFD, "Lock memory of BFD"),
    missing("bfd_cpu_affinity", Words, BFD, "CPUs of BFD"),
];
