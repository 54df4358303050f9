//! The protocol thread: wait, read what arrived, feed the protocol, carry out what it wants.
//!
//! One turn of the loop drains the raw sockets and the ring first, then reads the kernel's stamps for the
//! timers that are due, and only then lets timers fire: however late the thread woke, the Master's death is
//! decided by when the kernel last saw it. The clock decides what is due; the timer descriptor only wakes.
//!
//! Cancel safety: every branch of the `select!` is a receive from a channel or the readiness of a descriptor;
//! dropping one loses nothing.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use vrrp_common::time::MonoNanos;

use super::kernel_path::KernelPath;
use super::recorder::Recorder;
use super::snapshot::{Snapshots, View};
use crate::effects::addresses::{AddressWriter, Report};
use crate::effects::advert_tx::AdvertSender;
use crate::effects::notify::Notifier;
use crate::ingress::control::ControlRequest;
use crate::ingress::judge::{Judge, Judged};
use crate::ingress::links::LinkEvent;
use crate::ingress::raw::RawReceiver;
use crate::proto::{Effect, Input, LinkId, RouterId, ScriptId, ScriptState, State, Vrrp};
use crate::sys::clock;
use crate::sys::ready::ReadySet;
use crate::sys::timer::Timer;

/// Shows what the protocol does; given by the floor above, because what to say is not decided here.
pub trait Observer {
    /// One effect, just carried out.
    fn effect(&mut self, vrrp: &Vrrp, now: MonoNanos, effect: &Effect);
    /// Why a router is in its state, in words.
    fn reason(&self, vrrp: &Vrrp, router: RouterId) -> String;
}

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
    /// Verdicts on tracked scripts.
    pub scripts: mpsc::Receiver<(ScriptId, ScriptState)>,
    /// Requests of control clients.
    pub control: mpsc::Receiver<ControlRequest>,
    /// Writes every input down, if asked to.
    pub recorder: Option<Recorder>,
    /// What a status snapshot shows besides the protocol.
    pub snapshots: Snapshots,
    /// Shows what happens.
    pub observer: Box<dyn Observer>,
    /// When the election may begin (`vrrp_startup_delay`).
    pub start_at: MonoNanos,
}

/// The protocol thread's state.
pub struct Driver {
    parts: Parts,
    timer: Timer,
    started: bool,
    /// Interfaces and addresses have been told once.
    synced: bool,
    /// Virtual addresses that are on the host.
    present: HashSet<(RouterId, IpAddr)>,
    keep_addresses: bool,
    stopping: bool,
    /// The interfaces' indices, to go with a source when one of the two changes.
    ifindexes: Vec<Option<u32>>,
    sources: Vec<Option<IpAddr>>,
    // Buffers that keep their capacity from turn to turn.
    effects: Vec<Effect>,
    arrived: Vec<Input>,
    failures: Vec<Input>,
}

impl Driver {
    /// Put the parts together. `keep_addresses`: the last releases, at the end, are not carried out (`-V`).
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new(parts: Parts, keep_addresses: bool) -> io::Result<Self> {
        let model = parts.vrrp.model();
        Ok(Self {
            timer: Timer::new()?,
            started: false,
            synced: false,
            present: HashSet::new(),
            keep_addresses,
            stopping: false,
            ifindexes: vec![None; model.links.len()],
            sources: vec![None; model.routers.len()],
            effects: Vec::with_capacity(64),
            arrived: Vec::with_capacity(256),
            failures: Vec::with_capacity(8),
            parts,
        })
    }

    /// Run until a signal ends it; every Master has given up then. The parts come back, to be taken down.
    ///
    /// # Errors
    /// A system call on one of our own descriptors failed.
    pub async fn run(mut self, ignore_sigint: bool, ready: impl FnOnce()) -> io::Result<Parts> {
        let set = ReadySet::new()?;
        set.add(&self.timer, 0)?;
        set.add(&self.parts.raw, 0)?;
        if let Some(ring) = self.parts.kernel.ring() {
            set.add(ring, 0)?;
        }
        let wakeups = set.into_async()?;
        let mut signals = Signals::new(ignore_sigint)?;
        let mut ready = Some(ready);

        loop {
            self.timer.arm(self.next_deadline())?;
            tokio::select! {
                biased;
                signal = signals.next() => match signal {
                    Wanted::Stop => break,
                    Wanted::Reload => tracing::warn!(
                        "reloading is not supported yet: the configuration stays as it is; restart to change it"
                    ),
                    Wanted::Dump => tracing::warn!(
                        "data and statistics files are not written yet; `vrrpctl status --json` shows what they held"
                    ),
                },
                guard = wakeups.readable() => {
                    let mut guard = guard?;
                    self.turn();
                    // A drain is bounded: come back at once while something is left.
                    if guard.get_inner().poll()?.next().is_none() {
                        guard.clear_ready();
                    }
                }
                event = self.parts.links.recv() => match event {
                    Some(event) => {
                        self.link_event(event);
                        self.turn();
                    }
                    None => return Err(io::Error::other("the watch on interfaces ended")),
                },
                Some(report) = self.parts.reports.recv() => self.report(report),
                Some((script, state)) = self.parts.scripts.recv() => {
                    self.parts.snapshots.note_script(script, state);
                    self.feed(Input::Script { script, state });
                }
                Some(request) = self.parts.control.recv() => self.answer(request),
            }
            if self.started
                && let Some(ready) = ready.take()
            {
                ready();
            }
        }
        self.stopping = true;
        self.feed(Input::Shutdown);
        Ok(self.parts)
    }

