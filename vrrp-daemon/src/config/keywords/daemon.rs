//! What the file says of the daemon itself: FIFOs, its own scripts, scheduling, names. Some of these stand in
//! `global_defs`, some at the top level.

/// Keywords of the daemon that are lowered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DaemonKey {
    /// `notify_fifo`
    Fifo,
    /// `notify_fifo_script`
    FifoScript,
    /// `vrrp_notify_fifo`
    VrrpFifo,
    /// `vrrp_notify_fifo_script`
    VrrpFifoScript,
    /// `vrrp_notify_priority_changes`
    PriorityChanges,
    /// `fifo_write_vrrp_states_on_reload`
    StatesOnReload,
    /// `startup_script`
    StartupScript,
    /// `startup_script_timeout`
    StartupTimeout,
    /// `shutdown_script`
    ShutdownScript,
    /// `shutdown_script_timeout`
    ShutdownTimeout,
    /// `max_auto_priority`
    MaxAutoPriority,
    /// `vrrp_priority`
    Nice,
    /// `vrrp_rt_priority`
    RealTimePriority,
    /// `vrrp_rlimit_rttime`
    RealTimeLimit,
    /// `vrrp_cpu_affinity`
    Cpus,
    /// `process_names`
    ProcessNames,
    /// `process_name`
    ParentName,
    /// `vrrp_process_name`
    VrrpName,
    /// `umask`
    Umask,
    /// `net_namespace`
    Namespace,
    /// `instance`
    Instance,
    /// `use_pid_dir`
    PidDir,
    /// `child_wait_time`
    ChildWait,
}
