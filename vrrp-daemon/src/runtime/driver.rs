//! The protocol thread: wait, read what arrived, feed the protocol, carry out what it wants.
//!
//! One turn drains the raw sockets and the ring first, then reads the kernel's stamps for the
//! timers that are due, and only then lets timers fire: however late the thread woke, the Master's death is
//! decided by when the kernel last saw it. The clock decides what is due; the timer descriptor only wakes.
//! Only a punctual Master that has nothing to read sends without a turn.

mod clients;
mod handover;
mod news;
mod reload;
mod succession;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{Notify, mpsc, oneshot};
use vrrp_common::time::{MonoNanos, Nanos};
use vrrp_common::wire::ethernet::Mac;

use super::kernel_path::KernelPath;
use super::line::{Heard, Parent, Said};
use super::observer::Observer;
use super::pidfile::PidFile;
use super::presence::Presence;
use super::recorder::Recorder;
use super::reload::Reloads;
use super::signals::{Dump, Wanted};
use super::snapshot::Snapshots;
use super::wakeups::{Sources, Wakeups};
use crate::effects::addresses::{AddressWriter, Report};
use crate::effects::advert_tx::{AdvertSender, SendError};
use crate::effects::notify::Notifier;
use crate::ingress::control::ControlRequest;
use crate::ingress::judge::{Judge, Judged};
use crate::ingress::links::LinkEvent;
use crate::ingress::raw::{PER_SOCKET, RawReceiver};
use crate::proto::{Effect, Input, Remark, RouterId, Vrrp};
use crate::sys::clock;
use crate::sys::ready::Patience;
use crate::track;

/// So often all sockets are read once more, at most, when a timer is due: 64 messages each time from each, which is more
/// than a socket's buffer of usual size holds.
const ROUNDS_BEFORE_TIMERS: usize = 16;
/// The same for a thread that comes so late that it must have been stopped: about all that a socket's buffer holds,
/// which may take some ten milliseconds.
const ROUNDS_AFTER_A_STOP: usize = 128;
/// A thread that comes later than this looks at the sockets first, whatever the timer is for.
const PUNCTUAL: Nanos = Nanos::from_micros(500);
/// So late nobody is who was only busy.
const STOPPED: Nanos = Nanos::from_millis(100);
/// Down timers that end so soon are looked after together with those that have ended.
const SOON: Nanos = Nanos::from_millis(10);
/// So long before a takeover the thread gets up. A core that sleeps takes tens of microseconds to wake, and has cold caches.
const EARLY: Nanos = Nanos::from_micros(200);
/// The last stretch of that it waits awake. No longer: a thread of the kernel that hands packets over (ksoftirqd) may wait
/// for the same core.
const AWAKE: Nanos = Nanos::from_micros(50);
/// After a stretch that it waited for awake it sleeps until the deadlines themselves for so long: thousands of virtual
/// routers that lose their Masters one after another must not keep it awake.
const REST: Nanos = Nanos::from_millis(10);

/// Everything the protocol thread holds.
pub struct Parts {
    /// The protocol.
    pub vrrp: Vrrp,
    /// The rules of every virtual router.
    pub judge: Judge,
    /// The raw sockets.
    pub raw: RawReceiver,
    /// The XDP path, if there is one.
    pub kernel: KernelPath,
    /// Sends adverts.
    pub sender: AdvertSender,
    /// Adds and removes addresses, and announces them.
    pub writer: AddressWriter,
    /// What became of that.
    pub reports: mpsc::Receiver<Report>,
    /// Runs notify scripts.
    pub notifier: Notifier,
    /// Interfaces and their addresses.
    pub links: mpsc::Receiver<LinkEvent>,
    /// News of tracked scripts, files and processes.
    pub tracked: mpsc::Receiver<track::News>,
    /// Requests of control clients.
    pub control: mpsc::Receiver<ControlRequest>,
    /// Where the configuration is read again.
    pub reloads: Reloads,
    /// Writes every input down, if asked to.
    pub recorder: Option<Recorder>,
    /// What a status snapshot shows besides the protocol.
    pub snapshots: Snapshots,
    /// Shows what happens.
    pub observer: Box<dyn Observer>,
    /// When the election may begin (`vrrp_startup_delay`).
    pub start_at: MonoNanos,
    /// The parent process.
    pub parent: Parent,
    /// Instances are in other states, for the service manager.
    pub changed: Arc<Notify>,
    /// Held while this process is on duty.
    pub pid_file: Option<PidFile>,
    /// There is an earlier process to take over from.
    pub succession: Option<Succession>,
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every Master has given up.
    Stopped,
    /// A successor has taken over: what is held stays.
    Handed,
    /// It was to stop before it had taken over.
    BeforeItsTurn,
}

