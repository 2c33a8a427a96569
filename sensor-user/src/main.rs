//! The program `pkgwarden`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    pkgwarden::cli::main()
}
