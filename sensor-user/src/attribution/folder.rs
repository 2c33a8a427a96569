//! What a path says about packages.

/// `path` is `folder` or lies below it.
pub(crate) fn holds(folder: &str, path: &str) -> bool {
    let folder = folder.trim_end_matches('/');
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The package of the last `node_modules` of a path: its folder and its name.
pub(crate) fn node_package(path: &str) -> Option<(&str, &str)> {
    const MODULES: &str = "/node_modules/";
    let start = path.rfind(MODULES)? + MODULES.len();
    let mut parts = path[start..].split('/');
    let first = parts.next().filter(|first| !first.is_empty())?;
    let length = if first.starts_with('@') {
        let second = parts.next().filter(|second| !second.is_empty())?;
        first.len() + 1 + second.len()
    } else if first.starts_with('.') {
        // `.bin`, `.pnpm`, `.cache`: the manager's own.
        return None;
    } else {
        first.len()
    };
    Some((&path[..start + length], &path[start..start + length]))
}

/// pnpm keeps each version in a folder of its own: `.pnpm/name@1.0.0(_peers)/node_modules/name`.
pub(super) fn pnpm_version<'p>(path: &'p str, name: &str) -> Option<&'p str> {
    let (_, rest) = path.rsplit_once("/node_modules/.pnpm/")?;
    let entry = rest.split('/').next()?;
    let at = entry.rfind('@').filter(|&at| at > 0)?;
    // With peers the entry is `a@1.0.0_b@2.0.0`: the name decides where the version begins.
    let flat = name.replace('/', "+");
    let version = match entry.strip_prefix(flat.as_str()) {
        Some(rest) => rest.strip_prefix('@')?,
        None => &entry[at + 1..],
    };
    // Of a file, a folder or a repository the entry says where it came from: `a@file+..+a.tgz`.
    let version = version.split(['_', '(']).next()?;
    version
        .starts_with(|c: char| c.is_ascii_digit())
        .then_some(version)
}

/// The folder that pip unpacked an sdist into, and the name of what it was asked for:
/// `pip-install-X/name_<32 hex>` (also `pip-wheel-X`, `pip-download-X`), or `pip-req-build-X`,
/// which has no name.
pub(super) fn pip_build(path: &str) -> Option<(&str, Option<&str>)> {
    let mut end = 0;
    let mut above = "";
    for part in path.split('/') {
        end += part.len();
        if part.starts_with("pip-req-build-") {
            return Some((&path[..end], None));
        }
        if above.starts_with("pip-")
            && let Some((name, hex)) = part.rsplit_once('_')
            && !name.is_empty()
            && hex.len() == 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
        {
            return Some((&path[..end], Some(name)));
        }
        above = part;
        end += 1;
    }
    None
}

/// The entry below the last `site-packages` or `dist-packages` of a path: its path and its name.
pub(crate) fn site_entry(path: &str) -> Option<(&str, &str)> {
    let start = ["/site-packages/", "/dist-packages/"]
        .iter()
        .filter_map(|folder| Some(path.rfind(folder)? + folder.len()))
        .max()?;
    let entry = path[start..].split('/').next().filter(|e| !e.is_empty())?;
    if entry == "__pycache__" {
        let file = path[start..].split('/').nth(1)?;
        return Some((path, file));
    }
    Some((&path[..start + entry.len()], entry))
}