pub use succession::Succession;

/// The protocol thread's state.
pub struct Driver {
    parts: Parts,
    started: bool,
    /// Interfaces and addresses have been told once.
    synced: bool,
    presence: Presence,
    keep_addresses: bool,
    stopping: bool,
    /// When it last waited awake for a takeover.
    awake_at: Option<MonoNanos>,
    /// A stop until then is meant for a successor, which may take so long to come.
    expects: Option<(MonoNanos, Nanos)>,
    /// It is on duty without its parent, until then.
    left: Option<MonoNanos>,
    /// It has handed over to whom this is to say that it has been taken over.
    handing: Option<oneshot::Receiver<Vec<RouterId>>>,
    /// The interfaces' indices, to go with a source when one of the two changes.
    ifindexes: Vec<Option<u32>>,
    macs: Vec<Option<Mac>>,
    sources: Vec<Option<IpAddr>>,
    // Buffers that keep their capacity from turn to turn.
    effects: Vec<Effect>,
    arrived: Vec<Input>,
    outcomes: Vec<Input>,
}

impl Driver {
    /// Put the parts together. `keep_addresses`: the last releases, at the end, are not carried out (`-V`).
    #[must_use]
    pub fn new(parts: Parts, keep_addresses: bool) -> Self {
        let model = parts.vrrp.model();
        Self {
            started: false,
            synced: false,
            presence: Presence::default(),
            keep_addresses,
            stopping: false,
            awake_at: None,
            expects: None,
            left: None,
            handing: None,
            ifindexes: vec![None; model.links.len()],
            macs: vec![None; model.links.len()],
            sources: vec![None; model.routers.len()],
            effects: Vec::with_capacity(64),
            arrived: Vec::with_capacity(256),
            outcomes: Vec::with_capacity(8),
            parts,
        }
    }

    /// Run until a signal ends it; every Master has given up then, or been taken over. The parts come back, to be taken
    /// down.
    ///
    /// # Errors
    /// A system call on one of our own descriptors failed.
    pub fn run(mut self, ignore_sigint: bool, ready: impl FnOnce()) -> io::Result<(Parts, Ended)> {
        let mut wakeups = Wakeups::new(ignore_sigint)?;
        let mut ready = Some(ready);
        if let Some(succession) = self.parts.succession.take()
            && !self.follow(succession, &mut wakeups)?
        {
            self.release_statics();
            return Ok((self.parts, Ended::BeforeItsTurn));
        }
        wakeups.add(&self.parts.raw, Sources::ADVERTS)?;
        if let Some(ring) = self.parts.kernel.ring() {
            wakeups.add(ring, Sources::ADVERTS)?;
        }
        wakeups.add(&self.parts.parent, Sources::PARENT)?;
        // A channel is asked until it has nothing; only then does it ring.
        let mut news = true;

        loop {
            if self.started
                && let Some(ready) = ready.take()
            {
                ready();
                self.parts.changed.notify_one();
            }
            let patience = if news { Patience::None } else { Patience::Endless };
            let woken = wakeups.wait(self.next_deadline(), patience)?;
            if woken.has(Sources::SIGNALS) && self.heed(&wakeups) {
                break;
            }
            if woken.has(Sources::ADVERTS) {
                self.turn();
            } else if woken.has(Sources::TIMER) {
                self.due();
            }
            // One of each at a time: adverts and deadlines come between them.
            if news || woken.has(Sources::NEWS) {
                news = self.hear_news(&wakeups.waker)?;
            }
            if woken.has(Sources::PARENT) {
                match self.asked_to_leave() {
                    Heard::Said(false) => break,
                    Heard::Said(true) | Heard::Nothing => {}
                    Heard::End => wakeups.remove(&self.parts.parent)?,
                }
            }
            if self.lease_is_over() {
                break;
            }
            if let Some(settled) = self.handing.take() {
                match self.bridge(settled, wakeups)? {
                    Some(without) => {
                        self.taken_over(without);
                        return Ok((self.parts, Ended::Handed));
                    }
                    None => break,
                }
            }
        }
        self.stopping = true;
        self.feed(Input::Shutdown);
        self.release_statics();
        Ok((self.parts, Ended::Stopped))
    }

