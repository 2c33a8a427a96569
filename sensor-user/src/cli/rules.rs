//! `pkgwarden rules check|test|list|show`: needs no privileges, reads no event.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::detect::{Format, LoadErrors, Problem, Rule, RuleSet, Sources};
use crate::event::{Operations, WatchKey};

mod show;
mod test;

/// Validate, test, list and show detection rules.
#[derive(Debug, Args)]
pub struct RulesArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Validate all rules and filters, and say what they cost
    Check {
        #[command(flatten)]
        source: SourceArgs,
        /// How mistakes are written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Try every rule on the events and the recording of its own test
    Test {
        #[command(flatten)]
        source: SourceArgs,
    },
    /// List all rules
    List {
        #[command(flatten)]
        source: SourceArgs,
        /// A table, or one JSON array
        #[arg(long, value_enum, default_value_t)]
        format: ListFormat,
    },
    /// Show one rule with its playbook
    Show {
        #[command(flatten)]
        source: SourceArgs,
        /// The rule's id, file name or title
        rule: String,
    },
}

#[derive(Debug, Clone, Copy, Default, clap::ValueEnum)]
enum ListFormat {
    #[default]
    Text,
    Json,
}

/// Which rules are meant.
#[derive(Debug, Clone, Default, Args)]
pub struct SourceArgs {
    /// Folder of more rules, read with its subfolders
    #[arg(long = "rules", value_name = "DIR")]
    rules: Vec<PathBuf>,
    /// Folder of more filters
    #[arg(long = "filters", value_name = "DIR")]
    filters: Vec<PathBuf>,
    /// Leave the shipped rules out
    #[arg(long)]
    no_default_rules: bool,
}

impl SourceArgs {
    /// For [`RuleSet::load`].
    pub fn sources(&self) -> Sources {
        Sources {
            shipped: !self.no_default_rules,
            rule_dirs: self.rules.clone(),
            filter_dirs: self.filters.clone(),
        }
    }
}

/// Runs the verb: 0, or 1 when a rule is wrong, fails its test or is not found.
pub fn run(args: &RulesArgs) -> ExitCode {
    let (source, format) = match &args.verb {
        Verb::Check { source, format } => (source, *format),
        Verb::List { source, .. } | Verb::Show { source, .. } | Verb::Test { source } => {
            (source, Format::Text)
        }
    };
    let rules = match RuleSet::load(&source.sources()) {
        Ok(rules) => rules,
        Err(errors) => return refuse(&errors, format),
    };
    let mut status = ExitCode::SUCCESS;
    let text = match &args.verb {
        Verb::Test { source } => {
            let outcome = test::run(rules, &source.rules);
            if outcome.failed > 0 {
                status = ExitCode::FAILURE;
            }
            outcome.text
        }
        Verb::Check { format, .. } => checked(&rules, *format),
        Verb::List { format, .. } => listed(&rules, *format),
        Verb::Show { rule, .. } => match find(&rules, rule) {
            Some(rule) => show::page(rule, &facts(&rules, rule)),
            None => {
                eprintln!("no rule is called `{rule}`; `pkgwarden rules list` names them all");
                return ExitCode::FAILURE;
            }
        },
    };
    // A reader that has seen enough (head) is no failure.
    match io::stdout().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            eprintln!("can't write to stdout: {error}");
            ExitCode::FAILURE
        }
        _ => status,
    }
}

/// JSON and workflow commands go to stdout, where their readers look.
fn refuse(errors: &LoadErrors, format: Format) -> ExitCode {
    let text = errors.render(format);
    if format == Format::Text {
        eprint!("{text}");
        let count = errors.0.len();
        eprintln!(
            "\n{count} {} in rules",
            if count == 1 { "mistake" } else { "mistakes" }
        );
    } else {
        print!("{text}");
    }
    ExitCode::FAILURE
}

