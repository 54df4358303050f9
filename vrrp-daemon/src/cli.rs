//! The command line: keepalived's own, so that every unit file and every habit goes on working, and a few
//! options of ours (`--control-socket`, `--record`).
//!
//! In two steps, as ripgrep does: [`Typed`] is what was typed, [`Options`] is what it means. Options of
//! keepalived's LVS, BFD, SNMP and debugging parts are accepted and do nothing.

mod getopt;
pub mod manual;
mod placed;
#[cfg(test)]
mod tests;

pub use self::placed::Placed;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{ArgAction, CommandFactory, FromArgMatches, Parser};

use crate::config::ReadOptions;

/// Default path of the control socket.
pub const CONTROL_SOCKET: &str = "/run/vrrp-daemon/control.sock";

/// What to do, and with what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Run the daemon.
    Run(Box<Options>),
    /// `-t`: judge the configuration and end with keepalived's exit code.
    Test {
        /// The configuration file.
        config: PathBuf,
        /// How it is read.
        reading: ReadOptions,
        /// `-s`: the network namespace whose interfaces are meant; overrides the file.
        namespace: Option<String>,
        /// Where the judgement goes; else standard error.
        output: Option<PathBuf>,
    },
    /// Be the script runner of this number, started by the parent (hidden option `--script-runner`).
    RunScripts(u64),
    /// `--signum`, `-v`, `-h`: print this and end with 0.
    Print(String),
}

/// The daemon's options, resolved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The configuration file.
    pub config: PathBuf,
    /// `-i`, `-e`: how it is read.
    pub reading: ReadOptions,
    /// Where log lines go.
    pub log: LogOptions,
    /// `-d`: write the configuration to the log at start.
    pub dump_config: bool,
    /// Stay in the foreground (`-n`).
    pub foreground: bool,
    /// Start the protocol process again when it dies (off: `-R`).
    pub respawn: bool,
    /// Remove the virtual addresses at the end (off: `-V`).
    pub release_on_stop: bool,
    /// `-p`: pid file of the parent process.
    pub pid_file: Option<PathBuf>,
    /// `-r`: pid file of the protocol process.
    pub vrrp_pid_file: Option<PathBuf>,
    /// `-s`: the network namespace to run in; overrides the file.
    pub namespace: Option<String>,
    /// `-u`: umask for files that the daemon creates.
    pub umask: Option<u32>,
    /// `--ignore-sigint`.
    pub ignore_sigint: bool,
    /// `--control-socket`.
    pub control_socket: Option<PathBuf>,
    /// `-m`, `-M`: a core dump when it dies.
    pub core_dump: Option<CoreDump>,
    /// Remarks on the command line, which keepalived runs with all the same.
    pub remarks: Vec<String>,
    /// `--record`: write every input of the protocol to this file, for `replay`.
    pub record: Option<PathBuf>,
    /// This is the protocol process, started by its parent (hidden option `--child`).
    pub child: bool,
}

/// `-m`, `-M`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CoreDump {
    /// Where the host puts them.
    AsConfigured,
    /// By this pattern, as in core(5).
    Pattern(String),
}

/// Where log lines go and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogOptions {
    /// `-l`: to standard error.
    pub console: bool,
    /// To syslog or the journal (off: `-G`, and `-l`).
    pub syslog: bool,
    /// `-S`: number of the syslog facility, 3 (daemon) unless given.
    pub facility: u8,
    /// `-g`: to this file too.
    pub file: Option<PathBuf>,
    /// `--flush-log-file`: write each line through at once.
    pub flush: bool,
    /// `--log-format json`: on the console and in the file.
    pub json: bool,
    /// How often `-D` was given.
    pub detail: u8,
    /// `-a`: every address that comes or goes.
    pub addresses: bool,
}

impl LogOptions {
    /// The log file of the protocol process: `_vrrp` before the last dot of the name, as keepalived has it.
    #[must_use]
    pub fn vrrp_file(&self) -> Option<PathBuf> {
        let file = self.file.as_ref()?;
        let mut name = file.file_stem()?.to_owned();
        name.push("_vrrp");
        if let Some(extension) = file.extension() {
            name.push(".");
            name.push(extension);
        }
        Some(file.with_file_name(name))
    }
}

/// A command line that cannot be followed. The text is complete, with the remedy.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct UsageError(String);

