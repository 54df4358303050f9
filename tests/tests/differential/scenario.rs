//! What a scenario is: a file, events, and the differences that are meant.

use std::time::Duration;

use super::rival::Speech;

/// One file and what happens to the host that runs it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// As the test is called.
    pub(crate) name: &'static str,
    /// keepalived.conf, the same for both programs.
    pub(crate) file: &'static str,
    /// The events, in order. The first is mostly [`Act::Start`].
    pub(crate) steps: Vec<Step>,
    /// Nothing may happen for this long before a step counts as settled: longer than the longest timer in it.
    pub(crate) quiet: Duration,
    /// How the rival speaks.
    pub(crate) speech: Speech,
}

/// One event, and what is to be seen of it.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    /// In words, for messages.
    pub(crate) what: &'static str,
    /// What is done.
    pub(crate) act: Act,
    /// Lines that both programs must show, so that two empty traces are not a success.
    pub(crate) shows: Vec<&'static str>,
    /// Where we differ, and why that is right.
    pub(crate) differs: Option<Difference>,
    /// The number of announcements is not compared, nor whether a lower advert was told.
    pub(crate) uncounted: bool,
}

/// A difference that is meant.
#[derive(Clone, Debug)]
pub(crate) struct Difference {
    /// Its row in `docs/differences.md`.
    pub(crate) row: &'static str,
    /// Lines that only keepalived shows.
    pub(crate) theirs: Vec<&'static str>,
    /// Lines that only we show.
    pub(crate) ours: Vec<&'static str>,
}

/// Something that happens to the host.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// The daemon is started.
    Start,
    /// SIGTERM.
    Stop,
    /// `kill -9` of the process that runs the protocol; its parent starts it again.
    Kill,
    /// The file is replaced by this one; SIGHUP.
    Reload(&'static str),
    /// Another router advertises virtual router 51 with this priority, from now on.
    Rival(u8),
    /// The same, from an address below host A's.
    RivalBelow(u8),
    /// One advert of this priority, whoever is Master.
    RivalOnce(u8),
    /// The same, from an address below host A's.
    RivalBelowOnce(u8),
    /// Adverts of these priorities, one right after the other.
    RivalSays(&'static [u8]),
    /// It falls silent.
    RivalDies,
    /// It says good-bye: priority 0.
    RivalStops,
    /// The cable of this interface is pulled.
    Unplug(Cable),
    /// ... and plugged in again.
    Plug(Cable),
    /// A program is run on the host.
    Run(&'static [&'static str]),
    /// A file is written on the host.
    Write(&'static str, &'static str),
}

/// The host's cables.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Cable {
    /// `eth0`, where the rival is.
    Front,
    /// `eth1`.
    Back,
}

impl Scenario {
    pub(crate) fn new(name: &'static str, file: &'static str) -> Self {
        Self {
            name,
            file,
            steps: Vec::new(),
            quiet: Duration::from_millis(1_200),
            speech: Speech::PLAIN,
        }
    }

    /// The rival speaks in this way.
    pub(crate) const fn speech(mut self, speech: Speech) -> Self {
        self.speech = speech;
        self
    }

    /// Wait this long for calm after each event.
    pub(crate) const fn quiet(mut self, quiet: Duration) -> Self {
        self.quiet = quiet;
        self
    }

    /// An event after which both show these lines, and nothing but the same lines.
    pub(crate) fn step(mut self, what: &'static str, act: Act, shows: &[&'static str]) -> Self {
        self.steps.push(Step {
            what,
            act,
            shows: shows.to_vec(),
            differs: None,
            uncounted: false,
        });
        self
    }

    /// The last event meets a rival who has to give way: how many announcements that takes, and whether
    /// `notify_master_rx_lower_pri` is told, is a matter of which advert was under way.
    pub(crate) fn uncounted(mut self) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.uncounted = true;
        }
        self
    }

    /// The last event shows a difference that is meant.
    pub(crate) fn differs(
        mut self,
        row: &'static str,
        theirs: &[&'static str],
        ours: &[&'static str],
    ) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.differs = Some(Difference {
                row,
                theirs: theirs.to_vec(),
                ours: ours.to_vec(),
            });
        }
        self
    }
}
