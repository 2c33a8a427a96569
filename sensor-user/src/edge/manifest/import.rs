//! Where an imported library says which version it is.

use std::fs;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use nix::fcntl::OFlag;

use super::Kind;
use crate::attribution::{is_hook, node_package, site_entry};
use crate::edge::process::{read_regular, resolve};
use crate::event::Text;

/// Names looked at in a folder of installed packages.
const SITE_LIMIT: usize = 4_096;
/// `top_level.txt` of packages looked at for a module of another name.
const TOP_LEVEL_LIMIT: usize = 512;
const TOP_LEVEL_SIZE: u64 = 16 << 10;
/// A list of files that is longer is not looked at.
const RECORD_SIZE: u64 = 1 << 20;

/// The library that a file belongs to: its folder, or the file itself where it is all there is.
pub(super) fn library(path: &Text) -> Option<(Kind, Text)> {
    let path = std::str::from_utf8(path.as_bytes()).ok()?;
    node_package(path)
        .map(|(folder, _)| (Kind::Module, folder))
        .or_else(|| site_entry(path).map(|(folder, _)| (Kind::Site, folder)))
        .map(|(kind, folder)| (kind, folder.into()))
}

/// The metadata files that may be about a python library: of the package of its name, or else of
/// those that say they hold it.
pub(super) fn metadata(root: &OwnedFd, library: &Path) -> Vec<PathBuf> {
    let (Some(site), Some(entry)) = (library.parent(), library.file_name()) else {
        return Vec::new();
    };
    let module = entry.to_string_lossy();
    let module = module.split('.').next().unwrap_or_default();
    let infos = entries(root, site, "dist-info", SITE_LIMIT);
    let named: Vec<&PathBuf> = infos
        .iter()
        .filter(|info| {
            let stem = info.file_stem().unwrap_or_default().to_string_lossy();
            let name = stem.split('-').next().unwrap_or_default();
            normal(name) == normal(module)
        })
        .collect();
    let saying = |file: &str, size: u64, says: &dyn Fn(&str) -> bool| {
        infos
            .iter()
            .take(TOP_LEVEL_LIMIT)
            .filter(|info| {
                read_regular(root, &info.join(file), size)
                    .is_some_and(|text| String::from_utf8_lossy(&text).lines().any(says))
            })
            .collect()
    };
    let holding = || match is_hook(&entry.to_string_lossy()) {
        // A start-up file is no module, and lies in no folder of a name.
        true => {
            let listed = format!("{},", entry.to_string_lossy());
            saying("RECORD", RECORD_SIZE, &|line| line.starts_with(&listed))
        }
        false => saying("top_level.txt", TOP_LEVEL_SIZE, &|line| {
            line.trim() == module
        }),
    };
    let found = if named.is_empty() { holding() } else { named };
    found
        .into_iter()
        .map(|info| info.join("METADATA"))
        .collect()
}

/// PEP 503, so that `Foo.Bar` and `foo_bar` are the same.
fn normal(name: &str) -> String {
    name.to_ascii_lowercase().replace(['-', '.'], "_")
}

/// The entries of a folder with this extension, sorted, out of the first so many.
pub(super) fn entries(
    root: &OwnedFd,
    folder: &Path,
    extension: &str,
    limit: usize,
) -> Vec<PathBuf> {
    let Ok(handle) = resolve(root, folder, OFlag::O_DIRECTORY) else {
        return Vec::new();
    };
    let Ok(entries) = fs::read_dir(format!("/proc/self/fd/{}", handle.as_raw_fd())) else {
        return Vec::new();
    };
    let mut found: Vec<PathBuf> = entries
        .take(limit)
        .filter_map(Result::ok)
        .map(|entry| PathBuf::from(entry.file_name()))
        .filter(|name| name.extension() == Some(extension.as_ref()))
        .map(|name| folder.join(name))
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use nix::fcntl::open;
    use nix::sys::stat::Mode;

    use super::*;

    #[test]
    fn a_library_is_told_from_a_path_and_other_files_are_none() {
        let library = |path: &str| {
            let (kind, folder) = library(&path.into())?;
            Some((kind, folder.to_str_lossy().into_owned()))
        };
        assert_eq!(
            library("/v/lib/python3.11/site-packages/yaml/loader.py"),
            Some((Kind::Site, "/v/lib/python3.11/site-packages/yaml".into()))
        );
        assert_eq!(
            library("/p/node_modules/@a/b/lib/index.js"),
            Some((Kind::Module, "/p/node_modules/@a/b".into()))
        );
        assert_eq!(library("/usr/lib/python3.11/json/decoder.py"), None);
    }

    #[test]
    fn metadata_is_found_by_name_and_by_what_a_package_says_it_holds() {
        let folder = tempfile::tempdir().unwrap();
        for (info, top_level) in [
            ("PyYAML-6.0.dist-info", "_yaml\nyaml\n"),
            ("Foo_Bar-1.2.dist-info", "foo_bar\n"),
            ("foo-3.dist-info", "foo\n"),
        ] {
            let info = folder.path().join(info);
            fs::create_dir(&info).unwrap();
            fs::write(info.join("top_level.txt"), top_level).unwrap();
        }
        let root = open("/", OFlag::O_PATH, Mode::empty()).unwrap();
        let found = |name: &str| -> Vec<String> {
            let parent = |file: PathBuf| {
                let info = file.parent().unwrap().file_name().unwrap();
                info.to_str().unwrap().to_owned()
            };
            let files = metadata(&root, &folder.path().join(name));
            files.into_iter().map(parent).collect()
        };
        assert_eq!(found("yaml"), ["PyYAML-6.0.dist-info"]);
        assert_eq!(found("foo_bar"), ["Foo_Bar-1.2.dist-info"]);
        assert_eq!(found("foo.py"), ["foo-3.dist-info"]);
        assert!(found("absent").is_empty());
        fs::write(
            folder.path().join("foo-3.dist-info/RECORD"),
            "foo.py,,\nstart_hook.pth,sha256=x,9\n",
        )
        .unwrap();
        assert_eq!(found("start_hook.pth"), ["foo-3.dist-info"]);
        assert!(found("hook.pth").is_empty());
    }
}
