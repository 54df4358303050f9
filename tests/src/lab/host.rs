//! A host: a namespace with files of its own and interfaces that reach the switch.

use std::fs;
use std::net::IpAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use nix::net::if_::if_nametoindex;
use socket2::Socket;

use super::kernel::{self, Hears};
use super::namespace::Namespace;

/// A machine of the lab.
#[derive(Clone, Debug)]
pub struct Host {
    name: String,
    namespace: Arc<Namespace>,
}

impl Host {
    pub(super) fn new(name: &str, namespace: Arc<Namespace>) -> Self {
        Self {
            name: name.to_owned(),
            namespace,
        }
    }

    /// What the lab calls it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it lives.
    #[must_use]
    pub fn namespace(&self) -> &Arc<Namespace> {
        &self.namespace
    }

    /// Run a program on it to its end.
    ///
    /// # Errors
    /// It could not be started, or failed.
    pub fn run(&self, program: &str, args: &[&str]) -> anyhow::Result<String> {
        self.namespace
            .run(program, args)
            .with_context(|| format!("on host {}", self.name))
    }

    /// Put a file on it; directories are made as needed. `mode` as for chmod.
    ///
    /// # Errors
    /// The file could not be written.
    pub fn install(
        &self,
        path: impl AsRef<Path>,
        content: impl AsRef<[u8]>,
        mode: u32,
    ) -> anyhow::Result<()> {
        let (path, content) = (path.as_ref().to_owned(), content.as_ref().to_owned());
        self.namespace
            .inside(move || {
                if let Some(directory) = path.parent() {
                    fs::create_dir_all(directory)?;
                }
                fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
                Ok(fs::set_permissions(&path, fs::Permissions::from_mode(mode))?)
            })
            .with_context(|| format!("on host {}", self.name))
    }

    /// Read one of its files; empty if it is not there.
    ///
    /// # Errors
    /// It is there and cannot be read.
    pub fn read(&self, path: impl AsRef<Path>) -> anyhow::Result<String> {
        let path = path.as_ref().to_owned();
        self.namespace.inside(move || match fs::read(&path) {
            Ok(bytes) => Ok(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(String::new()),
            Err(error) => Err(error).with_context(|| format!("reading {}", path.display())),
        })
    }

    /// The addresses on its interfaces as iproute2 sees them: nobody's account but the kernel's.
    ///
    /// # Errors
    /// `ip -j addr` failed or printed what it never did before.
    pub fn addresses(&self) -> anyhow::Result<Vec<IpAddr>> {
        let listing: Vec<Link> = serde_json::from_str(&self.run("ip", &["-j", "addr"])?)
            .context("reading what `ip -j addr` printed")?;
        Ok(listing
            .into_iter()
            .flat_map(|link| link.addr_info)
            .filter_map(|address| address.local)
            .collect())
    }

    /// Whether it holds every one of `wanted`.
    ///
    /// # Errors
    /// As [`Host::addresses`].
    pub fn holds_all(&self, wanted: &[IpAddr]) -> anyhow::Result<bool> {
        let held = self.addresses()?;
        Ok(wanted.iter().all(|address| held.contains(address)))
    }

    /// Whether it holds none of `unwanted`.
    ///
    /// # Errors
    /// As [`Host::addresses`].
    pub fn holds_none(&self, unwanted: &[IpAddr]) -> anyhow::Result<bool> {
        let held = self.addresses()?;
        Ok(!unwanted.iter().any(|address| held.contains(address)))
    }

    /// How many frames have come in over an interface.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn received(&self, interface: &str) -> anyhow::Result<u64> {
        let text = self.run("ip", &["-j", "-s", "link", "show", "dev", interface])?;
        let listing: serde_json::Value = serde_json::from_str(&text)?;
        listing[0]["stats64"]["rx"]["packets"]
            .as_u64()
            .context("`ip -s link` counts no frames")
    }

    /// A socket that sends whole Ethernet frames out of an interface, and receives nothing.
    ///
    /// # Errors
    /// There is no such interface.
    pub fn frame_sender(&self, interface: &str) -> anyhow::Result<Socket> {
        self.namespace
            .inside(|| Ok(kernel::packet_socket(if_nametoindex(interface)?, Hears::Nothing)?))
    }

    /// `kill -9` for all that runs on it, as a crash of the machine would.
    pub fn crash(&self) {
        let _reaped_by_who_started_them = self.namespace.kill_all();
    }
}

/// The part of `ip -j addr` that is used.
#[derive(serde::Deserialize)]
struct Link {
    #[serde(default)]
    addr_info: Vec<Address>,
}

#[derive(serde::Deserialize)]
struct Address {
    local: Option<IpAddr>,
}
