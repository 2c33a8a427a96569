//! Whether what was attached still is. Only root can take it off: by its descriptors, or by a map's id.

use std::collections::BTreeMap;

use aya::Ebpf;
use aya::programs::loaded_links;

/// The programs that were attached, by id: name, and number of links.
#[derive(Debug, Default)]
pub(super) struct Presence(BTreeMap<u32, (String, usize)>);

impl Presence {
    /// Counts the links of these programs. Listing links needs CAP_SYS_ADMIN; without it nothing is
    /// known, and nothing will be missing.
    pub(super) fn of(ebpf: &Ebpf) -> Self {
        let Some(links) = links() else {
            return Self::default();
        };
        let attached = ebpf.programs().filter_map(|(name, program)| {
            let id = program.info().ok()?.id();
            Some((id, (name.to_owned(), *links.get(&id)?)))
        });
        Self(attached.collect())
    }

    /// Programs that have fewer links than they had.
    pub(super) fn missing(&self) -> Vec<String> {
        let Some(links) = links() else {
            return Vec::new();
        };
        let fewer = |id: &u32, count: usize| links.get(id).is_none_or(|now| *now < count);
        let missing = self.0.iter().filter(|(id, (_, count))| fewer(id, *count));
        missing
            .map(|(_, (name, _))| format!("program {name}"))
            .collect()
    }
}

/// Number of links of each program in the kernel. One that ends while it is looked at is no matter.
fn links() -> Option<BTreeMap<u32, usize>> {
    let mut links = BTreeMap::new();
    let mut any = false;
    for link in loaded_links().filter_map(Result::ok) {
        any = true;
        *links.entry(link.program_id()).or_default() += 1;
    }
    any.then_some(links)
}
