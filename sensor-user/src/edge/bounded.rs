//! Reads that watched code can make slow: on the blocking pool, with a deadline.
//!
//! A read that does not come back (a FUSE mount, a network file system) keeps its thread. So after
//! a few of them no further read is begun for the rest of the run: the sensor must not be stopped
//! by what it watches.

use std::time::Duration;

use tokio::task::spawn_blocking;
use tokio::time::timeout;

const DEADLINE: Duration = Duration::from_millis(100);
const TIMEOUTS_ALLOWED: u32 = 3;

/// Starts reads until too many have hung.
#[derive(Debug, Default)]
pub(super) struct Bounded {
    timeouts: u32,
}

impl Bounded {
    /// What `work` gives, if it gives it in time.
    pub(super) async fn read<T: Send + 'static>(
        &mut self,
        work: impl FnOnce() -> Option<T> + Send + 'static,
    ) -> Option<T> {
        if self.is_broken() {
            return None;
        }
        match timeout(DEADLINE, spawn_blocking(work)).await {
            Ok(finished) => finished.ok().flatten(),
            Err(_) => {
                self.timeouts += 1;
                None
            }
        }
    }

    /// No read is begun any more.
    pub(super) fn is_broken(&self) -> bool {
        self.timeouts >= TIMEOUTS_ALLOWED
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    #[test]
    fn three_reads_that_hang_are_the_last_ones() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        let begun = Instant::now();
        runtime.block_on(async {
            let mut bounded = Bounded::default();
            assert_eq!(bounded.read(|| Some(1)).await, Some(1));
            for _ in 0..3 {
                let hung = bounded.read(|| {
                    std::thread::sleep(Duration::from_secs(60));
                    Some(1)
                });
                assert_eq!(hung.await, None);
            }
            assert!(bounded.is_broken());
            assert_eq!(bounded.read(|| Some(1)).await, None);
        });
        runtime.shutdown_background();
        assert!(begun.elapsed() < Duration::from_secs(10));
    }
}
