//! Log lines, off the threads that have something to say: an event is put into words on its own thread and
//! queued; the log thread writes it to the console, syslog, the journal or a file.
//!
//! Nobody waits for a log. When the queue is full, because a disk or syslogd is slow, lines are dropped,
//! counted, and the count is logged as soon as there is room.

mod record;
mod sink;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use self::record::Record;
use self::sink::Sinks;
use crate::ingress::control::message::LogLevel;
use crate::ingress::links::ADDRESSES;

/// Lines that may wait for the log thread.
const QUEUE: usize = 2048;
/// How long the end of the daemon may wait for its last lines to be written.
const FLUSH_PATIENCE: Duration = Duration::from_secs(1);

/// Where lines go and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Who speaks: `Keepalived_vrrp` for the protocol process, `Keepalived` for its parent.
    pub ident: String,
    /// Standard error.
    pub console: bool,
    /// syslog or the journal, with this facility number.
    pub syslog: Option<u8>,
    /// syslog's socket, `/dev/log`. Where the journal listens on it, the journal's own protocol is used.
    pub socket: PathBuf,
    /// A file.
    pub file: Option<PathBuf>,
    /// Write each line through to the file at once.
    pub flush: bool,
    /// Each line on the console and in the file is a JSON object. syslog gets text all the same, in which alerting looks for
    /// keepalived's words, and the journal text with fields.
    pub json: bool,
    /// 0: what alerting needs; 1 (`-D`): detail; 2: more.
    pub detail: u8,
    /// Every address that comes or goes (`-a`).
    pub addresses: bool,
}

impl Settings {
    /// syslog's usual socket.
    pub const SYSLOG_SOCKET: &str = "/dev/log";

    fn level(&self) -> LogLevel {
        match self.detail {
            0 => LogLevel::Info,
            1 => LogLevel::Debug,
            _ => LogLevel::Trace,
        }
    }
}

enum Entry {
    Line(Record),
    Stop,
}

/// Keeps the log thread; dropping it writes out what is queued.
#[derive(Debug)]
#[must_use = "dropping it ends the log"]
pub struct Guard {
    queue: SyncSender<Entry>,
    shared: Arc<Shared>,
    ended: Receiver<()>,
}

#[derive(Debug, Default)]
struct Shared {
    dropped: AtomicU64,
    stopping: AtomicBool,
    level: Level8,
}

/// The level, which may change while lines are written.
#[derive(Debug, Default)]
struct Level8(AtomicU8);

impl Level8 {
    fn set(&self, level: LogLevel) {
        let number = match level {
            LogLevel::Warn => 0,
            LogLevel::Info => 1,
            LogLevel::Debug => 2,
            LogLevel::Trace => 3,
        };
        self.0.store(number, Ordering::Relaxed);
    }

    fn filter(&self) -> LevelFilter {
        match self.0.load(Ordering::Relaxed) {
            0 => LevelFilter::WARN,
            1 => LevelFilter::INFO,
            2 => LevelFilter::DEBUG,
            _ => LevelFilter::TRACE,
        }
    }
}

/// The log of the whole process, once there is one.
static SHARED: OnceLock<Arc<Shared>> = OnceLock::new();

/// Log more or less from now on.
pub fn set_level(level: LogLevel) {
    if let Some(shared) = SHARED.get() {
        shared.level.set(level);
        // Each place that logs remembers whether it is to.
        tracing::callsite::rebuild_interest_cache();
    }
}

/// Make this the log of the whole process.
///
/// # Errors
/// When there is no thread, or a log is installed already.
pub fn init(settings: Settings) -> anyhow::Result<Guard> {
    let (layer, guard) = start(settings)?;
    let _first = SHARED.set(Arc::clone(&layer.shared));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;
    Ok(guard)
}

/// Start the log thread; the layer feeds it.
fn start(settings: Settings) -> std::io::Result<(QueueLayer, Guard)> {
    let (queue, entries) = sync_channel(QUEUE);
    let (ending, ended) = std::sync::mpsc::channel();
    let shared = Arc::new(Shared::default());
    shared.level.set(settings.level());
    let layer = QueueLayer {
        addresses: settings.addresses,
        queue: queue.clone(),
        shared: Arc::clone(&shared),
    };
    let of_thread = Arc::clone(&shared);
    thread::Builder::new().name("log".to_owned()).spawn(move || {
        // Lowering oneself is always permitted.
        let _ = crate::sys::sched::normal();
        // Sends nothing: its end is the message.
        let _ending = ending;
        write_lines(&settings, &entries, &of_thread);
    })?;
    Ok((layer, Guard { queue, shared, ended }))
}

fn write_lines(settings: &Settings, entries: &Receiver<Entry>, shared: &Shared) {
    let mut sinks = Sinks::new(settings);
    let mut reported = 0;
    let mut pending = None;
    loop {
        let entry = match pending.take() {
            Some(entry) => entry,
            None => match entries.recv() {
                Ok(entry) => entry,
                Err(_) => return,
            },
        };
        match entry {
            Entry::Line(record) => sinks.write(&record, &shared.stopping),
            Entry::Stop => return,
        }
        let dropped = shared.dropped.load(Ordering::Relaxed);
        if dropped != reported {
            let record = lost(dropped - reported);
            sinks.write(&record, &shared.stopping);
            reported = dropped;
        }
        pending = entries.try_recv().ok();
        if pending.is_none() {
            sinks.flush();
        }
    }
}

fn lost(count: u64) -> Record {
    let text = format!("{count} log lines dropped: the log cannot be written as fast as lines come");
    Record::plain(Level::WARN, text)
}

impl Drop for Guard {
    fn drop(&mut self) {
        let until = Instant::now() + FLUSH_PATIENCE;
        self.shared.stopping.store(true, Ordering::Relaxed);
        // The queue may be full; the log thread empties it quickly once it is to stop.
        while let Err(TrySendError::Full(_)) = self.queue.try_send(Entry::Stop) {
            if Instant::now() >= until {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
        let _ = self
            .ended
            .recv_timeout(until.saturating_duration_since(Instant::now()));
    }
}

/// The layer that turns events into [`Record`]s.
struct QueueLayer {
    addresses: bool,
    queue: SyncSender<Entry>,
    shared: Arc<Shared>,
}

impl<S: Subscriber> Layer<S> for QueueLayer {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        if metadata.target() == ADDRESSES {
            return self.addresses;
        }
        // Of the libraries only warnings: their details are not about VRRP.
        let ours = metadata.target().starts_with("vrrp");
        *metadata.level() <= self.shared.level.filter() && (ours || *metadata.level() <= Level::WARN)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(self.shared.level.filter())
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let record = Record::of(event);
        if self.queue.try_send(Entry::Line(record)).is_err() {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}
