//! The script runner: starts what it is asked to, tells how it ended, and knows nothing of VRRP.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;

use nix::unistd::dup2_stdin;
use tokio::runtime::Builder;
use tokio::task::JoinSet;

use super::message::{Answer, Ending, Outcome, Request};
use super::{Closed, receive, say, taken, watched};
use crate::sys::process::{self, Lifetime, ProcessGroup};

/// Scripts under way at once, at most: far beyond what a configuration can want.
const MOST: usize = 8192;

/// Be the script runner of this number, whose end of the pair is standard input, until the other end is closed. To be
/// called in a process without other threads.
///
/// # Errors
/// What the system says.
pub fn serve_on_stdin(number: u64) -> io::Result<()> {
    let socket = taken(io::stdin())?;
    dup2_stdin(File::open("/dev/null")?)?;
    nix::sys::prctl::set_name(c"vrrp-scripts")?;
    // A stop is the protocol process's to carry out, whose last notifications are run here.
    process::ignore_stops();
    Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(serve(socket, number))
}

/// Carry out requests until the other end is closed.
pub(super) async fn serve(socket: OwnedFd, number: u64) -> io::Result<()> {
    let socket = watched(socket)?;
    let mut runner = Runner {
        number,
        running: HashMap::new(),
        ends: JoinSet::new(),
        out: VecDeque::new(),
    };
    loop {
        let next = runner.out.front();
        tokio::select! {
            message = receive(&socket) => match message {
                Ok(message) => runner.carry_out(&message),
                Err(Closed) => return Ok(()),
            },
            Some(ended) = runner.ends.join_next() => {
                if let Ok((id, outcome)) = ended {
                    runner.ended(id, outcome);
                }
            }
            sent = async {
                match next {
                    Some(message) => say(&socket, message).await,
                    None => std::future::pending().await,
                }
            } => {
                // Then nobody listens, as the next turn will show.
                let _ = sent;
                runner.out.pop_front();
            }
        }
    }
}

#[derive(Debug)]
struct Runner {
    number: u64,
    running: HashMap<u64, Child>,
    ends: JoinSet<(u64, Outcome)>,
    out: VecDeque<Vec<u8>>,
}

/// A script that runs.
#[derive(Debug)]
struct Child {
    group: Option<ProcessGroup>,
    lifetime: Lifetime,
    /// It was told to end, and must leave nothing behind.
    ending: bool,
}

impl Runner {
    fn carry_out(&mut self, message: &[u8]) {
        match Request::read(message) {
            Some(Request::Run { runner, .. }) if runner != self.number => {}
            Some(Request::Run {
                id,
                argv,
                identity,
                lifetime,
                ..
            }) => {
                if self.running.contains_key(&id) {
                    return;
                }
                if self.running.len() >= MOST {
                    return self.tell(id, Outcome::NotStarted("too many scripts run at once".to_owned()));
                }
                let command = process::command(&argv, identity.as_ref(), lifetime);
                let mut child = match tokio::process::Command::from(command).spawn() {
                    Ok(child) => child,
                    Err(error) => return self.tell(id, Outcome::NotStarted(error.to_string())),
                };
                let running = Child {
                    group: ProcessGroup::of(child.id()),
                    lifetime,
                    ending: false,
                };
                self.running.insert(id, running);
                self.ends.spawn(async move {
                    let outcome = match child.wait().await {
                        Ok(status) => Outcome::of(status),
                        Err(error) => Outcome::NotStarted(error.to_string()),
                    };
                    (id, outcome)
                });
            }
            Some(Request::Signal { id, signal }) => {
                if let Some(child) = self.running.get_mut(&id) {
                    child.ending = true;
                    child.signal(signal);
                }
            }
            // The protocol process does not say such things.
            None => {}
        }
    }

    fn ended(&mut self, id: u64, outcome: Outcome) {
        if let Some(child) = self.running.remove(&id)
            && child.ending
        {
            child.signal(Ending::Kill);
        }
        self.tell(id, outcome);
    }

    fn tell(&mut self, id: u64, outcome: Outcome) {
        let answer = Answer::Ended { id, outcome };
        // None of them is too long: what the system says is short.
        self.out.extend(answer.write().ok());
    }
}

impl Child {
    fn signal(&self, ending: Ending) {
        if let Some(group) = self.group {
            group.signal(ending.signal());
        }
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let with_us = |child: &&Child| child.lifetime == Lifetime::WithUs;
        for child in self.running.values().filter(with_us) {
            child.signal(Ending::Kill);
        }
    }
}
