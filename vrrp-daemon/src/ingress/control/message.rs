//! What goes over the control socket: one JSON object a line.
//!
//! ```text
//! {"v":1,"cmd":"status"}                                              {"v":1,"status":{…}}
//! {"v":1,"cmd":"standby","target":{"name":"web"},"for_ms":600000}     {"v":1,"done":{"names":["web"]}}
//! {"v":1,"cmd":"reboot"}                                              {"v":1,"error":"…"}
//! ```

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::access::Permission;
use super::events::Event;
use super::status::{ReloadResult, Status};
use crate::config;
use crate::proto::{Estate, RouterId};

/// The version of the exchange.
pub const VERSION: u32 = 1;
/// The version of what is handed over to a successor. One that knows another waits until its predecessor has given up.
pub const HANDOVER: u32 = 2;

/// A request line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`]
    pub v: u32,
    /// What is wanted.
    #[serde(flatten)]
    pub verb: Verb,
}

/// What can be asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "cmd", rename_all = "kebab-case")]
pub enum Verb {
    /// A snapshot.
    Status,
    /// Every transition and remark from now on, one line each, until the client leaves or the daemon ends.
    Events,
    /// The configuration that runs, as it was understood, passwords hidden.
    ConfigShow,
    /// What a reload would change.
    ConfigDiff {
        /// Read this file instead of the daemon's own; only root may say so, since the daemon reads it. Absolute.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        file: Option<PathBuf>,
    },
    /// Read the configuration again; the answer comes when that is done.
    Reload,
    /// Announce the addresses of Masters again.
    Garp {
        /// Whose.
        target: Target,
    },
    /// Give up, and stay Backup until [`Verb::Resume`].
    Standby {
        /// Who; the rest of its sync group with it.
        target: Target,
        /// Resume by itself after so long.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        for_ms: Option<u64>,
    },
    /// Take part again.
    Resume {
        /// Who; the rest of its sync group with it.
        target: Target,
    },
    /// Log more or less, until the daemon is started again.
    LogLevel {
        /// From now on.
        level: LogLevel,
    },
    /// The stop that follows is meant for a successor: stay on duty until it takes over.
    Handover {
        /// For so long at most; 15 s without it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease_ms: Option<u64>,
    },
    /// The successor is here: what is there to take over? [`Verb::Taken`] has to follow, on the same connection.
    Take {
        /// [`HANDOVER`]
        format: u32,
    },
    /// It has been taken over. Not answered.
    Taken {
        /// But for these virtual routers, by the numbers that they have in it: they give up.
        without: Vec<RouterId>,
    },
}

impl Verb {
    /// What a client must be permitted to ask for it.
    pub(super) const fn needs(&self) -> Permission {
        match self {
            Self::Status | Self::Events | Self::ConfigShow | Self::ConfigDiff { file: None } => {
                Permission::Read
            }
            Self::Reload
            | Self::Garp { .. }
            | Self::Standby { .. }
            | Self::Resume { .. }
            | Self::LogLevel { .. } => Permission::Change,
            Self::ConfigDiff { file: Some(_) }
            | Self::Handover { .. }
            | Self::Take { .. }
            | Self::Taken { .. } => Permission::Everything,
        }
    }
}

/// Virtual routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Target {
    /// The one of this name, or the members of the sync group of this name.
    Name(String),
    /// Every one.
    All,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// What somebody should look at.
    Warn,
    /// As without `-D`.
    Info,
    /// As with `-D`.
    Debug,
    /// As with `-DD`.
    Trace,
}

