//! pip's, uv's, poetry's and pipenv's files.

use std::path::{Path, PathBuf};

use toml::Value;

use super::{Reading, prefixes, upwards};
use crate::event::Text;

pub(super) fn read(reading: &mut Reading<'_>, folder: &Path, programs: &[Text; 2]) {
    for file in pip_files(reading, programs) {
        pip(reading, &file);
    }
    let user = reading.home(".config/uv/uv.toml");
    let above = upwards(folder).map(|folder| folder.join("uv.toml"));
    for file in above.chain(user).chain([PathBuf::from("/etc/uv/uv.toml")]) {
        if let Some(table) = table(reading, &file) {
            uv(reading, &table, &format!("uv.toml {}", file.display()));
        }
    }
    for folder in upwards(folder) {
        let file = folder.join("pyproject.toml");
        if let Some(table) = table(reading, &file) {
            project(
                reading,
                &table,
                &format!("pyproject.toml {}", file.display()),
            );
            break;
        }
    }
    let pipfile = folder.join("Pipfile");
    if let Some(table) = table(reading, &pipfile) {
        let source = format!("Pipfile {}", pipfile.display());
        urls(reading, table.get("source"), &source);
    }
}

/// Of the machine, the user and the environment, as pip asks them.
fn pip_files(reading: &Reading<'_>, programs: &[Text; 2]) -> Vec<PathBuf> {
    let mut files = vec!["/etc/xdg/pip/pip.conf".into(), "/etc/pip.conf".into()];
    files.extend(reading.home(".pip/pip.conf"));
    match reading.variables.get("XDG_CONFIG_HOME") {
        Some(folder) => files.push(Path::new(folder).join("pip/pip.conf")),
        None => files.extend(reading.home(".config/pip/pip.conf")),
    }
    let environment = reading.variables.get("VIRTUAL_ENV").map(Path::new);
    let prefixes = environment.into_iter().chain(prefixes(programs));
    files.extend(prefixes.map(|prefix| prefix.join("pip.conf")));
    files.extend(reading.variables.get("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

/// An ini file: a value may go on over lines that begin with a blank.
fn pip(reading: &mut Reading<'_>, file: &Path) {
    let Some(text) = reading.text(file) else {
        return;
    };
    let source = format!("pip.conf {}", file.display());
    let mut wanted = false;
    for line in text.lines() {
        let word = line.trim();
        if word.starts_with(['#', ';']) {
            continue;
        }
        let value = match line.starts_with(char::is_whitespace) {
            true => word,
            false => {
                let (key, value) = line.split_once(['=', ':']).unwrap_or((line, ""));
                let key = key.trim().replace('_', "-").to_ascii_lowercase();
                wanted = matches!(
                    key.as_str(),
                    "index-url" | "extra-index-url" | "find-links" | "proxy"
                );
                value
            }
        };
        if wanted {
            for one in value.split_whitespace() {
                reading.add(one, &source);
            }
        }
    }
}

fn table(reading: &Reading<'_>, file: &Path) -> Option<toml::Table> {
    reading.text(file)?.parse().ok()
}

/// uv's settings: of its own file, or `tool.uv` of a project's.
fn uv(reading: &mut Reading<'_>, settings: &toml::Table, source: &str) {
    let pip = settings.get("pip").and_then(Value::as_table);
    for settings in [Some(settings), pip].into_iter().flatten() {
        for key in ["index-url", "extra-index-url", "find-links", "index"] {
            urls(reading, settings.get(key), source);
        }
    }
}

fn project(reading: &mut Reading<'_>, table: &toml::Table, source: &str) {
    let Some(tool) = table.get("tool") else {
        return;
    };
    if let Some(settings) = tool.get("uv").and_then(Value::as_table) {
        uv(reading, settings, source);
    }
    for name in ["poetry", "pdm"] {
        let sources = tool.get(name).and_then(|tool| tool.get("source"));
        urls(reading, sources, source);
    }
}

/// An address, a table with `url`, or a list of such.
fn urls(reading: &mut Reading<'_>, value: Option<&Value>, source: &str) {
    match value {
        Some(Value::String(url)) => reading.add(url, source),
        Some(Value::Table(table)) => urls(reading, table.get("url"), source),
        Some(Value::Array(all)) => all.iter().for_each(|one| urls(reading, Some(one), source)),
        _ => {}
    }
}
