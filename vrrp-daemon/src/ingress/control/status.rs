//! What `status` answers: a snapshot, taken on the protocol thread in one go, so its parts agree.
//!
//! Times are milliseconds or microseconds as their names say, always spans: a reader needs no clock of ours.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use vrrp_common::wire::ladder::Refusal;

use crate::proto::counters::Counters as ProtoCounters;
use crate::proto::{ScriptState, State};

/// The whole daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon itself.
    pub daemon: Daemon,
    /// Virtual routers, in the order of the configuration.
    pub instances: Vec<Instance>,
    /// Sync groups, in the order of the configuration.
    pub groups: Vec<Group>,
    /// Tracked scripts, in the order of the configuration.
    pub scripts: Vec<Script>,
    /// Tracked files, in the order of the configuration.
    #[serde(default)]
    pub files: Vec<File>,
    /// Tracked processes, in the order of the configuration.
    #[serde(default)]
    pub processes: Vec<Process>,
    /// Tracked units, in the order of the configuration.
    #[serde(default)]
    pub units: Vec<Unit>,
    /// Messages refused that belong to no virtual router of ours, by reason; zeros left out.
    pub refused_elsewhere: BTreeMap<String, u64>,
    /// What the XDP program made of all frames of protocol 112; none without a program.
    #[serde(default)]
    pub frames: Option<Frames>,
}

/// Frames of protocol 112 by what the XDP program made of them, on all interfaces.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Good adverts of which the daemon was told at once.
    pub accepted: u64,
    /// Good adverts that said nothing new: stamped and counted, and nobody was woken.
    pub unchanged: u64,
    /// Good adverts that waited until the daemon looked, for they came too fast or found the ring full.
    pub kept: u64,
    /// Of these, those that found the ring full.
    pub ring_full: u64,
    /// For no virtual router here; passed on.
    pub not_ours: u64,
    /// Left to the network stack and the raw socket.
    pub not_judged: u64,
    /// Refused and dropped, by reason; zeros left out.
    pub refused: BTreeMap<String, u64>,
}

/// The daemon itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Daemon {
    /// Its version.
    pub version: String,
    /// The protocol process.
    pub pid: u32,
    /// Since the protocol process started.
    pub uptime_ms: u64,
    /// The configuration in use.
    pub config_file: PathBuf,
    /// Notifications that could not be queued.
    pub notifications_dropped: u64,
    /// The last time the configuration was read again.
    pub last_reload: Option<Reload>,
    /// Times another configuration was taken over.
    pub reloads: u64,
    /// Times a configuration was refused, and the old one kept.
    pub reloads_refused: u64,
}

/// A reading of the configuration while running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reload {
    /// How long ago.
    pub ago_ms: u64,
    /// What came of it.
    pub result: ReloadResult,
}

/// What came of reading the configuration again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReloadResult {
    /// It runs.
    Applied {
        /// For so long the protocol was busy with it.
        pause_us: u64,
    },
    /// It is what ran already; nothing was done.
    Unchanged,
    /// It cannot run; the log says why. The old one runs on.
    Refused,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name.
    pub name: String,
    /// Its VRID.
    pub vrid: u8,
    /// Its interface.
    pub interface: String,
    /// Its protocol version.
    pub version: u8,
    /// Its sync group.
    pub group: Option<String>,
    /// State.
    pub state: State,
    /// How long it has been in this state.
    pub since_ms: u64,
    /// Why, in words.
    pub reason: String,
    /// The name of the reason.
    pub reason_code: String,
    /// Priority as configured.
    pub priority_configured: u8,
    /// Priority after tracking.
    pub priority_effective: u8,
    /// What it tracks: what made the one priority the other.
    pub tracked: Vec<Tracked>,
    /// Whether a Master of lower priority is replaced.
    pub preempt: Preemption,
    /// It stands by.
    pub standby: Option<Standby>,
    /// What it waits for.
    pub timers: Timers,
    /// The Master as we know it; `None` when it is ourselves or nobody was heard.
    pub master: Option<Master>,
    /// Master_Down_Interval as it stands.
    pub master_down_us: u64,
    /// Our advertisement interval.
    pub interval_ms: u64,
    /// How adverts arrive.
    pub receive_path: ReceivePath,
    /// Virtual addresses.
    pub addresses: Vec<Address>,
    /// Counters.
    pub counters: Counters,
    /// Who sent good adverts for it, as far as the XDP program saw them.
    #[serde(default)]
    pub senders: Vec<Sender>,
}

