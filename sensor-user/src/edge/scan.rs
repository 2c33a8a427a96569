//! A process that ran before the watch began, as /proc shows it: what its exec would have told.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use nix::fcntl::OFlag;
use nix::sys::stat::{FileStat, fstat};

use super::container::cgroup_of;
use super::process::{Held, path, resolve};
use crate::event::redact;
use crate::event::{Exec, Place, ProcessKey, Text, arguments};

/// Of a longer command line the head and the tail are kept, as the probe does.
const ARGUMENT_PART: usize = 16 << 10;
/// Nobody has that uid: a folder that can't be looked at passes for one that anyone may write.
const NOBODYS: u32 = u32::MAX;

/// What was read of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// Its program.
    pub exec: Exec,
    /// Real user id.
    pub uid: u32,
    /// Inode of its cgroup v2 folder; 0 where there is none.
    pub cgroup: u64,
}

/// The last component of the executable's path; none for a kernel thread, or where it is hidden from
/// us. Does not block.
pub fn executable_name(process: ProcessKey) -> Option<Vec<u8>> {
    let link = Held::of(process)?.link("exe").ok()?;
    let bytes = link.as_bytes();
    let kept = bytes.strip_suffix(DELETED).unwrap_or(bytes);
    Some(kept.rsplit(|&byte| byte == b'/').next()?.to_vec())
}

/// What `readlink` of a file without a name ends in.
const DELETED: &[u8] = b" (deleted)";

/// Looks at a process. Its arguments and variables lie in its own memory, and its executable's folder
/// in a file system of its choice: for the bounded pool only.
pub(super) fn look(process: ProcessKey, parent_pid: u32) -> Option<Look> {
    let held = Held::of(process)?;
    let mut exec = Exec {
        parent_pid,
        working_directory: text(held.link("cwd").unwrap_or_default()),
        ..program(&held)?
    };
    match held.read("cmdline") {
        Some(line) => (exec.args, exec.args_truncated) = command_line(&line, &exec.executable.path),
        None => exec.args_truncated = true,
    }
    match held.read("environ") {
        Some(block) => {
            exec.environment_truncated = block.len() as u64 >= Held::READ_LIMIT;
            exec.environment = variables(&block);
        }
        None => exec.environment_truncated = true,
    }
    let look = Look {
        uid: held.uids()?[0],
        cgroup: cgroup_of(&held).unwrap_or(0),
        exec,
    };
    held.is_the_same().then_some(look)
}

/// The executable. What it was asked for by, a script perhaps, nobody remembers.
fn program(held: &Held) -> Option<Exec> {
    let link = held.link("exe").ok()?.into_vec();
    let file = held.follow("exe", OFlag::empty()).ok();
    let stat: Option<FileStat> = file.and_then(|file| fstat(&file).ok());
    let deleted = stat.is_some_and(|stat| stat.st_nlink == 0);
    let name = match deleted {
        true => link.strip_suffix(DELETED).unwrap_or(&link),
        false => &link,
    };
    let folder = path(name).parent().and_then(|folder| {
        let root = held.root().ok()?;
        fstat(&resolve(&root, folder, OFlag::O_DIRECTORY).ok()?).ok()
    });
    Some(Exec {
        executable: Place {
            path: name.into(),
            ..Place::default()
        },
        deleted,
        memfd: deleted && name.starts_with(b"/memfd:"),
        inode: stat.map_or(0, |stat| stat.st_ino),
        owner: stat.map_or(NOBODYS, |stat| stat.st_uid),
        mode: stat.map_or(0, |stat| stat.st_mode),
        directory_owner: folder.map_or(NOBODYS, |stat| stat.st_uid),
        directory_mode: folder.map_or(0, |stat| stat.st_mode),
        ..Exec::default()
    })
}

fn text(link: OsString) -> Text {
    link.into_vec().into()
}

/// The arguments, and whether there may have been others.
fn command_line(line: &[u8], executable: &Text) -> (Vec<Text>, bool) {
    if let Some(mut args) = title(line, executable) {
        redact::args(&mut args);
        return (args, true);
    }
    let truncated = line.len() > 2 * ARGUMENT_PART;
    let mut args = match truncated {
        true => arguments(
            &line[..ARGUMENT_PART],
            &line[line.len() - ARGUMENT_PART..],
            true,
        ),
        false => arguments(line, &[], false),
    };
    redact::args(&mut args);
    (args, truncated)
}

