//! What processes hold in memory.

use std::fs;

use nix::unistd::Pid;

/// In KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// In RAM: `VmRSS`.
    pub resident: u64,
    /// Address space that is locked: `VmLck`. With `MCL_ONFAULT` only what is in RAM of it costs anything.
    pub locked: u64,
}

impl Memory {
    /// Of these processes together.
    pub(super) fn of(processes: &[Pid]) -> Self {
        processes
            .iter()
            .filter_map(|pid| fs::read_to_string(format!("/proc/{pid}/status")).ok())
            .map(|status| Self::read(&status))
            .fold(Self::default(), |sum, one| Self {
                resident: sum.resident + one.resident,
                locked: sum.locked + one.locked,
            })
    }

    /// From `/proc/PID/status`.
    fn read(status: &str) -> Self {
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
                .unwrap_or(0)
        };
        Self {
            resident: field("VmRSS:"),
            locked: field("VmLck:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Memory;

    #[test]
    fn memory_is_read_as_the_kernel_writes_it() {
        let status = "Name:\tvrrp-daemon\nVmPeak:\t  123456 kB\nVmLck:\t   16384 kB\nVmRSS:\t    7100 kB\n";
        assert_eq!(
            Memory::read(status),
            Memory {
                resident: 7_100,
                locked: 16_384
            }
        );
        assert_eq!(Memory::read("Name:\tkthreadd\n"), Memory::default());
    }
}
