//! Recordings played again: `tests/data/recordings/NAME.jsonl` against `NAME.expected.jsonl`, which holds
//! each input with its effects and the next deadline. `UPDATE_EXPECTED=1` writes the latter anew; read the
//! difference before committing it. A recording from the field becomes a test by being copied there.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use vrrp_daemon::proto::record::{replay, to_line};

fn recordings() -> Result<Vec<PathBuf>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("data/recordings");
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(&directory).with_context(|| format!("{}", directory.display()))? {
        let path = entry?.path();
        let name = path.to_string_lossy();
        if name.ends_with(".jsonl") && !name.ends_with(".expected.jsonl") {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

#[test]
fn recordings_play_as_expected() -> Result<()> {
    let paths = recordings()?;
    ensure!(paths.len() >= 3, "recordings are missing: {paths:?}");
    for path in paths {
        let text = std::fs::read_to_string(&path)?;
        let played = replay(text.lines()).with_context(|| format!("{}", path.display()))?;
        let lines = played
            .iter()
            .map(to_line)
            .collect::<serde_json::Result<Vec<_>>>()?;
        let expected_path = path.with_extension("expected.jsonl");
        if std::env::var_os("UPDATE_EXPECTED").is_some() {
            std::fs::write(&expected_path, lines.join("\n") + "\n")?;
        }
        let expected = std::fs::read_to_string(&expected_path)
            .with_context(|| format!("{}: UPDATE_EXPECTED=1 writes it", expected_path.display()))?;
        for (number, (line, expected)) in (1..).zip(lines.iter().zip(expected.lines())) {
            ensure!(
                line == expected,
                "{}, step {number}:\n     got {line}\nexpected {expected}",
                path.display()
            );
        }
        ensure!(
            lines.len() == expected.lines().count(),
            "{}: another number of steps",
            path.display()
        );
    }
    Ok(())
}
