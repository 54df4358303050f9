mod handover;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::client::LINE;
use super::events::{Event, EventKind, Events, QUEUE};
use super::message::{Answer, Done, Ending, Expecting, LogLevel, Outcome, Reloaded, Target, Verb};
use super::status::{Daemon, ReloadResult, Status};
use super::{Action, BindError, CLIENTS, Control, ControlRequest, Desks, FOLLOWERS, Tally};
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
        units: Vec::new(),
        refused_elsewhere: BTreeMap::from([("vrid".to_owned(), 3)]),
    }
}

const STATUS_LINE: &str = "{\"v\":1,\"status\":{\"daemon\":{\"version\":\"0.1.0\",\"pid\":42,\"uptime_ms\":1500,\
    \"config_file\":\"/etc/keepalived/keepalived.conf\",\"notifications_dropped\":0,\"last_reload\":null,\
    \"reloads\":0,\"reloads_refused\":0},\"instances\":[],\
    \"groups\":[],\"scripts\":[],\"files\":[],\"processes\":[],\"units\":[],\
    \"refused_elsewhere\":{\"vrid\":3},\"frames\":null}}\n";

/// Desks at which only the protocol thread sits.
fn desks(protocol: mpsc::Sender<ControlRequest>, events: &Events) -> Desks {
    let (config, _) = mpsc::channel(1);
    Desks {
        protocol,
        config,
        events: events.clone(),
        log_level: |level| assert_eq!(level, LogLevel::Debug),
    }
}

/// A server, and a stand-in for the protocol thread that answers every request.
fn serve(path: &Path) -> (JoinHandle<io::Result<()>>, JoinHandle<()>) {
    serve_with(path, &Events::default())
}

fn serve_with(path: &Path, events: &Events) -> (JoinHandle<io::Result<()>>, JoinHandle<()>) {
    serve_until(never(), path, events)
}

/// An end that does not come.
fn never() -> watch::Receiver<Option<Ending>> {
    let (end, ended) = watch::channel(None);
    tokio::spawn(async move { end.closed().await });
    ended
}

fn serve_until(
    end: watch::Receiver<Option<Ending>>,
    path: &Path,
    events: &Events,
) -> (JoinHandle<io::Result<()>>, JoinHandle<()>) {
    let (send, mut receive) = mpsc::channel(4);
    let control = Control::bind(path, None).unwrap();
    let serving = tokio::spawn(control.serve(desks(send, events), end));
    let answering = tokio::spawn(async move {
        while let Some(request) = receive.recv().await {
            match request {
                ControlRequest::Status { reply } => drop(reply.send(status())),
                ControlRequest::Reload { reply } => drop(reply.send(Reloaded {
                    result: ReloadResult::Applied { pause_us: 250 },
                    diagnostics: Vec::new(),
                })),
                ControlRequest::Act {
                    action,
                    target,
                    reply,
                } => drop(reply.send(act(action, target))),
                ControlRequest::Tally { reply } => drop(reply.send(Tally::default())),
                ControlRequest::Expect { lease, reply } => {
                    assert_eq!(lease, Duration::from_secs(15));
                    let _ = reply.send(Ok(Expecting {
                        within_ms: 10_000,
                        lease_ms: 15_000,
                    }));
                }
                ControlRequest::Take { reply, settled } => {
                    let _ = reply.send(Ok(handover::estate()));
                    drop(settled);
                }
            }
        }
    });
    (serving, answering)
}

fn act(action: Action, target: Target) -> Result<Done, String> {
    match (action, target) {
        (Action::Standby { length }, Target::Name(name)) => {
            assert_eq!(length, Some(Duration::from_secs(600)));
            Ok(Done { names: vec![name] })
        }
        (Action::Resume | Action::Garp, Target::All) => Ok(Done {
            names: vec!["web".to_owned(), "db".to_owned()],
        }),
        _ => Err("no".to_owned()),
    }
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
        "{\"v\":1,\"reload\":{\"result\":{\"applied\":{\"pause_us\":250}},\"diagnostics\":[]}}\n"
    );
}

