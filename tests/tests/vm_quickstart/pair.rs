//! The two hosts, their cables, and what a document's directions ask of them.

use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use vrrp_tests::document::{Direction, Stage, exchanged};
use vrrp_tests::lab::{Lab, until};

use super::container::{Container, LIMIT};

/// Where what happens to addresses is written down.
const WATCHED: &str = "/run/vm-quickstart/addresses";

/// | direction | does |
/// |---|---|
/// | `cable HOST INTERFACE NETWORK ADDRESS` | the host gets that interface |
/// | `file HOST PATH`, `script HOST PATH` | what the block that follows says becomes that file |
/// | `copy FROM TO PATH [WORD=OTHER…]` | the same file on another host, with these words exchanged at once |
/// | `holds HOST ADDRESS` | wait until it holds that, and the other does not |
/// | `hears HOST ADDRESS` | wait until its first instance follows that Master |
/// | `watch HOST ADDRESS`, `unmoved HOST ADDRESS` | between them it kept the address, and the other never became Master |
/// | `run HOST COMMAND…` | by its shell |
#[derive(Debug)]
pub(crate) struct Pair {
    a: Container,
    b: Container,
    networks: Vec<String>,
    /// Interfaces of the two, by host.
    cables: Vec<(char, String)>,
    /// Writes down what happens to addresses; and how often the other had been Master then.
    watch: Option<(Child, u64)>,
    lab: Lab,
}

impl Pair {
    pub(crate) fn boot() -> anyhow::Result<Self> {
        let (a, b) = (Container::boot('a')?, Container::boot('b')?);
        for container in [&a, &b] {
            container.await_boot()?;
        }
        Ok(Self {
            a,
            b,
            networks: Vec::new(),
            cables: Vec::new(),
            watch: None,
            lab: Lab::new()?,
        })
    }

    /// As after the installation of Debian.
    pub(crate) fn make_bare(&mut self) -> anyhow::Result<()> {
        for (host, interface) in std::mem::take(&mut self.cables) {
            let container = if host == 'a' { &self.a } else { &self.b };
            container.say(&format!("ip link delete {interface}"))?;
        }
        for container in [&self.a, &self.b] {
            container.say(
                "systemctl stop vrrp-daemon-lvs vrrp-daemon keepalived || true\n\
                 systemctl disable keepalived\n\
                 dpkg --purge vrrp-daemon || true\n\
                 systemctl reset-failed\n\
                 rm -rf /etc/vrrp-daemon /etc/keepalived",
            )?;
        }
        Ok(())
    }

    /// What an operator would look at.
    pub(crate) fn journals(&self) -> String {
        [&self.a, &self.b]
            .map(|host| {
                host.say("journalctl --no-pager --lines 60 --output short-precise")
                    .unwrap_or_else(|error| format!("{error:#}"))
            })
            .join("\n")
    }

    fn host(&self, name: &str) -> anyhow::Result<&Container> {
        match name {
            "a" => Ok(&self.a),
            "b" => Ok(&self.b),
            _ => bail!("there is no host {name}"),
        }
    }

    fn other(&self, name: &str) -> &Container {
        match name {
            "a" => &self.b,
            _ => &self.a,
        }
    }

    fn cable(&mut self, host: &str, interface: &str, network: &str, address: &str) -> anyhow::Result<()> {
        if !self.networks.iter().any(|known| known == network) {
            self.lab.network(network)?;
            self.networks.push(network.to_owned());
        }
        let container = self.host(host)?;
        let port = format!("{host}.{interface}");
        let inside = container.leader();
        for line in [
            format!("link add {port} type veth peer name {interface} netns {inside}"),
            format!("link set {port} up master {network}"),
        ] {
            let words: Vec<&str> = line.split_whitespace().collect();
            self.lab.switch().run("ip", &words)?;
        }
        container.say(&format!(
            "ip link set {interface} up && ip address add {address} dev {interface}"
        ))?;
        let name = host.chars().next().context("a host's name")?;
        self.cables.push((name, interface.to_owned()));
        Ok(())
    }

