//! Putting the program on a device by a bpf link, which the kernel takes off when this process ends.

use std::fmt;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::net::if_::if_indextoname;

use super::XdpPath;
use super::link::Link;

/// How to attach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// In the driver; where it cannot, in the stack.
    #[default]
    Auto,
    /// In the driver, before a packet buffer exists.
    Native,
    /// In the stack, for any device.
    Generic,
}

/// How the program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attached {
    /// In the driver.
    Native,
    /// In the stack.
    Generic,
}

impl fmt::Display for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Native => "native",
            Self::Generic => "generic",
        })
    }
}

/// Why a device does not have the program. The raw socket hears its adverts all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AttachError {
    /// There is no such device (any more).
    #[error("the device is gone")]
    NoDevice,
    /// Someone else's program is there, or one of ours from another daemon.
    #[error(
        "another XDP program is on the device (`ip link show` names it); take it off, or say `vrrp_xdp off` here"
    )]
    Taken,
    /// The driver cannot, in the mode that was asked for.
    #[error("the driver cannot run XDP programs ({0}); `vrrp_xdp generic` can do without the driver")]
    Unsupported(Errno),
    /// `EPERM`.
    #[error("attaching is refused; it takes CAP_NET_ADMIN and CAP_BPF")]
    NotPermitted,
    /// Anything else.
    #[error("attaching failed: {0}")]
    Failed(Errno),
}

impl XdpPath {
    /// Attach to the device with this index. Where the program is already, that is the answer. Some drivers
    /// reset the device here and its carrier flaps.
    ///
    /// # Errors
    /// See [`AttachError`].
    pub fn attach(&mut self, ifindex: u32, mode: Mode) -> Result<Attached, AttachError> {
        if let Some((_, attached)) = self.links.get(&ifindex) {
            return Ok(*attached);
        }
        let (link, attached) = match mode {
            Mode::Native => (self.link(ifindex, Attached::Native)?, Attached::Native),
            Mode::Generic => (self.link(ifindex, Attached::Generic)?, Attached::Generic),
            Mode::Auto => match self.link(ifindex, Attached::Native) {
                Ok(link) => (link, Attached::Native),
                Err(AttachError::Unsupported(_)) => {
                    (self.link(ifindex, Attached::Generic)?, Attached::Generic)
                }
                Err(error) => return Err(error),
            },
        };
        self.links.insert(ifindex, (link, attached));
        Ok(attached)
    }

    /// Take the program off; also to be called when the device is gone, since its index may be given again.
    pub fn detach(&mut self, ifindex: u32) {
        // Closing the link's descriptor detaches.
        self.links.remove(&ifindex);
    }

    /// How the device has the program, if it has it.
    #[must_use]
    pub fn attached(&self, ifindex: u32) -> Option<Attached> {
        self.links.get(&ifindex).map(|(_, attached)| *attached)
    }

    /// Whether the program that was attached there still is. Somebody with the right to may take it off.
    #[must_use]
    pub fn holds(&self, ifindex: u32) -> bool {
        let link = self.links.get(&ifindex);
        link.is_some_and(|(link, _)| link.device().is_ok_and(|device| device == Some(ifindex)))
    }

    fn link(&self, ifindex: u32, attached: Attached) -> Result<Link, AttachError> {
        let program = self.program().ok().and_then(|program| program.fd().ok());
        let program = program.ok_or(AttachError::Failed(Errno::EBADF))?;
        Link::create(program.as_fd(), ifindex, attached).map_err(|errno| match errno {
            // The kernel says the same of a device that is not there as of one that cannot.
            Errno::EINVAL if !is_there(ifindex) => AttachError::NoDevice,
            errno => named(errno),
        })
    }
}

/// nix 0.31 answers an empty name where there is no device.
fn is_there(ifindex: u32) -> bool {
    if_indextoname(ifindex).is_ok_and(|name| !name.is_empty())
}

fn named(errno: Errno) -> AttachError {
    match errno {
        Errno::ENODEV | Errno::ENXIO => AttachError::NoDevice,
        Errno::EBUSY | Errno::EEXIST => AttachError::Taken,
        Errno::EPERM => AttachError::NotPermitted,
        // Drivers say EINVAL or ERANGE for an MTU or a queue set-up that they cannot combine with XDP.
        Errno::EOPNOTSUPP | Errno::EINVAL | Errno::ERANGE | Errno::E2BIG | Errno::ENOSPC => {
            AttachError::Unsupported(errno)
        }
        other => AttachError::Failed(other),
    }
}
