//! What ethtool(8) asks the kernel.
#![allow(unsafe_code, reason = "ioctl(2)")]

use std::io;
use std::mem::zeroed;
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use socket2::{Domain, Socket, Type};

/// `ETHTOOL_GDRVINFO` of `linux/ethtool.h`.
const GET_DRIVER: u32 = 3;
/// `struct ethtool_drvinfo`.
#[repr(C)]
struct DriverInfo {
    command: u32,
    driver: [u8; 32],
    /// Version, firmware, bus, and how many of what there is.
    rest: [u8; 160],
}

/// The name of an interface's driver. Takes the kernel's routing lock, as attaching a program does.
///
/// # Errors
/// There is no such interface, or its driver does not say.
pub fn driver(interface: &str) -> io::Result<String> {
    let socket = Socket::new(Domain::UNIX, Type::DGRAM, None)?;
    let mut info = DriverInfo {
        command: GET_DRIVER,
        driver: [0; 32],
        rest: [0; 160],
    };
    // SAFETY: integers, and a union of such and of pointers, for which zero is a value.
    let mut request: libc::ifreq = unsafe { zeroed() };
    if interface.len() >= request.ifr_name.len() {
        return Err(Errno::ENODEV.into());
    }
    for (place, byte) in request.ifr_name.iter_mut().zip(interface.bytes()) {
        *place = libc::c_char::from_ne_bytes([byte]);
    }
    request.ifr_ifru.ifru_data = (&raw mut info).cast();
    // SAFETY: the request ends with a zero after the name, and points to a structure of the length that the command has the
    // kernel write, which lives until after the call.
    Errno::result(unsafe { libc::ioctl(socket.as_raw_fd(), libc::SIOCETHTOOL, &raw mut request) })?;
    let name = info.driver.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::{DriverInfo, driver};

    #[test]
    fn what_is_not_there_has_none() {
        assert_eq!(size_of::<DriverInfo>(), 196);
        for name in ["", "not-there", "a name that is longer than any can be"] {
            driver(name).unwrap_err();
        }
    }
}
