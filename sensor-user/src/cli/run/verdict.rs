//! The exit status and who decided it.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use super::child::shell_status;
use crate::alert::report::{DecidedBy, Exit};

/// With `--fail-on`: an alert of that level or above.
pub(crate) const FINDINGS: u8 = 86;
/// With `--fail-on`: an alert may be missing.
pub(crate) const INCOMPLETE: u8 = 87;
/// pkgwarden itself failed before the command started.
pub(crate) const SETUP: u8 = 125;

/// What a gate asks about a run that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gate {
    /// There is an alert of the level asked for. `None` without `--fail-on`.
    pub(crate) findings: Option<bool>,
    pub(crate) complete: bool,
    /// Instead of [`FINDINGS`].
    pub(crate) findings_status: u8,
}

impl Gate {
    /// 86 before 87 before the command's own.
    pub(crate) fn decide(&self, command: ExitStatus) -> (u8, Exit) {
        let (status, decided_by) = match (self.findings, self.complete) {
            (Some(true), _) => (self.findings_status, DecidedBy::Findings),
            (Some(false), false) => (INCOMPLETE, DecidedBy::Incomplete),
            (Some(false), true) | (None, _) => (shell_status(command), DecidedBy::Command),
        };
        let exit = Exit {
            status: Some(status.into()),
            signal: command.signal(),
            decided_by,
        };
        (status, exit)
    }
}

/// The command did not start.
pub(crate) fn setup(status: u8) -> Exit {
    Exit {
        status: Some(status.into()),
        signal: None,
        decided_by: DecidedBy::Setup,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decide(findings: Option<bool>, complete: bool, raw: i32) -> (u8, DecidedBy) {
        let gate = Gate {
            findings,
            complete,
            findings_status: FINDINGS,
        };
        let (status, exit) = gate.decide(ExitStatus::from_raw(raw));
        assert_eq!(exit.status, Some(status.into()));
        (status, exit.decided_by)
    }

    #[test]
    fn findings_come_before_incomplete_and_incomplete_before_the_command() {
        assert_eq!(decide(Some(true), false, 1 << 8), (86, DecidedBy::Findings));
        assert_eq!(
            decide(Some(false), false, 1 << 8),
            (87, DecidedBy::Incomplete)
        );
        assert_eq!(decide(Some(false), true, 3 << 8), (3, DecidedBy::Command));
    }

    #[test]
    fn without_a_gate_the_command_decides_whatever_was_found() {
        assert_eq!(decide(None, false, 0), (0, DecidedBy::Command));
        assert_eq!(decide(None, true, 15), (143, DecidedBy::Command));
    }
}
