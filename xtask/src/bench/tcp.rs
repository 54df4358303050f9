//! Bulk TCP through an interface that has the XDP program, beside one that has none.
//!
//! An empty program is a column of its own: what it loses, XDP on this kind of device loses, whatever runs there.
//! `docs/benchmarks.md` says why.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use serde::{Deserialize, Serialize};
use vrrp_tests::lab::{Host, Lab};

use super::sample::Samples;
use super::xdp::worker;

const A: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const B: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 2);
/// Of one write and one read.
const CHUNK: usize = 256 * 1_024;
/// How long one transfer sends.
const SENDING: Duration = Duration::from_secs(2);
/// A connection that stands still for so long has failed.
const STALL: Duration = Duration::from_secs(10);

const MTUS: [u32; 2] = [1_500, 9_000];
/// Which program, and where it sits.
const SETUPS: [(&str, Option<[&str; 2]>); 5] = [
    ("no program", None),
    ("ours, native", Some(["vrrp", "native"])),
    ("ours, generic", Some(["vrrp", "generic"])),
    ("empty, native", Some(["empty", "native"])),
    ("empty, generic", Some(["empty", "generic"])),
];

/// Which way the bytes go at the interface with the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Way {
    In,
    Out,
}

/// One line of the table.
#[derive(Serialize)]
pub(super) struct Row {
    mtu: u32,
    way: Way,
    setup: &'static str,
    /// Megabits of payload per second.
    rate: Samples,
    /// Bytes of a frame as the receiving interface counts them.
    frame: Samples,
}

/// Two hosts and a bridge; the program is on B.
struct Field {
    lab: Lab,
    a: Host,
    b: Host,
}

/// `rounds` transfers of each line, the lines taking turns.
pub(super) fn run(rounds: usize) -> anyhow::Result<Vec<Row>> {
    let worker = worker()?;
    let field = Field::build()?;
    let mut rows = Vec::new();
    for mtu in MTUS {
        field.set_mtu(mtu)?;
        let ways = [Way::In, Way::Out];
        let mut these: Vec<Row> = ways
            .into_iter()
            .flat_map(|way| {
                SETUPS.map(|(setup, _)| Row {
                    mtu,
                    way,
                    setup,
                    rate: Samples::default(),
                    frame: Samples::default(),
                })
            })
            .collect();
        for round in 1..=rounds {
            eprintln!("tcp, MTU {mtu}, {round}/{rounds}");
            let lines = ways
                .iter()
                .flat_map(|way| SETUPS.iter().map(move |setup| (way, setup)));
            for ((way, (_, program)), row) in lines.zip(&mut these) {
                let held = program
                    .map(|program| Held::attach(&worker, &field.b, program))
                    .transpose()?;
                let (rate, frame) = field.transfer(*way)?;
                row.rate.0.push(rate);
                row.frame.0.push(frame);
                if let Some(held) = held {
                    held.detach()?;
                }
            }
        }
        rows.extend(these);
    }
    Ok(rows)
}

/// The table, each line with its share of the rate without a program.
pub(super) fn print(rows: &[Row]) {
    println!("\nBulk TCP, one connection, at the interface with the program");
    println!(
        "  {:<6}{:<5}{:<16}{:>4}{:>10}{:>12}{:>9}{:>15}",
        "MTU", "", "", "n", "Mbit/s", "p90 - p10", "share", "bytes a frame"
    );
    let mut without = 0;
    for row in rows {
        let (rate, frame) = (row.rate.summary(), row.frame.summary());
        if row.setup == "no program" {
            without = rate.median();
        }
        println!(
            "  {:<6}{:<5}{:<16}{:>4}{:>10}{:>12}{:>7} %{:>15}",
            row.mtu,
            match row.way {
                Way::In => "in",
                Way::Out => "out",
            },
            row.setup,
            rate.count(),
            rate.median(),
            rate.spread(),
            rate.median() * 100 / without.max(1),
            frame.median(),
        );
    }
}

