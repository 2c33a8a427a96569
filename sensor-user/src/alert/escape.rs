//! Texts that hostile code chose, made harmless for where they are shown.
//!
//! Each function gives one line. They leave a lone backslash alone: in an alert a backslash that
//! was in the original is doubled already (see [`crate::event::Text`]), so `\n`, `\x1b` and
//! `\u{202e}` can only be what these functions wrote.

use std::fmt::Write as _;
use std::io;

use serde::Serialize;

/// For a terminal or a plain log line, also one that a CI runner reads for commands.
///
/// - Control characters (C0, DEL, C1: so no ANSI sequence in either form, no newline), bidi
///   controls, invisible and private characters become `\n`, `\x1b`, `\u{202e}`.
/// - A leading `::` (blanks before it do not count, for the runner skips them) and every `##`
///   (`##[` and `##vso[` are found anywhere in a line) lose their meaning.
pub fn terminal(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_deceptive(c) => {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            '#' if out.ends_with('#') => out.push_str("\\x23"),
            c => out.push(c),
        }
    }
    guard_start(out)
}

/// A finished line of already escaped pieces, which may have come to begin with `::` by wrapping.
pub fn guard_start(mut line: String) -> String {
    let blank = line.len() - line.trim_start().len();
    if line[blank..].starts_with("::") {
        line.replace_range(blank..=blank, "\\x3a");
    }
    line
}

/// For Markdown and the HTML in it: plain text and nothing else, wherever in a line, a table cell
/// or an element it is put. What has a meaning in either becomes a numeric entity, which
/// CommonMark (section 2.5) never takes for structure; backslashes would not work inside HTML.
pub fn markdown(text: &str) -> String {
    let text = terminal(text);
    let mut out = String::with_capacity(text.len() * 2);
    for (at, c) in text.char_indices() {
        let before = &text[..at];
        let special = match c {
            '&' | '<' | '>' | '"' | '\'' | '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '{'
            | '}' | '#' | '|' | '~' | ':' | '@' | '$' | '!' | '^' | '=' => true,
            // A list, a rule under a heading, an indented block: only where a line begins.
            '-' | '+' | ' ' => before.trim_start_matches([' ', '-']).is_empty(),
            // `1.` begins a list; `www.` is made a link.
            '.' => {
                before.bytes().all(|b| b.is_ascii_digit())
                    || before
                        .get(at.saturating_sub(3)..)
                        .is_some_and(|w| w.eq_ignore_ascii_case("www"))
            }
            _ => false,
        };
        if special {
            let _ = write!(out, "&#{};", c as u32);
        } else {
            out.push(c);
        }
    }
    out
}

/// For the message of a workflow command: `::warning::` and this.
pub fn annotation(text: &str) -> String {
    terminal(text).replace('%', "%25")
}

/// For the value of a property of a workflow command: `::warning title=` and this and `::`.
pub fn annotation_property(text: &str) -> String {
    annotation(text).replace(':', "%3A").replace(',', "%2C")
}

/// One line of JSON that is as harmless as [`terminal`] makes text, and says exactly the same as
/// any other JSON of the value: JSON itself lets DEL, C1 and bidi controls stand, and a runner
/// would find a `##[` inside it.
pub fn json(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Harmless);
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8(out)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()),
        // Only maps with keys that are not strings fail, and none of ours has such.
        Err(error) => serde_json::json!({ "error": error.to_string() }).to_string(),
    }
}

struct Harmless;

impl serde_json::ser::Formatter for Harmless {
    fn write_string_fragment<W>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()>
    where
        W: ?Sized + io::Write,
    {
        // Nearly every text is as it should be.
        if fragment.is_ascii() && !fragment.contains(['#', '\x7f']) {
            return writer.write_all(fragment.as_bytes());
        }
        let mut plain = 0;
        let mut last = '\0';
        for (at, c) in fragment.char_indices() {
            if c == '\x7f' || is_deceptive(c) || (c == '#' && last == '#') {
                writer.write_all(&fragment.as_bytes()[plain..at])?;
                let mut units = [0; 2];
                for unit in c.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
                plain = at + c.len_utf8();
            }
            last = c;
        }
        writer.write_all(&fragment.as_bytes()[plain..])
    }
}

