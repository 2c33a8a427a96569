//! How enumerations are spelt, in JSON and for people alike.

use super::schema::{EventWord, Outcome};
use crate::detect::{Branch, Confidence, Level};

/// The branch's exact name.
pub fn branch_name(branch: Branch) -> &'static str {
    match branch {
        Branch::PackageInstallSpawnedSuspiciousProcess => "PackageInstallSpawnedSuspiciousProcess",
        Branch::MaliciousLibraryC2Callback => "MaliciousLibraryC2Callback",
        Branch::PackageInstallerDroppedExecutable => "PackageInstallerDroppedExecutable",
        Branch::CredentialStoreAccess => "CredentialStoreAccess",
    }
}

/// `high`
pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Informational => "informational",
        Level::Low => "low",
        Level::Medium => "medium",
        Level::High => "high",
        Level::Critical => "critical",
    }
}

/// `high`
pub fn confidence_name(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Low => "low",
        Confidence::Medium => "medium",
        Confidence::High => "high",
    }
}

/// `refused`
pub fn outcome_name(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Attempted => "attempted",
        Outcome::Connected => "connected",
        Outcome::Refused => "refused",
        Outcome::Unreachable => "unreachable",
        Outcome::Blocked => "blocked",
    }
}

/// `io_uring`
pub fn event_name(event: EventWord) -> &'static str {
    match event {
        EventWord::Exec => "exec",
        EventWord::Connect => "connect",
        EventWord::Send => "send",
        EventWord::Listen => "listen",
        EventWord::Socket => "socket",
        EventWord::Open => "open",
        EventWord::Create => "create",
        EventWord::Write => "write",
        EventWord::Rename => "rename",
        EventWord::Link => "link",
        EventWord::Symlink => "symlink",
        EventWord::Unlink => "unlink",
        EventWord::Chmod => "chmod",
        EventWord::Dns => "dns",
        EventWord::IoUring => "io_uring",
    }
}

#[cfg(test)]
mod tests {
    use serde::Serialize;

    use super::super::sample::EVENTS;
    use super::*;

    #[track_caller]
    fn same<T: Serialize + Copy>(values: &[T], name: fn(T) -> &'static str) {
        for &value in values {
            assert_eq!(serde_json::to_value(value).unwrap(), name(value));
        }
    }

    #[test]
    fn a_word_is_spelt_as_in_json() {
        same(&EVENTS, event_name);
        same(
            &[
                Level::Informational,
                Level::Low,
                Level::Medium,
                Level::High,
                Level::Critical,
            ],
            level_name,
        );
        same(
            &[Confidence::Low, Confidence::Medium, Confidence::High],
            confidence_name,
        );
        same(
            &[
                Outcome::Attempted,
                Outcome::Connected,
                Outcome::Refused,
                Outcome::Unreachable,
                Outcome::Blocked,
            ],
            outcome_name,
        );
        same(
            &[
                Branch::PackageInstallSpawnedSuspiciousProcess,
                Branch::MaliciousLibraryC2Callback,
                Branch::PackageInstallerDroppedExecutable,
                Branch::CredentialStoreAccess,
            ],
            branch_name,
        );
    }
}
