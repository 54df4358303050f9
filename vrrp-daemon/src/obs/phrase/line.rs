//! A line and its evidence: to the log as text with fields, to those who follow as an event.

use std::net::IpAddr;

use tracing::Level;
use tracing::field::display;
use vrrp_common::time::Nanos;

use crate::ingress::control::events::{Event, EventKind};
use crate::proto::{Model, RouterId};

/// A line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrase {
    /// INFO: shown always; DEBUG: with `-D`; WARN: somebody should look.
    pub level: Level,
    /// The line.
    pub text: String,
    /// What those who follow are told it is; `None`: a detail, which they are not told.
    pub kind: Option<EventKind>,
    /// What it is to the log, where those who follow are not told.
    pub own: Option<&'static str>,
    /// The virtual router or sync group it is about.
    pub subject: Option<String>,
    /// VRID of the virtual router.
    pub vrid: Option<u8>,
    /// Its interface.
    pub interface: Option<String>,
    /// State before, of a transition.
    pub from: Option<&'static str>,
    /// State after, of a transition.
    pub to: Option<&'static str>,
    /// The name of the reason or remark.
    pub reason: Option<&'static str>,
    /// The other router: of a transition, the Master that was heard last.
    pub source: Option<IpAddr>,
    /// Age of its last advert, of a transition.
    pub age: Option<Nanos>,
    /// How long it took, of a transition.
    pub took: Option<Nanos>,
}

impl Phrase {
    pub(super) fn new(level: Level, text: String) -> Self {
        Self {
            level,
            text,
            kind: None,
            own: None,
            subject: None,
            vrid: None,
            interface: None,
            from: None,
            to: None,
            reason: None,
            source: None,
            age: None,
            took: None,
        }
    }

    /// The same, about a virtual router.
    pub(super) fn about(self, model: &Model, router: RouterId) -> Self {
        let Some(router) = model.routers.get(router.index()) else {
            return self;
        };
        Self {
            subject: Some(router.name.clone()),
            vrid: Some(router.vrid.value()),
            interface: model.links.get(router.link.index()).cloned(),
            ..self
        }
    }

    /// A transition took so long: from what caused it until its adverts were sent, and the rest (addresses, scripts) was
    /// handed to the threads that do it. Another line is not timed.
    #[must_use]
    pub fn took(mut self, took: Nanos) -> Self {
        if self.kind == Some(EventKind::Transition) {
            self.text.push_str(&format!(", took {took}"));
            self.took = Some(took);
        }
        self
    }

    /// The same, for those who follow.
    #[must_use]
    pub fn event(&self, kind: EventKind) -> Event {
        let word = |word: Option<&str>| word.map(str::to_owned);
        Event {
            seq: 0,
            unix_ms: 0,
            kind,
            subject: self.subject.clone(),
            vrid: self.vrid,
            interface: self.interface.clone(),
            from: word(self.from),
            to: word(self.to),
            reason: word(self.reason),
            source: self.source,
            age_ms: self.age.map(Nanos::as_millis),
            age_us: self.age.map(Nanos::as_micros),
            took_us: self.took.map(Nanos::as_micros),
            text: self.text.clone(),
        }
    }

    /// Hand it to the log. docs/logging.md lists the fields.
    pub fn emit(&self) {
        let is = |kind| self.kind == Some(kind);
        let subject = self.subject.as_deref();
        let source = self.source.map(display);
        let event = match self.kind {
            Some(EventKind::Transition) => Some("transition"),
            Some(EventKind::Group) => Some("group"),
            Some(EventKind::Remark) => Some("remark"),
            None => self.own,
        };
        macro_rules! at {
            ($level:expr) => {
                tracing::event!(
                    $level,
                    event,
                    instance = subject.filter(|_| !is(EventKind::Group)),
                    group = subject.filter(|_| is(EventKind::Group)),
                    vrid = self.vrid,
                    interface = self.interface.as_deref(),
                    from = self.from,
                    to = self.to,
                    reason = self.reason,
                    master = source.as_ref().filter(|_| is(EventKind::Transition)),
                    source = source.as_ref().filter(|_| !is(EventKind::Transition)),
                    last_advert_age_us = self.age.map(Nanos::as_micros),
                    took_us = self.took.map(Nanos::as_micros),
                    "{}",
                    self.text
                )
            };
        }
        match self.level {
            Level::ERROR => at!(Level::ERROR),
            Level::WARN => at!(Level::WARN),
            Level::INFO => at!(Level::INFO),
            Level::DEBUG => at!(Level::DEBUG),
            Level::TRACE => at!(Level::TRACE),
        }
    }
}
