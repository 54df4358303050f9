//! The system calls of a daemon's protocol thread, as strace(1) sees them: counts, which no busy machine changes.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use anyhow::{Context, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::daemon::{Daemon, peer_command};
use super::host::Host;

/// Where strace writes, on the host.
const FILE: &str = "/run/strace";

/// What the thread asked of the kernel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Syscalls {
    /// All calls.
    pub all: usize,
    /// Those of the `epoll_wait` family that brought something.
    pub wake_ups: usize,
    /// Those that send.
    pub sends: usize,
    /// Messages that these took.
    pub sent: usize,
    /// Those that receive, from a socket of whatever kind.
    pub receives: usize,
}

impl Syscalls {
    /// Wake-ups, and the one that was under way when strace came.
    #[must_use]
    pub const fn turns(&self) -> usize {
        self.wake_ups + 1
    }

    /// From strace's lines, `name(arguments) = answer`. A call that was under way at the end is none.
    fn read(trace: &str) -> Self {
        let mut counts = Self::default();
        for line in trace.lines().filter(|line| !line.ends_with("<detached ...>")) {
            let Some((name, rest)) = line.split_once('(') else {
                continue;
            };
            let answer = rest.rsplit_once(" = ").map_or("", |(_, answer)| answer);
            let answer: usize = answer
                .split_whitespace()
                .next()
                .and_then(|word| word.parse().ok())
                .unwrap_or(0);
            counts.all += 1;
            match name.trim() {
                "epoll_wait" | "epoll_pwait" | "epoll_pwait2" => counts.wake_ups += usize::from(answer > 0),
                "sendmmsg" => {
                    counts.sends += 1;
                    counts.sent += answer;
                }
                "send" | "sendto" | "sendmsg" => {
                    counts.sends += 1;
                    counts.sent += usize::from(answer > 0);
                }
                "recv" | "recvfrom" | "recvmsg" | "recvmmsg" => counts.receives += 1,
                _ => {}
            }
        }
        counts
    }
}

/// strace at work on the protocol thread, which is its process's first. It ends when dropped.
#[derive(Debug)]
pub struct SyscallTrace {
    host: Host,
    strace: Child,
}

impl SyscallTrace {
    /// Watch the daemon on `host`: every call from now on.
    ///
    /// # Errors
    /// There is no daemon, or no strace, or it may not.
    pub fn start(host: &Host) -> anyhow::Result<Self> {
        let pid = host.read(Daemon::PROTOCOL_PID_FILE)?;
        let strace = peer_command(host, "usr/bin/strace")?
            .args(["-o", FILE, "-p", pid.trim()])
            .stderr(Stdio::piped())
            .spawn()
            .context("starting strace")?;
        let mut trace = Self {
            host: host.clone(),
            strace,
        };
        let stderr = trace.strace.stderr.as_mut().context("strace has no output")?;
        let mut said = String::new();
        BufReader::new(stderr).read_line(&mut said)?;
        ensure!(said.contains("attached"), "strace: {said}");
        Ok(trace)
    }

    /// Let go of the daemon: what it called.
    ///
    /// # Errors
    /// strace is gone.
    pub fn finish(mut self) -> anyhow::Result<Syscalls> {
        let pid = Pid::from_raw(i32::try_from(self.strace.id())?);
        kill(pid, Signal::SIGINT).context("ending strace")?;
        self.strace.wait()?;
        Ok(Syscalls::read(&self.host.read(FILE)?))
    }
}

impl Drop for SyscallTrace {
    fn drop(&mut self) {
        let _ended_already = self.strace.kill();
        let _reaped = self.strace.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::Syscalls;

    #[test]
    fn lines_of_strace_are_counted() {
        let trace = "\
epoll_wait(7, [{events=EPOLLIN, data={u32=1, u64=1}}], 32, -1) = 1
read(9, \"\\1\\0\\0\\0\\0\\0\\0\\0\", 8) = 8
sendmmsg(11, [{msg_hdr={msg_name=NULL}}, {msg_hdr={msg_name=NULL}}], 2, MSG_DONTWAIT) = 2
sendto(12, \"E\\300\", 32, MSG_DONTWAIT, NULL, 0) = 32
recvfrom(13, 0x5601, 32768, 0, NULL, NULL) = -1 EAGAIN (Resource temporarily unavailable)
epoll_wait(7, [], 32, 0) = 0
--- SIGINT {si_signo=SIGINT} ---
epoll_wait(7,  <detached ...>
";
        assert_eq!(
            Syscalls::read(trace),
            Syscalls {
                all: 6,
                wake_ups: 1,
                sends: 2,
                sent: 3,
                receives: 1
            }
        );
    }
}
