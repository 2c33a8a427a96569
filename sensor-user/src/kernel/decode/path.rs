//! Paths: leaf first on the wire, root first in events.

use sensor_ebpf::abi::path::TRUNCATED;

use crate::event::{Observed, Place, Text};

/// The variable tail of a record.
pub(super) struct Sections<'a>(pub(super) &'a [u8]);

impl<'a> Sections<'a> {
    pub(super) fn take(&mut self, length: u32) -> Option<&'a [u8]> {
        let (section, rest) = self.0.split_at_checked((length & !TRUNCATED) as usize)?;
        self.0 = rest;
        Some(section)
    }

    pub(super) fn kernel_place(&mut self, length: u32) -> Option<Place> {
        let truncated = length & TRUNCATED != 0;
        let path = turn(self.take(length)?, truncated);
        Some(Place {
            path,
            truncated,
            ..Place::default()
        })
    }

    /// An object's own path, or where there is an argument, that.
    pub(super) fn place(&mut self, argument: u32, path: u32) -> Option<Place> {
        if argument == 0 {
            self.take(0)?;
            return self.kernel_place(path);
        }
        self.argument_place(argument, path)
    }

    pub(super) fn argument_place(&mut self, argument: u32, base: u32) -> Option<Place> {
        let bytes = self.take(argument)?;
        let mut place = argument_place(bytes, self.kernel_place(base)?);
        place.truncated |= argument & TRUNCATED != 0;
        Some(place)
    }
}

/// An argument on its base. Only what can't change the meaning is tidied: `.` and double slashes.
pub(super) fn argument_place(argument: &[u8], base: Place) -> Place {
    let mut path = Vec::new();
    if argument.first() != Some(&b'/') {
        path.extend(base.path.as_bytes());
    }
    for component in argument.split(|&b| b == b'/') {
        if !component.is_empty() && component != b"." {
            if path.last() != Some(&b'/') {
                path.push(b'/');
            }
            path.extend(component);
        }
    }
    if path.is_empty() {
        path.push(b'/');
    }
    Place {
        path: path.into(),
        observed: Observed::Argument,
        argument: Some(argument.into()),
        truncated: base.truncated,
        source: None,
    }
}

/// A symbolic link's target is relative to the folder that the link lies in.
pub(super) fn link_target(target: Place, link: &Place) -> Place {
    let Some(argument) = &target.argument else {
        return target;
    };
    let name = link.path.basename().len();
    let folder = &link.path.as_bytes()[..link.path.as_bytes().len() - name];
    let base = Place {
        path: folder.strip_suffix(b"/").unwrap_or(folder).into(),
        ..Place::default()
    };
    let truncated = target.truncated || link.truncated;
    Place {
        truncated,
        ..argument_place(argument.as_bytes(), base)
    }
}

/// Leaf first with NULs, to root first with slashes.
pub(super) fn turn(leaf_first: &[u8], truncated: bool) -> Text {
    let components = leaf_first.strip_suffix(b"\0").unwrap_or(leaf_first);
    if components.is_empty() {
        return if truncated {
            Text::default()
        } else {
            "/".into()
        };
    }
    let mut path = Vec::with_capacity(leaf_first.len() + 1);
    for component in components.rsplit(|&b| b == 0) {
        if !path.is_empty() || !truncated {
            path.push(b'/');
        }
        path.extend(component);
    }
    path.into()
}
