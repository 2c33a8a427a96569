//! Against a socket of the test's own, which is away, slow or never read.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::*;
use crate::alert::sample;
use crate::health::Health;

const PATIENCE: Duration = Duration::from_millis(100);

struct Away {
    folder: TempDir,
    limits: Limits,
}

impl Away {
    fn new(entries: usize, spill_bytes: u64) -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            limits: Limits {
                entries,
                spill_bytes,
                patience: PATIENCE,
                ..Limits::default()
            },
        }
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    fn spill(&self) -> PathBuf {
        self.folder.path().join("outbox")
    }

    fn outbox(&self) -> Outbox {
        Outbox::open(&self.socket(), Some(&self.spill()), self.limits).unwrap()
    }

    fn without_spill(&self) -> Outbox {
        Outbox::open(&self.socket(), None, self.limits).unwrap()
    }

    /// journald comes back.
    fn listens(&self) -> UnixDatagram {
        let _ = std::fs::remove_file(self.socket());
        let socket = UnixDatagram::bind(self.socket()).unwrap();
        socket.set_nonblocking(true).unwrap();
        socket
    }
}

fn numbered(number: usize) -> Health {
    let mut health = sample::health();
    health.cause = format!("number {number}.");
    health
}

fn send(outbox: &mut Outbox, numbers: std::ops::Range<usize>) {
    for number in numbers {
        outbox.send(Record::Health(&numbered(number)));
    }
}

/// The numbers of what has arrived, and whether each says that it is late.
fn received(socket: &UnixDatagram, into: &mut Vec<(usize, bool)>) {
    let mut bytes = vec![0; 1 << 20];
    while let Ok(length) = socket.recv(&mut bytes) {
        let text = String::from_utf8_lossy(&bytes[..length]);
        let number = text.split("number ").nth(1).unwrap();
        let number = number.split('.').next().unwrap().parse().unwrap();
        into.push((number, text.contains("PKGWARDEN_DELAYED")));
    }
}

/// As the daemon's loop does, until `done`.
async fn turn_until(outbox: &mut Outbox, mut done: impl FnMut(&Outbox) -> bool) {
    let until = Instant::now() + Duration::from_secs(20);
    while !done(outbox) {
        assert!(Instant::now() < until, "{:?}", outbox.figures());
        tokio::select! {
            () = outbox.ready() => outbox.turn(),
            () = tokio::time::sleep(Duration::from_millis(5)) => {}
        }
    }
}

async fn drained(outbox: &mut Outbox, socket: &UnixDatagram) -> Vec<(usize, bool)> {
    let mut arrived = Vec::new();
    turn_until(outbox, |outbox| {
        received(socket, &mut arrived);
        outbox.waiting() == 0
    })
    .await;
    received(socket, &mut arrived);
    arrived
}

fn in_order(arrived: &[(usize, bool)], count: usize) {
    let numbers: Vec<usize> = arrived.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, (0..count).collect::<Vec<_>>());
}

#[tokio::test]
async fn with_a_listening_journald_a_record_is_sent_at_once() {
    let away = Away::new(16, 1 << 20);
    let socket = away.listens();
    let mut outbox = away.without_spill();
    send(&mut outbox, 0..1);
    let mut arrived = Vec::new();
    received(&socket, &mut arrived);
    assert_eq!(arrived, [(0, false)]);
    assert_eq!(outbox.figures().sent, 1);
    assert_eq!(outbox.waiting(), 0);
}

#[tokio::test]
async fn a_slow_journald_gets_everything_in_order_and_none_of_it_is_called_late() {
    let away = Away::new(4096, 1 << 20);
    let socket = away.listens();
    let mut outbox = away.without_spill();
    send(&mut outbox, 0..2000);
    assert!(outbox.figures().queued > 1000);
    let arrived = drained(&mut outbox, &socket).await;
    in_order(&arrived, 2000);
    assert!(arrived.iter().all(|(_, late)| !late));
    assert_eq!(outbox.figures().dropped.len(), 0);
}

