//! What a configuration means to the protocol: virtual routers, sync groups, and what they track.
//!
//! `config` lowers keepalived's language into these types; `proto` never sees syntax. Everything is found
//! by index ([`RouterId`], [`GroupId`], [`LinkId`], [`ScriptId`] and so on), so the machine holds no references.

mod carried;

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::{Family, Priority, Version, Vrid};
use vrrp_common::time::{Centis, Nanos};
use vrrp_common::wire::ladder::{Auth, Peer};

pub use self::carried::{
    AddressExtra, Carried, Holding, NextHop, Placing, Preferred, Prefix, RuleAction, Statics, VirtualRoute,
    VirtualRule,
};

macro_rules! index_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u16);

        impl $name {
            /// The position in the model's list.
            #[must_use]
            pub fn index(self) -> usize {
                usize::from(self.0)
            }
        }

        impl From<u16> for $name {
            fn from(position: u16) -> Self {
                Self(position)
            }
        }

        impl From<$name> for usize {
            fn from(id: $name) -> Self {
                id.index()
            }
        }
    };
}

index_type!(
    /// Position in [`Model::routers`].
    RouterId
);
index_type!(
    /// Position in [`Model::groups`].
    GroupId
);
index_type!(
    /// Position in [`Model::links`].
    LinkId
);
index_type!(
    /// Position in [`Model::scripts`].
    ScriptId
);
index_type!(
    /// Position in [`Model::files`].
    FileId
);
index_type!(
    /// Position in [`Model::processes`].
    ProcessId
);
index_type!(
    /// Position in [`Model::units`].
    UnitId
);

/// Everything the protocol needs to know of a configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Names of the interfaces in use. A link is known by name: it may come, go and change its index.
    pub links: Vec<String>,
    /// Virtual routers (`vrrp_instance`).
    pub routers: Vec<VirtualRouter>,
    /// Sync groups (`vrrp_sync_group`).
    pub groups: Vec<SyncGroup>,
    /// Tracked scripts (`vrrp_script`).
    pub scripts: Vec<Script>,
    /// Tracked files (`track_file`).
    #[serde(default)]
    pub files: Vec<File>,
    /// Tracked processes (`vrrp_track_process`).
    #[serde(default)]
    pub processes: Vec<Process>,
    /// Units of the service manager whose restarts count (`track_restarts`).
    #[serde(default)]
    pub units: Vec<Unit>,
    /// Name VRIDs that are heard and not configured (`log_unknown_vrids`).
    #[serde(default)]
    pub log_unknown_vrids: bool,
    /// Adverts that the XDP program accepts go on to the network stack (`vrrp_xdp_pass`).
    #[serde(default)]
    pub pass_accepted: bool,
    /// What is there as long as the daemon runs (`static_…`).
    #[serde(default)]
    pub statics: Statics,
}

/// One virtual router (`vrrp_instance`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualRouter {
    /// Its name in the configuration.
    pub name: String,
    /// The interface it runs on.
    pub link: LinkId,
    /// Its VRID.
    pub vrid: Vrid,
    /// Its protocol version.
    pub version: Version,
    /// The family its adverts travel in.
    pub family: Family,
    /// Configured priority, 1..=255; 255 is the owner.
    pub priority: Priority,
    /// Our advertisement interval.
    pub interval: Centis,
    /// `state MASTER`: only the owner starts as Master because of it, as in keepalived.
    pub initially_master: bool,
    /// Whether a Backup takes over from a Master of lower priority.
    pub preempt: Preempt,
    /// Missed adverts until the Master is taken for dead (`down_timer_adverts`, default 3).
    pub down_adverts: u8,
    /// VRRPv2 authentication.
    pub auth: Auth,
    /// How adverts reach the others.
    pub transport: Transport,
    /// How the IPv4 VRRPv3 checksum is computed when sending.
    pub v3_checksum: V3Checksum,
    /// Addresses that stand in the adverts (`virtual_ipaddress`).
    pub addresses: Vec<VirtualAddress>,
    /// Addresses that move along but are not advertised (`virtual_ipaddress_excluded`).
    pub excluded: Vec<VirtualAddress>,
    /// Routes that move along (`virtual_routes`).
    #[serde(default)]
    pub routes: Vec<VirtualRoute>,
    /// Rules that move along (`virtual_rules`).
    #[serde(default)]
    pub rules: Vec<VirtualRule>,
    /// What it tracks besides its own interface.
    pub track: Vec<Track>,
    /// Whether the own interface's state counts (off: `dont_track_primary`).
    pub track_primary: bool,
    /// Gratuitous ARP and unsolicited NA.
    pub announce: Announce,
    /// Advertise at once when a lower-priority advert is heard as Master (RFC 9568 §6.4.3; off:
    /// `lower_prio_no_advert`).
    pub advert_on_lower: bool,
    /// Send one last advert before standing down to a higher priority (`higher_prio_send_advert`).
    pub advert_on_higher: bool,
    /// The sync group it belongs to.
    pub group: Option<GroupId>,
    /// What few configurations say.
    #[serde(default)]
    pub uncommon: Uncommon,
}

