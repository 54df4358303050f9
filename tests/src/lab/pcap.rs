//! The pcap file format (draft-ietf-opsawg-pcap), nanosecond variant.

use std::io::{self, Write};

use super::capture::Captured;

/// Magic number of files whose stamps have nanoseconds.
const MAGIC_NANOSECONDS: u32 = 0xa1b2_3c4d;
/// Link type Ethernet.
const ETHERNET: u32 = 1;

/// Write all of `frames`, little endian: the magic number tells a reader.
pub(super) fn write(file: &mut impl Write, frames: &[Captured]) -> io::Result<()> {
    for word in [MAGIC_NANOSECONDS, 2 | 4 << 16, 0, 0, 65_536, ETHERNET] {
        file.write_all(&word.to_le_bytes())?;
    }
    for frame in frames {
        let length = u32::try_from(frame.bytes.len()).unwrap_or(u32::MAX);
        let seconds = (frame.at.0 / 1_000_000_000) as u32;
        let nanoseconds = (frame.at.0 % 1_000_000_000) as u32;
        for word in [seconds, nanoseconds, length, length] {
            file.write_all(&word.to_le_bytes())?;
        }
        file.write_all(&frame.bytes)?;
    }
    file.flush()
}
