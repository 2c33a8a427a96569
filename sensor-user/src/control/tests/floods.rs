//! Clients that mean harm, and one that does not beside them.

use std::net::Shutdown;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use proptest::prelude::*;

use super::*;
use crate::state::Query;

/// On two busy cores; measured are a few milliseconds.
const PATIENCE: Duration = Duration::from_secs(2);

fn patient(first_line: u64) -> Limits {
    Limits {
        first_line: Duration::from_millis(first_line),
        stalled: Duration::from_millis(300),
        ..Limits::default()
    }
}

/// Resident memory of this process, in bytes: the daemon's and the clients'.
fn resident() -> u64 {
    let me = procfs::process::Process::myself().unwrap();
    me.statm().unwrap().resident * procfs::page_size()
}

/// Does harm from `threads` threads until the end, and meanwhile asks as a well-behaved client does;
/// returns the longest wait.
fn beside(daemon: &Daemon, threads: usize, harm: impl Fn(&Path) + Sync) -> Duration {
    let path = daemon.path();
    let over = AtomicBool::new(false);
    let mut follower = daemon.client().follow(Query {
        health: true,
        ..Query::default()
    });
    let follower = follower.as_mut().unwrap();
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    harm(&path);
                }
            });
        }
        let begun = Instant::now();
        let mut longest = Duration::ZERO;
        while begun.elapsed() < Duration::from_secs(2) {
            let asked = Instant::now();
            daemon.happens(Happening::Raised(Box::new(entry(0))));
            follower.next().unwrap().unwrap();
            longest = longest.max(asked.elapsed());
            std::thread::sleep(Duration::from_millis(5));
        }
        over.store(true, Ordering::Relaxed);
        longest
    })
}

