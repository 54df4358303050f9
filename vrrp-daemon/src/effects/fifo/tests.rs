use std::fs::{self, File, OpenOptions};
use std::io::{BufRead as _, BufReader, ErrorKind, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _, symlink};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{About, Fifo, FifoError};
use crate::sys::scratch::{Scratch, until};

const A: Option<About> = Some(About(1));
const B: Option<About> = Some(About(2));

fn open(scratch: &Scratch) -> Result<(Fifo, Arc<AtomicU64>), FifoError> {
    let dropped = Arc::new(AtomicU64::new(0));
    Fifo::open(&scratch.path("fifo"), None, 2, Arc::clone(&dropped)).map(|fifo| (fifo, dropped))
}

fn reader(scratch: &Scratch) -> File {
    OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NONBLOCK)
        .open(scratch.path("fifo"))
        .unwrap()
}

/// Everything that is in the pipe.
fn drain(reader: &mut File) -> String {
    let mut text = Vec::new();
    match reader.read_to_end(&mut text) {
        Ok(_) => {}
        Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
    }
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn what_is_written_waits_for_a_reader_and_the_fifo_goes_with_us() {
    let scratch = Scratch::new();
    let (fifo, dropped) = open(&scratch).unwrap();
    let made = fs::symlink_metadata(scratch.path("fifo")).unwrap();
    assert!(made.file_type().is_fifo());
    assert_eq!(made.permissions().mode() & 0o133, 0, "others may not write");
    fifo.tell("one\n".to_owned(), A);
    fifo.tell("two\n".to_owned(), A);
    let mut reader = reader(&scratch);
    let mut read = String::new();
    until("both lines have come", || {
        read += &drain(&mut reader);
        read == "one\ntwo\n"
    })
    .await;
    fifo.close(Duration::from_secs(10)).await;
    assert_eq!(dropped.load(Ordering::Relaxed), 0);
    assert!(!scratch.path("fifo").exists());
}

#[tokio::test]
async fn a_fifo_that_was_there_stays() {
    let scratch = Scratch::new();
    nix::unistd::mkfifo(&scratch.path("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let (fifo, _) = open(&scratch).unwrap();
    fifo.close(Duration::from_secs(1)).await;
    assert!(scratch.path("fifo").exists());
}

#[tokio::test]
async fn files_and_links_are_refused_and_left_alone() {
    let scratch = Scratch::new();
    fs::write(scratch.path("fifo"), "precious").unwrap();
    assert!(matches!(open(&scratch), Err(FifoError::NotFifo(_))));
    assert_eq!(scratch.read("fifo"), "precious");

    fs::rename(scratch.path("fifo"), scratch.path("target")).unwrap();
    symlink(scratch.path("target"), scratch.path("fifo")).unwrap();
    assert!(matches!(open(&scratch), Err(FifoError::NotFifo(_))));
    assert_eq!(scratch.read("target"), "precious");
}

/// Nobody reads, and each reload brings another virtual router and removes the last one.
#[tokio::test]
async fn subjects_that_come_and_go_fill_no_memory() {
    let scratch = Scratch::new();
    let (fifo, dropped) = open(&scratch).unwrap();
    for number in 0..10_000 {
        fifo.tell(format!("{number} DELETED\n"), Some(About(number)));
    }
    // Nothing was written yet: the writer has had no turn.
    assert_eq!(dropped.load(Ordering::Relaxed), 10_000 - 4096);
    let mut read = reader(&scratch);
    let mut first = String::new();
    until("the writer has begun", || {
        first += &drain(&mut read);
        !first.is_empty()
    })
    .await;
    assert!(first.starts_with("5904 DELETED\n"), "{first}");
}

/// A reader that comes late: what it gets is in order, and the last line of each subject is the last state.
#[tokio::test]
async fn beyond_the_bound_the_last_state_is_told() {
    let scratch = Scratch::new();
    let (fifo, dropped) = open(&scratch).unwrap();
    fifo.tell("B MASTER\n".to_owned(), B);
    for number in 0..20_000 {
        fifo.tell(format!("A {number}\n"), A);
        if number % 1000 == 0 {
            // The writer has its turn, until the pipe is full.
            tokio::task::yield_now().await;
        }
    }
    fifo.tell("A PRIORITY\n".to_owned(), None);
    assert!(dropped.load(Ordering::Relaxed) > 0);

    let read = reader(&scratch);
    let lines = Arc::new(std::sync::Mutex::new(Vec::new()));
    let collected = Arc::clone(&lines);
    let collecting = tokio::task::spawn_blocking(move || {
        let mut text = BufReader::new(read);
        let mut line = String::new();
        loop {
            match text.read_line(&mut line) {
                Ok(0) => break,
                Ok(_) => collected.lock().unwrap().push(std::mem::take(&mut line)),
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    });
    until("the last line has come", || {
        lines
            .lock()
            .unwrap()
            .last()
            .is_some_and(|line| line == "A PRIORITY\n")
    })
    .await;
    fifo.close(Duration::from_secs(10)).await;
    collecting.await.unwrap();
    let lines = lines.lock().unwrap();
    let numbers: Vec<u32> = lines
        .iter()
        .filter_map(|line| line.strip_prefix("A ")?.trim().parse().ok())
        .collect();
    assert!(numbers.is_sorted());
    assert_eq!(numbers.last(), Some(&19_999));
    assert!(lines.contains(&"B MASTER\n".to_owned()));
    let lost = usize::try_from(dropped.load(Ordering::Relaxed)).unwrap();
    assert_eq!(lines.len() + lost, 20_002);
}

#[tokio::test]
async fn what_takes_its_place_is_not_removed() {
    let scratch = Scratch::new();
    let (fifo, _) = open(&scratch).unwrap();
    assert!(fifo.is_at(&scratch.path("fifo")));
    assert!(!fifo.is_at(&scratch.path("other")));
    fs::remove_file(scratch.path("fifo")).unwrap();
    assert!(!fifo.is_at(&scratch.path("fifo")));
    fs::write(scratch.path("fifo"), "precious").unwrap();
    assert!(!fifo.is_at(&scratch.path("fifo")));
    fifo.close(Duration::from_secs(1)).await;
    assert_eq!(scratch.read("fifo"), "precious");
}
