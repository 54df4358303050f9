//! A recording (`vrrp-daemon --record`) played again, in words: what came in, what the protocol made of it.

use vrrp_common::time::MonoNanos;

use super::phrase;
use crate::proto::record::{Begin, Fed, Played, RecordingError, from_line, replay};
use crate::proto::{Effect, Input};

/// The whole recording, one line for each input that mattered and for each effect, with milliseconds since the
/// recording began.
///
/// # Errors
/// [`RecordingError`], which names the line.
pub fn render(recording: &str) -> Result<String, RecordingError> {
    let played = replay(recording.lines())?;
    let first = recording.lines().find(|line| !line.trim().is_empty());
    let begin: Begin<'_> =
        from_line(first.unwrap_or_default()).map_err(|source| RecordingError::Line { line: 1, source })?;
    let mut text = String::new();
    let mut model = begin.model.as_ref();
    for Played {
        now, fed, effects, ..
    } in &played
    {
        match fed {
            // Adverts heard and sent as usual would drown everything else.
            Fed::Input(Input::Tick | Input::Advert(_) | Input::StillThere { .. }) => {}
            Fed::Input(input) => text.push_str(&line(begin.now, *now, &format!("<- {input:?}"))),
            Fed::Succeed(_) => text.push_str(&line(begin.now, *now, "<- what the process before it was")),
            Fed::Reload(_) => text.push_str(&line(begin.now, *now, "<- another configuration")),
        }
        for effect in effects {
            let words = phrase::phrase(model, *now, effect).map(|phrase| phrase.text);
            let words = words.or_else(|| match effect {
                Effect::Acquire { .. }
                | Effect::Restore { .. }
                | Effect::Announce { .. }
                | Effect::AnnounceSource { .. }
                | Effect::Listen { .. }
                | Effect::Probe { .. } => Some(format!("{effect:?}")),
                Effect::Send { .. }
                | Effect::Release { .. }
                | Effect::Notify { .. }
                | Effect::Transition { .. }
                | Effect::Remark { .. } => None,
            });
            if let Some(words) = words {
                text.push_str(&line(begin.now, *now, &format!("-> {words}")));
            }
        }
        // What a reload itself led to was told under the old names.
        if let Fed::Reload(adopted) = fed {
            model = adopted;
        }
    }
    Ok(text)
}

fn line(begin: MonoNanos, now: MonoNanos, words: &str) -> String {
    format!("{:>16}  {words}\n", now.since(begin).to_string())
}

#[cfg(test)]
mod tests {
    use super::render;

    /// The recording of the simulated contention that `tests/tests/replay.rs` plays, too.
    const CONTENTION: &str = include_str!("../../../tests/data/recordings/contention.jsonl");

    #[test]
    fn a_takeover_is_told_with_its_time_and_reason() {
        let text = render(CONTENTION).unwrap();
        assert!(
            text.contains(
                "     3609.375 ms  -> (VI_1) Entering MASTER STATE: no Master heard for 3609.375 ms"
            ),
            "{text}"
        );
    }

    #[test]
    fn a_line_that_cannot_be_played_is_named() {
        let error = render("{\"format\":1,\"now\":0,\"model\":{\"links\":[],\"routers\":[],\"groups\":[],\"scripts\":[]}}\nnonsense\n").unwrap_err();
        assert!(error.to_string().contains("line 2"), "{error}");
    }
}
