//! `vrrp_instance` and its `authentication`.

use super::Shape::{Address, Block as Holds, Bool, Command, Entries, Flag, Number, Seconds, Word, Words};
use super::{Block, GarpKey, Key, Keyword, NotifyKey, Shape, missing, needless, refused, to_come, works};

/// Keywords of `vrrp_instance` that few configurations have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UncommonKey {
    /// `native_ipv6`
    NativeIpv6,
    /// `unicast_fault_no_peer`
    FaultNoPeer,
    /// `old_unicast_checksum`
    OldChecksum,
    /// `track_src_ip`
    TrackSource,
    /// `owner_ignore_adverts`
    OwnerIgnore,
    /// `timer_expired_backup`
    LateBackup,
    /// `kernel_rx_buf_size`
    ReceiveBuffer,
    /// `vrrp_xdp`
    Xdp,
    /// `vrrp_late_advert`
    LateAdvert,
    /// `vrrp_peer_mac`
    PeerMac,
    /// `vrrp_send_fault`
    SendFault,
    /// `vrrp_vip_removed`
    WhenLost,
    /// `vrrp_link_hold`
    LinkHold,
}

/// Keywords of `vrrp_instance` that are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InstanceKey {
    /// `state`
    State,
    /// `interface`
    Interface,
    /// `virtual_router_id`
    Vrid,
    /// `priority`
    Priority,
    /// `advert_int`
    Interval,
    /// `version`
    Version,
    /// `authentication`
    Authentication,
    /// `virtual_ipaddress`
    Addresses,
    /// `virtual_ipaddress_excluded`
    Excluded,
    /// `virtual_routes`
    Routes,
    /// `virtual_rules`
    Rules,
    /// `promote_secondaries`
    PromoteSecondaries,
    /// `no_virtual_ipaddress`
    NoAddresses,
    /// `unicast_src_ip`
    UnicastSource,
    /// `unicast_peer`
    Peers,
    /// `unicast_ttl`
    UnicastTtl,
    /// `check_unicast_src`
    CheckSource,
    /// `mcast_src_ip`
    MulticastSource,
    /// `mcast_dst_ip`
    MulticastGroup,
    /// `nopreempt`
    NoPreempt,
    /// `preempt`
    Preempt,
    /// `preempt_delay`
    PreemptDelay,
    /// `track_interface`
    TrackInterface,
    /// `track_script`
    TrackScript,
    /// `track_file`
    TrackFile,
    /// `track_process`
    TrackProcess,
    /// `track_restarts`
    TrackRestarts,
    /// `dont_track_primary`
    DontTrackPrimary,
    /// `notify…`
    Notify(NotifyKey),
    /// `garp_…`
    Garp(GarpKey),
    /// `lower_prio_no_advert`
    LowerNoAdvert,
    /// `higher_prio_send_advert`
    HigherSendAdvert,
    /// `down_timer_adverts`
    DownAdverts,
    /// `v3_checksum_as_v2`
    ChecksumAsV2,
    /// `strict_mode`
    Strict,
    /// Few configurations have it.
    Uncommon(UncommonKey),
}

/// Keywords of `authentication`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthKey {
    /// `auth_type`
    Type,
    /// `auth_pass`
    Password,
}

const VMAC: &str = "virtual MAC addresses are not used; the addresses move with the interface's own";
const BFD: &str = "BFD does not run: this protects NOTHING, and is never a fault";
const MAIL: &str = "mail is not sent";
const ACCEPT: &str = "the Master always answers on its addresses";

pub(super) const RESTARTS: &str = "UNIT COUNT SECONDS [weight N]: the service manager restarted a service more than COUNT times in SECONDS, or it has failed; one line for each";

