//! Two daemons of one kind at work: A Master, B its Backup, until A is cut off or comes back.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use anyhow::{Context, ensure};
use vrrp_tests::lab::{AddressWatch, Capture, Change, Daemon, Direction, Stamp, until};

use super::field::{Field, Player};
use super::trace::{Event, Takeover, What, nanos};
use super::work::{Seat, Work};

/// What a takeover, or a start, may take; a bench that waits longer has failed.
const LIMIT: Duration = Duration::from_secs(30);
/// Adverts of A that B hears before A is cut off, and of the new Master after its last announcement.
const ADVERTS: usize = 3;
/// Short intervals pass before all is quiet again after a big change.
const QUIET: Duration = Duration::from_millis(150);

/// A frame is stamped a little before its receiver has it, and after its sender has sent it. In nanoseconds.
const STAMPING: i64 = 1_000_000;

/// Both daemons, and what is seen of B. For work on one interface.
pub(super) struct Pair<'a> {
    field: &'a Field,
    work: Work,
    addresses: Vec<IpAddr>,
    a: Daemon,
    b: Daemon,
    capture: Capture,
    watch: AddressWatch,
}

/// One time that A was cut off, and came back.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trial {
    /// B took over after that.
    Clean {
        takeover: Takeover,
        /// From the first advert of the returned A that reached B until B's last address was gone, in nanoseconds.
        given_back: i64,
    },
    /// B had taken over before: A was late by more than Master_Down_Interval.
    MasterLate,
    /// B took over sooner than Master_Down_Interval after an advert that reached it.
    TooEarly,
}

impl<'a> Pair<'a> {
    /// Start both, and wait until A is Master for everything.
    pub(super) fn start(field: &'a Field, player: &Player, work: Work) -> anyhow::Result<Self> {
        let program = &player.program;
        let b = Daemon::start(&field.b, program, &work.file(Seat::B), Daemon::QUIET)?;
        let a = Daemon::start(&field.a, program, &work.file(Seat::A), Daemon::QUIET)?;
        let pair = Self {
            field,
            work,
            addresses: work.virtual_addresses(),
            a,
            b,
            capture: field.b_port()?.capture()?,
            watch: AddressWatch::start(&field.b)?,
        };
        pair.settle()
            .with_context(|| format!("starting {}", player.title))?;
        Ok(pair)
    }

    /// Wait until A is Master for everything, B for nothing, and nobody has anything left to say but A's adverts.
    fn settle(&self) -> anyhow::Result<()> {
        let Field { a, b, .. } = self.field;
        until("A holds all addresses and B none", LIMIT, || {
            Ok(a.holds_all(&self.addresses)? && b.holds_none(&self.addresses)?)
        })?;
        let since = Stamp::now();
        self.adverts(Direction::ToHost, since)?;
        // The rest of what belongs to the change: the first advert of A after a pause that nothing else has broken.
        let interval = Duration::from_millis(u64::from(self.work.interval_ms));
        let quiet = QUIET.max(interval);
        let mut last = since;
        self.capture
            .wait_for("a pause without announcements", since, LIMIT, |captured| {
                let event = Event::of(captured)?;
                if event.ours || event.advert().is_none() {
                    last = event.at;
                }
                (event.at.since(last) > quiet).then_some(())
            })?;
        Ok(())
    }

    /// Wait for a few adverts that cross B's port.
    fn adverts(&self, direction: Direction, since: Stamp) -> anyhow::Result<Stamp> {
        let mut seen = 0;
        let what = format!("{ADVERTS} adverts {direction:?}");
        let (at, ()) = self.capture.wait_for(&what, since, LIMIT, |captured| {
            captured.frame().advert()?;
            if captured.direction == direction {
                seen += 1;
            }
            (seen == ADVERTS).then_some(())
        })?;
        Ok(at)
    }

    /// Cut A off, wait until B has taken over, let A come back.
    pub(super) fn trial(&self) -> anyhow::Result<Trial> {
        self.capture.clear();
        self.watch.clear();
        let begun = Stamp::now();
        self.adverts(Direction::ToHost, begun)?;
        let cut = Stamp::now();
        self.field.isolate_a()?;
        let announced = self.announced(begun)?;
        self.adverts(Direction::FromHost, announced)?;
        let events = Event::all(&self.capture, begun);
        let premature = events.iter().any(|event| event.ours && event.at < cut);
        let takeover = Takeover::find(&events, &self.addresses);

        let healed = Stamp::now();
        self.field.heal_a()?;
        let gone = self
            .watch
            .wait_for(Change::Removed, &self.addresses, healed, LIMIT)
            .context("B gives back what it took")?;
        let (back, ()) = self
            .capture
            .wait_for("A's first advert", healed, LIMIT, |captured| {
                captured.frame().advert()?;
                (captured.direction == Direction::ToHost).then_some(())
            })?;
        self.settle()?;
        Ok(match takeover {
            Some(takeover) if takeover.first_advert < -STAMPING => Trial::TooEarly,
            _ if premature => Trial::MasterLate,
            takeover => Trial::Clean {
                takeover: takeover.context("the capture shows no takeover")?,
                given_back: nanos(back, gone),
            },
        })
    }

    /// Wait until B has announced every address since then.
    fn announced(&self, since: Stamp) -> anyhow::Result<Stamp> {
        let mut missing: HashSet<IpAddr> = self.addresses.iter().copied().collect();
        let (at, ()) =
            self.capture
                .wait_for("the announcement of every address", since, LIMIT, |captured| {
                    let event = Event::of(captured)?;
                    if let (true, What::Announcement(address)) = (event.ours, event.what) {
                        missing.remove(&address);
                    }
                    missing.is_empty().then_some(())
                })?;
        Ok(at)
    }

    /// Stop both in order, B first, and wait until their addresses are gone.
    pub(super) fn stop(self) -> anyhow::Result<()> {
        for daemon in [self.b, self.a] {
            let name = daemon.host().name().to_owned();
            let status = daemon.stop(LIMIT)?;
            ensure!(status.success(), "the daemon on host {name}: {status}");
        }
        until("no host holds an address", LIMIT, || {
            Ok(self.field.a.holds_none(&self.addresses)? && self.field.b.holds_none(&self.addresses)?)
        })
    }
}
