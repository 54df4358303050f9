//! The protocol process from start to end: what is opened, in which order, and how it is taken down.

use std::io;
use std::mem;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use vrrp_common::time::Nanos;

use super::driver::{Driver, Ended, Parts, Succession};
use super::kernel_path::KernelPath;
use super::line::Parent;
use super::observer::Observer;
use super::pidfile::{PidFile, PidFileError};
use super::predecessor::Predecessor;
use super::recorder::Recorder;
use super::reload::Source;
use super::service::{self, Managed, Ports, ServiceError, Setup};
use super::snapshot::Snapshots;
use super::supervisor;
use crate::config::{Config, Global, RealTime};
use crate::effects::addresses::{self, AddressWriter};
use crate::effects::advert_tx::AdvertSender;
use crate::ingress::control::events::Events;
use crate::ingress::control::message::{Ending, LogLevel, Shown};
use crate::ingress::judge::Judge;
use crate::ingress::raw::RawReceiver;
use crate::proto::{Model, Vrrp};
use crate::sys::{caps, clock, sched};

/// Outcomes of the netlink writer on their way to the protocol thread.
pub(super) const REPORTS: usize = 1024;
/// How long the removal of addresses may take at the end.
const RELEASE_PATIENCE: Duration = Duration::from_secs(5);
/// Longest that a real-time thread may compute without blocking once: a bug must not freeze the host.
const REALTIME_BUDGET: Nanos = Nanos::from_millis(500);

/// What the command line says.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The configuration file, for the status.
    pub config_file: PathBuf,
    /// Pid file of this process.
    pub pid_file: PathBuf,
    /// Where `vrrpctl` connects.
    pub control_socket: PathBuf,
    /// The configuration as it was understood, passwords hidden.
    pub understood: String,
    /// What those are told who follow.
    pub events: Events,
    /// Log more or less.
    pub log_level: fn(LogLevel),
    /// Record every input there.
    pub record: Option<PathBuf>,
    /// SIGINT is not for us.
    pub ignore_sigint: bool,
    /// Leave the addresses where they are at the end (`-V`).
    pub keep_addresses: bool,
}

