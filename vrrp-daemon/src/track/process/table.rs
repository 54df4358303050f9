//! Which processes of the host are tracked ones.

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use vrrp_common::time::MonoNanos;

use super::connector::{Event, Heard};
use super::matching::{Process, fits};
use super::quorum::Quorum;
use crate::config::ProcessSpec;
use crate::track::board::Key;

/// Every tracked process, and who it is.
#[derive(Debug, Default)]
pub(super) struct Table {
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    key: Key,
    spec: ProcessSpec,
    pids: HashSet<i32>,
    quorum: Quorum,
}

impl Table {
    /// Watch these from now on; what was watched before goes on with its delays.
    pub(super) fn watch(&mut self, wanted: &[(Key, ProcessSpec)]) {
        let mut before = std::mem::take(&mut self.rows);
        for (key, spec) in wanted {
            let known = before.iter().position(|row| row.key == *key);
            self.rows.push(match known {
                Some(place) => before.swap_remove(place),
                None => Row {
                    key: *key,
                    spec: spec.clone(),
                    pids: HashSet::new(),
                    quorum: Quorum::new(spec),
                },
            });
        }
    }

    /// Take in what happened. Reads `/proc`.
    pub(super) fn take(&mut self, heard: Heard) {
        match heard {
            Heard::Lost => self.look_through(),
            Heard::Events(events) => {
                for event in events {
                    self.event(event);
                }
            }
        }
    }

    /// What is to be told at this time.
    pub(super) fn judge(&mut self, now: MonoNanos) -> Vec<(Key, bool)> {
        let told = self.rows.iter_mut().filter_map(|row| {
            let count = u32::try_from(row.pids.len()).unwrap_or(u32::MAX);
            Some((row.key, row.quorum.observe(count, now)?))
        });
        told.collect()
    }

    /// When to judge again, though nothing has happened.
    pub(super) fn deadline(&self) -> Option<MonoNanos> {
        self.rows.iter().filter_map(|row| row.quorum.deadline()).min()
    }

    fn event(&mut self, event: Event) {
        match event {
            // The same program, for now.
            Event::Forked { parent, child } => {
                for row in &mut self.rows {
                    if row.pids.contains(&parent) {
                        row.pids.insert(child);
                    }
                }
            }
            Event::Changed(pid) => self.look_at(pid),
            Event::Ended(pid) => {
                for row in &mut self.rows {
                    row.pids.remove(&pid);
                }
            }
        }
    }

    fn look_through(&mut self) {
        for row in &mut self.rows {
            row.pids.clear();
        }
        // Without /proc nothing is known to run.
        let Ok(entries) = fs::read_dir("/proc") else {
            return;
        };
        for entry in entries.flatten() {
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                self.look_at(pid);
            }
        }
    }

    /// Read who a process is. One that is gone, or waits for its parent to notice its end, is nobody.
    fn look_at(&mut self, pid: i32) {
        let place = PathBuf::from(format!("/proc/{pid}"));
        let stat = fs::read(place.join("stat")).unwrap_or_default();
        let name = living(&stat);
        let command = match name {
            Some(_) if self.rows.iter().any(|row| !row.spec.by_name) => {
                fs::read(place.join("cmdline")).unwrap_or_default()
            }
            Some(_) | None => Vec::new(),
        };
        for row in &mut self.rows {
            let found = name.is_some_and(|name| {
                fits(
                    &row.spec,
                    Process {
                        name,
                        command: &command,
                    },
                )
            });
            if found {
                row.pids.insert(pid);
            } else {
                row.pids.remove(&pid);
            }
        }
    }
}

/// The name in `/proc/PID/stat`, `PID (NAME) STATE …`; the name may hold anything. `None` for a zombie.
fn living(stat: &[u8]) -> Option<&[u8]> {
    let begin = stat.iter().position(|byte| *byte == b'(')?;
    let end = stat.iter().rposition(|byte| *byte == b')')?;
    let name = stat.get(begin + 1..end)?;
    let state = stat.get(end + 1..)?.trim_ascii_start().first()?;
    (!b"ZXx".contains(state)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::living;

    #[test]
    fn names_and_states() {
        let table: [(&[u8], Option<&[u8]>); 6] = [
            (b"7 (nginx) S 1 7 7 0", Some(b"nginx")),
            (b"7 (a) b (c) R 1 7", Some(b"a) b (c")),
            (b"7 (nginx) Z 1 7 7 0", None),
            (b"7 (nginx) X 1 7 7 0", None),
            (b"7 (nginx)", None),
            (b"", None),
        ];
        for (stat, expected) in table {
            assert_eq!(living(stat), expected, "{}", stat.escape_ascii());
        }
    }
}
