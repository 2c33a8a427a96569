//! What a layer of the daemon must not reach for: a pure core replays a capture to the same alerts,
//! and a daemon that never connects can't be made to.

use std::path::Path;

use super::Finding;
use super::checks::has_word;
use super::scrub::Source;

/// No I/O, no clock, no process: everything comes in as an event.
const PURE: [&str; 6] = [
    "sensor-user/src/lineage",
    "sensor-user/src/attribution",
    "sensor-user/src/names",
    "sensor-user/src/detect",
    "sensor-user/src/alert",
    "sensor-user/src/core",
];

/// The one thing that a pure folder reads: rules, which are trusted, before the first event.
const READS_RULES: &str = "sensor-user/src/detect";

const CLOCKS: [&str; 3] = ["SystemTime", "Instant", "Timestamp::now"];
const SURROUNDINGS: [&str; 5] = ["std::env", "std::process", "tokio", "procfs", "aya"];
const CONNECTIONS: [&str; 5] = [
    "TcpStream",
    "TcpSocket",
    "UdpSocket",
    "ToSocketAddrs",
    "lookup_host",
];

pub(super) fn reach(source: &Source<'_>, file: &Path) -> Vec<Finding> {
    if !file.starts_with("sensor-user/src") || is_test(file) {
        return Vec::new();
    }
    let pure = PURE.iter().any(|folder| file.starts_with(folder));
    let mut findings = Vec::new();
    for (index, code) in source.code.iter().enumerate() {
        // By habit the tests close the file.
        if code.trim() == "#[cfg(test)]" {
            break;
        }
        let mut report = |words: &[&str], why: &str| {
            if let Some(word) = words.iter().find(|word| has_word(code, word)) {
                findings.push(Finding::new(index + 1, format!("{word}: {why}")));
            }
        };
        report(
            &CONNECTIONS,
            "pkgwarden never connects and resolves no name",
        );
        if pure {
            report(&CLOCKS, "the core reads no clock: events carry their time");
            report(&SURROUNDINGS, "the core is pure: hand it in as an event");
            if !file.starts_with(READS_RULES) {
                report(
                    &["std::fs", "fs"],
                    "the core does no I/O: read it at the edge",
                );
            }
        }
    }
    findings
}

fn is_test(file: &Path) -> bool {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy());
    stem.is_some_and(|stem| stem == "tests" || stem.ends_with("_tests"))
        || file.iter().any(|part| part == "tests")
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Source, reach};

    fn reaches(file: &str, text: &str) -> usize {
        reach(&Source::new(text), Path::new(file)).len()
    }

    #[test]
    fn the_core_reads_no_clock_and_no_file() {
        let text = "use std::time::Instant;\nuse std::fs;\n";
        assert_eq!(reaches("sensor-user/src/lineage/tree.rs", text), 2);
        assert_eq!(reaches("sensor-user/src/edge/manifest.rs", text), 0);
        assert_eq!(reaches("sensor-user/src/detect/load.rs", "use std::fs;"), 0);
    }

    #[test]
    fn nothing_connects_but_tests_do_as_they_like() {
        let text = "use std::net::TcpStream;";
        assert_eq!(reaches("sensor-user/src/sink/journald.rs", text), 1);
        assert_eq!(
            reaches(
                "sensor-user/src/core",
                "#[cfg(test)]\nmod t { use std::fs; }"
            ),
            0
        );
        assert_eq!(reaches("sensor-user/tests/replay.rs", text), 0);
        assert_eq!(reaches("sensor-user/src/alert/schema_tests.rs", text), 0);
    }
}
