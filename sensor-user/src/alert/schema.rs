//! `pkgwarden.alert/1`: the shape of an alert. Keys stand in the order of the contract; what is
//! unknown is absent.

#![expect(missing_docs, reason = "docs/alerts.md describes every key")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::detect::{Branch, Confidence, Level, Matched};

/// The value of `schema` in every alert.
pub const SCHEMA: &str = "pkgwarden.alert/1";

/// One finding, as one JSON object on one line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Alert {
    /// Always `pkgwarden.alert/1`.
    pub schema: String,
    /// UUIDv5 of boot, session, rule, actor and target, so that replay repeats it.
    pub id: String,
    /// RFC 3339, nanoseconds, UTC.
    pub time: String,
    pub host: Host,
    pub sensor: Sensor,
    pub detection_branch: Branch,
    pub level: Level,
    /// Why this level and not the rule's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub level_reasons: Vec<String>,
    pub confidence: Confidence,
    /// Why this confidence and not the rule's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub confidence_reasons: Vec<String>,
    pub title: String,
    /// One sentence: who did what to what.
    pub summary: String,
    pub rule: RuleReference,
    pub evidence: Evidence,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links: Vec<Link>,
    pub process: Process,
    /// Nearest first; the 64 nearest and the session root.
    pub ancestry: Vec<ProcessShort>,
    pub scope: Vec<Scope>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub install: Option<Install>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Package>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub destination: Option<Destination>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<Network>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<File>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ci: Option<Ci>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<Container>,
    pub completeness: Completeness,
    /// What to do, in order.
    pub response: Vec<String>,
    /// The columns of the table form.
    pub row: Row,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    pub name: String,
    pub id: String,
    pub boot_id: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Sensor {
    pub version: String,
    pub rules_sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RuleReference {
    pub id: String,
    pub title: String,
    pub level: Level,
    pub file: String,
    pub tags: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub references: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    pub event: EventWord,
    /// Sigma field to value, as the rule saw them.
    pub fields: BTreeMap<String, String>,
    pub matched: Vec<Matched>,
    pub observed: ObservedWord,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suppressed_by: Option<String>,
}

/// What happened, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EventWord {
    Exec,
    Connect,
    Send,
    Listen,
    Socket,
    Open,
    Create,
    Write,
    Rename,
    Link,
    Symlink,
    Unlink,
    Chmod,
    Dns,
    IoUring,
}

/// Read from the kernel's own object, or from the caller's argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ObservedWord {
    Kernel,
    Argument,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Link {
    pub alert_id: String,
    pub time: String,
    pub summary: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    pub pid: u32,
    /// Stable over the life of the process, unique over boots.
    pub entity_id: String,
    /// RFC 3339.
    pub start: String,
    pub executable: String,
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub args_truncated: bool,
    pub working_directory: String,
    pub user: User,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub memfd: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct User {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    pub id: u32,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hash {
    pub sha256: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProcessShort {
    pub pid: u32,
    pub entity_id: String,
    pub executable: String,
    pub args: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub args_truncated: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Under a package manager's install verb.
    Install,
    /// Library code in a node or python that is not an install.
    Runtime,
    /// Under a CI worker.
    CiStep,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Install {
    pub id: String,
    /// `npm`, `pip`, …
    pub installer: String,
    pub command: String,
    pub working_directory: String,
    pub started: String,
    pub user: User,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Package {
    /// As in a package URL: `npm`, `pypi`.
    #[serde(rename = "type")]
    pub kind: String,
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub purl: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `postinstall`, `setup.py`, `build_wheel`, `import`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifecycle: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub script: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checksum: Option<String>,
    pub source: PackageSource,
    pub confidence: Confidence,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_name: Option<String>,
    /// The host that it was fetched from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry_source: Option<RegistrySource>,
    /// The popular package that its name may be mistaken for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resembles: Option<String>,
}

/// Who tells where a package was fetched from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RegistrySource {
    /// The manager, in the environment of the package's script.
    Manager,
    /// The manager's lock file.
    Lock,
    /// What stands beside the installed package.
    Metadata,
    /// It is the one host that the manager was seen to connect to.
    Connection,
}

/// How the package was told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PackageSource {
    /// The folder that its code runs in or was read from.
    Path,
    /// The address the manager says it was fetched from.
    Resolved,
    /// Variables that the manager set from the package's own manifest.
    #[default]
    Environment,
    /// The package's own manifest.
    Metadata,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Destination {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// AF_UNIX.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain_source: Option<String>,
    /// Whether a name was looked up for it: yes, no, unknown.
    pub resolved: String,
    /// public, private, loopback, linklocal, metadata, documentation, unix, …
    pub class: String,
    pub outcome: Outcome,
}

#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Attempted,
    Connected,
    Refused,
    Unreachable,
    Blocked,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Network {
    pub transport: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct File {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host_path: Option<String>,
    /// read, write, create, rename, unlink, chmod, ….
    pub operation: String,
    /// Octal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flags: Option<String>,
    /// `success`, or the errno's name: `ENOENT`.
    pub outcome: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<Hash>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Ci {
    pub system: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repository: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workflow: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_attempt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Container {
    pub id: String,
    pub runtime: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub devcontainer: Option<bool>,
}

/// Whether the sensor saw everything of this session, from its first event to now.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Completeness {
    pub generated: u64,
    pub delivered: u64,
    pub filtered: u64,
    pub in_flight: u64,
    pub lost: u64,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lost_by_kind: BTreeMap<String, u64>,
    /// `kind: hook`.
    pub hooks: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub degraded: Vec<String>,
    pub started_late: bool,
    pub complete: bool,
}

/// The columns of the original detection.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub struct Row {
    pub timestamp: String,
    pub device_name: String,
    pub account_name: String,
    pub detection_branch: String,
    pub subject_process: String,
    pub subject_cmd_line: String,
    pub parent_process: String,
    pub parent_cmd_line: String,
}
