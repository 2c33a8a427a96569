//! Makes the guest, boots it, shows its console, and ends it when it can't go on.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use super::archive::Archive;
use super::kernel::Line;
use crate::workspace;

/// Many times what it takes: the verifier's work is emulated, on a machine that may be busy. A guest
/// that died is given up at once.
const LONGEST_BOOT: Duration = Duration::from_secs(400);

/// A verifier's log is one line of 50 KB; the kept console has it whole.
const LONGEST_LINE: usize = 400;

/// After one of these the guest does nothing of use any more.
const END_OF_KERNEL: [&str; 5] = [
    "Kernel panic",
    "soft lockup",
    "hard LOCKUP",
    "detected stalls",
    "Attempted to kill init",
];

/// The guest's root: busybox, pkgwarden with the libraries it needs, the two scripts.
pub(super) fn initramfs(sh: &Shell, pkgwarden: &Path) -> anyhow::Result<PathBuf> {
    let mut archive = Archive::default();
    archive.device("/dev/console", 5, 1);
    archive.file("/bin/busybox", &read(&busybox(sh)?)?);
    archive.file("/bin/pkgwarden", &read(&stripped(sh, pkgwarden)?)?);
    for library in libraries(sh, pkgwarden)? {
        archive.file(&library, &read(Path::new(&library))?);
    }
    let scripts = workspace::root().join("xtask/vm");
    archive.file("/init", &read(&scripts.join("init"))?);
    archive.file("/scenario", &read(&scripts.join("scenario"))?);
    let path = folder()?.join("initramfs");
    sh.write_file(&path, archive.finish())?;
    Ok(path)
}

/// The program without its debug information, most of its size: unpacking that takes seconds.
fn stripped(sh: &Shell, program: &Path) -> anyhow::Result<PathBuf> {
    let smaller = folder()?.join("pkgwarden");
    let strip = cmd!(sh, "strip --strip-debug -o {smaller} {program}");
    match strip.quiet().ignore_stderr().run() {
        Ok(()) => Ok(smaller),
        Err(_) => Ok(program.to_owned()),
    }
}

fn folder() -> anyhow::Result<PathBuf> {
    let folder = workspace::root().join("target/vm");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("{} can't be read", path.display()))
}

/// A busybox that needs no libraries.
fn busybox(sh: &Shell) -> anyhow::Result<PathBuf> {
    for place in ["/bin/busybox", "/usr/bin/busybox"] {
        let place = PathBuf::from(place);
        if place.exists() && libraries(sh, &place)?.is_empty() {
            return Ok(place);
        }
    }
    bail!("no statically linked busybox here: install busybox-static");
}

/// The files that the dynamic loader would open, the loader among them; none for a static program.
fn libraries(sh: &Shell, program: &Path) -> anyhow::Result<Vec<String>> {
    let output = cmd!(sh, "ldd {program}").quiet().ignore_status().output()?;
    Ok(String::from_utf8_lossy(&output.stdout)
        .split_whitespace()
        .filter(|word| word.starts_with('/') && !word.ends_with(':'))
        .map(str::to_owned)
        .collect())
}

/// Boots and waits for the end; returns the folder with what the guest sent back.
pub(super) fn boot(
    sh: &Shell,
    line: Line,
    kernel: &Path,
    initramfs: &Path,
) -> anyhow::Result<PathBuf> {
    let place = folder()?.join(line.name());
    sh.remove_path(&place)?;
    sh.create_dir(&place)?;
    let sent = place.join("sent.tar");
    let mut qemu = Command::new("qemu-system-x86_64")
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            "1G",
        ])
        .args([
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ])
        .args(["-serial", "stdio", "-serial"])
        .arg(format!("file:{}", sent.display()))
        .arg("-kernel")
        .arg(kernel)
        .arg("-initrd")
        .arg(initramfs)
        .args(["-append", "console=ttyS0 quiet panic=-1"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64 did not start")?;
    let ended = follow(&mut qemu, line, &place);
    // It has ended, or it must.
    let _ = qemu.kill();
    qemu.wait()?;
    ended?;
    let _place = sh.push_dir(&place);
    cmd!(sh, "tar --extract --file sent.tar")
        .quiet()
        .run()
        .context("the guest did not send back a whole archive")?;
    Ok(place.join("out"))
}

/// Shows and keeps the console until the guest is off; an error if it had to be given up.
fn follow(qemu: &mut Child, line: Line, place: &Path) -> anyhow::Result<()> {
    let console = qemu.stdout.take().context("qemu has no stdout")?;
    let mut log = fs::File::create(place.join("console"))?;
    let (sender, lines) = mpsc::channel();
    // Ends with the console, which ends with qemu.
    thread::spawn(move || {
        for text in BufReader::new(console).split(b'\n').map_while(Result::ok) {
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    let deadline = Instant::now() + LONGEST_BOOT;
    let mut last_words = None;
    loop {
        let now = Instant::now();
        // After a panic the trace is still to come.
        let until = last_words.map_or(deadline, |since| since + Duration::from_secs(3));
        match lines.recv_timeout(until.saturating_duration_since(now)) {
            Ok(text) => {
                let text = printable(&text);
                println!("{:>5} | {}", line.name(), shortened(&text));
                writeln!(log, "{text}")?;
                if END_OF_KERNEL.iter().any(|end| text.contains(end)) {
                    last_words.get_or_insert(now);
                }
            }
            Err(_) if last_words.is_some() => bail!("the kernel died: {}", place.display()),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the guest was not done after {} s", LONGEST_BOOT.as_secs())
            }
        }
    }
}

/// The head of a line; of a longer one its end too, where an error stands.
fn shortened(text: &str) -> String {
    let length = text.chars().count();
    if length <= LONGEST_LINE {
        return text.to_owned();
    }
    let part = LONGEST_LINE / 2;
    let head: String = text.chars().take(part).collect();
    let tail: String = text.chars().skip(length - part).collect();
    format!("{head} […] {tail}")
}

/// The guest's text without what a terminal would act on.
fn printable(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .chars()
        .filter(|c| !c.is_control() || *c == '\t')
        .collect()
}
