//! What stands in a real journal of a record, field by field.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use pkgwarden::alert::schema::{Alert, Ci, Container, Destination, Outcome};
use pkgwarden::alert::{escape, limit};
use pkgwarden::detect::{Branch, Level};
use pkgwarden::health::{Code, Health};
use pkgwarden::sink::{MESSAGE_BYTES, Outbox, OutboxLimits, Record};
use serde_json::{Value, json};
use tests::{Journal, Scratch, journal, need, require};

use crate::raised;

const BRANCHES: [Branch; 4] = [
    Branch::PackageInstallSpawnedSuspiciousProcess,
    Branch::MaliciousLibraryC2Callback,
    Branch::PackageInstallerDroppedExecutable,
    Branch::CredentialStoreAccess,
];

/// Sends it to a healthy journald and reads the entry back as `journalctl -o json --all` has it.
fn read_back(journal: &Journal, records: &[Record<'_>]) -> Vec<Value> {
    let mut outbox = Outbox::open(&journal.socket(), None, OutboxLimits::default()).unwrap();
    let before = ours(journal).len();
    for record in records {
        outbox.send(*record);
        while outbox.waiting() > 0 {
            std::thread::sleep(Duration::from_millis(2));
            outbox.turn();
        }
    }
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let entries = ours(journal);
        if entries.len() == before + records.len() {
            return entries[before..].to_vec();
        }
        assert!(Instant::now() < until, "{} of them", entries.len() - before);
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn ours(journal: &Journal) -> Vec<Value> {
    let options = ["-o", "json", "--all", "SYSLOG_IDENTIFIER=pkgwarden"];
    journal
        .journalctl(&options)
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn fields(entry: &Value) -> BTreeMap<&str, &str> {
    entry
        .as_object()
        .unwrap()
        .iter()
        .filter(|(name, _)| !name.starts_with('_'))
        .map(|(name, value)| (name.as_str(), value.as_str().expect("text, not null")))
        .collect()
}

/// One that has a part for every field there is.
fn with_everything() -> Alert {
    let mut alert = raised::alert("ssh-key");
    alert.destination = Some(Destination {
        ip: Some("2001:db8::7".into()),
        port: Some(4444),
        path: None,
        domain: None,
        domain_source: None,
        resolved: "no".into(),
        class: "documentation".into(),
        outcome: Outcome::Attempted,
    });
    alert.container = Some(Container {
        id: "4f2d".repeat(16),
        runtime: "podman".into(),
        ..Container::default()
    });
    alert.ci = Some(Ci {
        system: "github".into(),
        run_id: Some("1234567890".into()),
        ..Ci::default()
    });
    alert
}

#[test]
fn every_field_of_the_contract_is_in_an_alerts_entry_and_no_other() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let alert = with_everything();
    let entries = read_back(&journal, &[Record::Alert(&alert)]);
    let mut fields = fields(&entries[0]);

    let message = fields.remove("MESSAGE").unwrap();
    assert!(message.len() <= MESSAGE_BYTES);
    let message: Value = serde_json::from_str(message).unwrap();
    assert_eq!(message["id"], json!(alert.id));
    let whole: Alert = serde_json::from_str(fields.remove("PKGWARDEN_ALERT").unwrap()).unwrap();
    assert_eq!(whole, alert);
    assert_eq!(fields.remove("MESSAGE_ID").unwrap().len(), 32);

    let package = alert.package.as_ref().expect("an npm package");
    let pid = alert.process.pid.to_string();
    let name = format!("{}@{}", package.name, package.version.as_ref().unwrap());
    let container = "4f2d".repeat(16);
    let expected = BTreeMap::from([
        ("PRIORITY", "3"),
        ("SYSLOG_IDENTIFIER", "pkgwarden"),
        ("OBJECT_PID", pid.as_str()),
        ("PKGWARDEN_ALERT_ID", alert.id.as_str()),
        ("PKGWARDEN_RULE_ID", alert.rule.id.as_str()),
        ("PKGWARDEN_LEVEL", "high"),
        ("PKGWARDEN_BRANCH", "CredentialStoreAccess"),
        ("PKGWARDEN_SUMMARY", alert.summary.as_str()),
        ("PKGWARDEN_PACKAGE", name.as_str()),
        ("PKGWARDEN_INSTALL_ID", &alert.install.as_ref().unwrap().id),
        ("PKGWARDEN_DESTINATION", "[2001:db8::7]:4444"),
        ("PKGWARDEN_PATH", &alert.file.as_ref().unwrap().path),
        ("PKGWARDEN_CONTAINER_ID", container.as_str()),
        ("PKGWARDEN_RUN_ID", "1234567890"),
    ]);
    assert_eq!(fields, expected);
}

#[test]
fn the_largest_alert_there_can_be_is_read_back_whole_and_its_message_is_shown() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let mut alert = with_everything();
    alert.title = "\u{1b}[31m".repeat(200);
    // What JSON makes longest, as much of it as is not cut.
    let room = limit::ALERT_BYTES - escape::json(&alert).len();
    let piece = "\u{202e}##\n";
    let size = escape::json(&piece).len() - 2;
    alert.process.args = vec![piece.repeat(room / size - 4)];
    limit::cap(&mut alert);
    let size = escape::json(&alert).len();
    assert!((260_000..=limit::ALERT_BYTES).contains(&size), "{size}");
    let entries = read_back(&journal, &[Record::Alert(&alert)]);
    let fields = fields(&entries[0]);
    let whole: Alert = serde_json::from_str(fields["PKGWARDEN_ALERT"]).unwrap();
    assert_eq!(whole, alert);
    assert!(fields["MESSAGE"].len() <= MESSAGE_BYTES);
    // As a shipper reads it, without `--all`.
    let shown = journal.journalctl(&["-o", "json", "-n", "1", "SYSLOG_IDENTIFIER=pkgwarden"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["MESSAGE"], json!(fields["MESSAGE"]));
    assert_eq!(shown["PKGWARDEN_ALERT"], Value::Null);
}

#[test]
fn levels_are_syslogs_priorities() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let levels = [
        (Level::Critical, "2"),
        (Level::High, "3"),
        (Level::Medium, "4"),
        (Level::Low, "5"),
        (Level::Informational, "6"),
    ];
    let alerts = levels.map(|(level, _)| Alert {
        level,
        ..raised::alert("ssh-key")
    });
    let entries = read_back(&journal, &alerts.each_ref().map(Record::Alert));
    let priorities: Vec<&str> = entries.iter().map(|e| fields(e)["PRIORITY"]).collect();
    assert_eq!(priorities, levels.map(|(_, priority)| priority));
    let urgent = journal.journalctl(&["-p", "err", "-o", "cat", "--output-fields=PKGWARDEN_LEVEL"]);
    let urgent: Vec<&str> = urgent.lines().filter(|line| line.len() < 10).collect();
    assert_eq!(urgent, ["critical", "high"]);
}

#[test]
fn journalctl_x_explains_every_branch_and_every_health_code() {
    need!(require::live(), journal::available());
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let catalog = Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/catalog");
    let install = format!(
        "mount -t tmpfs tmpfs /usr/lib/systemd/catalog
        mkdir -p /var/lib/systemd/catalog
        mount -t tmpfs tmpfs /var/lib/systemd/catalog
        cp {}/pkgwarden.catalog /usr/lib/systemd/catalog
        journalctl --update-catalog && echo installed",
        catalog.display()
    );
    assert_eq!(journal.inside(&["sh", "-ec", &install]), "installed\n");

    let alerts = BRANCHES.map(|detection_branch| Alert {
        detection_branch,
        summary: format!("What {detection_branch:?} did."),
        ..raised::alert("ssh-key")
    });
    let health: Vec<Health> = Code::ALL
        .iter()
        .map(|code| {
            let cause = format!("why it is {}", code.name());
            let time = "2026-01-02T03:04:06.000000000Z".to_owned();
            Health::new(alerts[0].host.clone(), time, *code, cause, None)
        })
        .collect();
    let records: Vec<Record<'_>> = alerts
        .iter()
        .map(Record::Alert)
        .chain(health.iter().map(Record::Health))
        .collect();
    read_back(&journal, &records);
    let explained = journal.journalctl(&["-x", "-o", "short", "SYSLOG_IDENTIFIER=pkgwarden"]);
    let flat = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    let flat = flat.replace("░░ ", "");
    for alert in &alerts {
        assert!(flat.contains(&format!("{} ", alert.summary)), "{explained}");
        assert!(flat.contains(&format!("pkgwarden explain {}", alert.id)));
    }
    for code in Code::ALL {
        let subject = format!("Subject: Sensor health: {}", code.name());
        assert!(flat.contains(&subject), "{subject}\n{explained}");
        assert!(flat.contains(&format!("Cause: why it is {}", code.name())));
    }
    assert!(!flat.contains("@PKGWARDEN_"), "{explained}");
}
