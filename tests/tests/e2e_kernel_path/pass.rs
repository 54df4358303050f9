//! `vrrp_xdp_pass`: the stack has the adverts too, and the daemon is none the wiser for it.

use std::io::ErrorKind;
use std::mem::MaybeUninit;
use std::time::Duration;

use nix::sys::signal::Signal;
use nix::unistd::Pid;
use socket2::{Domain, Protocol, Socket, Type};
use vrrp_tests::lab::{Daemon, Duo, Settings, Stamp, root_or_skip, until};

use super::forge::{Forger, v3};
use super::{LIMIT, await_backup, instance, number, patient, start};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const PASSING: &str = "global_defs {\n    vrrp_xdp native\n    vrrp_xdp_pass\n}";

/// What tcpdump would see, or nearly: adverts that reach the stack of this host.
fn stack(duo: &Duo) -> Socket {
    let socket = duo.b.host.namespace().inside(|| {
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(112)))?;
        socket.set_nonblocking(true)?;
        Ok(socket)
    });
    socket.unwrap()
}

fn waiting(stack: &Socket) -> usize {
    let mut count = 0;
    loop {
        match stack.recv(&mut [MaybeUninit::uninit(); 128]) {
            Ok(_) => count += 1,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return count,
            Err(error) => panic!("{error}"),
        }
    }
}

fn all_processes(duo: &Duo, signal: Signal) {
    for pid in duo.b.host.namespace().processes() {
        nix::sys::signal::kill(Pid::from_raw(pid.as_raw()), signal).unwrap();
    }
}

fn paused_for(began: Stamp, span: Duration) {
    until("a while has passed", LIMIT, || {
        Ok(Stamp::now().since(began) >= span)
    })
    .unwrap();
}

#[test]
fn the_stack_has_them_and_still_nobody_is_told_what_is_no_news() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let settings = Settings {
        before: PASSING,
        ..patient(&duo)
    };
    let daemon = start(&duo.b, &settings.to_string());
    await_backup(&daemon, "xdp-native");
    let (forger, stack) = (Forger::on(&duo.a), stack(&duo));
    let same = v3(51, 200, 4_000, VIP);
    forger.send(duo.a.address, duo.b.address, &same);
    until("it is followed", LIMIT, || {
        Ok(instance(&daemon)["master"]["priority"] == 200)
    })
    .unwrap();
    for _ in 0..50 {
        forger.send(duo.a.address, duo.b.address, &same);
    }
    let received = |daemon: &Daemon| number(&instance(daemon)["counters"]["adverts_received"]);
    until("all have come", LIMIT, || Ok(received(&daemon) >= 51)).unwrap();
    assert_eq!(received(&daemon), 51);
    assert_eq!(waiting(&stack), 51);
    assert_eq!(daemon.status().unwrap()["frames"]["unchanged"], 50);

    // Without the keyword the stack has none, and the next advert is not taken for a copy.
    let without = patient(&duo).to_string();
    duo.b.host.install(Daemon::FILE, without, 0o644).unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    until("it is reloaded", LIMIT, || {
        Ok(daemon.status()?["daemon"]["reloads"] == 1)
    })
    .unwrap();
    for _ in 0..7 {
        forger.send(duo.a.address, duo.b.address, &same);
    }
    until("all have come", LIMIT, || Ok(received(&daemon) >= 58)).unwrap();
    assert_eq!((received(&daemon), waiting(&stack)), (58, 0));

    // And with it again.
    duo.b
        .host
        .install(Daemon::FILE, settings.to_string(), 0o644)
        .unwrap();
    daemon.signal(Signal::SIGHUP).unwrap();
    until("it is reloaded", LIMIT, || {
        Ok(daemon.status()?["daemon"]["reloads"] == 2)
    })
    .unwrap();
    for _ in 0..7 {
        forger.send(duo.a.address, duo.b.address, &same);
    }
    until("all have come", LIMIT, || Ok(received(&daemon) >= 65)).unwrap();
    assert_eq!((received(&daemon), waiting(&stack)), (65, 7));
}

/// A copy that a late daemon finds in its raw socket was stamped when it was read: that is no sign of life.
#[test]
fn a_copy_read_late_is_no_sign_of_life() {
    if !root_or_skip() {
        return;
    }
    let duo = Duo::new().unwrap();
    let settings = Settings {
        before: PASSING,
        ..patient(&duo)
    };
    let daemon = start(&duo.b, &settings.to_string());
    await_backup(&daemon, "xdp-native");
    let forger = Forger::on(&duo.a);
    let same = v3(51, 200, 4_000, VIP);
    forger.send(duo.a.address, duo.b.address, &same);
    until("it is followed", LIMIT, || {
        Ok(instance(&daemon)["master"]["priority"] == 200)
    })
    .unwrap();
    all_processes(&duo, Signal::SIGSTOP);
    let sent = Stamp::now();
    for _ in 0..3 {
        forger.send(duo.a.address, duo.b.address, &same);
    }
    paused_for(sent, Duration::from_millis(800));
    all_processes(&duo, Signal::SIGCONT);
    let instance = instance(&daemon);
    assert!(number(&instance["master"]["last_advert_ms"]) >= 799, "{instance}");
    assert_eq!(instance["counters"]["adverts_received"], 4);
}