/// The daemon cannot run. Each is one line that names the remedy.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A capability is missing.
    #[error(transparent)]
    Capability(#[from] caps::Missing),
    /// The pid file.
    #[error(transparent)]
    PidFile(#[from] PidFileError),
    /// The service thread.
    #[error(transparent)]
    Service(#[from] ServiceError),
    /// The recording.
    #[error("cannot record to {}: {error}; name a file that can be written with --record", path.display())]
    Record {
        /// Its file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Anything else that the system refused.
    #[error("{what}: {error}")]
    System {
        /// What was tried.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl StartError {
    /// Whether starting again would end the same way.
    #[must_use]
    pub const fn is_permanent(&self) -> bool {
        match self {
            // Another daemon has it, and goes on having it.
            Self::PidFile(PidFileError::Taken { .. }) | Self::Service(ServiceError::Control(_)) => true,
            Self::Capability(_) => true,
            Self::PidFile(_) | Self::Service(_) | Self::Record { .. } | Self::System { .. } => false,
        }
    }
}

fn system(what: &'static str) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::System { what, error }
}

/// Run the protocol until a signal ends it, or a successor takes over. `source` gives the configuration again. `parent` is
/// told once the election has begun.
///
/// # Errors
/// [`StartError`]; nothing was changed on the host unless the text says so.
pub fn run(
    config: Config,
    source: Source,
    settings: &Settings,
    observer: Box<dyn Observer>,
    parent: &Parent,
) -> Result<Ended, StartError> {
    caps::check()?;
    let process = &config.global.process;
    for refused in sched::choose(priority(process.real_time), process.nice, &process.cpus) {
        tracing::info!("{refused}");
    }
    let budget = process.real_time_limit.unwrap_or(REALTIME_BUDGET);
    if let Err(refused) = sched::raise_descriptors() {
        tracing::info!("{refused}");
    }
    let (pid_file, predecessor) = claim(settings)?;
    let recorder = match &settings.record {
        None => None,
        Some(path) => {
            let recorder = Recorder::start(path, &config.model, clock::now());
            Some(recorder.map_err(|error| StartError::Record {
                path: path.clone(),
                error,
            })?)
        }
    };
    if predecessor.is_none() {
        remove_leftovers(&config);
        warn_of_doubles(&config.model);
    }

    let started = clock::now();
    let config = Arc::new(config);
    let changed = Arc::new(Notify::new());
    let (go, later) = oneshot::channel();
    let succession = predecessor.map(|predecessor| Succession {
        predecessor,
        config: Arc::clone(&config),
        pid_file: settings.pid_file.clone(),
        go,
    });
    let (service, ports) = service::start(Setup {
        config: Arc::clone(&config),
        shown: Shown {
            file: settings.config_file.clone(),
            text: settings.understood.clone(),
        },
        source,
        script_runner: parent
            .scripts()
            .map_err(system("the line to the script runner"))?,
        control_socket: settings.control_socket.clone(),
        events: settings.events.clone(),
        log_level: settings.log_level,
        managed: parent.is_managed().then(|| Managed {
            parent: parent.clone(),
            changed: Arc::clone(&changed),
            watchdog: supervisor::watchdog(),
        }),
        later: succession.is_some().then_some(later),
    })?;
    let Ports {
        tracked,
        notifier,
        control,
        links,
        reloads,
    } = ports;
    let (report, reports) = mpsc::channel(REPORTS);
    let writer = AddressWriter::spawn(&config.model, &config.global.pacing, true, move |outcome| {
        // Full only if the protocol thread is stuck; then nobody reads the log line either.
        let _ = report.try_send(outcome);
    })
    .map_err(system("starting the netlink writer"))?;

    let model = config.model.clone();
    let mut kernel = KernelPath::load(&model);
    if succession.is_some() {
        kernel.hold();
    }
    let parts = Parts {
        judge: Judge::new(&model),
        raw: RawReceiver::new(&model).map_err(system("opening raw sockets"))?,
        kernel,
        sender: AdvertSender::new(&model),
        links,
        writer,
        reports,
        notifier,
        tracked,
        control,
        reloads,
        recorder,
        snapshots: Snapshots::new(settings.config_file.clone(), started),
        observer,
        start_at: started + start_delay(&config.global, clock::since_boot()),
        vrrp: Vrrp::new(model, started),
        parent: parent.clone(),
        changed,
        pid_file,
        succession,
    };
    // Only when it runs: loading the XDP program and opening a thousand sockets take more CPU time than a real-time
    // thread is given.
    let ready = || {
        go_real_time(budget);
        parent.ready();
    };
    let ended = Driver::new(parts, settings.keep_addresses).run(settings.ignore_sigint, ready);
    let (parts, ended) = ended.map_err(system("waiting for events"))?;
    // The service thread need not be waited for at real-time priority.
    let _ = sched::normal();
    let carried_out = match ended {
        Ended::Stopped | Ended::BeforeItsTurn => parts.writer.shutdown(RELEASE_PATIENCE),
        Ended::Handed => {
            let flushed = parts.writer.flush(RELEASE_PATIENCE);
            // With it would go what it has set on the interfaces.
            mem::forget(parts.writer);
            flushed
        }
    };
    if !carried_out {
        tracing::error!("addresses may have stayed behind: the kernel took too long; see `ip addr`");
    }
    drop(parts.notifier);
    service.stop(match ended {
        Ended::Handed => Ending::HandedOver,
        Ended::Stopped | Ended::BeforeItsTurn => Ending::Stopped,
    });
    Ok(ended)
}

/// The pid file, or the process that holds it and waits for this one.
fn claim(settings: &Settings) -> Result<(Option<PidFile>, Option<Predecessor>), StartError> {
    let error = match PidFile::create(&settings.pid_file) {
        Ok(pid_file) => return Ok((Some(pid_file), None)),
        Err(error) => error,
    };
    let PidFileError::Left { pid, .. } = error else {
        return Err(error.into());
    };
    match Predecessor::new(pid, settings.control_socket.clone()) {
        Ok(predecessor) => Ok((None, Some(predecessor))),
        // It has just gone.
        Err(_) => Ok((Some(PidFile::create(&settings.pid_file)?), None)),
    }
}

/// The SCHED_FIFO priority of the protocol thread; `None`: no real time.
fn priority(real_time: RealTime) -> Option<u8> {
    match real_time {
        RealTime::Default => Some(sched::PROTOCOL_PRIORITY),
        RealTime::At(priority) => Some(priority),
        RealTime::AtMost(most) => Some(most.min(sched::PROTOCOL_PRIORITY)),
        RealTime::Never => None,
    }
}

/// How long to wait after the start: `vrrp_startup_delay`, or what is left of `vrrp_delay_after_boot`.
fn start_delay(global: &Global, since_boot: Nanos) -> Nanos {
    let left = global.delay_after_boot.0.saturating_sub(since_boot.0);
    global.startup_delay.max(Nanos(left))
}

/// A crash may have left addresses behind, and no other router may be Master beside them.
pub(super) fn remove_leftovers(config: &Config) {
    match addresses::remove_leftovers(&config.model) {
        Err(error) => tracing::warn!("cannot look for addresses left over: {error}; see `ip addr`"),
        Ok(leftovers) => {
            for leftover in leftovers {
                let addresses::Leftover { what, removed, .. } = leftover;
                match removed {
                    Ok(()) => tracing::info!("removed {what}, left over from an earlier run"),
                    Err(errno) => tracing::error!(
                        "{what} is left over from an earlier run and cannot be removed: {errno}; remove it with \
                         `ip addr`, `ip route` or `ip rule`"
                    ),
                }
            }
        }
    }
}

/// keepalived adds its own beside it and says nothing; so do we, but a Backup that answers for an address is worth a
/// line.
fn warn_of_doubles(model: &Model) {
    for double in addresses::find_doubles(model).unwrap_or_default() {
        let addresses::Double {
            router,
            address,
            prefix,
            link,
        } = double;
        let name = model
            .routers
            .get(router.index())
            .map_or("?", |router| &router.name);
        tracing::warn!(
            "({name}) {address}/{prefix} is on {link} already, and stays there while this host is Backup; remove it \
             with `ip addr del {address}/{prefix} dev {link}`, and from the network configuration"
        );
    }
}

/// Each refusal is one line; the daemon runs without.
fn go_real_time(budget: Nanos) {
    let steps = [
        sched::lock_memory(),
        sched::limit_realtime(budget),
        sched::fifo(sched::Role::Protocol),
    ];
    for refused in steps.into_iter().filter_map(Result::err) {
        tracing::info!("{refused}");
    }
}

#[cfg(test)]
mod tests {
    use vrrp_common::time::Nanos;

    use super::start_delay;
    use crate::config::Global;

    #[test]
    fn the_longer_of_both_delays() {
        let global = Global {
            startup_delay: Nanos::from_secs(5),
            delay_after_boot: Nanos::from_secs(60),
            ..Global::default()
        };
        assert_eq!(start_delay(&global, Nanos::from_secs(20)), Nanos::from_secs(40));
        assert_eq!(start_delay(&global, Nanos::from_secs(58)), Nanos::from_secs(5));
        // A restart long after the boot.
        assert_eq!(
            start_delay(&global, Nanos::from_secs(86_400)),
            Nanos::from_secs(5)
        );
        assert_eq!(start_delay(&Global::default(), Nanos::ZERO), Nanos::ZERO);
    }
}
