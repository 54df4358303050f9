//! `--record FILE`: every input of the protocol, one JSON line each, to be replayed.
//!
//! The lines are made and written on a thread of their own; the protocol thread hands over values. A disk that
//! cannot keep up costs steps of the recording, which then says so, and never an advert.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::Builder;

use vrrp_common::time::MonoNanos;

use crate::proto::record::{self, Begin, Fed, Step};
use crate::proto::{Estate, Input, Model};
use crate::sys::sched;

/// Steps that may wait to be written.
const QUEUE: usize = 4096;

/// The protocol thread's end of a recording.
#[derive(Debug)]
pub struct Recorder {
    /// `None` once it has ended.
    steps: Option<SyncSender<Step>>,
}

impl Recorder {
    /// Start a recording of this configuration; an older file of that name is replaced.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn start(path: &Path, model: &Model, now: MonoNanos) -> io::Result<Self> {
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path)?;
        writeln!(file, "{}", record::to_line(&Begin::new(model, now))?)?;
        let (steps, queued) = sync_channel(QUEUE);
        Builder::new()
            .name("recorder".to_owned())
            .spawn(move || write(&queued, file))?;
        Ok(Self { steps: Some(steps) })
    }

    /// Note one input. Never waits.
    pub fn step(&mut self, now: MonoNanos, input: &Input) {
        self.fed(now, Fed::Input(*input));
    }

    /// Note another configuration. Never waits.
    pub fn reload(&mut self, now: MonoNanos, model: &Model) {
        if self.steps.is_some() {
            self.fed(now, Fed::Reload(Box::new(model.clone())));
        }
    }

    /// Note what the process before this one was. Never waits.
    pub fn succeed(&mut self, now: MonoNanos, estate: &Estate) {
        if self.steps.is_some() {
            self.fed(now, Fed::Succeed(Box::new(estate.clone())));
        }
    }

    fn fed(&mut self, now: MonoNanos, fed: Fed) {
        let Some(steps) = &self.steps else { return };
        match steps.try_send(Step { now, fed }) {
            Ok(()) => {}
            Err(TrySendError::Full(_)) => {
                // A recording with a gap replays to something that never was: end it.
                self.steps = None;
                tracing::warn!("the recording ends here: the disk does not keep up");
            }
            Err(TrySendError::Disconnected(_)) => self.steps = None,
        }
    }
}

fn write(queued: &Receiver<Step>, file: File) {
    // Inherited from the protocol thread, it would compete with it.
    let _ = sched::normal();
    let mut file = BufWriter::new(file);
    while let Ok(step) = queued.recv() {
        let mut result = line(&mut file, &step);
        while let Ok(step) = queued.try_recv() {
            result = result.and_then(|()| line(&mut file, &step));
        }
        if let Err(error) = result.and_then(|()| file.flush()) {
            tracing::warn!("the recording ends here: {error}");
            return;
        }
    }
}

fn line(file: &mut impl Write, step: &Step) -> io::Result<()> {
    writeln!(file, "{}", record::to_line(step)?)
}
