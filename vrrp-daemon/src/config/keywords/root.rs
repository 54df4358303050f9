//! The file's top level.

use super::Shape::{Block as Holds, Entries, Flag, Named, Number, Word};
use super::{Block, DaemonKey, Key, Keyword, balancer, missing, needless, works};

/// Keywords of the top level that are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RootKey {
    /// `global_defs`
    Global,
    /// `vrrp_instance`
    Instance,
    /// `vrrp_sync_group`
    Group,
    /// `vrrp_script`
    Script,
    /// `track_file`
    File,
    /// `vrrp_track_process`
    Process,
    /// `interface_up_down_delays`
    LinkDelays,
    /// `static_ipaddress`
    StaticAddresses,
    /// `static_routes`
    StaticRoutes,
    /// `static_rules`
    StaticRules,
    /// `garp_group`
    GarpGroup,
}

const STATIC: &str = "a static item that is deleted is put back, and no instance gives way";
const BFD: &str = "BFD does not run, and nothing that tracks it is protected by it";
const LINKS: &str = "the kernel tells of every change of carrier at once, so there is nothing to poll";
const NAMESPACE: &str = "the network namespace is the one the daemon is started in";

const fn daemon(name: &'static str, shape: super::Shape, key: DaemonKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Daemon(key), doc)
}

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TABLE: &[Keyword] = &[
    works("global_defs", Holds(Block::Global), Key::Root(RootKey::Global), "Settings for the whole daemon").everywhere(),
    works("vrrp_instance", Named(Block::Instance), Key::Root(RootKey::Instance), "One virtual router").everywhere(),
    works("vrrp_sync_group", Named(Block::SyncGroup), Key::Root(RootKey::Group), "Virtual routers that move together").common(),
    works("vrrp_script", Named(Block::Script), Key::Root(RootKey::Script), "A script that judges the host's health").everywhere(),
    works("vrrp_track_process", Named(Block::TrackProcess), Key::Root(RootKey::Process), "A process that must run").common(),
    works("track_file", Named(Block::TrackFile), Key::Root(RootKey::File), "A number in a file that counts as weight").common(),
    works("vrrp_track_file", Named(Block::TrackFile), Key::Root(RootKey::File), "Old name of track_file").common(),
    missing("bfd_instance", Named(Block::Bfd), BFD, "A BFD session"),
    works("static_ipaddress", Entries, Key::Root(RootKey::StaticAddresses), "Addresses that are always there"),
    works("static_routes", Entries, Key::Root(RootKey::StaticRoutes), "Routes that are always there"),
    works("static_rules", Entries, Key::Root(RootKey::StaticRules), "Rules that are always there"),
    missing("track_group", Named(Block::TrackGroup), STATIC, "Instances that static items belong to"),
    works("garp_group", Holds(Block::GarpGroup), Key::Root(RootKey::GarpGroup), "Interfaces that share one pace of announcements"),
    needless("linkbeat_interfaces", Entries, LINKS, "Interfaces whose link is polled"),
    needless("linkbeat_use_polling", Flag, LINKS, "Poll the link of all interfaces"),
    works("interface_up_down_delays", Entries, Key::Root(RootKey::LinkDelays), "How long a link must be up or down to count"),
    daemon("net_namespace", Word, DaemonKey::Namespace, "Network namespace to run in"),
    missing("net_namespace_ipvs", Word, NAMESPACE, "Network namespace of the load balancer"),
    missing("namespace_with_ipsets", Flag, NAMESPACE, "Use ipsets in a network namespace"),
    daemon("instance", Word, DaemonKey::Instance, "Name of this daemon"),
    daemon("use_pid_dir", Flag, DaemonKey::PidDir, "pid files under /run/keepalived"),
    daemon("child_wait_time", Number, DaemonKey::ChildWait, "How long scripts and children may take at stop, s").default("5"),
    balancer("virtual_server").everywhere(),
    balancer("virtual_server_group").everywhere(),
    balancer("SSL"),
];
