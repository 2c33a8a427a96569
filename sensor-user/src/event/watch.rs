//! Which files the kernel reports: compiled from the loaded rules, handed down to the probes.

use bitflags::bitflags;
use serde::{Deserialize, Serialize};

bitflags! {
    /// What an act does with a file.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct Operations: u32 {
        /// Opened for reading.
        const READ = 1;
        /// Opened for writing.
        const WRITE = 2;
        /// Did not exist and was made by this open.
        const CREATE = 4;
        /// Renamed, or its mode changed.
        const METADATA = 8;
    }
}

/// How much of a component, prefix or suffix the kernel keeps and compares, in bytes.
pub const KEY_BYTES: usize = 32;

/// Which paths an entry means. Literals are bytes with ASCII letters in lower case; the kernel
/// compares them with the path's bytes, ASCII letters of which it lower-cases too.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum WatchKey {
    /// One whole component anywhere in the path, the last one included: `.ssh`, `id_rsa`.
    Component(Vec<u8>),
    /// The last component ends so: `.pth`.
    BasenameSuffix(Vec<u8>),
    /// The last component begins so: `id_`.
    BasenamePrefix(Vec<u8>),
    /// Every path: costs an event per operation.
    Any,
}

/// Report these operations on these paths.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct WatchEntry {
    /// Which paths.
    pub key: WatchKey,
    /// Which operations on them.
    pub operations: Operations,
}

/// All entries of a rule set. Over-approximates: whatever a rule could match passes; what passes
/// need not match.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WatchSet {
    /// In no particular order; operations of equal keys add up.
    pub entries: Vec<WatchEntry>,
}

impl WatchSet {
    /// What the kernel's filter decides, in user space: whether an act on this path is reported.
    /// `operations` are those of the act; one in common with the entry is enough.
    pub fn passes(&self, path: &[u8], operations: Operations) -> bool {
        let path = path.to_ascii_lowercase();
        self.entries
            .iter()
            .any(|entry| entry.operations.intersects(operations) && entry.key.fits(&path))
    }
}

impl WatchKey {
    /// Whether a path, lower-cased, is one of these.
    fn fits(&self, path: &[u8]) -> bool {
        let basename = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
        match self {
            WatchKey::Component(name) => path
                .split(|&byte| byte == b'/')
                .any(|part| head(part) == head(name)),
            WatchKey::BasenameSuffix(end) => basename.ends_with(end),
            WatchKey::BasenamePrefix(start) => basename.starts_with(head(start)),
            WatchKey::Any => true,
        }
    }
}

/// As much as the kernel compares.
fn head(name: &[u8]) -> &[u8] {
    &name[..name.len().min(KEY_BYTES)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(key: WatchKey) -> WatchSet {
        WatchSet {
            entries: vec![WatchEntry {
                key,
                operations: Operations::READ,
            }],
        }
    }

    #[test]
    fn a_component_means_a_whole_one_anywhere() {
        let ssh = set(WatchKey::Component(b".ssh".to_vec()));
        assert!(ssh.passes(b"/home/a/.SSH/id_rsa", Operations::READ));
        assert!(ssh.passes(b"/home/a/.ssh", Operations::READ | Operations::WRITE));
        assert!(!ssh.passes(b"/home/a/.sshd/x", Operations::READ));
        assert!(!ssh.passes(b"/home/a/.ssh/x", Operations::WRITE));
    }

    #[test]
    fn suffix_and_prefix_look_at_the_last_component() {
        let pth = set(WatchKey::BasenameSuffix(b".pth".to_vec()));
        assert!(pth.passes(b"/a/b.pth", Operations::READ));
        assert!(!pth.passes(b"/a.pth/b", Operations::READ));
        let id = set(WatchKey::BasenamePrefix(b"id_".to_vec()));
        assert!(id.passes(b"/a/id_x", Operations::READ));
        assert!(!id.passes(b"/id_/x", Operations::READ));
    }

    #[test]
    fn long_components_are_compared_as_far_as_the_kernel_keeps_them() {
        let long = set(WatchKey::Component(vec![b'a'; 40]));
        assert!(long.passes(format!("/{}", "a".repeat(33)).as_bytes(), Operations::READ));
    }
}
