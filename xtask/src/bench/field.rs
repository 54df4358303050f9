//! The two hosts, their cables, who plays on them, and what else keeps the machine busy.

use std::process::{Child, Stdio};

use anyhow::Context;
use vrrp_tests::lab::{AddressBatch, Change, Host, Lab, Netlink, Port, Program, interface_index};

use super::work::{Seat, Work};

/// Busy loops of a loaded machine.
const LOOPS: usize = 8;
/// CPU seconds after which the kernel ends a loop, should we not.
const LOOP_LIMIT: &str = "ulimit -t 900; while :; do :; done";

/// A column of the tables: its title, and who runs.
#[derive(Clone, Debug)]
pub(super) struct Player {
    pub(super) title: String,
    pub(super) program: Program,
}

impl Player {
    pub(super) fn new(title: &str, program: Program) -> Self {
        Self {
            title: title.to_owned(),
            program,
        }
    }

    /// With the version that it says it is of, where it says one as keepalived does.
    pub(super) fn versioned(program: Program) -> Self {
        let title = match version(&program.version()) {
            Some(version) => format!("keepalived {version}"),
            None => program.name().to_owned(),
        };
        Self { title, program }
    }
}

/// `Keepalived v2.2.7 (01/16,2022)` is 2.2.7.
fn version(said: &str) -> Option<String> {
    let word = said.lines().next()?.strip_prefix("Keepalived v")?;
    Some(word.split_whitespace().next()?.to_owned())
}

/// A is Master while it is there; B is judged.
pub(super) struct Field {
    pub(super) a: Host,
    /// By interface: `eth0` and so on.
    pub(super) a_ports: Vec<Port>,
    pub(super) b: Host,
    pub(super) b_ports: Vec<Port>,
    lab: Lab,
}

impl Field {
    /// With as many interfaces as `work` takes, each on a network of its own.
    pub(super) fn build(work: &Work) -> anyhow::Result<Self> {
        Self::with_interfaces(u8::try_from(work.interfaces())?)
    }

    pub(super) fn with_interfaces(count: u8) -> anyhow::Result<Self> {
        let lab = Lab::new()?;
        let (a, b) = (lab.host("A")?, lab.host("B")?);
        let (mut a_ports, mut b_ports) = (Vec::new(), Vec::new());
        for interface in 0..count {
            let network = format!("net{interface}");
            lab.network(&network)?;
            for (host, seat, ports) in [(&a, Seat::A, &mut a_ports), (&b, Seat::B, &mut b_ports)] {
                let (v4, v6) = seat.addresses(interface);
                let own = [format!("{v4}/24"), format!("{v6}/64")];
                let own: Vec<&str> = own.iter().map(String::as_str).collect();
                ports.push(lab.connect(host, &format!("eth{interface}"), &network, &own)?);
            }
        }
        Ok(Self {
            a,
            a_ports,
            b,
            b_ports,
            lab,
        })
    }

    /// The first cable of the judged host.
    pub(super) fn b_port(&self) -> anyhow::Result<&Port> {
        self.b_ports.first().context("host B has no interface")
    }

    /// Cut A off from everything, without its noticing.
    pub(super) fn isolate_a(&self) -> anyhow::Result<()> {
        self.a_ports.iter().try_for_each(Port::isolate)
    }

    pub(super) fn heal_a(&self) -> anyhow::Result<()> {
        self.a_ports.iter().try_for_each(Port::heal)
    }

    /// After daemons that were killed: their addresses are removed, and A is there again.
    pub(super) fn sweep(&self, work: &Work) -> anyhow::Result<()> {
        self.heal_a()?;
        let wanted = work.virtual_addresses();
        for host in [&self.a, &self.b] {
            let held = host.addresses()?;
            let left: Vec<_> = wanted
                .iter()
                .copied()
                .filter(|address| held.contains(address))
                .collect();
            let index = interface_index(host, "eth0")?;
            Netlink::open(host)?.change(&AddressBatch::new(Change::Removed, index, &left))?;
        }
        Ok(())
    }

    /// Keep the machine busy until the answer is dropped.
    pub(super) fn load(&self) -> anyhow::Result<Load> {
        let mut load = Load(Vec::new());
        for _ in 0..LOOPS {
            let child = self
                .lab
                .switch()
                .command("sh")
                .args(["-c", LOOP_LIMIT])
                .stdin(Stdio::null())
                .spawn()
                .context("starting a busy loop")?;
            load.0.push(child);
        }
        Ok(load)
    }
}

/// Busy loops. They end with this value, with the thread that started them, and after a while by themselves.
pub(super) struct Load(Vec<Child>);

impl Drop for Load {
    fn drop(&mut self) {
        for child in &mut self.0 {
            let _ended_already = child.kill();
            let _reaped = child.wait();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::version;

    #[test]
    fn keepalived_says_its_version() {
        let said = "Keepalived v2.2.7 (01/16,2022)\n\nCopyright";
        assert_eq!(version(said), Some("2.2.7".to_owned()));
        assert_eq!(version("vrrp-daemon 0.1.0"), None);
    }
}
