//! Embeds the shipped rules, filters, lists and playbooks: one table of (path below `rules/`, text);
//! the captures of their tests, which `allow` proves a filter on: (name of the rule's file, text);
//! and the BPF object that `cargo xtask build` makes, if there is one.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

/// The rules' own tests are not rules.
const NOT_SHIPPED: &[&str] = &["tests"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    embed_rules();
    embed_object();
}

fn embed_rules() {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("set by cargo"))
        .join("../rules")
        .canonicalize()
        .expect("the rules folder stands beside sensor-user");
    let mut files = Vec::new();
    collect(&root, &root, &mut files);
    files.sort();

    let mut table = String::from("pub(super) static FILES: &[(&str, &str)] = &[\n");
    for name in &files {
        writeln!(
            table,
            "    ({name:?}, include_str!({:?})),",
            root.join(name).display().to_string()
        )
        .expect("a String takes it");
    }
    table.push_str("];\n");
    table.push_str("pub(super) static CAPTURES: &[(&str, &str)] = &[\n");
    for path in captures(&root.join("tests")) {
        let name = path.file_stem().expect("it has a name").display();
        writeln!(
            table,
            "    (\"{name}\", include_str!({:?})),",
            path.display().to_string()
        )
        .expect("a String takes it");
    }
    table.push_str("];\n");
    let out = PathBuf::from(env::var_os("OUT_DIR").expect("set by cargo"));
    fs::write(out.join("shipped_rules.rs"), table).expect("OUT_DIR can be written");
}

/// Every capture in the folder, by name.
fn captures(folder: &Path) -> Vec<PathBuf> {
    println!("cargo::rerun-if-changed={}", folder.display());
    let entries = fs::read_dir(folder).expect("the rules' tests can be read");
    let mut captures: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the rules' tests can be listed").path())
        .filter(|path| path.extension().is_some_and(|e| e == "ndjson"))
        .collect();
    captures.sort();
    captures
}

fn embed_object() {
    println!("cargo::rustc-check-cfg=cfg(bpf_object)");
    println!("cargo::rerun-if-env-changed=PKGWARDEN_BPF_OBJECT");
    let Some(object) = env::var_os("PKGWARDEN_BPF_OBJECT") else {
        return;
    };
    let object = Path::new(&object);
    println!("cargo::rerun-if-changed={}", object.display());
    assert!(
        object.is_absolute() && object.is_file(),
        "PKGWARDEN_BPF_OBJECT is {}, which is no file at an absolute path: run `cargo xtask build`",
        object.display()
    );
    println!("cargo::rustc-env=PKGWARDEN_BPF_OBJECT={}", object.display());
    println!("cargo::rustc-cfg=bpf_object");
}

/// Adds every rule file under `folder`, by its path below `root`, with forward slashes.
fn collect(root: &Path, folder: &Path, files: &mut Vec<String>) {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder).expect("the rules folder can be read") {
        let path = entry.expect("the rules folder can be listed").path();
        let name = path.strip_prefix(root).expect("it lies below");
        if path.is_dir() {
            if !NOT_SHIPPED.iter().any(|skip| name == Path::new(skip)) {
                collect(root, &path, files);
            }
        } else if path.extension().is_some_and(|e| e == "yml") {
            files.push(
                name.to_str()
                    .expect("rule files have plain names")
                    .to_owned(),
            );
        }
    }
}
