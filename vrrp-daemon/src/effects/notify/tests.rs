use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use vrrp_common::id::Priority;

use super::runner::{BACKLOG, Losses, SAY_AGAIN};
use super::{Notifier, Runner, channel};
use crate::config::{Command, Config, Environment, Fifo, Notify};
use crate::proto::model::SyncGroup;
use crate::proto::reload::Correspondence;
use crate::proto::{GroupId, NotifyState, RouterId, Subject};
use crate::sys::scratch::{Scratch, alive, until};
use crate::sys::scripts::Scripts;

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
    channel(&config, Scripts::here())
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
        ..Notify::default()
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

fn fifo(scratch: &Scratch, script: Option<Command>) -> Fifo {
    Fifo {
        path: scratch.path("fifo"),
        owner: None,
        script,
    }
}

/// One instance VI_1 and nothing else, with a FIFO.
fn instance(name: &str, scripts: Notify, fifo: Option<Fifo>) -> Config {
    let mut config = crate::config::parse_str(
        "test",
        &format!("vrrp_instance {name} {{\n interface lo0\n virtual_router_id 1\n}}"),
        &NoHost,
    )
    .config
    .unwrap();
    config.router_notify = vec![scripts];
    config.global.fifos.vrrp = fifo;
    config
}

/// A host that has nothing.
struct NoHost;

impl Environment for NoHost {
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn list(&self, _: &Path) -> io::Result<Vec<String>> {
        Err(io::ErrorKind::NotFound.into())
    }

    fn is_executable(&self, _: &Path) -> bool {
        false
    }

    fn search_path(&self) -> Vec<PathBuf> {
        Vec::new()
    }

    fn interface_with(&self, _: IpAddr) -> Option<String> {
        None
    }

    fn is_root(&self, user: &str, _: Option<&str>) -> Result<bool, String> {
        Err(format!("there is no user `{user}`"))
    }

    fn insecure(&self, _: &Path) -> Option<String> {
        None
    }

    fn cpus(&self) -> usize {
        1
    }

    fn interfaces(&self) -> Option<Vec<String>> {
        None
    }
}

const VI: Subject = Subject::Router(RouterId(0));

/// A reader that copies what it reads into `told`, and says there when the FIFO ends.
fn reader(scratch: &Scratch) -> Option<Command> {
    let script = scratch.script(
        "reader",
        "echo \"$*\" >> started; cat \"$2\" >> told; echo end >> told",
    );
    command(&[&script, "word"])
}

#[tokio::test]
async fn a_fifo_is_told_everything_in_order_and_its_script_reads_it() {
    let scratch = Scratch::new();
    let scripts = Notify {
        priority_changes: Some(true),
        ..Notify::default()
    };
    let config = instance("\"VI 1\"", scripts, Some(fifo(&scratch, reader(&scratch))));
    let (notifier, runner) = channel(&config, Scripts::here());
    let running = tokio::spawn(runner.run());
    // Before its first state nobody can use a priority.
    notifier.priority_changed(RouterId(0), Priority(140));
    notifier.notify(VI, NotifyState::Backup, Priority(150));
    notifier.priority_changed(RouterId(0), Priority(130));
    notifier.notify(VI, NotifyState::Master, Priority(130));
    notifier.notify(VI, NotifyState::MasterRxLowerPri, Priority(130));
    notifier.priority_changed(RouterId(0), Priority(150));
    notifier.notify(VI, NotifyState::Deleted, Priority(150));
    notifier.priority_changed(RouterId(0), Priority(140));
    notifier.notify(VI, NotifyState::Stop, Priority(150));
    drop(notifier);
    running.await.unwrap();
    assert_eq!(
        scratch.read("told"),
        "INSTANCE \"VI 1\" BACKUP 150\n\
         INSTANCE \"VI 1\" BACKUP_PRIORITY 130\n\
         INSTANCE \"VI 1\" MASTER 130\n\
         INSTANCE \"VI 1\" MASTER_RX_LOWER_PRI 130\n\
         INSTANCE \"VI 1\" MASTER_PRIORITY 150\n\
         INSTANCE \"VI 1\" FAULT 150\n\
         INSTANCE \"VI 1\" STOP 150\n\
         end\n"
    );
    let path = scratch.path("fifo").display().to_string();
    assert_eq!(scratch.read("started"), format!("word {path}\n"));
    assert!(!scratch.path("fifo").exists());
}

