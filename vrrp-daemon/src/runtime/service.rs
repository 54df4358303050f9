//! The service thread: the async runtime, at normal priority, for everything that may take its time: the
//! trackers, notify scripts, the control socket, and the watch on interfaces (asking the kernel for a list can wait
//! for its routing lock). The protocol thread holds [`Ports`] and never waits for it.

use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::sync::{Notify, mpsc, oneshot, watch};

use super::line::Parent;
use super::manager;
use super::reload::{Reader, Reloads, Source};
use crate::config::Config;
use crate::effects::notify::{self, Notifier};
use crate::ingress::control::events::Events;
use crate::ingress::control::message::{Ending, LogLevel, Shown};
use crate::ingress::control::{BindError, Control, ControlRequest, Desks};
use crate::ingress::links::LinkEvent;
use crate::proto::{ScriptId, ScriptState, UnitId};
use crate::sys::{sched, scripts};
use crate::track::{News, Plan, Trackers};

/// Time that notify scripts get when the daemon stops, unless `child_wait_time` says otherwise.
pub const CHILD_WAIT: Duration = Duration::from_secs(5);
/// What stopping takes beyond the notify scripts: the tracked scripts' grace, and some air.
const STOP_MARGIN: Duration = Duration::from_secs(3);
/// Requests of control clients on their way to the protocol thread.
const REQUESTS: usize = 32;
/// News of what is tracked on their way to the protocol thread; what does not fit is told later, at its latest.
pub(super) const NEWS: usize = 64;
/// News of interfaces and addresses on their way to the protocol thread. When it is full the watcher waits, and
/// asks the kernel for what it missed meanwhile.
pub(super) const LINK_EVENTS: usize = 1024;

/// The protocol thread's ends.
#[derive(Debug)]
pub struct Ports {
    /// What tracked scripts, files and processes say.
    pub tracked: mpsc::Receiver<News>,
    /// [`Effect::Notify`](crate::proto::Effect::Notify) goes here. Drop it before [`Service::stop`].
    pub notifier: Notifier,
    /// Requests of control clients.
    pub control: mpsc::Receiver<ControlRequest>,
    /// Interfaces and their addresses; it ends when the kernel cannot be asked.
    pub links: mpsc::Receiver<LinkEvent>,
    /// Reads the configuration again.
    pub reloads: Reloads,
}

/// The running service thread.
#[derive(Debug)]
pub struct Service {
    stop: Option<oneshot::Sender<Ending>>,
    ended: Receiver<()>,
    thread: Option<JoinHandle<()>>,
    child_wait: Duration,
}

/// The service thread cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The control socket belongs to a living daemon.
    #[error(transparent)]
    Control(BindError),
    /// No thread, or no runtime.
    #[error("starting the service thread: {0}")]
    System(#[from] io::Error),
}

/// What it is started with.
#[derive(Debug)]
pub struct Setup {
    /// The configuration that runs.
    pub config: Arc<Config>,
    /// The same, in words.
    pub shown: Shown,
    /// Gives it again.
    pub source: Source,
    /// The line to the script runner.
    pub script_runner: OwnedFd,
    /// Where `vrrpctl` connects.
    pub control_socket: PathBuf,
    /// What those are told who follow.
    pub events: Events,
    /// Log more or less.
    pub log_level: fn(LogLevel),
    /// What there is to tell the service manager, and how; `None`: nothing.
    pub managed: Option<Managed>,
    /// An earlier process is on duty still: the control socket and what is tracked are its until then.
    pub later: Option<oneshot::Receiver<Go>>,
}

/// There is a service manager.
#[derive(Debug)]
pub struct Managed {
    /// By way of the parent.
    pub parent: Parent,
    /// Instances are in other states.
    pub changed: Arc<Notify>,
    /// It wants a beat within this time.
    pub watchdog: Option<Duration>,
}

/// The earlier process has left, or has handed over.
#[derive(Debug, Default)]
pub struct Go {
    /// What it knew of tracked scripts, by the ids of this configuration.
    pub verdicts: Vec<(ScriptId, ScriptState)>,
    /// Tracked units that it knew not to be steady, likewise.
    pub unsteady: Vec<UnitId>,
}

