//! One event against all rules, in time an event: the shipped set, and sets made larger by copies of
//! its rules.
//!
//! The events are those of an install: a package manager and a lifecycle script that open files,
//! start programs and connect. In "acts" a process goes on acting, which is what nearly all events
//! are; in "new process" each event is the first of its process. "Recorded" is what really came of the
//! attacks in `rules/tests`: events in which no rule finds anything, as nearly all of an install are,
//! and those in which one does and that an alert is made of.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use pkgwarden::core::{Core, Trust};
use pkgwarden::detect::{Category, Field, ProcessFields, RuleSet, Sources, Subject, captures};
use pkgwarden::event::capture::Reader;

const SIZES: [usize; 2] = [122, 500];

/// The rule files of the shipped set.
fn rule_files(folder: &Path, found: &mut Vec<PathBuf>) {
    const OTHERS: [&str; 5] = ["tests", "lists", "playbooks", "filters", "chains"];
    for entry in fs::read_dir(folder).expect("the rules folder can be read") {
        let path = entry.expect("the rules folder can be read").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if !OTHERS.iter().any(|other| name == *other) {
                rule_files(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}

/// The shipped rules, and copies of them with ids of their own up to that number.
fn rules(count: Option<usize>) -> RuleSet {
    let mut sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    let folder = tempfile::tempdir().expect("a folder");
    if let Some(count) = count {
        let mut files = Vec::new();
        rule_files(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules"),
            &mut files,
        );
        files.sort();
        for copy in files.len()..count {
            let text = fs::read_to_string(&files[copy % files.len()]).expect("a rule");
            let mut copied = String::new();
            for line in text.lines() {
                match line.split_once(": ") {
                    Some(("id", _)) => {
                        writeln!(copied, "id: 00000000-0000-4000-8000-{copy:012}")
                    }
                    // What chains call the rule.
                    Some(("name", _)) => Ok(()),
                    Some(("title", title)) => writeln!(copied, "title: {title} {copy}"),
                    _ => writeln!(copied, "{line}"),
                }
                .expect("a String takes it");
            }
            fs::write(folder.path().join(format!("{copy}.yml")), copied).expect("a file");
        }
        sources.rule_dirs.push(folder.path().to_owned());
    }
    let rules = RuleSet::load(&sources).unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(rules.rules().len(), count.unwrap_or(rules.rules().len()));
    rules
}

fn manager() -> ProcessFields {
    let mut process = ProcessFields::default();
    let mut set = |field, value: &str| process.set(field, Some(value));
    set(Field::Image, "/usr/bin/node");
    set(Field::CommandLine, "node /usr/bin/npm ci");
    set(Field::Script, "/usr/lib/node_modules/npm/bin/npm-cli.js");
    set(Field::CurrentDirectory, "/home/dev/app");
    set(Field::ParentImage, "/usr/bin/bash");
    set(Field::ParentCommandLine, "bash -e build.sh");
    set(Field::AncestorImages, "|/usr/bin/bash|/usr/bin/runner|");
    set(Field::AncestorCommandLines, "|bash -e build.sh|runner|");
    set(Field::User, "dev");
    set(Field::Scope, "|install|runtime|");
    set(Field::Installer, "npm");
    set(Field::InstallCommand, "node /usr/bin/npm ci");
    process.set(Field::ImageDirWritable, Some(false));
    process
}

fn script() -> ProcessFields {
    let mut process = manager();
    let mut set = |field, value: &str| process.set(field, Some(value));
    set(Field::CommandLine, "node install.js --platform=linux");
    set(
        Field::Script,
        "/home/dev/app/node_modules/esbuild/install.js",
    );
    set(
        Field::CurrentDirectory,
        "/home/dev/app/node_modules/esbuild",
    );
    set(Field::ParentImage, "/usr/bin/dash");
    set(Field::ParentCommandLine, "sh -c node install.js");
    set(Field::PackageType, "npm");
    set(Field::PackageName, "esbuild");
    set(Field::PackageVersion, "0.25.0");
    set(Field::LifecycleEvent, "postinstall");
    set(Field::LifecycleScript, "node install.js");
    process.set(Field::PackageIsRoot, Some(false));
    process
}

/// The acts of a process, none of which a rule matches.
fn acts(process: &ProcessFields) -> Vec<Subject> {
    let process = Rc::new(process.clone());
    let of = |category| Subject::of(category, Rc::clone(&process));
    let file = |category, field, path: &str| {
        let mut subject = of(category);
        subject.set(field, Some(path));
        subject.set(Field::InsideProject, Some(true));
        subject.set(Field::InsidePackage, Some(false));
        subject
    };
    let mut connect = of(Category::NetworkConnection);
    connect.set(Field::DestinationIp, Some("127.0.0.1"));
    connect.set(Field::DestinationPort, Some(443_u32));
    connect.set(Field::DestinationClass, Some("loopback"));
    connect.set(Field::Protocol, Some("tcp"));
    connect.set(Field::Initiated, Some(true));
    let folder = "/home/dev/app/node_modules/esbuild";
    let mut all = vec![of(Category::ProcessCreation), connect];
    for name in ["lib/main.js", "package.json", "bin/esbuild", "README.md"] {
        let path = format!("{folder}/{name}");
        let mut written = file(Category::FileEvent, Field::TargetFilename, &path);
        written.set(Field::FileOperation, Some("create"));
        written.set(Field::FileMode, Some("0644"));
        written.set(Field::FileExecutable, Some(false));
        all.push(written);
        all.push(file(Category::FileAccess, Field::FileName, &path));
    }
    let mut renamed = file(Category::FileRename, Field::TargetFilename, folder);
    renamed.set(
        Field::SourceFilename,
        Some("/home/dev/app/node_modules/.esbuild-X"),
    );
    all.push(renamed);
    all
}

/// The acts of all recordings, each with the process that it is an act of.
fn recorded(rules: &Rc<RuleSet>) -> Vec<Subject> {
    let mut subjects = Vec::new();
    for (name, text) in captures() {
        let mut core = Core::sharing(Rc::clone(rules), Trust::default());
        let events = Reader::new(text.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        for event in events {
            let event = event.unwrap_or_else(|error| panic!("{name}: {error}"));
            core.handle_seen(&event, &mut |subject| subjects.push(subject.clone()));
        }
    }
    subjects
}

fn matching(criterion: &mut Criterion) {
    for size in [None].into_iter().chain(SIZES.map(Some)) {
        let rules = Rc::new(rules(size));
        let recorded = recorded(&rules);
        let of: Vec<(&str, ProcessFields)> = vec![("manager", manager()), ("script", script())];
        let mut group = criterion.benchmark_group(format!("matching/{}", rules.rules().len()));
        let (found, silent): (Vec<_>, Vec<_>) = recorded
            .into_iter()
            .partition(|subject| !rules.evaluate(subject).is_empty());
        let all = found.iter().chain(&silent).cloned().collect();
        for (what, subjects) in [
            ("recorded", all),
            ("recorded, found", found),
            ("recorded, nothing found", silent),
        ] {
            let subjects: Vec<Subject> = subjects;
            group.throughput(Throughput::Elements(subjects.len() as u64));
            group.bench_function(what, |bencher| {
                bencher.iter(|| {
                    for subject in &subjects {
                        black_box(rules.evaluate(black_box(subject)));
                    }
                });
            });
        }
        for (who, process) in &of {
            let subjects = acts(process);
            group.throughput(Throughput::Elements(subjects.len() as u64));
            group.bench_function(format!("acts of a {who}"), |bencher| {
                bencher.iter(|| {
                    for subject in &subjects {
                        black_box(rules.evaluate(black_box(subject)));
                    }
                });
            });
            group.throughput(Throughput::Elements(1));
            group.bench_function(format!("a new process of a {who}"), |bencher| {
                bencher.iter_batched(
                    || Subject::of(Category::ProcessCreation, Rc::new(process.clone())),
                    |subject| rules.evaluate(black_box(&subject)).len(),
                    criterion::BatchSize::SmallInput,
                );
            });
        }
        group.finish();
    }
}

criterion_group!(benches, matching);
criterion_main!(benches);
