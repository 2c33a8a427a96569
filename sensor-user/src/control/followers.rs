//! Clients that want entries as they are raised.

use std::collections::HashMap;

use super::call::{Call, ClientId, Peer};
use super::line::Word;
use super::outbox::Outbox;
use super::wire::json_line;
use crate::state::{Entry, Query};

/// Those there are. Owned by the daemon's loop.
#[derive(Debug)]
pub struct Followers {
    followers: HashMap<ClientId, Follower>,
    fits: fn(&Query, &Entry) -> bool,
}

#[derive(Debug)]
struct Follower {
    peer: Peer,
    query: Query,
    outbox: Outbox,
    /// Not sent, and not told so yet.
    skipped: u64,
}

impl Followers {
    /// Nobody yet. `fits` says whether a query asks for an entry.
    pub fn new(fits: fn(&Query, &Entry) -> bool) -> Self {
        Self {
            followers: HashMap::new(),
            fits,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.followers.len()
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.followers.is_empty()
    }

    /// Answers what concerns followers and gives the rest back. Comes after [`super::Runs::handle`].
    pub fn handle(&mut self, call: Call) -> Option<Call> {
        match call {
            Call::Follow {
                client,
                peer,
                query,
                outbox,
            } => {
                // What is raised from here on comes: the client may begin.
                outbox.push_reply(json_line(&Word::Following {}));
                let follower = Follower {
                    peer,
                    query,
                    outbox,
                    skipped: 0,
                };
                self.followers.insert(client, follower);
                None
            }
            // The last registry that it concerns.
            Call::End { client } => {
                self.followers.remove(&client);
                None
            }
            other => Some(other),
        }
    }

    /// Something was raised. Never waits.
    pub fn publish(&mut self, entry: &Entry) {
        if self.followers.is_empty() {
            return;
        }
        self.followers
            .retain(|_, follower| !follower.outbox.is_closed());
        let mut line = None;
        for follower in self.followers.values_mut() {
            if entry.is_for(follower.peer.uid) && (self.fits)(&follower.query, entry) {
                follower.send(line.get_or_insert_with(|| json_line(entry)));
            }
        }
    }
}

impl Follower {
    fn send(&mut self, line: &[u8]) {
        let mut bytes = Vec::new();
        if self.skipped > 0 {
            bytes.extend(json_line(&Word::Skipped(self.skipped)));
        }
        bytes.extend_from_slice(line);
        match self.outbox.push(bytes) {
            true => self.skipped = 0,
            false => self.skipped += 1,
        }
    }
}
