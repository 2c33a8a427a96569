//! Reads that watched code can make slow: on the blocking pool, with a deadline each.
//!
//! A read that does not come back (a FUSE mount, a network file system) keeps its thread. So after
//! a few of them no further read is begun for a while: the sensor must not be stopped by what it
//! watches. A daemon tries again later, since one hostile package must not take the names of all later
//! ones away; but there is an end to the threads that it gives for that. All reads of a batch are one
//! piece of work for the pool: waking its thread and being woken costs more than most of them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// Long enough for a thread that has to wait for its turn on a machine where everything builds at once:
/// three of those must not be taken for a file system that hangs.
const DEADLINE: Duration = Duration::from_millis(400);
const TIMEOUTS_ALLOWED: u32 = 3;
/// After so long one more read is tried.
const REST: Duration = Duration::from_secs(600);
/// Threads that may hang for good.
const TIMEOUTS_EVER: u32 = 16;

/// Starts reads until too many have hung.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    timeouts: u32,
    last: Option<Instant>,
}

/// What is to be read, and what was.
struct Work<Q, A> {
    left: VecDeque<(usize, Q)>,
    answers: Vec<Option<A>>,
    begun: usize,
    /// Which thread it belongs to: one that hung must not go on when it comes back.
    turn: u32,
}

impl Bounded {
    /// What `answer` gives to each question, in order, where it gives it in time. `M` is what it may
    /// remember from one question to the next.
    pub(super) async fn all<Q, A, M>(
        &mut self,
        questions: Vec<Q>,
        answer: fn(&mut M, &Q) -> Option<A>,
    ) -> Vec<Option<A>>
    where
        Q: Send + 'static,
        A: Send + 'static,
        M: Default + 'static,
    {
        let answers = questions.iter().map(|_| None).collect();
        if questions.is_empty() || self.is_broken() {
            return answers;
        }
        let work = Arc::new(Mutex::new(Work {
            left: questions.into_iter().enumerate().collect(),
            answers,
            begun: 0,
            turn: 0,
        }));
        let start = |turn| {
            let work = Arc::clone(&work);
            spawn_blocking(move || answer_all(&work, turn, answer))
        };
        let mut thread = start(0);
        let mut begun = 0;
        while timeout(DEADLINE, &mut thread).await.is_err() {
            let mut work = locked(&work);
            if work.begun != begun {
                begun = work.begun;
                continue;
            }
            self.timeouts += 1;
            self.last = Some(Instant::now());
            work.turn += 1;
            if self.is_broken() || work.left.is_empty() {
                break;
            }
            thread = start(work.turn);
        }
        std::mem::take(&mut locked(&work).answers)
    }

    /// No read is begun any more, or not yet again.
    pub(super) fn is_broken(&self) -> bool {
        let rested = || self.last.is_none_or(|last| last.elapsed() >= REST);
        self.timeouts >= TIMEOUTS_EVER || (self.timeouts >= TIMEOUTS_ALLOWED && !rested())
    }
}

fn answer_all<Q, A, M: Default>(
    work: &Mutex<Work<Q, A>>,
    turn: u32,
    answer: fn(&mut M, &Q) -> Option<A>,
) {
    let mut memory = M::default();
    loop {
        let mut taken = locked(work);
        if taken.turn != turn {
            return;
        }
        let Some((at, question)) = taken.left.pop_front() else {
            return;
        };
        taken.begun += 1;
        drop(taken);
        let answered = answer(&mut memory, &question);
        let mut taken = locked(work);
        if taken.turn == turn {
            taken.answers[at] = answered;
        }
    }
}

/// A read that panicked left the work as it was before it.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(future: impl Future<Output = T>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let result = runtime.block_on(future);
        runtime.shutdown_background();
        result
    }

    fn after(_: &mut (), milliseconds: &u64) -> Option<u64> {
        std::thread::sleep(Duration::from_millis(*milliseconds));
        Some(*milliseconds)
    }

    #[test]
    fn three_reads_that_hang_are_the_last_ones() {
        let begun = Instant::now();
        run(async {
            let mut bounded = Bounded::default();
            assert_eq!(bounded.all(vec![1], after).await, [Some(1)]);
            for _ in 0..3 {
                assert_eq!(bounded.all(vec![60_000], after).await, [None]);
            }
            assert!(bounded.is_broken());
            assert_eq!(bounded.all(vec![1], after).await, [None]);
        });
        assert!(begun.elapsed() < Duration::from_secs(10));
    }

    #[test]
    fn one_read_that_hangs_costs_the_others_nothing_but_time() {
        run(async {
            let mut bounded = Bounded::default();
            let answers = bounded.all(vec![1, 60_000, 2, 3], after).await;
            assert_eq!(answers, [Some(1), None, Some(2), Some(3)]);
            assert!(!bounded.is_broken());
        });
    }

    #[test]
    fn many_quick_reads_may_take_longer_together_than_one_may() {
        run(async {
            let mut bounded = Bounded::default();
            let answers = bounded.all(vec![120; 8], after).await;
            assert_eq!(answers, [Some(120); 8]);
        });
    }

    #[test]
    fn a_read_that_comes_back_late_answers_nothing() {
        run(async {
            let mut bounded = Bounded::default();
            let answers = bounded.all(vec![1_400, 1_600, 1], after).await;
            assert_eq!(answers, [None, None, Some(1)]);
        });
    }
}
