use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::{PidFile, PidFileError, left_in};
use crate::sys::scratch::Scratch;

#[test]
fn it_holds_our_number_while_we_live_and_is_removed() {
    let scratch = Scratch::new();
    let path = scratch.path("dir/a.pid");
    let file = PidFile::create(&path).unwrap();
    assert_eq!(scratch.read("dir/a.pid"), format!("{}\n", std::process::id()));
    drop(file);
    assert!(!path.exists());
}

#[test]
fn a_living_holder_is_named_with_the_remedy() {
    let scratch = Scratch::new();
    let path = scratch.path("a.pid");
    let _held = PidFile::create(&path).unwrap();
    let refused = PidFile::create(&path).unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!(
            "{} belongs to process {}, which runs: stop it first, or give this one its own file with -p and -r",
            path.display(),
            std::process::id()
        )
    );
    assert_eq!(scratch.read("a.pid"), format!("{}\n", std::process::id()));
}

#[test]
fn what_a_crash_left_is_taken_over() {
    // A dead process, a living one that is no daemon of this kind (pid 1), rubbish, and a long number that
    // would show through a shorter one.
    for left in ["4194303\n", "1\n", "rubbish", "", "99999999999999999999999999\n"] {
        let scratch = Scratch::new();
        std::fs::write(scratch.path("a.pid"), left).unwrap();
        let _file = PidFile::create(&scratch.path("a.pid")).unwrap();
        assert_eq!(
            scratch.read("a.pid"),
            format!("{}\n", std::process::id()),
            "left: {left:?}"
        );
    }
}

#[test]
fn a_running_keepalived_is_respected_although_it_locks_nothing() {
    let scratch = Scratch::new();
    // A process of that name.
    let program = scratch.path("keepalived");
    assert!(
        Command::new("cp")
            .arg("/bin/sleep")
            .arg(&program)
            .status()
            .unwrap()
            .success()
    );
    let mut child = Command::new(&program)
        .arg("1000")
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    // `spawn` may return an instant before the kernel has given the process its new name.
    let comm = format!("/proc/{}/comm", child.id());
    let limit = Instant::now() + Duration::from_secs(10);
    while std::fs::read_to_string(&comm).unwrap().trim() != "keepalived" && Instant::now() < limit {
        std::thread::yield_now();
    }
    std::fs::write(scratch.path("a.pid"), format!("{}\n", child.id())).unwrap();
    let refused = PidFile::create(&scratch.path("a.pid"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(matches!(refused, Err(PidFileError::Taken { pid, .. }) if pid == child.id().to_string()));
    assert!(PidFile::create(&scratch.path("a.pid")).is_ok());
}

#[test]
fn a_link_is_not_followed_and_a_missing_right_is_said() {
    let scratch = Scratch::new();
    std::fs::write(scratch.path("precious"), "data").unwrap();
    std::os::unix::fs::symlink(scratch.path("precious"), scratch.path("a.pid")).unwrap();
    assert!(matches!(
        PidFile::create(&scratch.path("a.pid")),
        Err(PidFileError::System { .. })
    ));
    assert_eq!(scratch.read("precious"), "data");
    let error = PidFile::create(&scratch.path("precious").join("a.pid")).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("name one that can be written with -p and -r"),
        "{error}"
    );
}

#[test]
fn a_file_of_somebody_else_is_not_removed() {
    let scratch = Scratch::new();
    let path = scratch.path("a.pid");
    let file = PidFile::create(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "7\n").unwrap();
    drop(file);
    assert_eq!(scratch.read("a.pid"), "7\n");
}

#[test]
fn who_waits_for_a_successor_is_known_as_such() {
    let scratch = Scratch::new();
    let path = scratch.path("test.pid");
    assert_eq!(left_in(&path), None);
    let mut file = PidFile::create(&path).unwrap();
    assert_eq!(left_in(&path), None);
    file.leave().unwrap();
    let error = PidFile::create(&path).unwrap_err();
    let ours = i32::try_from(std::process::id()).unwrap();
    assert!(
        matches!(&error, PidFileError::Left { pid, .. } if *pid == ours),
        "{error}"
    );
    assert_eq!(left_in(&path), Some(ours));
    drop(file);
    // By one that was killed.
    std::fs::write(&path, format!("{ours}\nleft\n")).unwrap();
    assert_eq!(left_in(&path), None);
    let _free = PidFile::create(&path).unwrap();
}
