//! One client: what it asks, line by line, until it leaves or misbehaves.

use std::net::Shutdown;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use socket2::SockRef;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::{Semaphore, broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use super::access::{Access, Permission};
use super::events::{Event, QUEUE};
use super::message::{Answer, Ending, Following, HANDOVER, Handed, Outcome, Request, VERSION, Verb};
use super::{Action, ConfigRequest, ControlRequest, Desks, ending};
use crate::sys::peer::Peer;

/// Longest request, in bytes.
pub(super) const LINE: u64 = 64 * 1024;
/// For a request to arrive once the client is connected or was answered.
const READ_PATIENCE: Duration = Duration::from_secs(10);
/// For the client to take its answer.
pub(super) const WRITE_PATIENCE: Duration = Duration::from_secs(1);
/// For the protocol thread to answer.
const ANSWER_PATIENCE: Duration = Duration::from_secs(2);
/// For the configuration to be read and taken over.
const RELOAD_PATIENCE: Duration = Duration::from_secs(30);

/// For a successor to be sent what it takes over.
const HANDED_PATIENCE: Duration = Duration::from_secs(5);
/// For it to say that it has taken over.
const TAKEN_PATIENCE: Duration = Duration::from_secs(3);
/// How long a daemon that is left for a successor stays on duty, unless it is told otherwise.
const LEASE: Duration = Duration::from_secs(15);
/// At most.
const LONGEST_LEASE: Duration = Duration::from_secs(600);

/// Who is served, and by whom.
pub(super) struct Client {
    pub(super) desks: Desks,
    pub(super) access: Arc<Access>,
    /// For those that follow events.
    pub(super) front_seats: Arc<Semaphore>,
    /// Says when all is over, and why.
    pub(super) end: watch::Receiver<Option<Ending>>,
}

/// A client's connection.
type Line = (BufReader<OwnedReadHalf>, OwnedWriteHalf);

/// What every version of a request begins with.
#[derive(Deserialize)]
struct Spoken {
    v: u32,
}

impl Client {
    pub(super) async fn serve(self, stream: UnixStream) {
        let mut end = self.end.clone();
        let follower = tokio::select! {
            follower = self.converse(stream) => follower,
            // Nobody is there any more to answer; above all a successor must not say then that it has taken over.
            _ = ending(&mut end) => return,
        };
        if let Some((read, write)) = follower {
            self.follow(read, write).await;
        }
    }

    /// Answer until the client leaves, or wants to follow from now on.
    async fn converse(&self, stream: UnixStream) -> Option<Line> {
        let permission = Peer::of(&stream).map_or(Permission::Nothing, |peer| self.access.of(&peer));
        let (read, mut write) = stream.into_split();
        let mut read = BufReader::new(read);
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut read).take(LINE);
            match timeout(READ_PATIENCE, limited.read_until(b'\n', &mut line)).await {
                Ok(Ok(_)) if line.ends_with(b"\n") => {}
                _ => return None,
            }
            let (outcome, go_on) = match parse(&line) {
                Ok(verb) if permission < verb.needs() => (Outcome::Denied(denied(verb.needs())), true),
                Ok(Verb::Events) => return Some((read, write)),
                Ok(Verb::Take { format }) => {
                    self.hand_over(format, read, write).await;
                    return None;
                }
                Ok(verb) => (self.answer(verb).await, true),
                Err(Refused { why, go_on }) => (Outcome::Error(why), go_on),
            };
            if !tell(&mut write, outcome).await || !go_on {
                return None;
            }
        }
    }

    /// Whatever happens from now on, until the client leaves or all is over; what it sends meanwhile is thrown away.
    async fn follow(mut self, mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf) {
        let Ok(_seat) = Arc::clone(&self.front_seats).try_acquire_owned() else {
            let why = "too many follow the events already: end one of them".to_owned();
            tell(&mut write, Outcome::Error(why)).await;
            return;
        };
        let mut events = self.desks.events.follow();
        let mut said = [0; 256];
        if !tell(&mut write, Outcome::Following(Following { queue: QUEUE })).await {
            return;
        }
        loop {
            let outcome = tokio::select! {
                event = events.recv() => match event {
                    Ok(event) => Outcome::Event(Box::new(event.as_ref().clone())),
                    Err(RecvError::Lagged(count)) => Outcome::Missed(count),
                    Err(RecvError::Closed) => return,
                },
                why = ending(&mut self.end) => return see_off(&mut write, events, why).await,
                said = read.read(&mut said) => match said {
                    Ok(1..) => continue,
                    Ok(0) | Err(_) => return,
                },
            };
            if !tell(&mut write, outcome).await {
                return;
            }
        }
    }

    /// Let the client be this daemon's successor. What decides is whether its word of having taken over has come when
    /// this end stops listening: either the client could not say it, or the daemon has heard it.
    async fn hand_over(&self, format: u32, mut read: BufReader<OwnedReadHalf>, mut write: OwnedWriteHalf) {
        if format != HANDOVER {
            let why = format!("format {format} is not known here, but {HANDOVER}");
            tell(&mut write, Outcome::Error(why)).await;
            return;
        }
        let (settle, settled) = oneshot::channel();
        let ask = |reply| ControlRequest::Take { reply, settled };
        let asked = ask_for(ask, &self.desks.protocol, HANDED_PATIENCE).await;
        let estate = match asked.and_then(|answer| answer) {
            Ok(estate) => estate,
            Err(why) => {
                tell(&mut write, Outcome::Error(why)).await;
                return;
            }
        };
        let handed = Outcome::Handed(Box::new(Handed {
            format: HANDOVER,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            estate,
        }));
        if !tell_within(HANDED_PATIENCE, &mut write, handed).await {
            return;
        }
        let mut line = Vec::new();
        let mut limited = (&mut read).take(LINE);
        if timeout(TAKEN_PATIENCE, limited.read_until(b'\n', &mut line))
            .await
            .is_err()
        {
            // From here on it cannot say it any more; what it has said before is still there to be read.
            let stream = limited.get_ref().get_ref().as_ref();
            let _ = SockRef::from(stream).shutdown(Shutdown::Read);
            let _ = timeout(TAKEN_PATIENCE, limited.read_until(b'\n', &mut line)).await;
        }
        if line.ends_with(b"\n")
            && let Ok(Verb::Taken { without }) = parse(&line)
        {
            let _ = settle.send(without);
        }
    }

    /// Have it done by whoever does that.
    async fn answer(&self, verb: Verb) -> Outcome {
        let (protocol, config) = (&self.desks.protocol, &self.desks.config);
        let act = |action, target| {
            let ask = move |reply| ControlRequest::Act {
                action,
                target,
                reply,
            };
            ask_for(ask, protocol, ANSWER_PATIENCE)
        };
        let done = match verb {
            Verb::Status => ask_for(
                |reply| ControlRequest::Status { reply },
                protocol,
                ANSWER_PATIENCE,
            )
            .await
            .map(|status| Outcome::Status(Box::new(status))),
            Verb::Reload => ask_for(
                |reply| ControlRequest::Reload { reply },
                protocol,
                RELOAD_PATIENCE,
            )
            .await
            .map(Outcome::Reload),
            Verb::ConfigShow => ask_for(|reply| ConfigRequest::Show { reply }, config, RELOAD_PATIENCE)
                .await
                .map(Outcome::Config),
            Verb::ConfigDiff { file } => {
                let ask = |reply| ConfigRequest::Diff { file, reply };
                ask_for(ask, config, RELOAD_PATIENCE).await.map(Outcome::Changes)
            }
            Verb::Garp { target } => act(Action::Garp, target).await.and_then(acted),
            Verb::Standby { target, for_ms } => {
                let length = for_ms.map(Duration::from_millis);
                act(Action::Standby { length }, target).await.and_then(acted)
            }
            Verb::Resume { target } => act(Action::Resume, target).await.and_then(acted),
            Verb::LogLevel { level } => {
                (self.desks.log_level)(level);
                Ok(Outcome::LogLevel(level))
            }
            Verb::Handover { lease_ms } => {
                let lease = lease_ms.map_or(LEASE, Duration::from_millis).min(LONGEST_LEASE);
                let ask = |reply| ControlRequest::Expect { lease, reply };
                let expecting = ask_for(ask, protocol, ANSWER_PATIENCE).await;
                expecting.and_then(|answer| answer).map(Outcome::Handover)
            }
            // Not answered but followed.
            Verb::Events => Err("ask for events alone".to_owned()),
            Verb::Take { .. } | Verb::Taken { .. } => Err("that is for a successor to say".to_owned()),
        };
        done.unwrap_or_else(Outcome::Error)
    }
}

