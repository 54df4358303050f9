//! keepalived's configuration language: text -> tokens -> raw tree with positions -> [`Config`].
//!
//! Everything a daemon needs from its file is in [`Config`]; nothing here touches the system beyond reading
//! the file and its includes.

use std::path::PathBuf;

use vrrp_common::time::Nanos;

use crate::proto::Model;

/// A configuration, ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What the protocol needs.
    pub model: Model,
    /// How to run each tracked script; same order as `model.scripts`.
    pub scripts: Vec<ScriptSpec>,
    /// Notify scripts of each virtual router; same order as `model.routers`.
    pub router_notify: Vec<Notify>,
    /// Notify scripts of each sync group; same order as `model.groups`.
    pub group_notify: Vec<Notify>,
    /// `global_defs`.
    pub global: Global,
}

/// `global_defs`, as far as it is in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Global {
    /// `router_id`; the host's name if not given.
    pub router_id: Option<String>,
    /// `script_user`.
    pub script_user: Option<ScriptUser>,
    /// `enable_script_security`.
    pub script_security: bool,
    /// `vrrp_startup_delay`.
    pub startup_delay: Nanos,
    /// `vrrp_xdp`.
    pub xdp: XdpMode,
    /// `dynamic_interfaces`: a missing interface is waited for instead of refused.
    pub dynamic_interfaces: bool,
    /// Number of `virtual_server` blocks, which this daemon does not run.
    pub virtual_servers: usize,
}

/// `vrrp_xdp auto|native|generic|off`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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

/// `vrrp_script`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptSpec {
    /// What to run.
    pub command: Command,
    /// Start to start (`interval`, 1 s).
    pub interval: Nanos,
    /// Then SIGTERM, and SIGKILL two seconds later (`timeout`, = interval). Counts as a failure.
    pub timeout: Nanos,
    /// Consecutive successes until it is well (`rise`, 1).
    pub rise: u32,
    /// Consecutive failures until it is failing (`fall`, 1).
    pub fall: u32,
    /// Taken for failing until the first success (`init_fail`).
    pub init_fail: bool,
    /// It could not be found: never run it, said at start.
    pub disabled: bool,
}

/// A program with its arguments; never run through a shell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The program, with its path if one was found, and its arguments.
    pub argv: Vec<String>,
    /// Whom to run it as.
    pub user: Option<ScriptUser>,
}

/// `USER [GROUP]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptUser {
    /// User name.
    pub user: String,
    /// Group name; else the user's own.
    pub group: Option<String>,
}

/// `notify_master`, `notify_backup`, `notify_fault`, `notify_stop`, `notify`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Notify {
    /// `notify_master`
    pub master: Option<Command>,
    /// `notify_backup`
    pub backup: Option<Command>,
    /// `notify_fault`
    pub fault: Option<Command>,
    /// `notify_stop`
    pub stop: Option<Command>,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<Command>,
    /// `notify`, run with `INSTANCE|GROUP NAME STATE PRIORITY` appended.
    pub any: Option<Command>,
}

/// The default configuration file: ours if it is there, else keepalived's.
#[must_use]
pub fn default_path() -> PathBuf {
    let ours = PathBuf::from("/etc/vrrp-daemon/vrrp-daemon.conf");
    if ours.exists() {
        ours
    } else {
        PathBuf::from("/etc/keepalived/keepalived.conf")
    }
}