/// Read a command line, program name first.
///
/// # Errors
/// [`UsageError`]; keepalived ends with 1 then.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Action, UsageError> {
    let args = getopt::normalize(args);
    let matches = Typed::command().try_get_matches_from(args);
    match matches.and_then(|matches| Typed::from_arg_matches(&matches)) {
        Ok(typed) => typed.resolve(),
        Err(error) => Err(UsageError(error.render().to_string().trim_end().to_owned())),
    }
}

/// The table that the command line is read by, for manual page and completions.
#[must_use]
pub fn command() -> clap::Command {
    Typed::command()
}

/// The command line as typed. Field order is the order in the help text.
#[derive(Debug, Parser)]
#[command(
    name = "vrrp-daemon",
    about = "A VRRP daemon fed by an XDP program; a drop-in for the VRRP half of keepalived",
    disable_help_flag = true,
    disable_version_flag = true,
    infer_long_args = true,
    args_override_self = true
)]
struct Typed {
    /// Use this configuration file
    #[arg(short = 'f', long = "use-file", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Do not start if a file that the configuration includes is missing
    #[arg(short = 'e', long = "all-config")]
    all_config: bool,
    /// Read lines that begin with @ID, leave out those of other IDs [default: the host's short name]
    #[arg(short = 'i', long = "config-id", value_name = "ID")]
    config_id: Option<String>,
    /// Only VRRP (always so; for compatibility)
    #[arg(short = 'P', long = "vrrp")]
    vrrp: bool,
    /// Stay in the foreground
    #[arg(short = 'n', long = "dont-fork")]
    foreground: bool,
    /// Log to the console
    #[arg(short = 'l', long = "log-console")]
    log_console: bool,
    /// More detail in the log; twice: still more
    #[arg(short = 'D', long = "log-detail", action = ArgAction::Count)]
    log_detail: u8,
    /// Log every address that comes to this host or goes
    #[arg(short = 'a', long = "address-monitoring")]
    address_monitoring: bool,
    /// Syslog facility: 0-7 or local0-local7, user, daemon (default)
    #[arg(short = 'S', long = "log-facility", value_name = "FACILITY")]
    log_facility: Option<String>,
    /// Log to a file [default: /tmp/keepalived.log]
    #[arg(short = 'g', long = "log-file", value_name = "FILE", num_args = 0..=1, require_equals = true)]
    log_file: Option<Option<PathBuf>>,
    /// Write each line of the log file through at once
    #[arg(long = "flush-log-file")]
    flush_log_file: bool,
    /// On the console and in the log file: text (default), or json, an object a line
    #[arg(
        long = "log-format",
        value_name = "FORMAT",
        value_enum,
        hide_possible_values = true
    )]
    log_format: Option<Format>,
    /// Do not log to syslog
    #[arg(short = 'G', long = "no-syslog")]
    no_syslog: bool,
    /// Write the configuration to the log at start
    #[arg(short = 'd', long = "dump-conf")]
    dump_conf: bool,
    /// Check the configuration and end: 0 good, 4 cannot be read, 5 remarks, 6 script security; the last line says whether it starts
    #[arg(short = 't', long = "config-test", value_name = "LOG_FILE", num_args = 0..=1, require_equals = true)]
    config_test: Option<Option<PathBuf>>,
    /// Pid file of the parent process [default: /run/keepalived.pid]
    #[arg(short = 'p', long = "pid", value_name = "FILE")]
    pid: Option<PathBuf>,
    /// Pid file of the VRRP process [default: /run/keepalived_vrrp.pid]
    #[arg(short = 'r', long = "vrrp_pid", value_name = "FILE")]
    vrrp_pid: Option<PathBuf>,
    /// Do not start the VRRP process again when it dies
    #[arg(short = 'R', long = "dont-respawn")]
    dont_respawn: bool,
    /// Leave the virtual addresses in place at the end
    #[arg(short = 'V', long = "dont-release-vrrp")]
    dont_release_vrrp: bool,
    /// Run in this network namespace
    #[arg(short = 's', long = "namespace", value_name = "NAME")]
    namespace: Option<String>,
    /// umask for files the daemon creates
    #[arg(short = 'u', long = "umask", value_name = "MASK")]
    umask: Option<String>,
    /// Leave a core dump when it dies
    #[arg(short = 'm', long = "core-dump")]
    core_dump: bool,
    /// The same, by this pattern, the whole host's as long as it runs [default: core]
    #[arg(short = 'M', long = "core-dump-pattern", value_name = "PATTERN", num_args = 0..=1, require_equals = true)]
    core_dump_pattern: Option<Option<String>>,
    /// Do not end on SIGINT
    #[arg(long = "ignore-sigint")]
    ignore_sigint: bool,
    /// Print the number of a signal: STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON, TDATA
    #[arg(long = "signum", value_name = "SIGFUNC", value_parser = signum)]
    signum: Option<i32>,
    /// Where vrrpctl finds the daemon [default: /run/vrrp-daemon/control.sock]
    #[arg(long = "control-socket", value_name = "PATH")]
    control_socket: Option<PathBuf>,
    /// Write every input of the protocol to this file, for replay
    #[arg(long = "record", value_name = "FILE")]
    record: Option<PathBuf>,
    /// Print the version
    #[arg(short = 'v', long = "version")]
    version: bool,
    /// Print this help
    #[arg(short = 'h', long = "help")]
    help: bool,
    /// (hidden) this is the protocol process
    #[arg(long = "child", hide = true)]
    child: bool,
    /// (hidden) this is a script runner
    #[arg(long = "script-runner", value_name = "NUMBER", hide = true)]
    script_runner: Option<u64>,
    #[command(flatten)]
    ignored: Ignored,
    /// (hidden) what keepalived says is unexpected, and runs with
    #[arg(hide = true)]
    stray: Vec<OsString>,
}

