//! The switch that joins the hosts, and the ends of their cables.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::capture::{Capture, Keep};
use super::host::Host;
use super::namespace::Namespace;
use super::wait::until;

/// How long the kernel may take to bring up a cable.
const CABLE: Duration = Duration::from_secs(5);

/// A switch with its bridges. Drop it last: its ports go with it.
#[derive(Debug)]
pub struct Lab {
    switch: Arc<Namespace>,
    /// With a name, its namespaces stand under `/run/netns` as `<name>-<host>`.
    name: Option<String>,
}

impl Lab {
    /// A lab that leaves no trace.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn new() -> anyhow::Result<Self> {
        Ok(Self {
            switch: Namespace::bare(None)?,
            name: None,
        })
    }

    /// A lab whose namespaces have names, so that it can outlive this process: see [`Lab::keep`].
    ///
    /// # Errors
    /// What the kernel refused; the names are taken.
    pub fn named(name: &str) -> anyhow::Result<Self> {
        Ok(Self {
            switch: Namespace::bare(Some(&format!("{name}-switch")))?,
            name: Some(name.to_owned()),
        })
    }

    /// A network: one bridge that forwards at once, and floods multicast as a plain switch does.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn network(&self, name: &str) -> anyhow::Result<()> {
        self.ip(&format!(
            "link add {name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0"
        ))?;
        // The bridge is a switch, not a host: no address of its own.
        self.ip(&format!("link set {name} addrgenmode none"))?;
        self.ip(&format!("link set {name} up"))
    }

    /// A host without cables.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn host(&self, name: &str) -> anyhow::Result<Host> {
        let full = self.name.as_ref().map(|lab| format!("{lab}-{name}"));
        let namespace = Namespace::host(full.as_deref()).with_context(|| format!("making host {name}"))?;
        Ok(Host::new(name, namespace))
    }

    /// Give `host` the interface `interface` with `addresses` (`192.0.2.1/24`), cabled to `network`. Frames
    /// pass when this returns: the kernel activates a new link, and a bridge its port, a little later.
    ///
    /// # Errors
    /// What the kernel refused; a port name (`host.interface`) of more than 15 characters.
    pub fn connect(
        &self,
        host: &Host,
        interface: &str,
        network: &str,
        addresses: &[&str],
    ) -> anyhow::Result<Port> {
        let name = format!("{}.{interface}", host.name());
        ensure!(
            name.len() <= 15,
            "port name {name} is longer than the kernel allows"
        );
        self.ip(&format!(
            "link add {name} type veth peer name {interface} netns {}",
            host.namespace().path()
        ))?;
        self.ip(&format!("link set {name} addrgenmode none"))?;
        self.ip(&format!("link set {name} master {network}"))?;
        self.ip(&format!("link set {name} up"))?;
        host.run("ip", &["link", "set", interface, "up"])?;
        for address in addresses {
            let mut args = vec!["addr", "add", *address, "dev", interface];
            if address.contains(':') {
                args.push("nodad");
            }
            host.run("ip", &args)?;
        }
        until(
            &format!("the link of {name} is up and its port forwards"),
            CABLE,
            || {
                let link = host.run("ip", &["-j", "link", "show", "dev", interface])?;
                let port = self.switch.run("bridge", &["link", "show", "dev", &name])?;
                Ok(link.contains("\"operstate\":\"UP\"") && port.contains("state forwarding"))
            },
        )?;
        Ok(Port {
            switch: Arc::clone(&self.switch),
            name,
        })
    }

    /// The switch's own namespace.
    #[must_use]
    pub fn switch(&self) -> &Arc<Namespace> {
        &self.switch
    }

    /// Leave the lab up when this process ends (of a [`Lab::named`]): the caller has started what should go
    /// on with [`Namespace::lasting_command`].
    pub fn keep(&self, hosts: &[&Host]) {
        self.switch.keep();
        for host in hosts {
            host.namespace().keep();
        }
    }

    fn ip(&self, line: &str) -> anyhow::Result<()> {
        let args: Vec<&str> = line.split_whitespace().collect();
        self.switch.run("ip", &args).map(drop)
    }
}

/// The switch's end of a host's cable.
#[derive(Clone, Debug)]
pub struct Port {
    switch: Arc<Namespace>,
    name: String,
}

impl Port {
    /// Its name in the switch, `host.interface`.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Pull the cable: the host loses its carrier.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn pull(&self) -> anyhow::Result<()> {
        self.switch
            .run("ip", &["link", "set", &self.name, "down"])
            .map(drop)
    }

    /// Plug the cable in again.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn plug(&self) -> anyhow::Result<()> {
        self.switch
            .run("ip", &["link", "set", &self.name, "up"])
            .map(drop)
    }

    /// Stop forwarding, both ways, while the host keeps its carrier: a network partition.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn isolate(&self) -> anyhow::Result<()> {
        self.state("0")
    }

    /// Forward again.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn heal(&self) -> anyhow::Result<()> {
        self.state("3")
    }

    fn state(&self, state: &str) -> anyhow::Result<()> {
        self.switch
            .run("bridge", &["link", "set", "dev", &self.name, "state", state])
            .map(drop)
    }

    /// Capture what crosses it from now on. What the host sends is [`super::Direction::FromHost`].
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn capture(&self) -> anyhow::Result<Capture> {
        Capture::start(&self.switch, &self.name, Keep::All)
    }

    /// Capture from now on only the adverts (over IPv4) and the ARP that the host sends: under a flood, all
    /// frames would be too many to keep.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn capture_sent(&self) -> anyhow::Result<Capture> {
        Capture::start(&self.switch, &self.name, Keep::SentAdvertsAndArps)
    }
}
