//! What the world tells the protocol.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::{Priority, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::advert::ChecksumForm;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::model::{Carried, FileId, LinkId, ProcessId, RouterId, ScriptId, UnitId};

/// One fact, small enough to be recorded and replayed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Input {
    /// What is known so far of links, sources and tracked objects has been told: begin the election.
    Start,
    /// Time has passed. Only what is due happens; a spurious tick does nothing.
    Tick,
    /// An advert that held every rule of the ladder.
    Advert(Heard),
    /// The kernel's stamp says that `source` was heard at `at` with an advert no different from its last one, and how
    /// many of them there were since it was last asked. Fed before a [`Input::Tick`] that would let the down timer fire,
    /// and before an advert that came after them.
    StillThere {
        /// The virtual router.
        router: RouterId,
        /// The sender.
        source: IpAddr,
        /// Arrival of the last of them.
        at: MonoNanos,
        /// How many.
        #[serde(default)]
        adverts: u64,
    },
    /// A message for `router` (or for none of ours) was refused. Counted; never moves a timer.
    Refused {
        /// The virtual router it named, if it is ours.
        router: Option<RouterId>,
        /// The sender.
        source: IpAddr,
        /// Its Ethernet address, if the path tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// The rung it failed at.
        refusal: Refusal,
    },
    /// An advert that no virtual router here hears, and which tells of a mistake. Counted nowhere.
    Stranger {
        /// The virtual router that it concerns, if one.
        router: Option<RouterId>,
        /// The sender.
        source: IpAddr,
        /// Its Ethernet address, if the path tells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// The virtual router that it names.
        vrid: Vrid,
        /// What is strange about it.
        clue: Clue,
    },
    /// An interface's state.
    Link {
        /// The interface.
        link: LinkId,
        /// Its state now.
        state: LinkState,
    },
    /// The link has received a frame since it came up: it passes some. (An advert that is heard says so, too.)
    Proven {
        /// The interface.
        link: LinkId,
    },
    /// The address a virtual router sends from, `None` while there is none.
    Source {
        /// The virtual router.
        router: RouterId,
        /// Its primary address: `unicast_src_ip` or `mcast_src_ip` if present on the host, else the interface's.
        address: Option<IpAddr>,
    },
    /// A tracked script changed its verdict (after `rise` and `fall`).
    Script {
        /// The script.
        script: ScriptId,
        /// Its verdict.
        state: ScriptState,
    },
    /// A tracked file was read, for the first time or with another number in it.
    File {
        /// The file.
        file: FileId,
        /// Its number; 0 for a file that is missing or holds none.
        value: i32,
    },
    /// A tracked process has been looked for, for the first time or with another outcome (after its delays).
    Process {
        /// The process.
        process: ProcessId,
        /// Whether as many run as `quorum` and `quorum_max` want.
        quorum: bool,
    },
    /// A tracked unit has been looked at, for the first time or with another outcome.
    Unit {
        /// The unit.
        unit: UnitId,
        /// It was not restarted more often than the limit allows, and has not failed.
        steady: bool,
    },
    /// The kernel refused to add addresses of this virtual router; `failed` of them are not there.
    AddressesRefused {
        /// The virtual router.
        router: RouterId,
        /// How many.
        failed: u16,
    },
    /// Somebody else removed an address, a route or a rule of this virtual router.
    Lost {
        /// The virtual router.
        router: RouterId,
        /// What.
        lost: Carried,
    },
    /// An advert of this virtual router could not be sent.
    SendFailed {
        /// The virtual router.
        router: RouterId,
        /// `errno`.
        errno: i32,
        /// Some of the peers were sent their copy.
        #[serde(default)]
        partly: bool,
    },
    /// [`Effect::Probe`](super::Effect::Probe) was sent: adverts will be too.
    Probed {
        /// The virtual router.
        router: RouterId,
    },
    /// A planned move: it and its sync group give up, and stay Backup until [`Input::Resume`].
    Standby {
        /// The virtual router.
        router: RouterId,
        /// Or for so long.
        length: Option<Nanos>,
    },
    /// It and its sync group take part again, after a full wait and by the rules of preemption.
    Resume {
        /// The virtual router.
        router: RouterId,
    },
    /// The daemon stops: every Master gives up with priority 0.
    Shutdown,
}

/// An accepted advert, reduced to what the election needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The virtual router.
    pub router: RouterId,
    /// IP source.
    pub source: IpAddr,
    /// Ethernet source, if the path tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mac: Option<Mac>,
    /// The sender's priority.
    pub priority: Priority,
    /// The sender's interval.
    pub interval: Centis,
    /// Arrival: the XDP program's stamp, or the read time of the raw socket. Never later than `now`.
    pub at: MonoNanos,
    /// The reading in which its checksum held.
    pub checksum: ChecksumForm,
    /// Whether it lists the addresses that we are configured with (any order). A difference is counted and
    /// logged, never a reason to refuse (as keepalived 2.4).
    pub same_addresses: bool,
}

/// What is strange about an advert that none of ours hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Clue {
    /// Its VRID is not configured here; told only with `log_unknown_vrids`.
    UnknownVrid,
    /// The same, and the first address it lists is one of ours.
    OurAddress,
    /// It came to the group, and ours is unicast.
    Multicast,
    /// It came to our own address, and ours is multicast.
    Unicast,
}

/// State of an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkState {
    /// Administratively up, with carrier.
    Up,
    /// There, but down or without carrier.
    Down,
    /// Not there at all.
    Missing,
}

/// Verdict on a tracked script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ScriptState {
    /// Well.
    Passing,
    /// Failing.
    Failing,
}