    fn next_deadline(&self) -> Option<MonoNanos> {
        if self.started {
            self.parts.vrrp.next_deadline()
        } else {
            // Until then the interfaces are waited for, not the clock.
            self.synced.then_some(self.parts.start_at)
        }
    }

    /// Read everything that arrived, then let time pass.
    fn turn(&mut self) {
        // Errors of a descriptor of ours show as a wake-up that brings nothing; the next turn meets them again.
        let _ = self.timer.clear();
        self.drain();
        let now = clock::now();
        if !self.started {
            if now >= self.parts.start_at && self.synced {
                self.started = true;
                self.feed(Input::Start);
            }
            return;
        }
        if self
            .parts
            .vrrp
            .next_deadline()
            .is_none_or(|deadline| deadline > now)
        {
            return;
        }
        self.read_stamps(now);
        self.feed(Input::Tick);
    }

    /// Adverts from the ring and the raw sockets, in the order of their arrival within each.
    fn drain(&mut self) {
        let Self { arrived, parts, .. } = self;
        let mut sink = |judged: Judged| match judged {
            Judged::Heard(heard) => arrived.push(Input::Advert(heard)),
            Judged::Refused {
                router,
                source,
                refusal,
            } => {
                arrived.push(Input::Refused {
                    router,
                    source,
                    refusal,
                });
            }
            Judged::NotOurs => {}
        };
        parts.kernel.drain(&parts.judge, &mut sink);
        if let Err(error) = parts.raw.drain(&parts.judge, clock::now(), &mut sink) {
            tracing::debug!("reading a raw socket: {error}");
        }
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

    /// A Backup about to take over asks the kernel first when it last saw the Master: the ring may have been
    /// full.
    fn read_stamps(&mut self, now: MonoNanos) {
        let Parts { vrrp, kernel, .. } = &self.parts;
        for router in vrrp.down_timers_due(now) {
            let Some(master) = vrrp.status(router).and_then(|status| status.master) else {
                continue;
            };
            if let Some(at) = kernel.last_seen(router, master.address)
                && at > master.last
            {
                self.arrived.push(Input::StillThere {
                    router,
                    source: master.address,
                    at,
                });
            }
        }
        self.feed_arrived();
    }

    /// One input, and everything that follows from it.
    fn feed(&mut self, input: Input) {
        self.handle(input);
        // Failures to send are news to the protocol; they cause no further sending.
        let mut failures = std::mem::take(&mut self.failures);
        for failure in failures.drain(..) {
            self.handle(failure);
        }
        self.failures = failures;
    }

    fn handle(&mut self, input: Input) {
        let now = clock::now();
        if let Some(recorder) = &mut self.parts.recorder {
            recorder.step(now, &input);
        }
        self.parts.vrrp.handle(now, input, &mut self.effects);
        if let Input::Advert(heard) = input {
            self.follow(heard.router);
        }
        let mut effects = std::mem::take(&mut self.effects);
        // Everything that others wait for goes out before anything is written for people.
        for effect in &effects {
            self.carry_out(effect);
        }
        for effect in effects.drain(..) {
            self.parts.observer.effect(&self.parts.vrrp, now, &effect);
        }
        self.effects = effects;
    }

    /// Have the kernel keep the stamps of the Master that a Backup follows.
    fn follow(&mut self, router: RouterId) {
        let Parts { vrrp, kernel, .. } = &mut self.parts;
        if let Some(master) = vrrp.status(router).and_then(|status| status.master) {
            kernel.follow(router, master.address);
        }
    }

    fn carry_out(&mut self, effect: &Effect) {
        match *effect {
            Effect::Send { router, priority } => {
                if let Err(error) = self.parts.sender.send(router, priority) {
                    self.failures.push(Input::SendFailed {
                        router,
                        errno: error.errno(),
                    });
                }
            }
            Effect::Acquire { router, announce } => self.parts.writer.acquire(router, announce),
            Effect::Release { router } if self.stopping && self.keep_addresses => {
                tracing::debug!(router = router.0, "addresses stay (-V)");
            }
            Effect::Release { router } => self.parts.writer.release(router),
            Effect::Announce { router, rounds } => self.parts.writer.announce(router, rounds),
            Effect::Notify {
                subject,
                state,
                priority,
            } => {
                self.parts.notifier.notify(subject, state, priority);
            }
            Effect::Transition { .. } | Effect::Remark { .. } => {}
        }
    }
}

/// What the network tells, and what the other threads report.
impl Driver {
    fn link_event(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Link {
                link,
                ifindex,
                mac,
                state,
            } => {
                self.parts.writer.set_link(link, ifindex, mac);
                if let Err(error) = self.parts.raw.set_link(link, ifindex) {
                    tracing::warn!("{error}");
                }
                self.parts.kernel.set_link(self.parts.vrrp.model(), link, ifindex);
                if let Some(known) = self.ifindexes.get_mut(link.index()) {
                    *known = ifindex;
                }
                for router in self.routers_on(link) {
                    self.open_sender(router);
                }
                self.feed(Input::Link { link, state });
            }
            LinkEvent::Source { router, address } => {
                if let Some(source) = self.sources.get_mut(router.index()) {
                    *source = address;
                }
                if let Err(error) = self.parts.raw.set_source(router, address) {
                    tracing::warn!("{error}");
                }
                self.parts
                    .kernel
                    .set_source(self.parts.vrrp.model(), router, address);
                self.open_sender(router);
                self.feed(Input::Source { router, address });
            }
            LinkEvent::Vip {
                router,
                address,
                present: true,
            } => {
                self.present.insert((router, address));
            }
            LinkEvent::Vip {
                router,
                address,
                present: false,
            } => {
                self.present.remove(&(router, address));
                self.address_removed(router, address);
            }
            LinkEvent::Synced => self.synced = true,
        }
    }
}