/// keepalived's options for what is not here: taken, and without effect.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Accepted without effect")]
struct Ignored {
    /// Only health checks
    #[arg(short = 'C', long = "check")]
    check: bool,
    /// No BFD
    #[arg(short = 'B', long = "no_bfd")]
    no_bfd: bool,
    /// All subsystems
    #[arg(long = "all")]
    all: bool,
    /// Pid file of the checkers
    #[arg(short = 'c', long = "checkers_pid", value_name = "FILE")]
    checkers_pid: Option<PathBuf>,
    /// Pid file of BFD
    #[arg(short = 'b', long = "bfd_pid", value_name = "FILE")]
    bfd_pid: Option<PathBuf>,
    /// SNMP
    #[arg(short = 'x', long = "snmp")]
    snmp: bool,
    /// SNMP agent's socket
    #[arg(short = 'A', long = "snmp-agent-socket", value_name = "FILE")]
    snmp_agent_socket: Option<PathBuf>,
    /// Drop addresses on a transition by signal
    #[arg(short = 'X', long = "release-vips")]
    release_vips: bool,
    /// Leave IPVS in place
    #[arg(short = 'I', long = "dont-release-ipvs")]
    dont_release_ipvs: bool,
    /// Configuration by descriptor
    #[arg(long = "config-fd", value_name = "FD")]
    config_fd: Option<String>,
    /// perf data
    #[arg(long = "perf", value_name = "WHEN", num_args = 0..=1, require_equals = true)]
    perf: Option<Option<String>>,
    /// Debug options
    #[arg(long = "debug", value_name = "OPTIONS", num_args = 0..=1, require_equals = true)]
    debug: Option<Option<String>>,
    /// No memory check
    #[arg(long = "no-mem-check")]
    no_mem_check: bool,
    /// (hidden) another program of keepalived's
    #[arg(short = 'T', long = "genhash", hide = true)]
    genhash: bool,
}

