//! Counts the restarts of services (`track_restarts`), as the service manager tells of them.
//!
//! Where there is no systemd to be asked, or no such unit, nothing is protected: that is said once, and counts as steady,
//! since nobody could become Master otherwise. It is asked again every five seconds.

mod systemd;
mod window;

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;
use vrrp_common::time::MonoNanos;

use self::systemd::{Systemd, Unanswered};
use self::window::{Report, Window};
use super::board::{Board, Desk, Id, Key, Routes, Word};
use crate::config::UnitSpec;
use crate::proto::UnitId;
use crate::sys::clock;

/// Between attempts to reach the service manager.
const RETRY: Duration = Duration::from_secs(5);
/// They are looked at so often even if no change is told: a manager that was replaced may have forgotten us.
const LOOK: Duration = Duration::from_secs(30);
/// Between looks, however much is told: units change in bursts, and anybody may send signals that look like systemd's.
const PAUSE: Duration = Duration::from_millis(100);

/// A unit to count the restarts of: its id, its name for the log, and how many there may be.
#[derive(Clone, Debug)]
pub(super) struct Counted {
    pub(super) id: UnitId,
    pub(super) name: String,
    pub(super) spec: UnitSpec,
    /// It was not steady when an earlier process handed over.
    pub(super) unsteady: bool,
}

/// What is wanted of a unit, with its key on the board.
#[derive(Clone, Debug)]
struct Wanted {
    key: Key,
    spec: UnitSpec,
    unsteady: bool,
}

/// The units whose restarts are counted. Dropping it ends that.
#[derive(Debug, Default)]
pub(super) struct Units {
    counting: Vec<Wanted>,
    task: Option<(watch::Sender<Vec<Wanted>>, JoinHandle<()>)>,
}

impl Units {
    /// Count `wanted` from now on.
    pub(super) fn reconfigure(&mut self, wanted: Vec<Counted>, routes: &mut Routes, board: &Board) {
        let before = std::mem::take(&mut self.counting);
        for Counted {
            id,
            name,
            spec,
            unsteady,
        } in wanted
        {
            // There are no two of the same.
            let known = before.iter().find(|known| known.spec == spec);
            let key = known.map_or_else(|| routes.new_key(), |known| known.key);
            routes.add(key, name, Id::Unit(id));
            self.counting.push(Wanted { key, spec, unsteady });
        }
        match &self.task {
            _ if self.counting.is_empty() => self.stop(),
            Some((tell, _)) => {
                tell.send_replace(self.counting.clone());
            }
            None => {
                let (tell, told) = watch::channel(self.counting.clone());
                self.task = Some((tell, tokio::spawn(follow(told, board.desk()))));
            }
        }
    }

    fn stop(&mut self) {
        if let Some((_, task)) = self.task.take() {
            task.abort();
        }
    }
}

impl Drop for Units {
    fn drop(&mut self) {
        self.stop();
    }
}

/// One of them: its restarts, and whether it was said that there is none of that name.
#[derive(Debug)]
struct Count {
    spec: UnitSpec,
    window: Window,
    missing: bool,
}

/// All of them.
#[derive(Debug, Default)]
struct Counts(HashMap<Key, Count>);

impl Counts {
    fn watch(&mut self, wanted: &[Wanted], now: MonoNanos) {
        self.0
            .retain(|key, _| wanted.iter().any(|wanted| wanted.key == *key));
        for Wanted { key, spec, unsteady } in wanted {
            self.0.entry(*key).or_insert_with(|| Count {
                spec: spec.clone(),
                window: Window::new(spec, *unsteady, now),
                missing: false,
            });
        }
    }

    /// Their units, each once.
    fn units(&self) -> Vec<String> {
        let mut units: Vec<_> = self.0.values().map(|count| count.spec.unit.clone()).collect();
        units.sort_unstable();
        units.dedup();
        units
    }

