//! The outbox before a real journald that is stopped, frozen, out of disk or flooded. What is asked
//! each time: is everything there, in order, or counted; and did the sender ever wait.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::raised;
use nix::sys::signal::Signal;
use pkgwarden::alert::schema::Alert;
use pkgwarden::health::metrics::Dropped;
use pkgwarden::sink::Record;
use pkgwarden::sink::outbox::{Limits, Notice, Outbox};
use serde_json::Value;
use tests::{Journal, Scratch, journal, need, require};

/// Nearly every send and turn takes no longer, in a debug build.
const AT_ONCE: Duration = Duration::from_millis(20);
/// None does: what waits for a frozen journald or a disk waits for seconds. Between the two lies what
/// a busy machine gives its cores to meanwhile.
const BLOCKED: Duration = Duration::from_millis(500);

/// Without what makes it long, so that ten thousand fit into what may wait.
fn alert() -> Alert {
    let mut alert = raised::alert("ssh-key");
    alert.ancestry.clear();
    alert.evidence.fields.clear();
    alert.response.clear();
    alert.rule.references.clear();
    alert
}

/// A daemon's sending side, and how long it ever took.
struct Sender {
    outbox: Option<Outbox>,
    alert: Alert,
    raised: usize,
    took: Vec<Duration>,
    notices: Vec<Notice>,
    socket: PathBuf,
    spill: PathBuf,
    limits: Limits,
}

impl Sender {
    fn new(journal: &Journal, scratch: &Scratch, limits: Limits) -> Self {
        let mut sender = Self {
            outbox: None,
            alert: alert(),
            raised: 0,
            took: Vec::new(),
            notices: Vec::new(),
            socket: journal.socket(),
            spill: scratch.out().join("outbox"),
            limits,
        };
        sender.start();
        sender
    }

    fn start(&mut self) {
        let outbox = Outbox::open(&self.socket, Some(&self.spill), self.limits);
        self.outbox = Some(outbox.unwrap());
    }

    fn outbox(&mut self) -> &mut Outbox {
        self.outbox.as_mut().expect("it runs")
    }

    /// Raises that many alerts, one after another, with a turn between them as the daemon's loop has
    /// one between two batches.
    async fn raise(&mut self, count: usize) {
        for _ in 0..count {
            self.alert.id = format!("{:08}", self.raised);
            self.raised += 1;
            let begun = Instant::now();
            let alert = self.alert.clone();
            self.outbox().send(Record::Alert(&alert));
            self.took.push(begun.elapsed());
            let ready = tokio::time::timeout(Duration::ZERO, self.outbox().ready());
            if ready.await.is_ok() {
                self.turn();
            }
        }
    }

    fn turn(&mut self) {
        let begun = Instant::now();
        self.outbox().turn();
        self.took.push(begun.elapsed());
        let notices = self.outbox().notices();
        self.notices.extend(notices);
    }

    /// Goes on for this long, or until nothing waits.
    async fn go_on(&mut self, time: Duration) {
        let until = tokio::time::Instant::now() + time;
        while self.outbox().waiting() > 0
            && tokio::time::timeout_at(until, self.outbox().ready())
                .await
                .is_ok()
        {
            self.turn();
        }
    }

    async fn drain(&mut self) {
        self.go_on(Duration::from_secs(90)).await;
        let figures = self.outbox().figures();
        assert_eq!(self.outbox().waiting(), 0, "{figures:?}");
    }

    fn dropped(&mut self) -> usize {
        let figures = self.outbox().figures();
        figures.dropped.values().sum::<u64>() as usize
    }

    /// With small alerts: cutting a large one takes a debug build its time.
    fn never_waited(&mut self) {
        self.took.sort_unstable();
        let count = self.took.len();
        let most = self.took[count - 1 - count / 100];
        println!("99 of 100 sends and turns took at most {most:?}");
        assert!(most < AT_ONCE, "{most:?}");
        self.was_never_blocked();
    }

    fn was_never_blocked(&self) {
        let longest = self.took.iter().max();
        println!(
            "of {} sends and turns the longest took {longest:?}",
            self.took.len()
        );
        assert!(longest < Some(&BLOCKED), "{longest:?}");
    }

    /// Told once that it fails, and once that it works again.
    fn told_of_one_outage(&self) {
        let over: Vec<bool> = self.notices.iter().map(|notice| notice.over).collect();
        assert_eq!(over, [false, true], "{:?}", self.notices);
    }
}

