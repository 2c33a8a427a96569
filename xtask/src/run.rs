//! Build, then become pkgwarden: for trying a change.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::Command;

use xshell::Shell;

use crate::build;

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// What to give pkgwarden.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pkgwarden: Vec<OsString>,
}

pub(crate) fn run(sh: &Shell, arguments: &Arguments) -> anyhow::Result<()> {
    let pkgwarden = build::pkgwarden(sh)?;
    // cargo's own libraries are not for the command that pkgwarden may start.
    let error = Command::new(pkgwarden)
        .args(&arguments.pkgwarden)
        .env_remove("LD_LIBRARY_PATH")
        .exec();
    Err(error.into())
}
