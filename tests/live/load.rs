//! As much as the machine can do, with default sizes: who descends from whom is never lost, every
//! event is accounted for, memory stays within bounds, and nothing that is watched has to wait.

use std::fs;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tests::{Running, Scratch, Seen, Turn, Watched, need, require};

const LOAD: &str = env!("CARGO_BIN_EXE_load");
/// Without the rings. What a full ring holds, decoded, is most of it; a debug build is large itself.
const MEMORY_MIB: u64 = 96;
/// Lost ones would break lineage.
const PROCESS_KINDS: [&str; 3] = ["fork", "exec", "exit"];

/// Watches how much memory a process takes, until it ends.
fn peak(running: &Running) -> JoinHandle<u64> {
    let pid = running.pid();
    thread::spawn(move || {
        let mut most = 0;
        while let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) {
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let Some(line) = line else { break };
            let peak: u64 = line.split_whitespace().next().unwrap().parse().unwrap();
            most = most.max(peak.saturating_sub(rings(pid.as_raw())) / 1024);
            thread::sleep(Duration::from_millis(100));
        }
        most
    })
}

/// What the mapped rings take, in KiB.
fn rings(pid: i32) -> u64 {
    let maps = fs::read_to_string(format!("/proc/{pid}/smaps")).unwrap_or_default();
    let mut of_a_map = false;
    let mut sum = 0;
    for line in maps.lines() {
        if let Some(size) = line.strip_prefix("Rss:").filter(|_| of_a_map) {
            sum += size
                .split_whitespace()
                .next()
                .unwrap()
                .parse::<u64>()
                .unwrap();
        } else if line.split(' ').next().unwrap().contains('-') {
            of_a_map = line.contains("bpf-map");
        }
    }
    sum
}

/// Runs a load under watch and checks what holds for every one of them.
fn under_load(what: &str, scratch: &Scratch, arguments: &[&str]) -> (Seen, Duration) {
    let begun = Instant::now();
    let running = Watched::run(scratch, [&[LOAD], arguments].concat())
        .unrecorded()
        .deadline(60)
        .start();
    let peak = peak(&running);
    let seen = running.wait();
    let took = begun.elapsed();
    let peak = peak.join().unwrap();
    seen.ended_with(0).sums();
    let completeness = &seen.report["completeness"];
    println!(
        "LOAD {what}: {:.1} s, {} events, {} lost, {peak} MiB at most, it printed {}",
        took.as_secs_f64(),
        completeness["generated"],
        completeness["lost"],
        seen.stdout.trim()
    );
    for kind in PROCESS_KINDS {
        let lost = &completeness["lost_by_kind"][kind];
        assert!(lost.is_null(), "{kind}: {lost} lost\n{seen:?}");
    }
    assert!(peak > 0, "no memory was measured");
    assert!(peak <= MEMORY_MIB, "{peak} MiB without the rings\n{seen:?}");
    (seen, took)
}

/// Events of all kinds that the probes made.
fn generated(seen: &Seen) -> u64 {
    seen.report["completeness"]["generated"].as_u64().unwrap()
}

#[test]
fn an_exec_storm_as_fast_as_the_machine_forks_breaks_no_lineage() {
    need!(require::live());
    const SECONDS: u64 = 20;
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    let jobs = thread::available_parallelism().map_or(2, usize::from);

    let (seen, took) = under_load(
        "exec storm",
        &scratch,
        &["storm", &SECONDS.to_string(), &jobs.to_string()],
    );

    let started: u64 = seen.stdout.trim().parse().unwrap();
    assert!(started > 1_000, "{started} programs in {SECONDS} s");
    // The generator itself is one more.
    assert_eq!(seen.report["processes"], started + 1, "{seen:?}");
    assert!(took < Duration::from_secs(SECONDS + 15), "{took:?}");
}

#[test]
fn two_hundred_thousand_opens_are_accounted_for() {
    need!(require::live());
    const OPENS: u64 = 200_000;
    let _turn = Turn::alone();
    let scratch = Scratch::new();
    // A file that rules ask for: each open is a record.
    let file = scratch.write(".npmrc", "x").display().to_string();

    let (seen, _) = under_load("opens", &scratch, &["open", &OPENS.to_string(), &file]);

    assert!(generated(&seen) >= OPENS, "{seen:?}");
}

#[test]
fn fifty_thousand_connects_are_accounted_for() {
    need!(require::live());
    const CONNECTS: u64 = 50_000;
    let _turn = Turn::alone();
    let scratch = Scratch::new();

    let (seen, _) = under_load("connects", &scratch, &["connect", &CONNECTS.to_string()]);

    // The connect and its end.
    assert!(generated(&seen) >= 2 * CONNECTS, "{seen:?}");
    let completeness = &seen.report["completeness"];
    let lost = completeness["lost"].as_u64().unwrap();
    let counted: u64 = seen
        .connections(9)
        .iter()
        .map(|connection| connection["count"].as_u64().unwrap())
        .sum();
    assert!(counted + lost >= CONNECTS, "{counted} and {lost}\n{seen:?}");
}
