use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vrrp_common::id::Priority;

use super::{BACKLOG, Notifier, Runner, channel};
use crate::config::{Command, Config, Notify};
use crate::proto::model::SyncGroup;
use crate::proto::{GroupId, NotifyState, RouterId, Subject};
use crate::sys::scratch::{Scratch, alive, until};

const VG_1: Subject = Subject::Group(GroupId(0));
const VG_2: Subject = Subject::Group(GroupId(1));

fn command(argv: &[&str]) -> Option<Command> {
    Some(Command {
        argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
        user: None,
    })
}

/// Sync groups VG_1, VG_2 with these scripts. For the runner they are like virtual routers.
fn start(notify: Vec<Notify>) -> (Notifier, Runner) {
    let mut config = Config::default();
    for number in 1..=notify.len() {
        config.model.groups.push(SyncGroup {
            name: format!("VG_{number}"),
            members: Vec::new(),
            track: Vec::new(),
            keep_weights: false,
        });
    }
    config.group_notify = notify;
    channel(&config)
}

#[tokio::test]
async fn arguments_are_keepaliveds() {
    let scratch = Scratch::new();
    let log = scratch.script("log", "echo \"$*\" >> log");
    let (notifier, runner) = start(vec![Notify {
        master: command(&[&log, "as", "written"]),
        backup: command(&[&log, "backup"]),
        fault: command(&[&log, "fault"]),
        stop: command(&[&log, "stop"]),
        master_rx_lower_pri: command(&[&log, "lower"]),
        any: command(&[&log, "extra words"]),
    }]);
    for state in [
        NotifyState::Backup,
        NotifyState::Master,
        NotifyState::MasterRxLowerPri,
        NotifyState::Fault,
        NotifyState::Stop,
    ] {
        notifier.notify(VG_1, state, Priority(0));
    }
    drop(notifier);
    runner.run().await;
    assert_eq!(
        scratch.read("log"),
        "backup\nextra words GROUP VG_1 BACKUP 0\n\
         as written\nextra words GROUP VG_1 MASTER 0\n\
         lower\n\
         fault\nextra words GROUP VG_1 FAULT 0\n\
         stop\nextra words GROUP VG_1 STOP 0\n"
    );
}

#[tokio::test]
async fn one_subject_in_order_and_never_twice_at_a_time() {
    let scratch = Scratch::new();
    // Fails with `overlap` when another run is under way, and takes longer the earlier it was asked for.
    let log = scratch.script(
        "log",
        "mkdir busy || echo overlap >> log; echo \"$1 $5\" >> log; \
         if [ \"$5\" -lt 5 ]; then sleep 0.05; fi; rmdir busy",
    );
    let (notifier, runner) = start(vec![Notify {
        any: command(&[&log, "run"]),
        ..Notify::default()
    }]);
    for priority in 1..=40 {
        notifier.notify(VG_1, NotifyState::Master, Priority(priority));
    }
    drop(notifier);
    runner.run().await;
    let expected: String = (1..=40).map(|priority| format!("run {priority}\n")).collect();
    assert_eq!(scratch.read("log"), expected);
}

#[tokio::test]
async fn a_hanging_script_holds_up_nobody_else_and_the_last_state_is_told() {
    let scratch = Scratch::new();
    let hang = scratch.script(
        "hang",
        "echo \"$4\" >> hung; until test -e go || ! test -e hang.sh; do sleep 0.01; done",
    );
    let log = scratch.script("log", "echo \"$3\" >> log");
    let (notifier, runner) = start(vec![
        Notify {
            any: command(&[&hang]),
            ..Notify::default()
        },
        Notify {
            any: command(&[&log]),
            ..Notify::default()
        },
    ]);
    let running = tokio::spawn(runner.run());
    notifier.notify(VG_1, NotifyState::Master, Priority(0));
    until("the first one hangs", || !scratch.read("hung").is_empty()).await;
    let extra = 3;
    for priority in 1..=BACKLOG + extra {
        notifier.notify(
            VG_1,
            NotifyState::Backup,
            Priority(u8::try_from(priority).unwrap()),
        );
    }
    notifier.notify(VG_2, NotifyState::Fault, Priority(0));
    until("the other subject was told", || scratch.read("log") == "FAULT\n").await;
    assert_eq!(notifier.dropped(), 3);
    std::fs::write(scratch.path("go"), "").unwrap();
    drop(notifier);
    running.await.unwrap();
    // The first, and of the 67 that waited the last 64: 4 to 67.
    let expected: String = std::iter::once(0)
        .chain(4..=67)
        .map(|priority| format!("{priority}\n"))
        .collect();
    assert_eq!(scratch.read("hung"), expected);
}

#[tokio::test]
async fn a_full_queue_drops_and_counts_without_blocking() {
    let (notifier, _runner) = start(vec![Notify::default()]);
    let started = Instant::now();
    for _ in 0..super::QUEUE + 7 {
        notifier.notify(VG_1, NotifyState::Master, Priority(1));
    }
    assert_eq!(notifier.dropped(), 7);
    assert!(started.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn stop_scripts_get_their_time_but_not_for_ever() {
    let scratch = Scratch::new();
    let stop = scratch.script(
        "stop",
        "echo $$ > pid.new; mv pid.new pid; sleep 0.2; echo done > done; sleep 20",
    );
    let (notifier, runner) = start(vec![Notify {
        stop: command(&[&stop]),
        ..Notify::default()
    }]);
    let (tell, told) = oneshot::channel::<()>();
    let stopping = async {
        let _ = told.await;
    };
    let running = tokio::spawn(runner.run_until(stopping, Duration::from_millis(600)));
    notifier.notify(VG_1, NotifyState::Stop, Priority(0));
    drop((notifier, tell));
    running.await.unwrap();
    assert_eq!(scratch.read("done"), "done\n");
    // It goes on without us: a script may be restarting this very daemon.
    let pid = scratch.read("pid").trim().to_owned();
    assert!(alive(&pid));
    let leader = nix::unistd::Pid::from_raw(pid.parse().unwrap());
    nix::sys::signal::killpg(leader, nix::sys::signal::Signal::SIGKILL).unwrap();
}

#[tokio::test]
async fn unknown_subjects_and_broken_scripts_do_no_harm() {
    let scratch = Scratch::new();
    let log = scratch.script("log", "echo \"$*\" >> log");
    let (notifier, runner) = start(vec![Notify {
        master: command(&["/nonexistent/notify"]),
        any: command(&[&log]),
        ..Notify::default()
    }]);
    notifier.notify(Subject::Router(RouterId(7)), NotifyState::Master, Priority(1));
    notifier.notify(VG_1, NotifyState::Master, Priority(1));
    drop(notifier);
    runner.run().await;
    assert_eq!(scratch.read("log"), "GROUP VG_1 MASTER 1\n");
}