const fn instance(name: &'static str, shape: Shape, key: InstanceKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Instance(key), doc)
}

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TABLE: &[Keyword] = &[
    instance("state", Word, InstanceKey::State, "MASTER or BACKUP to begin with; a hint").everywhere().default("BACKUP"),
    instance("interface", Word, InstanceKey::Interface, "Interface it runs on").everywhere(),
    instance("virtual_router_id", Number, InstanceKey::Vrid, "VRID, 1-255, the same on all hosts").everywhere(),
    instance("priority", Number, InstanceKey::Priority, "1-255, 100; the highest becomes Master; 255 owns the addresses").everywhere().default("100"),
    instance("advert_int", Seconds, InstanceKey::Interval, "Between adverts: version 2 1-255 s, version 3 0.01-40.95 s").everywhere().default("1"),
    instance("version", Number, InstanceKey::Version, "Protocol version, 2 or 3").common().default("vrrp_version"),
    instance("authentication", Holds(Block::Authentication), InstanceKey::Authentication, "Password (version 2)").everywhere(),
    instance("virtual_ipaddress", Entries, InstanceKey::Addresses, "Addresses that the Master holds").everywhere(),
    instance("virtual_ipaddress_excluded", Entries, InstanceKey::Excluded, "More of them, not named in adverts").common(),
    instance("no_virtual_ipaddress", Flag, InstanceKey::NoAddresses, "It has no address, on purpose").since("after 2.2.7"),
    instance("unicast_src_ip", Address, InstanceKey::UnicastSource, "Source of unicast adverts").everywhere(),
    instance("unicast_peer", Entries, InstanceKey::Peers, "Hosts that adverts are sent to, instead of the group").everywhere(),
    instance("unicast_ttl", Number, InstanceKey::UnicastTtl, "TTL of unicast adverts, 255").default("255"),
    instance("check_unicast_src", Bool, InstanceKey::CheckSource, "Only configured unicast peers count").common().default("vrrp_check_unicast_src"),
    instance("mcast_src_ip", Address, InstanceKey::MulticastSource, "Source of multicast adverts").common().default("the primary address"),
    instance("mcast_dst_ip", Address, InstanceKey::MulticastGroup, "Group of multicast adverts").default("vrrp_mcast_group4 or 6"),
    instance("nopreempt", Flag, InstanceKey::NoPreempt, "A living Master is never replaced").everywhere(),
    instance("preempt", Flag, InstanceKey::Preempt, "A Master of lower priority is replaced (default)").default("on"),
    instance("preempt_delay", Seconds, InstanceKey::PreemptDelay, "... after this long, 0-1000 s").common().default("0"),
    instance("track_interface", Entries, InstanceKey::TrackInterface, "Interfaces that must be up").common(),
    instance("track_script", Entries, InstanceKey::TrackScript, "Scripts that must succeed").everywhere(),
    instance("dont_track_primary", Flag, InstanceKey::DontTrackPrimary, "Its own interface may be down").common(),
    instance("notify_master", Command, InstanceKey::Notify(NotifyKey::Master), "Run on becoming Master").everywhere(),
    instance("notify_backup", Command, InstanceKey::Notify(NotifyKey::Backup), "Run on becoming Backup").everywhere(),
    instance("notify_fault", Command, InstanceKey::Notify(NotifyKey::Fault), "Run on a fault").everywhere(),
    instance("notify_stop", Command, InstanceKey::Notify(NotifyKey::Stop), "Run at stop").common(),
    instance("notify", Command, InstanceKey::Notify(NotifyKey::Any), "Run on every change").everywhere(),
    instance("notify_master_rx_lower_pri", Command, InstanceKey::Notify(NotifyKey::MasterRxLowerPri), "Run after a contention won as Master"),
    instance("garp_master_delay", Seconds, InstanceKey::Garp(GarpKey::Delay), "Until the second gratuitous ARP burst").common().default("vrrp_garp_master_delay"),
    instance("garp_master_repeat", Number, InstanceKey::Garp(GarpKey::Repeat), "Gratuitous ARPs per burst").common().default("vrrp_garp_master_repeat"),
    instance("garp_master_refresh", Seconds, InstanceKey::Garp(GarpKey::Refresh), "Between repeated gratuitous ARPs").common().default("vrrp_garp_master_refresh"),
    instance("garp_master_refresh_repeat", Number, InstanceKey::Garp(GarpKey::RefreshRepeat), "Gratuitous ARPs per repetition").common().default("vrrp_garp_master_refresh_repeat"),
    instance("garp_lower_prio_delay", Seconds, InstanceKey::Garp(GarpKey::LowerDelay), "Until the second burst after a contender of lower priority").common().default("vrrp_garp_lower_prio_delay"),
    instance("garp_lower_prio_repeat", Number, InstanceKey::Garp(GarpKey::LowerRepeat), "Gratuitous ARPs after a contender of lower priority").common().default("vrrp_garp_lower_prio_repeat"),
    instance("lower_prio_no_advert", Bool, InstanceKey::LowerNoAdvert, "Do not answer a contender of lower priority").common().default("vrrp_lower_prio_no_advert"),
    instance("higher_prio_send_advert", Bool, InstanceKey::HigherSendAdvert, "One last advert when standing down").common().default("vrrp_higher_prio_send_advert"),
    instance("down_timer_adverts", Number, InstanceKey::DownAdverts, "Missed adverts until the Master is dead, 1-100").default("vrrp_down_timer_adverts"),
    instance("v3_checksum_as_v2", Bool, InstanceKey::ChecksumAsV2, "IPv4 version 3 checksum without pseudo-header").default("the global one").since("after 2.2.7"),
    instance("strict_mode", Bool, InstanceKey::Strict, "Keep to the letter of the RFCs").common().default("vrrp_strict"),
    needless("skip_check_adv_addr", Bool, "a differing address list is counted and never refused", "Do not compare the address list of the known Master").common().default("vrrp_skip_check_adv_addr"),
    instance("native_ipv6", Flag, InstanceKey::Uncommon(UncommonKey::NativeIpv6), "Adverts over IPv6, also when all addresses are excluded ones"),
    needless("accept", Flag, "the Master always answers on its addresses", "Answer on addresses that are not its own").common().default("on"),
    needless("debug", Number, "there is one level of detail, -D", "Debug level").common(),
    needless("linkbeat_use_polling", Flag, "link states come from the kernel's events", "Poll the link").deprecated("linkbeat_interfaces"),
    needless("lvs_sync_daemon_interface", Word, "part of the load balancer", "Interface of the LVS sync daemon").deprecated("lvs_sync_daemon in global_defs"),
    to_come("no_accept", Flag, ACCEPT, "Do not answer on addresses that are not its own").common(),
    refused("auth_hmac", Holds(Block::AuthHmac), "remove `auth_hmac` here and on the peers, or run keepalived on all of them", "Adverts signed with a shared key").since("2.4.0"),
    instance("virtual_routes", Entries, InstanceKey::Routes, "Routes that the Master has").common(),
    instance("virtual_rules", Entries, InstanceKey::Rules, "Rules that the Master has"),
    instance("unicast_fault_no_peer", Flag, InstanceKey::Uncommon(UncommonKey::FaultNoPeer), "FAULT without unicast peers, instead of multicast"),
    instance("old_unicast_checksum", Word, InstanceKey::Uncommon(UncommonKey::OldChecksum), "[never]: IPv4 version 3 checksum of unicast adverts as before 1.3.6"),
    instance("track_src_ip", Flag, InstanceKey::Uncommon(UncommonKey::TrackSource), "FAULT when mcast_src_ip is not on the host"),
    instance("track_file", Entries, InstanceKey::TrackFile, "Files whose number counts as weight").common(),
    instance("track_process", Entries, InstanceKey::TrackProcess, "Processes that must run").common(),
    missing("track_bfd", Entries, BFD, "BFD sessions that must be up"),
    instance("notify_deleted", Command, InstanceKey::Notify(NotifyKey::Deleted), "Run when a reload removed it; else that is told as a fault"),
    instance("notify_priority_changes", Bool, InstanceKey::Notify(NotifyKey::PriorityChanges), "Tell the FIFOs of priority changes too").default("vrrp_notify_priority_changes"),
    to_come("smtp_alert", Bool, MAIL, "Mail on every change").common().default("the global one"),
    to_come("garp_extra_if", Words, "VMAC addresses are not announced elsewhere", "Gratuitous ARP of VMAC addresses").default("vrrp_garp_extra_if"),
    to_come("vmac_garp_intvl", Words, "VMAC addresses are not announced elsewhere", "Old name of garp_extra_if").deprecated("garp_extra_if"),
    instance("owner_ignore_adverts", Bool, InstanceKey::Uncommon(UncommonKey::OwnerIgnore), "Priority 255 hears nothing").default("vrrp_owner_ignore_adverts").since("after 2.2.7"),
    instance("timer_expired_backup", Words, InstanceKey::Uncommon(UncommonKey::LateBackup), "[PRIORITY]: with nopreempt, stand down when so late that a Backup of this priority, 254, may be Master").since("after 2.2.7"),
    instance("thread_timer_expired", Words, InstanceKey::Uncommon(UncommonKey::LateBackup), "Old name of timer_expired_backup").since("after 2.2.7"),
    to_come("use_vmac", Words, VMAC, "A virtual MAC address").common().default("vrrp.VRID"),
    to_come("use_vmac_addr", Flag, VMAC, "Virtual MAC addresses for addresses elsewhere"),
    to_come("vmac_xmit_base", Flag, VMAC, "Adverts from the interface below").common(),
    to_come("use_ipvlan", Words, VMAC, "An ipvlan interface"),
    missing("vrf", Word, "routing domains are not used", "VRF"),
    instance("promote_secondaries", Flag, InstanceKey::PromoteSecondaries, "Set promote_secondaries"),
    instance("kernel_rx_buf_size", Number, InstanceKey::Uncommon(UncommonKey::ReceiveBuffer), "Receive buffer, bytes"),
    instance("vrrp_xdp", Word, InstanceKey::Uncommon(UncommonKey::Xdp), "auto, native, generic or off: how its adverts are received").default("the global one").since("here only"),
    instance("vrrp_late_advert", Word, InstanceKey::Uncommon(UncommonKey::LateAdvert), "1-100 or off: after so many percent of Master_Down_Interval an advert is late").default("the global one").since("here only"),
    instance("vrrp_peer_mac", Words, InstanceKey::Uncommon(UncommonKey::PeerMac), "IP MAC: adverts of this unicast peer count from this MAC address alone, where XDP receives them; one line for each peer").since("here only"),
    instance("vrrp_send_fault", Words, InstanceKey::Uncommon(UncommonKey::SendFault), "[SECONDS|off]: FAULT once no advert has left the host for so long").default("the global one").since("here only"),
    instance("vrrp_vip_removed", Word, InstanceKey::Uncommon(UncommonKey::WhenLost), "restore or backup: what a Master does when another program removes an address").default("the global one").since("here only"),
    instance("vrrp_link_hold", Word, InstanceKey::Uncommon(UncommonKey::LinkHold), "SECONDS or off: how long after the interface came up a Backup waits for it to receive a first frame").default("the global one").since("here only"),
    instance("track_restarts", Words, InstanceKey::TrackRestarts, RESTARTS).since("here only"),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const AUTHENTICATION: &[Keyword] = &[
    works("auth_type", Word, Key::Auth(AuthKey::Type), "PASS").everywhere(),
    works("auth_pass", Word, Key::Auth(AuthKey::Password), "The password, 8 characters are used").everywhere(),
];

const HMAC: &str = "adverts are not signed";

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const AUTH_HMAC: &[Keyword] = &[
    to_come("key", Words, HMAC, "ID SECRET; 32 to 64 bytes, also as hex:… or file:…").since("2.4.0"),
    to_come("active_key", Number, HMAC, "The key that signs").since("2.4.0"),
    to_come("time_window", Number, HMAC, "How far a peer's clock may be off, 1-300 s").since("2.4.0"),
    to_come("anti_replay", Word, HMAC, "How a replayed advert is told").since("2.4.0"),
    to_come("mode", Word, HMAC, "enforce, permissive or receive-only").default("enforce").since("2.4.0"),
];
