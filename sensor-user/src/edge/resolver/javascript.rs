//! npm's, pnpm's, yarn's and bun's files.

use std::path::{Path, PathBuf};

use super::{Reading, prefixes, upwards};
use crate::event::Text;

pub(super) fn read(reading: &mut Reading<'_>, folder: &Path, programs: &[Text; 2]) {
    for file in npmrc(reading, folder, programs) {
        npm(reading, &file);
    }
    for file in pnpm_files(reading, folder) {
        yaml(reading, &file, "pnpm");
    }
    // yarn looks upwards from where it is started, and at home.
    let berry = reading.variables.get("YARN_RC_FILENAME");
    let berry = berry.unwrap_or(".yarnrc.yml").to_owned();
    for folder in upwards(folder).map(Path::to_owned).chain(reading.home("")) {
        yaml(reading, &folder.join(&berry), "yarnrc");
        yarn_classic(reading, &folder.join(".yarnrc"));
    }
    yarn_classic(reading, Path::new("/etc/yarnrc"));
    let own = upwards(folder).map(|folder| folder.join("bunfig.toml"));
    let xdg = reading.variables.get("XDG_CONFIG_HOME").map(Path::new);
    let xdg = xdg.map(|folder| folder.join(".bunfig.toml"));
    for file in own.take(1).chain(xdg).chain(reading.home(".bunfig.toml")) {
        bun(reading, &file);
    }
}

/// What a workspace says to pnpm, and what the user does.
fn pnpm_files(reading: &Reading<'_>, folder: &Path) -> Vec<PathBuf> {
    let workspace = upwards(folder).map(|folder| folder.join("pnpm-workspace.yaml"));
    let mut files: Vec<_> = workspace.filter(|file| reading.has(file)).take(1).collect();
    files.extend(reading.config("pnpm/config.yaml"));
    files
}

/// A folder that others below it belong to: its settings are theirs.
fn is_workspace(reading: &Reading<'_>, folder: &Path) -> bool {
    reading.has(&folder.join("pnpm-workspace.yaml"))
        || reading
            .text(&folder.join("package.json"))
            .is_some_and(|manifest| manifest.contains("\"workspaces\""))
}

/// Project, user, global, in the order in which npm asks them. The project is the nearest folder with a
/// manifest.
fn npmrc(reading: &Reading<'_>, folder: &Path, programs: &[Text; 2]) -> Vec<PathBuf> {
    let project = upwards(folder).find(|folder| {
        reading.has(&folder.join("package.json")) || reading.has(&folder.join("node_modules"))
    });
    let variable = |name: &str| {
        let own = reading.variables.get(&name.to_ascii_lowercase());
        own.or_else(|| reading.variables.get(&name.to_ascii_uppercase()))
    };
    let project = project.unwrap_or(folder);
    let mut files = vec![project.join(".npmrc")];
    let above = upwards(project).skip(1);
    let workspace = above.filter(|folder| is_workspace(reading, folder));
    files.extend(workspace.take(1).map(|folder| folder.join(".npmrc")));
    // pnpm's own, in npm's form.
    files.extend(reading.config("pnpm/rc"));
    match variable("npm_config_userconfig") {
        Some(file) => files.push(file.into()),
        None => files.extend(reading.home(".npmrc")),
    }
    files.extend(variable("npm_config_globalconfig").map(PathBuf::from));
    let given = variable("npm_config_prefix").or_else(|| reading.variables.get("PREFIX"));
    let prefixes = given.map(Path::new).into_iter().chain(prefixes(programs));
    files.extend(prefixes.map(|prefix| prefix.join("etc/npmrc")));
    files.push("/etc/npmrc".into());
    files
}

/// `registry=…`, `@scope:registry = …`, `proxy`, `https-proxy`.
fn npm(reading: &mut Reading<'_>, file: &Path) {
    let Some(text) = reading.text(file) else {
        return;
    };
    let source = format!("npmrc {}", file.display());
    for line in text.lines() {
        let line = line.trim();
        if line.starts_with(['#', ';']) {
            continue;
        }
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let key = key.trim();
        let scoped = key.starts_with('@') && key.ends_with(":registry");
        if scoped || matches!(key, "registry" | "proxy" | "https-proxy" | "http-proxy") {
            let value = reading.variables.expand(value);
            reading.add(&value, &source);
        }
    }
}

/// Keys of yarn's and pnpm's that hold an address, at the top, of a scope or of a registry.
const ADDRESSES: &[&str] = &[
    "npmRegistryServer",
    "registry",
    "httpProxy",
    "httpsProxy",
    "proxy",
    "https-proxy",
];

/// `npmRegistryServer: "…"`, `registry: …`; and pnpm's `registries:`, with a line for each scope.
fn yaml(reading: &mut Reading<'_>, file: &Path, kind: &str) {
    let Some(text) = reading.text(file) else {
        return;
    };
    let source = format!("{kind} {}", file.display());
    let mut of_scopes = false;
    for line in text.lines() {
        let word = line.trim();
        if word.starts_with('#') {
            continue;
        }
        if line.starts_with(|c: char| !c.is_whitespace()) {
            of_scopes = word == "registries:";
        }
        // A key may hold a colon itself, `'@scope:registry'`, and so does every address.
        let Some((key, value)) = word.split_once(": ") else {
            continue;
        };
        let key = key.trim_matches(['"', '\'']);
        let is_scope = key.starts_with('@') && key.ends_with(":registry");
        if is_scope || ADDRESSES.contains(&key) || (of_scopes && line != word) {
            let value = reading.variables.expand(value);
            let value = value.split(" #").next().unwrap_or_default();
            reading.add(value, &source);
        }
    }
}

/// `registry "…"`, `"@scope:registry" "…"`.
fn yarn_classic(reading: &mut Reading<'_>, file: &Path) {
    let Some(text) = reading.text(file) else {
        return;
    };
    let source = format!("yarnrc {}", file.display());
    for line in text.lines() {
        if let Some((key, value)) = line.trim().split_once(char::is_whitespace) {
            let key = key.trim_matches('"');
            let scoped = key.starts_with('@') && key.ends_with(":registry");
            if scoped || matches!(key, "registry" | "proxy" | "https-proxy") {
                reading.add(value, &source);
            }
        }
    }
}

/// `install.registry` and `install.scopes.*`: an address, or a table with `url`.
fn bun(reading: &mut Reading<'_>, file: &Path) {
    let table = reading.text(file).and_then(|text| text.parse().ok());
    let Some(install) = table
        .as_ref()
        .and_then(|table: &toml::Table| table.get("install"))
    else {
        return;
    };
    let source = format!("bunfig {}", file.display());
    let scopes = install.get("scopes").and_then(toml::Value::as_table);
    let scopes = scopes.into_iter().flat_map(|scopes| scopes.values());
    for registry in install.get("registry").into_iter().chain(scopes) {
        let url = registry.as_str().or_else(|| registry.get("url")?.as_str());
        if let Some(url) = url {
            reading.add(&reading.variables.expand(url), &source);
        }
    }
}
