use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::time::timeout;

use super::message::{Ending, LONGEST, Request};
use super::{Failure, Script, Scripts, connect, pair, replaced, runner};
use crate::sys::process::Lifetime;
use crate::sys::scratch::{Scratch, alive, until};

/// A runner in a task, as tests of other modules need it.
impl Scripts {
    pub(crate) fn here() -> Self {
        let (ours, theirs) = pair().expect("a pair of sockets");
        let (scripts, connection) = connect(ours);
        tokio::spawn(connection.run());
        tokio::spawn(runner::serve(theirs, 0));
        scripts
    }
}

fn script(argv: &[&str], lifetime: Lifetime) -> Script {
    Script {
        argv: argv.iter().map(|&word| word.to_owned()).collect(),
        identity: None,
        lifetime,
    }
}

/// The protocol process's end in a task, and the runner's end, behind which there is nobody yet.
fn without_runner() -> (Scripts, OwnedFd) {
    let (ours, theirs) = pair().unwrap();
    let (scripts, connection) = connect(ours);
    tokio::spawn(connection.run());
    (scripts, theirs)
}

fn another(end: &OwnedFd, number: u64) -> tokio::task::JoinHandle<std::io::Result<()>> {
    tokio::spawn(runner::serve(end.try_clone().unwrap(), number))
}

async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(10), what).await.expect("in time")
}

#[tokio::test]
async fn how_a_script_ends_is_told() {
    let scratch = Scratch::new();
    let scripts = Scripts::here();
    let three = scratch.script("three", "exit 3");
    let dead = scratch.script("dead", "kill -9 $$");
    let mut ends = [
        scripts.start(script(&[&three], Lifetime::WithUs)),
        scripts.start(script(&[&dead], Lifetime::WithUs)),
        scripts.start(script(&["/nonexistent"], Lifetime::WithUs)),
    ];
    let [three, dead, missing] = &mut ends;
    assert_eq!(soon(three.wait()).await.unwrap().code(), Some(3));
    // The same when asked again.
    assert_eq!(soon(three.wait()).await.unwrap().code(), Some(3));
    assert_eq!(soon(dead.wait()).await.unwrap().code(), None);
    assert_eq!(
        soon(missing.wait()).await,
        Err(Failure::NotStarted(
            "No such file or directory (os error 2)".to_owned()
        ))
    );
}

#[tokio::test]
async fn what_was_under_way_is_lost_with_its_runner_and_the_next_one_goes_on() {
    let scratch = Scratch::new();
    let hang = scratch.script("hang", "echo $$ > pid; exec sleep 600");
    let quick = scratch.script("quick", "echo run >> quick");
    let (scripts, end) = without_runner();
    let first = another(&end, 0);
    let mut under_way = scripts.start(script(&[&hang], Lifetime::WithUs));
    until("it runs", || !scratch.read("pid").is_empty()).await;
    first.abort();
    let _ = first.await;
    // Nobody reads this.
    let mut unread = scripts.start(script(&[&quick], Lifetime::WithUs));
    tokio::task::yield_now().await;
    assert!(replaced(&end, 1));
    assert_eq!(soon(under_way.wait()).await, Err(Failure::Lost));
    assert_eq!(soon(unread.wait()).await, Err(Failure::Lost));
    until("it is killed", || !alive(scratch.read("pid").trim())).await;
    let _second = another(&end, 1);
    let mut next = scripts.start(script(&[&quick], Lifetime::WithUs));
    assert!(soon(next.wait()).await.unwrap().success());
    // What was given up was not run after all.
    assert_eq!(scratch.read("quick"), "run\n");
}

#[tokio::test]
async fn without_runner_and_parent_nothing_is_started() {
    let (scripts, end) = without_runner();
    let mut early = scripts.start(script(&["/bin/true"], Lifetime::WithUs));
    tokio::task::yield_now().await;
    drop(end);
    // Whether it was sent before the end is chance.
    assert!(soon(early.wait()).await.is_err());
    let mut late = scripts.start(script(&["/bin/true"], Lifetime::WithUs));
    assert_eq!(
        soon(late.wait()).await,
        Err(Failure::NotStarted("there is no script runner".to_owned()))
    );
}

#[tokio::test]
async fn the_runner_ends_with_the_other_end_and_takes_along_what_lives_with_us() {
    let scratch = Scratch::new();
    let with = scratch.script("with", "echo $$ > with; exec sleep 600");
    let alone = scratch.script(
        "alone",
        "echo $$ > alone; until test -e go; do sleep 0.01; done; echo done > done",
    );
    let (ours, theirs) = pair().unwrap();
    let (scripts, connection) = connect(ours);
    let connected = tokio::spawn(connection.run());
    let serving = another(&theirs, 0);
    let running = [
        scripts.start(script(&[&with], Lifetime::WithUs)),
        scripts.start(script(&[&alone], Lifetime::OnItsOwn)),
    ];
    until("both run", || {
        !scratch.read("with").is_empty() && !scratch.read("alone").is_empty()
    })
    .await;
    connected.abort();
    soon(serving).await.unwrap().unwrap();
    until("one is killed", || !alive(scratch.read("with").trim())).await;
    std::fs::write(scratch.path("go"), "").unwrap();
    until("the other has ended by itself", || {
        scratch.read("done") == "done\n"
    })
    .await;
    drop(running);
}

#[tokio::test]
async fn garbage_is_passed_over_and_what_is_too_long_refused() {
    let scratch = Scratch::new();
    let quick = scratch.script("quick", "exit 0");
    let (ours, theirs) = pair().unwrap();
    let (scripts, connection) = connect(ours.try_clone().unwrap());
    tokio::spawn(connection.run());
    let _serving = another(&theirs, 0);
    let long = vec![b' '; LONGEST + 1];
    for garbage in [&b"garbage"[..], b"{}", b"{\"Run\":{\"id\":1}}", b"\xff\0", &long] {
        super::transmit(&ours, garbage).unwrap();
        super::transmit(&theirs, garbage).unwrap();
    }
    let much = "x".repeat(LONGEST);
    let mut long = scripts.start(script(&[&quick, &much], Lifetime::WithUs));
    assert!(matches!(soon(long.wait()).await, Err(Failure::NotStarted(_))));
    let mut good = scripts.start(script(&[&quick], Lifetime::WithUs));
    assert!(soon(good.wait()).await.unwrap().success());
}

/// Both processes are of one build, but a runner that outlives an upgrade must not guess.
#[test]
fn a_request_in_writing() {
    let run = Request::Run {
        runner: 2,
        id: 7,
        argv: vec!["/bin/a".to_owned(), "b c".to_owned()],
        identity: None,
        lifetime: Lifetime::OnItsOwn,
    };
    let text = r#"{"Run":{"runner":2,"id":7,"argv":["/bin/a","b c"],"identity":null,"lifetime":"OnItsOwn"}}"#;
    assert_eq!(String::from_utf8(run.write().unwrap()).unwrap(), text);
    assert_eq!(Request::read(text.as_bytes()), Some(run));
    let kill = Request::Signal {
        id: 7,
        signal: Ending::Kill,
    };
    assert_eq!(
        Request::read(br#"{"Signal":{"id":7,"signal":"Kill"}}"#),
        Some(kill)
    );
    assert_eq!(Request::read(br#"{"Signal":{"id":7,"signal":"Stop"}}"#), None);
}
