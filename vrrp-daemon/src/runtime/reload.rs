//! Reading the configuration again, on the service thread: reading, judging, listing interfaces, everything that
//! takes its time. The protocol thread gets a configuration that is ready to be taken over, or hears that nothing
//! is to be done. One after the other: each is compared with the one read before it, and they are taken over in
//! that order.

use std::fmt;
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

use super::changes;
use super::service::{LINK_EVENTS, NEWS};
use crate::config::{Config, Loaded, Passwords, Severity, XdpMode};
use crate::ingress::control::ConfigRequest;
use crate::ingress::control::access::Access;
use crate::ingress::control::message::{Changes, Diagnostic, Reloaded, Shown};
use crate::ingress::judge::Judge;
use crate::ingress::links::{self, LinkEvent, Proofs};
use crate::proto::Correspondence;
use crate::track::{self, Plan, Trackers};

/// For the kernel to list interfaces and addresses.
const LIST_PATIENCE: Duration = Duration::from_secs(10);

/// Reads the configuration, each time anew.
#[derive(Clone)]
pub struct Source(Arc<Reading>);

type Reading = dyn Fn(Option<&Path>) -> Loaded + Send + Sync;

impl Source {
    /// `read` runs where it may take its time. It is given another file than the daemon's own, if one is to be read.
    #[must_use]
    pub fn new(read: impl Fn(Option<&Path>) -> Loaded + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Read it now.
    #[must_use]
    pub fn read(&self) -> Loaded {
        (self.0)(None)
    }

    /// Read another file as if it were the daemon's.
    #[must_use]
    pub fn read_other(&self, file: &Path) -> Loaded {
        (self.0)(Some(file))
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Source")
    }
}

/// Who wants to know what came of a reload.
pub type Reply = oneshot::Sender<Reloaded>;

/// The protocol thread's ends.
#[derive(Debug)]
pub struct Reloads {
    /// Somebody wants one; with whom to tell, if anybody.
    pub requests: mpsc::Sender<Option<Reply>>,
    /// What was found.
    pub answers: mpsc::Receiver<Answer>,
}

/// What came of reading.
#[derive(Debug)]
pub struct Answer {
    /// What was found.
    pub found: Found,
    /// All there is to say of the file.
    pub diagnostics: Vec<Diagnostic>,
    /// Whom to tell what came of it.
    pub replies: Vec<Reply>,
    /// Since the reading began.
    pub begun: Instant,
}

/// The configuration as it is now.
#[derive(Debug)]
pub enum Found {
    /// Another one.
    Changed(Box<Prepared>),
    /// The one that runs.
    Same,
    /// One that cannot run; the log has been told why.
    Bad,
}

/// Another configuration, with all that could be made ready for it.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub config: Arc<Config>,
    /// Which part of it is which of the running one.
    pub correspondence: Correspondence,
    /// Its rules for adverts.
    pub judge: Judge,
    /// Interfaces and addresses as they were a moment ago.
    pub known: Vec<LinkEvent>,
    /// What has changed since.
    pub links: mpsc::Receiver<LinkEvent>,
    /// News of what it tracks; all that is known is told again.
    pub tracked: mpsc::Receiver<track::News>,
}

/// The service thread's end.
pub(super) struct Reader {
    source: Source,
    running: Arc<Config>,
    /// What is tracked. It is the service thread's to end them.
    pub(super) trackers: Trackers,
    /// The watches on interfaces; each ends when nobody takes its events any more.
    watches: JoinSet<()>,
    proofs: Proofs,
    /// What runs, in words.
    shown: Shown,
    /// Who may use the control socket, if there is one.
    access: Option<Arc<Access>>,
}

impl Reader {
    /// Inside the service runtime, where `trackers` were started.
    pub(super) fn new(source: Source, (running, shown): (Arc<Config>, Shown), trackers: Trackers) -> Self {
        Self {
            source,
            running,
            trackers,
            watches: JoinSet::new(),
            proofs: Proofs::default(),
            shown,
            access: None,
        }
    }

    /// Track all there is to be tracked. `access`: who may use the control socket, if there is one.
    pub(super) fn begin(&mut self, plan: Plan, news: mpsc::Sender<track::News>, access: Option<Arc<Access>>) {
        self.trackers.reconfigure(plan, news);
        self.access = access;
    }

    /// Tell of the interfaces of the running configuration.
    pub(super) fn watch_links(&mut self, events: mpsc::Sender<LinkEvent>) {
        self.watch(&Arc::clone(&self.running), events);
    }

    fn watch(&mut self, config: &Config, events: mpsc::Sender<LinkEvent>) {
        let (model, delays) = (config.model.clone(), config.link_delays.clone());
        let proofs = self.proofs.clone();
        while self.watches.try_join_next().is_some() {}
        self.watches.spawn(async move {
            if let Err(error) = links::run(model, delays, proofs, events).await {
                tracing::error!("{error}");
            }
        });
    }

    /// Answer requests; never ends by itself.
    pub(super) async fn serve(
        &mut self,
        requests: &mut mpsc::Receiver<Option<Reply>>,
        questions: &mut mpsc::Receiver<ConfigRequest>,
        answers: &mpsc::Sender<Answer>,
    ) {
        loop {
            // Cancel safety: both are receives from channels.
            tokio::select! {
                Some(reply) = requests.recv() => {
                    // One reading answers all who asked before it.
                    let mut replies: Vec<_> = reply.into_iter().collect();
                    while let Ok(reply) = requests.try_recv() {
                        replies.extend(reply);
                    }
                    if self.reload(replies, answers).await.is_err() {
                        break;
                    }
                }
                Some(question) = questions.recv() => self.answer(question).await,
                else => break,
            }
        }
        std::future::pending().await
    }

