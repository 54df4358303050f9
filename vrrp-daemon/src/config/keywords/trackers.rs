//! `vrrp_sync_group`, what is tracked, and the small blocks of the top level.

use super::Shape::{Address, Bool, Command, Entries, Flag, Number, Seconds, Word, Words};
use super::instance::RESTARTS;
use super::{Key, Keyword, NotifyKey, Shape, missing, to_come, works};

/// Keywords of `vrrp_sync_group` that are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GroupKey {
    /// `group`
    Members,
    /// `notify…`
    Notify(NotifyKey),
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
    /// `sync_group_tracking_weight`
    KeepWeights,
}

/// Keywords of `vrrp_script`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScriptKey {
    /// `script`
    Command,
    /// `interval`
    Interval,
    /// `timeout`
    Timeout,
    /// `weight`
    Weight,
    /// `rise`
    Rise,
    /// `fall`
    Fall,
    /// `user`
    User,
    /// `init_fail`
    InitFail,
}

/// Keywords of `track_file`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileKey {
    /// `file`
    Path,
    /// `weight`
    Weight,
    /// `init_file`
    Init,
}

/// Keywords of `vrrp_track_process`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProcessKey {
    /// `process`
    Command,
    /// `param_match`
    ParamMatch,
    /// `full_command`
    FullCommand,
    /// `weight`
    Weight,
    /// `quorum`
    Quorum,
    /// `quorum_max`
    QuorumMax,
    /// `delay`
    Delay,
    /// `terminate_delay`
    TerminateDelay,
    /// `fork_delay`
    ForkDelay,
}

/// Keywords of `garp_group`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarpGroupKey {
    /// `garp_interval`
    Garp,
    /// `gna_interval`
    Gna,
    /// `interface`
    Interface,
    /// `interfaces`
    Interfaces,
}

const fn group(name: &'static str, shape: Shape, key: GroupKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Group(key), doc)
}

const fn script(name: &'static str, shape: Shape, key: ScriptKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Script(key), doc)
}

const fn file(name: &'static str, shape: Shape, key: FileKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::File(key), doc)
}

