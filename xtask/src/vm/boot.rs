//! Boots a guest, shows its console, and ends it when it can't go on.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, bail};
use xshell::{Shell, cmd};

use super::kernel::Line;
use super::qemu::Qemu;
use crate::workspace;

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

/// Where everything about guests lies.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let folder = workspace::root().join("target/vm");
    fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
    Ok(folder)
}

/// What is booted.
pub(super) struct Guest<'a> {
    pub(super) line: Line,
    /// The folder of `target/vm` for what comes of it; also stands before each line of the console.
    pub(super) name: &'a str,
    pub(super) kernel: &'a Path,
    pub(super) initrd: &'a Path,
    /// As qemu takes it.
    pub(super) memory: &'a str,
    /// Added to the kernel's command line.
    pub(super) append: &'a str,
    /// Many times what it takes: all is emulated, on a machine that may be busy. A guest that died
    /// is given up at once.
    pub(super) longest: Duration,
}

/// Boots and waits for the end; returns the folder with what the guest sent back.
pub(super) fn boot(sh: &Shell, guest: &Guest<'_>) -> anyhow::Result<PathBuf> {
    let place = folder()?.join(guest.name);
    sh.remove_path(&place)?;
    sh.create_dir(&place)?;
    let sent = place.join("sent.tar");
    let mut qemu = Qemu::find(sh)?
        .command()
        .args([
            "-accel",
            "tcg,thread=multi",
            "-cpu",
            "max",
            "-smp",
            "2",
            "-m",
            guest.memory,
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
        .arg(guest.kernel)
        .arg("-initrd")
        .arg(guest.initrd)
        .arg("-append")
        .arg(format!("console=ttyS0 quiet panic=-1 {}", guest.append))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("qemu-system-x86_64 did not start")?;
    let ended = follow(&mut qemu, guest, &place);
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
fn follow(qemu: &mut Child, guest: &Guest<'_>, place: &Path) -> anyhow::Result<()> {
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
    let deadline = Instant::now() + guest.longest;
    let mut last_words = None;
    loop {
        let now = Instant::now();
        // After a panic the trace is still to come.
        let until = last_words.map_or(deadline, |since| since + Duration::from_secs(3));
        match lines.recv_timeout(until.saturating_duration_since(now)) {
            Ok(text) => {
                let text = printable(&text);
                println!("{:>5} | {}", guest.line.name(), shortened(&text));
                writeln!(log, "{text}")?;
                if END_OF_KERNEL.iter().any(|end| text.contains(end)) {
                    last_words.get_or_insert(now);
                }
            }
            Err(_) if last_words.is_some() => bail!("the kernel died: {}", place.display()),
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
            Err(RecvTimeoutError::Timeout) => {
                bail!("the guest was not done after {} s", guest.longest.as_secs())
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
