//! Interfaces by name and by index.

use std::fs;
use std::io;
use std::net::IpAddr;

use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::net::if_::{if_indextoname, if_nametoindex};
use vrrp_common::wire::ethernet::Mac;

/// The index of the interface of this name, `None` if there is none.
#[must_use]
pub fn index_of(name: &str) -> Option<u32> {
    if_nametoindex(name).ok()
}

/// The name of the interface of this index.
///
/// # Errors
/// `ENXIO` if there is none.
pub fn name_of(index: u32) -> io::Result<String> {
    let name = if_indextoname(index)?;
    name.into_string().map_err(|_| Errno::EINVAL.into())
}

/// The MAC address of an interface, `None` if it is gone or not Ethernet. Asks for all interfaces of the
/// host: not for the protocol thread.
#[must_use]
pub fn mac_of(name: &str) -> Option<Mac> {
    let mut all = getifaddrs().ok()?;
    all.find_map(|entry| {
        let link = *entry
            .address
            .filter(|_| entry.interface_name == name)?
            .as_link_addr()?;
        (link.hatype() == libc::ARPHRD_ETHER).then(|| link.addr().map(Mac))?
    })
}

/// The MTU of an interface in bytes, `None` if it is gone.
#[must_use]
pub fn mtu(name: &str) -> Option<usize> {
    let text = fs::read_to_string(format!("/sys/class/net/{name}/mtu")).ok()?;
    text.trim().parse().ok()
}

/// Whether the host routes for the family of `address` on this interface: what the Router flag of a
/// neighbour advertisement says. Reads procfs: not for the protocol thread.
#[must_use]
pub fn forwards(name: &str, address: IpAddr) -> bool {
    let family = match address {
        IpAddr::V4(_) => "ipv4",
        IpAddr::V6(_) => "ipv6",
    };
    // A name with a dot (a VLAN) is a plain directory name here; only sysctl(8) reads dots as slashes.
    fs::read_to_string(format!("/proc/sys/net/{family}/conf/{name}/forwarding"))
        .is_ok_and(|value| !matches!(value.trim(), "" | "0"))
}

/// Removing the first IPv4 address of a subnet takes the others along, unless the interface's
/// `promote_secondaries` is set: this sets it for as long as it lives.
#[derive(Debug)]
pub struct PromoteSecondaries {
    path: String,
}

impl PromoteSecondaries {
    /// On the interface of this index. `None` if it is set already, or cannot be.
    #[must_use]
    pub fn set(ifindex: u32) -> Option<Self> {
        let path = format!(
            "/proc/sys/net/ipv4/conf/{}/promote_secondaries",
            name_of(ifindex).ok()?
        );
        let was_off = fs::read_to_string(&path).ok()?.trim() == "0";
        (was_off && fs::write(&path, "1").is_ok()).then_some(Self { path })
    }
}

impl Drop for PromoteSecondaries {
    fn drop(&mut self) {
        // The interface may be gone, and its setting with it.
        let _ = fs::write(&self.path, "0");
    }
}