    fn holds(&self, host: &str, address: &str) -> anyhow::Result<()> {
        let has = |container: &Container| {
            let held = container.say("ip -brief address")?;
            anyhow::Ok(
                held.split_whitespace()
                    .any(|word| word.split('/').next() == Some(address)),
            )
        };
        wait(&format!("{host} alone holds {address}"), || {
            Ok(has(self.host(host)?)? && !has(self.other(host))?)
        })
    }

    fn hears(&self, host: &str, address: &str) -> anyhow::Result<()> {
        wait(&format!("{host} hears {address}"), || {
            Ok(status(self.host(host)?)?["instances"][0]["master"]["address"] == address)
        })
    }

    fn watch(&mut self, host: &str) -> anyhow::Result<()> {
        let before = times_master(self.other(host))?;
        let watcher = Command::new("nsenter")
            .args(["--target", &self.host(host)?.leader().to_string(), "--net"])
            .args(["ip", "-oneline", "monitor", "address"])
            .stdin(Stdio::null())
            .stdout(File::create(WATCHED)?)
            .spawn()?;
        self.watch = Some((watcher, before));
        Ok(())
    }

    fn unmoved(&mut self, host: &str, address: &str) -> anyhow::Result<()> {
        let (mut watcher, before) = self.watch.take().context("nobody watches")?;
        self.holds(host, address)?;
        watcher.kill()?;
        watcher.wait()?;
        let changes = fs::read_to_string(WATCHED)?;
        let removed = changes
            .lines()
            .find(|line| line.contains("Deleted") && line.contains(address));
        ensure!(removed.is_none(), "the address was removed: {changes}");
        let now = times_master(self.other(host))?;
        ensure!(
            now == before,
            "the other became Master: {before} times, now {now}"
        );
        Ok(())
    }
}

/// What the daemon there answers; nothing while none does.
fn status(container: &Container) -> anyhow::Result<serde_json::Value> {
    let said = container.say("vrrpctl status --json || true")?;
    Ok(serde_json::from_str(&said).unwrap_or_default())
}

fn times_master(container: &Container) -> anyhow::Result<u64> {
    status(container)?["instances"][0]["counters"]["became_master"]
        .as_u64()
        .context("it does not say how often it was Master")
}

/// Seen at once, not when the test has ended: a guest is slow.
pub(crate) fn progress(line: &str) {
    let _nobody_listens = writeln!(std::io::stderr(), "   {line}");
}

/// To ask costs a guest much of its time.
fn wait(what: &str, mut holds: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    until(what, LIMIT, || {
        std::thread::sleep(Duration::from_millis(300));
        holds()
    })
}

impl Stage for Pair {
    const LIMIT: Duration = Duration::from_secs(40);

    fn shell(&self, host: Option<char>, line: &str) -> anyhow::Result<Command> {
        let host = host.context("the prompt names no host")?;
        progress(&format!("{host}# {line}"));
        Ok(self.host(&host.to_string())?.shell(line))
    }

    fn direct(&mut self, direction: &Direction) -> anyhow::Result<()> {
        progress(&direction.words.join(" "));
        let words: Vec<&str> = direction.words.iter().map(String::as_str).collect();
        match &words[..] {
            ["cable", host, interface, network, address] => self.cable(host, interface, network, address),
            [kind @ ("file" | "script"), host, path] => {
                let host = self.host(host)?;
                host.write(path, direction.block.as_deref().context("no block follows")?)?;
                let mode = if *kind == "file" { "644" } else { "755" };
                host.say(&format!("chmod {mode} {path}")).map(drop)
            }
            ["copy", from, to, path, changes @ ..] => {
                let text = fs::read_to_string(self.host(from)?.outside(path))?;
                self.host(to)?.write(path, &exchanged(&text, changes)?)
            }
            ["holds", host, address] => self.holds(host, address),
            ["hears", host, address] => self.hears(host, address),
            ["watch", host, _address] => self.watch(host),
            ["unmoved", host, address] => self.unmoved(host, address),
            ["run", host, command @ ..] => self.host(host)?.say(&command.join(" ")).map(drop),
            _ => bail!("nobody knows how to do this"),
        }
    }
}
