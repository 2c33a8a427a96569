//! The offsets that the probes need, on this kernel.

use std::fs;

use sensor_ebpf::abi::offsets::{MISSING, Offsets, WANTED};
use zerocopy::IntoBytes;

use super::btf::{ATTACHED, Btf};
use super::error::{SensorError, chain};

/// Where the running kernel describes its types.
pub(super) const VMLINUX: &str = "/sys/kernel/btf/vmlinux";

/// Looks every wanted field up, in the order of [`Offsets`]; and what programs are attached by.
pub(super) fn resolve() -> Result<(Vec<u32>, aya::Btf), SensorError> {
    let blob = fs::read(VMLINUX).map_err(SensorError::NoBtf)?;
    if blob.is_empty() {
        return Err(SensorError::NoBtf(std::io::ErrorKind::UnexpectedEof.into()));
    }
    let btf = Btf::parse(&blob).map_err(SensorError::Btf)?;
    let mut offsets = Vec::with_capacity(WANTED.len());
    for wanted in WANTED {
        offsets.push(match btf.offset(wanted.structure, wanted.member) {
            Ok(offset) => offset,
            Err(_) if wanted.optional => MISSING,
            Err(error) => return Err(SensorError::Btf(error)),
        });
    }
    debug_assert_eq!(offsets.as_bytes().len(), size_of::<Offsets>());
    let pruned = btf.pruned(ATTACHED).map_err(SensorError::Btf)?;
    drop(blob);
    let attached = aya::Btf::parse(&pruned, aya::Endianness::default())
        .map_err(|error| SensorError::Load(chain(&error)))?;
    Ok((offsets, attached))
}
