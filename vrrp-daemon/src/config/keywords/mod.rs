//! The keyword table: every keyword of keepalived's language, where it is allowed, what follows it, and
//! what becomes of it here. The parser, the suggestions and the documentation are made from it.

mod daemon;
mod entries;
mod global;
mod guess;
mod instance;
mod root;
mod trackers;

#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::sync::LazyLock;

pub use self::daemon::DaemonKey;
pub use self::entries::Entry;
pub use self::global::GlobalKey;
pub(super) use self::guess::{Guess, guess, remedy};
pub use self::instance::{AuthKey, InstanceKey, UncommonKey};
pub use self::root::RootKey;
pub use self::trackers::{FileKey, GarpGroupKey, GroupKey, ProcessKey, ScriptKey};

/// One keyword in one block.
#[derive(Clone, Copy, Debug)]
pub struct Keyword {
    /// As it is written.
    pub name: &'static str,
    /// What follows it.
    pub shape: Shape,
    /// What becomes of it.
    pub status: Status,
    /// What it does, on one line.
    pub doc: &'static str,
    /// What holds when it is not written; empty if there is nothing to say.
    pub default: &'static str,
    /// The keepalived version that brought it, as far as it is newer than 2.2.7, the reference.
    pub since: &'static str,
    /// How often it is met.
    pub usage: Usage,
    /// keepalived calls it deprecated: what to write instead.
    pub instead: Option<&'static str>,
    /// It is not done, and is to be.
    pub to_come: bool,
}

/// How often a keyword is met in files that are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Nearly everywhere.
    Everywhere,
    /// In many of them.
    Common,
    /// Seldom.
    Rare,
}

/// What follows a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Nothing.
    Flag,
    /// `on|off|true|false|yes|no`, or nothing for `on`.
    Bool,
    /// A whole number.
    Number,
    /// Seconds with decimals.
    Seconds,
    /// An IP address.
    Address,
    /// One word.
    Word,
    /// Any words.
    Words,
    /// A command: quotes, `'…'` and `\` count.
    Command,
    /// `{ … }` of keywords.
    Block(Block),
    /// A name and `{ … }` of keywords.
    Named(Block),
    /// `{ … }` of entries, words each.
    Entries,
    /// Anything, with or without `{ … }`: skipped as a unit.
    Any,
}

/// What becomes of a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It does what it does in keepalived.
    Works(Key),
    /// Accepted silently, for nothing here depends on it; the text says why.
    Needless(&'static str),
    /// Accepted with one warning, for it is not done (yet); the text names what is missing.
    Missing(&'static str),
    /// Part of keepalived's load balancer.
    LoadBalancer,
    /// The daemon does not start with it: running without it would be dangerous. The text is the remedy.
    Refused(&'static str),
}

/// Who lowers a keyword.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// At the root.
    Root(RootKey),
    /// In `global_defs`.
    Global(GlobalKey),
    /// Of the daemon itself: in `global_defs` or at the root.
    Daemon(DaemonKey),
    /// In `vrrp_instance`.
    Instance(InstanceKey),
    /// In `authentication`.
    Auth(AuthKey),
    /// In `vrrp_sync_group`.
    Group(GroupKey),
    /// In `vrrp_script`.
    Script(ScriptKey),
    /// In `track_file`.
    File(FileKey),
    /// In `vrrp_track_process`.
    Process(ProcessKey),
    /// In `garp_group`.
    GarpGroup(GarpGroupKey),
    /// A word of an entry: read together with the entry.
    Word,
}

/// `notify_…`, in instances and groups.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotifyKey {
    /// `notify_master`
    Master,
    /// `notify_backup`
    Backup,
    /// `notify_fault`
    Fault,
    /// `notify_stop`
    Stop,
    /// `notify_deleted`
    Deleted,
    /// `notify_priority_changes`
    PriorityChanges,
    /// `notify_master_rx_lower_pri`
    MasterRxLowerPri,
    /// `notify`
    Any,
}

/// `garp_…`, global and in instances.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GarpKey {
    /// `garp_master_delay`
    Delay,
    /// `garp_master_repeat`
    Repeat,
    /// `garp_master_refresh`
    Refresh,
    /// `garp_master_refresh_repeat`
    RefreshRepeat,
    /// `garp_lower_prio_delay`
    LowerDelay,
    /// `garp_lower_prio_repeat`
    LowerRepeat,
}

/// A kind of block that holds keywords.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block {
    /// The file itself.
    Root,
    /// `global_defs`
    Global,
    /// `vrrp_instance`
    Instance,
    /// `authentication`
    Authentication,
    /// `vrrp_sync_group`
    SyncGroup,
    /// `vrrp_script`
    Script,
    /// `auth_hmac`
    AuthHmac,
    /// `vrrp_track_process`
    TrackProcess,
    /// `track_file`
    TrackFile,
    /// `bfd_instance`
    Bfd,
    /// `garp_group`
    GarpGroup,
    /// `track_group`
    TrackGroup,
}

