//! One rule as a page of at most 80 columns.

use serde::Serialize;

use crate::detect::Rule;

const COLUMNS: usize = 80;

/// The page, ending in a newline; `facts` say what the rule looks at.
pub(super) fn page(rule: &Rule, facts: &[(&str, String)]) -> String {
    let mut page = Page(String::new());
    page.paragraph("", &rule.title);
    page.blank();
    page.field("id", &rule.id);
    page.field(
        "level",
        &format!(
            "{}, confidence {}",
            word(&rule.level),
            word(&rule.confidence)
        ),
    );
    page.field("branch", &word(&rule.branch));
    page.field("file", &rule.file);
    page.field("tags", &rule.tags.join(", "));
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        page.field(name, value);
    }
    if !rule.description.is_empty() {
        page.blank();
        page.paragraph("", &rule.description);
    }
    page.list("FALSE POSITIVES", "- ", &rule.false_positives);
    page.list("REFERENCES", "- ", &rule.references);
    page.numbered("INVESTIGATE", &rule.playbook.investigate);
    page.numbered("RESPOND, in this order", &rule.playbook.respond);
    page.numbered("HUNT", &rule.playbook.hunt);
    page.0
}

/// A word of an enum, as JSON spells it.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// Rules of other people reach the terminal too.
pub(super) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

struct Page(String);

impl Page {
    fn blank(&mut self) {
        self.0.push('\n');
    }

    fn field(&mut self, name: &str, value: &str) {
        self.paragraph(&format!("{name:<9}"), value);
    }

    fn list(&mut self, heading: &str, bullet: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.0.push_str(&format!("\n{heading}\n"));
        for item in items {
            self.paragraph(bullet, item);
        }
    }

    fn numbered(&mut self, heading: &str, items: &[String]) {
        if items.is_empty() {
            return;
        }
        self.0.push_str(&format!("\n{heading}\n"));
        for (number, item) in items.iter().enumerate() {
            self.paragraph(&format!("{}. ", number + 1), item);
        }
    }

    /// Text behind a lead, broken at spaces, further lines under the first; a word that is too long
    /// for a line is cut.
    fn paragraph(&mut self, lead: &str, text: &str) {
        let room = COLUMNS - lead.chars().count();
        let indent = " ".repeat(lead.chars().count());
        let mut line = String::new();
        let mut lines = Vec::new();
        for word in text.split_whitespace() {
            let word: Vec<char> = plain(word).chars().collect();
            for piece in word.chunks(room) {
                let used = line.chars().count();
                if used > 0 && used + 1 + piece.len() > room {
                    lines.push(std::mem::take(&mut line));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.extend(piece);
            }
        }
        lines.push(line);
        for (number, line) in lines.iter().enumerate() {
            let before = if number == 0 { lead } else { &indent };
            self.0.push_str(format!("{before}{line}").trim_end());
            self.0.push('\n');
        }
    }
}