#[tokio::test]
async fn a_reader_that_ends_is_started_again() {
    let scratch = Scratch::new();
    let script = scratch.script(
        "reader",
        "echo started >> told; read line < \"$1\"; echo \"$line\" >> told",
    );
    let config = instance(
        "VI_1",
        Notify::default(),
        Some(fifo(&scratch, command(&[&script]))),
    );
    let (notifier, runner) = channel(&config, Scripts::here());
    let running = tokio::spawn(runner.run());
    notifier.notify(VI, NotifyState::Backup, Priority(1));
    until("it was started twice", || {
        scratch.read("told").matches("started").count() == 2
    })
    .await;
    notifier.notify(VI, NotifyState::Master, Priority(1));
    until("the second line was read", || {
        scratch.read("told").contains("MASTER")
    })
    .await;
    drop(notifier);
    running.await.unwrap();
    let told = scratch.read("told");
    assert!(
        told.starts_with("started\nINSTANCE \"VI_1\" BACKUP 1\nstarted\nINSTANCE \"VI_1\" MASTER 1\n"),
        "{told}"
    );
}

#[tokio::test]
async fn a_deletion_is_a_fault_unless_the_word_is_asked_for() {
    let scratch = Scratch::new();
    let log = scratch.script("log", "echo \"$*\" >> log");
    let scripts = Notify {
        fault: command(&[&log, "fault"]),
        deleted: command(&[&log, "deleted"]),
        any: command(&[&log]),
        ..Notify::default()
    };
    let asked = Notify {
        tell_deleted: true,
        ..scripts.clone()
    };
    let (notifier, runner) = start(vec![scripts, asked]);
    notifier.notify(VG_1, NotifyState::Deleted, Priority(0));
    drop(notifier);
    runner.run().await;
    // `notify_fault` is not run for it, as keepalived 2.2.7 does not.
    assert_eq!(scratch.read("log"), "GROUP VG_1 FAULT 0\n");
    let (notifier, runner) = start(vec![
        Notify::default(),
        Notify {
            tell_deleted: true,
            deleted: command(&[&log, "deleted"]),
            any: command(&[&log]),
            ..Notify::default()
        },
    ]);
    notifier.notify(VG_2, NotifyState::Deleted, Priority(0));
    drop(notifier);
    runner.run().await;
    assert_eq!(
        scratch.read("log"),
        "GROUP VG_1 FAULT 0\ndeleted\nGROUP VG_2 DELETED 0\n"
    );
}

/// A virtual router that gets the number of another one does not make its lines obsolete.
#[tokio::test]
async fn numbers_that_a_reload_moves_keep_every_last_state() {
    let scratch = Scratch::new();
    let one = instance("ONE", Notify::default(), Some(fifo(&scratch, None)));
    let two = instance("TWO", Notify::default(), Some(fifo(&scratch, None)));
    let (notifier, runner) = channel(&one, Scripts::here());
    let running = tokio::spawn(runner.run());
    // The pipe has room for some 2500 lines, the queue for 4096, and nobody reads.
    let tell = async |count, state| {
        for _ in 0..count {
            notifier.notify(VI, state, Priority(9));
        }
        until("the runner has taken all", || {
            notifier.queue.capacity() == notifier.queue.max_capacity()
        })
        .await;
    };
    tell(3_000, NotifyState::Master).await;
    tell(1, NotifyState::Backup).await;
    // Not the same one: nothing corresponds.
    notifier.reconfigure(&two, &Correspondence::default());
    tell(3_000, NotifyState::Master).await;
    tell(3_000, NotifyState::Master).await;
    until("lines were lost", || notifier.dropped() > 0).await;
    let told = scratch.path("fifo");
    let read = tokio::task::spawn_blocking(move || std::fs::read_to_string(told).unwrap());
    drop(notifier);
    running.await.unwrap();
    let read = read.await.unwrap();
    assert_eq!(read.matches("INSTANCE \"ONE\" BACKUP 9\n").count(), 1);
    assert!(read.ends_with("INSTANCE \"TWO\" MASTER 9\n"));
}

