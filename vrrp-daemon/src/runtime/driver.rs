//! The protocol thread: wait, read what arrived, feed the protocol, carry out what it wants.
//!
//! One turn of the loop drains the raw sockets and the ring first, then reads the kernel's stamps for the
//! timers that are due, and only then lets timers fire: however late the thread woke, the Master's death is
//! decided by when the kernel last saw it. The clock decides what is due; the timer descriptor only wakes.
//!
//! Cancel safety: every branch of the `select!` is a receive from a channel or the readiness of a descriptor;
//! dropping one loses nothing.

mod news;
mod reload;

use std::io;
use std::net::IpAddr;

use tokio::sync::mpsc;
use vrrp_common::time::{Centis, MonoNanos};
use vrrp_common::wire::checksum::ChecksumForm;
use vrrp_common::wire::ethernet::Mac;
use vrrp_common::wire::ladder::Head;

use super::kernel_path::KernelPath;
use super::observer::Observer;
use super::presence::Presence;
use super::recorder::Recorder;
use super::reload::Reloads;
use super::signals::{Dump, Signals, Wanted};
use super::snapshot::Snapshots;
use crate::effects::addresses::{AddressWriter, Report};
use crate::effects::advert_tx::AdvertSender;
use crate::effects::notify::Notifier;
use crate::ingress::control::ControlRequest;
use crate::ingress::judge::{Judge, Judged};
use crate::ingress::links::LinkEvent;
use crate::ingress::raw::RawReceiver;
use crate::proto::router::MasterSeen;
use crate::proto::{Effect, Heard, Input, Remark, RouterId, Vrrp};
use crate::sys::clock;
use crate::sys::ready::ReadySet;
use crate::sys::timer::Timer;
use crate::track;
use crate::xdp::Seen;

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
}

/// The protocol thread's state.
pub struct Driver {
    parts: Parts,
    timer: Timer,
    started: bool,
    /// Interfaces and addresses have been told once.
    synced: bool,
    presence: Presence,
    keep_addresses: bool,
    stopping: bool,
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
    ///
    /// # Errors
    /// No descriptors left.
    pub fn new(parts: Parts, keep_addresses: bool) -> io::Result<Self> {
        let model = parts.vrrp.model();
        Ok(Self {
            timer: Timer::new()?,
            started: false,
            synced: false,
            presence: Presence::default(),
            keep_addresses,
            stopping: false,
            ifindexes: vec![None; model.links.len()],
            macs: vec![None; model.links.len()],
            sources: vec![None; model.routers.len()],
            effects: Vec::with_capacity(64),
            arrived: Vec::with_capacity(256),
            outcomes: Vec::with_capacity(8),
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
            // Not biased: under a flood the sockets are always ready, and must not keep the rest from its turn.
            tokio::select! {
                signal = signals.next() => match signal {
                    Wanted::Stop => break,
                    Wanted::Reload => self.request_reload(None),
                    Wanted::Dump(dump) => self.dump(dump),
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
                        self.further_link_events();
                        self.turn();
                    }
                    None => return Err(io::Error::other("the watch on interfaces ended")),
                },
                Some(report) = self.parts.reports.recv() => self.report(report),
                Some(news) = self.parts.tracked.recv() => self.feed(news.into()),
                Some(request) = self.parts.control.recv() => self.answer(request),
                Some(answer) = self.parts.reloads.answers.recv() => self.reloaded(answer),
            }
            if self.started
                && let Some(ready) = ready.take()
            {
                ready();
            }
        }
        self.stopping = true;
        self.feed(Input::Shutdown);
        self.release_statics();
        Ok(self.parts)
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
            let Parts {
                vrrp,
                kernel,
                snapshots,
                ..
            } = &mut self.parts;
            vrrp.clear_counters();
            snapshots.clear_counters(kernel);
            tracing::info!("all counters begin at zero again");
        }
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
            Judged::Stranger {
                router,
                source,
                vrid,
                clue,
            } => arrived.push(Input::Stranger {
                router,
                source,
                vrid,
                clue,
            }),
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

