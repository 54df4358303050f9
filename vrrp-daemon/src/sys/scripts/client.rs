//! The protocol process's end: what is asked of the runner, and what becomes of it.

use std::collections::{HashMap, VecDeque};
use std::future::pending;
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::process::ExitStatus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::io::unix::AsyncFd;
use tokio::sync::{mpsc, oneshot};

use super::message::{Answer, Ending, Outcome, Request};
use super::{Closed, Script, receive, say, watched};
use crate::sys::process::Lifetime;

/// Why nothing is known of how a script ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// It did not begin.
    #[error("could not be started: {0}")]
    NotStarted(String),
    /// The runner died meanwhile.
    #[error("was under way when the script runner died")]
    Lost,
}

type Ended = Result<ExitStatus, Failure>;

/// Has scripts run. What is asked waits in a queue that has no bound of its own: there is one run at a time of each
/// tracked script, of each virtual router's or group's notifications, and of each FIFO's reader.
#[derive(Clone, Debug)]
pub struct Scripts {
    asks: mpsc::UnboundedSender<Ask>,
    next: Arc<AtomicU64>,
}

#[derive(Debug)]
enum Ask {
    Run {
        id: u64,
        script: Script,
        ended: oneshot::Sender<Ended>,
    },
    Signal {
        id: u64,
        signal: Ending,
    },
}

/// A script that runs, as far as is known. Dropped before its end is known, one that lives
/// [`WithUs`](Lifetime::WithUs) is killed with its process group, and another is left to itself.
#[derive(Debug)]
pub struct Running {
    id: u64,
    lifetime: Lifetime,
    asks: mpsc::UnboundedSender<Ask>,
    ended: oneshot::Receiver<Ended>,
    known: Option<Ended>,
}

impl Scripts {
    /// Have it run. Does not wait, neither for the runner nor for the script.
    #[must_use]
    pub fn start(&self, script: Script) -> Running {
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let (ended, receiver) = oneshot::channel();
        let lifetime = script.lifetime;
        // Nobody carries it out any more at the very end; then it is known to be lost.
        let _ = self.asks.send(Ask::Run { id, script, ended });
        Running {
            id,
            lifetime,
            asks: self.asks.clone(),
            ended: receiver,
            known: None,
        }
    }
}

impl Running {
    /// Wait for the end of its leader. Cancel safe, and the same answer each time.
    ///
    /// # Errors
    /// [`Failure`]
    pub async fn wait(&mut self) -> Result<ExitStatus, Failure> {
        if let Some(known) = &self.known {
            return known.clone();
        }
        let ended = (&mut self.ended).await.unwrap_or(Err(Failure::Lost));
        self.known = Some(ended.clone());
        ended
    }

    /// SIGTERM to its process group, and SIGKILL for what its leader leaves behind when it has ended.
    pub fn terminate(&self) {
        self.signal(Ending::Term);
    }

    /// SIGKILL to its process group.
    pub fn kill(&self) {
        self.signal(Ending::Kill);
    }

