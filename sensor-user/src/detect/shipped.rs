//! The rules that are part of the binary.

include!(concat!(env!("OUT_DIR"), "/shipped_rules.rs"));

/// The text of one file that must be there.
pub(super) fn text(name: &str) -> &'static str {
    FILES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
        .unwrap_or_else(|| panic!("rules/{name} is not in the rules folder of this build"))
}

/// Every file that holds a rule or a filter.
pub(super) fn documents() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES
        .iter()
        .copied()
        .filter(|(name, _)| !matches!(name.split('/').next(), Some("lists" | "playbooks")))
}

/// The recorded attacks: the file name of the rule that each was recorded for, and the capture.
pub fn captures() -> impl Iterator<Item = (&'static str, &'static str)> {
    CAPTURES.iter().copied()
}