impl Block {
    /// Every kind, for documentation.
    pub const ALL: [Self; 12] = [
        Self::Root,
        Self::Global,
        Self::Instance,
        Self::Authentication,
        Self::AuthHmac,
        Self::SyncGroup,
        Self::Script,
        Self::TrackProcess,
        Self::TrackFile,
        Self::GarpGroup,
        Self::TrackGroup,
        Self::Bfd,
    ];

    /// Its keywords.
    #[must_use]
    pub const fn keywords(self) -> &'static [Keyword] {
        match self {
            Self::Root => root::TABLE,
            Self::Global => global::TABLE,
            Self::Instance => instance::TABLE,
            Self::Authentication => instance::AUTHENTICATION,
            Self::SyncGroup => trackers::SYNC_GROUP,
            Self::Script => trackers::SCRIPT,
            Self::AuthHmac => instance::AUTH_HMAC,
            Self::TrackProcess => trackers::TRACK_PROCESS,
            Self::TrackFile => trackers::TRACK_FILE,
            Self::Bfd => trackers::BFD,
            Self::GarpGroup => trackers::GARP_GROUP,
            Self::TrackGroup => trackers::TRACK_GROUP,
        }
    }

    /// The word that opens it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Root => "the file's top level",
            Self::Global => "global_defs",
            Self::Instance => "vrrp_instance",
            Self::Authentication => "authentication",
            Self::SyncGroup => "vrrp_sync_group",
            Self::Script => "vrrp_script",
            Self::AuthHmac => "auth_hmac",
            Self::TrackProcess => "vrrp_track_process",
            Self::TrackFile => "track_file",
            Self::Bfd => "bfd_instance",
            Self::GarpGroup => "garp_group",
            Self::TrackGroup => "track_group",
        }
    }

    /// A keyword of this block.
    #[must_use]
    pub fn find(self, name: &str) -> Option<&'static Keyword> {
        self.keywords().iter().find(|keyword| keyword.name == name)
    }
}

impl Shape {
    /// Whether `{ … }` follows.
    #[must_use]
    pub const fn opens(self) -> bool {
        matches!(self, Self::Block(_) | Self::Named(_) | Self::Entries)
    }
}

/// Whether a command follows the word, wherever it is a keyword.
pub(super) fn takes_command(name: &str) -> bool {
    static NAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
        let all = Block::ALL.iter().flat_map(|block| block.keywords());
        all.filter(|keyword| keyword.shape == Shape::Command)
            .map(|keyword| keyword.name)
            .collect()
    });
    NAMES.contains(name)
}

/// Whether the word opens a block at the root and is a keyword nowhere else.
pub(super) fn only_at_root(name: &str) -> bool {
    let Some(root) = Block::Root.find(name) else {
        return false;
    };
    let elsewhere = Block::ALL
        .iter()
        .any(|block| *block != Block::Root && block.find(name).is_some());
    (root.shape.opens() || root.shape == Shape::Any) && !elsewhere
}

impl Keyword {
    /// One that is met in few files; the methods below say more.
    const fn new(name: &'static str, shape: Shape, status: Status, doc: &'static str) -> Self {
        Self {
            name,
            shape,
            status,
            doc,
            default: "",
            since: "",
            usage: Usage::Rare,
            instead: None,
            to_come: false,
        }
    }

    /// It stands in nearly every file.
    const fn everywhere(self) -> Self {
        Self {
            usage: Usage::Everywhere,
            ..self
        }
    }

    /// It stands in many files.
    const fn common(self) -> Self {
        Self {
            usage: Usage::Common,
            ..self
        }
    }

    /// What holds when it is not written.
    const fn default(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    /// The version that brought it.
    const fn since(self, since: &'static str) -> Self {
        Self { since, ..self }
    }

    /// keepalived remarks that it is deprecated.
    const fn deprecated(self, instead: &'static str) -> Self {
        Self {
            instead: Some(instead),
            ..self
        }
    }
}

const fn works(name: &'static str, shape: Shape, key: Key, doc: &'static str) -> Keyword {
    Keyword::new(name, shape, Status::Works(key), doc)
}

const fn needless(name: &'static str, shape: Shape, why: &'static str, doc: &'static str) -> Keyword {
    Keyword::new(name, shape, Status::Needless(why), doc)
}

const fn missing(name: &'static str, shape: Shape, what: &'static str, doc: &'static str) -> Keyword {
    Keyword::new(name, shape, Status::Missing(what), doc)
}

/// Not done yet.
const fn to_come(name: &'static str, shape: Shape, what: &'static str, doc: &'static str) -> Keyword {
    Keyword {
        to_come: true,
        ..missing(name, shape, what, doc)
    }
}

const fn refused(name: &'static str, shape: Shape, remedy: &'static str, doc: &'static str) -> Keyword {
    Keyword::new(name, shape, Status::Refused(remedy), doc)
}

const fn balancer(name: &'static str) -> Keyword {
    Keyword::new(
        name,
        Shape::Any,
        Status::LoadBalancer,
        "Load balancer; keepalived -C runs it",
    )
}
