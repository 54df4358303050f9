use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::status::{Daemon, Reload, ReloadResult, Status};
use super::{Answer, BindError, CLIENTS, Control, ControlRequest, LINE, Outcome};
use crate::sys::scratch::{Scratch, until};

const REQUEST: &[u8] = b"{\"v\":1,\"cmd\":\"status\"}\n";

fn status() -> Status {
    Status {
        frames: None,
        daemon: Daemon {
            version: "0.1.0".to_owned(),
            pid: 42,
            uptime_ms: 1500,
            config_file: "/etc/keepalived/keepalived.conf".into(),
            notifications_dropped: 0,
            last_reload: None,
            reloads: 0,
            reloads_refused: 0,
        },
        instances: Vec::new(),
        groups: Vec::new(),
        scripts: Vec::new(),
        files: Vec::new(),
        processes: Vec::new(),
        refused_elsewhere: BTreeMap::from([("vrid".to_owned(), 3)]),
    }
}

const STATUS_LINE: &str = "{\"v\":1,\"status\":{\"daemon\":{\"version\":\"0.1.0\",\"pid\":42,\"uptime_ms\":1500,\
    \"config_file\":\"/etc/keepalived/keepalived.conf\",\"notifications_dropped\":0,\"last_reload\":null,\
    \"reloads\":0,\"reloads_refused\":0},\"instances\":[],\
    \"groups\":[],\"scripts\":[],\"files\":[],\"processes\":[],\
    \"refused_elsewhere\":{\"vrid\":3},\"frames\":null}}\n";

/// A server, and a stand-in for the protocol thread that answers every request.
fn serve(path: &Path) -> (JoinHandle<io::Result<()>>, JoinHandle<()>) {
    let (send, mut receive) = mpsc::channel(4);
    let control = Control::bind(path).unwrap();
    let serving = tokio::spawn(control.serve(send));
    let answering = tokio::spawn(async move {
        while let Some(request) = receive.recv().await {
            match request {
                ControlRequest::Status { reply } => drop(reply.send(status())),
                ControlRequest::Reload { reply } => drop(reply.send(Reload {
                    ago_ms: 0,
                    result: ReloadResult::Applied { pause_us: 250 },
                })),
            }
        }
    });
    (serving, answering)
}

async fn ask(path: &Path, request: &[u8]) -> String {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    // Being cut off is an answer too.
    let _ = timeout(Duration::from_secs(10), stream.read_to_string(&mut answer))
        .await
        .unwrap();
    answer
}

#[tokio::test]
async fn status_is_one_line_of_json() {
    let scratch = Scratch::new();
    let path = scratch.path("dir/control.sock");
    let (_serving, _answering) = serve(&path);
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
    // Two on one connection.
    assert_eq!(
        ask(&path, &[REQUEST, REQUEST].concat()).await,
        STATUS_LINE.repeat(2)
    );
    assert_eq!(
        std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
        0o660
    );
    let answer: Answer = serde_json::from_str(STATUS_LINE).unwrap();
    assert_eq!(answer.outcome, Outcome::Status(Box::new(status())));
}

#[tokio::test]
async fn reload_says_what_came_of_it() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    assert_eq!(
        ask(&path, b"{\"v\":1,\"cmd\":\"reload\"}\n").await,
        "{\"v\":1,\"reload\":{\"ago_ms\":0,\"result\":{\"applied\":{\"pause_us\":250}}}}\n"
    );
}

