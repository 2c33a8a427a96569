//! Commands to put before another one so that it sees other mounts; they end with it.

/// Runs `script` in a mount namespace of its own, which then becomes the command that follows.
pub fn private(script: &str) -> Vec<String> {
    [
        "unshare",
        "--mount",
        "--propagation",
        "private",
        "sh",
        "-e",
        "-c",
        &format!("{script}\nexec \"$@\""),
        "sh",
    ]
    .map(str::to_owned)
    .to_vec()
}
