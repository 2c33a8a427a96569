//! Editors' and CI agents' own node: it runs the tool, not a project's libraries.

use std::sync::LazyLock;

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

/// Path patterns, one a line.
const LIST: &str = include_str!("editors.list");

static PATTERNS: LazyLock<GlobSet> = LazyLock::new(|| {
    let mut set = GlobSetBuilder::new();
    for line in LIST.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let glob = GlobBuilder::new(line)
            .literal_separator(true)
            .build()
            .expect("a test compiles every pattern of the list");
        set.add(glob);
    }
    set.build().expect("a test compiles the list")
});

/// Whether this executable is one of theirs. It then starts no runtime scope; a scope that was
/// inherited stays.
pub(super) fn owns(executable: &str) -> bool {
    PATTERNS.is_match(executable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_editors_own_node_is_told_by_its_path() {
        assert!(owns("/home/a/.vscode-server/bin/0f1e/node"));
        assert!(owns(
            "/root/.vscode-server/cli/servers/Stable-0f1e/server/node"
        ));
        assert!(owns("/opt/actions-runner/externals/node20/bin/node"));
        assert!(owns("/srv/ci/externals/node20_alpine/bin/node"));
        assert!(!owns("/usr/bin/node"));
        assert!(!owns("/home/a/p/node_modules/node/bin/node"));
    }
}