    /// What is said of a unit; `None`: there is none of that name.
    fn report(&mut self, unit: &str, report: Option<Report>, now: MonoNanos) {
        for count in self.0.values_mut().filter(|count| count.spec.unit == unit) {
            match report {
                Some(report) => count.window.report(report, now),
                None => {
                    count.window.forget();
                    if !count.missing {
                        tracing::warn!(
                            unit,
                            "track_restarts: there is no unit {unit}, so its restarts protect nothing"
                        );
                    }
                }
            }
            count.missing = report.is_none();
        }
    }

    fn tell(&self, desk: &Desk, now: MonoNanos) {
        for (key, count) in &self.0 {
            let steady = count.window.steady(now);
            let before = desk.word(*key);
            if !desk.put(*key, Word::Unit(steady)) {
                continue;
            }
            // That all is well from the beginning is no news, nor is it known without a manager.
            if steady && before.is_none() {
                continue;
            }
            let UnitSpec { unit, restarts, .. } = &count.spec;
            let seconds = count.spec.within.as_millis() / 1000;
            if steady {
                tracing::info!(
                    unit,
                    "unit {unit} is steady: at most {restarts} restarts in {seconds} s"
                );
            } else if count.window.failed() {
                tracing::warn!(unit, "unit {unit} has failed");
            } else {
                tracing::warn!(
                    unit,
                    "unit {unit} was restarted more than {restarts} times in {seconds} s"
                );
            }
        }
    }

    /// When one of them will have been restarted too often no longer.
    fn deadline(&self, now: MonoNanos) -> Option<Duration> {
        let ends = self.0.values().filter_map(|count| count.window.too_many_until());
        let next = ends.filter(|at| *at > now).min()?;
        Some(Duration::from_nanos(next.since(now).0))
    }
}

/// Why the manager is asked anew.
enum Anew {
    /// Others are wanted.
    Others,
    Unanswered(Unanswered),
    /// Nobody wants any more.
    Ended,
}

/// Count, tell, wait for news, and so on.
async fn follow(mut wanted: watch::Receiver<Vec<Wanted>>, desk: Desk) {
    let mut counts = Counts::default();
    // Whether it was said that the manager cannot be asked.
    let mut said = false;
    loop {
        counts.watch(&wanted.borrow_and_update(), clock::now());
        match ask(&mut counts, &mut wanted, &desk, &mut said).await {
            Anew::Others => {}
            Anew::Ended => return,
            Anew::Unanswered(why) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::warn!(
                        "track_restarts: systemd cannot be asked ({why}), so restarts protect nothing until it can"
                    );
                }
                counts.tell(&desk, clock::now());
                tokio::select! {
                    () = tokio::time::sleep(RETRY) => {}
                    changed = wanted.changed() => if changed.is_err() { return },
                }
            }
        }
    }
}

async fn ask(
    counts: &mut Counts,
    wanted: &mut watch::Receiver<Vec<Wanted>>,
    desk: &Desk,
    said: &mut bool,
) -> Anew {
    let units = counts.units();
    let mut systemd = match Systemd::open(&units).await {
        Ok(systemd) => systemd,
        Err(why) => return Anew::Unanswered(why),
    };
    loop {
        let reports = match systemd.reports().await {
            Ok(reports) => reports,
            Err(why) => return Anew::Unanswered(why),
        };
        if std::mem::replace(said, false) {
            tracing::info!("track_restarts: systemd answers again");
        }
        let now = clock::now();
        for (unit, report) in units.iter().zip(reports) {
            counts.report(unit, report, now);
        }
        loop {
            let now = clock::now();
            counts.tell(desk, now);
            let due = counts.deadline(now);
            tokio::select! {
                changed = systemd.changed() => match changed {
                    Ok(()) => {
                        tokio::time::sleep(PAUSE).await;
                        break;
                    }
                    Err(why) => return Anew::Unanswered(why),
                },
                () = tokio::time::sleep(due.unwrap_or(LOOK).min(LOOK)) => if due.is_none_or(|due| due > LOOK) { break },
                changed = wanted.changed() => return if changed.is_ok() { Anew::Others } else { Anew::Ended },
            }
        }
    }
}
