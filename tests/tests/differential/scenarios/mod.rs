//! The scenarios, by what they are about.

mod beside;
mod election;
mod reload;
mod takeover;
mod tracking;

use super::scenario::Scenario;

/// All of them.
pub(crate) fn all() -> Vec<Scenario> {
    [
        beside::all(),
        election::all(),
        reload::all(),
        takeover::all(),
        tracking::all(),
    ]
    .concat()
}
