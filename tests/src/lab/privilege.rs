//! A test that needs root runs, or says why it cannot; where it must run it fails instead.

use std::env;

use nix::unistd::Uid;

/// Whether the lab can be built here. `false` is a reason to skip: the process is not root, and neither
/// `REQUIRE_ROOT=1` nor `CI` is set.
///
/// # Panics
/// Not root although `REQUIRE_ROOT` or `CI` asks for it: a skipped test would hide rot.
#[must_use]
pub fn root_or_skip() -> bool {
    let uid = Uid::effective();
    if uid.is_root() {
        return true;
    }
    let demanded = ["REQUIRE_ROOT", "CI"]
        .into_iter()
        .find(|name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0"));
    if let Some(name) = demanded {
        panic!("{name} is set, but this test needs root and runs as uid {uid}: run it as root");
    }
    eprintln!(
        "skipped: network namespaces need root, and this is uid {uid} (REQUIRE_ROOT=1 makes this fail)"
    );
    false
}

/// Whether a lab can be built: it makes namespaces, for which one has to be root.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}
