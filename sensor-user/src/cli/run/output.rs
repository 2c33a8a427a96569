//! Output files: opened before the watched command starts, with the caller's credentials, and
//! held. Watched code may own the folder, an earlier one may have planted a link there.
//!
//! The last component is never followed. A link on the way is followed only if the caller or root
//! made it: a link of someone else's in a shared folder would choose the file for the caller.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat, readlinkat};
use nix::sys::stat::{FileStat, Mode, SFlag, fchmod, fstat};
use nix::unistd::{ftruncate, geteuid};

/// As many as the kernel follows.
const LINK_LIMIT: u32 = 40;

/// Why an output can't be opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    #[error("{} can't be opened for writing: {source}", path.display())]
    Failed { path: PathBuf, source: io::Error },
    #[error(
        "{} is a symbolic link, and an output is never written through one: name the file it leads to",
        path.display()
    )]
    Link { path: PathBuf },
    #[error(
        "{} leads through the symbolic link {}, which belongs to uid {owner}: name the real folder",
        path.display(), link.display()
    )]
    ForeignLink {
        path: PathBuf,
        link: PathBuf,
        owner: u32,
    },
    #[error("{} is neither a regular file nor a terminal or the like", path.display())]
    Kind { path: PathBuf },
}

/// How an output is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Emptied, then written once or twice, each time from the start.
    Whole,
    /// Emptied, then added to.
    Stream,
    /// As `Stream`, and readable by its owner only, whatever it was.
    Private,
    /// Added to.
    Append,
}

/// Opens an output file.
pub(crate) fn create(path: &Path, manner: Manner) -> Result<File, OutputError> {
    let failed = |errno: Errno| OutputError::Failed {
        path: path.to_owned(),
        source: errno.into(),
    };
    let (folder, name) = walk(path)?;
    let mode = match manner {
        Manner::Private => Mode::from_bits_truncate(0o600),
        Manner::Whole | Manner::Stream | Manner::Append => Mode::from_bits_truncate(0o644),
    };
    // Two writers of one stream must not overwrite each other.
    let append = match manner {
        Manner::Whole => OFlag::empty(),
        Manner::Stream | Manner::Private | Manner::Append => OFlag::O_APPEND,
    };
    // O_NONBLOCK: a FIFO without a reader is an error and not a wait.
    let flags = OFlag::O_WRONLY
        | OFlag::O_CREAT
        | OFlag::O_NOFOLLOW
        | OFlag::O_CLOEXEC
        | OFlag::O_NOCTTY
        | OFlag::O_NONBLOCK
        | append;
    let file = openat(&folder, name.as_os_str(), flags, mode).map_err(|errno| match errno {
        Errno::ELOOP => OutputError::Link {
            path: path.to_owned(),
        },
        errno => failed(errno),
    })?;
    let kind = kind(&fstat(&file).map_err(failed)?);
    if kind == SFlag::S_IFREG {
        if manner != Manner::Append {
            ftruncate(&file, 0).map_err(failed)?;
        }
        if manner == Manner::Private {
            fchmod(&file, mode).map_err(failed)?;
        }
    } else if kind != SFlag::S_IFCHR {
        // A FIFO would hang the watch as soon as its reader does.
        return Err(OutputError::Kind {
            path: path.to_owned(),
        });
    }
    Ok(File::from(file))
}

fn kind(stat: &FileStat) -> SFlag {
    SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT
}

