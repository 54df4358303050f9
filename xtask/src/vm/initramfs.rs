//! The guest's first file system: busybox, modules and two scripts, as the kernel unpacks it (cpio, "newc").

/// An archive in the making.
#[derive(Debug, Default)]
pub(super) struct Initramfs {
    bytes: Vec<u8>,
    inode: u32,
}

const FOLDER: u32 = 0o040_755;
const FILE: u32 = 0o100_755;
/// What the archive ends with.
const TRAILER: &str = "TRAILER!!!";

impl Initramfs {
    /// An empty folder; its parents must be there.
    pub(super) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// A file that all may read and run.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, FILE, content);
    }

    /// The archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry(TRAILER, 0, &[]);
        self.bytes
    }

    /// A header of 13 numbers in hexadecimal, the name, the content; both padded to four bytes.
    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.inode += 1;
        // Nothing of ours is anywhere near 4 GiB.
        let size = u32::try_from(content.len()).unwrap_or(u32::MAX);
        let name_size = u32::try_from(path.len() + 1).unwrap_or(u32::MAX);
        self.bytes.extend(b"070701");
        let (owner, group, links, time, device) = (0, 0, 1, 0, [0; 4]);
        let [major, minor, raw_major, raw_minor] = device;
        for number in [
            self.inode, mode, owner, group, links, time, size, major, minor, raw_major, raw_minor, name_size,
            0,
        ] {
            self.bytes.extend(format!("{number:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Initramfs;

    /// As `cpio -o -H newc` writes it, but for owner, time, inode and device numbers.
    #[test]
    fn an_archive_is_what_cpio_writes() {
        let mut archive = Initramfs::default();
        archive.folder("d");
        archive.file("d/f", b"hello");
        let expected = "070701\
            00000001000041ed00000000000000000000000100000000\
            000000000000000000000000000000000000000000000002\
            00000000d\0\
            070701\
            00000002000081ed00000000000000000000000100000000\
            000000050000000000000000000000000000000000000004\
            00000000d/f\0\0\0hello\0\0\0\
            070701\
            000000030000000000000000000000000000000100000000\
            00000000000000000000000000000000000000000000000b\
            00000000TRAILER!!!\0\0\0\0";
        assert_eq!(String::from_utf8(archive.finish()).as_deref(), Ok(expected));
    }
}
