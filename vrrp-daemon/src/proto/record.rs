//! Recordings: the model and every input, one JSON object to a line, and their replay.
//!
//! The machine is a function of what it is handed, so a recording is enough to see a decision again, on any
//! host, as often as needed. A field bug becomes a test by copying its file.
//!
//! ```text
//! {"format":1,"now":52100000000,"model":{"links":["eth0"],"routers":[{"name":"VI_1", ...}], ...}}
//! {"now":52100000000,"input":{"link":{"link":0,"state":"up"}}}
//! {"now":52100000000,"input":"start"}
//! {"now":52400000000,"input":{"advert":{"router":0,"source":"192.0.2.2","priority":150, ...}}}
//! {"now":99300000000,"reload":{"links":["eth0"],"routers":[{"name":"VI_1", ...}], ...}}
//! ```
//!
//! `now` is CLOCK_MONOTONIC in nanoseconds. Passwords are not in it: [`Auth`](vrrp_common::wire::ladder::Auth)
//! is written without its bytes, which the machine never reads.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use vrrp_common::time::MonoNanos;

use super::effect::Effect;
use super::input::Input;
use super::model::Model;
use super::reload::Correspondence;
use super::router::Vrrp;
use super::router::estate::Estate;

/// The format written here; another is refused.
const FORMAT: u32 = 1;

/// The first line: what [`Vrrp::new`] was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begin<'a> {
    format: u32,
    /// When.
    pub now: MonoNanos,
    /// The configuration.
    pub model: Cow<'a, Model>,
}

/// Every other line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// When.
    pub now: MonoNanos,
    /// What.
    #[serde(flatten)]
    pub fed: Fed,
}

/// What the machine was given.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fed {
    /// To [`Vrrp::handle`].
    Input(Input),
    /// Another configuration, to [`Vrrp::retire`] and [`Vrrp::adopt`].
    Reload(Box<Model>),
    /// What another process was, to [`Vrrp::succeed`].
    Succeed(Box<Estate>),
}

/// One step played: what was handed over, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Played {
    /// When.
    pub now: MonoNanos,
    /// What was handed over.
    #[serde(flatten)]
    pub fed: Fed,
    /// What was to be done.
    pub effects: Vec<Effect>,
    /// The deadline afterwards.
    pub next_deadline: Option<MonoNanos>,
}

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordingError {
    /// There is not even a first line.
    #[error("the recording is empty: its first line must hold the model")]
    Empty,
    /// A line that is not what it should be.
    #[error("line {line} of the recording is not valid: {source}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Another format.
    #[error(
        "the recording has format {found}, this program reads format {FORMAT}: replay it with its own version"
    )]
    Format {
        /// What the file says.
        found: u32,
    },
    /// Time goes backwards, which [`Vrrp`] forbids.
    #[error("line {line} of the recording is earlier than the line before")]
    Backwards {
        /// Counted from 1.
        line: usize,
    },
}

impl<'a> Begin<'a> {
    /// The first line of a new recording.
    #[must_use]
    pub fn new(model: &'a Model, now: MonoNanos) -> Self {
        Self {
            format: FORMAT,
            now,
            model: Cow::Borrowed(model),
        }
    }
}

/// One record as a line, without the newline.
///
/// # Errors
/// None for the types of this module; `serde_json` wants it said.
pub fn to_line<T: Serialize>(record: &T) -> serde_json::Result<String> {
    serde_json::to_string(record)
}

/// One record from a line.
///
/// # Errors
/// The line is not such a record.
pub fn from_line<'a, T: Deserialize<'a>>(line: &'a str) -> serde_json::Result<T> {
    serde_json::from_str(line)
}

/// Play a recording from the beginning. Empty lines are skipped.
///
/// # Errors
/// The first line that cannot be played.
pub fn replay<'a>(lines: impl IntoIterator<Item = &'a str>) -> Result<Vec<Played>, RecordingError> {
    let mut lines = (1..).zip(lines).filter(|(_, text)| !text.trim().is_empty());
    let (line, first) = lines.next().ok_or(RecordingError::Empty)?;
    let begin: Begin<'_> = from_line(first).map_err(|source| RecordingError::Line { line, source })?;
    if begin.format != FORMAT {
        return Err(RecordingError::Format { found: begin.format });
    }
    let mut last = begin.now;
    let mut vrrp = Vrrp::new(begin.model.into_owned(), begin.now);
    lines
        .map(|(line, text)| {
            let Step { now, fed } =
                from_line(text).map_err(|source| RecordingError::Line { line, source })?;
            if now < last {
                return Err(RecordingError::Backwards { line });
            }
            last = now;
            let mut effects = Vec::new();
            match &fed {
                Fed::Input(input) => vrrp.handle(now, *input, &mut effects),
                Fed::Reload(model) => {
                    let correspondence = Correspondence::between(vrrp.model(), model);
                    vrrp.retire(now, &correspondence, &mut effects);
                    vrrp.adopt(now, Model::clone(model), &correspondence);
                }
                Fed::Succeed(estate) => drop(vrrp.succeed(now, Estate::clone(estate))),
            }
            Ok(Played {
                now,
                fed,
                effects,
                next_deadline: vrrp.next_deadline(),
            })
        })
        .collect()
}