/// What is asked, word for word as other programs may, and what is answered.
#[tokio::test]
async fn what_changes_something() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let table: [(&[u8], &str); 5] = [
        (
            b"{\"v\":1,\"cmd\":\"standby\",\"target\":{\"name\":\"web\"},\"for_ms\":600000}\n",
            "{\"v\":1,\"done\":{\"names\":[\"web\"]}}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"resume\",\"target\":\"all\"}\n",
            "{\"v\":1,\"done\":{\"names\":[\"web\",\"db\"]}}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"garp\",\"target\":\"all\"}\n",
            "{\"v\":1,\"done\":{\"names\":[\"web\",\"db\"]}}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"garp\",\"target\":{\"name\":\"web\"}}\n",
            "{\"v\":1,\"error\":\"no\"}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"log-level\",\"level\":\"debug\"}\n",
            "{\"v\":1,\"log-level\":\"debug\"}\n",
        ),
    ];
    for (request, expected) in table {
        assert_eq!(ask(&path, request).await, expected);
    }
    let request = serde_json::to_string(&super::message::Request {
        v: 1,
        verb: Verb::Standby {
            target: Target::Name("web".to_owned()),
            for_ms: None,
        },
    });
    assert_eq!(
        request.unwrap(),
        "{\"v\":1,\"cmd\":\"standby\",\"target\":{\"name\":\"web\"}}"
    );
}

fn event(text: &str) -> Event {
    Event {
        seq: 0,
        unix_ms: 0,
        kind: EventKind::Remark,
        subject: Some("web".to_owned()),
        vrid: None,
        interface: None,
        from: None,
        to: None,
        reason: None,
        source: None,
        age_ms: None,
        age_us: None,
        took_us: None,
        text: text.to_owned(),
    }
}

const FOLLOW: &[u8] = b"{\"v\":1,\"cmd\":\"events\"}\n";

/// A client that follows, once the server knows that.
async fn follow(path: &Path) -> BufReader<UnixStream> {
    let mut stream = UnixStream::connect(path).await.unwrap();
    stream.write_all(FOLLOW).await.unwrap();
    let mut stream = BufReader::new(stream);
    assert_eq!(
        next(&mut stream).await,
        Outcome::Following(super::message::Following { queue: 256 })
    );
    stream
}

async fn next(stream: &mut BufReader<UnixStream>) -> Outcome {
    let mut line = String::new();
    let reading = stream.read_line(&mut line);
    timeout(Duration::from_secs(10), reading).await.unwrap().unwrap();
    serde_json::from_str::<Answer>(&line).unwrap().outcome
}

