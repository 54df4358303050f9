//! The compiler for the XDP program: any rustc that has its library's source beside it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A compiler with its library's source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Toolchain {
    /// Its cargo.
    pub(crate) cargo: PathBuf,
    /// Its rustc.
    pub(crate) rustc: PathBuf,
    /// Its LLVM's major version, which the linker's must not be older than.
    pub(crate) llvm: u32,
}

/// The first compiler that can build the XDP program: the one in use, another of rustup's, the distribution's.
pub(crate) fn find() -> Option<Toolchain> {
    sysroots().into_iter().find_map(|sysroot| at(&sysroot))
}

fn sysroots() -> Vec<PathBuf> {
    let mut sysroots: Vec<PathBuf> = output("rustc", &["--print", "sysroot"])
        .into_iter()
        .map(PathBuf::from)
        .collect();
    let rustup = env::var_os("RUSTUP_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".rustup")));
    if let Some(entries) = rustup.and_then(|rustup| fs::read_dir(rustup.join("toolchains")).ok()) {
        let mut others: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        others.sort();
        sysroots.extend(others);
    }
    sysroots.push(PathBuf::from("/usr"));
    sysroots
}

/// The toolchain in `sysroot`, if it has all that is needed and is new enough for this workspace.
fn at(sysroot: &Path) -> Option<Toolchain> {
    let (cargo, rustc) = (sysroot.join("bin/cargo"), sysroot.join("bin/rustc"));
    let source = sysroot.join("lib/rustlib/src/rust/library/core/Cargo.toml");
    if !source.exists() || !cargo.exists() {
        return None;
    }
    let (release, llvm) = versions(&output(rustc.to_str()?, &["-vV"])?)?;
    (release >= minor(env!("CARGO_PKG_RUST_VERSION"))?).then_some(Toolchain { cargo, rustc, llvm })
}

/// Minor version of rustc and major version of LLVM, from `rustc -vV`.
fn versions(text: &str) -> Option<(u32, u32)> {
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let llvm = field("LLVM version: ")?.split('.').next()?.parse().ok()?;
    Some((minor(field("release: ")?)?, llvm))
}

/// The 95 of 1.95.0.
fn minor(version: &str) -> Option<u32> {
    version.strip_prefix("1.")?.split('.').next()?.parse().ok()
}

/// What a program prints, `None` if it fails or is not there.
pub(super) fn output(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::{minor, versions};

    #[test]
    fn versions_are_read_from_what_compilers_print() {
        let debian = "rustc 1.96.0 (ac68faa20 2026-05-25) (built from a source tarball)\nbinary: rustc\n\
                      host: x86_64-unknown-linux-gnu\nrelease: 1.96.0\nLLVM version: 22.1.8\n";
        assert_eq!(versions(debian), Some((96, 22)));
        assert_eq!(
            versions("release: 1.97.0-nightly\nLLVM version: 23.0.0"),
            Some((97, 23))
        );
        assert_eq!(versions("release: 1.97.0"), None);
        assert_eq!(minor("1.95"), Some(95));
    }
}