/// How good adverts of one sender came in, by the XDP program's own stamps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sender {
    /// Its address; none for all together that are neither listed as peers nor followed as Master.
    pub source: Option<IpAddr>,
    /// Since its last advert, in microseconds.
    pub last_us: Option<u64>,
    /// Adverts that a newer one replaced before the daemon looked.
    pub unread: u64,
    /// Gaps that were late by `vrrp_late_advert`, seen while it was followed as Master.
    pub late: u64,
    /// How many gaps between two adverts were how long: the shortest length of a class in microseconds, rounded down,
    /// and how many. A class ends where that of twice the length begins; empty ones are left out.
    pub gaps_us: Vec<(u64, u64)>,
}

/// A Master that was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Master {
    /// Source of its adverts.
    pub address: IpAddr,
    /// Its priority.
    pub priority: u8,
    /// Since its last advert.
    pub last_advert_ms: u64,
}

/// How adverts arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReceivePath {
    /// XDP in the driver, the raw socket beside it.
    XdpNative,
    /// XDP in the stack, the raw socket beside it.
    XdpGeneric,
    /// The raw socket alone.
    Raw,
}

impl ReceivePath {
    /// As in the JSON.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::XdpNative => "xdp-native",
            Self::XdpGeneric => "xdp-generic",
            Self::Raw => "raw",
        }
    }
}

/// Whether a Master of lower priority is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preemption {
    /// `nopreempt`: not while it lives.
    Never,
    /// As soon as it is heard.
    AtOnce,
    /// Once it has been heard for so long (`preempt_delay`).
    AfterMs(u64),
}

/// It stands by (`vrrpctl standby`): it is not to be Master.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standby {
    /// For so long still; none: until `vrrpctl resume`.
    pub left_ms: Option<u64>,
    /// Nobody else is Master, as far as it has heard.
    pub alone: bool,
}

/// What a virtual router waits for, from now on; 0: it has passed, and something else is waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timers {
    /// Master: its next advert.
    pub advert_us: Option<u64>,
    /// Backup: it takes over then if nothing is heard.
    pub takeover_us: Option<u64>,
    /// Backup: the interval it times by, the Master's.
    pub master_interval_ms: Option<u64>,
    /// Backup: a Master of lower priority is replaced then (`preempt_delay`).
    pub preempt_ms: Option<u64>,
    /// Backup: its interface has received nothing yet, which counts for so long (`vrrp_link_hold`).
    pub link_hold_ms: Option<u64>,
    /// Backup: it would take over, and its sync group is not ready.
    pub waits_for_group: bool,
}

/// One tracked object of a virtual router, its group's among them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked {
    /// What it is.
    pub kind: TrackedKind,
    /// Its name.
    pub name: String,
    /// Its weight; 0: it is a fault when it fails.
    pub weight: i16,
    /// `reverse`
    pub reverse: bool,
    /// What it amounts to now.
    pub outcome: TrackedOutcome,
}

/// What is tracked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackedKind {
    /// `track_interface`
    Interface,
    /// `track_script`
    Script,
    /// `track_file`
    File,
    /// `track_process`
    Process,
    /// `track_restarts`
    Unit,
}

impl TrackedKind {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Interface => "interface",
            Self::Script => "script",
            Self::File => "file",
            Self::Process => "process",
            Self::Unit => "unit",
        }
    }
}

