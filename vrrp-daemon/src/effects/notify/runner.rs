//! The service runtime's end: runs the scripts and feeds the FIFOs.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;
use vrrp_common::id::Priority;

use super::{Event, Message, Notice, Tellings};
use crate::config::{self, Command, Fifos, Notify, ScriptUser};
use crate::effects::fifo::reader::Reader;
use crate::effects::fifo::{About, Fifo};
use crate::proto::reload::Correspondence;
use crate::proto::{NotifyState, Subject};
use crate::sys::process::{Identity, Lifetime};
use crate::sys::scripts::{Failure, Script, Scripts};

/// Notifications that wait behind one script of one subject.
pub(super) const BACKLOG: usize = 64;
/// How long the reader of a FIFO that is closed may take to make room for what is left.
const FLUSH: Duration = Duration::from_secs(1);
/// Between two log lines of what was dropped: behind a script that hangs, that is every transition.
pub(super) const SAY_AGAIN: Duration = Duration::from_secs(10);

/// Runs scripts one after the other for each subject.
#[derive(Debug)]
pub struct Runner {
    messages: mpsc::Receiver<Message>,
    dropped: Arc<AtomicU64>,
    subjects: HashMap<Subject, Told>,
    /// The subjects in the order of the configuration, groups first.
    order: Vec<Subject>,
    lanes: HashMap<LaneId, Lane>,
    next_lane: u64,
    /// By kind and name, the lanes of subjects that a reload removed, while something of theirs runs.
    departed: HashMap<(&'static str, String), LaneId>,
    identities: Identities,
    config: Fifos,
    fifos: Vec<OpenFifo>,
    scripts: Scripts,
}

/// A subject that somebody is told about.
#[derive(Debug)]
struct Told {
    kind: &'static str,
    name: String,
    scripts: Notify,
    lane: LaneId,
    /// What was told last.
    last: Option<(NotifyState, Priority)>,
}

/// Notices that run one after the other. It outlives the subject's number, which a reload changes.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Vec<Job>>,
    busy: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct LaneId(u64);

/// What runs for one notice.
#[derive(Debug)]
struct Job {
    argv: Vec<String>,
    identity: Option<Identity>,
}

/// A FIFO, with what it was opened for.
#[derive(Debug)]
struct OpenFifo {
    config: config::Fifo,
    fifo: Fifo,
    reader: Option<Reader>,
}

/// Users, looked up once: name services may block.
#[derive(Debug, Default)]
struct Identities(HashMap<ScriptUser, Option<Identity>>);

impl Identities {
    fn learn(&mut self, user: &ScriptUser) {
        if !self.0.contains_key(user) {
            let found = match Identity::lookup(&user.user, user.group.as_deref()) {
                Ok(identity) => Some(identity),
                Err(error) => {
                    tracing::error!("notify scripts of {} will not run: {error}", user.user);
                    None
                }
            };
            self.0.insert(user.clone(), found);
        }
    }

    fn learn_all(&mut self, new: &Tellings) {
        let scripts = new.subjects.iter().flat_map(|(.., scripts)| commands(scripts));
        let fifos = [&new.fifos.all, &new.fifos.vrrp].into_iter().flatten();
        let of_fifos = fifos.flat_map(|fifo| {
            let reader = fifo.script.as_ref().and_then(|script| script.user.as_ref());
            fifo.owner.as_ref().into_iter().chain(reader)
        });
        let users: Vec<&ScriptUser> = scripts
            .filter_map(|command| command.user.as_ref())
            .chain(of_fifos)
            .collect();
        for user in users {
            self.learn(user);
        }
    }

    /// `None` if there is no such user: it was said, and what needs it is not run.
    fn of(&self, user: Option<&ScriptUser>) -> Option<Option<Identity>> {
        match user {
            None => Some(None),
            Some(user) => Some(Some(self.0.get(user)?.clone()?)),
        }
    }
}

/// Every command of a subject.
fn commands(scripts: &Notify) -> impl Iterator<Item = &Command> {
    let Notify {
        master,
        backup,
        fault,
        stop,
        tell_deleted: _,
        deleted,
        master_rx_lower_pri,
        any,
        priority_changes: _,
    } = scripts;
    [master, backup, fault, stop, deleted, master_rx_lower_pri, any]
        .into_iter()
        .flatten()
}

impl Told {
    /// The state as it is told: a deletion is a fault to those who did not ask for the word.
    fn word(&self, state: NotifyState) -> NotifyState {
        match state {
            NotifyState::Deleted if !self.scripts.tell_deleted => NotifyState::Fault,
            state => state,
        }
    }

