//! Every read of what watched code can influence: its /proc folder, its files, its cgroup.
//!
//! The core is pure, so what it needs to know beyond the kernel's events is fetched here and handed
//! in as events of its own, which a capture keeps. Watched code is hostile: it may plant a FIFO, a
//! link to the host's files, a FUSE mount, or be gone and its pid taken over. Therefore: openat2
//! inside the process's own root, regular files only, a size limit, a deadline, and after three
//! reads that hung none any more.

mod bounded;
pub mod container;
mod host;
mod manifest;
mod parent;
mod process;
mod scan;

pub use host::{boottime, host, users, wall_offset};
pub use process::Held;
pub use scan::{Look, executable_name};

use bounded::Bounded;
use manifest::Asked;

use crate::event::{Body, Event, ProcessKey};

/// Adds to a run's events what only the edge can know.
#[derive(Debug, Default)]
pub struct Edge {
    reads: Bounded,
    manifests: manifest::Seen,
    cgroups: container::Known,
}

impl Edge {
    /// The same events in the same order, argument paths resolved. What is known of an event's
    /// container stands before it, so that it holds for an alert on the event itself; what is known
    /// of its package stands behind it, since the process begins with it.
    pub async fn enrich(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut out = Vec::with_capacity(events.len());
        for mut event in events {
            self.resolve_places(&mut event).await;
            let container = self.container(&event).await;
            let manifest = self.manifest(&event).await;
            out.extend(container);
            out.push(event);
            out.extend(manifest);
        }
        out
    }

    /// What a process runs that ran before the watch began; `None` if it has ended, or won't be read.
    pub async fn look(&mut self, process: ProcessKey, parent_pid: u32) -> Option<Look> {
        self.reads
            .read(move || scan::look(process, parent_pid))
            .await
    }

    /// Hostile reads have hung so often that there are none any more.
    pub fn is_broken(&self) -> bool {
        self.reads.is_broken()
    }

    async fn resolve_places(&mut self, event: &mut Event) {
        let Some(process) = event.body.actor().map(|actor| actor.process) else {
            return;
        };
        for (place, last) in parent::unresolved(&mut event.body) {
            let asked = place.clone();
            if let Some(real) = self
                .reads
                .read(move || parent::resolved(process, &asked, last))
                .await
            {
                place.path = real;
            }
        }
    }

    async fn container(&mut self, event: &Event) -> Option<Event> {
        let actor = *event.body.actor()?;
        if !self.cgroups.is_new(&actor) {
            return None;
        }
        let (cgroup, process) = (actor.cgroup, actor.process);
        let named = self
            .reads
            .read(move || container::look_up(cgroup, process))
            .await?;
        let body = Body::Container {
            cgroup,
            id: named.id,
            runtime: named.runtime.to_owned(),
            name: None,
            image: None,
        };
        Some(beside(event, body))
    }

    async fn manifest(&mut self, event: &Event) -> Option<Event> {
        let (about, manifest) = match self.manifests.asked(event)? {
            Asked::Known(about, manifest) => (about, manifest),
            Asked::Read(wanted) => {
                let about = wanted.about();
                let manifest = self.reads.read(move || wanted.read()).await?;
                self.manifests.keep(&manifest);
                (about, manifest)
            }
        };
        Some(beside(event, Body::Metadata { about, manifest }))
    }
}

/// A record of our own at the time of the event it belongs to.
fn beside(event: &Event, body: Body) -> Event {
    Event {
        time: event.time,
        cpu: event.cpu,
        sequence: 0,
        body,
    }
}
