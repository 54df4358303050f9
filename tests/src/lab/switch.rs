//! The switch that joins the hosts, and the ends of their cables.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};

use super::capture::{Capture, Keep};
use super::host::Host;
use super::namespace::Namespace;
use super::neighbour::Neighbour;
use super::wait::until;

/// How long the kernel may take to bring up a cable.
const CABLE: Duration = Duration::from_secs(5);

/// A switch with its bridges. Drop it last: its ports go with it.
#[derive(Debug)]
pub struct Lab {
    switch: Arc<Namespace>,
    neighbour: Neighbour,
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
            neighbour: Neighbour::start()?,
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
            neighbour: Neighbour::start()?,
            name: Some(name.to_owned()),
        })
    }

    /// A network: one bridge that forwards at once, and floods multicast as a plain switch does. Somebody else is
    /// there, who sends a frame now and then.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn network(&self, name: &str) -> anyhow::Result<()> {
        self.silent_network(name)?;
        self.neighbour.join(&self.switch, name)
    }

    /// A network where nobody says anything but its hosts.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn silent_network(&self, name: &str) -> anyhow::Result<()> {
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
    /// pass when this returns, and one has, if anybody is there to send it: the kernel activates a new link, and a
    /// bridge its port, a little later.
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
        let port = self.connect_blocked(host, interface, network, addresses)?;
        port.forward()?;
        until(&format!("the port {} forwards", port.name), CABLE, || {
            let state = self.switch.run("bridge", &["link", "show", "dev", &port.name])?;
            let heard = || host.received(interface).map(|frames| frames > 0);
            Ok(state.contains("state forwarding") && (!self.neighbour.is_on(network) || heard()?))
        })?;
        Ok(port)
    }

    /// The same, with a port that passes nothing until [`Port::forward`], though the host has carrier: spanning tree is
    /// still listening, or an aggregation is being negotiated.
    ///
    /// # Errors
    /// As [`Lab::connect`].
    pub fn connect_blocked(
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
        self.ip(&format!("link set {name} up"))?;
        host.run("ip", &["link", "set", interface, "up"])?;
        for address in addresses {
            let mut args = vec!["addr", "add", *address, "dev", interface];
            if address.contains(':') {
                args.push("nodad");
            }
            host.run("ip", &args)?;
        }
        until(&format!("the link of {name} is up"), CABLE, || {
            let link = host.run("ip", &["-j", "link", "show", "dev", interface])?;
            Ok(link.contains("\"operstate\":\"UP\""))
        })?;
        Ok(Port {
            switch: Arc::clone(&self.switch),
            name,
            network: network.to_owned(),
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
    network: String,
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

    /// Pass nothing, also after a cable was pulled and plugged in again: the port is taken out of its network.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn block(&self) -> anyhow::Result<()> {
        let args = ["link", "set", &self.name, "nomaster"];
        self.switch.run("ip", &args).map(drop)
    }

    /// Pass frames again.
    ///
    /// # Errors
    /// What the kernel refused.
    pub fn forward(&self) -> anyhow::Result<()> {
        let args = ["link", "set", &self.name, "master", &self.network];
        self.switch.run("ip", &args).map(drop)
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