/// The numbers of the alerts in the journal, in its order, and which of them say that they are late.
fn numbers(journal: &Journal) -> (Vec<usize>, Vec<usize>) {
    let options = [
        "-o",
        "json",
        "--output-fields=PKGWARDEN_ALERT_ID,PKGWARDEN_DELAYED",
        "SYSLOG_IDENTIFIER=pkgwarden",
    ];
    let (mut all, mut late) = (Vec::new(), Vec::new());
    for line in journal.journalctl(&options).lines() {
        let entry: Value = serde_json::from_str(line).unwrap();
        let Some(id) = entry["PKGWARDEN_ALERT_ID"].as_str() else {
            continue;
        };
        let number = id.parse().unwrap();
        all.push(number);
        if entry["PKGWARDEN_DELAYED"] == "1" {
            late.push(number);
        }
    }
    (all, late)
}

/// Waits until journald has written what it took.
fn written(journal: &Journal, count: usize) -> (Vec<usize>, Vec<usize>) {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let (all, late) = numbers(journal);
        if all.len() >= count || Instant::now() > until {
            return (all, late);
        }
        std::thread::sleep(Duration::from_millis(200));
    }
}

fn up_to(count: usize) -> Vec<usize> {
    (0..count).collect()
}

#[tokio::test]
async fn a_journald_that_was_stopped_for_a_while_gets_everything_in_order() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let mut journal = Journal::start(&scratch);
    let patience = Duration::from_secs(2);
    let limits = Limits {
        patience,
        ..Limits::default()
    };
    let mut sender = Sender::new(&journal, &scratch, limits);
    sender.go_on(Duration::from_secs(1)).await;
    sender.raise(20).await;
    sender.drain().await;
    journal.stop();
    sender.raise(300).await;
    sender.go_on(Duration::from_secs(3)).await;
    assert_eq!(sender.outbox().figures().spilled, 300);
    assert_eq!(sender.notices.len(), 1, "{:?}", sender.notices);
    // Another socket at the same path.
    std::fs::remove_file(journal.socket()).unwrap();
    sender.go_on(Duration::from_millis(1500)).await;
    journal.start_again();
    sender.raise(20).await;
    sender.drain().await;
    let (all, late) = written(&journal, 340);
    assert_eq!(all, up_to(340));
    assert!(late.starts_with(&up_to(320)[20..]), "{late:?}");
    assert_eq!(sender.dropped(), 0);
    sender.never_waited();
    sender.told_of_one_outage();
}

#[tokio::test]
async fn a_frozen_journald_gets_everything_in_order_and_small_and_large_alike() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let mut sender = Sender::new(&journal, &scratch, Limits::default());
    journal.signal(Signal::SIGSTOP);
    sender.raise(50).await;
    // Beyond a datagram: these go by memfd.
    let small = sender.alert.clone();
    sender.alert.process.args = vec!["x".repeat(230 << 10)];
    sender.raise(10).await;
    sender.alert = small;
    sender.raise(50).await;
    sender.go_on(Duration::from_secs(7)).await;
    assert!(sender.outbox().waiting() > 80);
    journal.signal(Signal::SIGCONT);
    sender.drain().await;
    let (all, late) = written(&journal, 110);
    assert_eq!(all, up_to(110));
    assert!(late.len() > 80, "{late:?}");
    assert_eq!(sender.dropped(), 0);
    sender.told_of_one_outage();
    let last = sender.notices.last().unwrap();
    assert!(
        last.cause
            .contains(&format!("{} records came late", late.len()))
    );
    assert!(last.cause.ends_with("0 never"), "{last:?}");
    sender.was_never_blocked();
}

#[tokio::test]
async fn ten_thousand_alerts_at_once_arrive_in_order() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let mut sender = Sender::new(&journal, &scratch, Limits::default());
    // Faster than any journald: this one takes nothing meanwhile.
    journal.signal(Signal::SIGSTOP);
    sender.raise(10_000).await;
    println!("{:?}", sender.outbox().figures());
    journal.signal(Signal::SIGCONT);
    let begun = Instant::now();
    sender.drain().await;
    println!("taken within {:?}", begun.elapsed());
    let dropped = sender.dropped();
    assert_eq!(dropped, 0, "{:?}", sender.outbox().figures());
    assert_eq!(written(&journal, 10_000).0, up_to(10_000));
    sender.never_waited();
}

