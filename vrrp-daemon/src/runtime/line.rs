//! The line between the parent and the protocol process: a pair of sockets that keep messages apart, of which the
//! protocol process finds its end on standard input. Whatever the service manager is told, the parent tells it: it is
//! the unit's main process, and a protocol process that is left on duty for a successor must not speak for the unit.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, MsgFlags, SockFlag, SockType, recv, send, socketpair};
use nix::unistd::{dup2_stdin, dup2_stdout};

use crate::sys::scripts;

/// Longest message, in bytes.
const LONGEST: usize = 256;
/// The parent asks to be left.
const LEAVE: &[u8] = b"leave";

/// What the protocol process says to its parent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Signals do not kill it any more.
    Listening,
    /// The protocol runs.
    Ready,
    /// The protocol thread has just answered.
    Beat,
    /// It reads its configuration again.
    Reloading,
    /// It has done so.
    Reloaded,
    /// How its instances stand, in words.
    Status(String),
    /// A stop within this time is meant for a successor.
    Expects(Duration),
    /// It stays on duty without its parent.
    Leaves,
}

impl Said {
    fn write(&self) -> String {
        match self {
            Self::Listening => "0".to_owned(),
            Self::Ready => "1".to_owned(),
            Self::Beat => "beat".to_owned(),
            Self::Reloading => "reloading".to_owned(),
            Self::Reloaded => "reloaded".to_owned(),
            Self::Status(text) => format!("status {text}"),
            Self::Expects(within) => format!("expects {}", within.as_millis()),
            Self::Leaves => "leaves".to_owned(),
        }
    }

    fn read(message: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(message).ok()?;
        Some(match text {
            "0" => Self::Listening,
            "1" => Self::Ready,
            "beat" => Self::Beat,
            "reloading" => Self::Reloading,
            "reloaded" => Self::Reloaded,
            "leaves" => Self::Leaves,
            _ => match text.split_once(' ')? {
                ("status", text) => Self::Status(text.to_owned()),
                ("expects", millis) => Self::Expects(Duration::from_millis(millis.parse().ok()?)),
                _ => return None,
            },
        })
    }
}

/// The parent's end.
#[derive(Debug)]
pub(super) struct ToChild(OwnedFd);

/// What came over the line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Heard<T> {
    /// This.
    Said(T),
    /// Nothing yet.
    Nothing,
    /// The other end is closed.
    End,
}

impl ToChild {
    /// Both ends.
    pub(super) fn pair() -> io::Result<(Self, OwnedFd)> {
        let (ours, theirs) = socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_CLOEXEC,
        )?;
        Ok((Self(ours), theirs))
    }

    /// The next message. Never waits; what makes no sense is passed over.
    pub(super) fn hear(&self) -> Heard<Said> {
        loop {
            match receive(&self.0) {
                Heard::Said(message) => match Said::read(&message) {
                    Some(said) => return Heard::Said(said),
                    None => tracing::debug!("the VRRP process said something unknown"),
                },
                Heard::Nothing => return Heard::Nothing,
                Heard::End => return Heard::End,
            }
        }
    }

    /// Ask the protocol process to stay on duty alone; [`Said::Leaves`] is its consent. `false` if it cannot hear.
    pub(super) fn ask_to_leave(&self) -> bool {
        transmit(&self.0, LEAVE)
    }
}

impl AsFd for ToChild {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// The protocol process's end. A parent that is gone is told nothing.
#[derive(Clone, Debug)]
pub struct Parent {
    line: Arc<OwnedFd>,
    scripts: Arc<OwnedFd>,
    /// There is a service manager to be told.
    managed: bool,
}

impl Parent {
    /// In a process started with `--child`: take the line from standard input and the one to the script runner from
    /// standard output, which become `/dev/null`.
    ///
    /// # Errors
    /// What the system says.
    pub fn connect() -> io::Result<Self> {
        let line = io::stdin().as_fd().try_clone_to_owned()?;
        let scripts = scripts::taken(io::stdout())?;
        dup2_stdin(File::open("/dev/null")?)?;
        dup2_stdout(OpenOptions::new().write(true).open("/dev/null")?)?;
        // Started by way of /proc, it would be called `exe`.
        nix::sys::prctl::set_name(c"vrrp-daemon")?;
        Ok(Self {
            line: Arc::new(line),
            scripts: Arc::new(scripts),
            managed: std::env::var_os("NOTIFY_SOCKET").is_some(),
        })
    }

    /// The line to the script runner.
    ///
    /// # Errors
    /// No descriptor is left.
    pub(super) fn scripts(&self) -> io::Result<OwnedFd> {
        self.scripts.try_clone()
    }

    /// Signals wait for this process from now on, and do not kill it.
    pub fn listening(&self) {
        self.say(&Said::Listening);
    }

    /// The protocol runs.
    pub fn ready(&self) {
        self.say(&Said::Ready);
    }

    /// Whether there is a service manager that wants to know.
    pub(super) const fn is_managed(&self) -> bool {
        self.managed
    }

    /// Say it; whether it was taken. Never waits.
    pub(super) fn say(&self, said: &Said) -> bool {
        transmit(&self.line, said.write().as_bytes())
    }

    /// Whether the parent asks to be left, as far as it has said so. Never waits.
    pub(super) fn asks(&self) -> Heard<()> {
        loop {
            match receive(&self.line) {
                Heard::Said(message) if message == LEAVE => return Heard::Said(()),
                Heard::Said(_) => {}
                Heard::Nothing => return Heard::Nothing,
                Heard::End => return Heard::End,
            }
        }
    }
}

impl AsFd for Parent {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.line.as_fd()
    }
}

fn transmit(line: &OwnedFd, message: &[u8]) -> bool {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    send(line.as_raw_fd(), message, flags) == Ok(message.len())
}

fn receive(line: &OwnedFd) -> Heard<Vec<u8>> {
    let mut message = [0; LONGEST];
    match recv(line.as_raw_fd(), &mut message, MsgFlags::MSG_DONTWAIT) {
        Ok(0) => Heard::End,
        Ok(length) => Heard::Said(message.get(..length).unwrap_or_default().to_vec()),
        Err(Errno::EAGAIN | Errno::EINTR) => Heard::Nothing,
        Err(_) => Heard::End,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Heard, Said, ToChild, transmit};

    #[test]
    fn what_is_said_is_heard_in_order_and_the_end_too() {
        let (ours, theirs) = ToChild::pair().unwrap();
        assert_eq!(ours.hear(), Heard::Nothing);
        for message in [
            "0",
            "1",
            "nonsense",
            "expects soon",
            "status 2 Master, 1 Backup, 0 Fault",
            "expects 10000",
            "leaves",
        ] {
            assert!(transmit(&theirs, message.as_bytes()));
        }
        drop(theirs);
        let expected = [
            Said::Listening,
            Said::Ready,
            Said::Status("2 Master, 1 Backup, 0 Fault".to_owned()),
            Said::Expects(Duration::from_secs(10)),
            Said::Leaves,
        ];
        for said in expected {
            assert_eq!(ours.hear(), Heard::Said(said));
        }
        assert_eq!(ours.hear(), Heard::End);
        assert!(!ours.ask_to_leave());
    }

    #[test]
    fn every_word_is_read_as_it_was_written() {
        for said in [
            Said::Listening,
            Said::Ready,
            Said::Beat,
            Said::Reloading,
            Said::Reloaded,
            Said::Status("all well".to_owned()),
            Said::Expects(Duration::from_millis(1500)),
            Said::Leaves,
        ] {
            assert_eq!(Said::read(said.write().as_bytes()), Some(said));
        }
    }
}
