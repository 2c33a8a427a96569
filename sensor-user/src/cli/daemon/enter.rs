//! Which executables begin a lineage: a list, as data, and the CI workers of `lineage/workers.list`.

use crate::lineage::worker_names;

/// Names, one a line.
const LIST: &str = include_str!("enter.list");

/// All of them, written out.
pub(crate) fn names() -> Vec<String> {
    LIST.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .flat_map(written_out)
        .chain(worker_names().map(str::to_owned))
        .collect()
}

fn written_out(line: &str) -> Vec<String> {
    range(line).map_or_else(
        || vec![line.to_owned()],
        |(before, numbers, after)| {
            numbers
                .map(|number| format!("{before}{number}{after}"))
                .collect()
        },
    )
}

/// `python3.{6..30}d`
fn range(line: &str) -> Option<(&str, std::ops::RangeInclusive<u32>, &str)> {
    let (before, rest) = line.split_once('{')?;
    let (range, after) = rest.split_once('}')?;
    let (first, last) = range.split_once("..")?;
    Some((before, first.parse().ok()?..=last.parse().ok()?, after))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_names_of_interpreters_and_managers_are_there() {
        let names = names();
        for name in [
            "node",
            "node-22",
            "python3.11",
            "python3.14td",
            "pypy3.10",
            "uv",
            "Runner.Worker",
        ] {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
        assert!(!names.iter().any(|name| name.contains(['{', '}', ' ', '#'])));
    }

    #[test]
    fn they_fit_the_kernels_table_and_are_told_apart_in_it() {
        let names = names();
        let distinct: BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
        assert!(names.len() <= 256, "{}", names.len());
        assert!(names.iter().all(|name| name.len() <= 32));
    }
}
