//! Shows what the XDP program says of single frames: only in a daemon built for debugging it (`xdp-log`).

use aya::Ebpf;
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// The program's own lines; empty if its object was built without them.
pub(super) struct Verdicts(Option<EbpfLogger<Lines>>);

impl Verdicts {
    /// Of a program that has been loaded.
    pub(super) fn of(ebpf: &mut Ebpf) -> Self {
        let logger = EbpfLogger::init_with_logger(ebpf, Lines);
        if let Err(error) = &logger {
            tracing::warn!(
                "the XDP program tells no verdicts: {error}; `cargo xtask build --xdp-log` builds it with them"
            );
        }
        Self(logger.ok())
    }

    /// Hand over what has been said since.
    pub(super) fn show(&mut self) {
        if let Some(logger) = &mut self.0 {
            logger.flush();
        }
    }
}

/// To the daemon's log, whose lines are written on another thread.
struct Lines;

impl Log for Lines {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        tracing::debug!("XDP: {}", record.args());
    }

    fn flush(&self) {}
}
