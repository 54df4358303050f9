//! What the protocol wants done. Carried out in the order given.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};
use vrrp_common::id::{Priority, Vrid};
use vrrp_common::time::{Centis, MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Refusal;

use super::hold::HoldNews;
use super::input::Clue;
use super::model::{Carried, FileId, GroupId, LinkId, ProcessId, RouterId, ScriptId, UnitId};
use super::router::{MasterSeen, State};

/// One thing to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Send one advert, to the group or to every peer.
    Send {
        /// The virtual router.
        router: RouterId,
        /// The priority to put in; everything else is the model's.
        priority: Priority,
    },
    /// Hold the addresses from now on: add what is missing, each chunk followed by `announce` rounds of
    /// gratuitous ARP or unsolicited NA. Desired state: repeating it is harmless.
    Acquire {
        /// The virtual router.
        router: RouterId,
        /// Rounds of announcements.
        announce: u8,
    },
    /// Hold the addresses no longer: remove them.
    Release {
        /// The virtual router.
        router: RouterId,
    },
    /// Somebody else removed this: put it back, the first time at once, then ever more rarely.
    Restore {
        /// The virtual router.
        router: RouterId,
        /// What.
        lost: Carried,
    },
    /// Announce all addresses again.
    Announce {
        /// The virtual router.
        router: RouterId,
        /// Rounds over all addresses.
        rounds: u8,
    },
    /// Announce the address that unicast adverts come from: where it is may have changed.
    AnnounceSource {
        /// The virtual router.
        router: RouterId,
    },
    /// Wake for every advert for this virtual router: one that was heard before may mean something else now. (Which
    /// ones need not wake anybody is [`Vrrp::quiet`](super::Vrrp::quiet).)
    Listen {
        /// The virtual router.
        router: RouterId,
    },
    /// See whether anything leaves the host: send what is like an advert and of no virtual router (VRID 0). A
    /// success is told as [`Input::Probed`](super::Input::Probed), a failure not at all.
    Probe {
        /// The virtual router.
        router: RouterId,
    },
    /// Tell scripts and FIFOs.
    Notify {
        /// Who changed.
        subject: Subject,
        /// What to tell.
        state: NotifyState,
        /// Effective priority; 0 for a group, as keepalived has it.
        priority: Priority,
    },
    /// A virtual router changed state: for the log, the status and the event stream.
    Transition {
        /// The virtual router.
        router: RouterId,
        /// State before.
        from: State,
        /// State after.
        to: State,
        /// Why.
        reason: Reason,
        /// The last advert of another router, where it bears on the change: between Backup and Master. (In other states
        /// adverts may go by unheard, so an age would not be true.)
        #[serde(default, skip_serializing_if = "Option::is_none")]
        heard: Option<MasterSeen>,
    },
    /// Something worth a log line; already limited in rate.
    Remark {
        /// The virtual router it concerns, if one.
        router: Option<RouterId>,
        /// What.
        remark: Remark,
    },
}

/// Whom a notification is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Subject {
    /// `INSTANCE`
    Router(RouterId),
    /// `GROUP`
    Group(GroupId),
}

/// The state word of a notification, in keepalived's vocabulary.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum NotifyState {
    /// `MASTER`
    Master,
    /// `BACKUP`
    Backup,
    /// `FAULT`
    Fault,
    /// `STOP`
    Stop,
    /// `MASTER_RX_LOWER_PRI`, FIFO and its own script only.
    MasterRxLowerPri,
    /// `DELETED`: a reload removed it; `FAULT` to those who did not ask for the word (`notify_deleted`).
    Deleted,
}

impl NotifyState {
    /// keepalived's word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Stop => "STOP",
            Self::MasterRxLowerPri => "MASTER_RX_LOWER_PRI",
            Self::Deleted => "DELETED",
        }
    }
}

