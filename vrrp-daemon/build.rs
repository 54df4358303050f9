//! Embeds the XDP program, if it has been built: `cargo xtask build` does that first.
//!
//! A plain `cargo build` needs no eBPF toolchain; without the object the daemon has its raw sockets alone.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// Set by `cargo xtask build`: a daemon without the program is an error then.
const REQUIRE: &str = "VRRP_REQUIRE_EBPF";

fn main() {
    println!("cargo::rustc-check-cfg=cfg(ebpf_object)");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("cargo sets OUT_DIR"));
    // The directory, not the file: cargo takes a watched file that is missing for changed, every time.
    let directory = target_dir(&out).join("bpf");
    let _ = fs::create_dir_all(&directory);
    println!("cargo::rerun-if-changed={}", from_package(&directory).display());

    let object = directory.join("vrrp-ebpf.o");
    match fs::copy(&object, out.join("vrrp-ebpf.o")) {
        Ok(_) => println!("cargo::rustc-cfg=ebpf_object"),
        Err(error) => {
            println!("cargo::rerun-if-env-changed={REQUIRE}");
            let missing = format!("no XDP program at {}: {error}", object.display());
            if env::var_os(REQUIRE).is_some_and(|value| value == "1") {
                println!("cargo::error={missing}; run `cargo xtask build`");
            } else {
                println!(
                    "cargo::warning={missing}; building with raw sockets alone (`cargo xtask build` builds both)"
                );
            }
        }
    }
}

/// From the package, as cargo reads it, if it lies in the workspace: an absolute path would make a copy of the
/// checkout watch the original's object.
fn from_package(directory: &Path) -> PathBuf {
    let package = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let inside = package
        .parent()
        .and_then(|workspace| directory.strip_prefix(workspace).ok());
    inside.map_or_else(|| directory.to_owned(), |inside| Path::new("..").join(inside))
}

/// Cargo's target directory, which it tags; `OUT_DIR` lies four or five levels below it.
fn target_dir(out: &Path) -> &Path {
    out.ancestors()
        .filter(|directory| directory.join("CACHEDIR.TAG").exists())
        .last()
        .or_else(|| out.ancestors().nth(4))
        .unwrap_or(out)
}
