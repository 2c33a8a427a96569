//! Does numbered things, so that a test can tell which of them were seen.
//!
//! `act KIND COUNT TAG FOLDER`: act number 7 of tag `in` carries `in-000007` in its argument, path or
//! address. `act chain COUNT …` is the four counted kinds one after the other.

use std::fs::{self, File};
use std::io;
use std::net::{SocketAddr, TcpStream, UdpSocket};
use std::os::fd::AsFd;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, exit};
use std::time::Duration;

use nix::fcntl::{OFlag, RenameFlags, openat, renameat2};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::stat::Mode;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [kind, count, tag, folder] = args.as_slice() else {
        eprintln!("usage: act KIND COUNT TAG FOLDER");
        exit(64);
    };
    let count: u32 = count.parse().expect("COUNT is a number");
    let folder = PathBuf::from(folder);
    let kinds: &[&str] = match kind.as_str() {
        "chain" => &["exec", "open", "connect", "rename"],
        one => &[one],
    };
    for kind in kinds {
        for number in 1..=count {
            act(kind, &format!("{tag}-{number:06}"), number, tag, &folder)
                .unwrap_or_else(|error| panic!("{kind} {number}: {error}"));
        }
    }
}

fn act(kind: &str, name: &str, number: u32, tag: &str, folder: &Path) -> io::Result<()> {
    let file = |end: &str| folder.join(format!("{name}.{end}"));
    match kind {
        "exec" => {
            Command::new("/bin/true")
                .arg(format!("exec-{name}"))
                .status()?;
        }
        // Too long for a ring of one page.
        "long-exec" => {
            Command::new("/bin/true")
                .arg(format!("exec-{name}"))
                .arg("x".repeat(12_000))
                .status()?;
        }
        "failed-exec" => {
            let error = Command::new(folder.join(format!("no-such-program-{name}")))
                .status()
                .expect_err("there is no such program");
            assert_eq!(error.kind(), io::ErrorKind::NotFound);
        }
        "open" => drop(File::create(file("numbered"))?),
        "failed-open" => {
            File::open(file("missing.numbered")).expect_err("there is no such file");
        }
        // Opened through a path that says something else than where the file lies.
        "symlinked" => {
            let (real, link) = (folder.join("real"), folder.join("link"));
            fs::create_dir_all(&real)?;
            if !link.exists() {
                symlink(&real, &link)?;
            }
            drop(File::create(
                folder.join(format!("link/../link/{name}.numbered")),
            )?);
        }
        "deep" => {
            let mut deep = folder.to_owned();
            deep.extend((0..60).map(|level| format!("level-{level:02}")));
            fs::create_dir_all(&deep)?;
            drop(File::create(deep.join(format!("{name}.numbered")))?);
        }
        "dirfd" => {
            let base = File::open(folder)?;
            let flags = OFlag::O_CREAT | OFlag::O_WRONLY | OFlag::O_CLOEXEC;
            openat(
                base.as_fd(),
                format!("{name}.numbered").as_str(),
                flags,
                Mode::S_IRWXU,
            )?;
        }
        "dirfd-rename" => {
            File::create(file("before.numbered"))?;
            let base = File::open(folder)?;
            renameat2(
                base.as_fd(),
                format!("{name}.before.numbered").as_str(),
                base.as_fd(),
                format!("{name}.after.numbered").as_str(),
                RenameFlags::RENAME_NOREPLACE,
            )?;
        }
        "rename" => {
            File::create(file("before.numbered"))?;
            fs::rename(file("before.numbered"), file("after.numbered"))?;
        }
        "chmod" => {
            File::options()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(file("numbered"))?;
            fs::set_permissions(file("numbered"), fs::Permissions::from_mode(0o755))?;
        }
        "connect" => {
            let refused = TcpStream::connect_timeout(&address(number, tag), Duration::from_secs(5));
            refused.expect_err("nothing listens there");
        }
        "udp" => {
            UdpSocket::bind("127.0.0.1:0")?.send_to(b"x", address(number, tag))?;
        }
        "memfd" => {
            let memory = memfd_create(c"fileless", MFdFlags::empty())?;
            let mut program = File::open("/bin/true")?;
            io::copy(&mut program, &mut File::from(memory.try_clone()?))?;
            use std::os::fd::AsRawFd;
            let path = format!("/proc/{}/fd/{}", std::process::id(), memory.as_raw_fd());
            Command::new(path).arg(format!("exec-{name}")).status()?;
        }
        unknown => {
            eprintln!("act: there is no kind {unknown:?}");
            exit(64);
        }
    }
    Ok(())
}

/// Loopback, port 9; the number is in the address: `in` below 127.10, others below 127.11.
fn address(number: u32, tag: &str) -> SocketAddr {
    let net = if tag == "in" { 10 } else { 11 };
    let [_, _, high, low] = number.to_be_bytes();
    SocketAddr::from(([127, net, high, low], 9))
}