/// What the other threads report and ask.
impl Driver {
    fn open_sender(&mut self, router: RouterId) {
        let Some(config) = self.parts.vrrp.model().routers.get(router.index()) else {
            return;
        };
        let source = self.sources.get(router.index()).copied().flatten();
        let ifindex = self.ifindexes.get(config.link.index()).copied().flatten();
        if let Err(error) = self.parts.sender.set_source(router, source, ifindex) {
            tracing::warn!("{error}");
        }
    }

    fn routers_on(&self, link: LinkId) -> Vec<RouterId> {
        let routers = (0..).map(RouterId).zip(&self.parts.vrrp.model().routers);
        routers
            .filter(|(_, router)| router.link == link)
            .map(|(id, _)| id)
            .collect()
    }

    fn report(&mut self, report: Report) {
        let model = self.parts.vrrp.model();
        let name = |router: RouterId| {
            model
                .routers
                .get(router.index())
                .map_or("?", |router| &router.name)
        };
        match report {
            Report::Acquired {
                router,
                added,
                already,
                took,
            } => {
                tracing::debug!(
                    "({}) {added} addresses added, {already} were there, in {took}",
                    name(router)
                );
            }
            Report::Released { router, removed } => {
                tracing::debug!("({}) {removed} addresses removed", name(router));
            }
            Report::Refused {
                router,
                failed,
                address,
                errno,
            } => {
                tracing::error!(
                    "({}) {failed} addresses cannot be added, {address} first: {errno}; check that the interface is \
                     there and the address is not in use by something else",
                    name(router)
                );
                self.feed(Input::AddressesRefused { router, failed });
            }
            Report::NotRemoved {
                router,
                failed,
                address,
                errno,
            } => {
                tracing::error!(
                    "({}) {failed} addresses cannot be removed, {address} first: {errno}; remove them with `ip addr del`",
                    name(router)
                );
            }
            Report::NotAnnounced { router, link, errno } => {
                let link = model.links.get(link.index()).map_or("?", String::as_str);
                tracing::warn!("({}) gratuitous ARP on {link} failed: {errno}", name(router));
            }
        }
    }

    /// Somebody else took an address of ours away: put it back, rather than give up mastership over it.
    fn address_removed(&mut self, router: RouterId, address: IpAddr) {
        let status = self.parts.vrrp.status(router);
        if status.is_some_and(|status| status.state == State::Master) {
            let name = self
                .parts
                .vrrp
                .model()
                .routers
                .get(router.index())
                .map_or("?", |router| &router.name);
            tracing::warn!("({name}) {address} was removed by another program; adding it again");
            self.parts.writer.acquire(router, 1);
        }
    }

    fn answer(&mut self, request: ControlRequest) {
        let ControlRequest::Status { reply } = request;
        let present = |router: RouterId, address| self.present.contains(&(router, address));
        let status = self.parts.snapshots.take(
            clock::now(),
            View {
                vrrp: &self.parts.vrrp,
                kernel: &self.parts.kernel,
                ifindexes: &self.ifindexes,
                present: &present,
                observer: self.parts.observer.as_ref(),
                notifications_dropped: self.parts.notifier.dropped(),
            },
        );
        // A client that left in the meantime is no error.
        let _ = reply.send(status);
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Stop,
    Reload,
    Dump,
}

/// SIGTERM, SIGINT unless it is not for us, and those that keepalived's tools send: unheard they would kill.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    user1: Signal,
    user2: Signal,
    ignore_sigint: bool,
}

impl Signals {
    fn new(ignore_sigint: bool) -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            user1: signal(SignalKind::user_defined1())?,
            user2: signal(SignalKind::user_defined2())?,
            ignore_sigint,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::Stop,
            _ = self.interrupt.recv(), if !self.ignore_sigint => Wanted::Stop,
            _ = self.hangup.recv() => Wanted::Reload,
            _ = self.user1.recv() => Wanted::Dump,
            _ = self.user2.recv() => Wanted::Dump,
        }
    }
}