#[tokio::test]
async fn garbage_is_refused_and_nobody_else_notices() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let table: [(&[u8], &str); 7] = [
        (
            b"\n",
            "{\"v\":1,\"error\":\"not a request: EOF while parsing a value at line 2 column 0\"}\n",
        ),
        (
            b"hello\n",
            "{\"v\":1,\"error\":\"not a request: expected value at line 1 column 1\"}\n",
        ),
        (
            b"{\"v\":2,\"cmd\":\"status\"}\n",
            "{\"v\":1,\"error\":\"version 2 is not spoken here, but 1\"}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"reboot\"}\n",
            "{\"v\":1,\"error\":\"not a request: unknown variant `reboot`, expected `status` or `reload` at line 1 column 21\"}\n",
        ),
        (
            b"\xff\xfe\x00\n",
            "{\"v\":1,\"error\":\"not a request: expected value at line 1 column 1\"}\n",
        ),
        // Half a request, and nothing at all.
        (b"{\"v\":1,\"cmd\"", ""),
        (b"", ""),
    ];
    for (request, expected) in table {
        assert_eq!(
            ask(&path, request).await,
            expected,
            "{}",
            String::from_utf8_lossy(request)
        );
        assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
    }
}

#[tokio::test]
async fn a_megabyte_without_an_end_is_cut_off_at_the_limit() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    let chunk = vec![b'x'; 4096];
    let mut written = 0;
    while let Ok(count) = stream.write(&chunk).await {
        written += count;
        // What it read, and what the kernel buffers on the way.
        assert!(
            written < usize::try_from(LINE).unwrap() + 2_000_000,
            "it reads without end"
        );
    }
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
}

#[tokio::test]
async fn a_client_that_never_reads_loses_its_seat() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let mut stream = UnixStream::connect(&path).await.unwrap();
    // It asks on and on; once its answers fill the buffers the server gives up within a second.
    let gone = async { while stream.write_all(REQUEST).await.is_ok() {} };
    timeout(Duration::from_secs(10), gone)
        .await
        .expect("the server drops it");
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
}

#[tokio::test]
async fn one_client_too_many_is_turned_away() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let mut seated = Vec::new();
    for _ in 0..CLIENTS {
        let mut stream = UnixStream::connect(&path).await.unwrap();
        stream.write_all(REQUEST).await.unwrap();
        // Once it has an answer it is known to have its seat.
        let mut first = [0];
        stream.read_exact(&mut first).await.unwrap();
        seated.push(stream);
    }
    assert_eq!(ask(&path, b"").await, "");
    let mut late = UnixStream::connect(&path).await.unwrap();
    assert_eq!(late.read(&mut [0]).await.unwrap(), 0);
    seated.clear();
    for _ in 0..1000 {
        if ask(&path, REQUEST).await == STATUS_LINE {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("no seat became free");
}

#[tokio::test]
async fn a_busy_protocol_thread_is_said_so() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (send, mut receive) = mpsc::channel(1);
    let _serving = tokio::spawn(Control::bind(&path).unwrap().serve(send));
    // Nobody answers the first; meanwhile the second finds the queue full.
    let first = tokio::spawn({
        let path = path.clone();
        async move { ask(&path, REQUEST).await }
    });
    until("the first request is queued", || receive.len() == 1).await;
    assert_eq!(
        ask(&path, REQUEST).await,
        "{\"v\":1,\"error\":\"the daemon is busy or stopping: ask again\"}\n"
    );
    drop(receive.recv().await);
    assert_eq!(
        first.await.unwrap(),
        "{\"v\":1,\"error\":\"the daemon did not answer in time: ask again\"}\n"
    );
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_a_living_one_respected() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let (serving, _answering) = serve(&path);
    let refused = Control::bind(&path).unwrap_err();
    assert!(matches!(refused, BindError::Taken(_)));
    assert_eq!(
        refused.to_string(),
        format!(
            "another daemon answers on {}: stop it, or give this one its own path with --control-socket",
            path.display()
        )
    );
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
    serving.abort();
    let _ = serving.await;
    assert!(!path.exists());
}

#[test]
fn a_file_in_the_way_is_left_alone() {
    let scratch = Scratch::new();
    let path = scratch.path("precious");
    std::fs::write(&path, "data").unwrap();
    assert!(matches!(Control::bind(&path), Err(BindError::InTheWay(_))));
    assert_eq!(scratch.read("precious"), "data");
}