    /// What is asked for by signal; whether that is to stop.
    fn heed(&mut self, wakeups: &Wakeups) -> bool {
        while let Some(wanted) = wakeups.signals.next() {
            match wanted {
                Wanted::Stop => return true,
                Wanted::Reload => self.request_reload(None),
                Wanted::Dump(dump) => self.dump(dump),
            }
        }
        false
    }

    /// Dump files are not written: what was in them is there for the asking.
    fn dump(&mut self, dump: Dump) {
        let what = match dump {
            Dump::Data => "configuration and state",
            Dump::Stats => "statistics",
            Dump::StatsAndClear => "statistics",
            Dump::Json => "state and statistics",
            Dump::Threads => "threads",
        };
        tracing::info!(
            "asked by a signal for {what}: `vrrpctl status --json` shows what there is; no file is written"
        );
        if dump == Dump::StatsAndClear {
            // What came before belongs to what ends here.
            self.catch_up();
            let Parts {
                vrrp,
                kernel,
                snapshots,
                ..
            } = &mut self.parts;
            vrrp.clear_counters();
            snapshots.clear_counters();
            kernel.clear_counters();
            tracing::info!("all counters begin at zero again");
        }
    }

    fn next_deadline(&self) -> Option<MonoNanos> {
        if self.started {
            let next = self.parts.vrrp.next_deadline();
            let early = self.takeover_to_await().map(|at| at - EARLY);
            next.into_iter().chain(early).chain(self.left).min()
        } else {
            // Until then the interfaces are waited for, not the clock.
            self.synced.then_some(self.parts.start_at)
        }
    }

    /// A deadline has come, and nothing that wakes has arrived since the last turn. A Master that is punctual sends its adverts, for
    /// which it takes one system call; everything else is for a whole turn.
    fn due(&mut self) {
        let now = clock::now();
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        let punctual = |due: MonoNanos| due <= now && now.since(due) < PUNCTUAL;
        let sends_only = self.started
            && vrrp.next_deadline().is_some_and(punctual)
            && vrrp.down_timers_due(now).next().is_none()
            && !kernel.keeps_some();
        if sends_only {
            kernel.pay(vrrp.model());
            self.feed_at(now, Input::Tick);
        } else {
            self.turn();
        }
    }

    /// Read everything that arrived, then let time pass.
    fn turn(&mut self) {
        // Timers go by the clock as it was before the reading: what came until then has been read. Should this thread be
        // kept from running now, what comes meanwhile is read before the next turn's.
        let mut now = clock::now();
        let mut waits = self.drain();
        if !self.started {
            if now >= self.parts.start_at && self.synced {
                self.started = true;
                self.feed(Input::Start);
            }
            return;
        }
        if self.await_takeover(now) {
            now = clock::now();
            waits = self.drain();
        }
        let due = self.parts.vrrp.next_deadline();
        let Some(due) = due.filter(|due| *due <= now) else {
            return;
        };
        // A timer decides nothing before all is read that came before it: what a late daemon finds waiting is more than
        // one round takes. Under a flood there is always more; what came before `now` is read in this many rounds.
        let rounds = if now.since(due) > STOPPED {
            ROUNDS_AFTER_A_STOP
        } else {
            ROUNDS_BEFORE_TIMERS
        };
        for _ in 0..rounds {
            if !waits {
                break;
            }
            now = clock::now();
            waits = self.drain();
        }
        self.drain_kept();
        self.read_stamps(now);
        self.feed_at(now, Input::Tick);
    }

