//! What the file says of the daemon itself: FIFOs, its own scripts, scheduling, names.

use std::path::PathBuf;

use vrrp_common::time::Nanos;

use super::Lowering;
use crate::config::diag::Diagnostic;
use crate::config::keywords::{DaemonKey, Key, Status};
use crate::config::raw::{Statement, Tree};
use crate::config::{Command, Fifo, Hook, RealTime, ScriptUser};

/// Time that `startup_script` and `shutdown_script` get if none is given.
const HOOK_TIMEOUT: Nanos = Nanos::from_secs(10);
/// A limit below this would kill a daemon of many instances for doing its work.
const SHORTEST_REAL_TIME: Nanos = Nanos::from_millis(100);
/// Names of processes have so many bytes (prctl(2)).
const PROCESS_NAME_LEN: usize = 15;

/// What only makes sense once the rest is known.
#[derive(Debug, Default)]
pub(super) struct Draft {
    fifo: Option<(PathBuf, Option<ScriptUser>)>,
    fifo_script: Option<Command>,
    vrrp_fifo: Option<(PathBuf, Option<ScriptUser>)>,
    vrrp_fifo_script: Option<Command>,
    startup: Option<Command>,
    startup_timeout: Option<Nanos>,
    shutdown: Option<Command>,
    shutdown_timeout: Option<Nanos>,
    real_time: Option<u8>,
    most: Option<i8>,
    pub(super) priority_changes: bool,
}