    /// The commands for a state, in order.
    fn commands(
        &self,
        state: NotifyState,
        priority: Priority,
    ) -> impl Iterator<Item = (Vec<String>, Option<&ScriptUser>)> {
        let scripts = &self.scripts;
        let any = scripts.any.as_ref();
        let (special, any): (Option<&Command>, Option<&Command>) = match state {
            NotifyState::Master => (scripts.master.as_ref(), any),
            NotifyState::Backup => (scripts.backup.as_ref(), any),
            NotifyState::Fault => (scripts.fault.as_ref(), any),
            NotifyState::Stop => (scripts.stop.as_ref(), any),
            // Told as a fault, it is still not what `notify_fault` is for (2.2.7).
            NotifyState::Deleted => (scripts.deleted.as_ref().filter(|_| scripts.tell_deleted), any),
            // Not a state: its own script only, as in keepalived.
            NotifyState::MasterRxLowerPri => (scripts.master_rx_lower_pri.as_ref(), None),
        };
        let special = special.map(|command| (command.argv.clone(), command.user.as_ref()));
        let any = any.map(|command| {
            let mut argv = command.argv.clone();
            argv.extend([
                self.kind.to_owned(),
                self.name.clone(),
                self.word(state).word().to_owned(),
                priority.to_string(),
            ]);
            (argv, command.user.as_ref())
        });
        special.into_iter().chain(any)
    }

    /// A line for the FIFOs.
    fn line(&self, word: &str, priority: Priority) -> String {
        format!("{} \"{}\" {word} {priority}\n", self.kind, self.name)
    }
}

impl Runner {
    pub(super) fn new(
        messages: mpsc::Receiver<Message>,
        dropped: Arc<AtomicU64>,
        told: Tellings,
        scripts: Scripts,
    ) -> Self {
        let mut runner = Self {
            messages,
            dropped,
            subjects: HashMap::new(),
            order: Vec::new(),
            lanes: HashMap::new(),
            next_lane: 0,
            departed: HashMap::new(),
            identities: Identities::default(),
            config: told.fifos.clone(),
            fifos: Vec::new(),
            scripts,
        };
        runner.identities.learn_all(&told);
        runner.take_subjects(told, &Correspondence::default());
        runner
    }

    /// Run scripts until the [`Notifier`](super::Notifier) is gone and everything that was queued has been run.
    pub async fn run(mut self) {
        self.open_fifos();
        let mut running = JoinSet::new();
        let mut open = true;
        let mut losses = Losses::default();
        while open || !running.is_empty() {
            tokio::select! {
                message = self.messages.recv(), if open => match message {
                    Some(Message::Tell(notice)) => self.accept(notice, &mut running),
                    Some(Message::Reconfigure(new)) => self.reconfigure(new.0, &new.1).await,
                    Some(Message::Unchanged) => self.tell_all_states(),
                    None => open = false,
                },
                Some(ended) = running.join_next() => {
                    // A task that panicked would leave its lane busy for ever; there is none.
                    if let Ok(lane) = ended {
                        self.next(lane, &mut running);
                    }
                }
            }
            losses.say(&self.dropped, Some(Instant::now()));
        }
        losses.say(&self.dropped, None);
        for open in self.fifos {
            open.close().await;
        }
    }

    /// [`run`](Self::run), but once `stopping` resolves for `patience` at most: what still runs then goes on
    /// without us.
    pub async fn run_until(self, stopping: impl Future<Output = ()>, patience: Duration) {
        let run = self.run();
        tokio::pin!(run);
        tokio::select! {
            () = &mut run => return,
            () = stopping => {}
        }
        if timeout(patience, run).await.is_err() {
            tracing::warn!(
                "notify scripts still running after {} s are left to themselves",
                patience.as_secs()
            );
        }
    }

