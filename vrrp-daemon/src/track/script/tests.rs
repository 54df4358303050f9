use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::timeout;
use vrrp_common::time::Nanos;

use crate::config::{Command, ScriptSpec, ScriptUser};
use crate::proto::ScriptId;
use crate::proto::ScriptState::{self, Failing, Passing};
use crate::sys::scratch::{Scratch, alive, until};
use crate::sys::scripts::Scripts;
use crate::track::{News, Plan, Tracked, Trackers};

fn spec(argv: &[&str]) -> ScriptSpec {
    ScriptSpec {
        command: Command {
            argv: argv.iter().map(|&arg| arg.to_owned()).collect(),
            user: None,
        },
        interval: Nanos::from_millis(30),
        timeout: Nanos::from_secs(5),
        rise: 1,
        fall: 1,
        init_fail: false,
        disabled: false,
    }
}

type Verdicts = mpsc::Receiver<News>;

fn plan(specs: Vec<ScriptSpec>) -> Plan {
    let scripts = specs.into_iter().zip(0..).map(|(spec, id)| Tracked {
        id: ScriptId(id),
        name: format!("chk{id}"),
        user: spec.command.user.clone(),
        spec,
        last: None,
    });
    Plan {
        scripts: scripts.collect(),
        ..Plan::default()
    }
}

fn run(specs: Vec<ScriptSpec>) -> (Trackers, Verdicts) {
    let (send, receive) = mpsc::channel(16);
    (Trackers::start(plan(specs), send, Scripts::here()), receive)
}

async fn verdict(verdicts: &mut Verdicts) -> (u16, ScriptState) {
    let news = timeout(Duration::from_secs(10), verdicts.recv())
        .await
        .expect("a verdict in time")
        .expect("living trackers");
    match news {
        News::Script(id, state) => (id.0, state),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn tells_the_first_verdict_and_then_changes_only() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "echo x >> runs; test -e ok");
    let (trackers, mut verdicts) = run(vec![spec(&[&check])]);
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    until("it has run five times", || {
        scratch.read("runs").lines().count() >= 5
    })
    .await;
    assert!(verdicts.try_recv().is_err());
    std::fs::write(scratch.path("ok"), "").unwrap();
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
}

#[tokio::test]
async fn arguments_environment_and_descriptors_are_as_documented() {
    let scratch = Scratch::new();
    let check = scratch.script(
        "check",
        "printf '%s|' \"$@\" > args.new; env | sed 's/=.*//' | sort > env; \
         ls /proc/$$/fd | tr '\\n' ' ' > fds; readlink /proc/$$/fd/0 > stdin; \
         mv args.new args",
    );
    // What a careless parent of ours may leave open.
    let (_kept, inherited) = std::os::unix::net::UnixStream::pair().unwrap();
    let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::empty());
    nix::fcntl::fcntl(&inherited, flags).unwrap();
    let (trackers, mut verdicts) = run(vec![spec(&[&check, "20.31.250.13", "two words", "$HOME"])]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
    assert_eq!(scratch.read("args"), "20.31.250.13|two words|$HOME|");
    let allowed = [
        "HOME", "LANG", "LC_ALL", "OLDPWD", "PATH", "PWD", "SHLVL", "TZ", "_",
    ];
    for name in scratch.read("env").lines() {
        assert!(allowed.contains(&name), "{name} reached the script");
    }
    // 3 and 10 are the shell's own, for the script it reads.
    for fd in scratch.read("fds").split_whitespace() {
        assert!(
            ["0", "1", "2", "3", "10", "255"].contains(&fd),
            "descriptor {fd} reached the script"
        );
    }
    assert_eq!(scratch.read("stdin"), "/dev/null\n");
}

#[tokio::test]
async fn a_hanging_script_fails_and_all_its_family_is_gone() {
    let scratch = Scratch::new();
    // Deaf to SIGTERM, with deaf children.
    let check = scratch.script(
        "check",
        "trap '' TERM\nfor i in 1 2 3; do sleep 1000 & echo $! >> pids; done\necho $$ >> pids\nwait",
    );
    let mut hanging = spec(&[&check]);
    hanging.interval = Nanos::from_secs(60);
    hanging.timeout = Nanos::from_millis(300);
    let (trackers, mut verdicts) = run(vec![hanging]);
    // Told at the timeout: nobody waits for the SIGKILL two seconds later.
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    let pids = scratch.read("pids");
    assert_eq!(pids.lines().filter(|pid| alive(pid)).count(), 4);
    until("its processes are gone", || !pids.lines().any(alive)).await;
    trackers.stop().await;
}

#[tokio::test]
async fn a_polite_script_may_clean_up_on_sigterm() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "trap 'echo bye > said; exit 0' TERM\nsleep 1000 & wait");
    let mut hanging = spec(&[&check]);
    hanging.timeout = Nanos::from_millis(300);
    let (trackers, mut verdicts) = run(vec![hanging]);
    // Its exit status 0 does not make a timeout a success.
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    until("it has cleaned up", || scratch.read("said") == "bye\n").await;
    trackers.stop().await;
}

