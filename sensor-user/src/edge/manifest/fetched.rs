//! Where a manager had a package from, by what it keeps of that: npm's hidden lock file, yarn's lock
//! file, pnpm's settings of the folder, and pip's `direct_url.json`.
//!
//! The project or the package may have written these files itself: what they say is a claim like the
//! package's name. Only the host of an address is taken.

use std::os::fd::OwnedFd;
use std::path::Path;

use serde::Deserialize;

use crate::attribution::node_package;
use crate::edge::process::read_regular;
use crate::event::{Fetched, FetchedBy, Manifest};
use crate::names::origin;

/// Lock files of some thousand packages.
const LOCK_LIMIT: u64 = 8 << 20;
const DIRECT_URL_LIMIT: u64 = 64 << 10;
/// No entry of a lock file is near it.
const ENTRY_LIMIT: usize = 16 << 10;
const MODULES: &str = "/node_modules/";

/// Of a package below `node_modules`.
pub(super) fn node(root: &OwnedFd, directory: &Path, manifest: &Manifest) -> Option<Fetched> {
    let (folder, name) = node_package(directory.to_str()?)?;
    // The outermost: a package's own packages stand in the lock file of the project.
    let (project, _) = folder.split_once(MODULES)?;
    let key = folder.get(project.len() + 1..)?;
    let read = |file: &str| {
        let bytes = read_regular(root, &Path::new(project).join(file), LOCK_LIMIT)?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    let npm = || hidden_lock(&read("node_modules/.package-lock.json")?, key);
    let yarn = || yarn_lock(&read("yarn.lock")?, name, manifest.version.as_deref()?);
    let host = match key.starts_with("node_modules/.pnpm/") {
        true => pnpm(&read("node_modules/.modules.yaml")?, name)?,
        false => npm().or_else(yarn)?,
    };
    Some(Fetched {
        host,
        told_by: FetchedBy::Lock,
    })
}

/// Of an installed python package that was asked for by its address; pip says nothing of the index.
pub(super) fn python(root: &OwnedFd, info: &Path) -> Option<Fetched> {
    #[derive(Deserialize)]
    struct DirectUrl {
        url: String,
    }
    let bytes = read_regular(root, &info.join("direct_url.json"), DIRECT_URL_LIMIT)?;
    let direct: DirectUrl = serde_json::from_slice(&bytes).ok()?;
    Some(Fetched {
        host: origin(&direct.url)?.to_string(),
        told_by: FetchedBy::Metadata,
    })
}

/// Only the one entry is parsed: the file may hold thousands. npm writes it with these very spaces.
fn hidden_lock(text: &str, key: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Entry {
        resolved: Option<String>,
    }
    let key = serde_json::to_string(key).ok()?;
    let (_, rest) = text.split_once(&format!("\n    {key}: {{"))?;
    let rest = &rest[..rest.floor_char_boundary(ENTRY_LIMIT)];
    let (entry, _) = rest.split_once("\n    }")?;
    let entry: Entry = serde_json::from_str(&format!("{{{entry}}}")).ok()?;
    Some(origin(&entry.resolved?)?.to_string())
}

/// ```text
/// "name@^1.0.0", name@^1.2.0:
///   version "1.2.3"
///   resolved "https://host/name/-/name-1.2.3.tgz#hash"
/// ```
fn yarn_lock(text: &str, name: &str, version: &str) -> Option<String> {
    let mut is_it = false;
    let mut is_version = false;
    for line in text.lines() {
        if !line.starts_with(' ') {
            let asked = line.trim_end_matches(':').split(", ");
            is_it = asked
                .filter_map(|one| one.trim_matches('"').rsplit_once('@'))
                .any(|(asked, _)| asked == name);
            is_version = false;
            continue;
        }
        let Some((key, value)) = line.trim().split_once(' ').filter(|_| is_it) else {
            continue;
        };
        let value = value.trim_matches('"');
        match key {
            "version" => is_version = value == version,
            "resolved" if is_version => return Some(origin(value)?.to_string()),
            _ => {}
        }
    }
    None
}

/// `"registries": {"default": "https://…/", "@scope": "https://…/"}`, as JSON or as YAML.
fn pnpm(text: &str, name: &str) -> Option<String> {
    let (_, registries) = text.split_once("registries")?;
    let scope = name.split_once('/').map(|(scope, _)| scope);
    let mut default = None;
    for line in registries.lines().skip(1) {
        // The end of the table.
        let Some((key, value)) = line.split_once(": ").filter(|_| line.starts_with(' ')) else {
            break;
        };
        let bare = |text: &str| text.trim().trim_matches([',', '"', '\'']).to_owned();
        let key = bare(key);
        if scope == Some(key.as_str()) {
            return Some(origin(&bare(value))?.to_string());
        }
        if key == "default" {
            default = origin(&bare(value));
        }
    }
    default.map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const HIDDEN: &str = r#"{
  "name": "app",
  "lockfileVersion": 3,
  "packages": {
    "node_modules/a": {
      "version": "1.0.0",
      "resolved": "https://user:SECRET@npm.corp.example:8443/a/-/a-1.0.0.tgz",
      "engines": {
        "node": ">=18"
      }
    },
    "node_modules/a/node_modules/@s/b": {
      "version": "2.0.0",
      "resolved": "http://10.0.0.5:4873/@s/b/-/b-2.0.0.tgz"
    },
    "node_modules/c": {
      "resolved": "../c",
      "link": true
    }
  }
}"#;

    fn manifest(version: &str) -> Manifest {
        Manifest {
            directory: "".into(),
            file: "package.json".into(),
            name: None,
            version: Some(version.into()),
            fetched: None,
        }
    }

    fn root(files: &[(&str, &str)]) -> (tempfile::TempDir, OwnedFd) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let file = folder.path().join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, content).unwrap();
        }
        let handle = fs::File::open(folder.path()).unwrap().into();
        (folder, handle)
    }

    fn host(files: &[(&str, &str)], directory: &str, version: &str) -> Option<String> {
        let (_folder, root) = root(files);
        node(&root, Path::new(directory), &manifest(version)).map(|fetched| fetched.host)
    }

    #[test]
    fn npms_hidden_lock_tells_the_host_of_each_package() {
        let files = [("p/node_modules/.package-lock.json", HIDDEN)];
        let of = |directory: &str| host(&files, directory, "1");
        assert_eq!(of("/p/node_modules/a").as_deref(), Some("npm.corp.example"));
        assert_eq!(
            of("/p/node_modules/a/node_modules/@s/b").as_deref(),
            Some("10.0.0.5")
        );
        // A link to a folder, one that is not there, and one whose name only ends so.
        for none in ["c", "b", "node_modules/a", "x/a"] {
            assert_eq!(of(&format!("/p/node_modules/{none}")), None, "{none}");
        }
    }

    #[test]
    fn yarns_lock_file_tells_it_by_name_and_version() {
        let lock = "# yarn lockfile v1\n\n\n\
            \"@s/b@^2.0.0\", \"@s/b@~2.1.0\":\n  version \"2.1.3\"\n  \
            resolved \"https://one.example/b.tgz#aa\"\n  dependencies:\n    a \"^1\"\n\n\
            a@^1.0.0:\n  version \"1.0.0\"\n  resolved \"https://two.example/a.tgz#bb\"\n\n\
            a@^2.0.0:\n  version \"2.0.0\"\n  resolved \"https://three.example/a.tgz#cc\"\n";
        let files = [("p/yarn.lock", lock)];
        let of = |name: &str, version| host(&files, &format!("/p/node_modules/{name}"), version);
        assert_eq!(of("@s/b", "2.1.3").as_deref(), Some("one.example"));
        assert_eq!(of("a", "2.0.0").as_deref(), Some("three.example"));
        assert_eq!(of("a", "3.0.0"), None);
        assert_eq!(of("b", "2.1.3"), None);
    }

    #[test]
    fn pnpms_folder_tells_it_by_scope() {
        let json = "{\n  \"layoutVersion\": 5,\n  \"registries\": {\n    \
            \"default\": \"https://one.example/\",\n    \"@s\": \"https://two.example:1/\"\n  },\n  \
            \"storeDir\": \"https://no.example\"\n}";
        let yaml = "layoutVersion: 5\nregistries:\n  default: https://one.example/\n  \
            '@s': https://two.example:1/\nstoreDir: /x\n";
        for text in [json, yaml] {
            let files = [("p/node_modules/.modules.yaml", text)];
            let of = |name: &str| {
                let flat = name.replace('/', "+");
                let folder = format!("/p/node_modules/.pnpm/{flat}@1.0.0/node_modules/{name}");
                host(&files, &folder, "1.0.0")
            };
            assert_eq!(of("a").as_deref(), Some("one.example"));
            assert_eq!(of("@s/b").as_deref(), Some("two.example"));
            assert_eq!(of("@other/b").as_deref(), Some("one.example"));
        }
    }

    #[test]
    fn a_python_package_that_was_asked_for_by_address_tells_its_host() {
        let direct = |url: &str| format!("{{\"url\": \"{url}\", \"archive_info\": {{}}}}");
        for (url, expected) in [
            (
                "https://u:SECRET@files.corp.example/x-1.0.whl",
                Some("files.corp.example"),
            ),
            ("file:///srv/x", None),
        ] {
            let text = direct(url);
            let (_folder, root) = root(&[("s/x-1.0.dist-info/direct_url.json", text.as_str())]);
            let found = python(&root, Path::new("/s/x-1.0.dist-info"));
            assert_eq!(found.map(|fetched| fetched.host).as_deref(), expected);
        }
    }

    #[test]
    fn what_is_no_lock_file_tells_nothing() {
        for text in ["", "{", "\n    \"node_modules/a\": {", &"[".repeat(100_000)] {
            let files = [
                ("p/node_modules/.package-lock.json", text),
                ("p/yarn.lock", text),
            ];
            assert_eq!(host(&files, "/p/node_modules/a", "1"), None);
        }
        assert_eq!(pnpm("registries", "a"), None);
        let deep = format!(
            "\n    \"node_modules/a\": {{{}\n    }}",
            "\"resolved\":[".repeat(9999)
        );
        assert_eq!(hidden_lock(&deep, "node_modules/a"), None);
    }
}