/// What was queued before a reload is told under the old name and by the old script, still one at a time.
#[tokio::test]
async fn a_reload_changes_names_and_scripts_from_there_on() {
    let scratch = Scratch::new();
    let hang = scratch.script(
        "hang",
        "until test -e go; do sleep 0.01; done; echo \"old $*\" >> log",
    );
    let log = scratch.script("log", "echo \"new $*\" >> log");
    let any = |script: &str| Notify {
        any: command(&[script]),
        ..Notify::default()
    };
    let old = instance("OLD", any(&hang), Some(fifo(&scratch, reader(&scratch))));
    let mut new = instance("NEW", any(&log), Some(fifo(&scratch, reader(&scratch))));
    new.global.fifos.states_on_reload = true;
    let (notifier, runner) = channel(&old, Scripts::here());
    let running = tokio::spawn(runner.run());
    notifier.notify(VI, NotifyState::Backup, Priority(9));
    notifier.notify(VI, NotifyState::Master, Priority(9));
    notifier.reconfigure(&new, &Correspondence::between(&old.model, &new.model));
    notifier.notify(VI, NotifyState::Backup, Priority(9));
    until("the FIFO was told", || scratch.read("told").lines().count() == 4).await;
    std::fs::write(scratch.path("go"), "").unwrap();
    drop(notifier);
    running.await.unwrap();
    assert_eq!(
        scratch.read("log"),
        "old INSTANCE OLD BACKUP 9\nold INSTANCE OLD MASTER 9\nnew INSTANCE NEW BACKUP 9\n"
    );
    assert_eq!(
        scratch.read("told"),
        "INSTANCE \"OLD\" BACKUP 9\nINSTANCE \"OLD\" MASTER 9\n\
         INSTANCE \"NEW\" MASTER 9\nINSTANCE \"NEW\" BACKUP 9\nend\n"
    );
    // The same FIFO with the same reader was left alone.
    assert_eq!(scratch.read("started").lines().count(), 1);
}

/// Another virtual router under the same name: what is left of the one that went is told first, also if a reload in
/// between had none of that name.
#[tokio::test]
async fn a_name_that_is_used_again_is_told_about_in_order() {
    let scratch = Scratch::new();
    let hang = scratch.script(
        "hang",
        "until test -e go; do sleep 0.01; done; echo \"old $*\" >> log",
    );
    let log = scratch.script("log", "echo \"new $*\" >> log");
    let any = |script: &str| Notify {
        any: command(&[script]),
        ..Notify::default()
    };
    let old = instance("VI_1", any(&hang), None);
    let none = Config::default();
    let other = instance("OTHER", any(&log), None);
    let new = instance("VI_1", any(&log), None);
    let (notifier, runner) = channel(&old, Scripts::here());
    let running = tokio::spawn(runner.run());
    notifier.notify(VI, NotifyState::Master, Priority(9));
    notifier.notify(VI, NotifyState::Deleted, Priority(9));
    notifier.reconfigure(&none, &Correspondence::default());
    notifier.reconfigure(&other, &Correspondence::default());
    notifier.notify(VI, NotifyState::Backup, Priority(7));
    until("the other one is not held up", || {
        scratch.read("log") == "new INSTANCE OTHER BACKUP 7\n"
    })
    .await;
    notifier.reconfigure(&new, &Correspondence::default());
    notifier.notify(VI, NotifyState::Backup, Priority(8));
    std::fs::write(scratch.path("go"), "").unwrap();
    drop(notifier);
    running.await.unwrap();
    assert_eq!(
        scratch.read("log"),
        "new INSTANCE OTHER BACKUP 7\nold INSTANCE VI_1 MASTER 9\nold INSTANCE VI_1 FAULT 9\n\
         new INSTANCE VI_1 BACKUP 8\n"
    );
}

/// A script that hangs behind a flapping instance: one line every ten seconds, and in all of them every loss.
#[test]
fn what_is_dropped_is_said_now_and_then() {
    let mut losses = Losses::default();
    let start = Instant::now();
    assert_eq!(losses.due(0, Some(start)), None);
    assert_eq!(losses.due(1, Some(start)), Some(1));
    assert_eq!(losses.due(900, Some(start + SAY_AGAIN / 2)), None);
    assert_eq!(losses.due(1000, Some(start + SAY_AGAIN)), Some(999));
    assert_eq!(losses.due(1000, Some(start + 3 * SAY_AGAIN)), None);
    assert_eq!(losses.due(1001, Some(start + 3 * SAY_AGAIN)), Some(1));
    assert_eq!(losses.due(1003, None), Some(2));
}

