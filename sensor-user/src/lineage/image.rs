//! A started program, and the chain of programs it descends from.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::event::redact;
use crate::event::{Exec, ProcessKey, Text};

use super::installer::{self, Interpreter, Invocation};
use super::memory::{self, Budget, Share};
use super::workers;

/// One program as it was started. Shared by every process that is a fork copy of it.
#[derive(Debug)]
#[expect(missing_docs, reason = "as in event::Exec")]
pub struct Image {
    pub executable: Text,
    /// The same, for matching.
    pub path: Rc<str>,
    /// What was asked for, as an absolute path, where it differs from the executable.
    pub script: Option<Rc<str>>,
    pub args: Vec<Text>,
    pub args_truncated: bool,
    /// `args` joined by spaces, for matching; see [`joined`].
    pub command_line: Rc<str>,
    pub working_directory: Text,
    /// The same, for matching.
    pub directory: Rc<str>,
    pub deleted: bool,
    pub memfd: bool,
    /// Whether somebody other than root can replace the executable. Absent when not known.
    pub directory_writable: Option<bool>,
    /// The package manager it is, if it is one.
    pub invocation: Option<Invocation>,
    pub interpreter: Option<Interpreter>,
    /// It is a CI worker, by its name.
    pub worker: bool,
    /// What makes it load code of somebody else's choice.
    pub loading: Loading,
    share: Share,
}

/// `./payload.sh` in /tmp must match a rule on /tmp.
fn asked_for(exec: &Exec) -> Option<Rc<str>> {
    let asked = exec.requested.to_str_lossy();
    let asked = match asked.strip_prefix("./").unwrap_or(&asked) {
        "" => return None,
        absolute if absolute.starts_with('/') => absolute.into(),
        relative => format!("{}/{relative}", exec.working_directory.to_str_lossy()),
    };
    (asked.as_bytes() != exec.executable.path.as_bytes()).then(|| asked.into())
}

/// A command line as rules see it. What a program is called is the caller's choice: under the name
/// `node /usr/bin/npm` any script would look like npm. So a blank in the first word is `\ `.
fn joined(words: &[&str]) -> Rc<str> {
    let Some((name, rest)) = words.split_first() else {
        return "".into();
    };
    let name = name.split(char::is_whitespace).collect::<Vec<_>>();
    let mut line = name.join("\\ ");
    for word in rest {
        line.push(' ');
        line.push_str(word);
    }
    line.into()
}

/// Whether a program is a package manager.
pub(crate) fn is_manager(exec: &Exec) -> bool {
    invocation(exec).is_some()
}

/// Whether what a program makes is a step of a CI job.
pub(crate) fn is_worker(exec: &Exec) -> bool {
    workers::owns(&exec.executable.path.to_str_lossy())
}

/// The package manager that a program is, if it is one.
pub(crate) fn invocation(exec: &Exec) -> Option<Invocation> {
    let args: Vec<_> = exec.args.iter().map(Text::to_str_lossy).collect();
    let words: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
    installer::recognise(&exec.executable.path.to_str_lossy(), &words)
}

/// The variables of `redact::LOADING` that a program was started with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loading {
    variables: BTreeMap<String, Text>,
    /// There may be more.
    uncertain: bool,
}

impl Loading {
    fn of(exec: &Exec) -> Self {
        let variables = exec.environment.iter();
        Self {
            variables: variables
                .filter(|(name, _)| redact::LOADING.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
            uncertain: exec.detail_lost || exec.environment_truncated,
        }
    }

    /// Something is set, or may be, that was not so when the watch began.
    pub fn differs_from(&self, first: &Loading) -> bool {
        self.uncertain
            || self
                .variables
                .iter()
                .any(|(name, value)| first.variables.get(name) != Some(value))
    }
}

impl Image {
    /// From what the kernel saw at exec.
    pub(super) fn new(exec: &Exec, budget: &Budget) -> Self {
        let path: Rc<str> = exec.executable.path.to_str_lossy().into();
        let args: Vec<_> = exec.args.iter().map(Text::to_str_lossy).collect();
        let words: Vec<&str> = args.iter().map(AsRef::as_ref).collect();
        let script = asked_for(exec);
        Self {
            invocation: installer::recognise(&path, &words),
            interpreter: installer::interpreter(installer::basename(&path)),
            worker: workers::owns(&path),
            command_line: joined(&words),
            script,
            executable: exec.executable.path.clone(),
            args: exec.args.clone(),
            args_truncated: exec.args_truncated,
            directory: exec.working_directory.to_str_lossy().into(),
            working_directory: exec.working_directory.clone(),
            deleted: exec.deleted,
            memfd: exec.memfd,
            directory_writable: (!exec.detail_lost)
                .then_some(exec.directory_owner != 0 || exec.directory_mode & 0o022 != 0),
            path,
            loading: Loading::of(exec),
            share: budget.take(memory::cost(&exec.args)),
        }
    }