    fn accept(&mut self, notice: Notice, running: &mut JoinSet<LaneId>) {
        let Some(told) = self.subjects.get_mut(&notice.subject) else {
            return;
        };
        let priority = notice.priority;
        let state = match notice.event {
            Event::State(state) => state,
            Event::Told(state) => {
                told.last = Some((told.word(state), priority));
                return;
            }
            Event::Priority => {
                let word = match &mut told.last {
                    Some((NotifyState::Master, last)) => {
                        *last = priority;
                        "MASTER_PRIORITY"
                    }
                    Some((NotifyState::Backup, last)) => {
                        *last = priority;
                        "BACKUP_PRIORITY"
                    }
                    // Nobody can use it meanwhile.
                    _ => return,
                };
                if told.scripts.priority_changes == Some(true) {
                    let line = told.line(word, priority);
                    self.tell_fifos(&line, None);
                }
                return;
            }
        };
        let is_state = state != NotifyState::MasterRxLowerPri;
        if is_state {
            told.last = Some((told.word(state), priority));
        }
        let jobs: Vec<Job> = told
            .commands(state, priority)
            .filter_map(|(argv, user)| {
                let identity = self.identities.of(user)?;
                Some(Job { argv, identity })
            })
            .collect();
        let (lane, line) = (told.lane, told.line(told.word(state).word(), priority));
        self.tell_fifos(&line, is_state.then_some(lane));
        if !jobs.is_empty() {
            self.enqueue(lane, jobs, running);
        }
    }

    fn tell_fifos(&self, line: &str, state_of: Option<LaneId>) {
        for open in &self.fifos {
            open.fifo
                .tell(line.to_owned(), state_of.map(|LaneId(id)| About(id)));
        }
    }

