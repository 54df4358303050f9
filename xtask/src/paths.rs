//! Where things are.

use std::path::Path;

pub(crate) use vrrp_tests::lab::target_dir;

/// The repository.
pub(crate) fn workspace_root() -> &'static Path {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR"));
    manifest.parent().unwrap_or(manifest)
}
