//! What is wrong with a rule file, where, and what was probably meant.

use std::fmt;

/// One mistake in one file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file as it was named, or its path below the shipped rules.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// One sentence: what is wrong and what to do.
    pub message: String,
    /// What was probably meant.
    pub suggestion: Option<String>,
    /// The line itself; empty where the file could not be read.
    pub source: String,
    /// How many characters of it are wrong; at least 1.
    pub width: usize,
}

/// How problems are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people: the line, a caret, a suggestion.
    #[default]
    Text,
    /// One JSON array.
    Json,
    /// Workflow commands that a CI job shows beside the line.
    Github,
}

/// Everything that is wrong with all files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadErrors(pub Vec<Problem>);

impl std::error::Error for LoadErrors {}

impl fmt::Display for LoadErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(Format::Text))
    }
}

impl LoadErrors {
    /// All problems in that format, ending in a newline.
    pub fn render(&self, format: Format) -> String {
        match format {
            Format::Text => self.0.iter().map(text).collect::<Vec<_>>().join("\n"),
            Format::Json => {
                let all: Vec<_> = self.0.iter().map(json).collect();
                format!("{:#}\n", serde_json::Value::Array(all))
            }
            Format::Github => self
                .0
                .iter()
                .map(|problem| problem.annotation("error"))
                .collect(),
        }
    }
}

impl Problem {
    fn sentence(&self) -> String {
        match &self.suggestion {
            Some(meant) => format!("{}; did you mean `{meant}`?", self.message),
            None => self.message.clone(),
        }
    }

    /// A workflow command, `error` or `warning`: properties and message have an escaping of their own,
    /// without which a file name could carry a second command.
    pub fn annotation(&self, command: &str) -> String {
        let message = |text: &str| {
            text.replace('%', "%25")
                .replace('\r', "%0D")
                .replace('\n', "%0A")
        };
        let property = |text: &str| message(text).replace(':', "%3A").replace(',', "%2C");
        format!(
            "::{command} file={},line={},col={},title=Sigma rule::{}\n",
            property(&self.file),
            self.line,
            self.column,
            message(&self.sentence())
        )
    }
}

fn text(problem: &Problem) -> String {
    let Problem {
        file, line, column, ..
    } = problem;
    let mut out = format!(
        "{}:{line}:{column}: error: {}\n",
        printable(file),
        printable(&problem.sentence())
    );
    if !problem.source.is_empty() {
        let number = line.to_string();
        let gutter = " ".repeat(number.len());
        // A tab moves the caret as it moves the text above it.
        let lead: String = problem
            .source
            .chars()
            .take(column - 1)
            .map(|c| if c == '\t' { '\t' } else { ' ' })
            .collect();
        let carets = "^".repeat(problem.width.max(1));
        out.push_str(&format!(
            "{number} | {}\n{gutter} | {lead}{carets}\n",
            printable(&problem.source)
        ));
    }
    out
}

/// One character for each, so that the caret stays where it belongs.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() && c != '\t' {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}

fn json(problem: &Problem) -> serde_json::Value {
    let mut object = serde_json::json!({
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "message": problem.message,
    });
    if let Some(meant) = &problem.suggestion {
        object["suggestion"] = meant.as_str().into();
    }
    object
}

/// The one of `known` that `word` was probably meant to be.
pub(super) fn suggest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&lower, &candidate.to_lowercase());
            (distance, candidate)
        })
        .min()
        .filter(|&(distance, candidate)| distance <= (candidate.chars().count().max(3) / 3).min(4))
        .map(|(_, candidate)| candidate.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem() -> Problem {
        Problem {
            file: "my,rules/a.yml".into(),
            line: 7,
            column: 3,
            message: "unknown level `hihg`".into(),
            suggestion: Some("high".into()),
            source: "  hihg".into(),
            width: 4,
        }
    }

    #[test]
    fn text_shows_the_line_and_a_caret_below_the_mistake() {
        assert_eq!(
            LoadErrors(vec![problem()]).to_string(),
            "my,rules/a.yml:7:3: error: unknown level `hihg`; did you mean `high`?\n\
             7 |   hihg\n  |   ^^^^\n"
        );
    }

    #[test]
    fn a_file_name_cannot_add_a_workflow_command() {
        let mut evil = problem();
        evil.file = "a\n::set-output name=x::y,b.yml".into();
        evil.message = "50%\n::error::boo".into();
        let out = LoadErrors(vec![evil]).render(Format::Github);
        assert_eq!(out.lines().count(), 1);
        assert!(
            out.starts_with(
                "::error file=a%0A%3A%3Aset-output name=x%3A%3Ay%2Cb.yml,line=7,col=3,"
            )
        );
        assert!(out.ends_with("::50%25%0A::error::boo; did you mean `high`?\n"));
    }

    #[test]
    fn json_is_an_array_of_objects() {
        let out = LoadErrors(vec![problem()]).render(Format::Json);
        let parsed: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!(parsed[0]["line"], 7);
        assert_eq!(parsed[0]["suggestion"], "high");
    }

    #[test]
    fn a_far_word_suggests_nothing() {
        assert_eq!(suggest("Imgae", ["Image", "User"]), Some("Image".into()));
        assert_eq!(suggest("banana", ["Image", "User"]), None);
    }
}
