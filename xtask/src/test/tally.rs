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
        let mut good = self.failed.is_empty();
        for Skip { test, reason } in &self.skipped {
            println!("SKIP {test}: {reason}");
        }
        for name in &self.failed {
            println!("FAILED {name}");
        }
        for Skip { test, .. } in self.unlisted(allowed) {
            println!("FAILED: {test} was skipped and is not on the list of allowed skips");
            good = false;
        }
        println!(
            "{} passed, {} failed, {} skipped",
            self.passed,
            self.failed.len(),
            self.skipped.len()
        );
        good
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
    fn a_skip_off_the_list_fails_the_run_and_one_on_it_does_not() {
        let mut tally = Tally::default();
        tally.skip("vm 6.1", "no qemu");
        assert!(tally.report(None));
        assert!(tally.report(Some(&["vm 6.1".to_owned()])));
        assert!(!tally.report(Some(&["vm 6.12".to_owned()])));
    }

    #[test]
    fn a_step_in_which_no_test_ran_has_failed() {
        let mut tally = Tally::default();
        tally.add("live tests", Ok(Tally::default()));
        assert_eq!(tally.failed, ["live tests"]);
    }
}
