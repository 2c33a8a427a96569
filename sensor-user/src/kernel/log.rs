//! What the probes say of themselves (aya-log): diagnostics only, and off unless asked for.

use std::io::{self, Write};

use aya::{Ebpf, EbpfLoader};
use aya_log::EbpfLogger;
use log::{Log, Metadata, Record};

/// Level 0: the verifier then drops every log statement as code that can't be reached.
static OFF: u8 = 0;

/// Lets the probes speak only if asked to.
pub(super) fn set_level(loader: &mut EbpfLoader<'_>, on: bool) {
    if !on {
        // Not there in an object without log statements.
        loader.override_global(aya_log::LEVEL, &OFF, false);
    }
}

/// Lines on stderr.
pub(super) struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        // Nothing else to tell it to.
        let _ = writeln!(io::stderr(), "pkgwarden: probe: {}", record.args());
    }

    fn flush(&self) {}
}

/// The reader of the probes' lines, if they speak.
pub(super) fn reader(ebpf: &mut Ebpf, on: bool) -> Option<EbpfLogger<Stderr>> {
    on.then(|| EbpfLogger::init_with_logger(ebpf, Stderr).ok())
        .flatten()
}