/// What the rules are and what they make the kernel report.
fn checked(rules: &RuleSet, format: Format) -> String {
    let watch = rules.watch_set();
    let count = |operation: Operations| {
        let entries = watch.entries.iter();
        entries
            .filter(|entry| entry.operations.intersects(operation))
            .count()
    };
    let any = rules.rules_that_need_any();
    match format {
        Format::Json => "[]\n".to_owned(),
        Format::Github => any.iter().map(|rule| priced(rule)).collect(),
        Format::Text => {
            let mut out = format!(
                "{} rules, {} chains and {} filters are good ({})\n\
                 files: {} watch entries (read {}, write {}, create {}, rename and chmod {}, remove {})\n",
                rules.rules().len(),
                rules.chains().len(),
                rules.filters().len(),
                &rules.sha256()[..12],
                watch.entries.len(),
                count(Operations::READ),
                count(Operations::WRITE),
                count(Operations::CREATE),
                count(Operations::METADATA),
                count(Operations::REMOVE),
            );
            if any.is_empty() {
                out.push_str("price: no rule needs every file\n");
            }
            for rule in any {
                let operations = rules.watch_entries(rule)[0].operations;
                out.push_str(&format!(
                    "price: `{}` has no whole path component or file ending to look for, so every \
                     file is reported ({})\n",
                    rule.title,
                    words(operations)
                ));
            }
            out
        }
    }
}

/// A workflow command that shows beside a rule's file what it costs.
fn priced(rule: &Rule) -> String {
    let problem = Problem {
        file: rule.file.clone(),
        line: 1,
        column: 1,
        message: format!(
            "`{}` has no whole path component or file ending to look for, so every file is reported",
            rule.title
        ),
        suggestion: None,
        source: String::new(),
        width: 1,
    };
    problem.annotation("warning")
}

/// What a rule looks at: events and files, or other rules.
fn facts(rules: &RuleSet, rule: &Rule) -> Vec<(&'static str, String)> {
    let chain = rules.chains().iter().find(|chain| chain.rule.id == rule.id);
    let Some(chain) = chain else {
        let keys = rules
            .watch_entries(rule)
            .iter()
            .map(|entry| key(&entry.key));
        let watches: Vec<_> = keys.collect();
        return vec![
            ("branch", show::word(&rule.branch)),
            ("events", rule.category.name().to_owned()),
            ("watches", watches.join(", ")),
        ];
    };
    let title = |id: &String| {
        rules
            .described()
            .find(|rule| rule.id == *id)
            .map(|r| &*r.title)
    };
    let links: Vec<_> = chain.definition.members.iter().filter_map(title).collect();
    let seconds = chain.definition.timespan / 1_000_000_000;
    vec![
        ("branch", "that of the link that ends it".to_owned()),
        ("links", links.join("; ")),
        (
            "within",
            format!("{seconds} s, by {}", chain.group_by.join(" and ")),
        ),
    ]
}

/// Operations as people call them.
fn words(operations: Operations) -> String {
    let names = [
        (Operations::READ, "read"),
        (Operations::WRITE, "write"),
        (Operations::CREATE, "create"),
        (Operations::METADATA, "rename and chmod"),
        (Operations::REMOVE, "remove"),
    ];
    let words: Vec<_> = names
        .iter()
        .filter(|(operation, _)| operations.contains(*operation))
        .map(|(_, name)| *name)
        .collect();
    words.join(", ")
}

/// A watch key as `rules show` prints it.
fn key(key: &WatchKey) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match key {
        WatchKey::Component(name) => format!("/{}/", text(name)),
        WatchKey::BasenameSuffix(end) => format!("*{}", text(end)),
        WatchKey::BasenamePrefix(start) => format!("{}*", text(start)),
        WatchKey::Any => "every file".to_owned(),
    }
}

