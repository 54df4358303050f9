//! One wire, two implementations: Debian's keepalived 2.2.7 and ours, each Master once and Backup once, in
//! every form that is in use.

use std::time::Duration;

use vrrp_tests::lab::{Daemon, Duo, Program, Settings, Side, Stamp, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(20);

/// What goes over the wire.
#[derive(Clone, Copy)]
enum Form {
    V2PassUnicast,
    V3Unicast,
    V3Multicast,
}

impl Form {
    fn settings(self, own: &Side, peer: &Side, priority: u8) -> Settings {
        let v3 = Settings::unicast(own.address, peer.address, priority);
        match self {
            Self::V2PassUnicast => Settings {
                version: 2,
                interval: "1",
                // Nine characters: both sides use eight.
                password: Some("337639943"),
                ..v3
            },
            Self::V3Unicast => v3,
            Self::V3Multicast => Settings { peer: None, ..v3 },
        }
    }
}

/// `first` has the higher priority and is Master, stops in order, comes back, and dies. At every step the
/// other one, with the other program, follows or takes over.
fn play(form: Form, first: &Program, second: &Program) -> anyhow::Result<()> {
    let duo = Duo::new()?;
    let played = acts(form, &duo, first, second);
    if played.is_err() {
        for side in [&duo.a, &duo.b] {
            for log in Daemon::LOGS {
                eprintln!("-- host {}, {log}:\n{}", side.host.name(), side.host.read(log)?);
            }
        }
    }
    played
}

fn acts(form: Form, duo: &Duo, first: &Program, second: &Program) -> anyhow::Result<()> {
    let (a, b) = (&duo.a, &duo.b);
    let start = |side: &Side, peer: &Side, program: &Program, priority| {
        let file = form.settings(side, peer, priority).to_string();
        Daemon::start(&side.host, program, &file, Daemon::DETAILED)
    };
    let _on_b = start(b, a, second, 100)?;
    let on_a = start(a, b, first, 200)?;
    a.await_mastery(VIP, b, LIMIT)?;
    follows(a, b)?;

    let stopped = Stamp::now();
    on_a.stop(LIMIT)?;
    b.await_mastery(VIP, a, LIMIT)?;
    b.await_announcement(VIP, stopped, LIMIT)?;
    let heard = b.heard(stopped);
    anyhow::ensure!(
        heard.iter().any(|(_, advert)| advert.priority == 0),
        "no advert of priority 0 came before the end: {heard:?}"
    );

    let on_a = start(a, b, first, 200)?;
    a.await_mastery(VIP, b, LIMIT)?;

    let died = Stamp::now();
    a.port.isolate()?;
    on_a.crash();
    b.await_announcement(VIP, died, LIMIT)?;
    until("the heir holds the address", LIMIT, || {
        b.host.holds_all(&[VIP.into()])
    })
}

/// The Backup hears five adverts (more than one Master_Down_Interval), says nothing, and complains about nothing.
fn follows(master: &Side, backup: &Side) -> anyhow::Result<()> {
    let settled = Stamp::now();
    master.await_adverts(5, settled, LIMIT)?;
    let sent = backup.sent(settled);
    anyhow::ensure!(
        sent.is_empty(),
        "the Backup advertised although its Master lives: {sent:?}"
    );
    for log in Daemon::LOGS {
        let text = backup.host.read(log)?.to_lowercase();
        let complaint = text.lines().find(|line| {
            ["checksum", "bogus", "invalid", "mismatch", "refused"]
                .iter()
                .any(|word| line.contains(word))
        });
        anyhow::ensure!(complaint.is_none(), "the Backup complains: {complaint:?}");
    }
    Ok(())
}

/// Which program is the first Master.
enum First {
    Ours,
    Keepalived,
}

fn test(form: Form, first: First) -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let (ours, keepalived) = (Program::ours()?, Program::keepalived()?);
    match first {
        First::Ours => play(form, &ours, &keepalived),
        First::Keepalived => play(form, &keepalived, &ours),
    }
}

#[test]
fn v2_with_a_password_by_unicast_ours_first() -> anyhow::Result<()> {
    test(Form::V2PassUnicast, First::Ours)
}

#[test]
fn v2_with_a_password_by_unicast_keepalived_first() -> anyhow::Result<()> {
    test(Form::V2PassUnicast, First::Keepalived)
}

#[test]
fn v3_by_unicast_ours_first() -> anyhow::Result<()> {
    test(Form::V3Unicast, First::Ours)
}

#[test]
fn v3_by_unicast_keepalived_first() -> anyhow::Result<()> {
    test(Form::V3Unicast, First::Keepalived)
}

#[test]
fn v3_by_multicast_ours_first() -> anyhow::Result<()> {
    test(Form::V3Multicast, First::Ours)
}

#[test]
fn v3_by_multicast_keepalived_first() -> anyhow::Result<()> {
    test(Form::V3Multicast, First::Keepalived)
}
