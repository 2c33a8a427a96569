//! The checks, each over one file's text.

use std::path::Path;

use super::Finding;
use super::scrub::Source;

const LONGEST: usize = 400;

/// Names that say nothing.
const VAGUE: [&str; 5] = ["utils", "helpers", "common", "manager", "misc"];

/// The only folders whose code may be unsafe: the eBPF programs, and what hands them to the kernel.
const UNSAFE_FOLDERS: [&str; 2] = ["sensor-ebpf", "sensor-user/src/kernel"];

/// Marks of unfinished work, in two pieces so that this file does not hold them.
const UNFINISHED: [(&str, &str); 3] = [("TO", "DO"), ("FIX", "ME"), ("XX", "X")];

pub(super) fn name(file: &Path) -> Vec<Finding> {
    let vague = file.iter().find_map(|part| {
        let stem = Path::new(part).file_stem()?;
        VAGUE.iter().find(|vague| stem == **vague)
    });
    vague
        .map(|name| Finding::new(1, format!("the name `{name}` says nothing: name the idea")))
        .into_iter()
        .collect()
}

pub(super) fn length(text: &str) -> Vec<Finding> {
    let lines = text.lines().count();
    if lines <= LONGEST {
        return Vec::new();
    }
    let message = format!("{lines} lines, {LONGEST} at most: a longer file is usually two ideas");
    vec![Finding::new(lines, message)]
}

/// A path of the machine this was written on.
pub(super) fn checkout(text: &str, root: &Path) -> Vec<Finding> {
    let root = root.to_string_lossy();
    // A checkout in `/src` would match every path that holds a folder of that name.
    if root.matches('/').count() < 2 {
        return Vec::new();
    }
    find(text, |line| {
        line.contains(root.as_ref())
            .then(|| "a path of this machine".to_owned())
    })
}

pub(super) fn unfinished(text: &str) -> Vec<Finding> {
    find(text, |line| {
        let (start, end) = UNFINISHED
            .iter()
            .find(|(start, end)| has_word(line, &format!("{start}{end}")))?;
        Some(format!("{start}{end}: do it, or file an issue"))
    })
}

pub(super) fn macros_and_attributes(source: &Source<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (index, code) in source.code.iter().enumerate() {
        let compact: String = code.split_whitespace().collect();
        if compact.contains("#[allow(") || compact.contains("#![allow(") {
            let message = "allow: use #[expect(lint, reason = \"…\")]";
            findings.push(Finding::new(index + 1, message));
        }
        for name in ["todo", "unimplemented"] {
            if compact.contains(&format!("{name}!(")) && has_word(code, name) {
                findings.push(Finding::new(index + 1, format!("{name}!: finish it")));
            }
        }
    }
    findings
}

pub(super) fn unsafety(source: &Source<'_>, file: &Path) -> Vec<Finding> {
    let mut findings = Vec::new();
    let may = UNSAFE_FOLDERS.iter().any(|folder| file.starts_with(folder));
    for (index, code) in source.code.iter().enumerate() {
        if !has_word(code, "unsafe") {
            continue;
        }
        if !may {
            let message = format!("unsafe outside {}", UNSAFE_FOLDERS.join(" and "));
            findings.push(Finding::new(index + 1, message));
        } else if opens_block(source, index) && !has_safety_comment(source, index) {
            findings.push(Finding::new(
                index + 1,
                "unsafe without a `// SAFETY:` above it",
            ));
        }
    }
    findings
}

/// Whether the `unsafe` on this line is a block or an impl: a fn's contract is clippy's to check.
fn opens_block(source: &Source<'_>, index: usize) -> bool {
    let code: String = source.code[index..]
        .iter()
        .take(2)
        .flat_map(|line| [line.trim(), " "])
        .collect();
    code.split("unsafe")
        .skip(1)
        .any(|after| after.trim_start().starts_with('{') || after.trim_start().starts_with("impl"))
}

/// Looks on the line itself, then upwards through the statement it belongs to and the comments and
/// attributes above that.
fn has_safety_comment(source: &Source<'_>, index: usize) -> bool {
    let says_so = |line: usize| source.comments[line].contains("SAFETY:");
    if says_so(index) {
        return true;
    }
    for line in (0..index).rev() {
        if says_so(line) {
            return true;
        }
        let code = source.code[line].trim();
        let above_statement = code.ends_with([';', '{', '}', ',']);
        if above_statement || source.lines[line].trim().is_empty() {
            return false;
        }
    }
    false
}

fn find(text: &str, look: impl Fn(&str) -> Option<String>) -> Vec<Finding> {
    text.lines()
        .enumerate()
        .filter_map(|(index, line)| Some(Finding::new(index + 1, look(line)?)))
        .collect()
}

pub(super) fn has_word(line: &str, word: &str) -> bool {
    let part_of_word = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        !line[..start].ends_with(part_of_word)
            && !line[start + word.len()..].starts_with(part_of_word)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::{Source, checkout, length, macros_and_attributes, name, unfinished, unsafety};

    fn lines_of_unsafe(file: &str, text: &str) -> Vec<usize> {
        let findings = unsafety(&Source::new(text), Path::new(file));
        findings.into_iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn an_unsafe_block_needs_a_safety_comment_above_its_statement() {
        let good =
            "// SAFETY: p is valid\nlet x =\n    unsafe { *p };\nf(unsafe { g() }); // SAFETY: h\n";
        assert!(lines_of_unsafe("sensor-ebpf/src/main.rs", good).is_empty());
        let bad = "// SAFETY: for another\nf();\nlet x = unsafe { *p };\n";
        assert_eq!(lines_of_unsafe("sensor-ebpf/src/main.rs", bad), [3]);
        assert_eq!(
            lines_of_unsafe("sensor-ebpf/src/main.rs", "unsafe impl Sync for T {}"),
            [1]
        );
    }

    #[test]
    fn unsafe_is_for_two_folders_and_only_as_code() {
        assert_eq!(lines_of_unsafe("tests/src/lib.rs", "unsafe fn f() {}"), [1]);
        assert!(lines_of_unsafe("tests/src/lib.rs", "// unsafe\nlet s = \"unsafe {\";").is_empty());
        assert!(lines_of_unsafe("sensor-user/src/kernel/map.rs", "unsafe fn f() {}").is_empty());
    }

    #[test]
    fn unfinished_work_is_found_in_text_and_in_macros() {
        assert_eq!(unfinished(concat!("a\n// TO", "DO: b"))[0].line, 2);
        assert!(unfinished("a TODOS list").is_empty());
        let source = Source::new("fn f() { todo!() }\n#[allow(dead_code)]\nfn my_todo() {}");
        assert_eq!(macros_and_attributes(&source).len(), 2);
    }

    #[test]
    fn long_files_vague_names_and_paths_of_this_machine_are_found() {
        assert_eq!(length(&"x\n".repeat(401)).len(), 1);
        assert!(length(&"x\n".repeat(400)).is_empty());
        assert_eq!(name(Path::new("a/utils/b.rs")).len(), 1);
        assert!(name(Path::new("a/utilities.rs")).is_empty());
        assert_eq!(
            checkout("see /home/me/code/x", Path::new("/home/me/code")).len(),
            1
        );
        assert!(checkout("see /src/x", Path::new("/src")).is_empty());
    }
}
