//! An initramfs: a `newc` cpio archive (kernel: Documentation/driver-api/early-userspace/
//! buffer-format.rst). Written here because a device node in it then needs no root.

use std::collections::BTreeSet;

const FOLDER: u32 = 0o040_755;
const EXECUTABLE: u32 = 0o100_755;
const PLAIN: u32 = 0o100_644;
const CHARACTER_DEVICE: u32 = 0o020_600;

#[derive(Default)]
pub(super) struct Archive {
    bytes: Vec<u8>,
    entries: u32,
    folders: BTreeSet<String>,
}

impl Archive {
    /// An executable file at an absolute path; its folders are made.
    pub(super) fn file(&mut self, path: &str, content: &[u8]) {
        self.folders_of(path);
        self.entry(path, EXECUTABLE, (0, 0), content);
    }

    /// A file that anybody may read, at an absolute path; its folders are made.
    pub(super) fn text(&mut self, path: &str, content: &[u8]) {
        self.folders_of(path);
        self.entry(path, PLAIN, (0, 0), content);
    }

    /// A character device.
    pub(super) fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.folders_of(path);
        self.entry(path, CHARACTER_DEVICE, (major, minor), &[]);
    }

    pub(super) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn folders_of(&mut self, path: &str) {
        for (end, _) in path.match_indices('/').skip(1) {
            let folder = &path[..end];
            if self.folders.insert(folder.to_owned()) {
                self.entry(folder, FOLDER, (0, 0), &[]);
            }
        }
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        self.entries += 1;
        let name = path.trim_start_matches('/');
        let size = u32::try_from(content.len()).expect("an initramfs file is below 4 GiB");
        let name_size = u32::try_from(name.len() + 1).expect("a path is short");
        let (major, minor) = device;
        // inode, mode, uid, gid, links, time, size, device, the device it is, name's size, checksum
        let header = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            major,
            minor,
            name_size,
            0,
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in header {
            self.bytes
                .extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(0);
        self.align();
        self.bytes.extend_from_slice(content);
        self.align();
    }

    fn align(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn every_folder_is_made_once_and_everything_is_aligned() {
        let mut archive = Archive::default();
        archive.file("/a/b/one", b"12345");
        archive.file("/a/b/two", b"");
        let bytes = archive.finish();
        assert_eq!(bytes.len() % 4, 0);
        let headers = bytes.windows(6).filter(|six| six == b"070701").count();
        assert_eq!(headers, 5, "a, a/b, one, two, trailer");
    }
}