#[tokio::test]
async fn megabytes_of_output_and_missing_programs_do_no_harm() {
    let scratch = Scratch::new();
    let loud = scratch.script(
        "loud",
        "head -c 20000000 /dev/zero; head -c 20000000 /dev/zero >&2",
    );
    let plain = scratch.path("plain");
    std::fs::write(&plain, "no program").unwrap();
    let plain = plain.to_str().unwrap().to_owned();
    let (trackers, mut verdicts) = run(vec![
        spec(&[&loud]),
        spec(&[&plain]),
        spec(&["/nonexistent/check"]),
        spec(&[]),
    ]);
    let mut told = Vec::new();
    for _ in 0..4 {
        told.push(verdict(&mut verdicts).await);
    }
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(told, [(0, Passing), (1, Failing), (2, Failing), (3, Failing)]);
    trackers.stop().await;
}

#[tokio::test]
async fn init_fail_is_told_at_once_and_a_disabled_script_never_runs() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "echo x >> runs");
    let mut pessimist = spec(&["/bin/true"]);
    pessimist.init_fail = true;
    let mut disabled = spec(&[&check]);
    disabled.disabled = true;
    let (trackers, mut verdicts) = run(vec![pessimist, disabled]);
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
    assert_eq!(scratch.read("runs"), "");
}

#[tokio::test]
async fn stopping_ends_what_runs() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "echo $$ > pid.new; mv pid.new pid; sleep 1000");
    let (trackers, _verdicts) = run(vec![spec(&[&check])]);
    until("it runs", || scratch.path("pid").exists()).await;
    let pid = scratch.read("pid").trim().to_owned();
    trackers.stop().await;
    until("it is gone", || !alive(&pid)).await;
}

