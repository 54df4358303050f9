use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use vrrp_common::time::Nanos;

use super::Watched;
use crate::config::{ParamMatch, ProcessSpec};
use crate::proto::ProcessId;
use crate::sys::scratch::Scratch;
use crate::sys::scripts::Scripts;
use crate::track::{News, Plan, Trackers};

/// A program with a name that nothing else on this machine has.
struct Program {
    path: PathBuf,
    name: String,
}

impl Program {
    fn new(scratch: &Scratch, tag: &str) -> Self {
        let name = format!("{tag}{}", std::process::id());
        let path = scratch.path(&name);
        // Copied by another process, so that no child forked meanwhile holds it open for writing.
        let copied = Command::new("cp").arg("/bin/sleep").arg(&path).status();
        assert!(copied.unwrap().success());
        Self { path, name }
    }

    fn run(&self, seconds: &str) -> Running {
        Running(Command::new(&self.path).arg(seconds).spawn().unwrap())
    }

    fn spec(&self) -> ProcessSpec {
        ProcessSpec {
            program: self.name.clone(),
            by_name: true,
            params: Vec::new(),
            param_match: ParamMatch::Any,
            quorum: 1,
            quorum_max: None,
            fork_delay: Nanos::ZERO,
            terminate_delay: Nanos::ZERO,
        }
    }
}

/// Killed and reaped when it is dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn plan(specs: Vec<ProcessSpec>) -> Plan {
    let processes = specs.into_iter().zip(0..).map(|(spec, id)| Watched {
        id: ProcessId(id),
        name: format!("process{id}"),
        spec,
    });
    Plan {
        processes: processes.collect(),
        ..Plan::default()
    }
}

async fn next(news: &mut mpsc::Receiver<News>) -> (u16, bool) {
    match timeout(Duration::from_secs(10), news.recv()).await {
        Ok(Some(News::Process(id, quorum))) => (id.0, quorum),
        other => panic!("{other:?}"),
    }
}

/// Also where the kernel does not tell, only later.
#[tokio::test]
async fn processes_come_and_go() {
    let scratch = Scratch::new();
    let program = Program::new(&scratch, "trk_a");
    let (send, mut news) = mpsc::channel(16);
    let two = ProcessSpec {
        quorum: 2,
        ..program.spec()
    };
    let trackers = Trackers::start(plan(vec![program.spec(), two]), send, Scripts::here());
    let mut first = [next(&mut news).await, next(&mut news).await];
    first.sort_unstable();
    assert_eq!(first, [(0, false), (1, false)]);
    let one = program.run("1000");
    assert_eq!(next(&mut news).await, (0, true));
    let other = program.run("1001");
    assert_eq!(next(&mut news).await, (1, true));
    drop(one);
    assert_eq!(next(&mut news).await, (1, false));
    drop(other);
    assert_eq!(next(&mut news).await, (0, false));
    trackers.stop().await;
}

/// What ran before we look counts, by its command line too; a zombie does not.
#[tokio::test]
async fn what_runs_already_counts() {
    let scratch = Scratch::new();
    let program = Program::new(&scratch, "trk_b");
    let _running = program.run("1000");
    let command = |params: &[&str], param_match| ProcessSpec {
        program: program.path.display().to_string(),
        by_name: false,
        params: params.iter().map(|&param| param.to_owned()).collect(),
        param_match,
        ..program.spec()
    };
    let dead = Program::new(&scratch, "trk_z");
    let mut zombie = dead.run("1000");
    zombie.0.kill().unwrap();
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(
        plan(vec![
            command(&["1000"], ParamMatch::Exact),
            command(&["100"], ParamMatch::Exact),
            command(&["100"], ParamMatch::Initial),
            command(&[], ParamMatch::Partial),
            dead.spec(),
        ]),
        send,
        Scripts::here(),
    );
    let mut first = Vec::new();
    for _ in 0..5 {
        first.push(next(&mut news).await);
    }
    first.sort_unstable();
    assert_eq!(first, [(0, true), (1, false), (2, true), (3, false), (4, false)]);
    trackers.stop().await;
}

/// A process that becomes another program is that one from then on.
#[tokio::test]
async fn a_process_may_change_its_program() {
    let scratch = Scratch::new();
    let before = Program::new(&scratch, "trk_c");
    let after = Program::new(&scratch, "trk_d");
    let go = scratch.path("go");
    let script = format!(
        "while ! test -e {}; do sleep 0.02; done; exec {} 1000",
        go.display(),
        after.path.display()
    );
    let mut shell = Command::new("/bin/sh");
    shell.arg0(&before.name).args(["-c", &script]);
    let by_command = ProcessSpec {
        by_name: false,
        ..before.spec()
    };
    let _running = Running(shell.spawn().unwrap());
    let (send, mut news) = mpsc::channel(16);
    let trackers = Trackers::start(plan(vec![by_command, after.spec()]), send, Scripts::here());
    let mut first = [next(&mut news).await, next(&mut news).await];
    first.sort_unstable();
    assert_eq!(first, [(0, true), (1, false)]);
    fs::write(go, "").unwrap();
    let mut changed = [next(&mut news).await, next(&mut news).await];
    changed.sort_unstable();
    assert_eq!(changed, [(0, false), (1, true)]);
    trackers.stop().await;
}

/// A daemon that is started again within `terminate_delay` was never gone; a reload disturbs no delay.
#[tokio::test]
async fn a_short_absence_is_not_told() {
    let scratch = Scratch::new();
    let program = Program::new(&scratch, "trk_e");
    let other = Program::new(&scratch, "trk_f");
    let patient = ProcessSpec {
        terminate_delay: Nanos::from_secs(3_600),
        ..program.spec()
    };
    let running = program.run("1000");
    let (send, mut news) = mpsc::channel(16);
    let mut trackers = Trackers::start(plan(vec![patient.clone()]), send, Scripts::here());
    assert_eq!(next(&mut news).await, (0, true));
    drop(running);
    let (send, mut news) = mpsc::channel(16);
    trackers.reconfigure(plan(vec![other.spec(), patient]), send);
    let mut first = [next(&mut news).await, next(&mut news).await];
    first.sort_unstable();
    assert_eq!(first, [(0, false), (1, true)], "told again under its new id");
    // Another one's coming and going is proof that time has passed.
    let again = other.run("1000");
    assert_eq!(next(&mut news).await, (0, true));
    drop(again);
    assert_eq!(next(&mut news).await, (0, false));
    trackers.stop().await;
}
