//! Questions about an alert, and what every alert must be whatever it says.

use std::fmt;

use serde_json::Value;

/// The keys of `pkgwarden.alert/1`, in their order; `?` marks those that may be absent.
const KEYS: &[&str] = &[
    "schema",
    "id",
    "time",
    "host",
    "sensor",
    "detection_branch",
    "level",
    "level_reasons?",
    "confidence",
    "title",
    "summary",
    "rule",
    "evidence",
    "links?",
    "process",
    "ancestry",
    "scope",
    "install?",
    "package?",
    "destination?",
    "network?",
    "file?",
    "ci?",
    "container?",
    "completeness",
    "response",
    "row",
];

const BRANCHES: &[&str] = &[
    "PackageInstallSpawnedSuspiciousProcess",
    "MaliciousLibraryC2Callback",
    "PackageInstallerDroppedExecutable",
    "CredentialStoreAccess",
];

const ROW: &[&str] = &[
    "Timestamp",
    "DeviceName",
    "AccountName",
    "DetectionBranch",
    "SubjectProcess",
    "SubjectCmdLine",
    "ParentProcess",
    "ParentCmdLine",
];

/// Position of a level among Sigma's five, lowest first.
pub fn level_rank(level: &str) -> usize {
    ["informational", "low", "medium", "high", "critical"]
        .iter()
        .position(|known| *known == level)
        .unwrap_or_else(|| panic!("{level:?} is not a level"))
}

/// One `pkgwarden.alert/1`.
#[derive(Clone)]
pub struct Alert(pub Value);

impl Alert {
    /// The value at a JSON pointer, or null.
    pub fn at(&self, pointer: &str) -> &Value {
        self.0.pointer(pointer).unwrap_or(&Value::Null)
    }

    /// The text at a JSON pointer; empty where there is none.
    pub fn text(&self, pointer: &str) -> &str {
        self.at(pointer).as_str().unwrap_or("")
    }

    /// Its branch.
    pub fn branch(&self) -> &str {
        self.text("/detection_branch")
    }

    /// Its level's rank; see [`level_rank`].
    pub fn rank(&self) -> usize {
        level_rank(self.text("/level"))
    }

    /// Arguments of the process and of its ancestors, nearest first, each joined by spaces.
    pub fn command_lines(&self) -> Vec<String> {
        self.processes()
            .map(|process| {
                let args = process["args"].as_array().cloned().unwrap_or_default();
                let args: Vec<&str> = args.iter().filter_map(Value::as_str).collect();
                args.join(" ")
            })
            .collect()
    }

    /// Base names of the executables of the process and its ancestors, nearest first.
    pub fn executables(&self) -> Vec<String> {
        self.processes()
            .map(|process| {
                let path = process["executable"].as_str().unwrap_or("?");
                path.rsplit('/').next().unwrap_or(path).to_owned()
            })
            .collect()
    }

    fn processes(&self) -> impl Iterator<Item = &Value> {
        std::iter::once(self.at("/process"))
            .chain(self.at("/ancestry").as_array().into_iter().flatten())
    }

    /// Panics unless the alert keeps the contract: keys, their order, no empty text, a branch, a
    /// level, and a row.
    pub fn keep_the_contract(&self) {
        let object = self.0.as_object().expect("an alert is an object");
        assert_eq!(self.text("/schema"), "pkgwarden.alert/1");
        let mut known = KEYS.iter();
        for key in object.keys() {
            assert!(
                known.any(|k| k.trim_end_matches('?') == key),
                "key {key:?} is unknown or out of order in an alert: {:?}",
                object.keys().collect::<Vec<_>>()
            );
        }
        for key in KEYS.iter().filter(|key| !key.ends_with('?')) {
            assert!(
                object.contains_key(*key),
                "key {key:?} is missing: {self:?}"
            );
        }
        assert!(BRANCHES.contains(&self.branch()), "{self:?}");
        self.rank();
        let row: Vec<_> = self.at("/row").as_object().unwrap().keys().collect();
        assert_eq!(row, ROW);
        assert_eq!(self.text("/row/DetectionBranch"), self.branch());
        for key in ["time", "title", "summary"] {
            assert!(
                !self.text(&format!("/{key}")).is_empty(),
                "{key} is empty: {self:?}"
            );
        }
        if let Some(empty) = empty_text(&self.0, String::new()) {
            // A column of the row, an argument or a matched value may be empty; a key may not.
            panic!("empty text at {empty}: {self:?}");
        }
        let line = self.0.to_string();
        assert!(line.len() <= 256 * 1024, "an alert of {} bytes", line.len());
    }
}

fn empty_text(value: &Value, at: String) -> Option<String> {
    match value {
        Value::String(text) if text.is_empty() => Some(at),
        Value::Object(object) => object
            .iter()
            .filter(|(key, _)| !matches!(key.as_str(), "row" | "evidence"))
            .find_map(|(key, value)| empty_text(value, format!("{at}/{key}"))),
        Value::Array(list) if !at.ends_with("/args") => list
            .iter()
            .enumerate()
            .find_map(|(i, value)| empty_text(value, format!("{at}/{i}"))),
        _ => None,
    }
}

impl fmt::Debug for Alert {
    /// What a reader of a failed test needs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} [{}] {}",
            self.text("/level"),
            self.branch(),
            self.text("/rule/file"),
            self.text("/summary")
        )?;
        for (executable, line) in self.executables().iter().zip(self.command_lines()) {
            let line: String = line.chars().take(160).collect();
            write!(f, "\n      <- {executable}: {line:?}")?;
        }
        for key in ["package", "destination", "file", "completeness"] {
            if !self.at(&format!("/{key}")).is_null() {
                write!(f, "\n      {key} {}", self.0[key])?;
            }
        }
        Ok(())
    }
}
