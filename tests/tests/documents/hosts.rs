//! Hosts in network namespaces, as a document's directions make them.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use vrrp_tests::document::{Direction, Stage, exchanged};
use vrrp_tests::lab::{Daemon, Host, Lab, Port, Program, shell, until};

const LIMIT: Duration = Duration::from_secs(15);

/// | direction | does |
/// |---|---|
/// | `cable HOST INTERFACE NETWORK ADDRESS` | the host gets that interface |
/// | `file HOST PATH`, `script HOST PATH` | what the block that follows says becomes that file |
/// | `copy FROM TO PATH [WORD=OTHER…]` | the same file on another host, with these words exchanged at once |
/// | `start HOST [OPTION…]` | our daemon with the file that is there, once it answers |
/// | `keepalived HOST` | Debian's keepalived |
/// | `stop HOST`, `crash HOST` | SIGTERM, and its end; SIGKILL for all |
/// | `pull HOST INTERFACE`, `plug …`, `isolate …`, `heal …` | the cable |
/// | `holds HOST ADDRESS` | wait until it holds that, and nobody else does |
/// | `hears HOST ADDRESS` | wait until its first instance follows that Master |
/// | `run HOST COMMAND…` | by its shell |
#[derive(Debug)]
pub(crate) struct Hosts {
    daemons: BTreeMap<char, Daemon>,
    hosts: BTreeMap<char, Host>,
    ports: BTreeMap<(char, String), Port>,
    networks: Vec<String>,
    lab: Lab,
}

impl Hosts {
    pub(crate) fn new() -> anyhow::Result<Self> {
        Ok(Self {
            daemons: BTreeMap::new(),
            hosts: BTreeMap::new(),
            ports: BTreeMap::new(),
            networks: Vec::new(),
            lab: Lab::new()?,
        })
    }

    fn host(&self, name: char) -> anyhow::Result<&Host> {
        self.hosts
            .get(&name)
            .with_context(|| format!("there is no host {name} yet"))
    }

    fn port(&self, host: &str, interface: &str) -> anyhow::Result<&Port> {
        self.ports
            .get(&(letter(host)?, interface.to_owned()))
            .with_context(|| format!("host {host} has no cable {interface}"))
    }

    fn daemon(&mut self, host: char) -> anyhow::Result<Daemon> {
        self.daemons
            .remove(&host)
            .with_context(|| format!("nothing runs on host {host}"))
    }

    fn cable(&mut self, name: char, interface: &str, network: &str, address: &str) -> anyhow::Result<()> {
        if !self.networks.iter().any(|known| known == network) {
            self.lab.network(network)?;
            self.networks.push(network.to_owned());
        }
        if !self.hosts.contains_key(&name) {
            let host = self.lab.host(&name.to_uppercase().to_string())?;
            self.hosts.insert(name, host);
        }
        let port = self
            .lab
            .connect(self.host(name)?, interface, network, &[address])?;
        self.ports.insert((name, interface.to_owned()), port);
        Ok(())
    }

    fn start(&mut self, name: char, program: &Program, options: &[&str]) -> anyhow::Result<()> {
        let host = self.host(name)?.clone();
        let daemon = Daemon::start_installed(&host, program, options)?;
        if matches!(program, Program::Ours { .. }) {
            until("the daemon answers", LIMIT, || Ok(daemon.status().is_ok()))?;
        }
        self.daemons.insert(name, daemon);
        Ok(())
    }

    fn holds(&self, name: char, address: IpAddr) -> anyhow::Result<()> {
        until(&format!("{name} alone holds {address}"), LIMIT, || {
            for (of, host) in &self.hosts {
                if host.holds_all(&[address])? != (*of == name) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    fn hears(&self, name: char, address: &str) -> anyhow::Result<()> {
        let daemon = self.daemons.get(&name).context("nothing runs there")?;
        until(&format!("{name} hears {address}"), LIMIT, || {
            Ok(daemon.status()?["instances"][0]["master"]["address"] == address)
        })
    }

    fn copy(&self, from: &str, to: &str, path: &str, changes: &[&str]) -> anyhow::Result<()> {
        let text = self.host(letter(from)?)?.read(path)?;
        ensure!(!text.is_empty(), "host {from} has no {path}");
        let text = exchanged(&text, changes)?;
        self.host(letter(to)?)?.install(path, text, 0o644)
    }
}

fn letter(word: &str) -> anyhow::Result<char> {
    word.chars().next().context("a host's name")
}

impl Stage for Hosts {
    fn shell(&self, host: Option<char>, line: &str) -> anyhow::Result<Command> {
        let host = host.context("the prompt names no host")?;
        shell(self.host(host)?, line)
    }

    fn direct(&mut self, direction: &Direction) -> anyhow::Result<()> {
        let words: Vec<&str> = direction.words.iter().map(String::as_str).collect();
        let block = direction.block.as_deref();
        match &words[..] {
            ["cable", host, interface, network, address] => {
                self.cable(letter(host)?, interface, network, address)
            }
            [kind @ ("file" | "script"), host, path] => {
                let mode = if *kind == "file" { 0o644 } else { 0o755 };
                let text = block.context("no block follows")?;
                self.host(letter(host)?)?.install(path, text, mode)
            }
            ["copy", from, to, path, changes @ ..] => self.copy(from, to, path, changes),
            ["start", host, options @ ..] => {
                let options = [&["-n", "-l"], options].concat();
                self.start(letter(host)?, &Program::ours()?, &options)
            }
            ["keepalived", host] => self.start(letter(host)?, &Program::keepalived()?, Daemon::DETAILED),
            ["stop", host] => self.daemon(letter(host)?)?.stop(LIMIT).map(drop),
            ["crash", host] => {
                self.daemon(letter(host)?)?.crash();
                Ok(())
            }
            ["pull", host, interface] => self.port(host, interface)?.pull(),
            ["plug", host, interface] => self.port(host, interface)?.plug(),
            ["isolate", host, interface] => self.port(host, interface)?.isolate(),
            ["heal", host, interface] => self.port(host, interface)?.heal(),
            ["holds", host, address] => self.holds(letter(host)?, address.parse()?),
            ["hears", host, address] => self.hears(letter(host)?, address),
            ["run", host, command @ ..] => {
                let host = self.host(letter(host)?)?;
                let output = shell(host, &command.join(" "))?.output()?;
                let said = String::from_utf8_lossy(&output.stderr).into_owned();
                ensure!(output.status.success(), "{said}");
                Ok(())
            }
            _ => bail!("nobody knows how to do this"),
        }
    }
}
