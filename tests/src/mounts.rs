//! Mounts that end with what they are for: with a command, or with a value.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, MsFlags, mount, umount2};

/// Runs `script` in a mount namespace of its own, which then becomes the command that follows.
pub fn private(script: &str) -> Vec<String> {
    [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-e",
        "-c",
        &format!("{script}\nexec \"$@\""),
        "sh",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A disk of a few megabytes, gone with this value.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Mounts it at this folder, which is made.
    pub fn at(folder: &Path, size: &str) -> Self {
        fs::create_dir(folder).unwrap();
        let options = format!("size={size},mode=0700");
        mount(
            Some("pkgwarden-test"),
            folder,
            Some("tmpfs"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .unwrap();
        Self(folder.to_owned())
    }

    /// Leaves not a byte of room.
    pub fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for size in [1 << 16, 1] {
            let zeros = vec![0; size];
            while file.write_all(&zeros).is_ok() {}
        }
    }

    /// Gives the room back.
    pub fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }

    /// Whether it may be written to.
    pub fn read_only(&self, yes: bool) {
        let mut flags = MsFlags::MS_REMOUNT;
        flags.set(MsFlags::MS_RDONLY, yes);
        mount(None::<&str>, &self.0, None::<&str>, flags, None::<&str>).unwrap();
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Also where the test failed and something still has a file of it open.
        let _ = umount2(&self.0, MntFlags::MNT_DETACH);
    }
}
