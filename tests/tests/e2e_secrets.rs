//! No password in any output: two hosts with marked ones, everything the daemon and vrrpctl can be made to say, at the
//! highest level, and every way to write a password wrongly. All of it is searched.

use std::time::Duration;

use nix::sys::signal::Signal;
use vrrp_tests::lab::{
    Daemon, Duo, Host, Program, Settings, Side, root_or_skip, until, vrrpctl, vrrpctl_events,
};

const LIMIT: Duration = Duration::from_secs(20);
/// All passwords begin thus; eight characters of one count.
const MARK: &str = "Zq9x";
const OF_A: &str = "Zq9xAlfa";
const OF_B: &str = "Zq9xBeta";
const NEXT: &str = "Zq9xGama";

fn file(own: &Side, other: &Side, priority: u8, password: &str) -> String {
    format!(
        "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n priority {priority}\n advert_int 1\n \
         authentication {{\n  auth_type PASS\n  auth_pass {password}\n }}\n unicast_src_ip {}\n unicast_peer {{\n  {}\n \
         }}\n virtual_ipaddress {{\n  192.0.2.100/24\n }}\n}}\n",
        own.address, other.address
    )
}

/// The mark as text, in hexadecimal, and as Rust shows bytes; nobody writes these by chance.
fn shows_it(text: &str) -> bool {
    [MARK, "5a713978", "5a 71 39 78", "90, 113, 57, 120", "WnE5e"]
        .iter()
        .any(|form| text.to_lowercase().contains(&form.to_lowercase()))
}

fn assert_clean(what: &str, text: &str) {
    let line = text.lines().find(|line| shows_it(line));
    assert_eq!(line, None, "{what} shows a password");
}

#[test]
fn the_search_finds_what_it_looks_for() {
    assert!(shows_it("auth_pass Zq9xAlfa") && shows_it("[90, 113, 57, 120, 65]") && shows_it("5A713978"));
    assert!(!shows_it("auth_pass ********"));
}

/// What vrrpctl says to everything.
fn ask_all(host: &Host, config: &str) -> String {
    let questions: &[&[&str]] = &[
        &["status", "--verbose"],
        &["status", "--json"],
        &["show", "VI_1"],
        &["explain"],
        &["peers", "--json"],
        &["counters"],
        &["check"],
        &["config", "show"],
        &["config", "show", "--json"],
        &["config", "diff"],
        &["config", "diff", "--json"],
        &["config", "diff", config],
        &["config", "check", config],
        &["config", "check", "--json", config],
        &["reload", "--json"],
        &["garp", "VI_1"],
        &["replay", "/run/recording"],
    ];
    questions
        .iter()
        .map(|question| {
            let said = vrrpctl(host, question).expect("vrrpctl can be started");
            format!("{question:?}: {} {}{}\n", said.code, said.out, said.err)
        })
        .collect()
}

#[test]
fn nothing_that_runs_shows_a_password() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let (a, b) = (&duo.a, &duo.b);
    let program = Program::ours().unwrap();
    let options: &[&str] = &[
        "-n",
        "-l",
        "-DD",
        "-d",
        "-a",
        "-g/run/ka.log",
        "--flush-log-file",
        "--log-format=json",
        "--record",
        "/run/recording",
    ];
    let on_a = Daemon::start(&a.host, &program, &file(a, b, 200, OF_A), options).unwrap();
    a.await_mastery(Settings::ADDRESS, b, LIMIT).unwrap();
    let mut follower = vrrpctl_events(&a.host, &["--json"]).unwrap();
    // The other password: both are Master, and say why.
    let on_b = Daemon::start(&b.host, &program, &file(b, a, 100, OF_B), options).unwrap();
    let state = |daemon: &Daemon| {
        let status = daemon.status();
        status.map_or(String::new(), |status| {
            status["instances"][0]["state"].to_string()
        })
    };
    until("B is Master beside A", LIMIT, || Ok(state(&on_b) == "\"MASTER\"")).unwrap();
    until("A has refused B's password", LIMIT, || {
        Ok(on_a.log()?.contains("its password differs"))
    })
    .unwrap();
    a.host
        .install("/run/other.conf", file(a, b, 200, NEXT), 0o644)
        .unwrap();
    assert_clean("vrrpctl", &ask_all(&a.host, "/run/other.conf"));

    // Another password by a reload, which says what is new.
    a.host
        .install(Daemon::FILE, file(a, b, 200, NEXT), 0o644)
        .unwrap();
    let difference = vrrpctl(&a.host, &["config", "diff"]).unwrap();
    assert_eq!(difference.code, 6, "{difference:?}");
    assert!(difference.out.contains("authentication"), "{difference:?}");
    assert_clean("config diff", &difference.out);
    assert_clean("vrrpctl", &ask_all(&a.host, Daemon::FILE));
    for signal in [Signal::SIGUSR1, Signal::SIGUSR2, Signal::SIGHUP] {
        on_a.signal(signal).unwrap();
    }
    // B has the same one, by mistake cut to eight characters, and hears A.
    b.host
        .install(Daemon::FILE, file(b, a, 100, &format!("{NEXT}{MARK}")), 0o644)
        .unwrap();
    let reloaded = vrrpctl(&b.host, &["reload"]).unwrap();
    assert_eq!(reloaded.code, 0, "{reloaded:?}");
    assert_clean("reload", &(reloaded.out + &reloaded.err));
    until("B follows A", LIMIT, || Ok(state(&on_b) == "\"BACKUP\"")).unwrap();

    let logs = [on_a.log().unwrap(), on_b.log().unwrap()];
    assert!(on_a.stop(LIMIT).unwrap().success());
    let _ = follower.kill();
    let followed = follower.wait_with_output().unwrap();
    assert_clean("events", &String::from_utf8_lossy(&followed.stdout));
    for log in logs {
        assert_clean("the console", &log);
    }
    for host in [&a.host, &b.host] {
        for name in ["/run/ka.log", "/run/ka_vrrp.log", "/run/recording"] {
            let text = host.read(name).unwrap();
            assert!(!text.is_empty(), "{name} on {}", host.name());
            assert_clean(name, &text);
        }
    }
    // -d was there, with asterisks, and -DD.
    let log = a.host.read("/run/ka_vrrp.log").unwrap();
    assert!(log.contains("auth_pass ********"), "{log}");
}

