//! Where lines end up. Everything here runs on the log thread and may wait a little; nobody waits for it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use libsystemd::logging::{Priority, journal_send};
use tracing::Level;

use super::Settings;
use super::record::Record;
use crate::sys::local_time::Stamp;

/// A syslogd that does not read is waited for this long per line, once.
const SEND_PATIENCE: Duration = Duration::from_millis(500);
/// A syslogd that restarts is waited for in steps...
const RESTART_STEP: Duration = Duration::from_millis(100);
/// ...of this number; after that, lines are lost until it is back.
const RESTART_STEPS: u32 = 30;

pub(super) struct Sinks {
    ident: String,
    fields: bool,
    json: bool,
    console: bool,
    system: System,
    file: Option<LogFile>,
}

/// The system's log.
enum System {
    None,
    Syslog(Syslog),
    Journal(Journal),
}

impl Sinks {
    pub(super) fn new(settings: &Settings) -> Self {
        let system = match settings.syslog {
            None => System::None,
            Some(facility) if journal_listens(&settings.socket) => System::Journal(Journal {
                ident: settings.ident.clone(),
                facility,
                lost: 0,
            }),
            Some(facility) => System::Syslog(Syslog::new(settings, facility)),
        };
        Self {
            ident: settings.ident.clone(),
            fields: settings.detail > 0,
            json: settings.json,
            console: settings.console,
            system,
            file: settings.file.as_ref().map(|path| LogFile::new(path, settings)),
        }
    }

    pub(super) fn write(&mut self, record: &Record, stopping: &AtomicBool) {
        let text = record.line(self.fields);
        let json = self.json.then(|| record.json(&self.ident));
        if self.console {
            // In one write: the other process logs there, too. A closed terminal must not end the daemon.
            let line = match &json {
                Some(json) => format!("{json}\n"),
                None => {
                    let stamp = Stamp::local(record.at).precise();
                    format!("{stamp} {:5} {text}\n", record.level)
                }
            };
            let _ = io::stderr().write_all(line.as_bytes());
        }
        match &mut self.system {
            System::None => {}
            System::Syslog(syslog) => syslog.write(record, &text, stopping),
            System::Journal(journal) => journal.write(record),
        }
        if let Some(file) = &mut self.file {
            match &json {
                Some(json) => file.write(json),
                None => {
                    let stamp = Stamp::local(record.at).precise();
                    let (ident, pid) = (&self.ident, std::process::id());
                    file.write(&format!("{stamp} {ident}[{pid}]: {text}"));
                }
            }
        }
    }

    pub(super) fn flush(&mut self) {
        if let Some(file) = &mut self.file {
            file.flush();
        }
    }
}

/// syslog's severity of a level.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        Level::DEBUG | Level::TRACE => 7,
    }
}

/// Whether syslog's socket is the journal's, or there is none but the journal's.
fn journal_listens(syslog_socket: &Path) -> bool {
    match fs::canonicalize(syslog_socket) {
        Ok(real) => real.starts_with("/run/systemd/journal"),
        Err(_) => syslog_socket == Path::new(Settings::SYSLOG_SOCKET) && Path::new(JOURNAL_SOCKET).exists(),
    }
}

const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// The journal's own protocol, with a field `VRRP_NAME` for each of the record's.
struct Journal {
    ident: String,
    facility: u8,
    lost: u64,
}

impl Journal {
    fn write(&mut self, record: &Record) {
        if self.lost > 0 {
            let text = format!("{} log lines lost while the journal was away", self.lost);
            if self.send(&Record::plain(Level::WARN, text)) {
                self.lost = 0;
            }
        }
        if !self.send(record) {
            // There is no other place to say it.
            self.lost += 1;
        }
    }

    fn send(&self, record: &Record) -> bool {
        let priority = match record.level {
            Level::ERROR => Priority::Error,
            Level::WARN => Priority::Warning,
            Level::INFO => Priority::Info,
            Level::DEBUG | Level::TRACE => Priority::Debug,
        };
        let fields = record
            .fields
            .iter()
            .map(|(name, value)| (format!("VRRP_{}", name.to_uppercase()), value.to_string()))
            .chain([
                ("SYSLOG_IDENTIFIER".to_owned(), self.ident.clone()),
                ("SYSLOG_FACILITY".to_owned(), self.facility.to_string()),
                ("SYSLOG_PID".to_owned(), std::process::id().to_string()),
            ]);
        journal_send(priority, &record.text, fields).is_ok()
    }
}

/// RFC 3164 datagrams, addressed one by one, so a syslogd that restarts is found again by itself.
///
/// Not the `syslog` crate: it connects once, blocks without bound and stamps in UTC.
struct Syslog {
    socket: Option<UnixDatagram>,
    path: PathBuf,
    ident: String,
    facility: u8,
    answering: bool,
    lost: u64,
}

impl Syslog {
    fn new(settings: &Settings, facility: u8) -> Self {
        let socket = UnixDatagram::unbound().and_then(|socket| {
            socket.set_write_timeout(Some(SEND_PATIENCE))?;
            Ok(socket)
        });
        Self {
            socket: socket.ok(),
            path: settings.socket.clone(),
            ident: settings.ident.clone(),
            facility,
            answering: true,
            lost: 0,
        }
    }

    fn write(&mut self, record: &Record, text: &str, stopping: &AtomicBool) {
        if self.lost > 0
            && self.send(
                record,
                &format!("{} log lines lost while syslog was away", self.lost),
            )
        {
            self.lost = 0;
        }
        let mut steps = if self.answering { RESTART_STEPS } else { 0 };
        self.answering = loop {
            if self.send(record, text) {
                break true;
            }
            if steps == 0 || stopping.load(Ordering::Relaxed) {
                break false;
            }
            steps -= 1;
            thread::sleep(RESTART_STEP);
        };
        if !self.answering {
            self.lost += 1;
        }
    }

    fn send(&self, record: &Record, text: &str) -> bool {
        let priority = u16::from(self.facility) * 8 + u16::from(severity(record.level));
        let stamp = Stamp::local(record.at).syslog();
        let line = format!(
            "<{priority}>{stamp} {}[{}]: {text}",
            self.ident,
            std::process::id()
        );
        self.socket
            .as_ref()
            .is_some_and(|socket| socket.send_to(line.as_bytes(), &self.path).is_ok())
    }
}

/// A file that is opened again when something (logrotate) has put another in its place.
struct LogFile {
    path: PathBuf,
    flush: bool,
    open: Option<(BufWriter<File>, (u64, u64))>,
}

impl LogFile {
    fn new(path: &Path, settings: &Settings) -> Self {
        Self {
            path: path.to_owned(),
            flush: settings.flush,
            open: None,
        }
    }

    fn write(&mut self, line: &str) {
        if self
            .open
            .as_ref()
            .is_none_or(|(_, inode)| inode_of(&self.path) != Some(*inode))
        {
            self.flush();
            self.open = self.reopen().ok();
        }
        let Some((file, _)) = &mut self.open else { return };
        let _ = writeln!(file, "{line}");
        if self.flush {
            self.flush();
        }
    }

    fn reopen(&self) -> io::Result<(BufWriter<File>, (u64, u64))> {
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(&self.path)?;
        let found = file.metadata()?;
        Ok((BufWriter::new(file), (found.dev(), found.ino())))
    }

    fn flush(&mut self) {
        if let Some((file, _)) = &mut self.open {
            let _ = file.flush();
        }
    }
}

fn inode_of(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}