    /// The next deadline, if it is that of a takeover to be waited for awake.
    fn takeover_to_await(&self) -> Option<MonoNanos> {
        let at = self.parts.vrrp.next_takeover()?;
        self.awake_at
            .is_none_or(|before| at.since(before) >= REST)
            .then_some(at)
    }

    /// If a takeover is near: hear whether the Master lives after all, and if not, nap, and wait awake until the takeover is due. What
    /// arrives meanwhile is read then, as before every timer. A Backup that follows a Master that lives never waits here.
    fn await_takeover(&mut self, now: MonoNanos) -> bool {
        let is_near = |at: &MonoNanos| *at > now && *at <= now + EARLY;
        if self.takeover_to_await().filter(is_near).is_none() {
            return false;
        }
        self.drain_kept();
        self.read_stamps(now);
        let Some(at) = self.takeover_to_await().filter(is_near) else {
            return false;
        };
        clock::sleep_until(at - AWAKE);
        self.parts.writer.rouse();
        while clock::now() < at {
            std::hint::spin_loop();
        }
        self.awake_at = Some(at);
        true
    }

    /// Adverts from the ring and the raw sockets, in the order of their arrival within each. Answers whether there may
    /// be more in the sockets.
    fn drain(&mut self) -> bool {
        let Self { arrived, parts, .. } = self;
        parts.kernel.drain(&parts.judge, &mut |judged: Judged| {
            arrived.extend(judged.input());
        });
        let from_ring = arrived.len();
        let now = clock::now();
        let (vrrp, kernel) = (&parts.vrrp, &mut parts.kernel);
        let read = parts.raw.drain(&parts.judge, now, &mut |judged: Judged| {
            if !kernel.has_judged(&judged) {
                let judged = judged.sent_by(|router, source| kernel.mac_of(vrrp.model(), router, source));
                arrived.extend(judged.input());
            }
        });
        for at in from_ring..arrived.len() {
            let Some(Input::Advert(heard)) = arrived.get(at) else {
                continue;
            };
            let (router, model) = (heard.router, parts.vrrp.model());
            parts.kernel.overtaken(model, router, now, &mut |judged: Judged| {
                arrived.extend(judged.input());
            });
        }
        let more = match &read {
            Ok(count) => *count >= PER_SOCKET,
            Err(error) => {
                tracing::debug!("reading a raw socket: {error}");
                false
            }
        };
        if read.is_ok() && !more {
            parts.kernel.raw_was_empty(now);
        }
        self.feed_arrived();
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        kernel.hush(|router| vrrp.quiet(router));
        kernel.pay(vrrp.model());
        more
    }

    /// Adverts that are not in the ring.
    fn drain_kept(&mut self) {
        let Self { arrived, parts, .. } = self;
        parts.kernel.drain_kept(&parts.judge, &mut |judged: Judged| {
            arrived.extend(judged.input());
        });
        self.feed_arrived();
    }

    fn feed_arrived(&mut self) {
        let mut arrived = std::mem::take(&mut self.arrived);
        for input in arrived.drain(..) {
            if let Input::Refused {
                router: None,
                refusal,
                ..
            } = input
            {
                self.parts.snapshots.note_refused(refusal);
            }
            self.feed(input);
        }
        self.arrived = arrived;
    }

    /// A Backup about to take over asks first when the kernel last saw the Master, for whose adverts nobody is woken as
    /// long as they stay the same. Those that are due soon are asked for too: one wake-up then serves many.
    fn read_stamps(&mut self, now: MonoNanos) {
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        for router in vrrp.down_timers_due(now + SOON) {
            self.arrived.extend(still_there(vrrp, kernel, router));
        }
        self.feed_arrived();
    }

    /// All that the kernel has kept to itself, for who wants to know how things stand.
    fn catch_up(&mut self) {
        self.drain();
        self.drain_kept();
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        let routers = (0..).map(RouterId).take(vrrp.model().routers.len());
        for router in routers {
            self.arrived.extend(still_there(vrrp, kernel, router));
        }
        self.feed_arrived();
    }