/// What few configurations say of a virtual router; the default is keepalived's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Uncommon {
    /// The owner (priority 255) hears no adverts (`owner_ignore_adverts`).
    pub owner_is_deaf: bool,
    /// A Master that wakes later than a Backup of this priority waits becomes Backup instead of advertising
    /// (`timer_expired_backup`, only with `nopreempt`).
    pub late_is_backup: Option<Priority>,
    /// FAULT, for there is nobody to send to (`unicast_fault_no_peer` without peers).
    pub lacks_peers: bool,
    /// `mcast_src_ip` need not be on the host, unless `track_src_ip` says so.
    pub source_is_tracked: bool,
    /// FAULT once no advert has left the host for this long (`vrrp_send_fault`).
    pub send_fault: Option<Nanos>,
    /// Set the interface's sysctl `promote_secondaries` as long as the daemon runs.
    pub promote_secondaries: bool,
    /// How large the socket's receive buffer is (`kernel_rx_buf_size`, `vrrp_rx_bufs_policy`).
    pub receive_buffer: ReceiveBuffer,
    /// How its adverts are received (`vrrp_xdp`, its own or the global one).
    pub xdp: XdpMode,
    /// What to do when somebody else removes an address (`vrrp_vip_removed`).
    pub when_lost: WhenLost,
    /// An advert is late, and worth a line, after this share of Master_Down_Interval, in percent; 0: never
    /// (`vrrp_late_advert`).
    #[serde(default)]
    pub late_share: u8,
    /// How long after its interface came up a Backup that hears nobody waits for it to receive something
    /// (`vrrp_link_hold`); zero: not at all.
    pub link_hold: Nanos,
}

/// What a Master does when somebody else removes one of its addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WhenLost {
    /// It puts the address back and stays Master.
    #[default]
    Restore,
    /// It steps down with priority 0 and comes back after its skew time unless another takes over, with its whole
    /// sync group: keepalived's way.
    Backup,
}

/// Bytes of a socket's receive buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ReceiveBuffer {
    /// As the system has it.
    #[default]
    System,
    /// So many.
    Bytes(u32),
    /// So many times the interface's MTU.
    Mtus(u32),
}

/// `vrrp_xdp auto|native|generic|off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum XdpMode {
    /// Native, else generic, else raw sockets alone.
    #[default]
    Auto,
    /// Native, else raw sockets alone.
    Native,
    /// Generic, else raw sockets alone.
    Generic,
    /// Raw sockets alone.
    Off,
}

/// `preempt`, `nopreempt`, `preempt_delay`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preempt {
    /// `nopreempt`: a living Master is never replaced, whatever its priority.
    Never,
    /// A Master of lower priority is replaced once it has been heard for this long; zero: at once.
    After(Nanos),
}

/// How adverts travel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Transport {
    /// To the group, on the link.
    Multicast {
        /// 224.0.0.18 or ff02::12 unless configured.
        group: IpAddr,
        /// `mcast_src_ip`; else the interface's primary address.
        source: Option<IpAddr>,
    },
    /// One copy to each peer.
    Unicast {
        /// `unicast_src_ip`; else the interface's primary address.
        source: Option<IpAddr>,
        /// The peers, never empty.
        peers: Vec<Peer>,
        /// TTL of what we send.
        ttl: u8,
        /// Refuse adverts of others than the peers (our default; off only when the file says so).
        check_source: bool,
    },
}

