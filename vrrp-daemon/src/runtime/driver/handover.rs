//! The end of a process that a successor follows (a hitless restart).
//!
//! | step | this process |
//! |---|---|
//! | a successor is expected | runs as ever; a stop within a few seconds is meant for it |
//! | its parent asks to be left | runs as ever, alone, until the end of the lease: then it gives up |
//! | the successor asks | writes down what it is, and from then on only sends the adverts of its Masters |
//! | the successor has taken over | ends; what it holds stays |
//! | it has not | gives up |

use tokio::sync::oneshot;
use vrrp_common::id::Priority;
use vrrp_common::time::{MonoNanos, Nanos};

use std::io;
use std::mem;
use std::pin::pin;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use super::super::kernel_path::KernelPath;
use super::super::line::{Heard, Said};
use super::super::wakeups::Wakeups;
use super::Driver;
use crate::ingress::control::message::Expecting;
use crate::proto::{Estate, RouterId, State};
use crate::sys::ready::Patience;
use crate::sys::{clock, process, sched};

/// A stop within this time is meant for the successor that was announced.
const EXPECT: Nanos = Nanos::from_secs(10);
/// After this long without a word of whoever talks to the successor, there is none.
const BRIDGE: Nanos = Nanos::from_secs(15);

/// The adverts of a Master between two processes.
struct Cadence {
    router: RouterId,
    priority: Priority,
    interval: Nanos,
    at: MonoNanos,
}

impl Driver {
    /// A successor is expected, and may take as long as `lease` to come.
    pub(super) fn expect(&mut self, lease: Nanos) -> Result<Expecting, String> {
        let expecting = Expecting {
            within_ms: EXPECT.as_millis(),
            lease_ms: lease.as_millis(),
        };
        let now = clock::now();
        if let Some(until) = &mut self.left {
            // This one was stopped already, and its successor is being stopped before it has come.
            *until = now + lease;
            return Ok(expecting);
        }
        if !self.started {
            return Err("the daemon has not begun the election: there is nothing to hand over".to_owned());
        }
        let within = Duration::from_millis(expecting.within_ms);
        if !self.parts.parent.say(&Said::Expects(within)) {
            return Err("the daemon's parent process is gone: it stops".to_owned());
        }
        self.expects = Some((now + EXPECT, lease));
        Ok(expecting)
    }

    /// Whether the parent asks to be left, and whether it is.
    pub(super) fn asked_to_leave(&mut self) -> Heard<bool> {
        match self.parts.parent.asks() {
            Heard::Said(()) => Heard::Said(self.leave()),
            Heard::Nothing => Heard::Nothing,
            Heard::End => Heard::End,
        }
    }

    /// Stay on duty without the parent; `false`: stop.
    fn leave(&mut self) -> bool {
        let now = clock::now();
        // The parent counts from a moment later.
        let expected = self.expects.take().filter(|(until, _)| now < *until + EXPECT);
        let Some((_, lease)) = expected else { return false };
        if let Err(error) = process::outlive_parent() {
            tracing::error!(
                event = "restart",
                reason = "not-left",
                "cannot stay on duty without its parent, gives up: {error}"
            );
            return false;
        }
        if let Some(pid_file) = &mut self.parts.pid_file
            && let Err(error) = pid_file.leave()
        {
            tracing::error!(
                event = "restart",
                reason = "not-left",
                "cannot be found by a successor, gives up: {error}"
            );
            return false;
        }
        self.left = Some(now + lease);
        let (seconds, tenths) = (lease.as_millis() / 1_000, lease.as_millis() / 100 % 10);
        tracing::info!(
            event = "restart",
            reason = "left",
            lease_ms = lease.as_millis(),
            "stays on duty for a successor, for {seconds}.{tenths} s at most: {}",
            self.masters()
        );
        self.parts.parent.say(&Said::Leaves)
    }

    /// The successor has not come in time.
    pub(super) fn lease_is_over(&self) -> bool {
        let over = self.left.is_some_and(|until| until <= clock::now()) && self.handing.is_none();
        if over {
            tracing::error!(
                event = "restart",
                reason = "lease-over",
                "no successor has come: gives up; see why the daemon does not start"
            );
        }
        over
    }

