//! Whether what was attached still is. Only root can take it off: it can close our descriptors, or ask
//! the kernel to detach a link by its id.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use aya::Ebpf;
use aya::programs::loaded_links;
use zerocopy::{FromBytes, FromZeros, Immutable, IntoBytes, KnownLayout};

/// The links of our programs: by link id, the name of the program.
#[derive(Debug, Default)]
pub(super) struct Presence(BTreeMap<u32, String>);

impl Presence {
    /// Notes the links. Listing them needs CAP_SYS_ADMIN; without it nothing is known, and nothing will
    /// be missing.
    pub(super) fn of(ebpf: &Ebpf) -> Self {
        let programs: BTreeMap<u32, String> = ebpf
            .programs()
            .filter_map(|(name, program)| Some((program.info().ok()?.id(), name.to_owned())))
            .collect();
        let links = loaded_links().filter_map(Result::ok).filter_map(|link| {
            let name = programs.get(&link.program_id())?;
            Some((link.id(), name.clone()))
        });
        Self(links.collect())
    }

    /// Programs that a link of is gone, or leads nowhere.
    pub(super) fn missing(&self) -> Vec<String> {
        let gone = |id: &u32| match Link::by_id(*id).and_then(|link| link.info()) {
            Ok(info) => info.kind == CGROUP && info.cgroup == 0,
            Err(error) => error.kind() == io::ErrorKind::NotFound,
        };
        let missing = self.0.iter().filter(|(id, _)| gone(id));
        let mut names: Vec<String> = missing.map(|(_, name)| format!("program {name}")).collect();
        names.dedup();
        names
    }
}

/// `enum bpf_cmd`, `enum bpf_link_type` (include/uapi/linux/bpf.h).
const OBJ_GET_INFO_BY_FD: libc::c_int = 15;
const LINK_GET_FD_BY_ID: libc::c_int = 30;
const CGROUP: u32 = 3;

/// A link that is looked at, whoever attached it.
struct Link(OwnedFd);

/// `struct bpf_link_info`, as far as it is read (since 5.8).
#[repr(C)]
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
struct Info {
    kind: u32,
    id: u32,
    program: u32,
    reserved: u32,
    /// Of a cgroup's link: 0 once it was detached.
    cgroup: u64,
}

impl Link {
    fn by_id(id: u32) -> io::Result<Self> {
        // `union bpf_attr` of this command begins with the id.
        let mut attributes = [id, 0, 0, 0];
        let fd = bpf(LINK_GET_FD_BY_ID, attributes.as_mut_bytes())?;
        // SAFETY: the kernel has just made this descriptor for us.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    fn info(&self) -> io::Result<Info> {
        #[repr(C)]
        #[derive(IntoBytes, FromBytes)]
        struct Attributes {
            fd: u32,
            length: u32,
            info: u64,
        }
        let mut info = Info::new_zeroed();
        let mut attributes = Attributes {
            fd: self.0.as_raw_fd() as u32,
            length: size_of::<Info>() as u32,
            info: (&raw mut info) as u64,
        };
        bpf(OBJ_GET_INFO_BY_FD, attributes.as_mut_bytes())?;
        Ok(info)
    }
}

/// bpf(2).
fn bpf(command: libc::c_int, attributes: &mut [u8]) -> io::Result<RawFd> {
    // SAFETY: the kernel reads and writes the attributes within their length, and the info that they
    // name within the length that they give; both outlive the call.
    let result = unsafe {
        libc::syscall(
            libc::SYS_bpf,
            command,
            attributes.as_mut_ptr(),
            attributes.len(),
        )
    };
    match result {
        0.. => Ok(result as RawFd),
        _ => Err(io::Error::last_os_error()),
    }
}
