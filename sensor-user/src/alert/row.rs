//! The eight columns of the original detection.

use super::schema::{Alert, ProcessShort, Row, User};
use super::words::branch_name;

/// The row of an alert: who is the process that acted, its parent the nearest ancestor.
pub fn row(alert: &Alert) -> Row {
    let parent = alert.ancestry.first();
    Row {
        timestamp: alert.time.clone(),
        device_name: alert.host.name.clone(),
        account_name: account(&alert.process.user),
        detection_branch: branch_name(alert.detection_branch).to_owned(),
        subject_process: basename(&alert.process.executable).to_owned(),
        subject_cmd_line: command_line(&alert.process.args),
        parent_process: parent
            .map(|p| basename(&p.executable).to_owned())
            .unwrap_or_default(),
        parent_cmd_line: parent.map(short_command_line).unwrap_or_default(),
    }
}

/// The user's name, or `uid 1000` where the name is unknown.
pub fn account(user: &User) -> String {
    match &user.name {
        Some(name) => name.clone(),
        None => format!("uid {}", user.id),
    }
}

/// Arguments joined by one space, as rules see `CommandLine`.
pub fn command_line(args: &[String]) -> String {
    args.join(" ")
}

fn short_command_line(process: &ProcessShort) -> String {
    command_line(&process.args)
}

/// What follows the last `/`, or all of it.
pub fn basename(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_row_names_the_shell_and_the_node_that_started_it() {
        let row = row(&sample::postinstall());
        assert_eq!(row.subject_process, "dash");
        assert_eq!(row.subject_cmd_line, "sh -c id > /tmp/x");
        assert_eq!(row.parent_process, "node");
        assert_eq!(row.parent_cmd_line, "npm install");
        assert_eq!(row.account_name, "runner");
        assert_eq!(
            row.detection_branch,
            "PackageInstallSpawnedSuspiciousProcess"
        );
    }

    #[test]
    fn a_user_without_a_name_is_shown_by_id() {
        assert_eq!(account(&User { name: None, id: 7 }), "uid 7");
    }
}
