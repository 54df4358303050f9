use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::content::{Beyond, number, read};
use super::{Followed, PACE};
use crate::config::{FileSpec, InitFile};
use crate::proto::FileId;
use crate::sys::scratch::Scratch;
use crate::sys::scripts::Scripts;
use crate::track::{News, Plan, Trackers};

/// As keepalived 2.2.7 was seen to read them.
#[test]
fn numbers_as_strtol_reads_them() {
    let table = [
        ("20\n", 20),
        ("-20", -20),
        ("  +30  ", 30),
        ("\n\t7", 7),
        ("abc", 0),
        ("30abc", 30),
        ("", 0),
        ("-", 0),
        ("0x10", 16),
        ("-0X1f", -31),
        ("0x", 0),
        ("0xg", 0),
        ("010", 8),
        ("08", 0),
        ("0", 0),
        ("1.5", 1),
        ("5\n6\n", 5),
        ("- 5", 0),
        ("2147483647", i32::MAX),
        ("-2147483648", i32::MIN),
    ];
    for (text, expected) in table {
        assert_eq!(number(text.as_bytes()), Ok(expected), "{text:?}");
    }
    for text in ["2147483648", "-2147483649", "99999999999999999999", "0xffffffff"] {
        assert_eq!(number(text.as_bytes()), Err(Beyond(text.to_owned())));
    }
    assert_eq!(number(b"\xff\xfe7"), Ok(0));
}

