//! The lab of one run: host A with the program, `eth0` and `eth1`; host B with the rival.

use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vrrp_tests::lab::{Capture, Daemon, Host, Lab, Port, Program, Stamp, until};

use super::rival::{self, Rank, Rival, Speech, Version};
use super::scenario::{Act, Cable, Scenario, Step};
use super::trace::{self, Begin, Trace};

/// A state that lasts is reached by then.
const LIMIT: Duration = Duration::from_secs(30);
/// What a step should show is waited for that long.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often the host is looked at while it settles.
const LOOK: Duration = Duration::from_millis(200);

/// Every script that the files name: it writes its arguments down, one call a line.
const TELL: &str = "#!/bin/sh\nprintf '%s\\n' \"$*\" >>/run/told\n";
/// The reader of a FIFO, which it is given as its argument: it writes each line down likewise.
const READER: &str = "#!/bin/sh\nwhile read -r line; do echo \"fifo $line\" >>/run/told; done <\"$1\"\n";
/// Where they do.
pub(crate) const TOLD: &str = "/run/told";
/// The script that is tracked: well while the file is there.
const CHECK: &str = "#!/bin/sh\ntest -e /run/well\n";

pub(crate) struct Stage {
    program: Program,
    file: &'static str,
    speech: Speech,
    a: Host,
    b: Host,
    front: Port,
    back: Port,
    capture: Capture,
    rival: Option<Rival>,
    daemon: Option<Daemon>,
    _lab: Lab,
}

