//! What is said with `-DD` only, and of announcements with `-D`.

use std::net::IpAddr;

use tracing::Level;

use super::{Phrase, link_name, name};
use crate::proto::{Effect, Model, RouterId, Subject};

/// The words for an effect that [`phrase`](super::phrase) has none for: what the protocol asks for all day long.
#[must_use]
pub fn detail(model: &Model, effect: &Effect) -> Option<Phrase> {
    let (router, words) = match *effect {
        Effect::Send { router, priority } => (router, format!("sends an advert with priority {priority}")),
        Effect::Restore { router, lost } => {
            let what = model.holding(router).map(|holding| holding.describe(lost));
            (router, format!("puts back {}", what.unwrap_or_default()))
        }
        Effect::AnnounceSource { router } => (router, "announces the address it sends from".to_owned()),
        Effect::Listen { router } => (router, "wakes for every advert".to_owned()),
        Effect::Probe { router } => (router, "sees whether anything leaves the host".to_owned()),
        Effect::Notify {
            subject: Subject::Router(router),
            state,
            priority,
        } => {
            let state = state.word();
            (
                router,
                format!("notifies scripts and FIFOs: {state}, priority {priority}"),
            )
        }
        Effect::Notify {
            subject: Subject::Group(_),
            ..
        }
        | Effect::Acquire { .. }
        | Effect::Release { .. }
        | Effect::Announce { .. }
        | Effect::Transition { .. }
        | Effect::Remark { .. } => return None,
    };
    let text = format!("({}) {words}", name(model, router));
    Some(Phrase::new(Level::TRACE, text).about(model, router))
}

/// `Sending/queueing gratuitous ARPs on eth0 for 192.0.2.100 and 3 more: 5 rounds`; `None` if there is nothing to
/// announce.
pub(super) fn announcing(model: &Model, router: RouterId, rounds: u8) -> Option<String> {
    let mut addresses = model.holding(router)?.addresses();
    let first = addresses.next().filter(|_| rounds > 0)?;
    let what = match first.address {
        IpAddr::V4(_) => "gratuitous ARPs",
        IpAddr::V6(_) => "Unsolicited Neighbour Adverts",
    };
    let more = match addresses.count() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    let rounds = match rounds {
        1 => "1 round".to_owned(),
        rounds => format!("{rounds} rounds"),
    };
    let link = link_name(model, first.link);
    Some(format!(
        "Sending/queueing {what} on {link} for {}{more}: {rounds}",
        first.address
    ))
}
