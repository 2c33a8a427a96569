//! The verb `daemon`.

pub(super) mod enter;
