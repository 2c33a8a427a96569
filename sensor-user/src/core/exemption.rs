//! Which matches are silenced: by a filter, which the rules say, or by `--trust`; and from when on a
//! filter is void.
//!
//! A filter lets pass what an honest tool does. Once a session has opened credentials its tools work
//! for whoever holds these, so from the next act on its filters silence nothing, and a chain from there
//! can't hide in one. What `--trust` names stays silent: the user's own hosts, not a habit of tools.

use crate::detect::{Branch, Hit, Level};

use super::Core;
use super::act::Act;
use super::moment::Moment;

/// What stands in `suppressed_by` where `--trust` did it.
const TRUST: &str = "trust";

impl Core {
    /// Settles what is silenced of the matches of one act.
    pub(super) fn exempt(&mut self, act: &Act<'_>, moment: &Moment<'_>, hits: &mut [Hit<'_>]) {
        if hits.is_empty() {
            return;
        }
        let session = self.sessions.get(moment.session());
        let void = session.is_some_and(|session| session.credentials_opened);
        for hit in &mut *hits {
            if void {
                hit.void = hit.suppressed_by.take();
            }
            if moment.peer.expected
                && hit.suppressed_by.is_none()
                && act.is_callback(hit.rule.branch)
            {
                hit.suppressed_by = Some(TRUST.to_owned());
            }
        }
        // Below medium is what honest installs do: it must not make them loud.
        let opened = hits.iter().any(|hit| {
            hit.suppressed_by.is_none()
                && hit.rule.branch == Branch::CredentialStoreAccess
                && hit.rule.level >= Level::Medium
        });
        if opened && !void {
            self.sessions.credentials_opened(moment.session());
        }
    }
}
