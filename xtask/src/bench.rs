//! `cargo xtask bench`: keepalived and this project's daemon, alternately, in one lab.
//!
//! Times come from a capture on the switch port of the host that is judged, never from logs; CPU time from
//! the scheduler's own nanoseconds. Absolute figures move from machine to machine, and with what else the
//! machine does: only the ratio of two columns of one run says something.

mod addresses;
mod bars;
mod failover;
mod field;
mod flood;
mod judge;
mod limit;
mod loading;
mod pair;
mod plot;
mod profile;
mod progress;
mod release;
mod sample;
mod start;
mod steady;
mod table;
mod tcp;
mod trace;
mod whole;
mod work;
mod xdp;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde::Serialize;
use vrrp_tests::lab::{Program, end_all_on_interrupt, is_root};

use crate::{build, setup};
use field::{Field, Player};
use sample::Summary;

/// Options of `cargo xtask bench`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Fewer and shorter runs: to see that it works, not to quote
    #[arg(long, global = true)]
    quick: bool,
    /// Hardly anything: whether the bench itself works. No figure of it means anything
    #[arg(long, conflicts_with = "quick", global = true)]
    smoke: bool,
    /// Failovers of each daemon, loads of each file, rounds of each frame or transfer
    #[arg(long, value_name = "N", global = true)]
    n: Option<usize>,
    /// Write the figures, every single one, to a file
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    /// Put table, plots and every figure into the documents; FOLDER is docs/benchmarks
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["smoke", "control"])]
    write: Option<PathBuf>,
    /// keepalived against itself: how much two equal columns differ on this machine
    #[arg(long)]
    control: bool,
    /// Another program that takes keepalived's command line, beside Debian's keepalived
    #[arg(long, value_name = "PATH", global = true)]
    peer: Option<PathBuf>,
    #[command(subcommand)]
    only: Option<Only>,
}

/// A part of the bench that is run by itself.
#[derive(clap::Subcommand, Clone, Copy, Debug)]
enum Only {
    /// How long loading a configuration takes, beside the bars it has to keep
    Config,
    /// What single frames cost in the XDP program, past an empty one, beside the bars they have to keep
    Xdp,
    /// Bulk TCP through an interface with the XDP program, native and generic, beside none
    Tcp,
    /// What following and sending adverts costs (CPU, memory), and how punctual adverts are
    #[command(alias = "cpu")]
    Steady,
    /// What the kernel takes to add and remove thousands of addresses, in several ways; no daemon
    Addresses,
    /// A Master is told to end: priority 0, and its last address gone
    Release,
    /// System calls of the protocol thread: for each wake-up, and each advert
    Profile,
    /// From start to the first advert, and from a reload to new ones, with 250 virtual routers
    Start,
    /// A Master is cut off: detection, takeover, and giving back, past Master_Down_Interval
    Failover,
    /// Floods of forged and other frames on a host that is Master and Backup
    Flood,
}

