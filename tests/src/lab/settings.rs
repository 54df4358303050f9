//! Configuration files for the hosts of a [`super::Duo`], in keepalived's language.

use std::fmt;
use std::net::Ipv4Addr;

/// One virtual router as one host has it; `Display` is the file.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// The host's own address.
    pub own: Ipv4Addr,
    /// The other host's, for unicast; `None` for multicast.
    pub peer: Option<Ipv4Addr>,
    /// 2 or 3.
    pub version: u8,
    /// VRRPv2's password.
    pub password: Option<&'static str>,
    /// Virtual router.
    pub vrid: u8,
    /// Priority.
    pub priority: u8,
    /// `advert_int`, in seconds.
    pub interval: &'static str,
    /// Do not take back what somebody else has.
    pub nopreempt: bool,
    /// The virtual address, in a /24.
    pub address: Ipv4Addr,
    /// What stands before the instance: other blocks, in the file's language.
    pub before: &'static str,
    /// What else stands in the instance.
    pub inside: &'static str,
}

impl Settings {
    /// The address that moves, unless a test says otherwise.
    pub const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 100);

    /// VRRPv3 by unicast every 100 ms.
    #[must_use]
    pub const fn unicast(own: Ipv4Addr, peer: Ipv4Addr, priority: u8) -> Self {
        Self {
            own,
            peer: Some(peer),
            version: 3,
            password: None,
            vrid: 51,
            priority,
            interval: "0.1",
            nopreempt: false,
            address: Self::ADDRESS,
            before: "",
            inside: "",
        }
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.before)?;
        writeln!(f, "vrrp_instance VI_1 {{")?;
        writeln!(f, "    state BACKUP")?;
        writeln!(f, "    interface eth0")?;
        writeln!(f, "    virtual_router_id {}", self.vrid)?;
        writeln!(f, "    priority {}", self.priority)?;
        writeln!(f, "    advert_int {}", self.interval)?;
        writeln!(f, "    version {}", self.version)?;
        if self.nopreempt {
            writeln!(f, "    nopreempt")?;
        }
        if let Some(password) = self.password {
            writeln!(f, "    authentication {{\n        auth_type PASS")?;
            writeln!(f, "        auth_pass {password}\n    }}")?;
        }
        if let Some(peer) = self.peer {
            writeln!(f, "    unicast_src_ip {}", self.own)?;
            writeln!(f, "    unicast_peer {{\n        {peer}\n    }}")?;
        }
        writeln!(f, "    virtual_ipaddress {{\n        {}/24\n    }}", self.address)?;
        writeln!(f, "{}", self.inside)?;
        writeln!(f, "}}")
    }
}
