//! A host's addresses as they change.

use std::collections::HashSet;
use std::net::IpAddr;
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::bail;
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::message::messages;
use super::{Change, open};
use crate::lab::host::Host;
use crate::lab::wait::Stamp;

/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;
/// How long the reading thread sleeps before it looks whether it should end, in microseconds.
const TICK: i64 = 50_000;

/// Every change of a host's addresses, stamped when it is read: right after the kernel said so on a machine that is
/// idle, later on a busy one. It ends when dropped.
#[derive(Debug)]
pub struct AddressWatch {
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<(Stamp, Change, IpAddr)>>,
    arrived: Condvar,
    stop: AtomicBool,
}

impl AddressWatch {
    /// Watch `host` from now on.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn start(host: &Host) -> anyhow::Result<Self> {
        let socket = host.namespace().inside(|| open(ADDRESS_GROUPS))?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(0, TICK))?;
        let shared = Arc::new(Shared::default());
        let for_reader = Arc::clone(&shared);
        let reader = thread::Builder::new()
            .name(format!("addresses {}", host.name()))
            .spawn(move || read_all(&socket, &for_reader))?;
        Ok(Self {
            shared,
            reader: Some(reader),
        })
    }

    /// Wait until each of `addresses` has changed so since `since`: when the last of them did.
    ///
    /// # Errors
    /// They did not in time.
    pub fn wait_for(
        &self,
        change: Change,
        addresses: &[IpAddr],
        since: Stamp,
        limit: Duration,
    ) -> anyhow::Result<Stamp> {
        let deadline = Instant::now() + limit;
        let mut missing: HashSet<IpAddr> = addresses.iter().copied().collect();
        let mut next = 0;
        let mut seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            for (at, what, address) in seen.iter().skip(next) {
                if *at >= since && *what == change && missing.remove(address) && missing.is_empty() {
                    return Ok(*at);
                }
            }
            next = seen.len();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                bail!(
                    "waited {limit:?} in vain until {} addresses were {change:?}: {} were not",
                    addresses.len(),
                    missing.len()
                );
            }
            seen = self
                .shared
                .arrived
                .wait_timeout(seen, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }

    /// When the first address changed so since then.
    #[must_use]
    pub fn first(&self, change: Change, since: Stamp) -> Option<Stamp> {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .find(|(at, what, _)| *at >= since && *what == change)
            .map(|(at, ..)| *at)
    }

    /// The addresses that changed so since then, in order.
    #[must_use]
    pub fn order(&self, change: Change, since: Stamp) -> Vec<IpAddr> {
        let seen = self.shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let such = seen
            .iter()
            .filter(|(at, what, _)| *at >= since && *what == change);
        such.map(|(_, _, address)| *address).collect()
    }

    /// Forget what was seen so far.
    pub fn clear(&self) {
        self.shared
            .seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if let Some(reader) = self.reader.take() {
            let _it_only_reads = reader.join();
        }
    }
}

fn read_all(socket: &OwnedFd, shared: &Shared) {
    let mut buffer = vec![0; 65_536];
    while !shared.stop.load(Ordering::Relaxed) {
        let length = match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
            Ok(length) => length,
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS) => continue,
            Err(_) => return,
        };
        let at = Stamp::now();
        let changes = buffer.get(..length).map(messages).unwrap_or_default();
        let mut seen = shared.seen.lock().unwrap_or_else(PoisonError::into_inner);
        for message in changes {
            if let Some((change, address)) = message.change() {
                seen.push((at, change, address));
            }
        }
        shared.arrived.notify_all();
    }
}