/// An answer line.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// [`VERSION`]
    pub v: u32,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came of a request.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// To [`Verb::Status`].
    Status(Box<Status>),
    /// To [`Verb::Events`]: they follow.
    Following(Following),
    /// One of [`Verb::Events`].
    Event(Box<Event>),
    /// So many of them were lost, because the client did not read as fast as they came.
    Missed(u64),
    /// The last of [`Verb::Events`]: the daemon has nothing more to tell. Without it the daemon was killed, or the
    /// client did not read.
    Ended(Ending),
    /// To [`Verb::ConfigShow`].
    Config(Shown),
    /// To [`Verb::ConfigDiff`].
    Changes(Changes),
    /// To [`Verb::Reload`].
    Reload(Reloaded),
    /// To [`Verb::Garp`], [`Verb::Standby`], [`Verb::Resume`].
    Done(Done),
    /// To [`Verb::LogLevel`].
    LogLevel(LogLevel),
    /// To [`Verb::Handover`].
    Handover(Expecting),
    /// To [`Verb::Take`].
    Handed(Box<Handed>),
    /// This client may not ask for that; what to do.
    Denied(String),
    /// It was not understood, or could not be done; what to do.
    Error(String),
}

/// Events follow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Following {
    /// As many wait for a client that does not read; more are lost, and it is told how many.
    pub queue: usize,
}

/// Why nothing more follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Ending {
    /// The daemon has stopped.
    Stopped,
    /// A successor has taken over; it answers at the same place.
    HandedOver,
}

/// The configuration that runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// Its file.
    pub file: PathBuf,
    /// As it was understood: one file without variables, conditions and includes. Passwords are asterisks.
    pub text: String,
}

/// What reading the configuration again came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reloaded {
    /// In a word.
    pub result: ReloadResult,
    /// All there is to say of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// What a reload would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changes {
    /// Whether it would be taken over at all.
    pub good: bool,
    /// What would change, in the order of the file.
    pub changes: Vec<Change>,
    /// All there is to say of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// One thing that a reload would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Of what: `instance web`, `group VG_1`, `global`.
    pub subject: String,
    /// In what way.
    pub kind: ChangeKind,
    /// What is other than before, one line each. No passwords.
    pub details: Vec<String>,
}

/// In what way something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeKind {
    /// It is new.
    Added,
    /// It is no more.
    Removed,
    /// It is there before and after.
    Changed,
}

/// Something to say of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Where and what, and what to do, in a line.
    pub text: String,
}

/// How bad something in a configuration is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Something was left out or replaced.
    Warning,
    /// It cannot run.
    Error,
}

impl From<config::Severity> for Severity {
    fn from(severity: config::Severity) -> Self {
        match severity {
            config::Severity::Error => Self::Error,
            config::Severity::Warning => Self::Warning,
            config::Severity::Note => Self::Note,
        }
    }
}

/// To whom something was done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Virtual routers, in the order of the configuration.
    pub names: Vec<String>,
}

/// A successor is expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expecting {
    /// A stop within this time is meant for it.
    pub within_ms: u64,
    /// It may take so long to come; then the daemon gives up.
    pub lease_ms: u64,
}

/// What a successor takes over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handed {
    /// [`HANDOVER`]
    pub format: u32,
    /// Whose it is.
    pub version: String,
    /// All that the protocol was.
    pub estate: Estate,
}

#[cfg(test)]
mod tests {
    use super::{LogLevel, Permission, Target, Verb};

    #[test]
    fn who_may_only_ask_changes_nothing() {
        let target = || Target::Name("web".to_owned());
        let table = [
            (Verb::Status, Permission::Read),
            (Verb::Events, Permission::Read),
            (Verb::ConfigShow, Permission::Read),
            (Verb::ConfigDiff { file: None }, Permission::Read),
            (Verb::Reload, Permission::Change),
            (Verb::Garp { target: target() }, Permission::Change),
            (
                Verb::Standby {
                    target: target(),
                    for_ms: None,
                },
                Permission::Change,
            ),
            (Verb::Resume { target: Target::All }, Permission::Change),
            (
                Verb::LogLevel {
                    level: LogLevel::Debug,
                },
                Permission::Change,
            ),
            (
                Verb::ConfigDiff {
                    file: Some("/etc/shadow".into()),
                },
                Permission::Everything,
            ),
            (Verb::Handover { lease_ms: None }, Permission::Everything),
            (Verb::Take { format: 1 }, Permission::Everything),
        ];
        for (verb, needed) in table {
            assert_eq!(verb.needs(), needed, "{verb:?}");
        }
    }
}