    async fn reload(
        &mut self,
        replies: Vec<Reply>,
        answers: &mpsc::Sender<Answer>,
    ) -> Result<(), mpsc::error::SendError<Answer>> {
        let begun = Instant::now();
        let loaded = self.load(None).await;
        let diagnostics = loaded.as_ref().map(diagnostics).unwrap_or_default();
        let found = match loaded {
            Some(loaded) => self.judge(loaded).await,
            None => Found::Bad,
        };
        answers
            .send(Answer {
                found,
                diagnostics,
                replies,
                begun,
            })
            .await
    }

    /// A client that left in the meantime is no error.
    async fn answer(&mut self, question: ConfigRequest) {
        match question {
            ConfigRequest::Show { reply } => drop(reply.send(self.shown.clone())),
            ConfigRequest::Diff { file, reply } => {
                if let Some(loaded) = self.load(file).await {
                    let changes = match &loaded.config {
                        Some(config) => changes::between(&self.running, config),
                        None => Vec::new(),
                    };
                    let _ = reply.send(Changes {
                        good: loaded.config.is_some(),
                        changes,
                        diagnostics: diagnostics(&loaded),
                    });
                }
            }
        }
    }

    async fn load(&self, file: Option<PathBuf>) -> Option<Loaded> {
        let source = self.source.clone();
        let read = move || match file {
            Some(file) => source.read_other(&file),
            None => source.read(),
        };
        let loaded = spawn_blocking(read).await;
        if loaded.is_err() {
            tracing::error!("reading the configuration failed; nothing was changed");
        }
        loaded.ok()
    }

    async fn judge(&mut self, loaded: Loaded) -> Found {
        let text = loaded.dump(Passwords::Hidden);
        let Some(config) = take(loaded) else {
            return Found::Bad;
        };
        if config == *self.running {
            tracing::info!("Reloading: the configuration is as it was, nothing is to be done");
            return Found::Same;
        }
        let (events, mut links) = mpsc::channel(LINK_EVENTS);
        self.watch(&config, events);
        let Ok(Some(known)) = timeout(LIST_PATIENCE, listed(&mut links)).await else {
            tracing::error!(
                "not reloaded, nothing was changed: the kernel does not list its interfaces; try again"
            );
            return Found::Bad;
        };
        for what in at_start_only(&self.running, &config) {
            tracing::warn!("{what} changed, which takes effect when the daemon is started again");
        }
        if let Some(access) = &self.access
            && let Err(error) = access.admit(config.global.control_group)
        {
            tracing::warn!("the control socket's group: {error}");
        }
        self.shown.text = text;
        let config = Arc::new(config);
        let before = mem::replace(&mut self.running, Arc::clone(&config));
        let (news, tracked) = mpsc::channel(NEWS);
        self.trackers.reconfigure(Plan::of(&config), news);
        Found::Changed(Box::new(Prepared {
            correspondence: Correspondence::between(&before.model, &config.model),
            judge: Judge::new(&config.model),
            config,
            known,
            links,
            tracked,
        }))
    }
}

/// The configuration that was read, if it can run. Either way the log has what there is to say of it.
fn take(loaded: Loaded) -> Option<Config> {
    log_diagnostics(&loaded);
    if loaded.config.is_none() {
        tracing::error!(
            "not reloaded, nothing was changed, the old configuration runs on: {}",
            loaded.verdict()
        );
    }
    loaded.config
}

/// All there is to say of a configuration, to a client.
fn diagnostics(loaded: &Loaded) -> Vec<Diagnostic> {
    loaded
        .lines()
        .map(|(severity, text)| Diagnostic {
            severity: severity.into(),
            text,
        })
        .collect()
}

/// All there is to say of a configuration, to the log.
pub fn log_diagnostics(loaded: &Loaded) {
    for (severity, line) in loaded.lines() {
        match severity {
            Severity::Error => tracing::error!("{line}"),
            Severity::Warning => tracing::warn!("{line}"),
            Severity::Note => tracing::info!("{line}"),
        }
    }
}

/// What a new watch tells first: everything.
async fn listed(links: &mut mpsc::Receiver<LinkEvent>) -> Option<Vec<LinkEvent>> {
    let mut known = Vec::new();
    loop {
        match links.recv().await? {
            LinkEvent::Synced => return Some(known),
            event => known.push(event),
        }
    }
}

/// Changes that a running daemon cannot follow.
fn at_start_only(old: &Config, new: &Config) -> Vec<&'static str> {
    let without_xdp = |config: &Config| {
        let routers = &config.model.routers;
        routers.iter().all(|router| router.uncommon.xdp == XdpMode::Off)
    };
    let changed = [
        (
            "vrrp_startup_delay or vrrp_delay_after_boot",
            (old.global.startup_delay, old.global.delay_after_boot)
                != (new.global.startup_delay, new.global.delay_after_boot),
        ),
        (
            "scheduling, CPUs, name or umask of the process",
            old.global.process != new.global.process,
        ),
        (
            "net_namespace, instance, use_pid_dir or child_wait_time",
            old.global.place != new.global.place,
        ),
        (
            "vrrp_xdp, which was off for every instance,",
            without_xdp(old) && !old.model.routers.is_empty() && !without_xdp(new),
        ),
    ];
    changed
        .into_iter()
        .filter(|(_, changed)| *changed)
        .map(|(what, _)| what)
        .collect()
}