#[test]
fn no_mistake_in_a_file_shows_a_password() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let host = &duo.a.host;
    let around = |inside: &str| {
        format!(
            "vrrp_instance VI_1 {{\n interface eth0\n virtual_router_id 51\n{inside}\n virtual_ipaddress {{\n  \
             192.0.2.100/24\n }}\n}}\n"
        )
    };
    let mistakes = [
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pas {OF_A}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass {OF_A} {OF_B}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS auth_pass {OF_A}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass \"{OF_A}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass \"{OF_A} {OF_B}\"\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass {OF_A}{OF_B}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type AH\n auth_pass {OF_A}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass {OF_A}\n auth_pass {OF_B}\n }}"
        )),
        around(&format!(" authentication {{ auth_type PASS auth_pass {OF_A} }}")),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass {OF_A} }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass={OF_A}\n }}"
        )),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass{OF_A}\n }}"
        )),
        around(&format!(" authentication {{\n auth_type PASS\n auth_pass {OF_A}")),
        around(&format!(" auth_type PASS\n auth_pass {OF_A}")),
        around(&format!(
            " version 3\n authentication {{\n auth_type PASS\n auth_pass {OF_A}\n }}"
        )),
        around(&format!(" auth_hmac {{\n key 1 {OF_A}\n secret {OF_B}\n }}")),
        around(" authentication {\n auth_type PASS\n auth_pass $PASS\n }").replacen(
            "vrrp_instance",
            &format!("$PASS={OF_A}\nvrrp_instance"),
            1,
        ),
        around(" authentication {\n auth_type PASS\n auth_pass ${PASSWORD}x }").replacen(
            "vrrp_instance",
            &format!("$PASSWORD=\"{OF_A} {OF_B}\"\nvrrp_instance"),
            1,
        ),
        around(&format!(
            " authentication {{\n auth_type PASS\n auth_pass {OF_A}{}\n }}",
            '\u{7f}'
        )),
        format!("auth_pass {OF_A}\n{}", around("")),
        around(&format!(
            " authentification {{\n auth_type PASS auth_pass {OF_A}\n auth_pas {OF_B} }}"
        )),
        around(&format!(
            " authentification {{ auth_type PASS auth_pass {OF_A} }}"
        )),
        format!(
            "global_defs {{\n auth_pass {OF_A}\n snmp_password {OF_B}\n}}\n{}",
            around("")
        ),
        format!(
            "virtual_server 192.0.2.1 80 {{\n real_server 192.0.2.2 80 {{\n  MISC_CHECK {{\n   auth_pass {OF_A}\n"
        ),
    ];
    let program = Program::ours().unwrap();
    let mut shown = Vec::new();
    for (number, text) in mistakes.iter().enumerate() {
        assert!(text.contains(MARK), "{text}");
        host.install(Daemon::FILE, text, 0o644).unwrap();
        let mut said = String::new();
        for options in [
            &["-t", "-f", Daemon::FILE][..],
            &["-t/run/verdict", "-f", Daemon::FILE],
        ] {
            let output = program.command(host, &[]).args(options).output().unwrap();
            said += &String::from_utf8_lossy(&output.stdout);
            said += &String::from_utf8_lossy(&output.stderr);
        }
        said += &host.read("/run/verdict").unwrap();
        for options in [
            &["config", "check", Daemon::FILE][..],
            &["config", "check", "--json", Daemon::FILE],
        ] {
            let checked = vrrpctl(host, options).unwrap();
            said += &(checked.out + &checked.err);
        }
        assert!(!said.is_empty());
        if let Some(line) = said.lines().find(|line| shows_it(line)) {
            shown.push(format!("{line}\n  in mistake {number}:\n{text}\n{said}"));
        }
    }
    assert!(
        shown.is_empty(),
        "{} show one:\n{}",
        shown.len(),
        shown.join("\n")
    );
}
