//! What the modes of files were when last seen: a rename does not tell, and a program made ready
//! under another name must not lose its executable bit on the way.

use std::collections::HashMap;

use crate::event::Text;

use super::act::{Act, Object};

/// How many files are remembered.
const REMEMBERED: usize = 4096;

/// Modes by path.
#[derive(Debug, Default)]
pub(super) struct Modes(HashMap<Text, u32>);

impl Modes {
    /// Remembers the mode of a file that was written or changed, and gives a renamed one its own.
    pub(super) fn see(&mut self, act: &mut Act<'_>) {
        let Object::File(file) = &mut act.object else {
            return;
        };
        if let Some(from) = file.from {
            // A rename is two acts; both have the mode.
            file.mode = self.0.get(&from.path).copied();
        }
        if let Some(mode) = file.mode.filter(|_| file.operation != "read") {
            if self.0.len() >= REMEMBERED {
                self.0.clear();
            }
            self.0.insert(file.place.path.clone(), mode);
        }
    }
}
