//! pip's, uv's, poetry's and pipenv's files.

use std::path::{Path, PathBuf};

use toml::Value;

use super::{Reading, prefixes, upwards};
use crate::event::Text;

/// How many files of requirements are read.
const REQUIREMENTS: usize = 16;

pub(super) fn read(reading: &mut Reading<'_>, folder: &Path, programs: &[Text; 2], args: &[Text]) {
    for file in pip_files(reading, programs) {
        pip(reading, &file);
    }
    for file in requirements(args).into_iter().take(REQUIREMENTS) {
        required(reading, &folder.join(file));
    }
    let given = reading.variables.get("UV_CONFIG_FILE").map(PathBuf::from);
    let above = upwards(folder).map(|folder| folder.join("uv.toml"));
    let own = above.chain(given).chain(reading.config("uv/uv.toml"));
    let system = ["/etc/xdg/uv/uv.toml", "/etc/uv/uv.toml"].map(PathBuf::from);
    for file in own.chain(system) {
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
    files.extend(reading.config("pip/pip.conf"));
    let environment = reading.variables.get("VIRTUAL_ENV").map(Path::new);
    let prefixes = environment.into_iter().chain(prefixes(programs));
    files.extend(prefixes.map(|prefix| prefix.join("pip.conf")));
    files.extend(reading.variables.get("PIP_CONFIG_FILE").map(PathBuf::from));
    files
}

/// `-r FILE`, `-rFILE`, `--requirement=FILE`.
fn requirements(args: &[Text]) -> Vec<String> {
    let mut files = Vec::new();
    let mut wanted = false;
    for arg in args.iter().skip(1) {
        let arg = arg.to_str_lossy();
        if std::mem::take(&mut wanted) {
            files.push(arg.into_owned());
        } else if matches!(&*arg, "-r" | "--requirement" | "--requirements") {
            wanted = true;
        } else if let Some(file) = arg.strip_prefix("--requirement=") {
            files.push(file.to_owned());
        } else if let Some(file) = arg.strip_prefix("-r") {
            files.push(file.to_owned());
        }
    }
    files
}

/// A file of requirements may hold options: `--index-url URL`, `--extra-index-url=URL`, `-i URL`.
fn required(reading: &mut Reading<'_>, file: &Path) {
    let Some(text) = reading.text(file) else {
        return;
    };
    let source = format!("requirements {}", file.display());
    for line in text.lines() {
        let line = line.trim();
        let option = line.split_once([' ', '=']);
        if let Some((option, value)) = option
            && matches!(
                option,
                "-i" | "--index-url" | "--extra-index-url" | "-f" | "--find-links"
            )
        {
            reading.add(&reading.variables.expand(value), &source);
        }
    }
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
        let keys = ["index-url", "extra-index-url", "find-links", "index"];
        for key in keys.into_iter().chain(["http-proxy", "https-proxy"]) {
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
