//! Scripts at their worst: whatever they do, adverts go out in time, verdicts are right, and a stop is a stop.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Context;
use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Stamp, root_or_skip, until};

const LIMIT: Duration = Duration::from_secs(20);

/// Each ends as its name says.
const SCRIPTS: [(&str, &str); 7] = [
    // With a child that does not mind SIGTERM.
    (
        "hangs",
        "#!/bin/sh\n(trap '' TERM; while :; do sleep 1; done) &\ntrap '' TERM\nwhile :; do sleep 1; done\n",
    ),
    (
        "forks",
        "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do (for j in 1 2 3 4 5; do sleep 0.2 & done; wait) & done\nwait\n",
    ),
    (
        "prints",
        "#!/bin/sh\nhead -c 5000000 /dev/zero; head -c 5000000 /dev/zero >&2\n",
    ),
    ("kills_itself", "#!/bin/sh\nkill -9 $$\n"),
    ("stops_itself", "#!/bin/sh\nkill -STOP $$\n"),
    ("loses_its_permission", "#!/bin/sh\nexit 0\n"),
    // All of it, and never ends.
    (
        "told",
        "#!/bin/sh\necho \"$4\" >>/run/told\nhead -c 5000000 /dev/zero\nfor i in 1 2 3 4 5 6 7 8 9 10; do (for j in 1 2 3 4 5; do sleep 600 & done; wait) & done\nwait\n",
    ),
];
/// It has the FIFO open and does not read.
const DEAF: &str = "#!/bin/sh\ntrap '' TERM\nexec 3<\"$2\"\nwhile :; do sleep 1; done\n";

#[test]
fn scripts_at_their_worst_harm_nobody() {
    if root_or_skip() {
        play().unwrap();
    }
}

/// The processes whose command line has this word: their ids, and the command lines.
fn processes(word: &str) -> anyhow::Result<Vec<(i32, String)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let entry = entry?;
        let Ok(pid) = entry.file_name().to_string_lossy().parse() else {
            continue;
        };
        // It may have ended meanwhile.
        let line = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.split(' ').any(|argument| argument == word) {
            found.push((pid, line));
        }
    }
    Ok(found)
}

fn play() -> anyhow::Result<()> {
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    // An argument of every script, by which this run's are known.
    let mark = format!("of-{}", std::process::id());
    let mut file = format!(
        "global_defs {{\n vrrp_notify_fifo /run/fifo\n vrrp_notify_fifo_script \"/usr/local/bin/deaf.sh {mark}\"\n}}\n"
    );
    a.host.install("/usr/local/bin/deaf.sh", DEAF, 0o755)?;
    let mut tracked = String::new();
    for ((name, text), weight) in SCRIPTS.iter().zip([1, 2, 4, 8, 16, 32, 0]) {
        a.host.install(format!("/usr/local/bin/{name}.sh"), text, 0o755)?;
        if *name != "told" {
            // Those that end by themselves may take their time on a busy machine.
            let timeout = if ["hangs", "stops_itself"].contains(name) {
                1
            } else {
                15
            };
            file.push_str(&format!(
                "vrrp_script {name} {{\n script \"/usr/local/bin/{name}.sh {mark}\"\n interval 1\n timeout {timeout}\n \
                 weight -{weight}\n}}\n"
            ));
            tracked.push_str(&format!(" {name}\n"));
        }
    }
    file.push_str(&format!(
        "vrrp_instance VI_1 {{\n interface eth0\n version 3\n advert_int 0.1\n virtual_router_id 51\n priority 200\n \
         unicast_src_ip {}\n unicast_peer {{\n {}\n }}\n track_script {{\n{tracked} }}\n virtual_ipaddress {{\n {}/24\n }}\n notify \"/usr/local/bin/told.sh {mark}\"\n}}\n",
        a.address,
        b.address,
        Settings::ADDRESS
    ));
    let lower = Settings::unicast(b.address, a.address, 100).to_string();
    let daemon = Daemon::start(&a.host, &Program::ours()?, &file, Daemon::DETAILED)?;
    a.await_adverts(1, Stamp(0), LIMIT)?;
    let _b = Daemon::start(&b.host, &Program::ours()?, &lower, Daemon::DETAILED)?;
    a.host
        .run("chmod", &["a-x", "/usr/local/bin/loses_its_permission.sh"])?;
    // Failing: hangs 1, kills_itself 8, stops_itself 16, loses_its_permission 32.
    let judged = until("all have been judged", LIMIT, || {
        Ok(a.sent(Stamp(0)).last().map(|(_, advert)| advert.priority) == Some(143))
    });
    judged.with_context(|| daemon.log().unwrap_or_default())?;
    let status = daemon.status()?;
    let states = status["scripts"].as_array().context("scripts")?;
    let states: Vec<_> = states
        .iter()
        .map(|script| {
            (
                script["name"].as_str().unwrap_or(""),
                script["state"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(
        states,
        [
            ("hangs", "failing"),
            ("forks", "passing"),
            ("prints", "passing"),
            ("kills_itself", "failing"),
            ("stops_itself", "failing"),
            ("loses_its_permission", "failing"),
        ]
    );
    // The first notification still runs, the second one waits for it.
    assert_eq!(a.host.read("/run/told")?, "BACKUP\n");

    // Ten runs of each on, there are no more descriptors and children than after the first.
    let pid: u32 = a.host.read("/run/keepalived_vrrp.pid")?.trim().parse()?;
    let descriptors = || -> anyhow::Result<usize> { Ok(fs::read_dir(format!("/proc/{pid}/fd"))?.count()) };
    let before = descriptors()?;
    let began = Stamp::now();
    a.await_adverts(100, began, Duration::from_secs(60))?;
    assert_eq!(b.sent(began), []);
    until(
        "no descriptor is lost",
        LIMIT,
        || Ok(descriptors()? <= before + 6),
    )?;
    // A run of each with its fifty or none, the notification with its own, the reader.
    let running = processes(&mark)?;
    assert!(running.len() < 60, "{running:#?}");

    let asked = Instant::now();
    daemon.stop(LIMIT)?;
    assert_eq!(a.sent(began).last().map(|(_, advert)| advert.priority), Some(0));
    println!("it stopped after {:?}", asked.elapsed());
    // What is tracked ends with the daemon; a notification goes on, as it may be restarting this very daemon.
    let mut left = Vec::new();
    for (pid, line) in processes(&mark)? {
        if line.contains("/told.sh") {
            let _it_may_be_gone = killpg(Pid::from_raw(pid), Signal::SIGKILL);
            let _it_may_be_gone = kill(Pid::from_raw(pid), Signal::SIGKILL);
        } else {
            left.push(line);
        }
    }
    assert_eq!(left, Vec::<String>::new());
    Ok(())
}