impl Stage {
    pub(crate) fn new(program: Program, scenario: &Scenario) -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        lab.network("back")?;
        let (a, b) = (lab.host("A")?, lab.host("B")?);
        let front = lab.connect(&a, "eth0", "front", &["192.0.2.1/24"])?;
        let back = lab.connect(&a, "eth1", "back", &["198.51.100.1/24"])?;
        lab.connect(&b, "eth0", "front", &["192.0.2.2/24"])?;
        if scenario.speech != Speech::PLAIN {
            prepare(scenario.speech, &a, &b)?;
        }
        a.install("/usr/local/bin/tell.sh", TELL, 0o755)?;
        a.install("/usr/local/bin/reader.sh", READER, 0o755)?;
        a.install("/usr/local/bin/check.sh", CHECK, 0o755)?;
        a.install("/run/well", "", 0o644)?;
        let capture = front.capture()?;
        Ok(Self {
            program,
            file: scenario.file,
            speech: scenario.speech,
            a,
            b,
            front,
            back,
            capture,
            rival: None,
            daemon: None,
            _lab: lab,
        })
    }

    /// Let the step's event happen, and see what comes of it until what it should show is there and nothing has
    /// changed for `quiet`.
    pub(crate) fn play(&mut self, step: &Step, quiet: Duration) -> anyhow::Result<Trace> {
        let begin = Begin {
            at: Stamp::now(),
            told: self.a.read(TOLD)?.len(),
            priorities: trace::priorities(&self.capture),
        };
        self.perform(&step.act)?;
        let begun = Instant::now();
        let look = |quiet| trace::take(&self.a, &self.capture, &begin, quiet);
        let mut last = look(quiet)?;
        let mut changed = Instant::now();
        // A busy machine may take its time to begin; what never comes is judged later.
        let waits = |trace: &Trace| !trace.has(&step.shows) && begun.elapsed() < PATIENCE;
        while changed.elapsed() < quiet || waits(&last) {
            if begun.elapsed() > LIMIT {
                bail!("it did not settle within {LIMIT:?}; so far:\n{last}");
            }
            std::thread::sleep(LOOK);
            let now = look(quiet)?;
            if now != last {
                last = now;
                changed = Instant::now();
            }
        }
        Ok(last)
    }

    /// What the daemon has logged, for messages.
    pub(crate) fn log(&self) -> String {
        self.a.read(Daemon::log_file(&self.program)).unwrap_or_default()
    }

    fn perform(&mut self, act: &Act) -> anyhow::Result<()> {
        match act {
            Act::Start => {
                let daemon = Daemon::start(&self.a, &self.program, self.file, Daemon::DETAILED)?;
                self.daemon = Some(daemon);
            }
            Act::Stop => {
                let daemon = self.daemon.take().context("nothing runs")?;
                daemon.stop(LIMIT)?;
            }
            Act::Kill => {
                let pid = self.a.read("/run/keepalived_vrrp.pid")?;
                let pid = pid.trim().parse().context("the pid file of the VRRP process")?;
                kill(Pid::from_raw(pid), Signal::SIGKILL)?;
            }
            Act::Reload(file) => {
                self.a.install(Daemon::FILE, file, 0o644)?;
                let daemon = self.daemon.as_ref().context("nothing runs")?;
                daemon.signal(Signal::SIGHUP)?;
            }
            Act::Rival(priority) => self.rival(Rank::Above, *priority)?,
            Act::RivalBelow(priority) => self.rival(Rank::Below, *priority)?,
            Act::RivalOnce(priority) => self.say(Rank::Above, &[*priority])?,
            Act::RivalBelowOnce(priority) => self.say(Rank::Below, &[*priority])?,
            Act::RivalSays(priorities) => self.say(Rank::Above, priorities)?,
            Act::RivalDies => self.rival = None,
            Act::RivalStops => {
                let rank = self.rival.take().map_or(Rank::Above, |rival| rival.rank());
                self.say(rank, &[0])?;
            }
            Act::Unplug(cable) => self.cable(*cable).pull()?,
            Act::Plug(cable) => self.cable(*cable).plug()?,
            Act::Run(line) => {
                let (program, arguments) = line.split_first().context("an empty command")?;
                self.a.run(program, arguments)?;
            }
            Act::Write(path, text) => self.a.install(path, text, 0o644)?,
        }
        Ok(())
    }

    /// There is one at a time.
    fn rival(&mut self, rank: Rank, priority: u8) -> anyhow::Result<()> {
        match &self.rival {
            Some(rival) if rival.rank() == rank => rival.change(priority),
            _ => self.rival = Some(Rival::start(&self.b, self.speech, rank, priority)?),
        }
        Ok(())
    }

    /// A Master of version 2 hears it half-way between two adverts: an answer is none of those.
    fn say(&self, rank: Rank, priorities: &[u8]) -> anyhow::Result<()> {
        if matches!(self.speech.version, Version::Two(_)) {
            until("half an interval has passed", LIMIT, || {
                let age = trace::last_sent(&self.capture).map(|age| age.as_millis());
                Ok(age.is_none_or(|age| (300..600).contains(&age) || age > 1_500))
            })?;
        }
        rival::say(&self.b, self.speech, rank, priorities)
    }

    const fn cable(&self, cable: Cable) -> &Port {
        match cable {
            Cable::Front => &self.front,
            Cable::Back => &self.back,
        }
    }
}

/// Give both hosts the addresses that this speech takes.
fn prepare(speech: Speech, a: &Host, b: &Host) -> anyhow::Result<()> {
    let length = if speech.six { 64 } else { 32 };
    for rank in [Rank::Above, Rank::Below] {
        let address = format!("{}/{length}", speech.source(rank));
        b.run("ip", &["addr", "replace", &address, "dev", "eth0", "nodad"])?;
    }
    if speech.six {
        let address = format!("{}/64", Speech::HOST_6);
        a.run("ip", &["addr", "add", &address, "dev", "eth0", "nodad"])?;
    } else {
        // Not in its network. The lab's routes look like the kernel's own.
        let below = speech.source(Rank::Below).to_string();
        a.run("ip", &["route", "add", &below, "dev", "eth0", "proto", "kernel"])?;
    }
    Ok(())
}
