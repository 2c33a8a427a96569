//! Acts on files: what was opened, made, renamed, linked or removed, and under which names it is asked about.

use std::borrow::Cow;

use nix::errno::Errno;

use super::{Act, Object, inside, lossy};
use crate::alert::schema::EventWord;
use crate::attribution::own_file;
use crate::core::moment::Moment;
use crate::detect::{Category, Field, Subject, Value};
use crate::event::{Open, Operations, Place, UringOperation};

/// What was done to a file.
#[derive(Debug, Clone)]
pub(in crate::core) struct FileAct<'e> {
    pub(in crate::core) place: &'e Place,
    /// The name it had before, of a rename.
    pub(in crate::core) from: Option<&'e Place>,
    /// As rules see it: create, write, chmod, rename, unlink, read, …
    pub(in crate::core) operation: &'static str,
    pub(in crate::core) mode: Option<u32>,
    pub(in crate::core) flags: Option<u32>,
    /// 0, an errno, or unknown.
    pub(in crate::core) errno: Option<i32>,
    /// What the code in it is made of, where it was read for that.
    pub(in crate::core) code: Option<&'e [String]>,
}

/// An act of one category.
pub(super) fn file<'e>(category: Category, word: EventWord, file: FileAct<'e>) -> Act<'e> {
    Act {
        category,
        word,
        object: Object::File(file),
    }
}

/// A file that a bind mount shows elsewhere is asked about under both paths.
pub(super) fn opened(open: &Open) -> Vec<Act<'_>> {
    let mut acts = opened_as(open, &open.place);
    if let Some(source) = &open.place.source {
        acts.extend(opened_as(open, source));
    }
    acts
}

/// A file under its new name.
pub(super) fn named<'e>(from: &'e Place, to: &'e Place, operation: &'static str) -> FileAct<'e> {
    FileAct {
        from: Some(from),
        errno: Some(0),
        ..FileAct::new(to, operation)
    }
}

/// The same under its old one.
pub(super) fn source<'e>(word: EventWord, from: &'e Place, operation: &'static str) -> Act<'e> {
    let act = FileAct {
        errno: Some(0),
        ..FileAct::new(from, operation)
    };
    file(Category::FileAccess, word, act)
}

fn opened_as<'e>(open: &'e Open, place: &'e Place) -> Vec<Act<'e>> {
    let act = |operation| FileAct {
        mode: (open.mode != 0).then_some(open.mode),
        flags: Some(open.flags),
        errno: Some(open.errno),
        ..FileAct::new(place, operation)
    };
    let mut acts = Vec::new();
    let (operations, worked) = (open.operations, open.errno == 0);
    let created = operations.contains(Operations::CREATE);
    // A write that failed left nothing behind. A read that failed tells what was looked for.
    if worked && operations.intersects(Operations::WRITE | Operations::CREATE) {
        let (word, operation) = match created {
            true => (EventWord::Create, "create"),
            false => (EventWord::Write, "write"),
        };
        acts.push(file(Category::FileEvent, word, act(operation)));
    }
    if operations.contains(Operations::READ) && !(worked && created) {
        acts.push(file(Category::FileAccess, EventWord::Open, act("read")));
    }
    acts
}

/// What was read of a file that was written: only for rules that ask for it.
pub(super) fn read<'e>(place: &'e Place, code: &'e [String]) -> Act<'e> {
    let act = FileAct {
        errno: Some(0),
        code: Some(code),
        ..FileAct::new(place, "write")
    };
    file(Category::FileEvent, EventWord::Write, act)
}

/// What is known of an io_uring request is its path, not how it ended nor, for an open, what for.
pub(super) fn uring(operation: UringOperation, place: &Place) -> Vec<Act<'_>> {
    let act =
        |category, operation| file(category, EventWord::IoUring, FileAct::new(place, operation));
    match operation {
        UringOperation::Open => vec![
            act(Category::FileEvent, "open"),
            act(Category::FileAccess, "read"),
        ],
        UringOperation::Rename => vec![act(Category::FileEvent, "rename")],
        UringOperation::Link => vec![act(Category::FileEvent, "link")],
        UringOperation::Symlink => vec![act(Category::FileEvent, "symlink")],
        UringOperation::Unlink => vec![act(Category::FileDelete, "unlink")],
        UringOperation::Connect | UringOperation::Send | UringOperation::Socket => Vec::new(),
    }
}

impl<'e> FileAct<'e> {
    pub(super) fn new(place: &'e Place, operation: &'static str) -> Self {
        Self {
            place,
            from: None,
            operation,
            mode: None,
            flags: None,
            errno: None,
            code: None,
        }
    }

    /// `success`, the errno's name, or `unknown`.
    pub(in crate::core) fn outcome(&self) -> Cow<'static, str> {
        match self.errno {
            None => "unknown".into(),
            Some(0) => "success".into(),
            // What every search for a file ends with, many times.
            Some(errno) if errno == Errno::ENOENT as i32 => "ENOENT".into(),
            Some(errno) => match Errno::from_raw(errno) {
                Errno::UnknownErrno => format!("errno {errno}").into(),
                known => format!("{known:?}").into(),
            },
        }
    }

    /// Permission bits in octal.
    pub(in crate::core) fn octal_mode(&self) -> Option<String> {
        self.mode.map(|mode| Value::Mode(mode).text().into_owned())
    }
}

impl FileAct<'_> {
    pub(super) fn fill(&self, subject: &mut Subject, category: Category, moment: &Moment<'_>) {
        let path = lossy(&self.place.path);
        inside(subject, &[&path], moment);
        if Field::PackageFile.is_in(category) {
            subject.set(Field::PackageFile, own(&path, moment).map(Value::Word));
        }
        match category {
            Category::FileAccess => {
                subject.set(Field::TargetImage, moment.target.clone());
                subject.set(Field::FileName, Some(path));
                let outcome = self.errno.map(|_| self.outcome());
                subject.set(Field::AccessOutcome, outcome);
            }
            Category::FileRename => {
                let from = self.from.map(|place| lossy(&place.path));
                subject.set(Field::SourceFilename, from);
                subject.set(Field::TargetFilename, Some(path));
            }
            Category::FileEvent => {
                subject.set(Field::TargetFilename, Some(path));
                subject.set(Field::FileOperation, Some(Value::Word(self.operation)));
                subject.set(Field::FileMode, self.mode.map(Value::Mode));
                let executable = self.mode.map(|mode| is_file(mode) && mode & 0o111 != 0);
                subject.set(Field::FileExecutable, executable);
                let code = self.code.map(|words| format!("|{}|", words.join("|")));
                subject.set(Field::FileCode, code);
            }
            _ => subject.set(Field::TargetFilename, Some(path)),
        }
    }
}

/// What it is to the package that acts.
fn own(path: &str, moment: &Moment<'_>) -> Option<&'static str> {
    let package = moment.process.context.package.as_ref()?;
    own_file(&package.borrow(), &moment.process.node, path)
}

/// chmod(2) gives permission bits only.
fn is_file(mode: u32) -> bool {
    const TYPE: u32 = 0o170_000;
    const REGULAR: u32 = 0o100_000;
    matches!(mode & TYPE, 0 | REGULAR)
}