/// Why a state changed, with the evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// The daemon started.
    Started,
    /// The owner of the addresses takes them at once.
    Owner,
    /// Nothing was heard for the Master_Down_Interval.
    MasterDown {
        /// The Master last heard, if any.
        master: Option<IpAddr>,
        /// When it was last heard (or the wait began).
        last_heard: MonoNanos,
        /// How long we wait.
        interval: Nanos,
    },
    /// The Master announced priority 0 and the skew time has passed.
    MasterReleased {
        /// Who stood down.
        master: Option<IpAddr>,
    },
    /// A Master of lower priority is replaced.
    Preempted {
        /// Who was Master.
        master: IpAddr,
        /// Its priority.
        priority: Priority,
    },
    /// As Master, one of the same priority was heard, whose address is higher.
    HigherAddress {
        /// Who.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// The priority of both.
        priority: Priority,
    },
    /// As Master, a better one was heard.
    HigherPriority {
        /// Who.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// Its priority.
        priority: Priority,
    },
    /// As Master we woke later than Master_Down and heard another Master: with nopreempt we stand down.
    OversleptTakenOver {
        /// Who took over meanwhile.
        source: IpAddr,
        /// By how much we were late.
        late: Nanos,
    },
    /// As Master we woke later than the others wait, and are told to make way then (`timer_expired_backup`).
    Overslept {
        /// By how much we were late.
        late: Nanos,
    },
    /// No advert leaves the host, and that is a fault (`vrrp_send_fault`).
    CannotSend {
        /// `errno` of the last failure.
        errno: i32,
    },
    /// There is no peer to send to, and that is a fault (`unicast_fault_no_peer`).
    NoPeers,
    /// An interface that counts is not up.
    LinkDown {
        /// Which.
        link: LinkId,
    },
    /// Its down timer ran out, and its interface has not received anything yet: it waits for that
    /// (`vrrp_link_hold`). For the display only.
    LinkUnproven {
        /// The interface.
        link: LinkId,
    },
    /// A script that counts fails.
    ScriptFailing {
        /// Which.
        script: ScriptId,
    },
    /// The number in a file that counts is a fault.
    FileFailing {
        /// Which.
        file: FileId,
    },
    /// Too few or too many run of a process that counts.
    ProcessFailing {
        /// Which.
        process: ProcessId,
    },
    /// A unit that counts is restarted too often, or has failed.
    UnitFailing {
        /// Which.
        unit: UnitId,
    },
    /// Somebody else removed one of its addresses, routes or rules, and it is to step down then.
    Lost {
        /// What.
        lost: Carried,
    },
    /// There is no address to send from.
    NoSource,
    /// Everything that was in fault is well again.
    Recovered,
    /// The sync group moved, because of this member.
    Group {
        /// The member that led.
        leader: RouterId,
    },
    /// Somebody asked it to stand by (a planned move).
    Standby,
    /// It stood by, and takes part again. For the display only.
    Resumed,
    /// The daemon stops.
    Shutdown,
    /// A reload removed it.
    Removed,
    /// A reload removed what the state was because of.
    Reloaded,
}

/// Remarks for the log. What a neighbour can cause is said once per virtual router and kind, and again only
/// after a change of state or a minute, so that a flood of packets is not a flood of lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remark {
    /// A message was refused; each rung is a kind of its own.
    Refused {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// Rung.
        refusal: Refusal,
    },
    /// An advert that none of ours hears tells of a mistake.
    Stranger {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// The virtual router that it names.
        vrid: Vrid,
        /// What is strange about it.
        clue: Clue,
    },
    /// The Master's interval differs from ours; we follow it (VRRPv3).
    IntervalAdopted {
        /// Sender.
        source: IpAddr,
        /// Its interval.
        theirs: Centis,
        /// Ours.
        ours: Centis,
    },
    /// The Master's interval is more than ten times ours: the last one is kept.
    IntervalTooLong {
        /// Sender.
        source: IpAddr,
        /// Its interval.
        theirs: Centis,
        /// What we keep.
        kept: Centis,
    },
    /// The Master's interval is less than a tenth of ours: the last one is kept.
    IntervalTooShort {
        /// Sender.
        source: IpAddr,
        /// Its interval.
        theirs: Centis,
        /// What we keep.
        kept: Centis,
    },
    /// The Master's adverts were long in coming (`vrrp_late_advert`).
    Late {
        /// Sender.
        source: IpAddr,
        /// Since the one before.
        gap: Nanos,
        /// After so long without any we would have taken over.
        master_down: Nanos,
    },
    /// The advert lists other addresses than ours.
    AddressesDiffer {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
    },
    /// As Master, a lower-priority advert was heard and answered.
    LowerPriority {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// Its priority.
        priority: Priority,
    },
    /// As Backup, a lower-priority advert was heard: we let the timer run out.
    PreemptPending {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
        /// Its priority.
        priority: Priority,
    },
    /// Another router claims priority 255 too.
    TwoOwners {
        /// Sender.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
    },
    /// Another router sends with our own source address.
    SameAddress {
        /// The address.
        source: IpAddr,
        /// Its Ethernet address, if the path told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        mac: Option<Mac>,
    },
    /// As Master we woke this late and heard nobody: we carry on.
    Overslept {
        /// Lateness.
        late: Nanos,
    },
    /// An interface has not received anything yet, and that makes a difference. Said of the interface, once, not of each
    /// virtual router.
    LinkHold {
        /// The interface.
        link: LinkId,
        /// What there is to say.
        news: HoldNews,
    },
    /// Adverts cannot be sent.
    SendFailed {
        /// `errno` of the first failure.
        errno: i32,
    },
    /// Adverts can be sent again.
    SendRecovered,
    /// It stands by, as somebody asked.
    Standby {
        /// For so long; `None`: until it is told to resume.
        length: Option<Nanos>,
    },
    /// Nobody has been heard for the Master_Down_Interval, and it stands by.
    StandbyAlone,
    /// It takes part again.
    Resumed {
        /// The time was over; else it was told to.
        over: bool,
    },
    /// Addresses could not be added.
    AddressesRefused {
        /// How many.
        failed: u16,
    },
    /// The effective priority changed.
    PriorityChanged {
        /// Before.
        from: Priority,
        /// After.
        to: Priority,
    },
}
