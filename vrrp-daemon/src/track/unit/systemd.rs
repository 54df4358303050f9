//! systemd, asked over D-Bus (org.freedesktop.systemd1(5)): of services how often it has restarted them, and whether they
//! have failed. It tells of every change of a unit as soon as somebody has subscribed.

use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, OwnedObjectPath, connection, message};

use super::window::Report;

/// An answer that takes longer does not come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Why it cannot be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unanswered {
    /// There is no bus, no systemd on it, or it does not answer as it should.
    #[error(transparent)]
    Bus(#[from] zbus::Error),
    #[error("it does not answer within {} s", PATIENCE.as_secs())]
    Silent,
    #[error("the connection to the system bus ended")]
    Ended,
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Manager",
    default_service = "org.freedesktop.systemd1",
    default_path = "/org/freedesktop/systemd1"
)]
trait Manager {
    fn subscribe(&self) -> zbus::Result<()>;
    /// Also for one that has no file, whose `LoadState` is `not-found` then.
    fn load_unit(&self, name: &str) -> zbus::Result<OwnedObjectPath>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Unit",
    default_service = "org.freedesktop.systemd1"
)]
trait Unit {
    #[zbus(property)]
    fn load_state(&self) -> zbus::Result<String>;
    #[zbus(property)]
    fn active_state(&self) -> zbus::Result<String>;
}

#[zbus::proxy(
    interface = "org.freedesktop.systemd1.Service",
    default_service = "org.freedesktop.systemd1"
)]
trait Service {
    /// Since systemd 235.
    #[zbus(property, name = "NRestarts")]
    fn restarts(&self) -> zbus::Result<u32>;
}

/// One of the units in question.
#[derive(Debug)]
struct Seat {
    unit: UnitProxy<'static>,
    service: ServiceProxy<'static>,
}

/// The connection, and the units in question. Dropping it ends both.
#[derive(Debug)]
pub(super) struct Systemd {
    /// In the order in which they were named; none for what cannot be a unit.
    seats: Vec<Option<Seat>>,
    /// Each waits for signals of one unit.
    listeners: JoinSet<()>,
    changed: Arc<Notify>,
}

impl Systemd {
    /// Connect, and have it tell of `units`. What happened before is in their first reports.
    pub(super) async fn open(units: &[String]) -> Result<Self, Unanswered> {
        let opened = timeout(PATIENCE, Self::connect(units)).await;
        Ok(opened.map_err(|_| Unanswered::Silent)??)
    }

    async fn connect(units: &[String]) -> zbus::Result<Self> {
        let connection = connection::Builder::system().build().await?;
        let manager = ManagerProxy::new(&connection).await?;
        let mut systemd = Self {
            seats: Vec::new(),
            listeners: JoinSet::new(),
            changed: Arc::default(),
        };
        // First, so that nothing falls between the first report and the first signal.
        manager.subscribe().await?;
        for name in units {
            let seat = match manager.load_unit(name).await {
                Ok(path) => Some(systemd.seat(&connection, path).await?),
                Err(zbus::Error::MethodError(..)) => None,
                Err(error) => return Err(error),
            };
            systemd.seats.push(seat);
        }
        Ok(systemd)
    }

    async fn seat(&mut self, connection: &Connection, path: OwnedObjectPath) -> zbus::Result<Seat> {
        let rule = MatchRule::builder()
            .msg_type(message::Type::Signal)
            .sender("org.freedesktop.systemd1")
            .interface("org.freedesktop.DBus.Properties")
            .member("PropertiesChanged")
            .path(path.clone())
            .build()?;
        let mut signals = MessageStream::for_match_rule(rule, connection, None).await?;
        let changed = Arc::clone(&self.changed);
        self.listeners.spawn(async move {
            // Taken at once: the connection waits for who does not.
            while signals.next().await.is_some() {
                changed.notify_one();
            }
        });
        // Read when asked: what a signal says may be old already.
        Ok(Seat {
            unit: UnitProxy::builder(connection)
                .path(path.clone())
                .cache_properties(CacheProperties::No)
                .build()
                .await?,
            service: ServiceProxy::builder(connection)
                .path(path)
                .cache_properties(CacheProperties::No)
                .build()
                .await?,
        })
    }

    /// How all of them are now, in the order in which they were named; `None` for one that there is not.
    pub(super) async fn reports(&self) -> Result<Vec<Option<Report>>, Unanswered> {
        let mut reports = Vec::new();
        for seat in &self.seats {
            let report = match seat {
                Some(seat) => timeout(PATIENCE, seat.report())
                    .await
                    .map_err(|_| Unanswered::Silent)??,
                None => None,
            };
            reports.push(report);
        }
        Ok(reports)
    }

    /// Until one of them changes, in whatever way; an error when no more is told.
    pub(super) async fn changed(&mut self) -> Result<(), Unanswered> {
        let ended = async {
            if self.listeners.join_next().await.is_none() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.changed.notified() => Ok(()),
            () = ended => Err(Unanswered::Ended),
        }
    }
}

impl Seat {
    async fn report(&self) -> zbus::Result<Option<Report>> {
        if self.unit.load_state().await? == "not-found" {
            return Ok(None);
        }
        // Of the two that belong together the count first: a failure without its restarts is said too late at worst.
        let restarts = self.service.restarts().await?;
        let failed = self.unit.active_state().await? == "failed";
        Ok(Some(Report { restarts, failed }))
    }
}
