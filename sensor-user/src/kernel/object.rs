//! The compiled probes.

/// aya parses the object in place, so it must be aligned.
#[cfg(bpf_object)]
pub(super) static OBJECT: Option<&[u8]> =
    Some(aya::include_bytes_aligned!(env!("PKGWARDEN_BPF_OBJECT")));

/// A build without the probes has everything but the verbs that watch.
#[cfg(not(bpf_object))]
pub(super) static OBJECT: Option<&[u8]> = None;
