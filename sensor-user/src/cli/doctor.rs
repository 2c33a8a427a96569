//! x
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
/// x
pub(crate) struct DoctorArgs {}
/// x
pub(crate) fn doctor(_: &DoctorArgs) -> ExitCode {
    ExitCode::from(1)
}
