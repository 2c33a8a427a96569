//! x
use std::process::ExitCode;
#[derive(Debug, clap::Args)]
/// x
pub(crate) struct SelftestArgs {}
/// x
pub(crate) fn selftest(_: &SelftestArgs) -> ExitCode {
    ExitCode::from(1)
}
