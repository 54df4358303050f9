//! keepalived's configuration language: text -> tokens -> raw tree with positions -> [`Config`].
//!
//! Everything a daemon needs from its file is in [`Config`]; nothing here touches the system beyond reading
//! the file and its includes.

mod daemon;
mod diag;
mod dump;
mod environment;
mod include;
pub mod keywords;
mod lexer;
mod line;
mod lower;
mod raw;
mod reader;
mod source;

#[cfg(test)]
mod tests;

use std::io;
use std::path::{Path, PathBuf};

use vrrp_common::time::Nanos;

pub use self::daemon::{Fifo, Fifos, Hook, Hooks, Place, Process, RealTime};
use self::diag::Sink;
pub use self::diag::{Diagnostic, Remark, Severity};
pub use self::dump::{Passwords, Understood};
pub use self::environment::{Environment, Host, ReadOptions};
use self::reader::LeftOut;
pub use self::source::{Position, SourceId, Sources, Span};
use crate::proto::Model;
pub use crate::proto::model::XdpMode;

/// A configuration, ready to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Config {
    /// What the protocol needs.
    pub model: Model,
    /// How to run each tracked script; same order as `model.scripts`.
    pub scripts: Vec<ScriptSpec>,
    /// Where each tracked file is; same order as `model.files`.
    pub files: Vec<FileSpec>,
    /// How to know each tracked process; same order as `model.processes`.
    pub processes: Vec<ProcessSpec>,
    /// How often each tracked unit may be restarted; same order as `model.units`.
    pub units: Vec<UnitSpec>,
    /// `interface_up_down_delays`; same order as `model.links`.
    pub link_delays: Vec<LinkDelays>,
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
    /// `script_user`, else `keepalived_script` if there is such a user.
    pub script_user: Option<ScriptUser>,
    /// `enable_script_security`.
    pub script_security: bool,
    /// `vrrp_startup_delay`.
    pub startup_delay: Nanos,
    /// `vrrp_garp_interval`, `vrrp_gna_interval`, `garp_group`.
    pub pacing: Pacing,
    /// `vrrp_delay_after_boot`.
    pub delay_after_boot: Nanos,
    /// `vrrp_xdp`.
    pub xdp: XdpMode,
    /// `dynamic_interfaces`: a missing interface is waited for instead of refused.
    pub dynamic_interfaces: bool,
    /// FIFOs that are told of every change.
    pub fifos: Fifos,
    /// The daemon's own scripts.
    pub hooks: Hooks,
    /// How the processes run.
    pub process: Process,
    /// How this daemon is told from others.
    pub place: Place,
    /// `vrrp_control_group`: the number of the group that may use the control socket.
    pub control_group: Option<u32>,
    /// Number of `virtual_server` blocks, which this daemon does not run.
    pub virtual_servers: usize,
}

/// The least time between two announcements on an interface; zero: none. ARP and ND have a pace each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pacing {
    /// `vrrp_garp_interval`
    pub garp: Nanos,
    /// `vrrp_gna_interval`
    pub gna: Nanos,
    /// `garp_group`
    pub groups: Vec<PacingGroup>,
}

/// Interfaces that share one pace (`garp_group`). The global intervals do not hold here, not even for what the group
/// leaves open, as in keepalived.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PacingGroup {
    /// `garp_interval`
    pub garp: Nanos,
    /// `gna_interval`
    pub gna: Nanos,
    /// `interface`, `interfaces`
    pub interfaces: Vec<String>,
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

/// `track_file`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// The file; a number stands in it.
    pub path: PathBuf,
    /// `init_file`
    pub init: Option<InitFile>,
}

/// `init_file [VALUE] [overwrite]`: what is written into the file at start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InitFile {
    /// The number, 0 if not given.
    pub value: i32,
    /// Also if the file is there already.
    pub overwrite: bool,
}

/// `vrrp_track_process`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProcessSpec {
    /// Its name as in `/proc/PID/comm`, or the first word of its command line.
    pub program: String,
    /// `program` is the name; else its command line is compared (`full_command`, or with arguments).
    pub by_name: bool,
    /// Its arguments.
    pub params: Vec<String>,
    /// How these are compared.
    pub param_match: ParamMatch,
    /// How many must run (`quorum`, 1).
    pub quorum: u32,
    /// How many may run (`quorum_max`).
    pub quorum_max: Option<u32>,
    /// How long enough must run until it counts (`fork_delay`).
    pub fork_delay: Nanos,
    /// How long too few must run until it counts (`terminate_delay`).
    pub terminate_delay: Nanos,
}

/// `track_restarts UNIT COUNT SECONDS`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UnitSpec {
    /// A service of the service manager, with its suffix.
    pub unit: String,
    /// More restarts than this...
    pub restarts: u32,
    /// ... in so long are too many.
    pub within: Nanos,
}

/// `param_match`, and what holds without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ParamMatch {
    /// Whatever the arguments are.
    Any,
    /// All of them, and no others.
    Exact,
    /// `partial`: the first ones; there may be more. None given: there must be none.
    Partial,
    /// `initial`: the same, and the last one given need only be how an argument begins.
    Initial,
}

/// `interface_up_down_delays`: how long an interface must be in a state until it counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkDelays {
    /// After it went down.
    pub down: Nanos,
    /// After it came up.
    pub up: Nanos,
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
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ScriptUser {
    /// User name.
    pub user: String,
    /// Group name; else the user's own.
    pub group: Option<String>,
}