/// npm writes over its arguments what it wants to be seen as: `npm install left-pad`, then zeros. That
/// is one argument of several words and nothing behind it, which nobody else's are.
fn title(line: &[u8], executable: &Text) -> Option<Vec<Text>> {
    let end = line.iter().rposition(|&byte| byte != 0)? + 1;
    let words = &line[..end];
    let padded = line.len() > end + 1;
    if !padded || words.contains(&0) || words.len() > ARGUMENT_PART || words.starts_with(b"/") {
        return None;
    }
    let mut args = vec![Text::from(executable.basename())];
    args.extend(words.split(|&byte| byte == b' ').map(Text::from));
    (args.len() > 2).then_some(args)
}

fn variables(block: &[u8]) -> std::collections::BTreeMap<String, Text> {
    let mut variables = block
        .split(|&byte| byte == 0)
        .filter_map(|variable| {
            let equals = variable.iter().position(|&byte| byte == b'=')?;
            let name = std::str::from_utf8(&variable[..equals]).ok()?;
            Some((name.to_owned(), Text::from(&variable[equals + 1..])))
        })
        .collect();
    redact::environment(&mut variables);
    variables
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};

    use super::*;

    struct Sleeper(Child);

    impl Drop for Sleeper {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn key(child: &Child) -> ProcessKey {
        let stat = procfs::process::Process::new(child.id() as i32)
            .unwrap()
            .stat()
            .unwrap();
        ProcessKey {
            pid: child.id(),
            start: stat.starttime * 1_000_000_000 / procfs::ticks_per_second(),
        }
    }

    #[test]
    fn a_running_program_is_told_as_its_exec_would_have_been_and_keeps_its_secrets() {
        let sleeper = Sleeper(
            Command::new("/bin/sh")
                .args(["-c", "read x; :", "--token", "SECRET-VALUE"])
                .env_clear()
                .env("npm_package_name", "left-pad")
                .env("NPM_TOKEN", "SECRET-VALUE")
                .current_dir("/tmp")
                .stdin(Stdio::piped())
                .spawn()
                .unwrap(),
        );
        let key = key(&sleeper.0);
        // For a moment of its exec a program has no arguments yet.
        let Look { exec, uid, .. } = (0..100)
            .filter_map(|_| {
                let look = look(key, std::process::id())?;
                if look.exec.args.is_empty() {
                    std::thread::sleep(std::time::Duration::from_millis(10));
                }
                (!look.exec.args.is_empty()).then_some(look)
            })
            .next()
            .unwrap();
        assert_eq!(uid, nix::unistd::getuid().as_raw());
        assert!(executable_name(key).is_some_and(|name| exec.executable.path.basename() == name));
        assert_eq!(exec.working_directory.as_bytes(), b"/tmp");
        assert_eq!(exec.args[1].as_bytes(), b"-c");
        assert_eq!(exec.environment["npm_package_name"].as_bytes(), b"left-pad");
        assert!(!format!("{exec:?}").contains("SECRET-VALUE"), "{exec:?}");
        assert!(!exec.args_truncated && !exec.deleted && exec.inode != 0);
    }

    #[test]
    fn what_npm_shows_in_the_place_of_its_arguments_is_read_as_its_command() {
        let node = Text::from("/usr/bin/node");
        let read = |line: &[u8]| command_line(line, &node);
        let words = |args: &[Text]| {
            let words: Vec<_> = args.iter().map(Text::to_str_lossy).collect();
            words.join("|")
        };
        let (args, truncated) = read(b"npm install left-pad\0\0\0\0\0\0");
        assert_eq!(words(&args), "node|npm|install|left-pad");
        assert!(truncated);
        let (args, truncated) = read(b"node\0/usr/bin/npm\0ci\0");
        assert_eq!(words(&args), "node|/usr/bin/npm|ci");
        assert!(!truncated);
        assert_eq!(
            words(&read(b"/opt/my app/run\0\0\0").0),
            "/opt/my app/run||"
        );
        assert_eq!(words(&read(b"yarn\0\0\0").0), "yarn||");
    }

    #[test]
    fn a_process_that_has_ended_is_not_looked_at() {
        let mut child = Command::new("true").spawn().unwrap();
        let key = key(&child);
        child.wait().unwrap();
        assert_eq!(look(key, 1), None);
    }
}
