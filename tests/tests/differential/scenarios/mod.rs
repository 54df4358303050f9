//! The scenarios, by what they are about.

mod election;
mod takeover;
mod tracking;

use super::scenario::Scenario;

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    [election::all(), takeover::all(), tracking::all()].concat()
}
