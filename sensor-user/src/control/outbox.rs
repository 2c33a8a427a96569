//! What a client is to be sent, within bounds: whoever does not read loses, and nobody waits.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::mpsc;

/// Of one client. At 400 bytes an event that is some 20,000, or a second of a busy install.
const CLIENT: usize = 8 << 20;
/// Of all clients of one user, so that no user takes what all have.
const USER: usize = 24 << 20;
/// Of all clients of all users but root.
const ALL: usize = 64 << 20;
/// For replies and counters beyond the bounds: what says that something was lost must not be lost.
const RESERVE: usize = 64 << 10;
/// What a queued piece costs beside its bytes.
const PIECE: usize = 64;

/// An amount of memory that several queues share.
#[derive(Debug)]
struct Share {
    limit: usize,
    used: AtomicUsize,
}

impl Share {
    fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self {
            limit,
            used: AtomicUsize::new(0),
        })
    }

    fn take(&self, size: usize, beyond: usize) -> bool {
        let fits = |used: usize| {
            let sum = used.checked_add(size)?;
            (sum <= self.limit + beyond).then_some(sum)
        };
        self.used
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, fits)
            .is_ok()
    }

    fn give_back(&self, size: usize) {
        self.used.fetch_sub(size, Ordering::Relaxed);
    }
}

/// Queued bytes; the memory is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) bytes: Vec<u8>,
    shares: Vec<Arc<Share>>,
}

impl Drop for Piece {
    fn drop(&mut self) {
        let size = self.bytes.capacity() + PIECE;
        for share in &self.shares {
            share.give_back(size);
        }
    }
}

/// Where a client's lines go. Never waits.
#[derive(Debug, Clone)]
pub struct Outbox {
    sender: mpsc::UnboundedSender<Piece>,
    shares: Vec<Arc<Share>>,
}

impl Outbox {
    /// Queues lines; false, and they are gone, if that is more than the client may have waiting.
    pub(crate) fn push(&self, bytes: Vec<u8>) -> bool {
        self.push_within(bytes, 0)
    }

    /// The same for a few short lines that must get through.
    pub(crate) fn push_reply(&self, bytes: Vec<u8>) -> bool {
        self.push_within(bytes, RESERVE)
    }

    fn push_within(&self, mut bytes: Vec<u8>, beyond: usize) -> bool {
        bytes.shrink_to_fit();
        let size = bytes.capacity() + PIECE;
        let mut taken = Vec::with_capacity(self.shares.len());
        for share in &self.shares {
            if !share.take(size, beyond) {
                taken
                    .iter()
                    .for_each(|share: &Arc<Share>| share.give_back(size));
                return false;
            }
            taken.push(Arc::clone(share));
        }
        let piece = Piece {
            bytes,
            shares: taken,
        };
        self.sender.send(piece).is_ok()
    }

    /// Nobody takes anything out any more.
    pub(crate) fn is_closed(&self) -> bool {
        self.sender.is_closed()
    }
}

/// Makes outboxes that share the memory there is.
#[derive(Debug)]
pub(crate) struct Outboxes {
    all: Arc<Share>,
    users: Mutex<HashMap<u32, Weak<Share>>>,
}

impl Default for Outboxes {
    fn default() -> Self {
        Self {
            all: Share::new(ALL),
            users: Mutex::default(),
        }
    }
}

impl Outboxes {
    /// One for a client of this user, and the end that its lines come out of.
    pub(crate) fn open(&self, uid: u32) -> (Outbox, mpsc::UnboundedReceiver<Piece>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        let mut shares = vec![Share::new(CLIENT)];
        // What all have is theirs that could fill it on purpose.
        if uid != 0 {
            shares.push(self.user(uid));
            shares.push(Arc::clone(&self.all));
        }
        (Outbox { sender, shares }, receiver)
    }

    fn user(&self, uid: u32) -> Arc<Share> {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(share) = users.get(&uid).and_then(Weak::upgrade) {
            return share;
        }
        users.retain(|_, share| share.strong_count() > 0);
        let share = Share::new(USER);
        users.insert(uid, Arc::downgrade(&share));
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1 << 20;

    fn fill(outbox: &Outbox) -> usize {
        let mut pushed = 0;
        while outbox.push(vec![0; MIB - PIECE]) {
            pushed += 1;
        }
        pushed
    }

    #[test]
    fn a_client_has_its_bound_and_a_reply_still_gets_through() {
        let outboxes = Outboxes::default();
        let (outbox, mut out) = outboxes.open(1000);
        assert_eq!(fill(&outbox), CLIENT / MIB);
        assert!(outbox.push_reply(b"lost\n".to_vec()));
        assert!(!outbox.push_reply(vec![0; RESERVE]));
        drop(out.try_recv().unwrap());
        assert_eq!(fill(&outbox), 0, "the reply's bytes are missing");
        drop(out);
        assert!(!outbox.push(Vec::new()));
    }

    #[test]
    fn many_clients_of_one_user_leave_room_for_another() {
        let outboxes = Outboxes::default();
        let greedy: Vec<_> = (0..16).map(|_| outboxes.open(1000)).collect();
        let taken: usize = greedy.iter().map(|(outbox, _)| fill(outbox)).sum();
        assert_eq!(taken, USER / MIB);
        let (other, _out) = outboxes.open(1001);
        assert_eq!(fill(&other), CLIENT / MIB);
        drop(greedy);
        let (again, _out) = outboxes.open(1000);
        assert_eq!(fill(&again), CLIENT / MIB);
    }

    #[test]
    fn users_together_have_a_bound_and_root_is_beyond_it() {
        let outboxes = Outboxes::default();
        let users: Vec<_> = (1..100).map(|uid| outboxes.open(uid)).collect();
        let taken: usize = users.iter().map(|(outbox, _)| fill(outbox)).sum();
        assert_eq!(taken, ALL / MIB);
        let (root, _out) = outboxes.open(0);
        assert_eq!(fill(&root), CLIENT / MIB);
    }
}
