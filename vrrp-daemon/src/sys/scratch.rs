//! For tests: a directory that goes away, programs in it, and waiting for a condition.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A directory of one test.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("vrrp-daemon-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a fresh directory");
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// A shell script that runs in the directory; its path, which ends in `.sh`.
    ///
    /// Another process writes it: a child that another test forks meanwhile would hold a descriptor of ours
    /// that writes to it, and running it would fail with ETXTBSY.
    pub(crate) fn script(&self, name: &str, body: &str) -> String {
        let path = self.path(&format!("{name}.sh"));
        let text = format!("#!/bin/sh\ncd {}\n{body}\n", self.0.display());
        let written = Command::new("/bin/sh")
            .args([
                "-c",
                "printf '%s' \"$1\" > \"$2\" && chmod 755 \"$2\"",
                "write",
                &text,
            ])
            .arg(&path)
            .status();
        assert!(
            written.expect("running a shell").success(),
            "writing {}",
            path.display()
        );
        path.to_str().expect("a plain path").to_owned()
    }

    /// The content of a file, empty if it is not there.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Whether a process with this id is there and not a zombie.
pub(crate) fn alive(pid: &str) -> bool {
    let stat = fs::read_to_string(Path::new("/proc").join(pid).join("stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_some_and(|rest| !rest.is_empty() && !rest.starts_with(" Z"))
}

/// Wait until `condition` holds; panics after ten seconds.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !condition() {
        assert!(Instant::now() < deadline, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
