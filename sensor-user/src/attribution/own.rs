//! What a file is to the package whose code acts.

use super::{Attribution, Ecosystem, folder_holds};
use crate::lineage::{Image, Node, join};

/// Programs that run the script they are given, beside node and python.
const RUNNERS: &[&str] = &[
    "ash", "bash", "bun", "dash", "deno", "ksh", "perl", "php", "ruby", "sh", "zsh",
];

/// `manifest` or `script`, for a file of the package's own that is one: what its manager goes by, or
/// what the acting process or one that led to it was started with.
pub(crate) fn own_file(package: &Attribution, node: &Node, path: &str) -> Option<&'static str> {
    let folder = package.path.as_deref()?;
    let path = &*join("/", path);
    if !folder_holds(folder, path) {
        return None;
    }
    let name = path.strip_prefix(folder)?.strip_prefix('/')?;
    let manifests: &[&str] = match package.ecosystem {
        Ecosystem::Npm => &["package.json"],
        Ecosystem::Pypi => &["setup.py", "setup.cfg", "pyproject.toml", "PKG-INFO"],
    };
    if manifests.contains(&name) {
        return Some("manifest");
    }
    let ancestors = node.ancestors();
    let mut images = node
        .image
        .iter()
        .chain(ancestors.iter().filter_map(|node| node.image.as_ref()));
    images.any(|image| runs(image, path)).then_some("script")
}

/// Whether it is a program that runs scripts, started with this one.
fn runs(image: &Image, path: &str) -> bool {
    let program = image.path.rsplit('/').next().unwrap_or_default();
    if image.interpreter.is_none() && !RUNNERS.contains(&program) {
        return false;
    }
    // `node setup` runs setup.js, and `node .` index.js.
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    let is_this = |word: &str| {
        let script = join(&image.directory, word);
        script == path || script == stem || stem.strip_suffix("/index") == Some(&*script)
    };
    // What follows an option may be its value: then the script comes after that.
    let mut after_option = false;
    for word in image.args.iter().skip(1).map(|arg| arg.to_str_lossy()) {
        let is_option = word.starts_with('-');
        if !is_option && is_this(&word) {
            return true;
        }
        if !is_option && !after_option {
            break;
        }
        after_option = is_option;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::stage::Stage;
    use crate::event::{Body, ProcessKey};
    use crate::lineage::Lineage;

    const FOLDER: &str = "/home/dev/app/node_modules/a";

    /// What a file is to a process of a postinstall script, which the closure starts below its shell.
    fn role(
        path: &str,
        start: impl Fn(&mut Stage, ProcessKey) -> ProcessKey,
    ) -> Option<&'static str> {
        let mut stage = Stage::new("npm ci");
        let root = stage.root;
        let npm = ["node", "/usr/bin/npm", "ci"];
        stage.exec(root, "/usr/bin/node", &npm, "/home/dev/app", &[]);
        let environment = ["npm_lifecycle_event=postinstall", "npm_package_name=a"];
        let shell = ["sh", "-c", "node setup.js"];
        let shell = stage.spawn(root, "/usr/bin/dash", &shell, FOLDER, &environment);
        let actor = start(&mut stage, shell);
        let mut lineage = Lineage::default();
        for event in &stage.events {
            match &event.body {
                Body::Fork { actor, child } => lineage.fork(actor, *child, event.time),
                Body::Exec { actor, exec } => drop(lineage.exec(actor, exec, event.time)),
                _ => {}
            }
        }
        let process = lineage.get(actor).unwrap();
        let package = process.context.package.as_ref().unwrap();
        own_file(&package.borrow(), &process.node, path)
    }

    /// Run by node with these arguments.
    fn given(arguments: &str, path: &str) -> Option<&'static str> {
        let line: Vec<&str> = ["node"].into_iter().chain(arguments.split(' ')).collect();
        role(path, |stage, shell| {
            stage.spawn(shell, "/usr/bin/node", &line, FOLDER, &[])
        })
    }

    #[test]
    fn a_script_is_known_however_it_was_named() {
        let script = "/home/dev/app/node_modules/a/lib/setup.js";
        for arguments in [
            "lib/setup.js",
            "./lib/setup",
            "lib/../lib/setup.js",
            script,
            "--no-warnings -r node:fs lib/setup.js",
        ] {
            assert_eq!(given(arguments, script), Some("script"), "{arguments}");
        }
        assert_eq!(given("build.js -o lib/setup.js", script), None);
        let index = "/home/dev/app/node_modules/a/index.js";
        assert_eq!(given(".", index), Some("script"));
        assert_eq!(given("lib/setup.js", index), None);
        assert_eq!(
            given("lib/setup.js", &format!("{FOLDER}/x/../lib/setup.js")),
            Some("script")
        );
    }

    #[test]
    fn the_script_that_led_to_a_program_is_its_script_too() {
        let below = |path: &str| {
            role(path, |stage, shell| {
                let node = ["node", "setup.js"];
                let node = stage.spawn(shell, "/usr/bin/node", &node, FOLDER, &[]);
                let remover = ["python3", "-c", "import os"];
                stage.spawn(node, "/usr/bin/python3.11", &remover, "/", &[])
            })
        };
        assert_eq!(below(&format!("{FOLDER}/setup.js")), Some("script"));
        assert_eq!(below(&format!("{FOLDER}/other.js")), None);
    }

    /// What rm is given is not what rm runs, and its own rule looks at that.
    #[test]
    fn a_file_that_a_program_is_given_for_another_purpose_is_no_script() {
        let file = format!("{FOLDER}/build/a.js");
        let removed = role(&file, |stage, shell| {
            stage.spawn(shell, "/usr/bin/rm", &["rm", "build/a.js"], FOLDER, &[])
        });
        assert_eq!(removed, None);
    }

    #[test]
    fn a_manifest_is_the_packages_own_one_only() {
        assert_eq!(
            given("setup.js", &format!("{FOLDER}/package.json")),
            Some("manifest")
        );
        for other in [
            "build/package.json",
            "node_modules/b/package.json",
            "../b/package.json",
        ] {
            assert_eq!(
                given("setup.js", &format!("{FOLDER}/{other}")),
                None,
                "{other}"
            );
        }
    }
}
