//! Who watches: nobody, pkgwarden's daemon, or what people use today for the same: exec, connect and
//! open of the whole host, written to a file.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::process::{self, Memory};
use super::stage::Stage;
use crate::workspace;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watcher {
    Nobody,
    Pkgwarden,
    Bpftrace,
    Auditd,
}

const BPFTRACE: &str = r#"
tracepoint:syscalls:sys_enter_execve { printf("exec %d %s %s\n", pid, comm, str(args->filename)); }
tracepoint:syscalls:sys_enter_connect { printf("connect %d %s\n", pid, comm); }
tracepoint:syscalls:sys_enter_openat { printf("open %d %s %s\n", pid, comm, str(args->filename)); }
"#;
const AUDITED: [&str; 8] = [
    "-a",
    "always,exit",
    "-F",
    "arch=b64",
    "-S",
    "execve,connect,openat",
    "-k",
    "bench",
];
/// Once audit was enabled, the kernel gives every new process a context until the next boot, and with
/// it each system call a slower way. This makes it as it is on a machine that never had an auditd.
const NO_CONTEXT: [&str; 2] = ["-a", "never,task"];
const PATIENCE: Duration = Duration::from_secs(30);
/// Whoever watches has caught up by then.
const SETTLED: Duration = Duration::from_millis(300);

impl Watcher {
    pub(super) const ALL: [Watcher; 4] = [
        Watcher::Nobody,
        Watcher::Pkgwarden,
        Watcher::Bpftrace,
        Watcher::Auditd,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Watcher::Nobody => "nobody",
            Watcher::Pkgwarden => "pkgwarden",
            Watcher::Bpftrace => "bpftrace",
            Watcher::Auditd => "auditd",
        }
    }

    /// Why it can't watch here, if it can't.
    pub(super) fn missing(self) -> Option<String> {
        let programs: &[&str] = match self {
            Watcher::Nobody | Watcher::Pkgwarden => &[],
            Watcher::Bpftrace => &["bpftrace"],
            Watcher::Auditd => &["auditd", "auditctl"],
        };
        let there = |program: &str| {
            let found = Command::new("sh")
                .args(["-c", &format!("command -v {program}")])
                .output();
            found.is_ok_and(|found| found.status.success())
        };
        if let Some(program) = programs.iter().find(|program| !there(program)) {
            return Some(format!(
                "{program} is not here: `cargo xtask setup --bench` installs it"
            ));
        }
        let busy = self == Watcher::Auditd && audit_pid().is_some_and(|pid| pid != 0);
        busy.then(|| "this machine has an auditd of its own, which stays as it is".to_owned())
    }

    /// Starts watching; what happens from here on is seen.
    pub(super) fn start(self, stage: &Stage) -> anyhow::Result<Watching<'_>> {
        self.start_with(stage, &[])
    }

    /// With more options, for pkgwarden.
    pub(super) fn start_with<'s>(
        self,
        stage: &'s Stage,
        options: &[&str],
    ) -> anyhow::Result<Watching<'s>> {
        let mut notified = None;
        let child = match self {
            Watcher::Nobody => None,
            Watcher::Pkgwarden => {
                let (child, socket) = daemon(stage, options)?;
                notified = Some(socket);
                Some(child)
            }
            Watcher::Bpftrace => Some(bpftrace(stage)?),
            Watcher::Auditd => Some(auditd(stage)?),
        };
        let mut watching = Watching {
            stage,
            watcher: self,
            child,
            _notified: notified,
            before: 0.0,
        };
        std::thread::sleep(SETTLED);
        watching.before = watching.used()?;
        Ok(watching)
    }
}

/// No process has an audit context, but beside auditd. Until this is dropped.
#[derive(Debug)]
pub(super) struct WithoutAudit(bool);

impl WithoutAudit {
    pub(super) fn begin() -> Self {
        let is_ours = Watcher::Auditd.missing().is_none();
        Self(is_ours && auditctl(&NO_CONTEXT).is_ok())
    }
}

