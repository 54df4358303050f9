//! A default route and a source rule move with the virtual address; static items stay; both come back when
//! somebody removes them. Beside keepalived 2.2.7 with the same file.

use std::time::Duration;

use anyhow::ensure;
use vrrp_tests::lab::{Daemon, Duo, Host, Program, Settings, Side, root_or_skip, until};

const VIP: std::net::Ipv4Addr = Settings::ADDRESS;
const LIMIT: Duration = Duration::from_secs(20);

const INSIDE: &str = "    virtual_routes {
        default via 192.0.2.254 dev eth0 src 192.0.2.100
        10.1.0.0/16 via 192.0.2.254 dev eth0 table 100 metric 7
        blackhole 10.6.0.0/16
    }
    virtual_rules {
        from 192.0.2.100 table 100 priority 600
        to 10.9.0.0/16 fwmark 5 table 100 priority 601
    }
    virtual_ipaddress_excluded {
        198.51.100.7/24 brd + label eth0:1
        203.0.113.7 peer 203.0.113.8
        2001:db8::7/64 preferred_lft 1000
        2001:db8::8
    }";
const BEFORE: &str = "static_ipaddress {
    10.77.0.1/24 dev eth0
}
static_routes {
    10.78.0.0/16 via 10.77.0.2 dev eth0
}
static_rules {
    from 10.79.0.0/16 table 77 priority 700
}";
const MOVING: [&str; 5] = [
    "10.1.0.0/16 via 192.0.2.254 dev eth0 table 100 proto keepalived metric 7",
    "600: from 192.0.2.100 lookup 100 proto keepalived",
    "601: from all to 10.9.0.0/16 fwmark 0x5 lookup 100 proto keepalived",
    "blackhole 10.6.0.0/16 proto keepalived",
    "default via 192.0.2.254 dev eth0 proto keepalived src 192.0.2.100",
];
const STATIC: [&str; 2] = [
    "10.78.0.0/16 via 10.77.0.2 dev eth0 proto keepalived",
    "700: from 10.79.0.0/16 lookup 77 proto keepalived",
];

fn start(side: &Side, peer: &Side, program: &Program, priority: u8) -> anyhow::Result<Daemon> {
    let settings = Settings {
        before: BEFORE,
        inside: INSIDE,
        ..Settings::unicast(side.address, peer.address, priority)
    };
    Daemon::start(&side.host, program, &settings.to_string(), Daemon::DETAILED)
}

/// Routes and rules of protocol 18, sorted.
fn routing(host: &Host) -> anyhow::Result<Vec<String>> {
    let routes = host.run("ip", &["route", "show", "table", "all", "proto", "18"])?;
    let rules = host.run("ip", &["-d", "rule"])?;
    let routes = routes.lines().map(|line| {
        // Asked for by protocol, `ip` leaves it out.
        let words = words(line);
        match words.split_once(" metric ").or(words.split_once(" src ")) {
            Some((head, _)) => format!("{head} proto keepalived{}", &words[head.len()..]),
            None => format!("{words} proto keepalived"),
        }
    });
    let rules = rules
        .lines()
        .filter(|line| line.contains("keepalived"))
        .map(words);
    let mut all: Vec<_> = routes.chain(rules).collect();
    all.sort();
    Ok(all)
}

fn words(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn sorted(parts: &[&[&str]]) -> Vec<String> {
    let mut all: Vec<_> = parts.concat().into_iter().map(str::to_owned).collect();
    all.sort();
    all
}

fn holds(side: &Side, expected: &[&[&str]]) -> anyhow::Result<()> {
    let expected = sorted(expected);
    let what = format!("host {} has {expected:?}", side.host.name());
    let held = until(&what, LIMIT, || Ok(routing(&side.host)? == expected));
    if held.is_err() {
        eprintln!("host {} has {:#?}", side.host.name(), routing(&side.host)?);
    }
    held
}

#[test]
fn routes_and_rules_move_with_the_address() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let ours = Program::ours()?;
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    let on_b = start(b, a, &ours, 100)?;
    let on_a = start(a, b, &ours, 200)?;
    a.await_mastery(VIP, b, LIMIT)?;
    holds(a, &[&MOVING, &STATIC])?;
    holds(b, &[&STATIC])?;

    // What somebody removes is put back, mastership or not.
    let run = |line: &str| a.host.run("ip", &line.split(' ').collect::<Vec<_>>());
    run("route del default")?;
    run("rule del priority 600")?;
    run("route del 10.78.0.0/16")?;
    run("rule del priority 700")?;
    run("addr del 10.77.0.1/24 dev eth0")?;
    holds(a, &[&MOVING, &STATIC])?;
    until("the static address is back", LIMIT, || {
        a.host.holds_all(&[std::net::Ipv4Addr::new(10, 77, 0, 1).into()])
    })?;

    // A crash leaves all of it, and the next start takes away what is not the Backup's.
    on_a.crash();
    holds(b, &[&MOVING, &STATIC])?;
    holds(a, &[&MOVING, &STATIC])?;
    let _on_a = start(a, b, &ours, 50)?;
    b.await_mastery(VIP, a, LIMIT)?;
    holds(a, &[&STATIC])?;
    on_b.stop(LIMIT)?;
    holds(b, &[])?;
    let addresses = b.host.addresses()?;
    ensure!(
        !addresses
            .iter()
            .any(|address| address.to_string().starts_with("10.77.")),
        "a static address is left: {addresses:?}"
    );
    Ok(())
}

/// `ip -j` of a Master with the same file: addresses, routes and rules.
#[test]
fn it_looks_as_keepalived_makes_it_look() -> anyhow::Result<()> {
    if !root_or_skip() {
        return Ok(());
    }
    let shown = |program: &Program| -> anyhow::Result<(serde_json::Value, Vec<String>)> {
        let duo = Duo::new()?;
        let (a, b) = (&duo.a, &duo.b);
        let _daemon = start(a, b, program, 200)?;
        a.await_mastery(VIP, b, LIMIT)?;
        holds(a, &[&MOVING, &STATIC])?;
        let text = a.host.run("ip", &["-j", "addr", "show", "dev", "eth0"])?;
        let all: serde_json::Value = serde_json::from_str(&text)?;
        let mut addresses = all[0]["addr_info"].clone();
        if let Some(addresses) = addresses.as_array_mut() {
            // The kernel's own, of a MAC address that is another each time.
            addresses.retain(|entry| entry["scope"] != "link");
            for entry in addresses.iter_mut() {
                if let Some(entry) = entry.as_object_mut() {
                    // Since 2.4 keepalived marks its addresses too. Seconds count down.
                    entry.remove("protocol");
                    entry.remove("preferred_life_time");
                }
            }
        }
        Ok((addresses, routing(&a.host)?))
    };
    let (ours, theirs) = (shown(&Program::ours()?)?, shown(&Program::keepalived()?)?);
    ensure!(ours == theirs, "ours: {ours:#?}\nkeepalived's: {theirs:#?}");
    Ok(())
}
