//! `cargo xtask bench`: keepalived and this project's daemon, alternately, in one lab.
//!
//! Times come from a capture on the switch port of the host that is judged, never from logs; CPU time from
//! the scheduler's own nanoseconds. Absolute figures move from machine to machine, and with what else the
//! machine does: only the ratio of two columns of one run says something.

mod cpu;
mod failover;
mod flood;
mod loading;
mod sample;
mod tcp;
mod xdp;

use std::fs;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, ensure};
use serde::Serialize;
use vrrp_tests::lab::{Host, Lab, Port, Program, end_all_on_interrupt, is_root};

use crate::{build, setup};
use sample::Summary;

/// Options of `cargo xtask bench`.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Args {
    /// Fewer and shorter runs: to see that it works, not to quote
    #[arg(long, global = true)]
    quick: bool,
    /// Failovers of each daemon, loads of each file, rounds of each frame or transfer
    #[arg(long, value_name = "N", global = true)]
    n: Option<usize>,
    /// Write the figures, every single one, to a file
    #[arg(long, value_name = "FILE", global = true)]
    json: Option<PathBuf>,
    /// keepalived against itself: how much two equal columns differ on this machine
    #[arg(long)]
    control: bool,
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
    /// What following and sending adverts costs: 250 virtual routers at 10 ms, beside keepalived
    Cpu,
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
        None | Some(Only::Cpu) => {}
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
            let rows = flood::run(n(1, 1), args.quick)?;
            flood::print(&rows);
            return save(args.json.as_deref(), &rows);
        }
    }
    let players = if args.control {
        [
            ("keepalived", Program::keepalived()?),
            ("keepalived again", Program::keepalived()?),
        ]
    } else {
        build::run(build::Args::RELEASE)?;
        [
            ("keepalived", Program::keepalived()?),
            ("vrrp-daemon", Program::release()?),
        ]
    };

    let (rounds, phase) = match args.quick {
        true => (1, Duration::from_secs(4)),
        false => (3, Duration::from_secs(10)),
    };
    let field = Field::build()?;
    if let Some(Only::Cpu) = args.only {
        let columns = cpu::run(&field, &players, cpu::HARD, args.n.unwrap_or(rounds), phase)?;
        cpu::print(cpu::HARD, &columns);
        return save(args.json.as_deref(), &columns);
    }
    let report = Report {
        kernel: kernel(),
        failover: failover::run(&field, &players, n(5, 20))?,
        cpu: cpu::run(&field, &players, cpu::USUAL, rounds, phase)?,
    };
    report.print();
    save(args.json.as_deref(), &report)
}

fn save(path: Option<&Path>, figures: &impl Serialize) -> anyhow::Result<()> {
    if let Some(path) = path {
        let text = serde_json::to_string_pretty(figures)?;
        fs::write(path, text + "\n").with_context(|| format!("writing {}", path.display()))?;
        println!("\nEvery figure: {}", path.display());
    }
    Ok(())
}

/// A column of the tables: its title, and who runs.
type Player = (&'static str, Program);

/// Two hosts on one network, A to be Master, B to be judged when A dies.
struct Field {
    a: Host,
    a_port: Port,
    b: Host,
    b_port: Port,
    _lab: Lab,
}

impl Field {
    fn build() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        let (a, b) = (lab.host("A")?, lab.host("B")?);
        Ok(Self {
            a_port: lab.connect(&a, "eth0", "front", &["192.0.2.1/24"])?,
            b_port: lab.connect(&b, "eth0", "front", &["192.0.2.2/24"])?,
            a,
            b,
            _lab: lab,
        })
    }
}

/// One configuration file: `instances` virtual routers with one address each, VRRPv3 by unicast.
fn config(own: u8, peer: u8, priority: u8, interval: &str, instances: u8) -> String {
    let mut text = format!("global_defs {{\n    router_id bench{own}\n}}\n");
    for vrid in 1..=instances {
        text.push_str(&format!(
            "vrrp_instance V{vrid} {{
    state BACKUP
    interface eth0
    virtual_router_id {vrid}
    priority {priority}
    advert_int {interval}
    version 3
    unicast_src_ip 192.0.2.{own}
    unicast_peer {{
        192.0.2.{peer}
    }}
    virtual_ipaddress {{
        {}/24
    }}
}}
",
            vip(vrid)
        ));
    }
    text
}

/// An instance's address.
const fn vip(vrid: u8) -> Ipv4Addr {
    if vrid <= 150 {
        Ipv4Addr::new(192, 0, 2, 100 + vrid)
    } else {
        Ipv4Addr::new(198, 51, 100, vrid)
    }
}

#[derive(Serialize)]
struct Report {
    kernel: String,
    failover: Vec<failover::Column>,
    cpu: Vec<cpu::Column>,
}

impl Report {
    fn print(&self) {
        println!("\nkernel {}", self.kernel);
        println!("\nFailover past Master_Down_Interval (36.094 ms), 10 ms adverts, 1 address, in ms");
        Summary::print_head();
        for column in &self.failover {
            column
                .advert
                .summary()
                .print_millis(&format!("{}, first advert", column.daemon));
            column
                .announcement
                .summary()
                .print_millis(&format!("{}, first gratuitous ARP", column.daemon));
        }
        ratio(
            "first gratuitous ARP",
            self.failover.iter().map(|column| column.announcement.summary()),
        );
        cpu::print(cpu::USUAL, &self.cpu);
    }
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

/// What the figures were taken on.
fn kernel() -> String {
    fs::read_to_string("/proc/sys/kernel/osrelease")
        .map_or_else(|_| "unknown".to_owned(), |line| line.trim().to_owned())
}
