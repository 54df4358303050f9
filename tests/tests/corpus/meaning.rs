//! What a virtual router is to be, on one line: as ours understood the file, and as keepalived's `-d` shows it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use vrrp_daemon::config::Config;
use vrrp_daemon::proto::model::{Preempt, VirtualAddress, VirtualRouter};

/// Ours, sorted.
pub(crate) fn ours(config: &Config) -> Vec<String> {
    let links = &config.model.links;
    let mut lines: Vec<String> = config
        .model
        .routers
        .iter()
        .map(|router| line_of(router, links))
        .collect();
    lines.sort();
    lines
}

fn line_of(router: &VirtualRouter, links: &[String]) -> String {
    let announce = router.announce;
    let list = |addresses: &[VirtualAddress]| {
        let each = addresses.iter().map(|one| {
            let whole = if one.address.is_ipv4() { 32 } else { 128 };
            let prefix = if one.prefix == whole {
                String::new()
            } else {
                format!("/{}", one.prefix)
            };
            format!("{}{prefix}@{}", one.address, links[one.link.index()])
        });
        each.collect::<Vec<_>>().join(" ")
    };
    format!(
        "{} on {}: v{} vrid {} priority {} every {} ms, down {}, preempt {}, lower {} higher {}, garp {}/{}/{}/{}/{}/{}, \
         [{}] [{}]",
        router.name,
        links[router.link.index()],
        router.version.number(),
        router.vrid.value(),
        router.priority.0,
        u32::from(router.interval.value()) * 10,
        router.down_adverts,
        match router.preempt {
            Preempt::Never => "never".to_owned(),
            Preempt::After(delay) => format!("after {} ms", delay.0 / 1_000_000),
        },
        router.advert_on_lower,
        router.advert_on_higher,
        announce.delay.0 / 1_000_000_000,
        announce.repeat,
        announce.refresh.0 / 1_000_000_000,
        announce.refresh_repeat,
        announce.lower_delay.0 / 1_000_000_000,
        announce.lower_repeat,
        list(&router.addresses),
        list(&router.excluded),
    )
}

/// keepalived's, from a log with the dump in it; sorted.
pub(crate) fn theirs(log: &str) -> Vec<String> {
    // Each line begins with the time.
    let lines = log.lines().map(|line| line.get(26..).unwrap_or(""));
    let topology = lines
        .skip_while(|line| !line.contains("< VRRP Topology >"))
        .skip(1)
        .take_while(|line| !line.starts_with("---"))
        // keepalived's main process writes to the same log, any time; its lines are not indented.
        .filter(|line| line.starts_with(' '));
    let mut all: Vec<BTreeMap<&str, String>> = Vec::new();
    let mut list = "";
    for line in topology {
        if let Some(name) = line.strip_prefix(" VRRP Instance = ") {
            all.push(BTreeMap::from([("name", name.to_owned())]));
            continue;
        }
        let Some(router) = all.last_mut() else { continue };
        if let Some(entry) = line.strip_prefix("     ") {
            if list.starts_with("Virtual IP") {
                let key = if list.contains("Excluded") {
                    "excluded"
                } else {
                    "addresses"
                };
                let held = router.entry(key).or_default();
                let separator = if held.is_empty() { "" } else { " " };
                let _infallible = write!(held, "{separator}{}", address(entry));
            }
            continue;
        }
        list = line.trim();
        if let Some((key, value)) = list.split_once(" = ") {
            router.insert(key, value.to_owned());
        }
    }
    let mut lines: Vec<String> = all.iter().map(line_of_dump).collect();
    lines.sort();
    lines
}

/// `ADDRESS[/PREFIX] … dev IF …`
fn address(entry: &str) -> String {
    let mut words = entry.split_whitespace();
    let address = words.next().unwrap_or("");
    let device = words.skip_while(|word| *word != "dev").nth(1).unwrap_or("");
    format!("{address}@{device}")
}

fn line_of_dump(router: &BTreeMap<&str, String>) -> String {
    let value = |key: &str| router.get(key).map_or("", String::as_str);
    let milliseconds = |text: &str| match text.split_once(' ') {
        Some((seconds, "sec" | "secs")) => {
            let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
            // Of microseconds, the first three places.
            let part: String = part.chars().chain("000".chars()).take(3).collect();
            format!("{whole}{part}").trim_start_matches('0').to_owned()
        }
        Some((milliseconds, _)) => milliseconds.to_owned(),
        None => "0".to_owned(),
    };
    let preempt = match value("Preempt") {
        "disabled" => "never".to_owned(),
        _ => format!("after {} ms", milliseconds(value("Preempt delay"))),
    };
    format!(
        "{} on {}: v{} vrid {} priority {} every {} ms, down {}, preempt {preempt}, lower {} higher {}, garp \
         {}/{}/{}/{}/{}/{}, [{}] [{}]",
        value("name"),
        value("Interface"),
        value("VRRP Version"),
        value("Virtual Router ID"),
        value("Priority"),
        milliseconds(value("Advert interval")),
        value("Down timer adverts"),
        value("Send advert after receive lower priority advert"),
        value("Send advert after receive higher priority advert"),
        value("Gratuitous ARP delay"),
        value("Gratuitous ARP repeat"),
        value("Gratuitous ARP refresh"),
        value("Gratuitous ARP refresh repeat"),
        value("Gratuitous ARP lower priority delay"),
        value("Gratuitous ARP lower priority repeat"),
        value("addresses"),
        value("excluded"),
    )
}

/// The main process says "Startup complete" whenever it likes, between a list's head and its entries too.
#[test]
fn another_process_may_write_into_the_dump() {
    let dump = [
        "------< VRRP Topology >------",
        " VRRP Instance = T",
        "   Virtual Router ID = 93",
        "   Virtual IP (2):",
        "Startup complete",
        "     192.0.2.193/24 dev eth0 scope global",
        "     192.0.2.194/24 dev eth0 scope global",
        "   Using smtp notification = no",
        "------< Interfaces >------",
    ];
    let log: String = dump
        .map(|line| format!("Sun Nov 29 14:06:49 2026: {line}\n"))
        .concat();
    let lines = theirs(&log);
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert!(lines[0].contains("vrid 93"), "{lines:?}");
    assert!(
        lines[0].contains("[192.0.2.193/24@eth0 192.0.2.194/24@eth0] []"),
        "{lines:?}"
    );
}
