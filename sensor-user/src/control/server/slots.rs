//! How many connections there may be, of all and of each user.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::control::call::Refusal;

/// Bounds on connections at a time, and on their patience.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Of all clients.
    pub clients: usize,
    /// Of these, kept free for root: `check` and `alerts` of an administrator always get through.
    pub for_root: usize,
    /// Of one user other than root.
    pub per_user: usize,
    /// From a connection to its first line, and from `run` to its `start`.
    pub first_line: Duration,
    /// A client that takes no more of its answer for so long loses the rest.
    pub stalled: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            clients: 1024,
            for_root: 64,
            per_user: 256,
            first_line: Duration::from_secs(5),
            stalled: Duration::from_secs(10),
        }
    }
}

/// The connections there are.
#[derive(Debug)]
pub(super) struct Slots {
    limits: Limits,
    /// What they are places for.
    what: &'static str,
    taken: Mutex<HashMap<u32, usize>>,
}

/// One connection's place, free again when this is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    uid: u32,
}

impl Slots {
    pub(super) fn new(limits: Limits, what: &'static str) -> Arc<Self> {
        Arc::new(Self {
            limits,
            what,
            taken: Mutex::default(),
        })
    }

    /// A place for a client of this user, or why there is none.
    pub(super) fn take(self: &Arc<Self>, uid: u32) -> Result<Slot, Refusal> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = taken.values().sum();
        let own = taken.get(&uid).copied().unwrap_or_default();
        let (most, bound) = match uid {
            0 => (self.limits.clients, usize::MAX),
            _ => (
                self.limits.clients.saturating_sub(self.limits.for_root),
                self.limits.per_user,
            ),
        };
        if own >= bound {
            return Err(format!(
                "uid {uid} has {own} {} to the daemon, the most a user may have: end one, or wait",
                self.what
            ));
        }
        if all >= most {
            return Err(format!(
                "the daemon has {all} {} of its clients, the most it takes: wait",
                self.what
            ));
        }
        *taken.entry(uid).or_default() += 1;
        Ok(Slot {
            slots: Arc::clone(self),
            uid,
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.slots.taken.lock();
        let taken = match &mut taken {
            Ok(taken) => taken,
            Err(poisoned) => poisoned.get_mut(),
        };
        if let Some(count) = taken.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_a_bound_and_so_have_all_but_root_finds_room() {
        let limits = Limits {
            clients: 6,
            for_root: 2,
            per_user: 3,
            ..Limits::default()
        };
        let slots = Slots::new(limits, "connections");
        let of_one: Vec<_> = (0..3).map(|_| slots.take(1000).unwrap()).collect();
        assert!(slots.take(1000).unwrap_err().contains("uid 1000"));
        let _other = slots.take(1001).unwrap();
        assert!(slots.take(1002).unwrap_err().contains("4 connections"));
        let _root: Vec<_> = (0..2).map(|_| slots.take(0).unwrap()).collect();
        assert!(slots.take(0).is_err());
        drop(of_one);
        assert!(slots.take(1000).is_ok());
    }
}