impl Drop for WithoutAudit {
    fn drop(&mut self) {
        if self.0 {
            let [_, list] = NO_CONTEXT;
            let _ = auditctl(&["-d", list]);
        }
    }
}

/// Somebody who watches. Ends when dropped.
pub(super) struct Watching<'s> {
    stage: &'s Stage,
    watcher: Watcher,
    child: Option<Child>,
    /// What the daemon tells its supervisor; it says little more than READY.
    _notified: Option<UnixDatagram>,
    before: f64,
}

impl Watching<'_> {
    /// Seconds of CPU since the start, once it has caught up.
    pub(super) fn cpu(&self) -> anyhow::Result<f64> {
        std::thread::sleep(SETTLED);
        Ok(self.used()? - self.before)
    }

    fn used(&self) -> anyhow::Result<f64> {
        let own = self
            .child
            .as_ref()
            .map_or(Ok(0.0), |child| process::cpu(child.id()))?;
        // The kernel's own thread hands the records on.
        let thread = match self.watcher {
            Watcher::Auditd => kauditd().map_or(Ok(0.0), process::cpu)?,
            _ => 0.0,
        };
        Ok(own + thread)
    }

    pub(super) fn memory(&self) -> anyhow::Result<Memory> {
        process::memory(self.child.as_ref().context("nobody watches")?.id())
    }

    /// Events that pkgwarden's daemon lost.
    pub(super) fn lost(&self) -> anyhow::Result<f64> {
        self.metric("pkgwarden_events_lost_total")
    }

    /// The sum of a metric of pkgwarden's daemon.
    pub(super) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut stream = UnixStream::connect(self.stage.path("control"))?;
        stream.write_all(b"{\"metrics\":{}}\n")?;
        stream.shutdown(Shutdown::Write)?;
        let mut line = String::new();
        BufReader::new(stream).read_line(&mut line)?;
        let answer: serde_json::Value = serde_json::from_str(&line)?;
        let text = answer["metrics"]
            .as_str()
            .context("the daemon gave no metrics")?;
        let values: Vec<f64> = text
            .lines()
            .filter(|line| {
                let rest = line.strip_prefix(name);
                rest.is_some_and(|rest| rest.starts_with(['{', ' ']))
            })
            .filter_map(|line| line.rsplit(' ').next()?.parse().ok())
            .collect();
        ensure!(!values.is_empty(), "the daemon has no metric {name}");
        Ok(values.iter().sum())
    }
}

impl Drop for Watching<'_> {
    fn drop(&mut self) {
        if self.watcher == Watcher::Auditd {
            let _ = auditctl(&["-D"]);
            let _ = auditctl(&["-e", "0"]);
            let _ = auditctl(&NO_CONTEXT);
        }
        if let Some(mut child) = self.child.take() {
            let signal = match self.watcher {
                Watcher::Bpftrace => Signal::SIGINT,
                _ => Signal::SIGTERM,
            };
            let _ = kill(Pid::from_raw(child.id().cast_signed()), signal);
            let _ = child.wait();
        }
        // What a host would keep is not what is measured: the next one begins anew.
        for file in ["bpftrace.out", "audit/audit.log"] {
            let _ = fs::remove_file(self.stage.path(file));
        }
    }
}

fn daemon(stage: &Stage, options: &[&str]) -> anyhow::Result<(Child, UnixDatagram)> {
    let (state, notify) = (stage.path("state"), stage.path("notify"));
    let _ = fs::remove_dir_all(&state);
    let _ = fs::remove_file(&notify);
    let socket = UnixDatagram::bind(&notify)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let log = stage.path("daemon.log");
    let mut command = stage.command("nice");
    command
        .args(["-n", &niceness()?])
        .arg(&stage.pkgwarden)
        .arg("daemon")
        .arg("--state")
        .arg(state)
        .arg("--control")
        .arg(stage.path("control"))
        .arg("--journal-socket")
        .arg(match &stage.journal {
            Some(journal) => journal.socket(),
            None => stage.path("no-journal"),
        })
        .args(options)
        .env("NOTIFY_SOCKET", &notify)
        .stderr(File::create(&log)?);
    let begun = Instant::now();
    let child = command.spawn()?;
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).with_context(|| {
            let said = fs::read_to_string(&log).unwrap_or_default();
            format!("the daemon did not become ready; it said:\n{said}")
        })?;
        if message[..length].windows(7).any(|part| part == b"READY=1") {
            break;
        }
    }
    stage.ready(begun.elapsed());
    Ok((child, socket))
}

