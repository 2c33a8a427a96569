//! The wall clock against the clock that events carry.

use crate::edge::wall_offset;

/// Time services slew by less between two looks; the core is told of more.
const TOLD: i64 = 50_000_000;

/// The offset that the core was told last, in nanoseconds.
#[derive(Debug)]
pub(super) struct WallClock {
    told: i64,
}

impl WallClock {
    pub(super) fn new(told: i64) -> Self {
        Self { told }
    }

    /// The new offset, if the clock was set or has drifted.
    pub(super) fn moved(&mut self) -> Option<i64> {
        self.is_far(wall_offset())?;
        // Between the two readings of one look this process may have stood still.
        let now = self.is_far(wall_offset())?;
        self.told = now;
        Some(now)
    }

    fn is_far(&self, offset: i64) -> Option<i64> {
        ((offset - self.told).abs() > TOLD).then_some(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_clock_is_told_once() {
        let mut clock = WallClock::new(wall_offset() - 2_000_000_000);
        assert!(clock.moved().is_some());
        assert_eq!(clock.moved(), None);
    }
}
