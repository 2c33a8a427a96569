//! The tree of dependencies: licences, sources and what may not be in it (`deny.toml`), and, where
//! their database can be had, advisories.

use anyhow::bail;
use xshell::{Shell, cmd};

use crate::setup;
use crate::test::Tally;

pub(crate) fn check(sh: &Shell, tally: &mut Tally) {
    let cargo_deny = match setup::cargo_deny(sh) {
        Ok(program) => program,
        Err(error) => return tally.fail("dependencies", format!("{error:#}")),
    };
    tally.check("dependencies", || {
        // A second version of a crate is worth a look now and then, not in every run.
        let check = cmd!(
            sh,
            "{cargo_deny} check licenses bans sources --allow duplicate"
        );
        Ok(check.quiet().run()?)
    });
    let advisories = cmd!(sh, "{cargo_deny} check advisories")
        .quiet()
        .ignore_status()
        .output();
    let stderr = match &advisories {
        Ok(output) if output.status.success() => return tally.check("advisories", || Ok(())),
        Ok(output) => String::from_utf8_lossy(&output.stderr).into_owned(),
        Err(error) => error.to_string(),
    };
    if stderr.contains("failed to fetch advisory database") {
        tally.skip("advisories", "their database can't be fetched from here");
    } else {
        tally.check("advisories", || bail!("{stderr}"));
    }
}
