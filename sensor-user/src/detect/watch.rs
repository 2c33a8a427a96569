//! From a rule's literals to the watch entries that feed it.
//!
//! For each way a rule can match, one necessary condition on the path is enough: an entry that
//! every matching path passes. What can't be said with an entry becomes [`WatchKey::Any`]. Sigma
//! ignores case unless `|cased`; the kernel lower-cases ASCII on both sides, so only ASCII
//! literals are used.

use std::collections::BTreeMap;

use rsigma_parser::{
    ConditionExpr, Detection, DetectionItem, Detections, Modifier, Quantifier, SigmaRule,
    SigmaValue, SpecialChar, StringPart,
};

use super::field::Category;
use super::matching::PATH_FIELDS;
use crate::event::{KEY_BYTES, Operations, WatchEntry, WatchKey, WatchSet};

/// Any one of these keys is passed by every path that matches.
type Cover = Vec<WatchKey>;

/// What the kernel must report for a rule; `None` where it needs no files.
pub(super) fn entries(rule: &SigmaRule, category: Category) -> Option<Vec<WatchEntry>> {
    let operations = match category {
        Category::FileAccess => Operations::READ,
        Category::FileEvent => file_operations(&rule.detection),
        Category::FileRename => Operations::METADATA,
        Category::FileDelete => Operations::REMOVE,
        Category::ProcessCreation | Category::NetworkConnection | Category::DnsQuery => {
            return None;
        }
    };
    let mut keys: Cover = rule
        .detection
        .conditions
        .iter()
        .flat_map(|condition| of_condition(condition, &rule.detection))
        .collect();
    keys.sort();
    keys.dedup();
    if keys.contains(&WatchKey::Any) {
        keys = vec![WatchKey::Any];
    }
    Some(
        keys.into_iter()
            .map(|key| WatchEntry { key, operations })
            .collect(),
    )
}

/// The entries of all rules, operations of equal keys added up.
pub(super) fn union(entries: impl IntoIterator<Item = WatchEntry>) -> WatchSet {
    let mut by_key = BTreeMap::<WatchKey, Operations>::new();
    for entry in entries {
        *by_key.entry(entry.key).or_default() |= entry.operations;
    }
    WatchSet {
        entries: by_key
            .into_iter()
            .map(|(key, operations)| WatchEntry { key, operations })
            .collect(),
    }
}

/// `file_event` covers several acts; a rule whose every selection asks for one is fed only that.
fn file_operations(detections: &Detections) -> Operations {
    let all = Operations::WRITE | Operations::CREATE | Operations::METADATA;
    let wanted = |detection: &Detection| {
        let Detection::AllOf(items) = detection else {
            return None;
        };
        let item = items.iter().find(|item| {
            item.field.name.as_deref() == Some("FileOperation") && item.field.modifiers.is_empty()
        })?;
        let mut operations = Operations::empty();
        for value in &item.values {
            operations |= match plain(value)?.to_ascii_lowercase().as_str() {
                "create" => Operations::CREATE,
                "write" => Operations::WRITE,
                "chmod" | "rename" | "link" | "symlink" => Operations::METADATA,
                _ => return None,
            };
        }
        Some(operations)
    };
    // Only a selection that the condition demands outright may narrow.
    let mut narrowed = all;
    for condition in &detections.conditions {
        let Some(demanded) = demanded(condition)
            .into_iter()
            .filter_map(|name| wanted(detections.named.get(name)?))
            .reduce(|a, b| a & b)
        else {
            return all;
        };
        narrowed = if narrowed == all {
            demanded
        } else {
            narrowed | demanded
        };
    }
    if detections.conditions.len() == 1 {
        narrowed
    } else {
        all
    }
}

/// Selections without which the condition is false.
fn demanded(condition: &ConditionExpr) -> Vec<&str> {
    match condition {
        ConditionExpr::Identifier(name) => vec![name],
        ConditionExpr::And(parts) => parts.iter().flat_map(demanded).collect(),
        _ => Vec::new(),
    }
}

fn of_condition(condition: &ConditionExpr, detections: &Detections) -> Cover {
    match condition {
        ConditionExpr::And(parts) => {
            cheapest(parts.iter().map(|part| of_condition(part, detections)))
        }
        ConditionExpr::Or(parts) => parts
            .iter()
            .flat_map(|part| of_condition(part, detections))
            .collect(),
        // A path that must not look so may look like anything else.
        ConditionExpr::Not(_) => any(),
        ConditionExpr::Identifier(name) => match detections.named.get(name) {
            Some(detection) => of_detection(detection),
            None => any(),
        },
        ConditionExpr::Selector {
            quantifier,
            pattern,
        } => {
            let covers = detections
                .named
                .iter()
                .filter(|(name, _)| pattern.matches_detection_name(name))
                .map(|(_, detection)| of_detection(detection));
            match quantifier {
                Quantifier::All => cheapest(covers),
                Quantifier::Any | Quantifier::Count(_) => covers.flatten().collect(),
            }
        }
    }
}

fn of_detection(detection: &Detection) -> Cover {
    match detection {
        Detection::AllOf(items) => cheapest(items.iter().map(of_item)),
        Detection::AnyOf(parts) => parts.iter().flat_map(of_detection).collect(),
        Detection::And(parts) => cheapest(parts.iter().map(of_detection)),
        Detection::Keywords(_) | Detection::ArrayMatch { .. } | Detection::Conditional { .. } => {
            any()
        }
    }
}

