//! The two halves of an exec.

use sensor_ebpf::abi::exec::ExecDetail;
use sensor_ebpf::abi::path::TRUNCATED;
use sensor_ebpf::abi::process::{self, DELETED, MEMFD};
use zerocopy::FromBytes;

use super::path::Sections;
use crate::event::redact;
use crate::event::{Exec, Place, Text, arguments};

/// The bigger half of an exec.
#[derive(Debug)]
pub(in crate::kernel) struct Detail {
    pub(in crate::kernel) pid: u32,
    pub(in crate::kernel) time: u64,
    exec: Exec,
}

impl Detail {
    /// Fills in what the small record does not have.
    pub(in crate::kernel) fn complete(self, small: &mut Exec) {
        let Exec {
            executable,
            requested,
            args,
            args_truncated,
            environment,
            environment_truncated,
            working_directory,
            ..
        } = self.exec;
        small.executable = executable;
        small.requested = requested;
        small.args = args;
        small.args_truncated = args_truncated;
        small.environment = environment;
        small.environment_truncated = environment_truncated;
        small.working_directory = working_directory;
    }
}

pub(super) fn exec_small(small: &process::Exec) -> Exec {
    let length = (small.tail_length as usize).min(small.tail.len());
    // The tail may end inside a component, or in what lies behind a short path; the detail has it
    // whole.
    let tail = &small.tail[..length];
    let first = tail.split(|&b| b == 0).next().unwrap_or_default();
    Exec {
        executable: Place {
            path: first.into(),
            truncated: true,
            ..Place::default()
        },
        parent_pid: small.parent_pid,
        deleted: small.flags & DELETED != 0,
        memfd: small.flags & MEMFD != 0,
        inode: small.inode,
        owner: small.owner,
        mode: small.mode,
        directory_owner: small.directory_owner,
        directory_mode: small.directory_mode,
        ..Exec::default()
    }
}

pub(super) fn exec_detail(bytes: &[u8]) -> Option<Detail> {
    let (detail, rest) = ExecDetail::read_from_prefix(bytes).ok()?;
    let mut sections = Sections(rest);
    let executable = sections.kernel_place(detail.executable)?;
    let working_directory = sections.kernel_place(detail.working_directory)?.path;
    let mut requested = Text::from(sections.take(detail.requested)?);
    redact::text(&mut requested);
    let head = sections.take(detail.arguments_head)?;
    let tail = sections.take(detail.arguments_tail)?;
    let variables = sections.take(detail.environment)?;
    let args_truncated = (head.len() + tail.len()) as u64 != detail.arguments_total;
    let mut environment = variables
        .split(|&b| b == 0)
        .filter_map(|variable| {
            let equals = variable.iter().position(|&b| b == b'=')?;
            let name = std::str::from_utf8(&variable[..equals]).ok()?;
            Some((name.to_owned(), Text::from(&variable[equals + 1..])))
        })
        .collect();
    redact::environment(&mut environment);
    let mut args = arguments(head, tail, args_truncated);
    redact::args(&mut args);
    Some(Detail {
        pid: detail.header.pid,
        time: detail.header.time,
        exec: Exec {
            executable,
            requested,
            args,
            args_truncated,
            environment,
            environment_truncated: detail.environment & TRUNCATED != 0,
            working_directory,
            ..Exec::default()
        },
    })
}
