//! Bounds on what watched code can make the sensor remember of command lines.
//!
//! A program's rules are asked with its whole command line when it starts. After that its head and
//! tail are enough; and when all programs together keep more than [`BUDGET`], very little of each
//! new one is kept.

use std::cell::Cell;
use std::rc::Rc;

use crate::event::Text;

/// Bytes of arguments that all known programs may keep together before new ones keep less. They are
/// kept twice, as they were and as rules see them, which may be three times as long.
const BUDGET: usize = 48 << 20;
/// What one program keeps, in bytes, while there is room,
const KEPT: usize = 16 << 10;
/// and when there is none.
const KEPT_WHEN_FULL: usize = 512;
/// What an argument costs beside its text.
const OVERHEAD: usize = 48;

/// The bytes that all images hold.
#[derive(Debug, Clone, Default)]
pub(super) struct Budget(Rc<Cell<usize>>);

impl Budget {
    /// How much a program may keep.
    pub(super) fn kept(&self) -> usize {
        if self.0.get() > BUDGET {
            KEPT_WHEN_FULL
        } else {
            KEPT
        }
    }

    /// Takes a share, until it is dropped.
    pub(super) fn take(&self, bytes: usize) -> Share {
        self.0.set(self.0.get() + bytes);
        Share {
            bytes,
            budget: self.clone(),
        }
    }
}

/// Part of the budget.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) bytes: usize,
    budget: Budget,
}

impl Share {
    /// Of the same budget.
    pub(super) fn another(&self, bytes: usize) -> Share {
        self.budget.take(bytes)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let total = &self.budget.0;
        total.set(total.get() - self.bytes);
    }
}

/// What arguments cost.
pub(super) fn cost(args: &[Text]) -> usize {
    args.iter().map(|arg| arg.as_bytes().len() + OVERHEAD).sum()
}

/// The head and the tail of arguments, about `most` bytes, with `…` where some are missing.
pub(super) fn head_and_tail(args: &[Text], most: usize) -> Vec<Text> {
    if cost(args) <= most {
        return args.to_vec();
    }
    let (mut kept, first) = head(args.iter(), most / 2, |bytes, length| &bytes[..length]);
    let (mut tail, _) = head(args[first..].iter().rev(), most / 2, |bytes, length| {
        &bytes[bytes.len() - length..]
    });
    kept.push("…".into());
    tail.reverse();
    kept.extend(tail);
    kept
}

/// As many arguments as fit, the next one cut; and how many were taken whole.
fn head<'a>(
    args: impl Iterator<Item = &'a Text>,
    most: usize,
    cut: impl Fn(&[u8], usize) -> &[u8],
) -> (Vec<Text>, usize) {
    let mut kept = Vec::new();
    let mut left = most;
    for (taken, arg) in args.enumerate() {
        let bytes = arg.as_bytes();
        if bytes.len() + OVERHEAD > left {
            let part = left.saturating_sub(OVERHEAD);
            if part > 0 {
                kept.push(Text::from(cut(bytes, part)));
            }
            return (kept, taken);
        }
        left -= bytes.len() + OVERHEAD;
        kept.push(arg.clone());
    }
    let taken = kept.len();
    (kept, taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_head_and_the_tail_of_a_padded_command_line_are_kept() {
        let mut args: Vec<Text> = vec!["sh".into(), "-c".into()];
        args.push(format!("begin{}end", "x".repeat(100_000)).into());
        args.push("last".into());
        let kept = head_and_tail(&args, 1000);
        assert!(cost(&kept) <= 1100);
        assert_eq!(kept[..2], args[..2]);
        assert!(kept[2].as_bytes().starts_with(b"begin"));
        assert!(kept[kept.len() - 2].as_bytes().ends_with(b"end"));
        assert_eq!(kept[kept.len() - 1], args[3]);
    }

    #[test]
    fn many_empty_arguments_are_cut_too() {
        let args = vec![Text::default(); 30_000];
        assert!(cost(&head_and_tail(&args, 1000)) <= 1100);
        assert_eq!(head_and_tail(&args[..3], 1000), args[..3]);
    }
}