/// The `Nice=` of the unit.
fn niceness() -> anyhow::Result<String> {
    let unit = workspace::root().join("packaging/pkgwarden.service");
    let text = fs::read_to_string(&unit)?;
    let nice = text.lines().find_map(|line| line.strip_prefix("Nice="));
    let nice = nice.with_context(|| format!("{} has no Nice=", unit.display()))?;
    Ok(nice.to_owned())
}

/// bpftrace looks for its tracepoints there, and not every machine has it mounted.
const WITH_TRACEFS: &str = r#"mount -t tracefs nodev /sys/kernel/tracing 2>/dev/null; exec "$@""#;

fn bpftrace(stage: &Stage) -> anyhow::Result<Child> {
    let output = stage.path("bpftrace.out");
    let child = stage
        .command("unshare")
        .args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            WITH_TRACEFS,
        ])
        .args(["sh", "bpftrace", "-o"])
        .arg(&output)
        .args(["-e", BPFTRACE])
        .spawn()?;
    wait("bpftrace does not begin", || {
        fs::metadata(&output).is_ok_and(|file| file.len() > 0)
    })?;
    Ok(child)
}

fn auditd(stage: &Stage) -> anyhow::Result<Child> {
    let folder = stage.path("audit");
    fs::create_dir_all(&folder)?;
    let log = folder.join("audit.log");
    let settings = format!(
        "log_file = {}\nlog_format = RAW\nflush = INCREMENTAL_ASYNC\nfreq = 50\nmax_log_file = 512\n\
         max_log_file_action = IGNORE\nspace_left = 75\nspace_left_action = IGNORE\n\
         admin_space_left = 50\nadmin_space_left_action = IGNORE\ndisk_full_action = IGNORE\n\
         disk_error_action = IGNORE\nname_format = NONE\n",
        log.display()
    );
    fs::write(folder.join("auditd.conf"), settings)?;
    let child = stage
        .command("auditd")
        .arg("-n")
        .arg("-c")
        .arg(&folder)
        .spawn()?;
    wait("auditd does not begin", || audit_pid() == Some(child.id()))?;
    auditctl(&["-D"])?;
    auditctl(&["-b", "8192"])?;
    auditctl(&AUDITED)?;
    auditctl(&["-e", "1"])?;
    Ok(child)
}

fn wait(what: &str, ready: impl Fn() -> bool) -> anyhow::Result<()> {
    let until = Instant::now() + PATIENCE;
    while !ready() {
        if Instant::now() > until {
            bail!("{what}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn auditctl(arguments: &[&str]) -> anyhow::Result<String> {
    let output = Command::new("auditctl")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("auditctl")?;
    ensure!(
        output.status.success(),
        "auditctl {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr).trim()
    );
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Who receives the kernel's audit records; 0 for nobody.
fn audit_pid() -> Option<u32> {
    let status = auditctl(&["-s"]).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("pid "))?;
    line.trim().parse().ok()
}

fn kauditd() -> Option<u32> {
    fs::read_dir("/proc")
        .ok()?
        .filter_map(Result::ok)
        .find_map(|entry| {
            let pid = entry.file_name().to_str()?.parse().ok()?;
            let name = fs::read_to_string(entry.path().join("comm")).ok()?;
            (name == "kauditd\n").then_some(pid)
        })
}