/// Nothing but a plain file is opened for reading, and no more of it is read than a number takes.
#[test]
fn neither_devices_nor_pipes_nor_large_files_hold_it_up() {
    let scratch = Scratch::new();
    let pipe = scratch.path("pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let large = scratch.path("large");
    fs::write(&large, "12").unwrap();
    fs::OpenOptions::new()
        .write(true)
        .open(&large)
        .unwrap()
        .set_len(1 << 40)
        .unwrap();
    let odd = ["/dev/zero", "/dev/tty", "/no/such", "/"].map(PathBuf::from);
    for path in odd.iter().chain([&pipe]) {
        assert_eq!(read(path), Ok(0), "{}", path.display());
    }
    assert_eq!(read(&large), Ok(12));
}

fn plan<P: AsRef<Path>>(files: &[(P, Option<InitFile>)]) -> Plan {
    let files = files.iter().zip(0..).map(|((path, init), id)| Followed {
        id: FileId(id),
        name: format!("file{id}"),
        spec: FileSpec {
            path: path.as_ref().to_owned(),
            init: *init,
        },
    });
    Plan {
        files: files.collect(),
        ..Plan::default()
    }
}

async fn next(news: &mut mpsc::Receiver<News>) -> (u16, i32) {
    match timeout(Duration::from_secs(10), news.recv()).await {
        Ok(Some(News::File(id, value))) => (id.0, value),
        other => panic!("{other:?}"),
    }
}

/// Written in place, replaced by rename, removed, made again; its directory made later, moved away, removed.
#[tokio::test]
async fn a_file_is_followed_wherever_it_goes() {
    let scratch = Scratch::new();
    let directory = scratch.path("a/b");
    let file = directory.join("number");
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(plan(&[(&file, None)]), send, Scripts::here());
    assert_eq!(next(&mut news).await, (0, 0), "missing, directory and all");
    fs::create_dir_all(&directory).unwrap();
    fs::write(&file, "5\n").unwrap();
    assert_eq!(next(&mut news).await, (0, 5));
    fs::write(&file, "-7").unwrap();
    assert_eq!(
        next(&mut news).await,
        (0, -7),
        "nothing of the moment when it was empty"
    );
    let new = directory.join("number.new");
    fs::write(&new, "9").unwrap();
    fs::rename(&new, &file).unwrap();
    assert_eq!(next(&mut news).await, (0, 9));
    fs::remove_file(&file).unwrap();
    assert_eq!(next(&mut news).await, (0, 0));
    fs::write(&file, "11").unwrap();
    assert_eq!(next(&mut news).await, (0, 11));
    fs::rename(scratch.path("a"), scratch.path("away")).unwrap();
    assert_eq!(next(&mut news).await, (0, 0));
    fs::rename(scratch.path("away"), scratch.path("a")).unwrap();
    assert_eq!(next(&mut news).await, (0, 11));
    fs::remove_dir_all(scratch.path("a")).unwrap();
    assert_eq!(next(&mut news).await, (0, 0));
    fs::create_dir_all(&directory).unwrap();
    fs::write(&file, "13").unwrap();
    assert_eq!(next(&mut news).await, (0, 13));
    fs::write(&file, "no number").unwrap();
    assert_eq!(next(&mut news).await, (0, 0));
    trackers.stop().await;
}

/// What Kubernetes does with the files of a ConfigMap: links to links, exchanged by rename.
#[tokio::test]
async fn symbolic_links_are_followed() {
    let scratch = Scratch::new();
    for (version, number) in [("v1", "1"), ("v2", "2")] {
        fs::create_dir(scratch.path(version)).unwrap();
        fs::write(scratch.path(version).join("number"), number).unwrap();
    }
    symlink("v1", scratch.path("data")).unwrap();
    symlink("data/number", scratch.path("number")).unwrap();
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(plan(&[(scratch.path("number"), None)]), send, Scripts::here());
    assert_eq!(next(&mut news).await, (0, 1));
    fs::write(scratch.path("v1/number"), "10").unwrap();
    assert_eq!(next(&mut news).await, (0, 10), "behind both links");
    symlink("v2", scratch.path("data.new")).unwrap();
    fs::rename(scratch.path("data.new"), scratch.path("data")).unwrap();
    assert_eq!(next(&mut news).await, (0, 2), "another first link");
    fs::write(scratch.path("v2/number"), "20").unwrap();
    assert_eq!(next(&mut news).await, (0, 20));
    // A link to itself is a file that is not there.
    symlink("number", scratch.path("loop")).unwrap();
    fs::rename(scratch.path("loop"), scratch.path("number")).unwrap();
    assert_eq!(next(&mut news).await, (0, 0));
    trackers.stop().await;
}

#[tokio::test]
async fn too_large_a_number_changes_nothing() {
    let scratch = Scratch::new();
    let file = scratch.path("number");
    fs::write(&file, "99999999999").unwrap();
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(plan(&[(&file, None)]), send, Scripts::here());
    assert_eq!(next(&mut news).await, (0, 0));
    for (text, expected) in [("4", 4), ("99999999999", 4), ("6", 6)] {
        fs::write(&file, text).unwrap();
        if expected.to_string() == text {
            assert_eq!(next(&mut news).await, (0, expected));
        }
    }
    trackers.stop().await;
}

/// Written at start, before it is read; kept if it is there; overwritten on request. At a reload only for a file
/// that is new in the configuration.
#[tokio::test]
async fn files_are_written_as_configured() {
    let scratch = Scratch::new();
    let init = |value, overwrite| Some(InitFile { value, overwrite });
    let paths = ["new", "kept", "overwritten", "added"].map(|name| scratch.path(name));
    let [new, kept, overwritten, added] = &paths;
    fs::write(kept, "50").unwrap();
    fs::write(overwritten, "51").unwrap();
    let files = [
        (new, init(7, false)),
        (kept, init(7, false)),
        (overwritten, init(8, true)),
    ];
    let (send, mut news) = mpsc::channel(16);
    let mut trackers = Trackers::start(plan(&files), send, Scripts::here());
    let mut told = [
        next(&mut news).await,
        next(&mut news).await,
        next(&mut news).await,
    ];
    told.sort_unstable();
    assert_eq!(told, [(0, 7), (1, 50), (2, 8)]);
    assert_eq!(scratch.read("new"), "7\n");
    fs::write(overwritten, "60").unwrap();
    assert_eq!(next(&mut news).await, (2, 60));

    let (send, mut news) = mpsc::channel(16);
    let files = [(added, init(9, true)), (overwritten, init(8, true))];
    trackers.reconfigure(plan(&files), send);
    let mut seen = Vec::new();
    while !seen.contains(&(0, 9)) {
        seen.push(next(&mut news).await);
    }
    assert!(seen.contains(&(1, 60)), "{seen:?}");
    assert_eq!(scratch.read("overwritten"), "60");
    // What is tracked no longer is not told.
    fs::write(new, "1").unwrap();
    fs::write(added, "10").unwrap();
    assert_eq!(next(&mut news).await, (0, 10));
    trackers.stop().await;
}

/// While nobody takes the news, only the last number is kept.
#[tokio::test]
async fn a_slow_listener_is_told_the_last_number() {
    let scratch = Scratch::new();
    let paths = [scratch.path("one"), scratch.path("two")];
    let (send, mut news) = mpsc::channel(1);
    let trackers = Trackers::start(
        plan(&paths.each_ref().map(|path| (path, None))),
        send,
        Scripts::here(),
    );
    let mut first = [next(&mut news).await, next(&mut news).await];
    first.sort_unstable();
    assert_eq!(first, [(0, 0), (1, 0)]);
    for value in 1..=200 {
        fs::write(&paths[0], value.to_string()).unwrap();
        tokio::task::yield_now().await;
    }
    let mut told = Vec::new();
    while told.last() != Some(&(0, 200)) {
        told.push(next(&mut news).await);
        assert!(told.len() <= 200, "each at most once: {told:?}");
    }
    trackers.stop().await;
}

/// Each number is a priority, and a line in the log.
#[tokio::test]
async fn a_file_that_is_written_all_the_time_is_read_now_and_then() {
    let scratch = Scratch::new();
    let file = scratch.path("number");
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(plan(&[(&file, None)]), send, Scripts::here());
    let writing = tokio::spawn(async move {
        for value in 1..=300 {
            fs::write(&file, value.to_string()).unwrap();
            sleep(Duration::from_millis(1)).await;
        }
    });
    let started = Instant::now();
    let mut told = Vec::new();
    while told.last() != Some(&(0, 300)) {
        told.push(next(&mut news).await);
    }
    let readings = started.elapsed().as_millis() / PACE.as_millis() + 2;
    assert!(told.len() <= usize::try_from(readings).unwrap(), "{told:?}");
    writing.await.unwrap();
    trackers.stop().await;
}