/// Start it. Without a control socket that can be written the daemon runs, and says so; a socket on which
/// another daemon answers is an error, because then two run by mistake.
///
/// # Errors
/// [`ServiceError`]
pub fn start(setup: Setup) -> Result<(Service, Ports), ServiceError> {
    let Setup {
        config,
        shown,
        source,
        script_runner,
        control_socket,
        events,
        log_level,
        managed,
        later,
    } = setup;
    let group = config.global.control_group;
    let control = match later.is_none().then(|| Control::bind(&control_socket, group)) {
        None => None,
        Some(Err(error @ BindError::Taken(_))) => return Err(ServiceError::Control(error)),
        Some(bound) => usable(bound),
    };
    let (news, tracked) = mpsc::channel(NEWS);
    let (requests, control_requests) = mpsc::channel(REQUESTS);
    let (scripts, script_runner) = scripts::connect(script_runner);
    let (notifier, notify_runner) = notify::channel(&config, scripts.clone());
    let (link_events, links) = mpsc::channel(LINK_EVENTS);
    let (reload_requests, mut reloads_wanted) = mpsc::channel(REQUESTS);
    let (answers, reload_answers) = mpsc::channel(1);
    let (config_requests, mut questions) = mpsc::channel(REQUESTS);
    let desks = Desks {
        protocol: requests,
        config: config_requests,
        events,
        log_level,
    };
    let (stop, mut stopping) = oneshot::channel();
    let (ending, ended) = channel();
    let child_wait = config.global.place.child_wait;
    let child_wait = child_wait.map_or(CHILD_WAIT, |wait| Duration::from_nanos(wait.0));
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new()
        .name("service".to_owned())
        .spawn(move || {
            // A thread inherits its creator's scheduling, and children inherit the thread's.
            // Lowering oneself is always permitted.
            let _ = sched::normal();
            // Sends nothing: its end is the message.
            let _ending = ending;
            runtime.block_on(async move {
                let plan = Plan::of(&config);
                tokio::spawn(script_runner.run());
                let trackers = Trackers::start(Plan::default(), news.clone(), scripts);
                let mut reader = Reader::new(source, (config, shown), trackers);
                reader.watch_links(link_events);
                let (go, control) = match later {
                    None => (Go::default(), control),
                    Some(later) => tokio::select! {
                        // Without a word the protocol thread is gone.
                        go = later => match go {
                            Ok(go) => (go, usable(Control::succeed(&control_socket, group))),
                            Err(_) => return,
                        },
                        _ = &mut stopping => return,
                    },
                };
                reader.begin(
                    plan.remembering(&go.verdicts, &go.unsteady),
                    news,
                    control.as_ref().map(Control::access),
                );
                let manager = managed.map(|managed| {
                    let Managed {
                        parent,
                        changed,
                        watchdog,
                    } = managed;
                    tokio::spawn(manager::keep_told(
                        parent,
                        changed,
                        watchdog,
                        desks.protocol.clone(),
                    ))
                });
                let (end, ended) = watch::channel(None);
                let control = tokio::spawn(async move {
                    if let Some(control) = control
                        && let Err(error) = control.serve(desks, ended).await
                    {
                        tracing::warn!("control socket: {error}; vrrpctl will not work");
                    }
                });
                let (tell, told) = oneshot::channel::<()>();
                let notifying = tokio::spawn(notify_runner.run_until(
                    async {
                        let _ = told.await;
                    },
                    child_wait,
                ));
                let why = tokio::select! {
                    // An error means that the `Service` was dropped: that is a stop too.
                    why = &mut stopping => why.unwrap_or(Ending::Stopped),
                    () = reader.serve(&mut reloads_wanted, &mut questions, &answers) => Ending::Stopped,
                };
                end.send_replace(Some(why));
                if let Some(manager) = manager {
                    manager.abort();
                }
                drop(tell);
                let (_, _, _) = tokio::join!(control, reader.trackers.stop(), notifying);
            });
        })?;
    let service = Service {
        stop: Some(stop),
        ended,
        thread: Some(thread),
        child_wait,
    };
    let ports = Ports {
        tracked,
        notifier,
        control: control_requests,
        links,
        reloads: Reloads {
            requests: reload_requests,
            answers: reload_answers,
        },
    };
    Ok((service, ports))
}

/// Without it the daemon runs, and says so.
fn usable(control: Result<Control, BindError>) -> Option<Control> {
    control
        .map_err(|error| tracing::warn!("vrrpctl will not work: {error}"))
        .ok()
}

impl Service {
    /// Stop everything: the control socket is closed, those that follow events get what is left and are told `why`,
    /// tracked scripts are ended, notify scripts get [`CHILD_WAIT`] to finish. The [`Notifier`] must have been dropped,
    /// or they are waited for in full. Blocks, but not for ever.
    pub fn stop(mut self, why: Ending) {
        if let Some(stop) = self.stop.take() {
            // If it ended by itself there is nobody to tell.
            let _ = stop.send(why);
        }
        match self.ended.recv_timeout(self.child_wait + STOP_MARGIN) {
            // The thread has left its closure, so this does not block.
            Err(RecvTimeoutError::Disconnected) | Ok(()) => {
                if let Some(thread) = self.thread.take() {
                    let _ = thread.join();
                }
            }
            Err(RecvTimeoutError::Timeout) => tracing::warn!("the service thread does not end; leaving it"),
        }
    }
}
