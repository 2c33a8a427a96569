//! Where an argument path leads. A call that leaves no object at its exit hook (rename, unlink,
//! chmod by path, a failed open) carries only what was passed; a link in it would hide the real target from
//! the rules. The folder is resolved at once, as the process would have. It may have been changed
//! meanwhile: the place stays marked `argument`.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::process::{View, path, path_of, resolve};
use crate::event::{Body, Observed, Place, Text, UringOperation};

/// Whether the call follows a link in the last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Last {
    /// rename and unlink act on the link itself.
    Kept,
    /// open, chmod, execve act on what it leads to.
    Followed,
}

/// The places of an event that are known from an argument only.
pub(super) fn unresolved(body: &mut Body) -> Vec<(&mut Place, Last)> {
    let places = match body {
        Body::Rename { from, to, .. } | Body::Link { from, to, .. } => {
            vec![(from, Last::Kept), (to, Last::Kept)]
        }
        Body::Unlink { place, .. }
        | Body::IoUring {
            operation: UringOperation::Rename | UringOperation::Unlink,
            place: Some(place),
            ..
        } => vec![(place, Last::Kept)],
        Body::Chmod { place, .. } | Body::ExecFailed { place, .. } => {
            vec![(place, Last::Followed)]
        }
        Body::Open { open, .. } => vec![(&mut open.place, Last::Followed)],
        Body::IoUring {
            place: Some(place), ..
        } => vec![(place, Last::Followed)],
        _ => Vec::new(),
    };
    places
        .into_iter()
        .filter(|(place, _)| place.observed == Observed::Argument && !place.path.is_empty())
        .collect()
}

/// The real path of a place, where its folder exists. May block: for the bounded pool only.
pub(super) fn resolved(view: &mut View, place: &Place, last: Last) -> Option<Text> {
    let inside = inside_root(place, &view.path);
    let found = (last == Last::Followed)
        .then(|| resolve(&view.root, &inside, OFlag::empty()).ok())
        .flatten()
        .and_then(|handle| path_of(&handle).ok());
    let real = match (found, inside.file_name(), inside.parent()) {
        (Some(whole), _, _) => whole,
        (None, Some(name), Some(parent)) => view.folder(parent)?.join(name),
        _ => return None,
    };
    let bytes = real.as_os_str().as_bytes();
    bytes.starts_with(b"/").then(|| Text::from(bytes))
}

/// The place's path as the process would write it: an absolute argument is that already; another
/// one was joined to a kernel path, which begins outside of a chroot.
pub(super) fn inside_root(place: &Place, root_path: &Path) -> PathBuf {
    let argument = place
        .argument
        .as_ref()
        .filter(|argument| argument.as_bytes().starts_with(b"/"));
    let inside = match argument {
        Some(argument) => path(argument.as_bytes()),
        None => {
            let whole = path(place.path.as_bytes());
            whole.strip_prefix(root_path).unwrap_or(whole)
        }
    };
    Path::new("/").join(without_magic(inside))
}

/// Leaves out leading trips through /proc's links to the process's own root, as often as they are
/// made: such links are not followed here, and these lead nowhere else.
fn without_magic(path: &Path) -> &Path {
    let mut rest = path.strip_prefix("/").unwrap_or(path);
    while let Ok(shorter) = rest
        .strip_prefix("proc/self/root")
        .or_else(|_| rest.strip_prefix("proc/thread-self/root"))
    {
        rest = shorter;
    }
    rest
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::edge::process::Views;
    use crate::event::ProcessKey;

    /// As this process sees it.
    fn resolved(place: &Place, last: Last) -> Option<Text> {
        let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
        let myself = ProcessKey {
            pid: std::process::id(),
            start: stat.starttime * (1_000_000_000 / procfs::ticks_per_second()),
        };
        super::resolved(Views::default().of(myself).unwrap(), place, last)
    }

    fn place(path: &Path) -> Place {
        Place {
            path: path.to_str().unwrap().into(),
            observed: Observed::Argument,
            argument: Some(path.to_str().unwrap().into()),
            truncated: false,
            source: None,
        }
    }

    #[test]
    fn a_rename_through_a_linked_folder_shows_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join("autostart");
        fs::create_dir(&real).unwrap();
        let alias = folder.path().join("cache");
        symlink(&real, &alias).unwrap();
        assert_eq!(
            resolved(&place(&alias.join("x.desktop")), Last::Kept).unwrap(),
            Text::from(real.join("x.desktop").to_str().unwrap())
        );
    }

    #[test]
    fn a_failed_open_of_a_missing_file_keeps_its_name_in_the_real_folder() {
        let folder = tempfile::tempdir().unwrap();
        let real = folder.path().canonicalize().unwrap().join(".ssh");
        fs::create_dir(&real).unwrap();
        symlink(&real, folder.path().join("k")).unwrap();
        assert_eq!(
            resolved(&place(&folder.path().join("k/id_rsa")), Last::Followed).unwrap(),
            Text::from(real.join("id_rsa").to_str().unwrap())
        );
    }

    #[test]
    fn a_chmod_of_a_link_shows_what_it_leads_to_and_a_rename_shows_the_link() {
        let folder = tempfile::tempdir().unwrap();
        let top = folder.path().canonicalize().unwrap();
        fs::write(top.join("payload"), "").unwrap();
        symlink("payload", top.join("innocent")).unwrap();
        let link = place(&top.join("innocent"));
        let text = |name: &str| Text::from(top.join(name).to_str().unwrap());
        assert_eq!(resolved(&link, Last::Followed).unwrap(), text("payload"));
        assert_eq!(resolved(&link, Last::Kept).unwrap(), text("innocent"));
    }

    #[test]
    fn a_trip_through_the_root_link_of_proc_is_left_out() {
        let plain = |path| without_magic(Path::new(path));
        assert_eq!(
            plain("/proc/self/root/proc/self/root/etc/cron.d/x"),
            Path::new("etc/cron.d/x")
        );
        assert_eq!(plain("/proc/self/environ"), Path::new("proc/self/environ"));
    }
}