const fn process(name: &'static str, shape: Shape, key: ProcessKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Process(key), doc)
}

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const SYNC_GROUP: &[Keyword] = &[
    group("group", Entries, GroupKey::Members, "Its instances").common(),
    group("notify_master", Command, GroupKey::Notify(NotifyKey::Master), "Run on becoming Master").common(),
    group("notify_backup", Command, GroupKey::Notify(NotifyKey::Backup), "Run on becoming Backup").common(),
    group("notify_fault", Command, GroupKey::Notify(NotifyKey::Fault), "Run on a fault").common(),
    group("notify_stop", Command, GroupKey::Notify(NotifyKey::Stop), "Run at stop").common(),
    group("notify", Command, GroupKey::Notify(NotifyKey::Any), "Run on every change").common(),
    group("track_interface", Entries, GroupKey::TrackInterface, "Interfaces that must be up for every member").common(),
    group("track_script", Entries, GroupKey::TrackScript, "Scripts that must succeed for every member").common(),
    group("sync_group_tracking_weight", Flag, GroupKey::KeepWeights, "Members keep their own weights").default("off"),
    group("global_tracking", Flag, GroupKey::KeepWeights, "Old name of sync_group_tracking_weight").deprecated("track_interface, track_script and track_file of the group"),
    group("track_file", Entries, GroupKey::TrackFile, "Files whose number counts as weight").common(),
    group("track_process", Entries, GroupKey::TrackProcess, "Processes that must run").common(),
    group("track_restarts", Words, GroupKey::TrackRestarts, RESTARTS).since("here only"),
    missing("track_bfd", Entries, "BFD does not run: this protects NOTHING, and is never a fault", "BFD sessions that must be up"),
    to_come("smtp_alert", Bool, "mail is not sent", "Mail on every change").common().default("the global one"),
    group("notify_priority_changes", Bool, GroupKey::Notify(NotifyKey::PriorityChanges), "Tell the FIFOs of its members' priority changes too").common(),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const SCRIPT: &[Keyword] = &[
    script("script", Command, ScriptKey::Command, "What to run; exit status 0 is success").everywhere(),
    script("interval", Seconds, ScriptKey::Interval, "Start to start, 1 s").everywhere().default("1"),
    script("timeout", Seconds, ScriptKey::Timeout, "How long it may take, as interval").everywhere().default("interval"),
    script("weight", Words, ScriptKey::Weight, "-253..253 [reverse]; 0: failing is a fault").everywhere().default("0"),
    script("rise", Number, ScriptKey::Rise, "Successes until it is well, 1").everywhere().default("1"),
    script("fall", Number, ScriptKey::Fall, "Failures until it is failing, 1").everywhere().default("1"),
    script("user", Words, ScriptKey::User, "USER [GROUP] it runs as").common().default("script_user"),
    to_come("check", Words, "it is not run: write a `script` in its place", "A check that needs no process, such as tcp HOST PORT").since("here only"),
    script("init_fail", Flag, ScriptKey::InitFail, "Failing until the first success").common(),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TRACK_PROCESS: &[Keyword] = &[
    process("process", Command, ProcessKey::Command, "Its name, or its whole command line").common(),
    process("param_match", Words, ProcessKey::ParamMatch, "How arguments are compared: initial, partial; else exactly").default("exact"),
    process("full_command", Flag, ProcessKey::FullCommand, "Compare the whole command line, not the program's name"),
    process("weight", Words, ProcessKey::Weight, "-254..254 [reverse]; 0: a fault").common().default("0"),
    process("quorum", Number, ProcessKey::Quorum, "How many must run at least").common().default("1"),
    process("quorum_max", Number, ProcessKey::QuorumMax, "How many may run at most").default("no limit"),
    process("delay", Seconds, ProcessKey::Delay, "How long a change must last to count").default("0"),
    process("terminate_delay", Seconds, ProcessKey::TerminateDelay, "... of an end").default("delay"),
    process("fork_delay", Seconds, ProcessKey::ForkDelay, "... of a start").default("delay"),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TRACK_FILE: &[Keyword] = &[
    file("file", Word, FileKey::Path, "The file; a number stands in it").common(),
    file("weight", Words, FileKey::Weight, "What the number is multiplied with, [reverse]; 0: a number other than 0 is a fault").common().default("1"),
    file("init_file", Words, FileKey::Init, "[VALUE] [overwrite]: write the file at start").common(),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const GARP_GROUP: &[Keyword] = &[
    works("garp_interval", Seconds, Key::GarpGroup(GarpGroupKey::Garp), "Least time between gratuitous ARPs on its interfaces").default("0"),
    works("gna_interval", Seconds, Key::GarpGroup(GarpGroupKey::Gna), "Least time between unsolicited NAs on its interfaces").default("0"),
    works("interface", Word, Key::GarpGroup(GarpGroupKey::Interface), "Its only interface"),
    works("interfaces", Entries, Key::GarpGroup(GarpGroupKey::Interfaces), "Its interfaces"),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const TRACK_GROUP: &[Keyword] = &[
    missing("group", Entries, "static items are put back, and no instance gives way", "Its instances"),
];

const BFD_RUNS_NOT: &str = "BFD does not run";

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const BFD: &[Keyword] = &[
    missing("neighbor_ip", Address, BFD_RUNS_NOT, "The other end"),
    missing("neighbour_ip", Address, BFD_RUNS_NOT, "Another spelling of it"),
    missing("source_ip", Address, BFD_RUNS_NOT, "This end"),
    missing("min_rx", Number, BFD_RUNS_NOT, "Least time between packets taken, ms").default("10"),
    missing("min_tx", Number, BFD_RUNS_NOT, "Least time between packets sent, ms").default("10"),
    missing("idle_tx", Number, BFD_RUNS_NOT, "... while the session is down, ms").default("1000"),
    missing("multiplier", Number, BFD_RUNS_NOT, "Packets missed until it is down").default("5"),
    missing("passive", Flag, BFD_RUNS_NOT, "Wait for the other end to begin"),
    missing("ttl", Number, BFD_RUNS_NOT, "TTL of its packets").default("255"),
    missing("hoplimit", Number, BFD_RUNS_NOT, "The same for IPv6").default("255"),
    missing("max_hops", Number, BFD_RUNS_NOT, "Hops that a packet may have made").default("0"),
    missing("multihop", Flag, BFD_RUNS_NOT, "The other end is behind a router").since("after 2.2.7"),
    missing("weight", Words, BFD_RUNS_NOT, "-253..253 [reverse]; 0: a fault").default("0"),
    missing("vrrp", Flag, BFD_RUNS_NOT, "For VRRP only"),
    missing("checker", Flag, BFD_RUNS_NOT, "For the load balancer only"),
];