fn told(outcome: Outcome) -> (u64, String) {
    match outcome {
        Outcome::Event(event) => (event.seq, event.text),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn who_follows_is_told_and_who_is_slow_is_told_how_many_it_missed() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let events = Events::default();
    let (_serving, _answering) = serve_with(&path, &events);
    // Nobody is there yet.
    events.tell(|| event("unheard"));
    let mut stream = follow(&path).await;
    events.tell(|| event("first"));
    assert_eq!(told(next(&mut stream).await), (2, "first".to_owned()));
    // More than wait for anybody, before the server's task has its turn.
    for _ in 0..QUEUE + 10 {
        events.tell(|| event("flood"));
    }
    assert_eq!(next(&mut stream).await, Outcome::Missed(10));
    assert_eq!(told(next(&mut stream).await), (13, "flood".to_owned()));
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
}

#[tokio::test]
async fn a_follower_that_never_reads_is_dropped() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let events = Events::default();
    let (_serving, _answering) = serve_with(&path, &events);
    let stream = follow(&path).await;
    let long = "x".repeat(10_000);
    let gone = async {
        while events.followers() > 0 {
            events.tell(|| event(&long));
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(10), gone)
        .await
        .expect("the server drops it");
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
    drop(stream);
}

#[tokio::test]
async fn at_the_end_who_follows_gets_what_was_told_and_a_last_word() {
    for (why, word) in [
        (Ending::Stopped, "{\"v\":1,\"ended\":\"stopped\"}\n"),
        (Ending::HandedOver, "{\"v\":1,\"ended\":\"handed-over\"}\n"),
    ] {
        let scratch = Scratch::new();
        let path = scratch.path("control.sock");
        let events = Events::default();
        let (end, ended) = watch::channel(None);
        let (serving, _answering) = serve_until(ended, &path, &events);
        let mut stream = follow(&path).await;
        // One that only keeps its seat is not waited for.
        let mut idle = UnixStream::connect(&path).await.unwrap();
        idle.write_all(REQUEST).await.unwrap();
        idle.read_exact(&mut [0]).await.unwrap();
        // At once, before the server's tasks have their turn.
        for count in 0..20 {
            events.tell(|| event(&format!("event {count}")));
        }
        end.send_replace(Some(why));
        for count in 0..20 {
            assert_eq!(
                told(next(&mut stream).await),
                (count + 1, format!("event {count}"))
            );
        }
        let mut rest = String::new();
        timeout(Duration::from_secs(10), stream.read_to_string(&mut rest))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(rest, word);
        timeout(Duration::from_secs(10), serving)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
        assert!(!path.exists());
    }
}

#[tokio::test]
async fn a_follower_that_never_reads_does_not_keep_the_server() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let events = Events::default();
    let (end, ended) = watch::channel(None);
    let (serving, _answering) = serve_until(ended, &path, &events);
    let _deaf = follow(&path).await;
    let mut reads = follow(&path).await;
    // More than the kernel holds for it.
    let long = "x".repeat(10_000);
    for _ in 0..QUEUE {
        events.tell(|| event(&long));
    }
    end.send_replace(Some(Ending::Stopped));
    for seq in 1..=256 {
        assert_eq!(told(next(&mut reads).await).0, seq);
    }
    assert_eq!(next(&mut reads).await, Outcome::Ended(Ending::Stopped));
    timeout(Duration::from_secs(10), serving)
        .await
        .unwrap()
        .unwrap()
        .unwrap();
}

#[tokio::test]
async fn followers_leave_seats_for_others() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let events = Events::default();
    let (_serving, _answering) = serve_with(&path, &events);
    let mut followers = Vec::new();
    for _ in 0..FOLLOWERS {
        followers.push(follow(&path).await);
    }
    assert_eq!(
        ask(&path, FOLLOW).await,
        "{\"v\":1,\"error\":\"too many follow the events already: end one of them\"}\n"
    );
    assert_eq!(ask(&path, REQUEST).await, STATUS_LINE);
    // One that leaves is noticed without an event.
    followers.pop();
    until("its seat is free", || events.followers() == FOLLOWERS - 1).await;
    drop(follow(&path).await);
}

#[tokio::test]
async fn garbage_is_refused_and_nobody_else_notices() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (_serving, _answering) = serve(&path);
    let table: [(&[u8], &str); 9] = [
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
            "{\"v\":1,\"error\":\"version 2 is not spoken here, but 1: use the vrrpctl that came with the daemon\"}\n",
        ),
        // One that a later version may know.
        (
            b"{\"v\":2,\"cmd\":\"reboot\"}\n",
            "{\"v\":1,\"error\":\"version 2 is not spoken here, but 1: use the vrrpctl that came with the daemon\"}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"reboot\"}\n",
            "{\"v\":1,\"error\":\"not a request: unknown variant `reboot`, expected one of `status`, `events`, \
             `config-show`, `config-diff`, `reload`, `garp`, `standby`, `resume`, `log-level`, `handover`, `take`, `taken` at line 1 column 22\"}\n",
        ),
        (
            b"{\"v\":1,\"cmd\":\"standby\"}\n",
            "{\"v\":1,\"error\":\"not a request: missing field `target` at line 1 column 23\"}\n",
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
    let _serving = tokio::spawn(
        Control::bind(&path, None)
            .unwrap()
            .serve(desks(send, &Events::default()), never()),
    );
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
    let refused = Control::bind(&path, None).unwrap_err();
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
    assert!(matches!(Control::bind(&path, None), Err(BindError::InTheWay(_))));
    assert_eq!(scratch.read("precious"), "data");
}
