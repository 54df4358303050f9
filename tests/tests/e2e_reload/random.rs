//! Many reloads, each to a file that chance made from the one before: addresses move between virtual routers, names
//! change, groups come and go, files are broken, several requests come at once, and a script with fifty children
//! runs all the while.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::time::Duration;

use nix::sys::signal::Signal;
use vrrp_tests::lab::{Duo, Side, Stamp, root_or_skip, until};

use super::monitor::Monitor;
use super::{held, instance, reload, replace, start, vip};

const LIMIT: Duration = Duration::from_secs(20);
const ROUNDS: usize = 30;
/// Virtual routers 51 to 58.
const ROUTERS: usize = 8;
/// Last bytes of the addresses that they may have.
const POOL: std::ops::Range<u8> = 20..60;

/// It leaves its children to themselves, and they outlive its next run.
const FORKS: &str = "#!/bin/sh\nfor i in 1 2 3 4 5 6 7 8 9 10; do (for j in 1 2 3 4 5; do sleep 0.3 & done; wait) & done\n\
                     echo \"$$\" >>/run/runs\n";

/// xorshift64*, so that a seed means the same run for ever.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap_or(0) % bound
    }

    fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

/// A file of A's, in the making.
#[derive(Clone)]
struct Plan {
    /// In the order of the file.
    routers: Vec<Router>,
    /// The first two are a group.
    group: bool,
    interval: usize,
}

#[derive(Clone)]
struct Router {
    name: String,
    vrid: u8,
    vips: Vec<u8>,
}

impl Plan {
    fn first() -> Self {
        let routers = (51..).take(ROUTERS).zip(POOL.step_by(4));
        Self {
            routers: routers
                .map(|(vrid, first)| Router {
                    name: format!("VI_{vrid}"),
                    vrid,
                    vips: (first..first + 4).collect(),
                })
                .collect(),
            group: false,
            interval: 1,
        }
    }

    fn held(&self) -> BTreeSet<u8> {
        self.routers
            .iter()
            .flat_map(|router| router.vips.clone())
            .collect()
    }

    /// Another one, in a few things.
    fn change(&mut self, random: &mut Random, serial: usize) {
        for _ in 0..=random.below(6) {
            let (from, to) = (random.below(ROUTERS), random.below(ROUTERS));
            match random.below(6) {
                0 | 1 if self.routers[from].vips.len() > 1 => {
                    let which = random.below(self.routers[from].vips.len());
                    let moved = self.routers[from].vips.remove(which);
                    self.routers[to].vips.push(moved);
                }
                2 => {
                    let held = self.held();
                    let free: Vec<u8> = POOL.filter(|last| !held.contains(last)).collect();
                    if !free.is_empty() {
                        self.routers[to].vips.push(free[random.below(free.len())]);
                    }
                }
                3 if self.routers[from].vips.len() > 2 => {
                    self.routers[from].vips.pop();
                }
                4 => self.routers[from].name = format!("R{serial}_{}", self.routers[from].vrid),
                _ => self.routers.swap(from, to),
            }
        }
        self.group = random.chance(40);
        self.interval = 1 + random.below(2);
    }

    fn file(&self, side: &Side, other: &Side, priority: u8) -> String {
        let mut text = format!(
            "vrrp_script forks {{\n script /usr/local/bin/forks.sh\n interval {}\n weight 0\n}}\n",
            self.interval
        );
        let names: Vec<&str> = self.routers.iter().map(|router| router.name.as_str()).collect();
        if self.group {
            let _infallible = writeln!(
                text,
                "vrrp_sync_group G {{\n group {{\n {}\n {}\n }}\n}}",
                names[0], names[1]
            );
        }
        for Router { name, vrid, vips } in &self.routers {
            let vips: String = vips.iter().map(|last| format!("{}/24\n", vip(*last))).collect();
            let _infallible = writeln!(
                text,
                "vrrp_instance {name} {{\n interface eth0\n version 3\n advert_int 0.3\n garp_master_delay 0\n \
                 virtual_router_id {vrid}\n priority {priority}\n unicast_src_ip {}\n unicast_peer {{\n {}\n }}\n \
                 track_script {{\n forks\n }}\n virtual_ipaddress {{\n{vips} }}\n}}",
                side.address, other.address
            );
        }
        text
    }
}

fn all(last: impl IntoIterator<Item = u8>) -> Vec<IpAddr> {
    held(&last.into_iter().collect::<Vec<_>>())
}

#[test]
fn thirty_files_that_chance_made() {
    if !root_or_skip() {
        return;
    }
    for seed in [3, 101] {
        play(seed).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
    }
}

fn play(seed: u64) -> anyhow::Result<()> {
    let duo = Duo::new()?;
    let (a, b) = (&duo.a, &duo.b);
    for side in [a, b] {
        side.host.install("/usr/local/bin/forks.sh", FORKS, 0o755)?;
    }
    let mut random = Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
    let mut plan = Plan::first();
    let _on_b = start(b, &plan.file(b, a, 100))?;
    let on_a = start(a, &plan.file(a, b, 200))?;
    for last in plan.held() {
        a.await_mastery(vip(last), b, LIMIT)?;
    }
    a.await_adverts(3 * ROUTERS, Stamp::now(), LIMIT)?;
    let mut monitor = Monitor::start(&a.host)?;
    let began = Stamp::now();
    for round in 0..ROUNDS {
        if random.chance(25) {
            let broken = plan
                .file(a, b, 200)
                .replacen("virtual_router_id 5", "virtual_router_id x5", 1);
            anyhow::ensure!(
                reload(&on_a, &broken).is_err(),
                "round {round}: a broken file was taken"
            );
        }
        let mut stays = plan.held();
        if random.chance(30) {
            // Nobody waits for these; each is read, or only the next one.
            for storm in 0..=random.below(6) {
                plan.change(&mut random, 1000 * (storm + 1) + round);
                stays = &stays & &plan.held();
                replace(&a.host, &plan.file(a, b, 200))?;
                on_a.signal(Signal::SIGHUP)?;
            }
        }
        plan.change(&mut random, round);
        stays = &stays & &plan.held();
        reload(&on_a, &plan.file(a, b, 200))?;
        let (wanted, held) = (plan.held(), all(plan.held()));
        let others = all(POOL.filter(|last| !wanted.contains(last)));
        until(
            &format!("round {round}: what the file says is held"),
            LIMIT,
            || Ok(a.host.holds_all(&held)? && a.host.holds_none(&others)?),
        )?;
        for line in monitor.news()? {
            let lost = stays
                .iter()
                .find(|last| line.contains("Deleted") && line.contains(&format!(" {}/24", vip(**last))));
            anyhow::ensure!(
                lost.is_none(),
                "round {round}: an address that stays was removed: {line}"
            );
        }
    }
    a.await_adverts(3 * ROUTERS, Stamp::now(), LIMIT)?;
    // No good-bye from A, and nothing that made B take over.
    let sent = a.sent(began);
    anyhow::ensure!(sent.iter().all(|(_, advert)| advert.priority == 200), "{sent:?}");
    anyhow::ensure!(b.sent(began).is_empty(), "B was Master for a time");
    let status = on_a.status()?;
    for router in &plan.routers {
        let shown = instance(&status, &router.name)?;
        anyhow::ensure!(shown["state"] == "MASTER", "{shown}");
        anyhow::ensure!(shown["counters"]["became_master"] == 1, "{shown}");
    }
    anyhow::ensure!(!a.host.read("/run/runs")?.is_empty(), "the script never ran");
    let log = on_a.log()?;
    anyhow::ensure!(!log.contains("panicked"), "{log}");
    Ok(())
}
