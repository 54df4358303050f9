//! What is watched besides adverts and interfaces: scripts, files, processes, units. What they say reaches the
//! protocol as inputs.
//!
//! Everything here runs on the service runtime. Each tracker puts its latest word on a [`board`], which passes
//! it on under the id that the object has in the running configuration: a reload that leaves an object as it is
//! leaves its tracker alone, and only the address changes.

mod board;
mod file;
mod process;
mod script;
mod unit;
mod verdict;

use std::collections::HashSet;

use tokio::sync::mpsc;

use self::board::Board;
use self::file::{Files, Followed};
use self::process::{Processes, Watched};
use self::script::Scripts;
use self::unit::{Counted, Units};
use crate::config::{Config, ScriptSpec, ScriptUser};
use crate::proto::model::TrackObject;
use crate::proto::{FileId, Input, ProcessId, ScriptId, ScriptState, UnitId};
use crate::sys;

/// What a tracked object says: the first word on it, or another one than the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// A script's verdict, after `rise` and `fall`.
    Script(ScriptId, ScriptState),
    /// The number in a file.
    File(FileId, i32),
    /// Whether as many of a process run as wanted, after the delays.
    Process(ProcessId, bool),
    /// Whether a unit is steady: not restarted too often, and not failed.
    Unit(UnitId, bool),
}

impl From<News> for Input {
    fn from(news: News) -> Self {
        match news {
            News::Script(script, state) => Self::Script { script, state },
            News::File(file, value) => Self::File { file, value },
            News::Process(process, quorum) => Self::Process { process, quorum },
            News::Unit(unit, steady) => Self::Unit { unit, steady },
        }
    }
}

/// Everything that is to be tracked.
#[derive(Clone, Debug, Default)]
pub struct Plan {
    scripts: Vec<Tracked>,
    files: Vec<Followed>,
    processes: Vec<Watched>,
    units: Vec<Counted>,
}

/// A script to run: its id, its name for the log, how, and as whom.
#[derive(Clone, Debug)]
struct Tracked {
    id: ScriptId,
    name: String,
    spec: ScriptSpec,
    user: Option<ScriptUser>,
    /// What is known of it from an earlier process.
    last: Option<ScriptState>,
}

impl Plan {
    /// Begin with these verdicts of an earlier process: a script may fail as often as ever before that counts, and a unit
    /// that is not steady has its whole time before it is.
    #[must_use]
    pub fn remembering(mut self, verdicts: &[(ScriptId, ScriptState)], unsteady: &[UnitId]) -> Self {
        for unit in &mut self.units {
            unit.unsteady = unsteady.contains(&unit.id);
        }
        for script in &mut self.scripts {
            let of_it = verdicts.iter().find(|(id, _)| *id == script.id);
            script.last = of_it.map(|(_, state)| *state);
        }
        self
    }

    /// What `config` wants tracked. What no virtual router or group tracks is left alone, as in keepalived.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        let model = &config.model;
        let tracks = model.routers.iter().map(|router| &router.track);
        let tracks = tracks.chain(model.groups.iter().map(|group| &group.track));
        let used: HashSet<_> = tracks.flatten().map(|track| track.object).collect();
        let default_user = config.global.script_user.as_ref();
        let scripts = config.scripts.iter().zip(&model.scripts).zip(0..);
        let files = config.files.iter().zip(&model.files).zip(0..);
        let processes = config.processes.iter().zip(&model.processes).zip(0..);
        let units = config.units.iter().zip(&model.units).zip(0..);
        Self {
            scripts: scripts
                .filter(|(_, id)| used.contains(&TrackObject::Script(ScriptId(*id))))
                .map(|((spec, script), id)| Tracked {
                    id: ScriptId(id),
                    name: script.name.clone(),
                    user: spec.command.user.as_ref().or(default_user).cloned(),
                    spec: spec.clone(),
                    last: None,
                })
                .collect(),
            files: files
                .filter(|(_, id)| used.contains(&TrackObject::File(FileId(*id))))
                .map(|((spec, file), id)| Followed {
                    id: FileId(id),
                    name: file.name.clone(),
                    spec: spec.clone(),
                })
                .collect(),
            processes: processes
                .filter(|(_, id)| used.contains(&TrackObject::Process(ProcessId(*id))))
                .map(|((spec, process), id)| Watched {
                    id: ProcessId(id),
                    name: process.name.clone(),
                    spec: spec.clone(),
                })
                .collect(),
            // Each is there because somebody tracks it.
            units: units
                .map(|((spec, unit), id)| Counted {
                    id: UnitId(id),
                    name: unit.name.clone(),
                    spec: spec.clone(),
                    unsteady: false,
                })
                .collect(),
        }
    }
}

/// The running trackers. Dropping them kills the scripts that run; [`Trackers::stop`] asks politely first.
#[derive(Debug)]
pub struct Trackers {
    board: Board,
    scripts: Scripts,
    files: Files,
    processes: Processes,
    units: Units,
}

impl Trackers {
    /// Track all of `plan`, by `scripts` where scripts are to be run, and tell `news`; call it inside the service runtime.
    /// Nobody but the receiver is ever waited for, and while that does not keep up, only the latest word on each object is
    /// kept.
    #[must_use]
    pub fn start(plan: Plan, news: mpsc::Sender<News>, scripts: sys::scripts::Scripts) -> Self {
        let mut trackers = Self {
            board: Board::start(),
            scripts: Scripts::new(scripts),
            files: Files::default(),
            processes: Processes::default(),
            units: Units::default(),
        };
        trackers.reconfigure(plan, news);
        trackers
    }

    /// Track `plan` from now on and tell `news`, inside the service runtime. Does not wait.
    ///
    /// What is tracked in the same way as before goes on undisturbed, whatever its name: the last word on it is
    /// told again under its new id. A script that is run differently, but with the same command, starts with
    /// the last verdict on it. What is tracked no longer ends: a script that runs gets SIGTERM, and SIGKILL
    /// two seconds later.
    pub fn reconfigure(&mut self, plan: Plan, news: mpsc::Sender<News>) {
        let mut routes = self.board.routes();
        self.scripts.reconfigure(plan.scripts, &mut routes, &self.board);
        self.files.reconfigure(plan.files, &mut routes, &self.board);
        self.processes
            .reconfigure(plan.processes, &mut routes, &self.board);
        self.units.reconfigure(plan.units, &mut routes, &self.board);
        self.board.readdress(routes, news);
    }

    /// End everything: SIGTERM to every script that runs, SIGKILL to what is left after two seconds.
    pub async fn stop(self) {
        self.scripts.stop().await;
    }
}
