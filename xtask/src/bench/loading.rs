//! How long `-t` takes, from the start of the process to its end: reading, judging, and showing what was found.
//!
//! keepalived reads a file twice or more for `-t`; that is what its users wait for, so that is what is measured.

use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, ensure};
use serde::Serialize;
use vrrp_tests::lab::{Daemon, Host, Lab, Program};

use super::sample::{Samples, Summary};

/// What must be loaded, and how fast.
const LOADS: [Load; 2] = [
    Load {
        title: "250 instances, 250 addresses",
        instances: 250,
        addresses: 1,
        bar_millis: 50,
    },
    Load {
        title: "1000 instances, 10000 addresses",
        instances: 1_000,
        addresses: 10,
        bar_millis: 500,
    },
];

/// A VRID stands once on an interface.
const INSTANCES_PER_INTERFACE: u32 = 250;

struct Load {
    title: &'static str,
    instances: u32,
    addresses: u32,
    bar_millis: i64,
}

/// One program's times for one file.
#[derive(Serialize)]
pub(super) struct Column {
    load: &'static str,
    daemon: &'static str,
    nanos: Samples,
    bar_millis: i64,
}

/// Both programs on each file, by turns.
pub(super) fn run(n: usize) -> anyhow::Result<Vec<Column>> {
    let lab = Lab::new()?;
    lab.network("front")?;
    let host = lab.host("A")?;
    let mut ports = Vec::new();
    for interface in 0..4 {
        let own = format!("192.0.2.{}/24", interface + 1);
        ports.push(lab.connect(&host, &format!("eth{interface}"), "front", &[&own])?);
    }
    let programs = [Program::release()?, Program::keepalived()?];
    let mut columns = Vec::new();
    for load in &LOADS {
        host.install(Daemon::FILE, load.file(), 0o644)?;
        let mut times = [Samples::default(), Samples::default()];
        for _ in 0..n {
            for (program, times) in programs.iter().zip(&mut times) {
                times.0.push(test(program, &host)?);
            }
        }
        for (program, nanos) in programs.iter().zip(times) {
            columns.push(Column {
                load: load.title,
                daemon: program.name(),
                nanos,
                bar_millis: load.bar_millis,
            });
        }
    }
    Ok(columns)
}

/// Nanoseconds that one `-t` takes.
fn test(program: &Program, host: &Host) -> anyhow::Result<i64> {
    let mut command = program.command(host, &[]);
    command
        .args(["-t", "-f", Daemon::FILE])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let begun = Instant::now();
    let status = command.status().with_context(|| program.name())?;
    let took = begun.elapsed();
    ensure!(status.success(), "{} -t: {status}", program.name());
    Ok(i64::try_from(took.as_nanos())?)
}

impl Load {
    /// Like the files of those who have so many: one instance like the other.
    fn file(&self) -> String {
        let mut text = String::from("global_defs {\n    router_id bench\n}\n");
        for instance in 0..self.instances {
            let (interface, vrid) = (
                instance / INSTANCES_PER_INTERFACE,
                instance % INSTANCES_PER_INTERFACE + 1,
            );
            text.push_str(&format!(
                "vrrp_instance V{instance} {{
    state BACKUP
    interface eth{interface}
    virtual_router_id {vrid}
    priority 100
    advert_int 1
    version 3
    nopreempt
    garp_master_delay 1
    virtual_ipaddress {{
"
            ));
            for address in 0..self.addresses {
                text.push_str(&format!("        10.{interface}.{vrid}.{}/24\n", address + 1));
            }
            text.push_str("    }\n}\n");
        }
        text
    }
}

/// The times, each file with its bar.
pub(super) fn print(columns: &[Column]) {
    println!("\nLoading a configuration (-t, the whole process), in ms");
    Summary::print_head();
    for column in columns {
        let summary = column.nanos.summary();
        summary.print_millis(&format!("{}, {}", column.load, column.daemon));
        if column.daemon == "vrrp-daemon" {
            let kept = if summary.median() <= column.bar_millis * 1_000_000 {
                "kept"
            } else {
                "MISSED"
            };
            println!("    bar {} ms: {kept}", column.bar_millis);
        }
    }
}