    fn enqueue(&mut self, id: LaneId, jobs: Vec<Job>, running: &mut JoinSet<LaneId>) {
        let lane = self.lanes.entry(id).or_default();
        if lane.waiting.len() == BACKLOG {
            lane.waiting.pop_front();
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        lane.waiting.push_back(jobs);
        if !lane.busy {
            self.next(id, running);
        }
    }

    /// Start the next notice of a lane, if one waits.
    fn next(&mut self, id: LaneId, running: &mut JoinSet<LaneId>) {
        let Some(lane) = self.lanes.get_mut(&id) else {
            return;
        };
        let Some(jobs) = lane.waiting.pop_front() else {
            self.lanes.remove(&id);
            return;
        };
        lane.busy = true;
        let scripts = self.scripts.clone();
        running.spawn(async move {
            for job in jobs {
                job.run(&scripts).await;
            }
            id
        });
    }

    /// A new configuration: names, scripts and FIFOs change, what waits stays as it was.
    async fn reconfigure(&mut self, new: Tellings, correspondence: &Correspondence) {
        // A user may have been made meanwhile. Name services may block, and trackers run on this thread.
        let looked_up = spawn_blocking(move || {
            let mut identities = Identities::default();
            identities.learn_all(&new);
            (identities, new)
        });
        // Otherwise the runtime ends.
        let Ok((identities, new)) = looked_up.await else {
            return;
        };
        self.identities = identities;
        self.config = new.fifos.clone();
        self.take_subjects(new, correspondence);
        self.open_fifos();
        self.tell_all_states();
    }

    /// `fifo_write_vrrp_states_on_reload`, if it is set.
    fn tell_all_states(&self) {
        if !self.config.states_on_reload {
            return;
        }
        for subject in &self.order {
            if let Some(told) = self.subjects.get(subject)
                && let Some((state, priority)) = told.last
            {
                self.tell_fifos(&told.line(state.word(), priority), Some(told.lane));
            }
        }
    }

    fn take_subjects(&mut self, new: Tellings, correspondence: &Correspondence) {
        let mut old = std::mem::take(&mut self.subjects);
        self.order = new.subjects.iter().map(|(subject, ..)| *subject).collect();
        let before = |subject: Subject| match subject {
            Subject::Router(id) => correspondence.routers.before(id).map(Subject::Router),
            Subject::Group(id) => correspondence.groups.before(id).map(Subject::Group),
        };
        let carried: Vec<Option<Told>> = self
            .order
            .iter()
            .map(|subject| before(*subject).and_then(|before| old.remove(&before)))
            .collect();
        for gone in old.into_values() {
            self.departed.insert((gone.kind, gone.name), gone.lane);
        }
        self.departed.retain(|_, lane| self.lanes.contains_key(lane));
        for ((subject, name, scripts), carried) in new.subjects.into_iter().zip(carried) {
            let kind = match subject {
                Subject::Router(_) => "INSTANCE",
                Subject::Group(_) => "GROUP",
            };
            let (lane, last) = match carried {
                Some(before) => (before.lane, before.last),
                None => (self.lane_of(kind, &name), None),
            };
            let told = Told {
                kind,
                name,
                scripts,
                lane,
                last,
            };
            self.subjects.insert(subject, told);
        }
    }

    /// The lane of a subject that is new. A script cannot tell it from one of the same name that went, and must not
    /// hear the end of that after the beginning of this.
    fn lane_of(&mut self, kind: &'static str, name: &str) -> LaneId {
        self.departed.remove(&(kind, name.to_owned())).unwrap_or_else(|| {
            self.next_lane += 1;
            LaneId(self.next_lane)
        })
    }

    /// Open what the configuration has and is not open; close what it has no more.
    fn open_fifos(&mut self) {
        let wanted = [self.config.all.clone(), self.config.vrrp.clone()];
        let mut open = std::mem::take(&mut self.fifos);
        for open in &open {
            open.fifo.expect_subjects(self.subjects.len());
        }
        for config in wanted.into_iter().flatten() {
            let same = open.iter().position(|open| open.fifo.is_at(&config.path));
            let kept = same.map(|at| open.remove(at));
            match kept {
                Some(kept) if kept.config == config => self.fifos.push(kept),
                Some(mut kept) => {
                    let owner = self.identities.of(config.owner.as_ref()).flatten();
                    if let Some(owner) = owner.filter(|_| kept.config.owner != config.owner)
                        && let Err(error) = kept.fifo.give_to(&owner)
                    {
                        tracing::error!("{error}");
                    }
                    let before = kept.reader.take();
                    kept.reader = self.reader(&config, before);
                    kept.config = config;
                    self.fifos.push(kept);
                }
                None => {
                    let owner = self.identities.of(config.owner.as_ref()).flatten();
                    let subjects = self.subjects.len();
                    match Fifo::open(&config.path, owner.as_ref(), subjects, Arc::clone(&self.dropped)) {
                        Ok(fifo) => {
                            let reader = self.reader(&config, None);
                            self.fifos.push(OpenFifo { config, fifo, reader });
                        }
                        Err(error) => tracing::error!("{error}"),
                    }
                }
            }
        }
        for closed in open {
            tokio::spawn(closed.close());
        }
    }

    /// The reader of a FIFO, in the place of the one `before`.
    fn reader(&self, config: &config::Fifo, before: Option<Reader>) -> Option<Reader> {
        let script = config.script.as_ref();
        let wanted = script.and_then(|script| Some((script, self.identities.of(script.user.as_ref())?)));
        let Some((script, identity)) = wanted else {
            if let Some(before) = before {
                tokio::spawn(before.give_way());
            }
            return None;
        };
        Some(Reader::start(
            &self.scripts,
            &script.argv,
            &config.path,
            identity,
            before,
        ))
    }
}

impl OpenFifo {
    async fn close(self) {
        self.fifo.close(FLUSH).await;
        if let Some(reader) = self.reader {
            reader.stop().await;
        }
    }
}

/// What is said of notifications that were dropped.
#[derive(Debug, Default)]
pub(super) struct Losses {
    reported: u64,
    said: Option<Instant>,
}

impl Losses {
    /// How many were dropped that nobody was told of, of `dropped` in all, if it is time to tell. At the end, `now`
    /// is `None`, it is.
    pub(super) fn due(&mut self, dropped: u64, now: Option<Instant>) -> Option<u64> {
        let lost = dropped.checked_sub(self.reported).filter(|lost| *lost > 0)?;
        if let (Some(now), Some(said)) = (now, self.said)
            && now.saturating_duration_since(said) < SAY_AGAIN
        {
            return None;
        }
        self.said = now;
        self.reported = dropped;
        Some(lost)
    }

    fn say(&mut self, dropped: &AtomicU64, now: Option<Instant>) {
        let dropped = dropped.load(Ordering::Relaxed);
        if let Some(lost) = self.due(dropped, now) {
            tracing::warn!(
                dropped,
                "{lost} notifications dropped: a notify script or the reader of a FIFO hangs or is too slow"
            );
        }
    }
}

impl Job {
    /// Run it to its end. keepalived gives notify scripts all the time they want, and so do we.
    async fn run(self, scripts: &Scripts) {
        let shown = self.argv.first().cloned().unwrap_or_default();
        let mut running = scripts.start(Script {
            argv: self.argv,
            identity: self.identity,
            lifetime: Lifetime::OnItsOwn,
        });
        match running.wait().await {
            Ok(status) if status.success() => {}
            Ok(status) => tracing::warn!("notify script {shown} ended with {status}"),
            Err(failure @ Failure::NotStarted(_)) => {
                tracing::error!("notify script {shown} {failure}; check its path and that it is executable");
            }
            Err(failure @ Failure::Lost) => tracing::error!("notify script {shown} {failure}"),
        }
    }
}
