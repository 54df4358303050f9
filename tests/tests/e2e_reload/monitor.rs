//! `ip monitor`, read to a mark.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::Context;
use vrrp_tests::lab::{Host, until};

use super::LIMIT;

/// Marks are addresses of the loopback device that begin so; the kernel tells of their routes too.
const MARKS: &str = "127.1.0.";

/// What the kernel tells of a host: addresses, and routes and rules if they are asked for.
pub(crate) struct Monitor {
    host: Host,
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    marks: u8,
}

impl Monitor {
    /// Of addresses.
    pub(crate) fn start(host: &Host) -> anyhow::Result<Self> {
        Self::of(host, &["address"])
    }

    /// Of `objects`, in iproute2's words: `address`, `route`, `rule`. The first is always needed.
    pub(crate) fn of(host: &Host, objects: &[&str]) -> anyhow::Result<Self> {
        let mut command = host.namespace().command("ip");
        command
            .args(["-o", "monitor"])
            .args(objects)
            .stdout(Stdio::piped());
        let mut child = command.spawn()?;
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let output = BufReader::new(child.stdout.take().context("its output")?);
        let shared = Arc::clone(&lines);
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                shared.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            }
        });
        let mut monitor = Self {
            host: host.clone(),
            child,
            lines,
            marks: 1,
        };
        // It listens once it has seen something.
        until("the monitor listens", LIMIT, || {
            monitor.mark()?;
            Ok(!monitor.seen().is_empty())
        })?;
        monitor.news()?;
        Ok(monitor)
    }

    fn seen(&self) -> Vec<String> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn mark(&mut self) -> anyhow::Result<String> {
        self.marks += 1;
        let mark = format!("{MARKS}{}", self.marks);
        self.host
            .run("ip", &["addr", "add", &format!("{mark}/32"), "dev", "lo"])?;
        Ok(mark)
    }

    /// All that was told since this was last asked.
    pub(crate) fn news(&mut self) -> anyhow::Result<Vec<String>> {
        let mark = self.mark()?;
        let shared = Arc::clone(&self.lines);
        until("the monitor has caught up", LIMIT, || {
            let lines = shared.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(lines.iter().any(|line| line.contains(&mark)))
        })?;
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let told = std::mem::take(&mut *lines);
        Ok(told.into_iter().filter(|line| !line.contains(MARKS)).collect())
    }
}

impl Drop for Monitor {
    fn drop(&mut self) {
        let _it_may_be_gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}