/// All that has been told until now, and that nothing follows.
async fn see_off(write: &mut OwnedWriteHalf, mut events: broadcast::Receiver<Arc<Event>>, why: Ending) {
    loop {
        let (outcome, last) = match events.try_recv() {
            Ok(event) => (Outcome::Event(Box::new(event.as_ref().clone())), false),
            Err(TryRecvError::Lagged(count)) => (Outcome::Missed(count), false),
            Err(TryRecvError::Empty | TryRecvError::Closed) => (Outcome::Ended(why), true),
        };
        if !tell(write, outcome).await || last {
            return;
        }
    }
}

fn acted(done: Result<super::Done, String>) -> Result<Outcome, String> {
    done.map(Outcome::Done)
}

/// A line that is no request of this version.
struct Refused {
    why: String,
    /// Whether the next line may make sense.
    go_on: bool,
}

fn parse(line: &[u8]) -> Result<Verb, Refused> {
    let garbage = |error| Refused {
        why: format!("not a request: {error}"),
        go_on: false,
    };
    let Spoken { v } = serde_json::from_slice(line).map_err(garbage)?;
    if v != VERSION {
        return Err(Refused {
            why: format!(
                "version {v} is not spoken here, but {VERSION}: use the vrrpctl that came with the daemon"
            ),
            go_on: true,
        });
    }
    let request: Request = serde_json::from_slice(line).map_err(garbage)?;
    Ok(request.verb)
}

