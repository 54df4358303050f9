//! The keyword table: every keyword of keepalived's language, where it is allowed, what follows it, and
//! what becomes of it here. The parser, the suggestions and the documentation are made from it.

mod global;
mod instance;
mod root;
mod trackers;

pub use self::global::GlobalKey;
pub use self::instance::{AuthKey, InstanceKey};
pub use self::root::RootKey;
pub use self::trackers::{GroupKey, ScriptKey};

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
    /// In `vrrp_instance`.
    Instance(InstanceKey),
    /// In `authentication`.
    Auth(AuthKey),
    /// In `vrrp_sync_group`.
    Group(GroupKey),
    /// In `vrrp_script`.
    Script(ScriptKey),
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
}

impl Block {
    /// Every kind, for documentation.
    pub const ALL: [Self; 6] = [
        Self::Root,
        Self::Global,
        Self::Instance,
        Self::Authentication,
        Self::SyncGroup,
        Self::Script,
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

/// What an unknown word may have been meant for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// This keyword of the block, misspelt.
    Misspelt(&'static str),
    /// A keyword of another block.
    Belongs(Block),
}

/// Find what was meant by an unknown word in a block.
pub(super) fn guess(block: Block, word: &str) -> Option<Guess> {
    const LONGEST: usize = 40;
    if let Some(other) = Block::ALL.into_iter().find(|other| other.find(word).is_some()) {
        return Some(Guess::Belongs(other));
    }
    if word.len() > LONGEST {
        return None;
    }
    let lower = word.to_ascii_lowercase();
    let tolerated = (word.len() / 3).clamp(1, 3);
    block
        .keywords()
        .iter()
        .filter(|keyword| keyword.name.len().abs_diff(word.len()) <= tolerated)
        .map(|keyword| (distance(&lower, keyword.name), keyword.name))
        .filter(|(distance, _)| *distance <= tolerated)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| Guess::Misspelt(name))
}

/// Insertions, deletions, replacements and swaps of neighbours that lead from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous = None;
    for (row, c) in from.chars().enumerate() {
        let mut current = vec![row + 1];
        for (column, d) in to.iter().enumerate() {
            let at = |line: &[usize], place: usize| line.get(place).copied().unwrap_or(usize::MAX - 1);
            let mut best = (at(&last, column) + usize::from(c != *d))
                .min(at(&last, column + 1) + 1)
                .min(at(&current, column) + 1);
            let swapped = column > 0 && previous == Some(*d) && to.get(column - 1) == Some(&c);
            if swapped {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(c);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

const fn works(name: &'static str, shape: Shape, key: Key, doc: &'static str) -> Keyword {
    Keyword {
        name,
        shape,
        status: Status::Works(key),
        doc,
    }
}

const fn needless(name: &'static str, shape: Shape, why: &'static str, doc: &'static str) -> Keyword {
    Keyword {
        name,
        shape,
        status: Status::Needless(why),
        doc,
    }
}

const fn missing(name: &'static str, shape: Shape, what: &'static str, doc: &'static str) -> Keyword {
    Keyword {
        name,
        shape,
        status: Status::Missing(what),
        doc,
    }
}

const fn balancer(name: &'static str) -> Keyword {
    Keyword {
        name,
        shape: Shape::Any,
        status: Status::LoadBalancer,
        doc: "Load balancer; keepalived -C runs it",
    }
}
