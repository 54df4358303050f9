//! What to send and what was sent.

use std::time::Duration;

use anyhow::ensure;
use serde::{Deserialize, Serialize};

/// What to send, how fast, and when to stop: at the first of two bounds, neither of which can be left out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Job {
    /// The interface to send from.
    pub interface: String,
    /// The frames from the Ethernet header on, sent in turn, again and again.
    pub frames: Vec<Vec<u8>>,
    /// Frames per second; `None` for as many as go.
    pub per_second: Option<u64>,
    /// Stop after so many seconds.
    pub seconds: u64,
    /// Stop after so many frames.
    pub count: u64,
}

impl Job {
    /// The longest flood.
    pub const MAX_SECONDS: u64 = 60;
    /// The largest flood: a million frames a second for as long as may be.
    pub const MAX_COUNT: u64 = Self::MAX_SECONDS * 1_000_000;
    /// The longest frame: a jumbo one. The shortest is an Ethernet header.
    const FRAME_LEN: std::ops::RangeInclusive<usize> = 14..=9_018;

    /// Whether it keeps its bounds.
    ///
    /// # Errors
    /// It does not: says which.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(
            (1..=Self::MAX_SECONDS).contains(&self.seconds),
            "a flood takes 1 to {} seconds, not {}",
            Self::MAX_SECONDS,
            self.seconds
        );
        ensure!(
            (1..=Self::MAX_COUNT).contains(&self.count),
            "a flood has 1 to {} frames, not {}",
            Self::MAX_COUNT,
            self.count
        );
        ensure!(self.per_second != Some(0), "a rate of no frames a second");
        ensure!(!self.frames.is_empty(), "a flood of no frames");
        for frame in &self.frames {
            ensure!(
                Self::FRAME_LEN.contains(&frame.len()),
                "a frame of {} bytes",
                frame.len()
            );
        }
        Ok(())
    }
}

/// What was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// Frames that the interface took.
    pub sent: u64,
    /// Frames that it had no room for.
    pub refused: u64,
    /// How long it took, in nanoseconds.
    pub nanos: u64,
    /// Frames per second.
    pub per_second: u64,
}

impl Report {
    pub(super) fn new(sent: u64, refused: u64, took: Duration) -> Self {
        let per_second = u128::from(sent) * 1_000_000_000 / took.as_nanos().max(1);
        Self {
            sent,
            refused,
            nanos: u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            per_second: u64::try_from(per_second).unwrap_or(u64::MAX),
        }
    }
}