impl Lowering<'_> {
    /// After `global_defs`: whom scripts run as is known then.
    pub(super) fn daemon(&mut self, tree: &Tree) {
        let mut draft = Draft::default();
        for statement in &tree.statements {
            self.daemon_keyword(statement, &mut draft);
            for inner in statement.statements() {
                self.daemon_keyword(inner, &mut draft);
            }
        }
        let fifo = |place: Option<(PathBuf, Option<ScriptUser>)>, script| {
            place.map(|(path, owner)| Fifo { path, owner, script })
        };
        let hook = |command: Option<Command>, timeout: Option<Nanos>| {
            command.map(|command| Hook {
                command,
                timeout: timeout.unwrap_or(HOOK_TIMEOUT),
            })
        };
        let global = &mut self.config.global;
        global.fifos.all = fifo(draft.fifo, draft.fifo_script);
        global.fifos.vrrp = fifo(draft.vrrp_fifo, draft.vrrp_fifo_script)
            .filter(|vrrp| global.fifos.all.as_ref().is_none_or(|all| all.path != vrrp.path));
        global.hooks.startup = hook(draft.startup, draft.startup_timeout);
        global.hooks.shutdown = hook(draft.shutdown, draft.shutdown_timeout);
        global.process.real_time = match (draft.real_time, draft.most) {
            (Some(priority), _) => RealTime::At(priority),
            (None, Some(most @ 1..)) => RealTime::AtMost(most.unsigned_abs()),
            (None, Some(_)) => RealTime::Never,
            (None, None) => RealTime::Default,
        };
        self.defaults.priority_changes = draft.priority_changes;
    }

    fn daemon_keyword(&mut self, statement: &Statement, draft: &mut Draft) {
        let Status::Works(Key::Daemon(key)) = statement.keyword.status else {
            return;
        };
        match key {
            DaemonKey::Fifo => draft.fifo = self.fifo(statement).or(draft.fifo.take()),
            DaemonKey::VrrpFifo => draft.vrrp_fifo = self.fifo(statement).or(draft.vrrp_fifo.take()),
            DaemonKey::FifoScript => draft.fifo_script = self.command(statement),
            DaemonKey::VrrpFifoScript => draft.vrrp_fifo_script = self.command(statement),
            DaemonKey::PriorityChanges => {
                draft.priority_changes = self.boolean(statement).unwrap_or(draft.priority_changes);
            }
            DaemonKey::StatesOnReload => {
                if let Some(given) = self.boolean(statement) {
                    self.config.global.fifos.states_on_reload = given;
                }
            }
            DaemonKey::StartupScript => draft.startup = self.command(statement),
            DaemonKey::ShutdownScript => draft.shutdown = self.command(statement),
            DaemonKey::StartupTimeout => draft.startup_timeout = self.hook_timeout(statement),
            DaemonKey::ShutdownTimeout => draft.shutdown_timeout = self.hook_timeout(statement),
            DaemonKey::Namespace => {
                self.config.global.place.namespace = self.file_name(statement);
            }
            DaemonKey::Instance => {
                self.config.global.place.instance = self.file_name(statement);
            }
            DaemonKey::PidDir => self.config.global.place.pid_dir = true,
            DaemonKey::ChildWait => {
                let wait = self.number(statement, 0..=600, "5 s is used");
                let wait = wait.and_then(|wait| u64::try_from(wait).ok());
                self.config.global.place.child_wait = wait.map(Nanos::from_secs);
            }
            _ => self.process_keyword(key, statement, draft),
        }
    }

    /// How the processes run.
    fn process_keyword(&mut self, key: DaemonKey, statement: &Statement, draft: &mut Draft) {
        match key {
            DaemonKey::MaxAutoPriority => {
                draft.most = if statement.words.is_empty() {
                    Some(99)
                } else {
                    let most = self.number(statement, -1..=99, "the daemon's own priority is used");
                    most.and_then(|most| i8::try_from(most).ok())
                };
            }
            DaemonKey::RealTimePriority => draft.real_time = self.real_time_priority(statement),
            DaemonKey::Nice => {
                let nice = self.number(statement, -20..=19, "it stays as it is");
                self.config.global.process.nice = nice.and_then(|nice| i8::try_from(nice).ok());
            }
            DaemonKey::RealTimeLimit => self.real_time_limit(statement),
            DaemonKey::Cpus => self.cpus(statement),
            DaemonKey::ProcessNames => {
                let process = &mut self.config.global.process;
                process.parent_name.get_or_insert("keepalived".to_owned());
                process.vrrp_name.get_or_insert("keepalived_vrrp".to_owned());
            }
            DaemonKey::ParentName => {
                self.config.global.process.parent_name = self.process_name(statement);
            }
            DaemonKey::VrrpName => self.config.global.process.vrrp_name = self.process_name(statement),
            DaemonKey::Umask => self.umask(statement),
            _ => {}
        }
    }

    /// `PATH [USER [GROUP]]`.
    fn fifo(&mut self, statement: &Statement) -> Option<(PathBuf, Option<ScriptUser>)> {
        let Some((path, owner)) = statement.words.split_first() else {
            self.one(statement);
            return None;
        };
        self.no_more(statement, 3);
        let owner = if owner.is_empty() {
            None
        } else {
            let owner = self.user(statement, owner)?;
            self.exists(&owner, statement).then_some(owner)
        };
        Some((PathBuf::from(&path.text), owner))
    }

    fn hook_timeout(&mut self, statement: &Statement) -> Option<Nanos> {
        let seconds = self.number(statement, 1..=1000, "10 s is used")?;
        Some(Nanos::from_secs(u64::try_from(seconds).ok()?))
    }

    /// A name that becomes part of a path.
    fn file_name(&mut self, statement: &Statement) -> Option<String> {
        let word = self.one(statement)?;
        if word.text.is_empty() || word.text.contains('/') || word.text.starts_with('.') {
            self.sink.push(
                Diagnostic::warning(format!("`{}` cannot be a part of a file's name", word.text))
                    .at(word.span, "ignored")
                    .help("write a name without `/` that does not begin with a dot"),
            );
            return None;
        }
        Some(word.text.clone())
    }

    /// 1 to 99; the nearest of these for any other number, as in keepalived.
    fn real_time_priority(&mut self, statement: &Statement) -> Option<u8> {
        let word = self.one(statement)?;
        let given = super::value::whole(&word.text);
        let used = given.map(|given| given.clamp(1, 99));
        if given != used || given.is_none() {
            let otherwise = used.map_or_else(
                || "the daemon's own priority is used".to_owned(),
                |used| format!("{used} is used"),
            );
            self.out_of_range(statement, word, "a whole number from 1 to 99", &otherwise);
        }
        used.and_then(|used| u8::try_from(used).ok())
    }

    fn real_time_limit(&mut self, statement: &Statement) {
        let Some(micros) = self.number(statement, 1..=4_294_967_295, "500000 is used") else {
            return;
        };
        let given = Nanos(u64::try_from(micros).unwrap_or_default().saturating_mul(1_000));
        if given < SHORTEST_REAL_TIME {
            let at = statement.words.first().map_or(statement.span, |word| word.span);
            self.sink.push(
                Diagnostic::note(format!("`{}` is at least 100000 here", statement.keyword.name))
                    .at(at, "100000 is used")
                    .help("a shorter limit kills a daemon of many instances for doing its work; remove the line"),
            );
        }
        self.config.global.process.real_time_limit = Some(given.max(SHORTEST_REAL_TIME));
    }

    fn cpus(&mut self, statement: &Statement) {
        let mut cpus = Vec::new();
        for word in &statement.words {
            match word.text.parse::<u16>() {
                Ok(cpu) if usize::from(cpu) < self.environment.cpus() => cpus.push(cpu),
                _ => {
                    let wanted = format!("CPUs from 0 to {}", self.environment.cpus().saturating_sub(1));
                    self.out_of_range(statement, word, &wanted, "it is left out");
                }
            }
        }
        if statement.words.is_empty() {
            self.one(statement);
        }
        self.config.global.process.cpus = cpus;
    }

    fn process_name(&mut self, statement: &Statement) -> Option<String> {
        let word = self.one(statement)?;
        let end = word.text.floor_char_boundary(PROCESS_NAME_LEN);
        word.text.get(..end).map(str::to_owned)
    }

    /// A number, or permission bits by their names in C: `IRUSR | IWUSR`.
    fn umask(&mut self, statement: &Statement) {
        let Some(first) = statement.words.first() else {
            self.one(statement);
            return;
        };
        let bits = if first.text.starts_with(|c: char| c.is_ascii_digit()) {
            self.no_more(statement, 1);
            crate::config::file_mask(&first.text)
        } else {
            let words = statement.words.iter().flat_map(|word| word.text.split('|'));
            words
                .filter(|name| !name.is_empty())
                .try_fold(0, |bits, name| Some(bits | permission(name)?))
        };
        match bits {
            Some(bits) => self.config.global.process.umask = Some(bits),
            None => self.out_of_range(
                statement,
                first,
                "a number such as 0177, or names as in IRGRP | IWOTH",
                "0177 is used",
            ),
        }
    }
}

/// A permission bit by its name in C, without `S_`.
fn permission(name: &str) -> Option<u32> {
    const BITS: [(&str, u32); 12] = [
        ("IRUSR", 0o400),
        ("IWUSR", 0o200),
        ("IXUSR", 0o100),
        ("IRWXU", 0o700),
        ("IRGRP", 0o040),
        ("IWGRP", 0o020),
        ("IXGRP", 0o010),
        ("IRWXG", 0o070),
        ("IROTH", 0o004),
        ("IWOTH", 0o002),
        ("IXOTH", 0o001),
        ("IRWXO", 0o007),
    ];
    let (_, bit) = BITS.iter().find(|(known, _)| *known == name)?;
    Some(*bit)
}
