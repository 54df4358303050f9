//! What the service manager is told while the daemon runs: how the instances stand, and that the protocol thread
//! answers. It is asked for both over the channel that control clients use, by the service thread; a protocol thread
//! that hangs, or a service thread that does, is a daemon without a beat.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep};

use super::line::{Parent, Said};
use crate::ingress::control::{ControlRequest, Tally};

/// Transitions that come together are told together.
const SETTLE: Duration = Duration::from_millis(100);

/// Never ends before the protocol thread does. `changed`: an instance is in another state; `watchdog`: a beat is
/// wanted within this time.
pub(super) async fn keep_told(
    parent: Parent,
    changed: Arc<Notify>,
    watchdog: Option<Duration>,
    protocol: mpsc::Sender<ControlRequest>,
) {
    let mut beats = watchdog.map(|limit| {
        // The first one later: systemd counts from readiness, and nothing is to be told before that.
        let mut beats = interval_at(Instant::now() + limit / 3, limit / 3);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beats
    });
    let mut told = None;
    loop {
        let beat = tokio::select! {
            () = changed.notified() => {
                sleep(SETTLE).await;
                false
            }
            () = tick(beats.as_mut()) => true,
        };
        let (reply, answer) = oneshot::channel();
        if protocol.send(ControlRequest::Tally { reply }).await.is_err() {
            return;
        }
        let Ok(tally) = answer.await else { return };
        if beat {
            parent.say(&Said::Beat);
        }
        if told != Some(tally) {
            told = Some(tally);
            parent.say(&Said::Status(words(tally)));
        }
    }
}

async fn tick(beats: Option<&mut Interval>) {
    match beats {
        Some(beats) => {
            beats.tick().await;
        }
        None => std::future::pending().await,
    }
}

fn words(tally: Tally) -> String {
    let Tally {
        master,
        backup,
        fault,
        init,
    } = tally;
    let waiting = match init {
        0 => String::new(),
        count => format!(", {count} Init"),
    };
    format!("{master} Master, {backup} Backup, {fault} Fault{waiting}")
}

#[cfg(test)]
mod tests {
    use super::{Tally, words};

    #[test]
    fn counts_in_words() {
        let tally = Tally {
            master: 3,
            backup: 2,
            ..Tally::default()
        };
        assert_eq!(words(tally), "3 Master, 2 Backup, 0 Fault");
        assert_eq!(
            words(Tally { init: 4, ..tally }),
            "3 Master, 2 Backup, 0 Fault, 4 Init"
        );
    }
}
