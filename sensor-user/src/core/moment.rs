//! Who acts, when, and around what: what every act is told with.

use std::rc::Rc;

use jiff::Timestamp;

use crate::alert::schema::{Container, User};
use crate::event::{Actor, ProcessKey, Start};
use crate::lineage::Process;
use crate::names::Shape;

use super::Core;
use super::act::Object;
use super::peer::Peer;

/// The circumstances of one act.
#[derive(Debug, Clone)]
pub(super) struct Moment<'m> {
    pub(super) actor: &'m Actor,
    pub(super) process: &'m Process,
    pub(super) container: Option<Rc<Container>>,
    pub(super) user: Option<Rc<str>>,
    /// Whom the act is with.
    pub(super) peer: Peer,
    /// What the process runs whose files in /proc are opened.
    pub(super) target: Option<Rc<str>>,
    /// How a question looks.
    pub(super) shape: Option<Shape>,
    pub(super) time: u64,
}

impl Moment<'_> {
    /// The session an alert belongs to: the install, otherwise the CI step, otherwise the whole lineage.
    pub(super) fn session(&self) -> ProcessKey {
        let install = self.process.context.install.as_ref();
        install.map_or(self.process.root, |install| install.root)
    }

    pub(super) fn user(&self) -> User {
        User {
            name: self.user.as_deref().map(str::to_owned),
            id: self.actor.uid,
        }
    }
}

impl Core {
    /// What the process runs whose files in /proc an act is on: of watched ones, by the number that it has
    /// on the host.
    pub(super) fn opened_process(&self, object: &Object<'_>) -> Option<Rc<str>> {
        let Object::File(file) = object else {
            return None;
        };
        let below = file.place.path.as_bytes().strip_prefix(b"/proc/")?;
        let number = below.split(|&byte| byte == b'/').next()?;
        let pid = std::str::from_utf8(number).ok()?.parse().ok()?;
        let image = self.lineage.by_pid(pid)?.image()?;
        Some(Rc::clone(&image.path))
    }
}

/// Turns the kernel's times and pids into what means something outside this boot.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock<'s> {
    pub(super) start: &'s Start,
}

impl Clock<'_> {
    /// RFC 3339 with nanoseconds, of a time in nanoseconds of CLOCK_BOOTTIME.
    pub(super) fn rfc3339(&self, boottime: u64) -> String {
        let since_epoch = i128::from(boottime) + i128::from(self.start.wall_offset);
        match Timestamp::from_nanosecond(since_epoch) {
            Ok(time) => format!("{time:.9}"),
            // Only a forged capture has such an offset.
            Err(_) => format!("{:.9}", Timestamp::UNIX_EPOCH),
        }
    }

    /// Stable over a process's life, unique over boots.
    pub(super) fn entity_id(&self, key: ProcessKey) -> String {
        let boot: String = self
            .start
            .host
            .boot_id
            .chars()
            .filter(|&c| c != '-')
            .take(16)
            .collect();
        format!("{boot}-{}-{}", key.pid, key.start)
    }
}
