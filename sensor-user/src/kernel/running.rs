//! The processes there are, with their starts as the lineage set compares them.

use std::io::Read;

use aya::programs::{Iter, Program};
use aya::{Btf, Ebpf};
use sensor_ebpf::abi::process::Running as Record;
use zerocopy::FromBytes;

use super::error::{SensorError, chain};
use crate::event::ProcessKey;

const PROGRAM: &str = "running";

/// A process that runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running {
    /// Which.
    pub process: ProcessKey,
    /// Its parent, or whoever took it over.
    pub parent: ProcessKey,
}

/// Has the kernel check the iterator.
pub(super) fn load(ebpf: &mut Ebpf, btf: &Btf) -> Result<(), String> {
    program(ebpf)
        .and_then(|program| program.load("task", btf).map_err(|error| chain(&error)))
        .map_err(|cause| format!("the iterator over tasks can't be loaded: {cause}"))
}

/// All processes, in the order of their pids. One at a time: what was made or ended meanwhile may be
/// in it or not.
pub(super) fn all(ebpf: &mut Ebpf) -> Result<Vec<Running>, SensorError> {
    let failed = |cause: String| {
        SensorError::Load(format!("the running processes can't be listed: {cause}"))
    };
    let mut bytes = Vec::new();
    let program = program(ebpf).map_err(failed)?;
    let link = program
        .attach()
        .and_then(|link| program.take_link(link))
        .map_err(|error| failed(chain(&error)))?;
    link.into_file()
        .map_err(|error| failed(chain(&error)))?
        .read_to_end(&mut bytes)
        .map_err(|error| failed(error.to_string()))?;
    Ok(bytes
        .chunks_exact(size_of::<Record>())
        .filter_map(|chunk| Record::read_from_bytes(chunk).ok())
        .map(|record| Running {
            process: ProcessKey {
                pid: record.pid,
                start: record.start,
            },
            parent: ProcessKey {
                pid: record.parent_pid,
                start: record.parent_start,
            },
        })
        .collect())
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Iter, String> {
    match ebpf.program_mut(PROGRAM) {
        Some(Program::Iter(program)) => Ok(program),
        _ => Err(format!("the object has no program {PROGRAM}")),
    }
}