/// The reading of RFC 5798/9568 that IPv4 VRRPv3 adverts are sent in. Both are accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum V3Checksum {
    /// Over pseudo-header and message: keepalived's form, the default.
    PseudoHeader,
    /// Over the message alone (`v3_checksum_as_v2`).
    MessageOnly,
    /// Over a pseudo-header with the group's address, also when sent to a peer (`old_unicast_checksum`).
    Group,
}

/// An address that the Master holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VirtualAddress {
    /// The address.
    pub address: IpAddr,
    /// Prefix length, 32 or 128 unless given.
    pub prefix: u8,
    /// Where it is added; else the virtual router's interface.
    pub link: LinkId,
    /// Label (IPv4, at most 15 characters).
    pub label: Option<String>,
    /// Scope number as rtnetlink has it (0 global, 200 site, 253 link, 254 host).
    pub scope: u8,
    /// IPv4 broadcast address.
    pub broadcast: Option<IpAddr>,
    /// Run duplicate address detection (IPv6 `-nodad`); off by default, since the address moves.
    pub dad: bool,
    /// What is seldom said of it.
    #[serde(default)]
    pub extra: AddressExtra,
}

/// `garp_*`: how addresses are announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announce {
    /// Rounds over all addresses at takeover and again after `delay` (`garp_master_repeat`, 5).
    pub repeat: u8,
    /// Time until the second burst, zero for none (`garp_master_delay`, 5 s).
    pub delay: Nanos,
    /// Periodic announcements while Master, zero for none (`garp_master_refresh`).
    pub refresh: Nanos,
    /// Rounds of each periodic announcement (`garp_master_refresh_repeat`, 1).
    pub refresh_repeat: u8,
    /// Rounds after a lower-priority advert was heard as Master (`garp_lower_prio_repeat`, as `repeat`).
    pub lower_repeat: u8,
    /// Time until these are repeated (`garp_lower_prio_delay`, as `delay`).
    pub lower_delay: Nanos,
}

impl Default for Announce {
    /// As keepalived announces when nothing is configured.
    fn default() -> Self {
        Self {
            repeat: 5,
            delay: Nanos::from_secs(5),
            refresh: Nanos::ZERO,
            refresh_repeat: 1,
            lower_repeat: 5,
            lower_delay: Nanos::from_secs(5),
        }
    }
}

/// Something whose failure lowers the priority, or, with weight 0, puts the router into FAULT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// What is watched.
    pub object: TrackObject,
    /// -254..=254. Positive: added while it is well; negative: subtracted while it fails; 0: fault. The number
    /// in a file is multiplied by it; a product of -254 or less is a fault, and so is, with weight 0, any
    /// number but 0.
    pub weight: i16,
    /// `reverse`: without a weight, well and failing change places; a weight changes its sign, and so does the product with
    /// a file's number.
    pub reverse: bool,
}

/// What a [`Track`] watches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum TrackObject {
    /// An interface (`track_interface`).
    Link(LinkId),
    /// A script (`track_script`).
    Script(ScriptId),
    /// A file with a number in it (`track_file`).
    File(FileId),
    /// A process (`track_process`).
    Process(ProcessId),
    /// The restarts of a unit (`track_restarts`).
    Unit(UnitId),
}

/// A tracked script, as far as the protocol knows it: the runner applies `rise` and `fall`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its name in the configuration.
    pub name: String,
    /// It is never run: it cannot be found, or may not be. Nothing is ever heard of it.
    #[serde(default)]
    pub disabled: bool,
}

/// A tracked file, as far as the protocol knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name in the configuration.
    pub name: String,
}

/// A tracked process, as far as the protocol knows it: the watcher counts, and applies the delays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its name in the configuration.
    pub name: String,
}

/// A unit whose restarts count, as far as the protocol knows it: the watcher counts them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// As in the configuration, `UNIT COUNT SECONDS`: one unit may be tracked with several limits.
    pub name: String,
}

/// Virtual routers that change state together (`vrrp_sync_group`).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncGroup {
    /// Its name in the configuration.
    pub name: String,
    /// Its members.
    pub members: Vec<RouterId>,
    /// Tracked for every member (`track_…` in the group).
    pub track: Vec<Track>,
    /// Keep the members' own weights (`sync_group_tracking_weight`); else they are dropped, as in keepalived.
    pub keep_weights: bool,
}
