//! `vrrp-daemon`: reads the command line and the configuration, then is the parent process or the protocol
//! process.

use std::ffi::CString;
use std::fs::File;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context;
use nix::sched::{CloneFlags, setns};
use nix::sys::stat::{Mode, umask};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_daemon::cli::{self, Action, CoreDump, LogOptions, Options};
use vrrp_daemon::config::{self, Host, Loaded, Passwords, ReadOptions};
use vrrp_daemon::ingress::control::events::Events;
use vrrp_daemon::obs::log::{self, Guard, Settings};
use vrrp_daemon::obs::phrase;
use vrrp_daemon::proto::{Effect, RouterId, Vrrp};
use vrrp_daemon::runtime::driver::Ended;
use vrrp_daemon::runtime::observer::Observer;
use vrrp_daemon::runtime::protocol;
use vrrp_daemon::runtime::reload::{Source, log_diagnostics};
use vrrp_daemon::runtime::supervisor::{EXIT_CONFIG, Parent, Plan, Supervisor};
use vrrp_daemon::sys::process::{self, CorePattern};
use vrrp_daemon::sys::{caps, sched, scripts};

/// keepalived's exit code for a command line that it does not understand, and for other failures.
const EXIT_FAILURE: u8 = 1;
/// keepalived's exit code of `-t` for what cannot be tested at all.
const EXIT_CANNOT_TEST: u8 = 4;

fn main() -> ExitCode {
    let action = match cli::parse(std::env::args_os()) {
        Ok(action) => action,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(EXIT_FAILURE);
        }
    };
    let result = match action {
        Action::Print(text) => {
            // A reader that left is no error.
            let _ = writeln!(std::io::stdout(), "{}", text.trim_end());
            Ok(0)
        }
        Action::Test {
            config,
            reading,
            namespace,
            output,
        } => test(&config, reading, namespace.as_deref(), output.as_deref()),
        Action::Run(options) => run(&options),
        Action::RunScripts(number) => run_scripts(number),
    };
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("vrrp-daemon: {error:#}");
            ExitCode::from(EXIT_FAILURE)
        }
    }
}

/// `-t`: judge the configuration; nothing on the host is touched.
fn test(
    path: &Path,
    reading: ReadOptions,
    namespace: Option<&str>,
    output: Option<&Path>,
) -> anyhow::Result<u8> {
    let reading = reading.on_this_host();
    let loaded = namespace
        .map_or(Ok(()), enter)
        .and_then(|()| load_in_place(namespace.is_some(), || config::load(path, &reading, &Host)));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        // Nor could the daemon start there.
        Err(error) => {
            let text = format!("error: {error:#}\n");
            match output {
                Some(output) => write(output, &text)?,
                None => eprint!("{text}"),
            }
            return Ok(EXIT_CANNOT_TEST);
        }
    };
    match output {
        Some(output) => write(output, &loaded.render(false))?,
        None => {
            eprint!("{}", loaded.render(std::io::stderr().is_terminal()));
            eprintln!("{}: {}", path.display(), loaded.verdict());
        }
    }
    Ok(config::exit_class(&loaded))
}