/// What something tracked amounts to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TrackedOutcome {
    /// It adds so much to the priority.
    Adds(i32),
    /// It is a fault.
    Fault,
    /// It is not known yet.
    Unknown,
}

/// One virtual address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Address {
    /// The address.
    pub address: IpAddr,
    /// Prefix length.
    pub prefix: u8,
    /// The interface it belongs on.
    pub interface: String,
    /// Whether the kernel has it there now.
    pub present: bool,
}

/// One sync group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name.
    pub name: String,
    /// The state its members share; `None` while they differ.
    pub state: Option<State>,
    /// Its members' names.
    pub members: Vec<String>,
}

/// One tracked file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// Its name.
    pub name: String,
    /// The number in it; none before it was read.
    pub value: Option<i32>,
}

/// One tracked process.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Whether as many run as `quorum` and `quorum_max` want; none before it was looked for.
    pub quorum: Option<bool>,
}

/// One unit whose restarts are tracked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unit {
    /// `UNIT COUNT SECONDS`, as in the configuration.
    pub name: String,
    /// Whether it was not restarted more than COUNT times in SECONDS, and has not failed; none before it was looked at.
    pub steady: Option<bool>,
}

/// One tracked script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Script {
    /// Its name.
    pub name: String,
    /// Its verdict; `None` before the first.
    pub state: Option<ScriptState>,
    /// It is never run: it cannot be found, or may not be; the log says why.
    #[serde(default)]
    pub disabled: bool,
}

/// Counters of one virtual router since the daemon started.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Adverts sent.
    pub adverts_sent: u64,
    /// Adverts that could not be sent.
    pub send_failures: u64,
    /// Accepted adverts.
    pub adverts_received: u64,
    /// Times it became Master.
    pub became_master: u64,
    /// Times it stopped being Master.
    pub released_master: u64,
    /// Adverts of priority 0 sent.
    pub priority_zero_sent: u64,
    /// Adverts of priority 0 received.
    pub priority_zero_received: u64,
    /// Adverts whose address list differs from ours.
    pub address_list_errors: u64,
    /// IPv4 VRRPv3 adverts whose checksum covers the message alone.
    pub checksum_message_only: u64,
    /// Adverts whose checksum has the group's pseudo-header in a unicast message.
    pub checksum_group: u64,
    /// Times the Master was late to wake beyond the Master_Down_Interval.
    pub overslept: u64,
    /// Addresses that another program took away from the Master.
    #[serde(default)]
    pub addresses_lost: u64,
    /// Adverts of the Master that came late (`vrrp_late_advert`).
    #[serde(default)]
    pub late_adverts: u64,
    /// Refused messages by reason; zeros left out.
    pub refused: BTreeMap<String, u64>,
}

impl From<&ProtoCounters> for Counters {
    fn from(counters: &ProtoCounters) -> Self {
        Self {
            adverts_sent: counters.adverts_sent,
            send_failures: counters.send_failures,
            adverts_received: counters.adverts_received,
            became_master: counters.became_master,
            released_master: counters.released_master,
            priority_zero_sent: counters.priority_zero_sent,
            priority_zero_received: counters.priority_zero_received,
            address_list_errors: counters.address_list_errors,
            checksum_message_only: counters.checksum_message_only,
            checksum_group: counters.checksum_group,
            overslept: counters.overslept,
            addresses_lost: counters.addresses_lost,
            late_adverts: counters.late_adverts,
            refused: by_name(&counters.refused),
        }
    }
}

/// Refusal counts in ladder order, by name; zeros left out.
#[must_use]
pub fn by_name(refused: &[u64; Refusal::ALL.len()]) -> BTreeMap<String, u64> {
    Refusal::ALL
        .iter()
        .zip(refused)
        .filter(|(_, count)| **count != 0)
        .map(|(refusal, count)| (refusal.name().to_owned(), *count))
        .collect()
}