#[tokio::test]
async fn what_waited_for_longer_than_a_second_is_on_disk_and_says_that_it_is_late() {
    let away = Away::new(4096, 1 << 20);
    let mut outbox = away.outbox();
    send(&mut outbox, 0..10);
    turn_until(&mut outbox, |outbox| outbox.figures().spilled == 10).await;
    let notices = outbox.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].cause.contains("takes no entries"), "{notices:?}");
    assert!(notices[0].since.is_some() && !notices[0].over);

    let socket = away.listens();
    let arrived = drained(&mut outbox, &socket).await;
    in_order(&arrived, 10);
    assert!(arrived.iter().all(|(_, late)| *late));
    let figures = outbox.figures();
    assert_eq!((figures.sent, figures.late, figures.spilled), (10, 10, 0));
    let notices = outbox.notices();
    assert_eq!(notices.len(), 1, "{notices:?}");
    assert!(notices[0].over);
    assert!(
        notices[0].cause.ends_with("10 records came late, 0 never"),
        "{notices:?}"
    );
    turn_until(&mut outbox, |_| {
        std::fs::read_dir(away.spill()).unwrap().count() == 0
    })
    .await;
}

#[tokio::test]
async fn beyond_memory_records_spill_and_come_in_order_with_those_behind_them() {
    let away = Away::new(64, 1 << 20);
    let mut outbox = away.outbox();
    for number in 0..400 {
        outbox.send(Record::Health(&numbered(number)));
        // The disk is given time, as the daemon's loop does.
        if number % 16 == 0 {
            turn_until(&mut outbox, |outbox| !outbox.disk.as_ref().unwrap().busy).await;
        }
    }
    assert!(outbox.figures().spilled > 200, "{:?}", outbox.figures());
    assert!(outbox.figures().queued <= 64);
    let socket = away.listens();
    in_order(&drained(&mut outbox, &socket).await, 400);
    assert!(outbox.figures().dropped.is_empty());
}

#[tokio::test]
async fn what_waits_survives_a_restart_and_comes_first() {
    let away = Away::new(64, 1 << 20);
    let mut outbox = away.outbox();
    send(&mut outbox, 0..40);
    let figures = outbox.close(Duration::from_millis(50)).await;
    assert!(figures.dropped.is_empty(), "{figures:?}");
    assert_eq!(figures.spilled, 40);

    let socket = away.listens();
    let mut outbox = away.outbox();
    send(&mut outbox, 40..50);
    let arrived = drained(&mut outbox, &socket).await;
    in_order(&arrived, 50);
    assert!(arrived[..40].iter().all(|(_, late)| *late));
    assert!(arrived[40..].iter().all(|(_, late)| !late));
}

#[tokio::test]
async fn a_restart_in_the_middle_of_sending_loses_nothing() {
    let away = Away::new(4096, 1 << 22);
    let mut outbox = away.outbox();
    send(&mut outbox, 0..1000);
    outbox.close(Duration::ZERO).await;
    let socket = away.listens();
    let mut arrived = Vec::new();
    let mut outbox = away.outbox();
    turn_until(&mut outbox, |outbox| {
        received(&socket, &mut arrived);
        outbox.figures().sent > 300
    })
    .await;
    // No close: as after SIGKILL.
    drop(outbox);
    received(&socket, &mut arrived);
    let mut outbox = away.outbox();
    arrived.extend(drained(&mut outbox, &socket).await);
    arrived.sort_unstable();
    arrived.dedup();
    in_order(&arrived, 1000);
}

