//! Sending, paced and bounded.

use std::fs;
use std::io::{self, IoSlice};
use std::os::fd::AsRawFd;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use nix::errno::Errno;
use nix::net::if_::if_nametoindex;
use nix::sys::socket::{MsgFlags, MultiHeaders, sendmmsg};
use socket2::Socket;

use super::job::{Job, Report};
use crate::lab::kernel::{self, Hears};

/// Frames to one system call.
const BATCH: usize = 64;
/// How long to sleep when no frame is due.
const NAP: Duration = Duration::from_micros(100);

/// Send to the end of the first bound that is reached; `started` is called before the first frame.
///
/// # Errors
/// The job breaks its bounds; this thread is in the machine's own network namespace; the interface is not
/// there or goes down.
pub fn send(job: &Job, started: impl FnOnce()) -> anyhow::Result<Report> {
    job.check()?;
    refuse_the_machines_own_network()?;
    let index = if_nametoindex(job.interface.as_str())
        .with_context(|| format!("there is no interface {}", job.interface))?;
    let socket = kernel::packet_socket(index, Hears::Nothing)?;
    // Long enough that a batch starts anywhere in one round of the frames.
    let round = job.frames.len();
    let slices: Vec<[IoSlice<'_>; 1]> = job
        .frames
        .iter()
        .cycle()
        .take(round + BATCH)
        .map(|frame| [IoSlice::new(frame)])
        .collect();

    let mut headers = MultiHeaders::preallocate(BATCH, None);

    started();
    let begun = Instant::now();
    let limit = Duration::from_secs(job.seconds);
    let (mut sent, mut refused, mut next) = (0, 0, 0);
    loop {
        let took = begun.elapsed();
        let tried = sent + refused;
        if took >= limit || tried >= job.count {
            return Ok(Report::new(sent, refused, took));
        }
        let due = due(job, took).saturating_sub(tried);
        if due == 0 {
            thread::sleep(NAP);
            continue;
        }
        let number = usize::try_from(due).unwrap_or(BATCH).min(BATCH);
        let batch = slices.get(next..next + number).unwrap_or_default();
        let (taken, lost) = send_batch(&socket, &mut headers, batch)?;
        sent += u64::try_from(taken)?;
        refused += u64::try_from(lost)?;
        next = (next + taken + lost) % round;
    }
}

/// How many frames should have left by now.
fn due(job: &Job, took: Duration) -> u64 {
    let by_rate = job.per_second.map_or(u128::MAX, |rate| {
        u128::from(rate) * took.as_nanos() / 1_000_000_000
    });
    u64::try_from(by_rate).unwrap_or(u64::MAX).min(job.count)
}

/// How many of the frames left, and whether one found no room.
fn send_batch(
    socket: &Socket,
    headers: &mut MultiHeaders<()>,
    batch: &[[IoSlice<'_>; 1]],
) -> anyhow::Result<(usize, usize)> {
    // The socket is bound to where they go.
    let addresses = [None; BATCH];
    match sendmmsg(
        socket.as_raw_fd(),
        headers,
        batch,
        addresses,
        [],
        MsgFlags::empty(),
    ) {
        Ok(messages) => Ok((messages.count(), 0)),
        Err(Errno::EINTR | Errno::EAGAIN) => Ok((0, 0)),
        Err(Errno::ENOBUFS) => Ok((0, 1)),
        Err(error) => Err(error).context("sending"),
    }
}

/// The machine's network, or that of the container that this runs in, is PID 1's.
fn refuse_the_machines_own_network() -> anyhow::Result<()> {
    let ours = fs::read_link("/proc/thread-self/ns/net").context("reading /proc/thread-self/ns/net")?;
    ensure!(
        eldest_network()? != ours,
        "a flood runs in a network namespace of its own only, and this is the machine's"
    );
    Ok(())
}

/// The network namespace of PID 1; where that is hidden, of the eldest forebear whose is not. With none but
/// this process to be seen, a flood in it is refused: the safe side.
fn eldest_network() -> anyhow::Result<PathBuf> {
    let mut pid = std::process::id();
    let mut found = None;
    while pid != 0 {
        match fs::read_link(format!("/proc/{pid}/ns/net")) {
            Ok(network) => found = Some(network),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            Err(error) => return Err(error).with_context(|| format!("reading /proc/{pid}/ns/net")),
        }
        // proc_pid_stat(5): the parent is the second field after the name, which may itself have blanks in it.
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        pid = stat
            .rsplit_once(')')
            .and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok())
            .with_context(|| format!("no parent in /proc/{pid}/stat"))?;
    }
    found.context("no process's network namespace can be read")
}
