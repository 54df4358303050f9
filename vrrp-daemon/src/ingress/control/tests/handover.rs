//! What a successor and its predecessor say to each other.

use std::io;
use std::path::Path;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use vrrp_common::time::MonoNanos;

use super::{ask, desks, never, serve};
use crate::ingress::control::events::Events;
use crate::ingress::control::message::Ending;
use crate::ingress::control::{Control, ControlRequest};
use crate::proto::{Estate, Input, Model, RouterId, Vrrp};
use crate::sys::scratch::Scratch;

/// What a daemon without virtual routers hands over.
pub(super) fn estate() -> Estate {
    let mut vrrp = Vrrp::new(Model::default(), MonoNanos(0));
    vrrp.handle(MonoNanos(0), Input::Start, &mut Vec::new());
    vrrp.estate().unwrap()
}

/// A server and the other end of its requests.
fn desk(path: &Path) -> (JoinHandle<io::Result<()>>, mpsc::Receiver<ControlRequest>) {
    desk_until(never(), path)
}

fn desk_until(
    end: watch::Receiver<Option<Ending>>,
    path: &Path,
) -> (JoinHandle<io::Result<()>>, mpsc::Receiver<ControlRequest>) {
    let (send, receive) = mpsc::channel(4);
    let control = Control::bind(path, None).unwrap();
    let serving = tokio::spawn(control.serve(desks(send, &Events::default()), end));
    (serving, receive)
}

/// Ask to take over, and have the answer.
async fn take(
    path: &Path,
    requests: &mut mpsc::Receiver<ControlRequest>,
) -> (UnixStream, String, oneshot::Receiver<Vec<RouterId>>) {
    let mut stream = UnixStream::connect(path).await.unwrap();
    let request = b"{\"v\":1,\"cmd\":\"take\",\"format\":2}\n";
    stream.write_all(request).await.unwrap();
    let Some(ControlRequest::Take { reply, settled }) = requests.recv().await else {
        panic!("another request");
    };
    reply.send(Ok(estate())).unwrap();
    let mut answer = String::new();
    BufReader::new(&mut stream).read_line(&mut answer).await.unwrap();
    (stream, answer, settled)
}

#[tokio::test]
async fn a_successor_is_answered_and_its_word_is_handed_on() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (serving, mut requests) = desk(&path);
    let (mut stream, answer, settled) = take(&path, &mut requests).await;
    assert_eq!(
        answer,
        format!(
            "{{\"v\":1,\"handed\":{{\"format\":2,\"version\":\"{}\",\"estate\":{{\"model\":{{\"links\":[],\"routers\":[],\
             \"groups\":[],\"scripts\":[],\"files\":[],\"processes\":[],\"units\":[],\"log_unknown_vrids\":false,\
             \"pass_accepted\":false,\"statics\":{{\"addresses\":[],\"routes\":[],\"rules\":[]}}}},\
             \"facts\":{{\"links\":[],\"scripts\":[],\"files\":[],\"processes\":[],\"units\":[]}},\"holds\":[],\"instances\":[],\
             \"groups\":[]}}}}}}\n",
            env!("CARGO_PKG_VERSION")
        )
    );
    let word = b"{\"v\":1,\"cmd\":\"taken\",\"without\":[3]}\n";
    stream.write_all(word).await.unwrap();
    assert_eq!(settled.await, Ok(vec![RouterId(3)]));
    serving.abort();
}

#[tokio::test]
async fn a_successor_that_leaves_without_its_word_has_not_taken_over() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (serving, mut requests) = desk(&path);
    for last in [
        &b""[..],
        b"{\"v\":1,\"cmd\":\"tak",
        b"garbage\n",
        b"{\"v\":1,\"cmd\":\"status\"}\n",
    ] {
        let (mut stream, _, settled) = take(&path, &mut requests).await;
        stream.write_all(last).await.unwrap();
        drop(stream);
        assert!(settled.await.is_err(), "{last:?}");
    }
    serving.abort();
}

/// When the daemon stops waiting the successor cannot say its word any more: it would take it for heard.
#[tokio::test]
async fn a_successor_that_hangs_cannot_take_over_later() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (serving, mut requests) = desk(&path);
    let (mut stream, _, settled) = take(&path, &mut requests).await;
    assert!(settled.await.is_err());
    let word = b"{\"v\":1,\"cmd\":\"taken\",\"without\":[]}\n";
    let error = stream.write_all(word).await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    serving.abort();
}

#[tokio::test]
async fn a_successor_of_another_format_is_refused() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (serving, answering) = serve(&path);
    let answer = ask(&path, b"{\"v\":1,\"cmd\":\"take\",\"format\":3}\n").await;
    assert_eq!(
        answer,
        "{\"v\":1,\"error\":\"format 3 is not known here, but 2\"}\n"
    );
    serving.abort();
    answering.abort();
}

/// Nobody would hear it.
#[tokio::test]
async fn a_successor_cannot_say_its_word_once_the_daemon_ends() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (end, ended) = watch::channel(None);
    let (serving, mut requests) = desk_until(ended, &path);
    let (mut stream, _, settled) = take(&path, &mut requests).await;
    end.send_replace(Some(Ending::Stopped));
    serving.await.unwrap().unwrap();
    assert!(
        stream
            .write_all(b"{\"v\":1,\"cmd\":\"taken\",\"without\":[]}\n")
            .await
            .is_err()
    );
    assert!(settled.await.is_err());
}

/// Whoever connects finds the old socket or the new one, and the old one's end takes nothing away.
#[tokio::test]
async fn a_successor_takes_the_place_of_a_socket_that_is_served() {
    let scratch = Scratch::new();
    let path = scratch.path("control.sock");
    let (serving, mut old_requests) = desk(&path);
    let (send, mut requests) = mpsc::channel(4);
    let control = Control::succeed(&path, None).unwrap();
    let succeeding = tokio::spawn(control.serve(desks(send, &Events::default()), never()));
    serving.abort();
    let _ = serving.await;
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(b"{\"v\":1,\"cmd\":\"status\"}\n").await.unwrap();
    assert!(matches!(
        requests.recv().await,
        Some(ControlRequest::Status { .. })
    ));
    assert!(old_requests.recv().await.is_none());
    assert!(!scratch.path("control.sock.new").exists());
    succeeding.abort();
}