#[tokio::test]
async fn beyond_every_bound_the_newest_are_dropped_counted_and_told() {
    let away = Away::new(16, 16 << 10);
    let mut outbox = away.outbox();
    for number in 0..300 {
        outbox.send(Record::Health(&numbered(number)));
        turn_until(&mut outbox, |outbox| !outbox.disk.as_ref().unwrap().busy).await;
    }
    let figures = outbox.figures();
    let dropped = figures.dropped[&Dropped::SpillFull];
    assert!(dropped > 100, "{figures:?}");
    let notices = outbox.notices();
    let told = notices
        .iter()
        .find(|notice| notice.cause.contains("do not reach"));
    assert!(told.unwrap().cause.contains("space on disk"), "{notices:?}");
    // The first, and then each time there are twice as many.
    assert!(notices.len() < 12, "{notices:?}");

    let socket = away.listens();
    let arrived = drained(&mut outbox, &socket).await;
    assert_eq!(
        arrived.len() as u64 + figures.dropped.values().sum::<u64>(),
        300
    );
    in_order(&arrived, arrived.len());
    let last = outbox.notices().pop().unwrap();
    assert!(
        last.over && last.cause.contains(&format!("{dropped} never")),
        "{last:?}"
    );
}

#[tokio::test]
async fn without_a_folder_memory_alone_is_the_bound() {
    let away = Away::new(16, 0);
    let mut outbox = away.without_spill();
    send(&mut outbox, 0..20);
    assert_eq!(outbox.figures().dropped[&Dropped::QueueFull], 4);
    let figures = outbox.close(Duration::from_millis(20)).await;
    assert_eq!(figures.dropped[&Dropped::Closed], 16);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_told_and_the_rest_works() {
    let away = Away::new(16, 1 << 20);
    std::fs::write(away.spill(), "a file").unwrap();
    let socket = away.listens();
    let mut outbox = away.outbox();
    send(&mut outbox, 0..8);
    in_order(&drained(&mut outbox, &socket).await, 8);
    let notice = outbox.notices().remove(0);
    assert!(notice.cause.contains("can't be used"), "{notice:?}");
}

#[tokio::test]
async fn a_disk_that_cannot_be_written_is_a_cause_of_its_own() {
    let away = Away::new(16, 1 << 20);
    let mut outbox = away.outbox();
    turn_until(&mut outbox, |outbox| !outbox.disk.as_ref().unwrap().busy).await;
    std::fs::remove_dir_all(away.spill()).unwrap();
    for number in 0..40 {
        outbox.send(Record::Health(&numbered(number)));
        turn_until(&mut outbox, |outbox| !outbox.disk.as_ref().unwrap().busy).await;
    }
    let figures = outbox.figures();
    assert_eq!(figures.dropped[&Dropped::SpillFailed], 24, "{figures:?}");
    assert_eq!(figures.queued, 16);
    let socket = away.listens();
    in_order(&drained(&mut outbox, &socket).await, 16);
}

#[tokio::test]
async fn a_backlog_is_worked_off_in_slices_that_leave_the_loop_to_others() {
    let away = Away::new(1 << 20, 0);
    let mut outbox = away.without_spill();
    send(&mut outbox, 0..5000);
    let socket = away.listens();
    let mut longest = Duration::ZERO;
    let mut arrived = Vec::new();
    while outbox.waiting() > 0 {
        outbox.ready().await;
        let begun = Instant::now();
        outbox.turn();
        longest = longest.max(begun.elapsed());
        received(&socket, &mut arrived);
    }
    in_order(&arrived, 5000);
    assert!(longest < Duration::from_millis(100), "{longest:?}");
}

#[test]
fn a_notice_is_a_health_record_and_its_end_is_no_alarm() {
    let notice = Notice {
        cause: "why".to_owned(),
        since: Some(jiff::Timestamp::UNIX_EPOCH),
        over: false,
    };
    let host = sample::health().host;
    let failing = notice
        .clone()
        .health(host.clone(), jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(failing.code, crate::health::Code::OutputFailing);
    assert_eq!(failing.level, crate::detect::Level::High);
    assert_eq!(
        failing.since.as_deref(),
        Some("1970-01-01T00:00:00.000000000Z")
    );
    let over = Notice {
        over: true,
        ..notice
    }
    .health(host, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(over.level, crate::detect::Level::Informational);
}
