//! What virtual routers are when a daemon begins where an earlier one ended.

use tracing::Level;

use super::{Phrase, name, state_name};
use crate::proto::{Model, RouterId, State, Vrrp};

/// A line for each virtual router that was taken over from the process `pid`, so that whoever asks the log for one
/// finds it unbroken. None is a transition: nobody is to be woken.
pub fn taken_over(vrrp: &Vrrp, pid: i32) -> impl Iterator<Item = Phrase> {
    let routers = (0..).map(RouterId).take(vrrp.model().routers.len());
    routers.filter_map(move |router| stays(vrrp.model(), router, vrrp.status(router)?.state, pid))
}

pub(super) fn stays(model: &Model, router: RouterId, state: State, pid: i32) -> Option<Phrase> {
    // One that the earlier process did not have begins with a transition.
    if state == State::Init {
        return None;
    }
    let state = state_name(state);
    let text = format!(
        "({}) stays {state}: taken over from process {pid}",
        name(model, router)
    );
    let phrase = Phrase {
        own: Some("restart"),
        from: Some(state),
        to: Some(state),
        reason: Some("taken-over"),
        ..Phrase::new(Level::INFO, text)
    };
    Some(phrase.about(model, router))
}
