//! What a configuration says of the daemon itself, besides VRRP.

use std::path::PathBuf;

use vrrp_common::time::Nanos;

use super::{Command, ScriptUser};

/// FIFOs that are told of every change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fifos {
    /// `notify_fifo`
    pub all: Option<Fifo>,
    /// `vrrp_notify_fifo`; told after the other.
    pub vrrp: Option<Fifo>,
    /// `fifo_write_vrrp_states_on_reload`
    pub states_on_reload: bool,
}

/// One FIFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fifo {
    /// Where it is; made if it is not there.
    pub path: PathBuf,
    /// Whose it becomes if it is made.
    pub owner: Option<ScriptUser>,
    /// Its reader, started with the path as its last argument.
    pub script: Option<Command>,
}

/// A script of the daemon's own, run once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// What to run.
    pub command: Command,
    /// How long it may take.
    pub timeout: Nanos,
}

/// `startup_script`, `shutdown_script`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hooks {
    /// Before anything else.
    pub startup: Option<Hook>,
    /// After everything else.
    pub shutdown: Option<Hook>,
}

/// How the processes run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// `vrrp_priority`: the nice value.
    pub nice: Option<i8>,
    /// Real-time scheduling of the protocol.
    pub real_time: RealTime,
    /// `vrrp_rlimit_rttime`: how long a real-time thread may compute without blocking.
    pub real_time_limit: Option<Nanos>,
    /// `vrrp_cpu_affinity`: CPUs by number; all if empty.
    pub cpus: Vec<u16>,
    /// `process_names`, `process_name`: what the parent is called.
    pub parent_name: Option<String>,
    /// `process_names`, `vrrp_process_name`: what the protocol process is called.
    pub vrrp_name: Option<String>,
    /// `umask`
    pub umask: Option<u32>,
}

/// `vrrp_rt_priority`, `max_auto_priority`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RealTime {
    /// At the daemon's own priority.
    #[default]
    Default,
    /// `vrrp_rt_priority`: this one.
    At(u8),
    /// `max_auto_priority N`: the daemon's own, but no higher than this.
    AtMost(u8),
    /// `max_auto_priority 0` or `-1`: none.
    Never,
}

/// How this daemon is told from others on the same host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Place {
    /// `net_namespace`
    pub namespace: Option<String>,
    /// `instance`
    pub instance: Option<String>,
    /// `use_pid_dir`
    pub pid_dir: bool,
    /// `child_wait_time`; 5 s if not given.
    pub child_wait: Option<Nanos>,
}
