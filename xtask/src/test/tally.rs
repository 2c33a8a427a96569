//! What passed, failed and was skipped, over all steps.

use std::fmt::Display;

/// One step's or one test binary's counts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    /// What failed, as far as it has a name.
    pub(crate) failed: Vec<String>,
    pub(crate) skipped: Vec<Skip>,
}

/// A test that could not run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Skip {
    pub(crate) test: String,
    pub(crate) reason: String,
}

impl Tally {
    /// Runs a step that either passes or fails as a whole.
    pub(crate) fn check(&mut self, name: &str, step: impl FnOnce() -> anyhow::Result<()>) {
        match step() {
            Ok(()) => self.passed += 1,
            Err(error) => self.fail(name, format!("{error:#}")),
        }
    }

    pub(crate) fn fail(&mut self, name: &str, why: impl Display) {
        eprintln!("FAILED {name}: {why}");
        self.failed.push(name.to_owned());
    }

    pub(crate) fn skip(&mut self, test: &str, reason: impl Display) {
        self.skipped.push(Skip {
            test: test.to_owned(),
            reason: reason.to_string(),
        });
    }

    /// Adds the counts of a step that is made of tests; one in which none ran has failed.
    pub(crate) fn add(&mut self, name: &str, step: anyhow::Result<Tally>) {
        match step {
            Ok(step) if step == Tally::default() => self.fail(name, "no test ran"),
            Ok(step) => {
                self.passed += step.passed;
                self.failed.extend(step.failed);
                self.skipped.extend(step.skipped);
            }
            Err(error) => self.fail(name, format!("{error:#}")),
        }
    }

    /// Prints the closing lines. True if nothing failed and, where a list of skips that are
    /// allowed is given, nothing else was skipped.
    pub(crate) fn report(&self, allowed: Option<&[String]>) -> bool {
        println!("{}", self.closing_lines(allowed));
        self.failed.is_empty() && self.unlisted(allowed).next().is_none()
    }

    fn closing_lines(&self, allowed: Option<&[String]>) -> String {
        let skipped = self.skipped.iter();
        let failed = self.failed.iter();
        let mut lines: Vec<String> = skipped
            .map(|Skip { test, reason }| format!("SKIP {test}: {reason}"))
            .chain(failed.map(|name| format!("FAILED {name}")))
            .collect();
        for Skip { test, .. } in self.unlisted(allowed) {
            lines.push(format!(
                "FAILED {test}: skipped, and not on the list of allowed skips"
            ));
        }
        lines.push(format!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        ));
        lines.join("\n")
    }

    fn unlisted<'a>(&'a self, allowed: Option<&'a [String]>) -> impl Iterator<Item = &'a Skip> {
        self.skipped
            .iter()
            .filter(move |skip| allowed.is_some_and(|allowed| !allowed.contains(&skip.test)))
    }
}

#[cfg(test)]
mod tests {
    use super::Tally;

    #[test]
    fn a_skip_off_the_list_is_a_failure_and_one_on_it_is_not() {
        let mut tally = Tally::default();
        tally.skip("kernel 6.1", "no qemu");
        let closing = |list: Option<&[String]>| tally.closing_lines(list);
        assert_eq!(
            closing(Some(&["kernel 6.1".to_owned()])),
            "SKIP kernel 6.1: no qemu\n0 passed, 0 failed, 1 skipped"
        );
        assert_eq!(closing(None), closing(Some(&["kernel 6.1".to_owned()])));
        assert!(closing(Some(&["kernel 6.12".to_owned()])).contains("FAILED kernel 6.1: skipped"));
    }

    #[test]
    fn a_step_in_which_no_test_ran_has_failed() {
        let mut tally = Tally::default();
        tally.add("live tests", Ok(Tally::default()));
        assert_eq!(tally.failed, ["live tests"]);
    }
}