    /// One input, and everything that follows from it.
    fn feed(&mut self, input: Input) {
        self.feed_at(clock::now(), input);
    }

    fn feed_at(&mut self, now: MonoNanos, input: Input) {
        self.handle(now, input);
        // What became of sending is news to the protocol. What it sends because of that (priority 0 on the way to
        // FAULT) may fail too, and causes nothing more.
        while !self.outcomes.is_empty() {
            for outcome in std::mem::take(&mut self.outcomes) {
                self.handle(clock::now(), outcome);
            }
        }
    }

    fn handle(&mut self, now: MonoNanos, input: Input) {
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.step(now, &input);
        }
        self.parts.vrrp.handle(now, input, &mut self.effects);
        self.carry_out_all(now);
    }

    fn carry_out_all(&mut self, now: MonoNanos) {
        let mut effects = std::mem::take(&mut self.effects);
        if effects
            .iter()
            .any(|effect| matches!(effect, Effect::Acquire { .. }))
        {
            self.parts.writer.rouse();
        }
        // Adverts first, all of them at once. Everything that others wait for goes out before the kernel is told, and before
        // anything is written for people.
        let Self { outcomes, parts, .. } = self;
        let mut failed = |router, error: SendError| {
            outcomes.push(Input::SendFailed {
                router,
                errno: error.errno(),
                partly: error.is_partial(),
            });
        };
        for effect in &effects {
            if let Effect::Send { router, priority } = *effect {
                parts.sender.queue(router, priority, &mut failed);
            }
        }
        parts.sender.flush(&mut failed);
        let for_the_kernel = |effect: &&Effect| matches!(effect, Effect::Listen { .. });
        for effect in effects.iter().filter(|effect| !for_the_kernel(effect)) {
            self.carry_out(effect);
        }
        for effect in effects.iter().filter(for_the_kernel) {
            self.carry_out(effect);
        }
        let took = clock::now().since(now);
        for effect in effects.drain(..) {
            self.parts.observer.effect(&self.parts.vrrp, now, took, &effect);
        }
        self.effects = effects;
    }

    fn carry_out(&mut self, effect: &Effect) {
        match *effect {
            // Sent already.
            Effect::Send { .. } => {}
            Effect::Probe { router } => {
                if self.parts.sender.probe(router).is_ok() {
                    self.outcomes.push(Input::Probed { router });
                }
            }
            Effect::AnnounceSource { router } => self.announce_source(router),
            Effect::Listen { router } => {
                let Self { outcomes, parts, .. } = self;
                parts.kernel.listen(router, &mut |judged: Judged| {
                    outcomes.extend(judged.input());
                });
            }
            Effect::Acquire { router, announce } => self.parts.writer.acquire(router, announce),
            Effect::Release { router } if self.stopping && self.keep_addresses => {
                tracing::debug!(router = router.0, "addresses stay (-V)");
            }
            Effect::Release { router } => {
                self.presence.releasing(router);
                self.parts.writer.release(router);
            }
            Effect::Restore { router, lost } => self.parts.writer.restore(router, lost),
            Effect::Announce { router, rounds } => self.parts.writer.announce(router, rounds),
            Effect::Notify {
                subject,
                state,
                priority,
            } => {
                self.parts.notifier.notify(subject, state, priority);
            }
            Effect::Remark {
                router: Some(router),
                remark: Remark::PriorityChanged { to, .. },
            } => self.parts.notifier.priority_changed(router, to),
            Effect::Transition { .. } => self.parts.changed.notify_one(),
            Effect::Remark { .. } => {}
        }
    }
}

/// The unchanged adverts of the Master that a virtual router follows, since that was asked last.
fn still_there(vrrp: &Vrrp, kernel: &mut KernelPath, router: RouterId) -> Option<Input> {
    let source = vrrp.quiet(router)?.source;
    let life = kernel.life(router, source)?;
    Some(Input::StillThere {
        router,
        source,
        at: life.at,
        adverts: life.adverts,
    })
}
