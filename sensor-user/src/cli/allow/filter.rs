//! The filter itself: everything of the alert that tells who did it and to what, exactly.

use std::fmt::Write as _;

use uuid::Uuid;

use super::AllowError;
use crate::alert::schema::Alert;
use crate::detect::{Category, Field, Rule, RuleSet, Subject};

/// Whose code it is, when it runs, and as what program.
const IDENTITY: &[Field] = &[
    Field::Scope,
    Field::Installer,
    Field::PackageType,
    Field::PackageName,
    Field::PackageIsRoot,
    Field::LifecycleEvent,
    Field::LifecycleScript,
    Field::Image,
    Field::Script,
    Field::ImageInjected,
    Field::ImageDirWritable,
];
/// Other at the next time, whatever is done.
const VOLATILE: &[Field] = &[
    Field::ProcessId,
    Field::ParentProcessId,
    Field::SessionId,
    Field::Hashes,
    Field::LogonId,
];
/// What a cut text has in its middle.
const CUT: &str = " bytes]…";

/// A filter for the rules by which an alert was raised.
#[derive(Debug)]
pub(super) struct Narrow {
    pub(super) id: String,
    /// Ids and titles.
    pub(super) rules: Vec<(String, String)>,
    pub(super) category: Category,
    title: String,
    fields: Vec<(Field, Option<String>)>,
}

impl Narrow {
    pub(super) fn new(alert: &Alert, rules: &RuleSet) -> Result<Self, AllowError> {
        let filtered = filtered(alert, rules)?;
        let category = filtered[0].category;
        let subject = Subject::told(category, &alert.evidence.fields);
        let mut fields = Vec::new();
        for &field in IDENTITY.iter().chain(object(category, &subject)) {
            fields.push(field);
        }
        let matched = alert.evidence.matched.iter();
        fields.extend(matched.filter_map(|matched| matched.field.parse::<Field>().ok()));
        fields.retain(|field| field.is_in(category) && !VOLATILE.contains(field));
        let mut exact: Vec<(Field, Option<String>)> = Vec::new();
        for field in fields {
            let value = subject.get(field).map(|value| value.text().into_owned());
            if value.as_ref().is_some_and(|text| text.contains(CUT)) {
                return Err(AllowError::Cut(field.name()));
            }
            if !exact.iter().any(|(known, _)| *known == field) {
                exact.push((field, value));
            }
        }
        let name = alert.package.as_ref().map_or("", |package| &package.name);
        let title = match name {
            "" => format!("Allowed: {}", alert.title),
            name => format!("Allowed For {name}: {}", alert.title),
        };
        Ok(Self {
            // The same filter has the same id.
            id: Uuid::new_v5(
                &Uuid::NAMESPACE_URL,
                format!("{}{exact:?}", alert.rule.id).as_bytes(),
            )
            .to_string(),
            rules: filtered
                .iter()
                .map(|rule| (rule.id.clone(), rule.title.clone()))
                .collect(),
            category,
            title,
            fields: exact,
        })
    }

    /// As a file.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "title: {}\nid: {}\nstatus: test\ndescription: >-\n  One event, exactly: made by \
             pkgwarden allow. Say here who looked at it, and why it may be.\nlogsource:\n  \
             category: {}\n  product: linux\nfilter:\n  rules:\n",
            quoted(&self.title),
            self.id,
            self.category.name(),
        );
        for (id, title) in &self.rules {
            let _ = writeln!(text, "    - {id}  # {}", comment(title));
        }
        text.push_str("  selection:\n");
        for (field, value) in &self.fields {
            let name = field.name();
            let _ = match value.as_deref() {
                None => writeln!(text, "    {name}|exists: false"),
                Some(plain @ ("true" | "false")) => writeln!(text, "    {name}: {plain}"),
                Some(number) if number.parse::<i64>().is_ok() => {
                    writeln!(text, "    {name}: {}", quoted(number))
                }
                Some(value) => writeln!(text, "    {name}|cased: {}", quoted(&literal(value))),
            };
        }
        text.push_str("  condition: not selection\n");
        text
    }
}

/// The rule of an alert; of a chain's alert, those by which its last event is a link.
fn filtered<'r>(alert: &Alert, rules: &'r RuleSet) -> Result<Vec<&'r Rule>, AllowError> {
    let id = &alert.rule.id;
    let members: Vec<&str> = match rules.chains().iter().find(|chain| chain.rule.id == *id) {
        Some(chain) => chain
            .definition
            .members
            .iter()
            .map(String::as_str)
            .collect(),
        None => vec![id],
    };
    let known: Vec<&Rule> = rules
        .rules()
        .iter()
        .filter(|r| members.contains(&&*r.id))
        .collect();
    if known.is_empty() {
        return Err(AllowError::NoRule {
            id: id.clone(),
            title: alert.rule.title.clone(),
        });
    }
    for category in Category::ALL {
        let subject = Subject::told(*category, &alert.evidence.fields);
        let hits = rules.evaluate(&subject);
        let mut of_alert = hits
            .iter()
            .filter(|hit| members.contains(&&*hit.rule.id))
            .peekable();
        if of_alert.peek().is_none() {
            continue;
        }
        let (open, silenced): (Vec<_>, Vec<_>) =
            of_alert.partition(|hit| hit.suppressed_by.is_none());
        if let ([], [first, ..]) = (&open[..], &silenced[..]) {
            return Err(AllowError::Silenced(
                first.suppressed_by.clone().unwrap_or_default(),
            ));
        }
        let ids: Vec<&str> = open.iter().map(|hit| &*hit.rule.id).collect();
        return Ok(known
            .into_iter()
            .filter(|rule| ids.contains(&&*rule.id))
            .collect());
    }
    Err(AllowError::NoMatch(alert.rule.title.clone()))
}

/// What it was done to.
fn object(category: Category, subject: &Subject) -> &'static [Field] {
    let named = subject.get(Field::DestinationHostname).is_some();
    match category {
        Category::ProcessCreation => &[Field::CommandLine, Field::CommandLineTruncated],
        // A service's addresses change, its name does not.
        Category::NetworkConnection if named => &[
            Field::Protocol,
            Field::DestinationHostname,
            Field::DestinationPort,
        ],
        Category::NetworkConnection => &[
            Field::Protocol,
            Field::DestinationIp,
            Field::DestinationPort,
            Field::SocketPath,
            Field::SourceIp,
            Field::SourcePort,
        ],
        Category::FileEvent => &[
            Field::TargetFilename,
            Field::FileOperation,
            Field::FileExecutable,
            Field::FileCode,
        ],
        Category::FileAccess => &[Field::FileName],
        Category::FileRename | Category::FileDelete => {
            &[Field::SourceFilename, Field::TargetFilename]
        }
        Category::DnsQuery => &[Field::QueryName],
    }
}

/// Without Sigma's wildcards.
fn literal(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | '*' | '?') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// As a YAML scalar on one line: what hostile code chose can't end it.
fn quoted(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii_graphic() || c == ' ') {
        return format!("'{}'", text.replace('\'', "''"));
    }
    // YAML's double-quoted style knows all escapes of JSON.
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_ascii_graphic() || c == ' ' => out.push(c),
            c => {
                let _ = write!(out, "\\U{:08x}", u32::from(c));
            }
        }
    }
    out.push('"');
    out
}

fn comment(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_graphic() || c == ' ' {
            c
        } else {
            '?'
        }
    };
    text.chars().map(plain).collect()
}