impl Field {
    fn build() -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        lab.network("front")?;
        let (a, b) = (lab.host("A")?, lab.host("B")?);
        lab.connect(&a, "eth0", "front", &[&format!("{A}/24")])?;
        lab.connect(&b, "eth0", "front", &[&format!("{B}/24")])?;
        Ok(Self { lab, a, b })
    }

    fn set_mtu(&self, mtu: u32) -> anyhow::Result<()> {
        let mtu = mtu.to_string();
        for host in [&self.a, &self.b] {
            host.run("ip", &["link", "set", "eth0", "mtu", &mtu])?;
            let port = format!("{}.eth0", host.name());
            self.lab
                .switch()
                .run("ip", &["link", "set", &port, "mtu", &mtu])?;
        }
        Ok(())
    }

    /// Megabits per second, and bytes of a frame at the receiver's interface.
    fn transfer(&self, way: Way) -> anyhow::Result<(i64, i64)> {
        let (sender, receiver, address) = match way {
            Way::In => (&self.a, &self.b, B),
            Way::Out => (&self.b, &self.a, A),
        };
        // Sockets stay in the namespace that they were made in, whichever thread uses them.
        let listener = receiver
            .namespace()
            .inside(|| Ok(TcpListener::bind((address, 0))?))?;
        let to: SocketAddr = listener.local_addr()?;
        let output = sender
            .namespace()
            .inside(|| Ok(TcpStream::connect_timeout(&to, STALL)?))?;
        let (input, _) = listener.accept()?;
        let before = Received::of(receiver)?;
        let (bytes, took) = thread::scope(|scope| {
            let sending = scope.spawn(move || send(output));
            let received = receive(input);
            match sending.join() {
                Ok(sent) => sent?,
                Err(_) => bail!("the sending thread panicked"),
            }
            received
        })?;
        let after = Received::of(receiver)?;
        let frames = after.packets.saturating_sub(before.packets).max(1);
        let rate = u128::from(bytes) * 8_000 / took.as_nanos().max(1);
        Ok((
            i64::try_from(rate)?,
            i64::try_from(after.bytes.saturating_sub(before.bytes) / frames)?,
        ))
    }
}

fn send(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_write_timeout(Some(STALL))?;
    let chunk = vec![0x55; CHUNK];
    let begun = Instant::now();
    while begun.elapsed() < SENDING {
        stream.write_all(&chunk)?;
    }
    Ok(stream.shutdown(Shutdown::Both)?)
}

/// Bytes, and how long they took from the first to the last.
fn receive(mut stream: TcpStream) -> anyhow::Result<(u64, Duration)> {
    stream.set_read_timeout(Some(STALL))?;
    let mut chunk = vec![0; CHUNK];
    let mut bytes = u64::try_from(stream.read(&mut chunk)?)?;
    let begun = Instant::now();
    loop {
        match stream.read(&mut chunk)? {
            0 => return Ok((bytes, begun.elapsed())),
            more => bytes += u64::try_from(more)?,
        }
    }
}

/// What an interface has received.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(super) struct Received {
    pub(super) bytes: u64,
    pub(super) packets: u64,
}

impl Received {
    /// Of the host's `eth0`, from `ip -j -s link`.
    pub(super) fn of(host: &Host) -> anyhow::Result<Self> {
        let text = host.run("ip", &["-j", "-s", "link", "show", "dev", "eth0"])?;
        let links: serde_json::Value = serde_json::from_str(&text)?;
        let received = links
            .pointer("/0/stats64/rx")
            .context("`ip -j -s link` shows no stats64.rx")?;
        Ok(serde_json::from_value(received.clone())?)
    }
}

/// A program that is on an interface as long as its process runs.
struct Held(Child);

impl Held {
    fn attach(worker: &Path, host: &Host, [program, mode]: [&str; 2]) -> anyhow::Result<Self> {
        let mut child = host
            .namespace()
            .command(worker)
            .args(["hold", program, mode, "eth0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("running xdp_bench")?;
        let output = child.stdout.take().context("xdp_bench has no output")?;
        let held = Self(child);
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        ensure!(
            line == "held\n",
            "xdp_bench did not attach {program} as {mode} program"
        );
        Ok(held)
    }

    fn detach(mut self) -> anyhow::Result<()> {
        drop(self.0.stdin.take());
        let status = self.0.wait()?;
        ensure!(status.success(), "xdp_bench: {status}");
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ended_already = self.0.kill();
        let _reaped = self.0.wait();
    }
}