fn write(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// What holds for both processes, then the one that this is.
fn run(options: &Options) -> anyhow::Result<u8> {
    // Before anything takes time: signals that come meanwhile wait.
    process::hold_requests();
    if options.child {
        return protocol_process(options);
    }
    parent(options)
}

/// The script runner, which has all the privileges that the parent has.
fn run_scripts(number: u64) -> anyhow::Result<u8> {
    process::hold_requests();
    scripts::serve_on_stdin(number).context("script runner")?;
    Ok(0)
}

/// Read the configuration in the network namespace that it names, unless one was `entered` already. The protocol
/// process inherits it, and a reload does not change it.
fn load_in_place(entered: bool, load: impl Fn() -> Loaded) -> anyhow::Result<Loaded> {
    let loaded = load();
    match &loaded.place.namespace {
        Some(name) if !entered => {
            enter(name)?;
            // Its interfaces are others.
            Ok(load())
        }
        _ => Ok(loaded),
    }
}

fn enter(name: &str) -> anyhow::Result<()> {
    let path = Path::new("/run/netns").join(name);
    let entered = File::open(&path).and_then(|file| Ok(setns(file, CloneFlags::CLONE_NEWNET)?));
    entered.with_context(|| format!("network namespace {name}; `ip netns list` shows those there are"))
}

/// umask and name, which the processes have of their own.
fn settle(options: &Options, process: &config::Process, name: Option<&str>) {
    /// keepalived's, measured with 2.2.7: scripts inherit it.
    const UMASK: u32 = 0o177;
    let mask = options.umask.or(process.umask).unwrap_or(UMASK);
    umask(Mode::from_bits_truncate(mask));
    if let Some(name) = name.and_then(|name| CString::new(name).ok()) {
        // It is the name that `ps` shows, and no more.
        let _ = nix::sys::prctl::set_name(&name);
    }
}

/// The parent: looks at the configuration once, so that a bad one is told where it was typed, and then keeps a
/// protocol process running.
fn parent(options: &Options) -> anyhow::Result<u8> {
    for remark in &options.remarks {
        eprintln!("vrrp-daemon: {remark}");
    }
    if let Some(name) = &options.namespace {
        enter(name)?;
    }
    let reading = options.reading.clone().on_this_host();
    let loaded = load_in_place(options.namespace.is_some(), || {
        config::load(&options.config, &reading, &Host)
    })?;
    let placed = options.placed(&loaded.place);
    let Some(config) = loaded.config else {
        eprint!("{}", loaded.render(std::io::stderr().is_terminal()));
        eprintln!("vrrp-daemon: not started, nothing was changed; `vrrp-daemon -t` checks a configuration");
        return Ok(EXIT_CONFIG);
    };
    let process = &config.global.process;
    settle(options, process, process.parent_name.as_deref());
    let _core_pattern = core_dump(options);
    let supervisor = Supervisor::prepare(Plan {
        program: None,
        script_runner: None,
        args: std::env::args_os().skip(1).collect(),
        daemonize: !options.foreground,
        respawn: options.respawn,
        ignore_sigint: options.ignore_sigint,
        pid_file: placed.pid_file,
        vrrp_pid_file: placed.vrrp_pid_file,
        hooks: config.global.hooks,
    })?;
    let _log = start_log(&format!("Keepalived{}", placed.suffix), &options.log)?;
    tracing::info!(
        "Starting Keepalived: vrrp-daemon {}, configuration file {}",
        env!("CARGO_PKG_VERSION"),
        options.config.display()
    );
    Ok(supervisor.run()?)
}

/// `-m`, `-M`: lift the limit, for the protocol process too; the host's pattern is put back at the end.
fn core_dump(options: &Options) -> Option<CorePattern> {
    let wanted = options.core_dump.as_ref()?;
    let said = |error: &dyn std::fmt::Display| {
        eprintln!("vrrp-daemon: core dumps: {error}; run as root for -m and -M")
    };
    if let Err(error) = sched::allow_core_dumps() {
        said(&error);
    }
    match wanted {
        CoreDump::AsConfigured => None,
        CoreDump::Pattern(pattern) => CorePattern::set(pattern).map_err(|error| said(&error)).ok(),
    }
}

/// The protocol process.
fn protocol_process(options: &Options) -> anyhow::Result<u8> {
    let parent = Parent::connect()?;
    parent.listening();
    caps::keep_what_is_needed().context("giving away privileges")?;
    // The namespace is the parent's.
    let path = options.config.clone();
    let reading = options.reading.clone().on_this_host();
    let source = Source::new(move |other| config::load(other.unwrap_or(&path), &reading, &Host));
    let loaded = source.read();
    process::hold_stops();
    let placed = options.placed(&loaded.place);
    let _log = start_log(
        &format!("Keepalived_vrrp{}", placed.suffix),
        &LogOptions {
            file: options.log.vrrp_file(),
            ..options.log.clone()
        },
    )?;
    log_diagnostics(&loaded);
    if options.dump_config {
        for line in loaded.dump(Passwords::Hidden).lines() {
            tracing::info!("{line}");
        }
    }
    let understood = loaded.dump(Passwords::Hidden);
    let Some(config) = loaded.config else {
        return Ok(EXIT_CONFIG);
    };
    let process = &config.global.process;
    settle(options, process, process.vrrp_name.as_deref());
    let events = Events::default();
    let settings = protocol::Settings {
        config_file: options.config.clone(),
        pid_file: placed.vrrp_pid_file,
        control_socket: placed.control_socket,
        understood,
        events: events.clone(),
        log_level: log::set_level,
        record: options.record.clone(),
        ignore_sigint: options.ignore_sigint,
        keep_addresses: !options.release_on_stop,
    };
    match protocol::run(config, source, &settings, Box::new(Words { events }), &parent) {
        Ok(Ended::Handed) => {
            tracing::info!(
                event = "restart",
                reason = "handed-over",
                "Handed over to its successor"
            );
            Ok(0)
        }
        Ok(Ended::Stopped | Ended::BeforeItsTurn) => {
            tracing::info!("Stopped");
            Ok(0)
        }
        Err(error) => {
            tracing::error!("{error}");
            Ok(if error.is_permanent() {
                EXIT_CONFIG
            } else {
                EXIT_FAILURE
            })
        }
    }
}

fn start_log(ident: &str, options: &LogOptions) -> anyhow::Result<Guard> {
    log::init(Settings {
        ident: ident.to_owned(),
        console: options.console,
        syslog: options.syslog.then_some(options.facility),
        socket: Settings::SYSLOG_SOCKET.into(),
        file: options.file.clone(),
        flush: options.flush,
        json: options.json,
        detail: options.detail,
        addresses: options.addresses,
    })
}

/// What the protocol does, in words, to the log and to those who follow.
struct Words {
    events: Events,
}

impl Observer for Words {
    fn effect(&mut self, vrrp: &Vrrp, now: MonoNanos, took: Nanos, effect: &Effect) {
        let mut phrase = phrase::phrase(vrrp.model(), now, effect);
        if phrase.is_none() && tracing::enabled!(tracing::Level::TRACE) {
            phrase = phrase::detail(vrrp.model(), effect);
        }
        let Some(phrase) = phrase else { return };
        let phrase = phrase.took(took);
        if let Some(kind) = phrase.kind {
            self.events.tell(|| phrase.event(kind));
        }
        phrase.emit();
    }

    fn taken_over(&mut self, vrrp: &Vrrp, pid: i32) {
        phrase::taken_over(vrrp, pid).for_each(|phrase| phrase.emit());
    }

    fn reason(&self, vrrp: &Vrrp, router: RouterId) -> (&'static str, String) {
        let Some(status) = vrrp.status(router) else {
            return ("", String::new());
        };
        // As it was told then: the evidence has not grown older since.
        let words = phrase::reason(vrrp.model(), router, status.since, &status.reason);
        (phrase::reason_name(&status.reason), words)
    }
}
