//! bpf-linker, which puts the XDP program together. It works with one LLVM, which must not be older than the
//! compiler's.

use std::env;
use std::path::PathBuf;

use super::toolchain::output;

/// The release that the project is built with.
pub(crate) const VERSION: &str = "0.13.0";

/// A bpf-linker that runs and can read what a compiler with LLVM `llvm` writes.
pub(crate) fn find(llvm: u32) -> Option<PathBuf> {
    candidates().into_iter().find(|path| works(path, llvm))
}

fn candidates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
    let home = env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")));
    folders.extend(home.map(|home| home.join("bin")));
    folders
        .into_iter()
        .map(|folder| folder.join("bpf-linker"))
        .filter(|path| path.is_file())
        .collect()
}

fn works(path: &std::path::Path, llvm: u32) -> bool {
    let Some(path) = path.to_str() else {
        return false;
    };
    let Some(version) = output(path, &["--version"]) else {
        return false;
    };
    // One with LLVM built in names none; then its version has to do.
    let linked = output("ldd", &[path]).and_then(|libraries| llvm_of(&libraries));
    version.strip_prefix("bpf-linker ") == Some(VERSION) && linked.is_none_or(|linked| linked >= llvm)
}

/// The 22 of `libLLVM.so.22.1 => …` or `libLLVM-22.so.1 => …`.
fn llvm_of(libraries: &str) -> Option<u32> {
    let name = libraries
        .lines()
        .find_map(|line| line.trim().strip_prefix("libLLVM"))?;
    let digits = name.trim_start_matches(['-', '.', 's', 'o']);
    digits.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::llvm_of;

    #[test]
    fn the_linkers_llvm_is_read_from_its_libraries() {
        let debian =
            "\tlinux-vdso.so.1 (0x0)\n\tlibLLVM.so.22.1 => /usr/lib/llvm-22/lib/libLLVM.so.22.1 (0x0)\n";
        assert_eq!(llvm_of(debian), Some(22));
        assert_eq!(
            llvm_of("\tlibLLVM-19.so.1 => /lib/libLLVM-19.so.1 (0x0)"),
            Some(19)
        );
        assert_eq!(llvm_of("\tlibc.so.6 => /lib/libc.so.6 (0x0)"), None);
    }
}