    /// A Backup about to take over asks the kernel first when it last saw the Master: an advert that found
    /// the ring full left its stamp and its first eight bytes.
    fn read_stamps(&mut self, now: MonoNanos) {
        let Parts { vrrp, kernel, .. } = &self.parts;
        for router in vrrp.down_timers_due(now) {
            let Some(master) = vrrp.status(router).and_then(|status| status.master) else {
                continue;
            };
            let seen = kernel.last_seen(router, master.address);
            if let Some(seen) = seen.filter(|seen| seen.at > master.last) {
                self.arrived.extend(unread(router, &master, &seen));
            }
        }
        self.feed_arrived();
    }

    /// One input, and everything that follows from it.
    fn feed(&mut self, input: Input) {
        self.handle(input);
        // What became of sending is news to the protocol. What it sends because of that (priority 0 on the way to
        // FAULT) may fail too, and causes nothing more.
        while !self.outcomes.is_empty() {
            for outcome in std::mem::take(&mut self.outcomes) {
                self.handle(outcome);
            }
        }
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
        self.carry_out_all(now);
    }

    fn carry_out_all(&mut self, now: MonoNanos) {
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
                    self.outcomes.push(Input::SendFailed {
                        router,
                        errno: error.errno(),
                        partly: error.is_partial(),
                    });
                }
            }
            Effect::Probe { router } => {
                if self.parts.sender.probe(router).is_ok() {
                    self.outcomes.push(Input::Probed { router });
                }
            }
            Effect::AnnounceSource { router } => self.announce_source(router),
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
            Effect::Transition { .. } | Effect::Remark { .. } => {}
        }
    }
}

/// What an advert that never came through the ring has to say. Its first eight bytes hold all that the election
/// asks of it; that it held every rule the kernel has seen to.
fn unread(router: RouterId, master: &MasterSeen, seen: &Seen) -> Option<Input> {
    let head = Head::read(&seen.head).ok()?;
    let (source, at) = (master.address, seen.at);
    if head.priority == master.priority {
        return Some(Input::StillThere { router, source, at });
    }
    Some(Input::Advert(Heard {
        router,
        source,
        priority: head.priority,
        interval: Centis::new(head.interval)?,
        at,
        checksum: ChecksumForm::Pseudo,
        same_addresses: true,
    }))
}

#[cfg(test)]
mod tests {
    use vrrp_common::id::Priority;
    use vrrp_common::time::{Centis, MonoNanos};
    use vrrp_common::wire::checksum::ChecksumForm;

    use super::unread;
    use crate::proto::router::MasterSeen;
    use crate::proto::{Heard, Input, RouterId};
    use crate::xdp::Seen;

    const MASTER: MasterSeen = MasterSeen {
        address: std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)),
        priority: Priority(200),
        last: MonoNanos(1_000),
    };

    fn head(priority: u8) -> Seen {
        // VRRPv3, VRID 51, one address, 25 cs.
        let head = [0x31, 51, priority, 1, 0, 25, 0xab, 0xcd];
        Seen {
            at: MonoNanos(2_000),
            head,
        }
    }

    #[test]
    fn an_unread_advert_as_before_says_that_the_master_lives() {
        let expected = Input::StillThere {
            router: RouterId(3),
            source: MASTER.address,
            at: MonoNanos(2_000),
        };
        assert_eq!(unread(RouterId(3), &MASTER, &head(200)), Some(expected));
    }

    /// Taken for a sign of life, an unread priority 0 would delay the takeover by a whole Master_Down_Interval.
    #[test]
    fn an_unread_release_is_a_release() {
        let expected = Input::Advert(Heard {
            router: RouterId(3),
            source: MASTER.address,
            priority: Priority::RELEASE,
            interval: Centis::new(25).unwrap(),
            at: MonoNanos(2_000),
            checksum: ChecksumForm::Pseudo,
            same_addresses: true,
        });
        assert_eq!(unread(RouterId(3), &MASTER, &head(0)), Some(expected));
    }
}