    /// The same with less of its arguments; `None` when they are no longer than that.
    pub(super) fn shortened(&self, most: usize) -> Option<Self> {
        if self.share.bytes <= most {
            return None;
        }
        let args = memory::head_and_tail(&self.args, most);
        let words: Vec<_> = args.iter().map(Text::to_str_lossy).collect();
        let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
        Some(Self {
            command_line: joined(&words),
            args_truncated: true,
            share: self.share.another(memory::cost(&args)),
            args,
            executable: self.executable.clone(),
            path: Rc::clone(&self.path),
            script: self.script.clone(),
            loading: self.loading.clone(),
            working_directory: self.working_directory.clone(),
            directory: Rc::clone(&self.directory),
            invocation: self.invocation.clone(),
            ..*self
        })
    }
}

/// A process in a chain of ancestors, as it was when its child was made.
///
/// The chain is immutable and shared; it needs no table of dead processes. Its length is bounded
/// ([`DEEPEST`]), so that neither a process that forks itself forward for ever nor dropping its
/// chain costs more than a fixed amount.
#[derive(Debug)]
pub struct Node {
    /// Which process.
    pub key: ProcessKey,
    /// What it ran; absent when no exec of it or of an ancestor was seen.
    pub image: Option<Rc<Image>>,
    /// It started `image` itself; otherwise it is a fork copy of one that did.
    pub started: bool,
    /// What the process was before its last exec, or the process that made it.
    pub above: Option<Rc<Node>>,
    depth: u16,
    /// How many earlier programs of the same process stand directly above.
    earlier: u8,
}

/// How many of the nearest ancestors alerts and rules see; the root of the lineage follows.
pub const NEAREST: usize = 64;
const DEEPEST: u16 = 2 * NEAREST as u16;
/// Programs that one process ran before its present one. More would let it push its ancestors out.
const EARLIER: u8 = 3;

impl Node {
    /// A process without known ancestors.
    pub fn root(key: ProcessKey, image: Option<Rc<Image>>) -> Rc<Self> {
        let started = image.is_some();
        Rc::new(Self {
            key,
            image,
            started,
            above: None,
            depth: 0,
            earlier: 0,
        })
    }

    /// What fork makes.
    pub fn fork(self: &Rc<Self>, child: ProcessKey) -> Rc<Self> {
        Rc::new(
            Self {
                key: child,
                image: self.image.clone(),
                started: false,
                depth: self.depth + 1,
                above: Some(Rc::clone(self)),
                earlier: 0,
            }
            .shortened(),
        )
    }

    /// What exec makes of it. A program the process had started itself stays visible above: `sh -c`
    /// often becomes its command, and the shell's command line must not vanish with it.
    pub fn exec(self: &Rc<Self>, image: Rc<Image>) -> Rc<Self> {
        let (above, earlier) = if self.started {
            (Some(self.without_oldest()), (self.earlier + 1).min(EARLIER))
        } else {
            (self.above.clone(), 0)
        };
        Rc::new(
            Self {
                key: self.key,
                image: Some(image),
                started: true,
                depth: above.as_ref().map_or(0, |node| node.depth + 1),
                above,
                earlier,
            }
            .shortened(),
        )
    }

    /// The chain above, nearest first, without end.
    pub fn above(&self) -> impl Iterator<Item = &Rc<Node>> {
        std::iter::successors(self.above.as_ref(), |node| node.above.as_ref())
    }

    /// The nearest ancestors that ran a program of their own, and the root.
    pub fn ancestors(&self) -> Vec<&Rc<Node>> {
        let mut all: Vec<_> = self.above().collect();
        if all.len() > NEAREST {
            let root = all[all.len() - 1];
            all.truncate(NEAREST);
            all.push(root);
        }
        all
    }

    /// The process that made this one.
    pub fn parent(&self) -> Option<&Rc<Node>> {
        self.above().find(|node| node.key != self.key)
    }

    /// The same process and place with another image.
    pub(super) fn with_image(&self, image: Rc<Image>) -> Rc<Self> {
        Rc::new(Self {
            image: Some(image),
            above: self.above.clone(),
            ..*self
        })
    }

    fn with_above(&self, above: Option<Rc<Node>>) -> Self {
        Self {
            key: self.key,
            image: self.image.clone(),
            started: self.started,
            depth: above.as_ref().map_or(0, |node| node.depth + 1),
            above,
            earlier: self.earlier,
        }
    }

    /// Itself, less the oldest of the process's earlier programs once there are too many.
    fn without_oldest(self: &Rc<Self>) -> Rc<Self> {
        if self.earlier < EARLIER {
            return Rc::clone(self);
        }
        let kept: Vec<_> = std::iter::once(self)
            .chain(self.above())
            .take(usize::from(EARLIER))
            .collect();
        let oldest = kept[kept.len() - 1].above.as_ref();
        rebuild(&kept, oldest.and_then(|node| node.above.clone()))
    }

    fn shortened(self) -> Self {
        if self.depth < DEEPEST {
            return self;
        }
        let all: Vec<_> = self.above().collect();
        let root = all[all.len() - 1];
        let end = Rc::new(root.with_above(None));
        let above = rebuild(&all[..NEAREST], Some(end));
        self.with_above(Some(above))
    }
}

/// `nodes`, nearest first, standing on `end`.
fn rebuild(nodes: &[&Rc<Node>], end: Option<Rc<Node>>) -> Rc<Node> {
    let (last, rest) = nodes
        .split_last()
        .expect("a chain that is rebuilt has at least one node");
    rest.iter()
        .rev()
        .fold(Rc::new(last.with_above(end)), |above, node| {
            Rc::new(node.with_above(Some(above)))
        })
}

#[cfg(test)]
mod tests {
    use super::joined;

    #[test]
    fn a_program_can_not_be_called_a_command_line() {
        let called = joined(&["node /usr/bin/npm", "steal.js", "a b"]);
        assert_eq!(&*called, r"node\ /usr/bin/npm steal.js a b");
        assert_eq!(&*joined(&["sh", "-c", "a b"]), "sh -c a b");
        assert_eq!(&*joined(&[]), "");
    }
}
