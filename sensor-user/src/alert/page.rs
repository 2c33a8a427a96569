//! Text on a terminal: escaped, wrapped at a width, coloured where that is wanted.
//!
//! The only way text gets onto a page is through [`escape::terminal`].

use unicode_width::UnicodeWidthChar;

use super::escape;
use crate::detect::Level;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Text only.
    Plain,
    /// With ANSI colours.
    Ansi,
}

impl Style {
    /// Colours are for a terminal, unless `NO_COLOR` is set and not empty (<https://no-color.org>).
    pub fn choose(is_terminal: bool, no_color: Option<&std::ffi::OsStr>) -> Self {
        match no_color {
            Some(value) if !value.is_empty() => Style::Plain,
            _ if is_terminal => Style::Ansi,
            _ => Style::Plain,
        }
    }

    fn paint(self, colour: &str, text: &str) -> String {
        match self {
            Style::Ansi if !colour.is_empty() => format!("\x1b[{colour}m{text}\x1b[0m"),
            _ => text.to_owned(),
        }
    }
}

/// The colour of a level, as the parameters of an SGR sequence.
pub fn colour(level: Level) -> &'static str {
    match level {
        Level::Critical => "1;97;41",
        Level::High => "1;31",
        Level::Medium => "1;33",
        Level::Low | Level::Informational => "1",
    }
}

const BOLD: &str = "1";
const DIM: &str = "2";

/// Width of the column of labels, the blank after it included.
const LABELS: usize = 11;

/// Lines of at most `width` columns.
#[derive(Debug)]
pub struct Page {
    text: String,
    width: usize,
    style: Style,
}

impl Page {
    /// An empty page.
    pub fn new(width: usize, style: Style) -> Self {
        Self {
            text: String::new(),
            width: width.max(40),
            style,
        }
    }

    /// `label text`: the first word coloured, the text wrapped below the line's own start.
    pub fn headline(&mut self, label: &str, colour: &str, text: &str) {
        self.put(label, colour, label.len() + 1, text, "");
    }

    /// A title on a line of its own, after an empty one.
    pub fn section(&mut self, title: &str) {
        self.text.push('\n');
        self.put(title, BOLD, title.len(), "", "");
    }

    /// `  label     text`, the text wrapped in its own column.
    pub fn item(&mut self, label: &str, text: &str) {
        let label = format!("  {}", escape::terminal(label));
        self.put(&label, DIM, (LABELS + 2).max(columns(&label) + 1), text, "");
    }

    /// The item where there is a text.
    pub fn optional(&mut self, label: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.item(label, text);
        }
    }

    /// A line with a fixed beginning that is ours, the text wrapped behind it.
    pub fn line(&mut self, start: &str, text: &str) {
        self.put(start, "", columns(start), text, "");
    }

    /// [`Self::line`] with the whole text in bold: this one is meant.
    pub fn marked(&mut self, start: &str, text: &str) {
        self.put(start, "", columns(start), text, BOLD);
    }

    /// What was written.
    pub fn finish(self) -> String {
        self.text
    }

    fn put(&mut self, label: &str, colour: &str, indent: usize, text: &str, text_colour: &str) {
        let lines = wrap(&escape::terminal(text), self.width.saturating_sub(indent));
        for (n, line) in lines.iter().enumerate() {
            let line = self.style.paint(text_colour, line);
            let start = if n == 0 {
                let gap = indent.saturating_sub(columns(label));
                format!("{}{}", self.style.paint(colour, label), " ".repeat(gap))
            } else {
                " ".repeat(indent)
            };
            self.text.push_str(format!("{start}{line}").trim_end());
            self.text.push('\n');
        }
    }
}

/// Terminal columns that an escaped text takes.
pub fn columns(text: &str) -> usize {
    text.chars().map(|c| c.width().unwrap_or(0)).sum()
}

/// Breaks at blanks, and inside a word only where it is longer than a line. Blanks inside a line
/// stay: they may matter in a command. No line comes to begin with `::` by it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(16);
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        // Guarding a line makes it three columns longer.
        let guarded = rest.trim_start().starts_with("::");
        let room = if guarded { width - 3 } else { width };
        let Some((end, next)) = line_break(rest, room) else {
            lines.push(escape::guard_start(rest.to_owned()));
            return lines;
        };
        lines.push(escape::guard_start(rest[..end].to_owned()));
        rest = &rest[next..];
    }
}

/// Where the first line ends and the next begins; absent when all fits.
fn line_break(text: &str, width: usize) -> Option<(usize, usize)> {
    let mut used = 0;
    let mut blank = None;
    for (at, c) in text.char_indices() {
        used += c.width().unwrap_or(0);
        if used > width && c != ' ' {
            return Some(blank.map_or((at, at), |blank| (blank, blank + 1)));
        }
        if c == ' ' && at > 0 {
            blank = Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_page_or_begins_a_command(
            text in "(::error::|##\\[x\\]| |\n|日本|[a-z]{1,90}|\u{1b}\\[2J|\\PC){0,40}",
        ) {
            let mut page = Page::new(40, Style::Plain);
            page.item("label", &text);
            page.line("", &text);
            for line in page.finish().lines() {
                prop_assert!(columns(line) <= 40, "{line:?}");
                prop_assert_eq!(escape::terminal(line), line);
            }
        }
    }

    #[test]
    fn colour_is_for_terminals_unless_the_user_said_no() {
        let set = |value| Some(std::ffi::OsStr::new(value));
        assert_eq!(Style::choose(true, None), Style::Ansi);
        assert_eq!(Style::choose(true, set("")), Style::Ansi);
        assert_eq!(Style::choose(true, set("1")), Style::Plain);
        assert_eq!(Style::choose(false, None), Style::Plain);
    }

    #[test]
    fn a_command_keeps_its_blanks() {
        let mut page = Page::new(80, Style::Plain);
        page.line("> ", "a  b   c");
        assert_eq!(page.finish(), "> a  b   c\n");
    }
}
