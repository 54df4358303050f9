//! keepalived on a file, on a host of its own.

use std::fs::File as Log;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context;
use vrrp_tests::lab::{Host, Lab, Program, until};

use super::files::File;
use super::meaning;
use super::outcome::Outcome;

/// What conditional lines are compared with.
pub(crate) const CONFIG_ID: &str = "node1";

/// The host's interfaces and their addresses.
pub(crate) const LINKS: &[(&str, &[&str])] = &[
    ("eth0", &["192.0.2.1/24", "2001:db8:1::1/64"]),
    ("eth1", &["198.51.100.1/24"]),
    ("eth2", &["203.0.113.1/24"]),
    ("eth3", &["10.0.0.1/24"]),
    ("bond0", &["10.10.0.1/24"]),
    ("ens192", &["10.20.0.1/24"]),
];

/// The scripts that are there, beside the system's own.
pub(crate) const SCRIPTS: &[&str] = &[
    "/etc/keepalived/notify.sh",
    "/etc/keepalived/check_haproxy.sh",
    "/etc/keepalived/check_apiserver.sh",
    "/usr/local/bin/check_service",
    "/usr/local/bin/killall",
];

const LOG: &str = "/run/corpus.log";
/// How long keepalived may take to say that it is up, on a busy machine.
const STARTS: Duration = Duration::from_secs(20);
/// What it says when it is up; the second without a virtual router.
const UP: [&str; 2] = ["Startup complete", "keepalived has no configuration to run"];
/// Of a remark in the table, in characters.
const SHOWN: usize = 90;

/// Run it on `file`: with `-t`, and in earnest until it is up or gone.
pub(crate) fn judge(program: &Program, file: &File) -> anyhow::Result<Outcome> {
    let lab = Lab::new()?;
    let host = host(&lab)?;
    let outcome = both(program, &host, file).with_context(|| file.name.clone());
    host.crash();
    outcome
}

fn both(program: &Program, host: &Host, file: &File) -> anyhow::Result<Outcome> {
    let (code, said) = test(program, host, file)?;
    let runs = runs(program, host, file)?;
    Ok(Outcome {
        code,
        runs,
        remarks: said.len(),
        gist: gist(&said),
        means: if runs {
            meaning::theirs(&host.read(LOG)?)
        } else {
            Vec::new()
        },
    })
}

fn host(lab: &Lab) -> anyhow::Result<Host> {
    let host = lab.host("k")?;
    let mut batch = String::new();
    for (name, addresses) in LINKS {
        // The other end may stay where it is: nothing is sent to anybody.
        batch += &format!("link add {name} type veth peer name {name}.peer\n");
        batch += &format!("link set {name}.peer up\nlink set {name} up\n");
        for address in *addresses {
            batch += &format!("address add {address} dev {name}\n");
        }
    }
    host.install("/run/links", batch, 0o600)?;
    host.run("ip", &["-batch", "/run/links"])?;
    for script in SCRIPTS {
        host.install(script, "#!/bin/sh\nexit 0\n", 0o755)?;
    }
    Ok(host)
}

fn test(program: &Program, host: &Host, file: &File) -> anyhow::Result<(u8, Vec<String>)> {
    let output = command(program, host, file).args(["-t"]).output()?;
    let said = [output.stdout, output.stderr].concat();
    let code = output.status.code().context("a signal ended it")?;
    let remarks = String::from_utf8_lossy(&said)
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(str::to_owned)
        .collect();
    Ok((u8::try_from(code)?, remarks))
}

/// Whether it starts, VRRP alone: the process for BFD (`-B`) would write its own dump into the same log.
fn runs(program: &Program, host: &Host, file: &File) -> anyhow::Result<bool> {
    let log = host.namespace().inside(|| Ok(Log::create(LOG)?))?;
    let mut child = command(program, host, file)
        .args(["-n", "-P", "-B", "-d", "-p", "/run/k.pid", "-r", "/run/kv.pid"])
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()?;
    let mut up = false;
    let answered = until("keepalived is up or gone", STARTS, || {
        // First whether it is gone: what it said before is then all there.
        let gone = child.try_wait()?.is_some();
        let said = host.read(LOG)?;
        up = UP.iter().any(|phrase| said.contains(phrase));
        // The dump comes last, and ends with this.
        Ok(gone || said.contains(UP[1]) || up && said.contains("< Interfaces >"))
    });
    host.crash();
    let _reaped = child.wait();
    answered.map(|()| up)
}

fn command(program: &Program, host: &Host, file: &File) -> Command {
    let mut command = program.command(host, &[]);
    command
        .args(["-l", "-i", CONFIG_ID, "-f"])
        .arg(&file.path)
        .stdin(Stdio::null());
    command
}

/// The first remarks without their place, shortened.
fn gist(said: &[String]) -> String {
    let short = |line: &String| {
        let line = match (line.starts_with('('), line.split_once("Line ")) {
            (true, Some((_, rest))) => rest.split_once(") ").map_or(rest, |(_, text)| text),
            _ => line.as_str(),
        };
        line.replace('\t', " ").chars().take(SHOWN).collect::<String>()
    };
    said.iter().take(3).map(short).collect::<Vec<_>>().join(" | ")
}