fn of_item(item: &DetectionItem) -> Cover {
    let on_path = PATH_FIELDS
        .iter()
        .any(|field| item.field.name.as_deref() == Some(field.name()));
    let understood = item.field.modifiers.iter().all(|modifier| {
        matches!(
            modifier,
            Modifier::Contains
                | Modifier::StartsWith
                | Modifier::EndsWith
                | Modifier::All
                | Modifier::Cased
        )
    });
    if !on_path || !understood || item.values.is_empty() {
        return any();
    }
    let covers = item.values.iter().map(|value| of_value(value, item));
    if item.field.has_modifier(Modifier::All) {
        cheapest(covers)
    } else {
        covers.flatten().collect()
    }
}

/// One character of a pattern.
#[derive(Clone, Copy, PartialEq)]
enum Token {
    Byte(u8),
    /// Any text, slashes included: a wildcard, or a non-ASCII letter, which has no one spelling.
    Open,
}

/// The best single key of a pattern.
fn of_value(value: &SigmaValue, item: &DetectionItem) -> Cover {
    let SigmaValue::String(text) = value else {
        return any();
    };
    let mut tokens = Vec::new();
    let has = |modifier| item.field.has_modifier(modifier);
    if has(Modifier::Contains) || has(Modifier::EndsWith) {
        tokens.push(Token::Open);
    }
    for part in &text.parts {
        match part {
            StringPart::Plain(plain) => tokens.extend(plain.bytes().map(|byte| {
                if byte.is_ascii() {
                    Token::Byte(byte.to_ascii_lowercase())
                } else {
                    Token::Open
                }
            })),
            StringPart::Special(SpecialChar::WildcardMulti | SpecialChar::WildcardSingle) => {
                tokens.push(Token::Open);
            }
        }
    }
    if has(Modifier::Contains) || has(Modifier::StartsWith) {
        tokens.push(Token::Open);
    }
    best(keys(&tokens)).map_or_else(any, |key| vec![key])
}

/// Every key that each path fitting the pattern passes.
fn keys(tokens: &[Token]) -> Vec<WatchKey> {
    let mut keys = Vec::new();
    let pieces: Vec<&[Token]> = tokens.split(|&token| token == Token::Byte(b'/')).collect();
    for piece in &pieces {
        // Between two slashes, or a slash and an end of the path: a whole component. An open end
        // of the pattern stands in the piece itself.
        let literal: Option<Vec<u8>> = piece
            .iter()
            .map(|token| match token {
                Token::Byte(byte) => Some(*byte),
                Token::Open => None,
            })
            .collect();
        if let Some(name) = literal
            && !name.is_empty()
        {
            keys.push(WatchKey::Component(cut_end(name)));
        }
    }
    // What follows the last open place ends the path, and so its last component.
    if let Some(last) = pieces.last() {
        let suffix: Vec<u8> = last
            .iter()
            .rev()
            .map_while(|token| match token {
                Token::Byte(byte) => Some(*byte),
                Token::Open => None,
            })
            .collect();
        if !suffix.is_empty() && suffix.len() < last.len() {
            let mut suffix: Vec<u8> = suffix.into_iter().rev().collect();
            // The kernel holds as much of a key: the end of a suffix is what it needs.
            suffix.drain(..suffix.len().saturating_sub(KEY_BYTES));
            keys.push(WatchKey::BasenameSuffix(suffix));
        }
    }
    keys
}

fn cut_end(mut name: Vec<u8>) -> Vec<u8> {
    name.truncate(KEY_BYTES);
    name
}

/// The cheapest; of equals the one nearest to the end of the path, where names tell more.
fn best(keys: Vec<WatchKey>) -> Option<WatchKey> {
    keys.into_iter().rev().min_by_key(price)
}

fn cheapest(covers: impl Iterator<Item = Cover>) -> Cover {
    covers
        .min_by_key(|cover| {
            let price: u64 = cover.iter().map(price).sum();
            (price, cover.clone())
        })
        .unwrap_or_else(any)
}

fn any() -> Cover {
    vec![WatchKey::Any]
}

/// Folders under which an install writes or reads all the time.
const BUSY: &str = ".cache .cargo .config .git .gradle .local .m2 .npm .nuget cache code config dev \
    dist-packages etc home include lib lib64 local node_modules opt pip proc python3 root run \
    share site-packages src sys system tmp user users usr var";
/// Names that files or folders of many packages have.
const COMMON: &str = ".gem actions at auth.json bin config.json config.toml config.yaml \
    config.yml credentials cron cursor default env git hooks login op profile registry rules \
    settings.json settings.xml storage templates token";
/// Endings that most files have.
const BUSY_ENDS: &str = ".js .json .py .so .txt .md .node .h .c .yml";

/// How many events a key lets through, roughly: only the order means something.
fn price(key: &WatchKey) -> u64 {
    let listed =
        |list: &str, name: &[u8]| list.split_whitespace().any(|word| word.as_bytes() == name);
    match key {
        WatchKey::Component(name) if listed(BUSY, name) => 10_000,
        WatchKey::Component(name) if listed(COMMON, name) => 300,
        // A hidden name is seldom one of a package's own files.
        WatchKey::Component(name) if name.starts_with(b".") => 5,
        WatchKey::Component(_) => 10,
        WatchKey::BasenameSuffix(end) if end.len() < 3 || listed(BUSY_ENDS, end) => 20_000,
        WatchKey::BasenameSuffix(_) | WatchKey::BasenamePrefix(_) => 30,
        WatchKey::Any => 1_000_000,
    }
}

fn plain(value: &SigmaValue) -> Option<String> {
    match value {
        SigmaValue::String(text) => text.as_plain(),
        _ => None,
    }
}