    /// The successor is here. What arrived until now is this process's to judge, and nothing after.
    pub(super) fn hand_over(
        &mut self,
        reply: oneshot::Sender<Result<Estate, String>>,
        settled: oneshot::Receiver<Vec<RouterId>>,
    ) {
        if self.left.is_none() {
            let _ = reply.send(Err("it is not told to stop, and hands over nothing".to_owned()));
            return;
        }
        if reply.is_closed() || self.handing.is_some() {
            return;
        }
        self.turn();
        self.catch_up();
        let Some(estate) = self.parts.vrrp.estate() else {
            let _ = reply.send(Err("it is not running".to_owned()));
            return;
        };
        self.handing = Some(settled);
        self.parts.pid_file = None;
        // The program makes room for the successor's. A driver may take its time with that, and adverts do not wait.
        let kernel = mem::replace(&mut self.parts.kernel, KernelPath::none());
        let answer = move || {
            let _ = sched::normal();
            drop(kernel);
            let _ = reply.send(Ok(estate));
        };
        // Without a thread there is no answer, and without a successor's word this process gives up.
        if let Err(error) = thread::Builder::new().name("handover".to_owned()).spawn(answer) {
            tracing::error!(
                event = "restart",
                reason = "not-handed-over",
                "cannot hand over: {error}"
            );
        }
    }

    /// Send the adverts of the Masters in turn and do nothing else, until it is settled who goes on; the virtual routers
    /// that the successor does not have, if it is the successor.
    pub(super) fn bridge(
        &mut self,
        settled: oneshot::Receiver<Vec<RouterId>>,
        wakeups: Wakeups,
    ) -> io::Result<Option<Vec<RouterId>>> {
        // What arrives now waits for somebody else, and must not wake this thread.
        let mut wakeups = wakeups.narrow()?;
        let waker = wakeups.waker.clone();
        let mut settled = pin!(settled);
        let mut cadences = self.cadences();
        let until = clock::now() + BRIDGE;
        loop {
            let next = cadences.iter().map(|cadence| cadence.at).min();
            let next = next.map_or(until, |next| next.min(until));
            if let Poll::Ready(without) = settled.as_mut().poll(&mut Context::from_waker(&waker)) {
                let without = without.ok();
                if without.is_none() {
                    tracing::error!(
                        event = "restart",
                        reason = "not-handed-over",
                        "the successor did not take over: gives up"
                    );
                }
                return Ok(without);
            }
            wakeups.wait(Some(next), Patience::Endless)?;
            let now = clock::now();
            if now >= until {
                tracing::error!(
                    event = "restart",
                    reason = "not-handed-over",
                    "nothing was heard of the successor: gives up"
                );
                return Ok(None);
            }
            for cadence in cadences.iter_mut().filter(|cadence| cadence.at <= now) {
                self.parts
                    .sender
                    .queue(cadence.router, cadence.priority, &mut |_, _| {});
                cadence.at = (cadence.at + cadence.interval).max(now);
            }
            self.parts.sender.flush(&mut |_, _| {});
        }
    }

    /// `Master of 1 of 2 virtual routers`
    pub(super) fn masters(&self) -> String {
        let all = self.parts.vrrp.model().routers.len();
        let masters = (0..)
            .map(RouterId)
            .take(all)
            .filter(|router| self.is_master(*router));
        format!("Master of {} of {all} virtual routers", masters.count())
    }

    fn cadences(&self) -> Vec<Cadence> {
        let vrrp = &self.parts.vrrp;
        let routers = (0..).map(RouterId).zip(&vrrp.model().routers);
        let masters = routers.filter_map(|(router, config)| {
            let status = vrrp.status(router)?;
            (status.state == State::Master).then(|| Cadence {
                router,
                priority: status.priority,
                interval: config.interval.nanos(),
                at: status.outlook.advert_at.unwrap_or_default(),
            })
        });
        masters.collect()
    }

    /// A successor goes on. What it does not have gives up; the addresses of that are the successor's to remove, last,
    /// as in a reload.
    pub(super) fn taken_over(&mut self, without: Vec<RouterId>) {
        let now = clock::now();
        self.parts
            .vrrp
            .leave_out(now, without.into_iter(), &mut self.effects);
        self.carry_out_all(now);
    }
}
