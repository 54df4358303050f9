//! `cargo xtask demo`: two hosts, four addresses, a master that dies.
//!
//! The hosts run the files under `examples/` as they stand. What happened is read from captures on the
//! switch and from a client that asks every address every 10 ms, never from the daemon's own words. The
//! figures are printed, not judged: what fails the demo is a wrong outcome, or a client that waited longer
//! than Master_Down_Interval and one interval.

mod picture;
mod stage;
mod timeline;

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use vrrp_tests::lab::{Program, Stamp, end_all_on_interrupt, is_root, until};

use crate::{build, setup};
use stage::{Node, Stage};
use timeline::Takeover;

/// Options of `cargo xtask demo`.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Args {
    /// Leave the hosts up at the end, and print how to look around
    #[arg(long)]
    keep: bool,
    /// Which daemon plays both parts
    #[arg(long, value_enum, default_value = "ours")]
    daemon: Player,
}

#[derive(clap::ValueEnum, Clone, Copy, Debug, PartialEq, Eq)]
enum Player {
    /// This project's
    Ours,
    /// Debian's keepalived 2.2.7
    Keepalived,
}

/// Master_Down_Interval of the examples' instances: VRRPv2, 1 s, priority 100: 3 x 1 s + 156/256 s.
const MASTER_DOWN: Duration = Duration::from_micros(3_609_375);
/// What a client may wait at most: Master_Down_Interval and one interval.
const PATIENCE: Duration = Duration::from_micros(4_609_375);
/// Long enough for a host that wanted its addresses back to have taken them.
const NO_FAILBACK: Duration = Duration::from_millis(4_500);
/// How long anything may take before the demo gives up.
const LIMIT: Duration = Duration::from_secs(15);

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        is_root(),
        "the demo makes network namespaces, which takes root: run it as root or through sudo"
    );
    setup::run(setup::Args::default())?;
    let program = match args.daemon {
        Player::Ours => {
            build::run(build::Args::RELEASE)?;
            Program::release()?
        }
        Player::Keepalived => Program::keepalived()?,
    };
    end_all_on_interrupt()?;

    let begun = Instant::now();
    let mut show = Show {
        stage: Stage::build(program, args.keep)?,
        failures: 0,
    };
    let played = show.play();
    let saved = show.stage.save_captures();
    if played.is_err() {
        show.stage.print_logs();
    }
    played.and(saved)?;
    println!();
    ensure!(
        show.failures == 0,
        "{} outcomes did not hold: see FAIL above",
        show.failures
    );
    println!(
        "All outcomes held. The demo took {} s.",
        begun.elapsed().as_secs()
    );
    if args.keep {
        show.stage.keep()?;
    }
    Ok(())
}

struct Show {
    stage: Stage,
    failures: u32,
}

impl Show {
    /// The acts, in order. An error is an outcome that the rest cannot go on without.
    fn play(&mut self) -> anyhow::Result<()> {
        self.curtain("two hosts start, neither prefers itself (state BACKUP, nopreempt)");
        let begun = Stamp::now();
        self.stage.start(Node::A)?;
        self.stage.start(Node::B)?;
        let master = self.await_holder(None)?;
        self.await_answers(begun)?;
        println!("  {master} has all four addresses, {} none", master.other());

        self.curtain(&format!("somebody pulls {master}'s cable bond0"));
        let since = Stamp::now();
        self.stage.pull(master)?;
        let heir = self.await_holder(Some(master.other()))?;
        self.await_answers(since)?;
        self.await_state(master, "fault")?;
        self.report("cable", master, since)?;
        self.check(&format!("{master} shows FAULT"), true);
        self.check("the whole group moved, eth2's addresses too", true);

        self.curtain(&format!(
            "the cable is plugged in again: {heir} keeps the addresses"
        ));
        let since = Stamp::now();
        self.stage.plug(master)?;
        self.await_state(master, "backup")?;
        self.holds_through(heir, since)?;

        let (master, heir) = (heir, master);
        self.curtain(&format!(
            "{master} dies: kill -9 for all its processes, and it is cut off"
        ));
        let since = Stamp::now();
        self.stage.cut_off(master)?;
        self.stage.crash(master);
        let died = Stamp::now();
        until("the other host holds all four addresses", LIMIT, || {
            self.stage.holds_all(heir)
        })?;
        self.await_answers(died)?;
        let crash = (self.report("crash", master, since)?, since);

        self.curtain(&format!(
            "{master} comes back, its old addresses still on its interfaces"
        ));
        let leftovers = self.stage.holds_all(master)?;
        self.check(
            &format!("{master} still had the addresses it died with"),
            leftovers,
        );
        let since = Stamp::now();
        self.stage.start(master)?;
        until("the leftover addresses are gone", LIMIT, || {
            self.stage.holds_none(master)
        })?;
        println!(
            "  leftovers gone {} ms after the start",
            Stamp::now().since(since).as_millis()
        );
        self.stage.reconnect(master)?;
        self.holds_through(heir, Stamp::now())?;
        // Only now: the picture shows a while after the takeover, too.
        self.draw(&crash.0, crash.1)?;

        let (master, heir) = (heir, master);
        self.curtain(&format!("{master} is stopped in order"));
        let since = Stamp::now();
        self.stage.stop(master, LIMIT)?;
        self.await_holder(Some(heir))?;
        self.await_answers(since)?;
        let takeover = self.report("stop", master, since)?;
        self.check(
            "its last advert said priority 0",
            takeover.paths.iter().all(|path| path.last_priority == 0),
        );
        Ok(())
    }