    fn signal(&self, signal: Ending) {
        if self.known.is_none() {
            let _ = self.asks.send(Ask::Signal { id: self.id, signal });
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.lifetime == Lifetime::WithUs {
            self.kill();
        }
    }
}

/// What carries it all out: [`Connection::run`] belongs into a task.
#[derive(Debug)]
pub struct Connection {
    socket: OwnedFd,
    asks: mpsc::UnboundedReceiver<Ask>,
}

/// Both ends of the queue to the runner at the other end of `socket`.
#[must_use]
pub fn connect(socket: OwnedFd) -> (Scripts, Connection) {
    let (asks, receiver) = mpsc::unbounded_channel();
    let scripts = Scripts {
        asks,
        next: Arc::default(),
    };
    let connection = Connection {
        socket,
        asks: receiver,
    };
    (scripts, connection)
}

impl Connection {
    /// Speak with the runner until nobody wants anything of it any more. Must be called inside a runtime.
    pub async fn run(mut self) {
        let mut desk = Desk::default();
        let mut socket = watched(self.socket)
            .inspect_err(|error| tracing::error!("no script runner ({error}): scripts do not run"))
            .ok();
        loop {
            let next = desk.out.front().map(|(_, message)| message.as_slice());
            let event = tokio::select! {
                biased;
                message = hear(socket.as_ref()) => Event::Heard(message),
                sent = utter(socket.as_ref(), next) => Event::Sent(sent),
                ask = self.asks.recv() => Event::Asked(ask),
            };
            match event {
                Event::Heard(Ok(message)) => desk.hear(&message),
                Event::Heard(Err(Closed)) => {
                    tracing::error!(
                        "the script runner and the parent are gone: scripts do not run until the daemon is restarted"
                    );
                    socket = None;
                    desk.lose_all();
                }
                Event::Sent(sent) => desk.sent(sent),
                Event::Asked(Some(ask)) if socket.is_some() => desk.take(ask),
                Event::Asked(Some(Ask::Run { ended, .. })) => {
                    let _ = ended.send(Err(Failure::NotStarted("there is no script runner".to_owned())));
                }
                Event::Asked(Some(Ask::Signal { .. })) => {}
                Event::Asked(None) => return,
            }
        }
    }
}

enum Event {
    Heard(Result<Vec<u8>, Closed>),
    Sent(std::io::Result<()>),
    Asked(Option<Ask>),
}

async fn hear(socket: Option<&AsyncFd<OwnedFd>>) -> Result<Vec<u8>, Closed> {
    match socket {
        Some(socket) => receive(socket).await,
        None => pending().await,
    }
}

async fn utter(socket: Option<&AsyncFd<OwnedFd>>, message: Option<&[u8]>) -> std::io::Result<()> {
    match (socket, message) {
        (Some(socket), Some(message)) => say(socket, message).await,
        _ => pending().await,
    }
}

/// What was asked and has not been answered.
#[derive(Debug, Default)]
struct Desk {
    /// The runner's number.
    runner: u64,
    /// Not sent yet: whose it is, and the message.
    out: VecDeque<(u64, Vec<u8>)>,
    waiting: HashMap<u64, oneshot::Sender<Ended>>,
}

impl Desk {
    fn take(&mut self, ask: Ask) {
        match ask {
            Ask::Run { id, script, ended } => {
                let Script {
                    argv,
                    identity,
                    lifetime,
                } = script;
                let runner = self.runner;
                let request = Request::Run {
                    runner,
                    id,
                    argv,
                    identity,
                    lifetime,
                };
                match request.write() {
                    Ok(message) => {
                        self.waiting.insert(id, ended);
                        self.out.push_back((id, message));
                    }
                    Err(error) => {
                        let _ = ended.send(Err(Failure::NotStarted(error.to_string())));
                    }
                }
            }
            // One that has ended meanwhile needs none.
            Ask::Signal { id, signal } if self.waiting.contains_key(&id) => {
                if let Ok(message) = (Request::Signal { id, signal }).write() {
                    self.out.push_back((id, message));
                }
            }
            Ask::Signal { .. } => {}
        }
    }

    fn sent(&mut self, sent: std::io::Result<()>) {
        let Some((id, _)) = self.out.pop_front() else {
            return;
        };
        if let Err(error) = sent {
            self.answer(id, Err(Failure::NotStarted(error.to_string())));
        }
    }

    fn hear(&mut self, message: &[u8]) {
        match Answer::read(message) {
            Some(Answer::Runner(number)) => {
                self.lose_all();
                self.runner = number;
            }
            Some(Answer::Ended { id, outcome }) => {
                let ended = match outcome {
                    Outcome::Status(status) => Ok(ExitStatus::from_raw(status)),
                    Outcome::NotStarted(why) => Err(Failure::NotStarted(why)),
                };
                self.answer(id, ended);
            }
            None => tracing::warn!("the script runner said something unknown"),
        }
    }

    fn answer(&mut self, id: u64, ended: Ended) {
        if let Some(waiting) = self.waiting.remove(&id) {
            let _ = waiting.send(ended);
        }
    }

    fn lose_all(&mut self) {
        self.out.clear();
        for (_, waiting) in self.waiting.drain() {
            let _ = waiting.send(Err(Failure::Lost));
        }
    }
}
