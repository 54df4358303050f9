//! `vrrp_sync_group` and `vrrp_script`.

use super::Shape::{Bool, Command, Entries, Flag, Number, Seconds, Words};
use super::{Key, Keyword, NotifyKey, Shape, missing, needless, works};

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

const fn group(name: &'static str, shape: Shape, key: GroupKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Group(key), doc)
}

const fn script(name: &'static str, shape: Shape, key: ScriptKey, doc: &'static str) -> Keyword {
    works(name, shape, Key::Script(key), doc)
}

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const SYNC_GROUP: &[Keyword] = &[
    group("group", Entries, GroupKey::Members, "Its instances"),
    group("notify_master", Command, GroupKey::Notify(NotifyKey::Master), "Run on becoming Master"),
    group("notify_backup", Command, GroupKey::Notify(NotifyKey::Backup), "Run on becoming Backup"),
    group("notify_fault", Command, GroupKey::Notify(NotifyKey::Fault), "Run on a fault"),
    group("notify_stop", Command, GroupKey::Notify(NotifyKey::Stop), "Run at stop"),
    group("notify", Command, GroupKey::Notify(NotifyKey::Any), "Run on every change"),
    group("track_interface", Entries, GroupKey::TrackInterface, "Interfaces that must be up for every member"),
    group("track_script", Entries, GroupKey::TrackScript, "Scripts that must succeed for every member"),
    group("sync_group_tracking_weight", Flag, GroupKey::KeepWeights, "Members keep their own weights"),
    needless("global_tracking", Flag, "old; every member follows the group", "Members track each other's objects"),
    missing("track_file", Entries, "files are not tracked", "Files whose number counts as weight"),
    missing("track_process", Entries, "processes are not tracked", "Processes that must run"),
    missing("track_bfd", Entries, "track_bfd protects nothing, for BFD does not run", "BFD sessions that must be up"),
    missing("smtp_alert", Bool, "mail is not sent", "Mail on every change"),
    missing("notify_priority_changes", Bool, "notification FIFOs are not written", "Tell of priority changes too"),
];

// One keyword a line, as a table.
#[rustfmt::skip]
pub(super) const SCRIPT: &[Keyword] = &[
    script("script", Command, ScriptKey::Command, "What to run; exit status 0 is success"),
    script("interval", Seconds, ScriptKey::Interval, "Start to start, 1 s"),
    script("timeout", Seconds, ScriptKey::Timeout, "How long it may take, as interval"),
    script("weight", Words, ScriptKey::Weight, "-253..253 [reverse]; 0: failing is a fault"),
    script("rise", Number, ScriptKey::Rise, "Successes until it is well, 1"),
    script("fall", Number, ScriptKey::Fall, "Failures until it is failing, 1"),
    script("user", Words, ScriptKey::User, "USER [GROUP] it runs as"),
    script("init_fail", Flag, ScriptKey::InitFail, "Failing until the first success"),
];
