//! A file as node_exporter's textfile collector reads it: whole at any moment, for everyone to read.

use std::ffi::OsString;
use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Replaces the file at `path` by one with this text. Blocks as a disk does. The new one is made
/// beside it under a name that the collector does not read, and nothing is followed through a link.
pub fn write_textfile(path: &Path, text: &str) -> io::Result<()> {
    let Some(name) = path.file_name() else {
        let message = format!("`{}` names no file", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    };
    let mut beside = OsString::from(".");
    beside.push(name);
    beside.push(".new");
    let beside = path.with_file_name(beside);
    // Left over from a write that was cut off.
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = write(&beside, text).and_then(|()| fs::rename(&beside, path));
    written.inspect_err(|_| drop(fs::remove_file(&beside)))
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())?;
    // Not by the mode of its making, which the umask cuts.
    file.set_permissions(Permissions::from_mode(0o644))
}
