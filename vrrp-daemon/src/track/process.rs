//! Counts the tracked processes (`vrrp_track_process`).
//!
//! `/proc` is looked through once; from then on the kernel tells of every process that starts, changes its
//! program or name, or ends (the process connector). It does so only in the initial network and process
//! namespaces and for who has CAP_NET_ADMIN; elsewhere `/proc` is looked through every second. `/proc` is read
//! on a thread of its own: a process that hangs can hold up who reads its command line.

mod connector;
mod matching;
mod quorum;
mod table;
#[cfg(test)]
mod tests;

use std::time::Duration;

use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};

use self::connector::{Connector, Heard};
use self::table::Table;
use super::board::{Board, Desk, Id, Key, Routes, Word};
use crate::config::ProcessSpec;
use crate::proto::ProcessId;
use crate::sys::clock;

/// How often `/proc` is looked through where the kernel does not tell.
const POLL: Duration = Duration::from_secs(1);

/// A process to watch: its id, its name in the configuration, and how to know it.
#[derive(Clone, Debug)]
pub(super) struct Watched {
    pub(super) id: ProcessId,
    pub(super) name: String,
    pub(super) spec: ProcessSpec,
}

/// What is watched, with its key on the board.
type Wanted = Vec<(Key, ProcessSpec)>;

/// The processes that are watched. Dropping it ends that.
#[derive(Debug, Default)]
pub(super) struct Processes {
    watching: Wanted,
    task: Option<(watch::Sender<Wanted>, JoinHandle<()>)>,
}

impl Processes {
    /// Watch `wanted` from now on.
    pub(super) fn reconfigure(&mut self, wanted: Vec<Watched>, routes: &mut Routes, board: &Board) {
        let mut before = std::mem::take(&mut self.watching);
        for Watched { id, name, spec } in wanted {
            let same = before.iter().position(|(_, known)| *known == spec);
            let key = same.map_or_else(|| routes.new_key(), |place| before.swap_remove(place).0);
            routes.add(key, name, Id::Process(id));
            self.watching.push((key, spec));
        }
        match &self.task {
            Some((tell, _)) => {
                tell.send_replace(self.watching.clone());
            }
            None if self.watching.is_empty() => {}
            None => {
                let (tell, told) = watch::channel(self.watching.clone());
                self.task = Some((tell, tokio::spawn(follow(told, board.desk()))));
            }
        }
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        if let Some((_, task)) = self.task.take() {
            task.abort();
        }
    }
}

/// Look, tell, wait for news, and so on.
async fn follow(mut wanted: watch::Receiver<Wanted>, desk: Desk) {
    // Before the first look, so that nothing falls between the two.
    let mut connector = match Connector::open().await {
        Ok(connector) => Some(connector),
        Err(refused) => {
            tracing::info!("tracked processes are looked for every second: {refused}");
            None
        }
    };
    let mut table = Table::default();
    table.watch(&wanted.borrow_and_update());
    let mut news = Heard::Lost;
    loop {
        let work = move || {
            table.take(news);
            table
        };
        table = match spawn_blocking(work).await {
            Ok(table) => table,
            // The runtime ends.
            Err(_) => return,
        };
        news = loop {
            let now = clock::now();
            for (key, quorum) in table.judge(now) {
                if desk.put(key, Word::Process(quorum)) {
                    let name = desk.name(key);
                    tracing::info!(process = %name, "VRRP_Process({name}) {}", outcome(quorum));
                }
            }
            let due = table.deadline().map(|at| Duration::from_nanos(at.since(now).0));
            tokio::select! {
                news = next(&mut connector) => break news,
                () = tokio::time::sleep(due.unwrap_or(Duration::MAX)), if due.is_some() => {}
                changed = wanted.changed() => match changed {
                    Ok(()) => {
                        table.watch(&wanted.borrow_and_update());
                        break Heard::Lost;
                    }
                    Err(_) => return,
                },
            }
        };
    }
}

/// What happened, or that it is time to look for oneself.
async fn next(connector: &mut Option<Connector>) -> Heard {
    let heard = match connector {
        Some(connector) => connector.hear().await,
        None => {
            tokio::time::sleep(POLL).await;
            Ok(Heard::Lost)
        }
    };
    heard.unwrap_or_else(|error| {
        tracing::warn!("the kernel tells no more of processes ({error}): they are looked for every second");
        *connector = None;
        Heard::Lost
    })
}

fn outcome(quorum: bool) -> &'static str {
    if quorum {
        "runs as wanted"
    } else {
        "does not run as wanted"
    }
}
