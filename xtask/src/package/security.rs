//! How exposed the unit is, by `systemd-analyze security`; offline, so no systemd has to run.

use anyhow::{Context, ensure};
use xshell::{Shell, cmd};

use crate::workspace;

/// 0 is a service that can do nothing, 10 one without any protection.
pub(crate) const MOST_EXPOSED: f64 = 2.5;

/// Fails if the unit has become weaker than that.
pub(crate) fn check(sh: &Shell) -> anyhow::Result<()> {
    let unit = workspace::root().join("packaging/pkgwarden.service");
    let table = cmd!(
        sh,
        "systemd-analyze security --offline=true --no-pager {unit}"
    )
    .quiet()
    .ignore_stderr()
    .read()
    .context("systemd-analyze, of Debian's package systemd, is needed")?;
    let exposure = exposure(&table).context("systemd-analyze security names no overall level")?;
    ensure!(
        exposure <= MOST_EXPOSED,
        "packaging/pkgwarden.service is exposed at {exposure}, above {MOST_EXPOSED}:\n{table}"
    );
    println!("exposure of packaging/pkgwarden.service: {exposure} of at most {MOST_EXPOSED}");
    Ok(())
}

/// `→ Overall exposure level for pkgwarden.service: 2.1 OK`.
pub(crate) fn exposure(table: &str) -> Option<f64> {
    let (_, rest) = table.split_once("Overall exposure level for ")?;
    let (_, figure) = rest.split_once(": ")?;
    figure.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::exposure;

    #[test]
    fn the_overall_level_is_read() {
        let table = "✓ A\n\n→ Overall exposure level for pkgwarden.service: 2.1 OK :-)\n";
        assert_eq!(exposure(table), Some(2.1));
        assert_eq!(exposure("nothing"), None);
    }
}