#[tokio::test]
async fn ten_thousand_alerts_before_a_stopped_journald_are_kept_or_counted() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let mut journal = Journal::start(&scratch);
    journal.stop();
    let limits = Limits {
        spill_bytes: 16 << 20,
        ..Limits::default()
    };
    let mut sender = Sender::new(&journal, &scratch, limits);
    sender.raise(10_000).await;
    let figures = sender.outbox().figures();
    println!("{figures:?}");
    assert!(figures.spilled > 1_000, "{figures:?}");
    assert!(figures.spilled_bytes <= 16 << 20, "{figures:?}");
    assert!(figures.queued_bytes <= 8 << 20, "{figures:?}");
    assert!(
        sender
            .notices
            .iter()
            .any(|n| n.cause.contains("do not reach"))
    );
    // The daemon is restarted, then journald comes back.
    let outbox = sender.outbox.take().unwrap();
    let figures = outbox.close(Duration::from_millis(100)).await;
    let dropped = figures.dropped.values().sum::<u64>() as usize;
    assert!(dropped > 0 && dropped < 9_000, "{figures:?}");
    sender.start();
    journal.start_again();
    sender.drain().await;
    let (all, late) = written(&journal, 10_000 - dropped);
    assert_eq!(all.len() + dropped, 10_000);
    assert!(all.is_sorted(), "not in order");
    assert_eq!(all, late);
    sender.never_waited();
}

#[tokio::test]
async fn a_journald_without_disk_blocks_nobody_and_writes_again_when_there_is_room() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let lines = "RateLimitIntervalSec=0\nRateLimitBurst=0\nRuntimeKeepFree=0\n";
    let journal = Journal::with(&scratch, lines, Some("12M"));
    let mut sender = Sender::new(&journal, &scratch, Limits::default());
    sender.raise(20).await;
    sender.drain().await;
    assert_eq!(written(&journal, 20).0, up_to(20));
    let ballast = journal.path("/run/log/journal/ballast");
    fill(&ballast);
    sender.raise(2_000).await;
    sender.drain().await;
    sender.never_waited();
    // It takes what it can't write, so for the sender nothing is wrong: docs/alerts.md says so.
    assert_eq!(sender.dropped(), 0);
    std::thread::sleep(Duration::from_secs(1));
    let there = numbers(&journal).0.len();
    println!("of 2,020 alerts {there} are in the journal");
    std::fs::remove_file(ballast).unwrap();
    sender.raise(20).await;
    sender.drain().await;
    std::thread::sleep(Duration::from_secs(1));
    let (all, _) = numbers(&journal);
    assert!(all.ends_with(&up_to(2_040)[2_020..]), "{:?}", all.last());
}

fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let zeros = vec![0; 1 << 16];
    while std::io::Write::write_all(&mut file, &zeros).is_ok() {}
}

#[tokio::test]
async fn a_spill_on_a_full_disk_is_a_cause_of_its_own_and_memory_goes_on() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let mut journal = Journal::with(&scratch, "RateLimitIntervalSec=0\n", Some("16M"));
    journal.stop();
    let limits = Limits {
        entries: 100,
        ..Limits::default()
    };
    let mut sender = Sender::new(&journal, &scratch, limits);
    // A small disk of its own.
    sender.spill = journal.path("/run/log/journal/outbox");
    sender.start();
    sender.go_on(Duration::from_millis(200)).await;
    fill(&journal.path("/run/log/journal/ballast"));
    sender.raise(400).await;
    let figures = sender.outbox().figures();
    assert!(figures.dropped[&Dropped::SpillFailed] > 200, "{figures:?}");
    let told = sender
        .notices
        .iter()
        .find(|n| n.cause.contains("do not reach"));
    assert!(told.unwrap().cause.contains("No space left"), "{told:?}");
    std::fs::remove_file(journal.path("/run/log/journal/ballast")).unwrap();
    journal.start_again();
    sender.drain().await;
    let dropped = sender.dropped();
    let (all, _) = written(&journal, 400 - dropped);
    assert_eq!(all.len() + dropped, 400);
    assert!(all.is_sorted(), "not in order");
    sender.never_waited();
}
