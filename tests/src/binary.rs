//! Where the program under test lies.

use std::env;
use std::path::PathBuf;

/// `PKGWARDEN_BIN`, or the release build of this workspace.
pub fn pkgwarden() -> PathBuf {
    let binary = env::var_os("PKGWARDEN_BIN").map_or_else(
        || workspace().join("target/release/pkgwarden"),
        PathBuf::from,
    );
    assert!(
        binary.is_file(),
        "there is no {}: run `cargo xtask build`, or name the program in PKGWARDEN_BIN",
        binary.display()
    );
    binary
}

/// The top of the checkout.
pub(crate) fn workspace() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}
