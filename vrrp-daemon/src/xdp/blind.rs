//! aya's loader without the kernel's own types.
//!
//! Our program needs no relocation against them. But `EbpfLoader::new` of aya 0.14 reads and sorts them all before it can be
//! told so: 5 MB of BTF, 30 ms of a start and 20 MB of memory. So it is called on a thread that cannot open files.

use std::collections::BTreeMap;

use aya::EbpfLoader;
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// A loader without the kernel's types.
pub(super) fn loader() -> EbpfLoader<'static> {
    let made = std::thread::Builder::new()
        .name("xdp-loader".to_owned())
        .spawn(|| {
            if let Err(error) = open_nothing() {
                tracing::debug!("the kernel's types are read in vain: {error}");
            }
            without_types()
        });
    let made = made.ok().and_then(|thread| thread.join().ok());
    made.unwrap_or_else(without_types)
}

/// Slow where files can be opened.
fn without_types() -> EbpfLoader<'static> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// From now on this thread finds no file.
fn open_nothing() -> Result<(), Box<dyn std::error::Error>> {
    let not_found = SeccompAction::Errno(u32::try_from(libc::ENOENT)?);
    let always = Vec::new();
    let filter = SeccompFilter::new(
        BTreeMap::from([(libc::SYS_openat, always)]),
        SeccompAction::Allow,
        not_found,
        std::env::consts::ARCH.try_into()?,
    )?;
    apply_filter(&BpfProgram::try_from(filter)?)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::ErrorKind;

    use aya::Btf;

    use super::open_nothing;

    #[test]
    fn only_the_thread_that_says_so_opens_nothing() {
        let blind = std::thread::spawn(|| {
            open_nothing().map_err(|error| error.to_string())?;
            let file = File::open("/proc/self/status").map_err(|error| error.kind());
            Ok::<_, String>((file.map(drop), Btf::from_sys_fs().is_ok()))
        });
        assert_eq!(blind.join().unwrap(), Ok((Err(ErrorKind::NotFound), false)));
        assert!(File::open("/proc/self/status").is_ok());
    }
}