/// Characters beyond ASCII that steer a terminal, turn the direction of text, or can't be seen.
fn is_deceptive(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{e000}'..='\u{f8ff}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fffb}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
            | '\u{f0000}'..='\u{10ffff}'
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Texts in which what is dangerous is frequent.
    fn hostile() -> impl Strategy<Value = String> {
        let piece = prop_oneof![
            "\\PC{0,4}",
            any::<char>().prop_map(String::from),
            prop::sample::select(vec![
                "::error::",
                "::",
                "##[group]",
                "##vso[",
                "###",
                "\n",
                "\r\n",
                " ",
                "    ",
                "\t",
                "\x1b[31m",
                "\u{9b}2J",
                "\u{202e}",
                "\u{2066}",
                "\u{2028}",
                "<img src=x>",
                "<!--",
                "&amp;",
                "[a](b)",
                "![",
                "`",
                "```",
                "|",
                "**",
                "_x_",
                "~~",
                "1.",
                "- ",
                "+ ",
                "# ",
                "---",
                "===",
                "www.a.bc",
                "https://a.bc",
                "a@b.cd",
                "\\",
                "%0A",
                "$x$",
                "[^1]",
                "> ",
                ":smile:",
            ])
            .prop_map(String::from),
        ];
        prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat())
    }

    fn is_harmless(line: &str) -> bool {
        !line.chars().any(|c| c.is_control() || is_deceptive(c))
            && !line.trim_start().starts_with("::")
            && !line.contains("##")
    }

    proptest! {
        #[test]
        fn nothing_steers_a_terminal_or_a_runner(text in hostile()) {
            let shown = terminal(&text);
            prop_assert!(is_harmless(&shown), "{shown:?}");
        }

        #[test]
        fn escaping_twice_changes_nothing(text in hostile()) {
            let once = terminal(&text);
            prop_assert_eq!(terminal(&once), once);
        }

        #[test]
        fn an_annotation_stays_one_command(text in hostile()) {
            let line = format!(
                "::warning title={}::{}",
                annotation_property(&text),
                annotation(&text)
            );
            prop_assert_eq!(line.lines().count(), 1);
            prop_assert_eq!(line.matches("::").next(), Some("::"));
            let title = line.strip_prefix("::warning title=").unwrap();
            let (title, message) = title.split_once("::").unwrap();
            prop_assert!(!title.contains([':', ',']));
            prop_assert_eq!(message.replace("%25", "%"), terminal(&text));
        }

        #[test]
        fn json_is_harmless_and_says_the_same(text in hostile()) {
            let line = json(&text);
            prop_assert!(is_harmless(&line), "{line:?}");
            prop_assert_eq!(serde_json::from_str::<String>(&line).unwrap(), text);
        }

        #[test]
        fn markdown_is_nothing_but_text_wherever_it_stands(text in hostile()) {
            for frame in ["{}", "x {}", "- {}", "| a | b |\n| - | - |\n| {} | x |", "### {}"] {
                let expected = structure(&frame.replace("{}", "x"));
                let (around, words) = structure(&frame.replace("{}", &markdown(&text)));
                // An empty paragraph is none; blanks at an end are not shown.
                if !text.trim().is_empty() {
                    prop_assert_eq!(around, expected.0, "{}", frame);
                    prop_assert!(
                        words.contains(terminal(&text).trim()),
                        "{words:?} {:?}", terminal(&text)
                    );
                }
            }
        }
    }

    /// What a Markdown reader sees: everything but text, and the text.
    fn structure(page: &str) -> (Vec<String>, String) {
        use pulldown_cmark::{Event, Options, Parser};
        let options = Options::all() - Options::ENABLE_SMART_PUNCTUATION;
        let mut around = Vec::new();
        let mut words = String::new();
        for event in Parser::new_ext(page, options) {
            match event {
                Event::Text(text) => words.push_str(&text),
                other => around.push(format!("{other:?}")),
            }
        }
        (around, words)
    }

    #[test]
    fn what_is_ordinary_stays_as_it_is() {
        let text = "curl -fsSL 'https://a.bc/x?y=1' | sh; std::fs — grüße 日本";
        assert_eq!(terminal(text), text);
    }

    #[test]
    fn each_kind_of_attack_is_visible() {
        assert_eq!(
            terminal("a\n::error::b \x1b[2J \u{9b}1m \u{202e}x ###[x \x7f"),
            "a\\n::error::b \\x1b[2J \\u{9b}1m \\u{202e}x #\\x23#[x \\x7f"
        );
        assert_eq!(
            terminal("  ::set-env name=x::y"),
            "  \\x3a:set-env name=x::y"
        );
    }
}