fn listed(rules: &RuleSet, format: ListFormat) -> String {
    let chains: Vec<&str> = rules.chains().iter().map(|chain| &*chain.rule.id).collect();
    let mut rules: Vec<&Rule> = rules.described().collect();
    rules.sort_by(|a, b| (a.branch, b.level, &a.title).cmp(&(b.branch, a.level, &b.title)));
    if let ListFormat::Json = format {
        let all: Vec<_> = rules
            .iter()
            .map(|rule| {
                serde_json::json!({
                    "id": rule.id,
                    "level": rule.level,
                    "confidence": rule.confidence,
                    "branch": rule.branch,
                    "category": (!chains.contains(&&*rule.id)).then(|| rule.category.name()),
                    "title": rule.title,
                    "tags": rule.tags,
                    "file": rule.file,
                })
            })
            .collect();
        return format!("{:#}\n", serde_json::Value::Array(all));
    }
    let mut table = comfy_table::Table::new();
    table
        .load_preset(comfy_table::presets::NOTHING)
        .set_header(["id", "level", "branch", "title"]);
    for rule in rules {
        table.add_row([
            rule.id.clone(),
            show::word(&rule.level),
            show::word(&rule.branch),
            show::plain(&rule.title),
        ]);
    }
    let lines: Vec<_> = table
        .lines()
        .map(|line| line.trim_end().to_owned())
        .collect();
    lines.join("\n") + "\n"
}

/// By id, by file name without its ending, or by title.
fn find<'r>(rules: &'r RuleSet, name: &str) -> Option<&'r Rule> {
    rules.described().find(|rule| {
        let file = rule.file.rsplit('/').next().unwrap_or(&rule.file);
        let stem = file.rsplit_once('.').map_or(file, |(stem, _)| stem);
        rule.id.eq_ignore_ascii_case(name)
            || stem == name
            || file == name
            || rule.title.eq_ignore_ascii_case(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shipped() -> RuleSet {
        RuleSet::load(&SourceArgs::default().sources()).unwrap()
    }

    #[test]
    fn check_names_the_count_and_the_price() {
        let text = checked(&shipped(), Format::Text);
        assert!(text.contains(" chains and "), "{text}");
        assert!(text.contains("watch entries (read "), "{text}");
        assert!(text.contains("price: no rule needs every file"), "{text}");
    }

    #[test]
    fn a_rule_that_needs_every_file_is_named_with_its_price() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(
            folder.path().join("a.yml"),
            "title: Dear\nid: 00000000-0000-4000-8000-000000000001\nlogsource:\n  category: \
             file_access\ndetection:\n  a:\n    FileName|contains: wallet\n  condition: a\n",
        )
        .unwrap();
        let rules = RuleSet::load(&Sources {
            rule_dirs: vec![folder.path().to_owned()],
            ..Sources::default()
        });
        let rules = rules.unwrap();
        let warning = checked(&rules, Format::Github);
        assert!(warning.starts_with("::warning file="), "{warning}");
        assert!(warning.contains("::`Dear` has no whole path"), "{warning}");
        let text = checked(&rules, Format::Text);
        assert!(text.contains("price: `Dear` has no"), "{text}");
        assert!(text.contains("every file is reported (read)"), "{text}");
    }

    #[test]
    fn a_rule_is_found_by_id_file_or_title() {
        let rules = shipped();
        let rule = &rules.rules()[0];
        let stem = rule
            .file
            .rsplit('/')
            .next()
            .unwrap()
            .trim_end_matches(".yml");
        for name in [rule.id.as_str(), stem, &rule.title.to_uppercase()] {
            assert_eq!(find(&rules, name).unwrap().id, rule.id);
        }
        assert!(find(&rules, "nothing").is_none());
    }

    #[test]
    fn every_page_and_the_list_keep_within_their_columns() {
        let rules = shipped();
        for rule in rules.described() {
            let page = show::page(rule, &facts(&rules, rule));
            for line in page.lines() {
                assert!(line.chars().count() <= 80, "{line}");
            }
            assert!(page.contains("RESPOND"), "{page}");
        }
        let list = listed(&rules, ListFormat::Text);
        assert_eq!(list.lines().count(), rules.described().count() + 1);
    }
}