/// `notify…` of a virtual router or group.
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
    /// `notify_deleted` was written: a deletion is told as `DELETED`, not as `FAULT`.
    pub tell_deleted: bool,
    /// Its script, if it names one.
    pub deleted: Option<Command>,
    /// `notify_master_rx_lower_pri`
    pub master_rx_lower_pri: Option<Command>,
    /// `notify`, run with `INSTANCE|GROUP NAME STATE PRIORITY` appended.
    pub any: Option<Command>,
    /// `notify_priority_changes`: the FIFOs are told of them. `None`: nothing said, so they are not.
    pub priority_changes: Option<bool>,
}

/// What came of reading a configuration.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// The configuration; `None` exactly if a diagnostic is an error.
    pub config: Option<Config>,
    /// Everything there is to say, in the order of the text.
    pub diagnostics: Vec<Diagnostic>,
    /// The files that were read, to show the diagnostics with.
    pub sources: Sources,
    /// Where the daemon is to run, as far as the file says so; also if there is no configuration.
    pub place: Place,
    /// What was understood, for [`Loaded::dump`].
    pub understood: Understood,
}

impl Loaded {
    /// All diagnostics as a compiler shows them, each with its source line.
    #[must_use]
    pub fn render(&self, colour: bool) -> String {
        let mut text = String::new();
        for diagnostic in &self.diagnostics {
            text.push_str(&diagnostic.render(&self.sources, colour));
            text.push_str("\n\n");
        }
        text
    }

    /// What it comes to, in a line: whether the daemon starts with this file.
    #[must_use]
    pub fn verdict(&self) -> String {
        let errors = self
            .diagnostics
            .iter()
            .filter(|diagnostic| diagnostic.severity == Severity::Error)
            .count();
        match (errors, self.diagnostics.len()) {
            (0, 0) => "good: nothing to remark".to_owned(),
            (0, remarks) => format!("the daemon starts with this; remarks: {remarks}"),
            (errors, _) => format!("the daemon does not start with this; errors: {errors}"),
        }
    }

    /// All diagnostics on one line each, with their severity, for a log.
    pub fn lines(&self) -> impl Iterator<Item = (Severity, String)> {
        self.diagnostics
            .iter()
            .map(|diagnostic| (diagnostic.severity, diagnostic.line(&self.sources)))
    }
}

/// The exit status of keepalived's `-t`: 0 nothing to say, 4 the file cannot be read, 6 a security remark,
/// 5 any other remark. Only what keepalived remarks on counts: a file that is clean there is clean here.
#[must_use]
pub fn exit_class(loaded: &Loaded) -> u8 {
    match loaded
        .diagnostics
        .iter()
        .map(|diagnostic| diagnostic.remark)
        .max()
    {
        None | Some(Remark::None) => 0,
        Some(Remark::General) => 5,
        Some(Remark::Security) => 6,
        Some(Remark::Fatal) => 4,
    }
}

/// Read a configuration file and what it includes.
#[must_use]
pub fn load(path: &Path, options: &ReadOptions, environment: &dyn Environment) -> Loaded {
    let name = path.display().to_string();
    match environment.read(path) {
        Ok(bytes) => parse(&name, &bytes, options, environment),
        Err(error) => {
            let help = match error.kind() {
                io::ErrorKind::NotFound => "name the file with -f, or create it",
                io::ErrorKind::PermissionDenied => "run as root, or let this user read it",
                _ => "name a configuration file with -f",
            };
            unreadable(format!("cannot read {name}: {error}"), help)
        }
    }
}

/// Read a configuration from memory; `name` stands for its file in diagnostics and for relative includes.
#[must_use]
pub fn parse_str(name: &str, text: &str, environment: &dyn Environment) -> Loaded {
    parse(name, text.as_bytes(), &ReadOptions::default(), environment)
}

fn parse(name: &str, bytes: &[u8], options: &ReadOptions, environment: &dyn Environment) -> Loaded {
    let attempt = |left_out| {
        let mut sources = Sources::default();
        let mut sink = Sink::default();
        let source = sources.add(name, bytes, None)?;
        let read = reader::read(source, environment, options, left_out, &mut sources, &mut sink);
        Some((read, sources, sink))
    };
    let mut attempted = attempt(LeftOut::Line);
    // A `}` too many and lines left out that have its `{`: their blocks were meant to be left out, too.
    if attempted
        .as_ref()
        .is_some_and(|(read, ..)| read.balance < 0 && read.left_open > 0)
    {
        attempted = attempt(LeftOut::Block);
    }
    let Some((read, mut sources, mut sink)) = attempted else {
        return unreadable(
            format!("{name} is larger than 16 MiB"),
            "is it a configuration at all?",
        );
    };
    let tree = raw::build(read.lexed, read.balance, &mut sources, &mut sink);
    let config = lower::lower(&tree, environment, &mut sink);
    let diagnostics = sink.into_sorted();
    let refused = lower::any_error(&diagnostics);
    Loaded {
        place: config.global.place.clone(),
        config: (!refused).then_some(config),
        diagnostics,
        sources,
        understood: Understood::new(tree),
    }
}

fn unreadable(message: String, help: &str) -> Loaded {
    Loaded {
        config: None,
        diagnostics: vec![Diagnostic::error(message).remark(Remark::Fatal).help(help)],
        sources: Sources::default(),
        place: Place::default(),
        understood: Understood::default(),
    }
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

/// A file mode mask: octal with a leading 0, hexadecimal with 0x, else decimal, as strtol(3) has it; up to 0777.
#[must_use]
pub fn file_mask(text: &str) -> Option<u32> {
    let parsed = if let Some(hex) = text.strip_prefix("0x") {
        u32::from_str_radix(hex, 16)
    } else if text.starts_with('0') {
        u32::from_str_radix(text, 8)
    } else {
        text.parse()
    };
    parsed.ok().filter(|mask| *mask <= 0o777)
}