/// The first one minds no SIGTERM: while it lives, its successor must not read beside it.
#[tokio::test]
async fn a_reload_gives_a_fifo_another_reader() {
    let scratch = Scratch::new();
    let reads = |name: &str, trap: &str| {
        let text = format!(
            "{trap}\necho {name} >> told\nwhile read -r line; do echo \"{name} $line\" >> told; done < \"$1\""
        );
        command(&[&scratch.script(name, &text)])
    };
    let first = fifo(&scratch, reads("first", "trap '' TERM"));
    let second = fifo(&scratch, reads("second", ""));
    let old = instance("OLD", Notify::default(), Some(first));
    let new = instance("NEW", Notify::default(), Some(second));
    let (notifier, runner) = channel(&old, Scripts::here());
    let running = tokio::spawn(runner.run());
    notifier.notify(VI, NotifyState::Backup, Priority(9));
    until("the first one reads", || scratch.read("told").contains("BACKUP")).await;
    notifier.reconfigure(&new, &Correspondence::between(&old.model, &new.model));
    until("the second one reads", || {
        for priority in 0..=255 {
            notifier.notify(VI, NotifyState::Master, Priority(priority));
        }
        scratch.read("told").contains("second INSTANCE")
    })
    .await;
    notifier.notify(VI, NotifyState::Stop, Priority(9));
    drop(notifier);
    running.await.unwrap();
    let told = scratch.read("told");
    let (_, after) = told.split_once("second\n").unwrap();
    assert!(!after.contains("first "), "the first one still reads");
}

/// Somebody has removed it: a reload makes it again.
#[tokio::test]
async fn a_reload_opens_a_fifo_that_is_gone() {
    let scratch = Scratch::new();
    let old = instance("OLD", Notify::default(), Some(fifo(&scratch, None)));
    let new = instance("NEW", Notify::default(), Some(fifo(&scratch, None)));
    let (notifier, runner) = channel(&old, Scripts::here());
    let running = tokio::spawn(runner.run());
    until("the FIFO is there", || scratch.path("fifo").exists()).await;
    std::fs::remove_file(scratch.path("fifo")).unwrap();
    notifier.reconfigure(&new, &Correspondence::between(&old.model, &new.model));
    until("it is there again", || scratch.path("fifo").exists()).await;
    drop(notifier);
    running.await.unwrap();
    assert!(!scratch.path("fifo").exists());
}

/// It stays, also for who reads it: opened anew beside the old one, it would go with that.
#[tokio::test]
async fn a_reload_gives_a_fifo_another_owner() {
    let scratch = Scratch::new();
    let us = nix::unistd::User::from_uid(nix::unistd::getuid())
        .unwrap()
        .unwrap();
    let owned = Fifo {
        owner: Some(crate::config::ScriptUser {
            user: us.name,
            group: None,
        }),
        ..fifo(&scratch, None)
    };
    let old = instance("OLD", Notify::default(), Some(fifo(&scratch, None)));
    let new = instance("NEW", Notify::default(), Some(owned));
    let (notifier, runner) = channel(&old, Scripts::here());
    let running = tokio::spawn(runner.run());
    until("the FIFO is there", || scratch.path("fifo").exists()).await;
    notifier.reconfigure(&new, &Correspondence::between(&old.model, &new.model));
    notifier.notify(VI, NotifyState::Master, Priority(9));
    let mut read = String::new();
    let path = scratch.path("fifo");
    let line = tokio::task::spawn_blocking(move || {
        let mut reader = io::BufReader::new(std::fs::File::open(path).unwrap());
        io::BufRead::read_line(&mut reader, &mut read).unwrap();
        read
    });
    assert_eq!(line.await.unwrap(), "INSTANCE \"NEW\" MASTER 9\n");
    assert!(scratch.path("fifo").exists());
    drop(notifier);
    running.await.unwrap();
    assert!(!scratch.path("fifo").exists());
}