    fn curtain(&self, title: &str) {
        println!("\n== {title}");
    }

    fn check(&mut self, what: &str, holds: bool) {
        println!("  {}  {what}", if holds { "PASS" } else { "FAIL" });
        self.failures += u32::from(!holds);
    }

    /// Wait until one host (`who`, if it is said) holds all addresses and the other none.
    fn await_holder(&self, who: Option<Node>) -> anyhow::Result<Node> {
        let mut holder = None;
        until(
            "one host holds all four addresses and the other none",
            LIMIT,
            || {
                holder = self.stage.holder()?;
                Ok(match who {
                    Some(wanted) => holder == Some(wanted),
                    None => holder.is_some(),
                })
            },
        )?;
        holder.context("no host holds the addresses")
    }

    /// Wait until every address has answered the client after `since`: it may have had to learn where to.
    fn await_answers(&self, since: Stamp) -> anyhow::Result<()> {
        let prober = &self.stage.prober;
        until("every address answers the client again", LIMIT, || {
            let now = Stamp::now();
            Ok(Stage::VIPS.iter().all(|&vip| {
                prober.first_answer(vip, since).is_some()
                    && prober
                        .answers(vip)
                        .last()
                        .is_some_and(|answer| now.since(answer.at) < Duration::from_millis(100))
            }))
        })
    }

    /// Wait until the notify script has been called with `state` last.
    fn await_state(&self, node: Node, state: &str) -> anyhow::Result<()> {
        until(
            &format!("{node}'s notify script was called with {state}"),
            LIMIT,
            || Ok(self.stage.last_notification(node)?.as_deref() == Some(state)),
        )
    }

    /// Watch for a while that nothing moves.
    fn holds_through(&mut self, holder: Node, since: Stamp) -> anyhow::Result<()> {
        let mut held = true;
        let end = Instant::now() + NO_FAILBACK;
        while Instant::now() < end {
            held &= self.stage.holder()? == Some(holder);
            std::thread::sleep(Duration::from_millis(100));
        }
        self.check(&format!("no failback: {holder} kept all four addresses"), held);
        let adverts = self.stage.adverts_of(holder.other(), since);
        self.check(
            &format!("{} sent no advert ({adverts})", holder.other()),
            adverts == 0,
        );
        let longest = self.longest_outage(since);
        println!("  the client never waited longer than {} ms", longest.as_millis());
        Ok(())
    }

    fn longest_outage(&self, since: Stamp) -> Duration {
        let now = Stamp::now();
        Stage::VIPS
            .iter()
            .filter_map(|&vip| self.stage.prober.longest_outage(vip, since))
            .map(|outage| outage.duration(now))
            .max()
            .unwrap_or_default()
    }

    /// Print what the captures saw of a takeover from `old` and judge what the client saw.
    fn report(&mut self, name: &str, old: Node, since: Stamp) -> anyhow::Result<Takeover> {
        let takeover = Takeover::read(&self.stage, old, since)
            .with_context(|| format!("reading the captures of the takeover ({name})"))?;
        takeover.print(MASTER_DOWN);
        let longest = self.longest_outage(since);
        self.check(
            &format!(
                "the client waited {} ms at most; Master_Down_Interval and one interval are {} ms",
                longest.as_millis(),
                PATIENCE.as_millis()
            ),
            longest <= PATIENCE,
        );
        Ok(takeover)
    }

    fn draw(&self, takeover: &Takeover, died: Stamp) -> anyhow::Result<()> {
        let path = Stage::output()?.join("takeover.svg");
        fs::write(&path, picture::draw(&self.stage, takeover, died, MASTER_DOWN))
            .with_context(|| format!("writing {}", path.display()))?;
        println!("  picture: {}", path.display());
        Ok(())
    }
}