/// The folder a path lies in, opened step by step, and the last component.
fn walk(path: &Path) -> Result<(OwnedFd, OsString), OutputError> {
    let failed = |errno: Errno| OutputError::Failed {
        path: path.to_owned(),
        source: errno.into(),
    };
    let name = path
        .file_name()
        .filter(|_| !path.as_os_str().as_encoded_bytes().ends_with(b"/"))
        .ok_or_else(|| failed(Errno::EISDIR))?;
    let folder_flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let open_folder = |name: &str| open(name, folder_flags, Mode::empty()).map_err(failed);

    let mut at = open_folder(".")?;
    let mut so_far = PathBuf::new();
    let parent = path.parent().unwrap_or(Path::new(""));
    let mut ahead: VecDeque<PathBuf> = steps(parent);
    let mut links = 0;
    while let Some(step) = ahead.pop_front() {
        if step == Path::new("/") {
            at = open_folder("/")?;
            so_far = step;
            continue;
        }
        let next = openat(
            &at,
            &step,
            OFlag::O_PATH | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC,
            Mode::empty(),
        )
        .map_err(failed)?;
        let stat = fstat(&next).map_err(failed)?;
        if kind(&stat) != SFlag::S_IFLNK {
            so_far.push(&step);
            at = next;
            continue;
        }
        let owner = stat.st_uid;
        if owner != 0 && owner != geteuid().as_raw() {
            return Err(OutputError::ForeignLink {
                path: path.to_owned(),
                link: so_far.join(&step),
                owner,
            });
        }
        links += 1;
        if links > LINK_LIMIT {
            return Err(failed(Errno::ELOOP));
        }
        let target = PathBuf::from(readlinkat(&next, "").map_err(failed)?);
        for step in steps(&target).into_iter().rev() {
            ahead.push_front(step);
        }
    }
    Ok((at, name.to_owned()))
}

fn steps(path: &Path) -> VecDeque<PathBuf> {
    path.components()
        .filter(|component| *component != Component::CurDir)
        .map(|component| PathBuf::from(component.as_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::io::Write;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use nix::unistd::{Uid, mkfifo};

    use super::*;

    #[test]
    fn a_planted_link_in_the_place_of_the_report_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let victim = folder.path().join("victim");
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, folder.path().join("report.json")).unwrap();
        let error = create(&folder.path().join("report.json"), Manner::Whole).unwrap_err();
        assert!(matches!(error, OutputError::Link { .. }), "{error}");
        assert_eq!(fs::read_to_string(victim).unwrap(), "precious");
    }

    #[test]
    fn a_linked_folder_of_the_callers_own_is_followed() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        symlink("real", folder.path().join("alias")).unwrap();
        create(&folder.path().join("alias/../alias/r"), Manner::Whole).unwrap();
        assert!(folder.path().join("real/r").exists());
    }

    #[test]
    fn a_linked_folder_of_someone_else_is_refused() {
        if !Uid::effective().is_root() {
            eprintln!("SKIP: only root can make a link of someone else's");
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("real")).unwrap();
        let link = folder.path().join("alias");
        symlink("real", &link).unwrap();
        std::os::unix::fs::lchown(&link, Some(12345), None).unwrap();
        let error = create(&link.join("r"), Manner::Whole).unwrap_err();
        assert!(
            matches!(error, OutputError::ForeignLink { owner: 12345, .. }),
            "{error}"
        );
    }

    #[test]
    fn links_in_a_circle_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        symlink("b", folder.path().join("a")).unwrap();
        symlink("a", folder.path().join("b")).unwrap();
        assert!(create(&folder.path().join("a/r"), Manner::Whole).is_err());
    }

    #[test]
    fn a_capture_is_private_even_where_an_open_one_lay() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c");
        fs::write(&path, "old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        create(&path, Manner::Private).unwrap();
        let meta = fs::metadata(&path).unwrap();
        assert_eq!((meta.permissions().mode() & 0o777, meta.len()), (0o600, 0));
    }

    #[test]
    fn a_summary_is_added_to() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        fs::write(&path, "one\n").unwrap();
        let mut file = create(&path, Manner::Append).unwrap();
        file.write_all(b"two\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn a_fifo_and_a_folder_are_errors_at_once() {
        let folder = tempfile::tempdir().unwrap();
        mkfifo(&folder.path().join("f"), Mode::S_IRWXU).unwrap();
        assert!(create(&folder.path().join("f"), Manner::Whole).is_err());
        assert!(create(folder.path(), Manner::Whole).is_err());
        assert!(create(&folder.path().join("x/"), Manner::Whole).is_err());
        assert!(create(&folder.path().join("missing/x"), Manner::Whole).is_err());
    }
}