#[tokio::test]
async fn another_user_runs_it_if_asked_for() {
    if !nix::unistd::geteuid().is_root() {
        // Only root can become somebody else; the case below covers the unknown user for everyone.
        return;
    }
    let scratch = Scratch::new();
    let check = scratch.script("check", "exec test \"$(id -un):$(id -gn)\" = nobody:nogroup");
    let mut other = spec(&[&check]);
    other.command.user = Some(ScriptUser {
        user: "nobody".to_owned(),
        group: Some("nogroup".to_owned()),
    });
    let (trackers, mut verdicts) = run(vec![other]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
}

#[tokio::test]
async fn an_unknown_user_is_a_failure() {
    let mut other = spec(&["/bin/true"]);
    other.command.user = Some(ScriptUser {
        user: "no-such-user-here".to_owned(),
        group: None,
    });
    let (trackers, mut verdicts) = run(vec![other]);
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    trackers.stop().await;
}

/// A child of the script's that left its group and session, with the script's standard streams: the script has
/// ended all the same, and the child is its own master (a script may start a daemon).
#[tokio::test]
async fn a_daemon_that_a_script_starts_holds_nothing_up() {
    let scratch = Scratch::new();
    let check = scratch.script(
        "check",
        "echo x >> runs\nsetsid sh -c 'echo $$ > pid.new; mv pid.new pid; exec sleep 1000' &",
    );
    let (trackers, mut verdicts) = run(vec![spec(&[&check])]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    until("it has run three times", || {
        scratch.read("runs").lines().count() >= 3
    })
    .await;
    trackers.stop().await;
    until("its daemons say who they are", || scratch.path("pid").exists()).await;
    // They live in the directory of this test alone.
    let ours = |pid: &str| {
        std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == scratch.path("").as_path())
    };
    let pids = std::fs::read_dir("/proc").unwrap().flatten();
    for pid in pids.filter_map(|entry| entry.file_name().into_string().ok()) {
        if ours(&pid) {
            let pid = nix::unistd::Pid::from_raw(pid.parse().unwrap());
            let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
        }
    }
}

#[tokio::test]
async fn closed_streams_and_a_deleted_script_do_no_harm() {
    let scratch = Scratch::new();
    let closes = scratch.script("closes", "exec 0<&- 1>&- 2>&-; test -e ok");
    let deleted = scratch.script("deleted", "echo x >> runs");
    let (trackers, mut verdicts) = run(vec![spec(&[&closes]), spec(&[&deleted])]);
    let mut first = [verdict(&mut verdicts).await, verdict(&mut verdicts).await];
    first.sort_by_key(|(id, _)| *id);
    assert_eq!(first, [(0, Failing), (1, Passing)]);
    std::fs::remove_file(&deleted).unwrap();
    assert_eq!(
        verdict(&mut verdicts).await,
        (1, Failing),
        "it is no longer there"
    );
    let again = scratch.script("deleted", "echo x >> runs");
    assert_eq!(again, deleted);
    assert_eq!(verdict(&mut verdicts).await, (1, Passing), "it is there again");
    std::fs::write(scratch.path("ok"), "").unwrap();
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
}

/// Whatever ends, and however: nobody is left for a parent to wait for.
#[tokio::test]
async fn no_zombies_are_left() {
    let scratch = Scratch::new();
    let quick = scratch.script("quick", "echo $$ >> pids");
    let killed = scratch.script("killed", "echo $$ >> pids; kill -9 $$");
    let slow = scratch.script("slow", "echo $$ >> pids; exec sleep 1000");
    let mut hanging = spec(&[&slow]);
    hanging.timeout = Nanos::from_millis(50);
    let (trackers, mut verdicts) = run(vec![spec(&[&quick]), spec(&[&killed]), hanging]);
    for _ in 0..3 {
        verdict(&mut verdicts).await;
    }
    until("they have run some times", || {
        scratch.read("pids").lines().count() >= 12
    })
    .await;
    trackers.stop().await;
    let there = |pid: &str| std::path::Path::new("/proc").join(pid).exists();
    until("all are gone, zombies too", || {
        !scratch.read("pids").lines().any(there)
    })
    .await;
}

/// Take the plan of another configuration.
fn reconfigure(trackers: &mut Trackers, scripts: Vec<(&str, ScriptSpec)>) -> Verdicts {
    let (send, receive) = mpsc::channel(16);
    let scripts = scripts.into_iter().zip(0..).map(|((name, spec), id)| Tracked {
        id: ScriptId(id),
        name: name.to_owned(),
        user: spec.command.user.clone(),
        spec,
        last: None,
    });
    let plan = Plan {
        scripts: scripts.collect(),
        ..Plan::default()
    };
    trackers.reconfigure(plan, send);
    receive
}

/// It runs for as long as the test: a reload neither ends it nor starts another, and its verdict is told again
/// under its new id, though its name is another.
#[tokio::test]
async fn a_reload_leaves_an_unchanged_script_alone() {
    let scratch = Scratch::new();
    let first = scratch.script("first", "test -e ok");
    let long = scratch.script(
        "long",
        "echo $$ >> pids; test -e once && exec sleep 1000; touch once",
    );
    let mut patient = spec(&[&long]);
    patient.timeout = Nanos::from_secs(3_600);
    let (mut trackers, mut verdicts) = run(vec![patient.clone()]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    until("it runs again, and goes on", || {
        scratch.read("pids").lines().count() == 2
    })
    .await;
    let pid = scratch.read("pids").lines().last().unwrap().to_owned();
    let mut verdicts = reconfigure(
        &mut trackers,
        vec![("new", spec(&[&first])), ("renamed", patient.clone())],
    );
    let mut told = [verdict(&mut verdicts).await, verdict(&mut verdicts).await];
    told.sort_by_key(|(id, _)| *id);
    assert_eq!(told, [(0, Failing), (1, Passing)]);
    assert!(alive(&pid));
    assert_eq!(scratch.read("pids").lines().count(), 2);
    // Gone from the configuration: it is ended, the others go on.
    let mut verdicts = reconfigure(&mut trackers, vec![("new", spec(&[&first]))]);
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    until("it is gone", || !alive(&pid)).await;
    std::fs::write(scratch.path("ok"), "").unwrap();
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    trackers.stop().await;
}

/// The same command at another pace begins with what was known, not with `init_fail`.
#[tokio::test]
async fn a_reload_carries_the_verdict_over_to_a_changed_script() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "echo x >> runs; test -e ok");
    std::fs::write(scratch.path("ok"), "").unwrap();
    let (mut trackers, mut verdicts) = run(vec![spec(&[&check])]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    let slower = ScriptSpec {
        interval: Nanos::from_millis(31),
        init_fail: true,
        fall: 3,
        ..spec(&[&check])
    };
    let mut verdicts = reconfigure(&mut trackers, vec![("check", slower)]);
    assert_eq!(verdict(&mut verdicts).await, (0, Passing));
    let runs = scratch.read("runs").lines().count();
    std::fs::remove_file(scratch.path("ok")).unwrap();
    assert_eq!(verdict(&mut verdicts).await, (0, Failing));
    let runs = scratch.read("runs").lines().count() - runs;
    assert!(
        runs >= 2,
        "three in a row fail, of which one may have been under way: {runs}"
    );
    trackers.stop().await;
}

/// Two scripts alike: each goes on as one of them, neither is started twice.
#[tokio::test]
async fn scripts_alike_are_told_apart_at_a_reload() {
    let scratch = Scratch::new();
    let check = scratch.script("check", "echo $$ >> pids; exec sleep 1000");
    let patient = || ScriptSpec {
        timeout: Nanos::from_secs(3_600),
        ..spec(&[&check])
    };
    let (mut trackers, _verdicts) = run(vec![patient(), patient()]);
    until("both run", || scratch.read("pids").lines().count() == 2).await;
    let _verdicts = reconfigure(
        &mut trackers,
        vec![("b", patient()), ("a", patient()), ("c", patient())],
    );
    until("the third runs", || scratch.read("pids").lines().count() == 3).await;
    let pids = scratch.read("pids");
    assert!(pids.lines().all(alive));
    trackers.stop().await;
    until("all are gone", || !pids.lines().any(alive)).await;
}
