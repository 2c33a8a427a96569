//! Runs `cargo test`, shows what it prints as it prints it, and reads the counts out of it.
//!
//! A test that can't run here prints a line `SKIP NAME: why` to stdout and returns. The test runner
//! counts it as passed and, asked for `--show-output`, repeats what it printed under its
//! name afterwards: that is where it is taken back out.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::tally::{Skip, Tally};
use crate::workspace;

pub(super) fn cargo_test(arguments: &[&str]) -> anyhow::Result<Tally> {
    let mut cargo = Command::new("cargo")
        .arg("test")
        .args(arguments)
        .args(["--no-fail-fast", "--", "--show-output"])
        .current_dir(workspace::root())
        .stdout(Stdio::piped())
        .spawn()
        .context("cargo did not start")?;
    let stdout = cargo.stdout.take().context("cargo has no stdout")?;
    let mut reader = Reader::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = line.context("cargo's output can't be read")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        reader.line(&line);
    }
    let status = cargo.wait()?;
    let mut tally = reader.tally;
    if !status.success() && tally.failed.is_empty() {
        // It did not compile, or a test binary died before it could count.
        tally
            .failed
            .push(format!("cargo test {}", arguments.join(" ")));
    }
    Ok(tally)
}

#[derive(Default)]
struct Reader {
    tally: Tally,
    /// The test whose output is being repeated.
    shown: Option<String>,
    /// Skips which the summary that follows will count as passed.
    skips_to_come: u32,
}

impl Reader {
    fn line(&mut self, line: &str) {
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|rest| rest.strip_suffix(" stdout ----"))
        {
            self.shown = Some(name.to_owned());
        } else if let Some(counts) = line.strip_prefix("test result: ") {
            self.shown = None;
            self.tally.passed += count(counts, " passed").saturating_sub(self.skips_to_come);
            self.skips_to_come = 0;
        } else if let Some(test) = line.strip_prefix("test ") {
            self.verdict(test);
        } else if let (Some(reason), Some(name)) = (line.strip_prefix("SKIP"), &self.shown) {
            let skip = Skip {
                test: name.clone(),
                reason: reason
                    .trim_start()
                    .trim_start_matches(name.as_str())
                    .trim_start_matches([':', ' '])
                    .to_owned(),
            };
            if self
                .tally
                .skipped
                .iter()
                .all(|known| known.test != skip.test)
            {
                self.tally.skipped.push(skip);
                self.skips_to_come += 1;
            }
        }
    }

    /// `NAME ... ok`, `NAME ... FAILED`, `NAME ... ignored, why`.
    fn verdict(&mut self, test: &str) {
        let Some((name, verdict)) = test.split_once(" ... ") else {
            return;
        };
        if verdict == "FAILED" {
            self.tally.failed.push(name.to_owned());
        } else if let Some(reason) = verdict.strip_prefix("ignored") {
            self.tally.skipped.push(Skip {
                test: name.to_owned(),
                reason: format!("ignored{reason}"),
            });
        }
    }
}

/// The number before `label` in `ok. 3 passed; 0 failed; 1 ignored; …`.
fn count(counts: &str, label: &str) -> u32 {
    counts
        .split(label)
        .next()
        .and_then(|before| before.rsplit(' ').next())
        .and_then(|number| number.parse().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Reader, Skip, Tally};

    fn read(text: &str) -> Tally {
        let mut reader = Reader::default();
        text.lines().for_each(|line| reader.line(line));
        reader.tally
    }

    #[test]
    fn a_skipped_test_is_not_counted_as_passed() {
        let tally = read(
            "running 3 tests\ntest one ... ok\ntest two ... ok\ntest three ... ok\n\nsuccesses:\n\n\
             ---- two stdout ----\nsome output\nSKIP two: no network namespaces here\n\n\nsuccesses:\n    \
             one\n    two\n\ntest result: ok. 3 passed; 0 failed; 0 ignored; 0 measured; 0 filtered \
             out; finished in 0.00s\n",
        );
        let skip = Skip {
            test: "two".to_owned(),
            reason: "no network namespaces here".to_owned(),
        };
        assert_eq!((tally.passed, tally.failed.len()), (2, 0));
        assert_eq!(tally.skipped, [skip]);
    }

    #[test]
    fn ignored_and_failed_tests_are_counted_and_named() {
        let tally = read(
            "test one ... ok\ntest two ... ignored, slow\ntest three ... FAILED\n\
             test result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n",
        );
        assert_eq!(tally.passed, 1);
        assert_eq!(tally.failed, ["three"]);
        assert_eq!(tally.skipped[0].reason, "ignored, slow");
    }
}
