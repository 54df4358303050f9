//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use vrrp_daemon::cli::CONTROL_SOCKET;
use vrrp_daemon::ingress::control::message::{LogLevel, Target};
use vrrp_daemon::obs::span;
use vrrp_daemon::obs::verdict::Condition;

/// Ask and steer a running vrrp-daemon.
#[derive(Debug, Parser)]
#[command(name = "vrrpctl", version, after_help = exit_codes())]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// As JSON
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The daemon's control socket
    #[arg(long, value_name = "PATH", global = true, default_value = CONTROL_SOCKET)]
    pub(crate) socket: PathBuf,
}

/// Exit codes, and what they mean.
pub(crate) const EXIT_CODES: [(&str, &str); 7] = [
    ("0", "done; events: the daemon has ended, and all was told"),
    (
        "1",
        "refused by the daemon, no such instance, or a file that cannot run",
    ),
    ("2", "wrong usage"),
    ("3", "no daemon answers; events: it is gone without a word"),
    ("4", "not permitted"),
    ("5", "vrrpctl and the daemon are of different versions"),
    (
        "6",
        "done, and there is something to look at (config check, config diff)",
    ),
];
/// Of `check`.
pub(crate) const PLUGIN: &str =
    "vrrpctl check has those of a Nagios plugin: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN.";
/// Set to the name of a shell, it makes this program complete a command line: packaging/completions.
pub(crate) const COMPLETE: &str = "VRRPCTL_COMPLETE";

fn exit_codes() -> String {
    let codes = EXIT_CODES.map(|(code, means)| format!("  {code}  {means}\n"));
    format!("Exit codes:\n{}{PLUGIN}", codes.concat())
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show virtual routers, sync groups and what is tracked
    Status {
        /// With the times between adverts, by sender (JSON has them always)
        #[arg(long, short)]
        verbose: bool,
    },
    /// Show one virtual router in full
    Show {
        /// Its name
        name: String,
    },
    /// Say why a virtual router is in its state, and what would change it
    Explain {
        /// Its name; all of them without one
        name: Option<String>,
    },
    /// Show the other routers: when heard last, how regularly, how many adverts were lost
    Peers {
        /// Of one virtual router
        name: Option<String>,
    },
    /// Show what was counted
    Counters {
        /// Of one virtual router
        name: Option<String>,
    },
    /// Follow what happens, one line each
    Events,
    /// Announce the addresses of a Master again (gratuitous ARP, unsolicited NA)
    Garp(Who),
    /// Give up and stay Backup, with the whole sync group: a planned move
    Standby {
        #[command(flatten)]
        who: Who,
        /// Take part again by itself after so long (10m, 90s, 1h30m)
        #[arg(long = "for", value_name = "TIME", value_parser = time)]
        length: Option<u64>,
    },
    /// Take part again after standby
    Resume(Who),
    /// Have the configuration read again, and say what came of it
    Reload,
    /// Have the stop that follows leave addresses and mastership to the daemon that is started next (root only)
    Handover {
        /// Only if systemd is restarting the unit that this runs in; else do nothing. For ExecStop=
        #[arg(long)]
        if_restarting: bool,
        /// How long it may take to come; then this one gives up [default: 15s]
        #[arg(long, value_name = "TIME", value_parser = time)]
        lease: Option<u64>,
    },
    /// Check, show or compare configurations
    #[command(subcommand)]
    Config(Config),
    /// Log more or less, until the daemon is started again
    LogLevel {
        /// From now on
        level: Level,
    },
    /// Judge how things stand, for a monitoring system (Nagios plugin)
    Check {
        /// What is a warning, separated by commas
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "init,standby,tracked,reload-refused"
        )]
        warn: Vec<Condition>,
        /// What is critical, separated by commas
        #[arg(
            long,
            value_delimiter = ',',
            default_value = "fault,no-master,address-missing,address-left"
        )]
        crit: Vec<Condition>,
        /// Virtual routers; all of them without a name
        names: Vec<String>,
    },
    /// Play a recording (vrrp-daemon --record FILE) again, in words
    Replay {
        /// The recording
        file: PathBuf,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Check a file; no daemon is needed, and nothing is touched
    Check {
        /// The file; the daemon's default without one
        file: Option<PathBuf>,
        /// What @ID lines are compared with, as the daemon's -i
        #[arg(long, value_name = "ID")]
        config_id: Option<String>,
    },
    /// Show the configuration that runs, as it was understood
    Show,
    /// Show what a reload would change
    Diff {
        /// Read this file instead of the daemon's own (root only)
        file: Option<PathBuf>,
    },
}

/// Virtual routers.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Who {
    /// Name of an instance or a sync group
    name: Option<String>,
    /// Every instance
    #[arg(long)]
    all: bool,
}

impl Who {
    pub(crate) fn target(&self) -> Target {
        match &self.name {
            Some(name) => Target::Name(name.clone()),
            None => Target::All,
        }
    }
}

/// How much is logged.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Level {
    /// What somebody should look at
    Warn,
    /// As without -D
    Info,
    /// As with -D
    Debug,
    /// As with -DD
    Trace,
}

impl From<Level> for LogLevel {
    fn from(level: Level) -> Self {
        match level {
            Level::Warn => Self::Warn,
            Level::Info => Self::Info,
            Level::Debug => Self::Debug,
            Level::Trace => Self::Trace,
        }
    }
}

fn time(text: &str) -> Result<u64, String> {
    match span::parse(text) {
        None | Some(0) => Err("write a time such as 10m, 90s or 1h30m".to_owned()),
        Some(millis) => Ok(millis),
    }
}
