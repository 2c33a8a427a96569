//! Which executables are CI workers: a list, as data.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Names, one a line.
const LIST: &str = include_str!("workers.list");

/// Bytes of a name that are compared, here and by the probes.
const COMPARED: usize = 32;

static NAMES: LazyLock<HashSet<&str>> = LazyLock::new(|| names().collect());

/// All of them.
pub fn names() -> impl Iterator<Item = &'static str> {
    let lines = LIST.lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#'))
}

/// Whether what a process with this executable makes is a step of a CI job.
pub(super) fn owns(executable: &str) -> bool {
    let name = super::installer::basename(executable);
    let compared = name.get(..COMPARED).unwrap_or(name);
    NAMES.contains(compared)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_is_told_by_its_files_name_wherever_it_lies() {
        assert!(owns("/home/ci/actions-runner/bin/Runner.Worker"));
        assert!(owns("/usr/bin/gitlab-runner"));
        assert!(owns("act_runner"));
        for other in [
            "/home/ci/actions-runner/bin/Runner.Listener",
            "/usr/bin/gitlab-runner-helper",
            "/usr/bin/runner.worker",
            "/srv/Runner.Worker/bash",
            "",
        ] {
            assert!(!owns(other), "{other}");
        }
    }

    #[test]
    fn every_name_fits_what_is_compared() {
        assert!(names().all(|name| name.len() <= COMPARED && !name.contains([' ', '/'])));
    }
}