/// Whether it still answers as if nothing had happened.
fn is_well(daemon: &Daemon) {
    let asked = Instant::now();
    loop {
        match daemon.client().status() {
            Ok(status) => return assert_eq!(status, Status::default()),
            // The flood's last connections go as they are noticed.
            Err(error) => assert!(asked.elapsed() < PATIENCE, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_line_that_makes_no_sense_is_one_sentence_and_the_end() {
    let daemon = Daemon::start(patient(5000));
    for line in [
        "",
        "x",
        "{}",
        "[]",
        "{\"run\":{}",
        "{\"run\":{\"x\":1}}",
        "{\"query\":{\"query\":{\"x\":1},\"drain\":true}}",
        "\0\u{1b}[2J",
    ] {
        let mut raw = daemon.raw();
        raw.say(line);
        let sentence = raw.hear_refusal();
        assert!(sentence.contains("can't be read"), "{line}: {sentence}");
    }
    is_well(&daemon);
}

#[test]
fn a_hundred_thousand_malformed_lines_make_nobody_wait() {
    let daemon = Daemon::start(patient(5000));
    let before = resident();
    let lines = "{\"nonsense\":[1,2,3]}\n".repeat(1000);
    let said = std::sync::atomic::AtomicUsize::new(0);
    let longest = beside(&daemon, 2, |path| {
        let mut raw = Raw::connect(path);
        raw.send(lines.as_bytes());
        assert!(raw.hear().contains("\"error\""));
        said.fetch_add(1000, Ordering::Relaxed);
    });
    let said = said.into_inner();
    println!("{said} malformed lines; the longest wait beside them was {longest:?}");
    assert!(said >= 100_000, "{said} lines only");
    assert!(longest < PATIENCE, "{longest:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    is_well(&daemon);
}

#[test]
fn a_line_without_end_is_cut_off_long_before_its_memory_matters() {
    let daemon = Daemon::start(patient(5000));
    let line = vec![b'['; 4 << 20];
    for first in ["", "{\"run\":{}}\n"] {
        let mut raw = daemon.raw();
        raw.send(first.as_bytes());
        raw.send(&line);
        assert!(raw.hear_refusal().contains("longer than"));
    }
    let before = resident();
    let longest = beside(&daemon, 2, |path| {
        let mut raw = Raw::connect(path);
        raw.send(&line);
        raw.hear();
    });
    println!("beside lines of 4 MiB the longest wait was {longest:?}");
    assert!(longest < PATIENCE, "{longest:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    is_well(&daemon);
}

#[test]
fn who_asks_for_much_and_reads_nothing_is_cut_off() {
    let daemon = Daemon::start(patient(5000));
    let before = resident();
    let mut greedy: Vec<Raw> = (0..32).map(|_| daemon.raw()).collect();
    for raw in &mut greedy {
        raw.say(r#"{"query":{"query":{"health":true,"since":1000000},"drain":true}}"#);
    }
    let longest = beside(&daemon, 0, |_| {});
    println!("beside 32 unread answers the longest wait was {longest:?}");
    assert!(longest < PATIENCE, "{longest:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    is_well(&daemon);
    for raw in &mut greedy {
        while !raw.hear().is_empty() {}
    }
}

#[test]
fn a_thousand_connections_make_nobody_wait_and_leave_nothing() {
    let daemon = Daemon::start(patient(500));
    let before = resident();
    let longest = beside(&daemon, 1, |path| {
        let held: Vec<UnixStream> = (0..1000)
            .filter_map(|_| UnixStream::connect(path).ok())
            .collect();
        assert_eq!(held.len(), 1000);
    });
    println!("beside a thousand connections at a time the longest wait was {longest:?}");
    assert!(longest < PATIENCE, "{longest:?}");
    let grown = resident().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes more");
    is_well(&daemon);
}

#[test]
fn who_says_nothing_is_told_so_and_who_says_half_of_it_as_well() {
    let daemon = Daemon::start(patient(200));
    let mut silent = daemon.raw();
    let mut half = daemon.raw();
    half.send(b"{\"run\":");
    let mut idle = daemon.raw();
    idle.say("{\"run\":{}}");
    assert!(silent.hear_refusal().contains("in time"));
    assert!(half.hear_refusal().contains("in time"));
    assert!(idle.hear_refusal().contains("in time"));
    let mut torn = daemon.raw();
    torn.send(b"{\"sta");
    torn.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(torn.hear_refusal().contains("can't be read"));
    let mut done = daemon.raw();
    done.say(r#"{"status":{}}"#);
    done.stream.get_ref().shutdown(Shutdown::Write).unwrap();
    assert!(done.hear().contains("\"status\""), "it may stop talking");
    is_well(&daemon);
}

#[test]
fn many_who_drain_at_once_share_the_loops_work() {
    let daemon = Daemon::start(patient(5000));
    let longest = beside(&daemon, 8, |path| {
        let mut raw = Raw::connect(path);
        raw.say(r#"{"query":{"query":{},"drain":true}}"#);
        while !raw.hear().is_empty() {}
    });
    println!("beside eight that drain all the time the longest wait was {longest:?}");
    assert!(longest < PATIENCE, "{longest:?}");
}

#[test]
fn who_asks_all_the_time_leaves_the_loop_time_for_its_rings() {
    let daemon = Daemon::start(patient(5000));
    let before = daemon.beats.load(Ordering::Relaxed);
    let begun = Instant::now();
    let longest = beside(&daemon, 4, |path| {
        let mut raw = Raw::connect(path);
        raw.say(r#"{"status":{}}"#);
        raw.hear();
    });
    let beats = daemon.beats.load(Ordering::Relaxed) - before;
    let elapsed = begun.elapsed();
    println!("{beats} readings in {elapsed:?} of questions; the longest wait was {longest:?}");
    assert!(beats > 20, "{beats}");
    assert!(longest < PATIENCE, "{longest:?}");
}

#[test]
fn no_bytes_make_the_server_fall_over() {
    let daemon = Daemon::start(patient(200));
    let config = ProptestConfig::with_cases(64);
    let piece = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..200),
        Just(b"{\"run\":{}}\n".to_vec()),
        Just(b"{\"start\":{}}\n".to_vec()),
        Just(b"{\"watch\":{\"pid\":4294967295}}\n".to_vec()),
        Just(b"{\"drain\":{\"number\":1}}\n".to_vec()),
        Just(b"{\"follow\":{\"query\":{}}}\n".to_vec()),
        Just(b"\n".to_vec()),
    ];
    let pieces = proptest::collection::vec(piece, 0..6);
    proptest!(config, |(pieces in pieces)| {
        let mut raw = daemon.raw();
        for piece in pieces {
            raw.send(&piece);
        }
        raw.stream.get_ref().shutdown(Shutdown::Write).unwrap();
        let mut rest = Vec::new();
        let _ = std::io::Read::read_to_end(&mut raw.stream, &mut rest);
    });
    is_well(&daemon);
}
