//! Where a daemon puts what there can be only one of, so that several run side by side: what the command line names,
//! else a place made from `net_namespace` and `instance`.

use std::path::{Path, PathBuf};

use super::{CONTROL_SOCKET, Options};
use crate::config::Place;

/// Files and names of one daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// The network namespace to run in.
    pub namespace: Option<String>,
    /// Pid file of the parent process.
    pub pid_file: PathBuf,
    /// Pid file of the protocol process.
    pub vrrp_pid_file: PathBuf,
    /// Where `vrrpctl` connects.
    pub control_socket: PathBuf,
    /// Added to the name in the log: `_NAMESPACE_INSTANCE`, as far as there are such.
    pub suffix: String,
}

impl Options {
    /// What the command line says, and where it is silent the configuration.
    #[must_use]
    pub fn placed(&self, place: &Place) -> Placed {
        let namespace = self.namespace.clone().or_else(|| place.namespace.clone());
        let instance = place.instance.as_deref();
        let suffix: String = [namespace.as_deref(), instance]
            .into_iter()
            .flatten()
            .map(|part| format!("_{part}"))
            .collect();
        // As keepalived 2.2.7 names them; outside of a directory of their own as 2.4 does.
        let of_instance = instance.map(|name| format!("_{name}")).unwrap_or_default();
        let (directory, vrrp) = match &namespace {
            Some(name) => (Path::new("/run/keepalived").join(name), "vrrp"),
            None if place.pid_dir || instance.is_some() => (PathBuf::from("/run/keepalived"), "vrrp"),
            None => (PathBuf::from("/run"), "keepalived_vrrp"),
        };
        let pid_file = |given: &Option<PathBuf>, name: &str| {
            given
                .clone()
                .unwrap_or_else(|| directory.join(format!("{name}{of_instance}.pid")))
        };
        Placed {
            pid_file: pid_file(&self.pid_file, "keepalived"),
            vrrp_pid_file: pid_file(&self.vrrp_pid_file, vrrp),
            control_socket: self.control_socket.clone().unwrap_or_else(|| {
                if suffix.is_empty() {
                    PathBuf::from(CONTROL_SOCKET)
                } else {
                    Path::new(CONTROL_SOCKET).with_file_name(format!("control{suffix}.sock"))
                }
            }),
            namespace,
            suffix,
        }
    }
}
