//! MESSAGE of a journal entry: an alert as JSON, cut to what `journalctl -o json` shows.

use serde_json::{Map, Value};

use crate::alert::schema::Alert;
use crate::alert::{escape, limit};
use crate::health::Health;

/// Fields longer than 4,096 bytes are printed as null by `journalctl -o json`.
pub const MESSAGE_BYTES: usize = 4_000;

/// An `args` that is longer than this, as JSON, counts as long.
const LONG_ARGS: usize = 256;

/// What is left out of an alert that is too long, in this order, until it fits. A part stands in
/// `truncated` by the name it has here.
const CUTS: &[(&str, Cut)] = &[
    ("row", Cut::Whole),
    ("evidence.fields", Cut::Whole),
    ("process.args", Cut::Long),
    ("ancestry.args", Cut::Long),
    ("evidence.matched", Cut::Whole),
    ("rule.references", Cut::Whole),
    ("links", Cut::Whole),
    ("ancestry", Cut::Whole),
    ("completeness.hooks", Cut::Whole),
    ("completeness.degraded", Cut::Whole),
    ("completeness.lost_by_kind", Cut::Whole),
    ("response", Cut::Whole),
    ("level_reasons", Cut::Whole),
    ("process.script", Cut::Whole),
    ("process.working_directory", Cut::Whole),
    ("package.script", Cut::Whole),
    ("install", Cut::Whole),
    ("process.args", Cut::Whole),
];

/// What stays when all of that was not enough: the answer to "what happened" and the id that
/// leads to the rest.
const CORE: &[&str] = &[
    "schema",
    "id",
    "time",
    "detection_branch",
    "level",
    "confidence",
    "title",
    "summary",
];

#[derive(Clone, Copy)]
enum Cut {
    Whole,
    Long,
}

/// At most [`MESSAGE_BYTES`]. What was left out is named in a last key, `truncated`.
pub fn message(alert: &Alert) -> String {
    shortened(alert, &escape::json(alert))
}

/// The same of an alert whose JSON is known.
pub(super) fn shortened(alert: &Alert, whole: &str) -> String {
    if whole.len() <= MESSAGE_BYTES {
        return whole.to_owned();
    }
    let Ok(Value::Object(mut map)) = serde_json::to_value(alert) else {
        return whole.to_owned();
    };
    // Most alerts are too long, so what a cut frees is reckoned and not tried.
    let mut length = whole.len() + r#","truncated":[]"#.len();
    let mut truncated = Vec::new();
    for &(name, cut) in CUTS {
        let freed = leave_out(&mut map, name, cut);
        length = length.saturating_sub(freed);
        if freed > 0 && !truncated.contains(&name) {
            truncated.push(name);
            length += name.len() + r#""","#.len();
        }
        if length <= MESSAGE_BYTES {
            map.insert("truncated".to_owned(), truncated.clone().into());
            let shorter = escape::json(&map);
            if shorter.len() <= MESSAGE_BYTES {
                return shorter;
            }
        }
    }
    core(&map)
}

fn core(map: &Map<String, Value>) -> String {
    let mut core = Map::new();
    for &key in CORE {
        if let Some(value) = map.get(key) {
            let value = match value {
                // Six bytes is the longest that a byte of text becomes in JSON.
                Value::String(text) => limit::cut(text, 120).into(),
                other => other.clone(),
            };
            core.insert(key.to_owned(), value);
        }
    }
    core.insert("truncated".to_owned(), vec!["*"].into());
    escape::json(&core)
}

/// Takes one part out; returns the bytes that this frees, 0 when there was nothing to take.
fn leave_out(map: &mut Map<String, Value>, name: &str, cut: Cut) -> usize {
    let Some((parent, key)) = name.split_once('.') else {
        return leave_out_of(map, name, cut);
    };
    match map.get_mut(parent) {
        Some(Value::Object(object)) => leave_out_of(object, key, cut),
        Some(Value::Array(items)) => items
            .iter_mut()
            .filter_map(Value::as_object_mut)
            .map(|item| leave_out_of(item, key, cut))
            .sum(),
        _ => 0,
    }
}

fn leave_out_of(object: &mut Map<String, Value>, key: &str, cut: Cut) -> usize {
    let size = object.get(key).map(|value| escape::json(value).len());
    match (cut, size) {
        (_, None) => 0,
        (Cut::Long, Some(size)) if size <= LONG_ARGS => 0,
        (_, Some(size)) => {
            object.shift_remove(key);
            // None of our keys needs an escape; a lone key has no comma, which the last look at
            // the length allows for.
            key.len() + r#""":,"#.len() + size
        }
    }
}

/// The same for a health record, of which only the cause can be long.
pub(super) fn health_message(health: &Health) -> String {
    let whole = escape::json(health);
    if whole.len() <= MESSAGE_BYTES {
        return whole;
    }
    let mut shorter = health.clone();
    shorter.cause = limit::cut(&health.cause, 256);
    shorter.host.name = limit::cut(&health.host.name, 64);
    escape::json(&shorter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::alert::sample;

    fn parsed(alert: &Alert) -> Value {
        let message = message(alert);
        assert!(message.len() <= MESSAGE_BYTES, "{}", message.len());
        serde_json::from_str(&message).unwrap()
    }

    #[test]
    fn a_short_alert_is_whole() {
        let alert = sample::postinstall();
        assert_eq!(parsed(&alert), serde_json::to_value(&alert).unwrap());
    }

    #[test]
    fn the_row_and_the_fields_go_before_the_arguments() {
        let mut alert = sample::postinstall();
        alert
            .evidence
            .fields
            .insert("Image".into(), "x".repeat(1500));
        alert.process.args.push("y".repeat(255));
        let message = parsed(&alert);
        assert_eq!(message["truncated"], json!(["row", "evidence.fields"]));
        assert_eq!(message["process"]["args"][3], "y".repeat(255));
    }

    #[test]
    fn only_long_arguments_of_ancestors_are_left_out() {
        let mut alert = sample::postinstall();
        alert.ancestry[1].args.push("y".repeat(3000));
        let message = parsed(&alert);
        assert_eq!(
            message["truncated"],
            json!(["row", "evidence.fields", "ancestry.args"])
        );
        assert_eq!(message["ancestry"][0]["args"], json!(["npm install"]));
        assert_eq!(message["ancestry"][1].get("args"), None);
    }

    #[test]
    fn an_alert_of_the_largest_size_still_says_what_happened() {
        let mut alert = sample::everything_is(&"\u{202e}".repeat(3_000));
        limit::cap(&mut alert);
        let message = parsed(&alert);
        assert_eq!(message["truncated"], json!(["*"]));
        assert_eq!(message["detection_branch"], "CredentialStoreAccess");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn a_message_is_never_shown_as_null(piece in ".", times in 0_usize..300) {
            let alert = sample::everything_is(&piece.repeat(times));
            prop_assert!(message(&alert).len() <= MESSAGE_BYTES);
            let mut health = sample::health();
            health.cause = piece.repeat(times);
            health.host.name = piece.repeat(times);
            prop_assert!(health_message(&health).len() <= MESSAGE_BYTES);
        }
    }
}
