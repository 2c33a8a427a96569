//! An alert read back from a real journald, whole.

use serde_json::Value;
use tests::{Journal, Scratch, Turn, Watched, fixture, journal, need, require};

/// What `journalctl -o json` still shows as text.
const SHOWN: usize = 4_000;

#[test]
fn an_alert_stands_in_the_journal_whole_and_its_message_is_short_json() {
    need!(
        require::live(),
        journal::available(),
        require::programs(&["npm"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let journal = Journal::start(&scratch);
    let archive = fixture::npm_archive(&scratch, "recon-postinstall");
    let config = scratch.write("config.toml", "[output]\njournald = true\n");

    let seen = Watched::run(&scratch, ["npm", "install", &archive, "--offline"])
        .options(["--config".as_ref(), config.as_os_str()])
        .inside(journal.enter(&scratch.project()))
        .finish();

    seen.ended_with(0).complete();
    let alert = seen
        .alerts
        .first()
        .unwrap_or_else(|| panic!("no alert\n{seen:?}"));
    let id = alert.text("/id");
    let entries = journal.entries();
    let entry = entries
        .iter()
        .find(|entry| entry["PKGWARDEN_ALERT_ID"] == id)
        .unwrap_or_else(|| panic!("no entry of alert {id} among {} entries", entries.len()));

    let message = entry["MESSAGE"]
        .as_str()
        .expect("MESSAGE is text, not null");
    assert!(message.len() <= SHOWN, "{} bytes", message.len());
    let short: Value = serde_json::from_str(message).expect("MESSAGE is JSON");
    assert_eq!(short["schema"], "pkgwarden.alert/1");
    assert_eq!(short["id"], id);
    if message.len() < alert.0.to_string().len() {
        assert!(
            !short["truncated"].is_null(),
            "what was left out is not named: {message}"
        );
    }

    let cursor = entry["__CURSOR"].as_str().unwrap();
    let whole: Value = serde_json::from_str(&journal.whole_field(cursor, "PKGWARDEN_ALERT"))
        .expect("PKGWARDEN_ALERT is JSON");
    assert_eq!(
        whole, alert.0,
        "the journal's alert is not the one in the file"
    );

    let field = |name: &str| entry[name].as_str().unwrap_or_default();
    assert_eq!(field("SYSLOG_IDENTIFIER"), "pkgwarden");
    assert_eq!(field("PKGWARDEN_RULE_ID"), alert.text("/rule/id"));
    assert_eq!(field("PKGWARDEN_LEVEL"), alert.text("/level"));
    assert_eq!(field("PKGWARDEN_BRANCH"), alert.branch());
    assert_eq!(field("PKGWARDEN_SUMMARY"), alert.text("/summary"));
    assert!(
        field("PKGWARDEN_PACKAGE").contains("left-padding-fixture"),
        "{entry}"
    );
    assert_eq!(field("PKGWARDEN_INSTALL_ID"), alert.text("/install/id"));
    assert_eq!(field("OBJECT_PID"), alert.at("/process/pid").to_string());
    let priority = match alert.text("/level") {
        "critical" => "2",
        "high" => "3",
        "medium" => "4",
        "low" => "5",
        _ => "6",
    };
    assert_eq!(field("PRIORITY"), priority);
    assert_eq!(field("MESSAGE_ID").len(), 32, "{entry}");
}
