//! journald: the fields of an entry, by the contract.

use super::Record;
use super::message::{health_message, shortened};
use super::native::Entry;
use crate::alert::escape::{json, terminal};
use crate::alert::schema::Alert;
use crate::alert::summary::{endpoint, package_name};
use crate::alert::words::{branch_name, level_name};
use crate::detect::{Branch, Level};
use crate::health::Health;

/// Where systemd-journald listens.
pub const JOURNAL_SOCKET: &str = "/run/systemd/journal/socket";

/// The fields of a record's entry.
pub(super) fn entry(record: Record<'_>) -> Entry {
    match record {
        Record::Alert(alert) => alert_entry(alert),
        Record::Health(health) => health_entry(health),
    }
}

/// MESSAGE_ID of a branch's alerts; the catalog explains each.
pub fn branch_message_id(branch: Branch) -> u128 {
    match branch {
        Branch::PackageInstallSpawnedSuspiciousProcess => 0xac25c9eac941403d82a802215837aae6,
        Branch::MaliciousLibraryC2Callback => 0x6a0d16431b4945468520ff10348e8b29,
        Branch::PackageInstallerDroppedExecutable => 0xed270d4efdf142828000016029cac0df,
        Branch::CredentialStoreAccess => 0x17be0eb3041a4ebbb3c79e26c29dd9d8,
    }
}

/// syslog(3).
fn priority(level: Level) -> &'static str {
    match level {
        Level::Critical => "2",
        Level::High => "3",
        Level::Medium => "4",
        Level::Low => "5",
        Level::Informational => "6",
    }
}

fn head(level: Level, message_id: u128, message: &str) -> Entry {
    let mut entry = Entry::default();
    entry.field("MESSAGE", message);
    entry.field("PRIORITY", priority(level));
    entry.field("MESSAGE_ID", &format!("{message_id:032x}"));
    entry.field("SYSLOG_IDENTIFIER", "pkgwarden");
    entry.field("PKGWARDEN_LEVEL", level_name(level));
    entry
}

/// All but the two JSON texts are escaped for a terminal: `journalctl -o verbose` and the catalog
/// print them as they are.
fn alert_entry(alert: &Alert) -> Entry {
    let branch = alert.detection_branch;
    let whole = json(alert);
    let message = shortened(alert, &whole);
    let mut entry = head(alert.level, branch_message_id(branch), &message);
    let mut indexed = |name, value: Option<String>| {
        entry.optional(name, value.as_deref().map(terminal).as_deref());
    };
    indexed("OBJECT_PID", Some(alert.process.pid.to_string()));
    indexed("PKGWARDEN_ALERT_ID", Some(alert.id.clone()));
    indexed("PKGWARDEN_RULE_ID", Some(alert.rule.id.clone()));
    indexed("PKGWARDEN_BRANCH", Some(branch_name(branch).to_owned()));
    indexed("PKGWARDEN_SUMMARY", Some(alert.summary.clone()));
    indexed(
        "PKGWARDEN_PACKAGE",
        alert.package.as_ref().map(package_name),
    );
    indexed(
        "PKGWARDEN_INSTALL_ID",
        alert.install.as_ref().map(|install| install.id.clone()),
    );
    indexed(
        "PKGWARDEN_DESTINATION",
        alert.destination.as_ref().and_then(endpoint),
    );
    indexed(
        "PKGWARDEN_PATH",
        alert.file.as_ref().map(|file| file.path.clone()),
    );
    indexed(
        "PKGWARDEN_CONTAINER_ID",
        alert.container.as_ref().map(|c| c.id.clone()),
    );
    indexed(
        "PKGWARDEN_RUN_ID",
        alert.ci.as_ref().and_then(|ci| ci.run_id.clone()),
    );
    entry.field("PKGWARDEN_ALERT", &whole);
    entry
}

fn health_entry(health: &Health) -> Entry {
    let code = health.code;
    let mut entry = head(health.level, code.message_id(), &health_message(health));
    entry.field("PKGWARDEN_HEALTH_CODE", code.name());
    entry.field("PKGWARDEN_SUMMARY", &terminal(&health.cause));
    entry.field("PKGWARDEN_HEALTH", &json(health));
    entry
}

#[cfg(test)]
#[path = "journald_tests.rs"]
mod tests;