impl Typed {
    fn resolve(self) -> Result<Action, UsageError> {
        if self.help {
            return Ok(Action::Print(Self::command().render_help().to_string()));
        }
        if self.version {
            // The second line is for tools that look for keepalived's version before they write its configuration.
            return Ok(Action::Print(format!(
                "vrrp-daemon {}\nA drop-in for the VRRP half of Keepalived v2.2.7\n",
                env!("CARGO_PKG_VERSION")
            )));
        }
        if let Some(number) = self.signum {
            return Ok(Action::Print(format!("{number}\n")));
        }
        if self.ignored.genhash {
            return Err(UsageError(
                "-T makes hashes for the health checks of keepalived's load balancer: run keepalived -T"
                    .to_owned(),
            ));
        }
        if let Some(number) = self.script_runner {
            return Ok(Action::RunScripts(number));
        }
        let mut remarks = Vec::new();
        let facility = facility(self.log_facility.as_deref(), &mut remarks);
        let umask = umask(self.umask.as_deref(), &mut remarks);
        if !self.stray.is_empty() {
            remarks.push(format!(
                "unexpected arguments are ignored: {}",
                words(&self.stray)
            ));
        }
        if self.ignored.snmp || self.ignored.snmp_agent_socket.is_some() {
            remarks.push("SNMP is not answered (-x, -A); `vrrpctl status --json` shows the state".to_owned());
        }
        if self.config_test.is_none() && self.ignored.check && !self.vrrp && !self.ignored.all {
            return Err(UsageError(
                "-C asks for health checks alone, which this daemon does not have: run keepalived -C beside it"
                    .to_owned(),
            ));
        }
        let config = self.config.unwrap_or_else(crate::config::default_path);
        let reading = ReadOptions {
            config_id: self.config_id,
            all_includes: self.all_config,
        };
        if let Some(output) = self.config_test {
            return Ok(Action::Test {
                config,
                reading,
                namespace: self.namespace,
                output,
            });
        }
        Ok(Action::Run(Box::new(Options {
            config,
            reading,
            log: LogOptions {
                console: self.log_console,
                syslog: !self.no_syslog && !self.log_console,
                facility,
                file: self
                    .log_file
                    .map(|given| given.unwrap_or_else(|| PathBuf::from("/tmp/keepalived.log"))),
                flush: self.flush_log_file,
                json: self.log_format == Some(Format::Json),
                detail: self.log_detail,
                addresses: self.address_monitoring,
            },
            dump_config: self.dump_conf,
            foreground: self.foreground,
            respawn: !self.dont_respawn,
            release_on_stop: !self.dont_release_vrrp,
            pid_file: self.pid,
            vrrp_pid_file: self.vrrp_pid,
            namespace: self.namespace,
            umask,
            ignore_sigint: self.ignore_sigint,
            control_socket: self.control_socket,
            core_dump: match (self.core_dump, self.core_dump_pattern) {
                (_, Some(pattern)) => Some(CoreDump::Pattern(pattern.unwrap_or_else(|| "core".to_owned()))),
                (true, None) => Some(CoreDump::AsConfigured),
                (false, None) => None,
            },
            remarks,
            record: self.record,
            child: self.child,
        })))
    }
}

/// Facility number of `user`.
const FACILITY_USER: u8 = 1;
/// Facility number of `daemon`, keepalived's default.
const FACILITY_DAEMON: u8 = 3;
/// Facility number of `local0`; `local7` is seven more.
const FACILITY_LOCAL0: u8 = 16;

/// `-S`: a digit, `localN`, `user` or `daemon`; anything else is remarked on, and `daemon` is used.
fn facility(given: Option<&str>, remarks: &mut Vec<String>) -> u8 {
    let Some(text) = given else { return FACILITY_DAEMON };
    match text {
        "user" => return FACILITY_USER,
        "daemon" => return FACILITY_DAEMON,
        _ => {}
    }
    match text.strip_prefix("local").unwrap_or(text).parse::<u8>() {
        Ok(number @ 0..=7) => FACILITY_LOCAL0 + number,
        _ => {
            remarks.push(format!(
                "-S {text} is no facility: give 0 to 7, local0 to local7, user or daemon, which is used"
            ));
            FACILITY_DAEMON
        }
    }
}

/// `--log-format`: how lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

/// `-u`: octal with a leading 0, hexadecimal with 0x, else decimal, as strtol has it; anything else is remarked on.
fn umask(given: Option<&str>, remarks: &mut Vec<String>) -> Option<u32> {
    let text = given?;
    let mask = crate::config::file_mask(text);
    if mask.is_none() {
        remarks.push(format!(
            "-u {text} is no file mode mask and is ignored: give one such as 022"
        ));
    }
    mask
}

/// Words as they were typed.
fn words(words: &[OsString]) -> String {
    words
        .iter()
        .map(|word| word.to_string_lossy())
        .collect::<Vec<_>>()
        .join(" ")
}

/// `--signum`: the numbers keepalived prints (measured with 2.2.7; TDATA as in 2.4).
fn signum(text: &str) -> Result<i32, String> {
    match text {
        "STOP" => Ok(libc::SIGTERM),
        "RELOAD" => Ok(libc::SIGHUP),
        "DATA" => Ok(libc::SIGUSR1),
        "STATS" => Ok(libc::SIGUSR2),
        "STATS_CLEAR" => Ok(libc::SIGRTMAX() - 1),
        "JSON" => Ok(libc::SIGRTMIN() + 2),
        "TDATA" => Ok(libc::SIGRTMAX()),
        _ => Err("give STOP, RELOAD, DATA, STATS, STATS_CLEAR, JSON or TDATA".to_owned()),
    }
}
