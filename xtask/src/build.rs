//! `cargo xtask build`.

use std::path::{Path, PathBuf};

/// The repository.
pub(crate) fn workspace_root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}

/// Where cargo puts what it builds, and we what we fetch.
pub(crate) fn target_dir() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace_root().join("target"), PathBuf::from)
}

/// Run the verb.
pub(crate) fn run() -> anyhow::Result<()> {
    anyhow::bail!("not there yet")
}