/// Run the verb.
pub(crate) fn run(args: Args) -> anyhow::Result<()> {
    ensure!(
        is_root(),
        "the bench makes network namespaces, which takes root: run it as root or through sudo"
    );
    setup::run(setup::Args::default())?;
    end_all_on_interrupt()?;
    let n = |quick: usize, full: usize| args.n.unwrap_or(if args.quick { quick } else { full });
    match args.only {
        None | Some(Only::Failover | Only::Steady | Only::Release | Only::Start | Only::Profile) => {}
        Some(Only::Addresses) => {
            let rows = addresses::run(args.extent(), args.n)?;
            addresses::print(&rows);
            return save(args.json.as_deref(), &rows);
        }
        Some(Only::Config) => {
            build::run(build::Args::RELEASE)?;
            let columns = loading::run(n(5, 20))?;
            loading::print(&columns);
            return save(args.json.as_deref(), &columns);
        }
        Some(Only::Xdp) => {
            build::run(build::Args::default())?;
            let rows = xdp::run(n(20, 200))?;
            xdp::print(&rows);
            return save(args.json.as_deref(), &rows);
        }
        Some(Only::Tcp) => {
            build::run(build::Args::default())?;
            let rows = tcp::run(n(1, 5))?;
            tcp::print(&rows);
            return save(args.json.as_deref(), &rows);
        }
        Some(Only::Flood) => {
            build::run(build::Args::RELEASE)?;
            let seconds = if args.quick { 3 } else { 20 };
            let rows = flood::run(n(1, 1), seconds, flood::Scope::All)?;
            flood::print(&rows);
            return save(args.json.as_deref(), &rows);
        }
    }
    let players = args.players()?;
    let extent = args.extent();
    match args.only {
        Some(Only::Steady) => {
            let rows = steady::run(&players, extent, args.n)?;
            steady::print(&rows);
            save(args.json.as_deref(), &rows)
        }
        Some(Only::Release) => {
            let rows = release::run(&Field::with_interfaces(1)?, &players, extent, args.n)?;
            release::print(&rows);
            save(args.json.as_deref(), &rows)
        }
        Some(Only::Profile) => {
            let rows = profile::run(&Field::with_interfaces(1)?, &players, extent)?;
            profile::print(&rows);
            save(args.json.as_deref(), &rows)
        }
        Some(Only::Start) => {
            let columns = start::run(&Field::with_interfaces(1)?, &players, extent, args.n)?;
            start::print(&columns);
            save(args.json.as_deref(), &columns)
        }
        Some(Only::Failover) => {
            let rows = failover::run(&Field::with_interfaces(1)?, &players, extent, args.n)?;
            failover::print(&rows);
            save(args.json.as_deref(), &rows)
        }
        Some(Only::Addresses | Only::Config | Only::Xdp | Only::Tcp | Only::Flood) | None => {
            let report = whole::run(&players, extent, args.n)?;
            table::print(&report);
            if !args.control {
                report.check()?;
            }
            if let Some(folder) = &args.write {
                table::write(&report, folder)?;
            }
            save(args.json.as_deref(), &report)
        }
    }
}

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Extent {
    /// Once or twice what differs most: whether the bench works.
    Smoke,
    /// Minutes.
    Quick,
    /// What may be quoted.
    Full,
}

impl Args {
    const fn extent(&self) -> Extent {
        match (self.smoke, self.quick) {
            (true, _) => Extent::Smoke,
            (false, true) => Extent::Quick,
            (false, false) => Extent::Full,
        }
    }

    /// keepalived, the other one that was named, and ours; or keepalived twice.
    fn players(&self) -> anyhow::Result<Vec<Player>> {
        let keepalived = Player::versioned(Program::keepalived()?);
        if self.control {
            let again = Player::new(&format!("{} again", keepalived.title), keepalived.program.clone());
            return Ok(vec![keepalived, again]);
        }
        let ours = if self.smoke {
            build::run(build::Args::default())?;
            Program::ours()?
        } else {
            build::run(build::Args::RELEASE)?;
            Program::release()?
        };
        let mut players = vec![keepalived];
        if let Some(binary) = &self.peer {
            players.push(Player::versioned(Program::Other {
                binary: binary.clone(),
            }));
        }
        players.push(Player::new(flood::OURS, ours));
        Ok(players)
    }
}

fn save(path: Option<&Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    if let Some(path) = path {
        let text = serde_json::to_string_pretty(figures)?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        println!("\nEvery figure: {}", path.display());
    }
    Ok(())
}

/// The medians' ratio, second daemon to first: the figure that means something on another machine, too.
fn ratio(what: &str, columns: impl Iterator<Item = Summary>) {
    let medians: Vec<i64> = columns.map(|summary| summary.median()).collect();
    if let [first, second] = medians[..]
        && first > 0
    {
        let percent = second * 100 / first;
        println!("  {what}: the second's median is {percent} % of the first's");
    }
}