fn denied(needed: Permission) -> String {
    let who = match needed {
        Permission::Everything => {
            "only root may have the daemon read another file, or hand over to a successor: run it as root"
        }
        Permission::Change => {
            "only root and the socket's group may change anything: run it as root, or join the group \
             (vrrp_control_group in global_defs)"
        }
        Permission::Nothing | Permission::Read => {
            "only root and the socket's group may ask: run it as root, or join the group \
             (vrrp_control_group in global_defs)"
        }
    };
    who.to_owned()
}

/// Whether the client took it.
async fn tell(write: &mut OwnedWriteHalf, outcome: Outcome) -> bool {
    tell_within(WRITE_PATIENCE, write, outcome).await
}

async fn tell_within(patience: Duration, write: &mut OwnedWriteHalf, outcome: Outcome) -> bool {
    let Ok(mut text) = serde_json::to_vec(&Answer { v: VERSION, outcome }) else {
        return false;
    };
    text.push(b'\n');
    matches!(timeout(patience, write.write_all(&text)).await, Ok(Ok(())))
}

async fn ask_for<R, T>(
    ask: impl FnOnce(oneshot::Sender<T>) -> R,
    desk: &mpsc::Sender<R>,
    patience: Duration,
) -> Result<T, String> {
    let (reply, replied) = oneshot::channel();
    if desk.try_send(ask(reply)).is_err() {
        return Err("the daemon is busy or stopping: ask again".to_owned());
    }
    match timeout(patience, replied).await {
        Ok(Ok(answer)) => Ok(answer),
        _ => Err("the daemon did not answer in time: ask again".to_owned()),
    }
}
