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
    skip(&format!(
        "this test makes network namespaces, which takes root, and runs as uid {uid}"
    ));
    false
}

/// Say why a test does not run.
///
/// # Panics
/// `REQUIRE_ROOT` or `CI` is set: then all have to run.
pub fn skip(reason: &str) {
    let demanded = ["REQUIRE_ROOT", "CI"]
        .into_iter()
        .find(|name| env::var_os(name).is_some_and(|value| !value.is_empty() && value != "0"));
    if let Some(name) = demanded {
        panic!("{name} is set, and a test cannot run: {reason}");
    }
    eprintln!("skipped: {reason} (REQUIRE_ROOT=1 makes this fail)");
}

/// Whether a lab can be built: it makes namespaces, for which one has to be root.
#[must_use]
pub fn is_root() -> bool {
    Uid::effective().is_root()
}
