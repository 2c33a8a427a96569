//! The fields that every event of a process has. Built once for each state of a process, since one
//! process causes many events.

use std::rc::Rc;

use foldhash::HashMap;

use crate::alert::schema::Container;
use crate::detect::{Category, Field, ProcessFields, Subject};
use crate::lineage::Node;

use super::moment::{Clock, Moment};

/// How much of an ancestor's command line stands in `AncestorCommandLines`.
const ANCESTOR_BYTES: usize = 4096;
/// How many states of processes are kept, and how many bytes of ancestors.
const KEPT: usize = 1024;
const KEPT_BYTES: usize = 32 << 20;

/// The fields of processes, by the stamp of the process.
#[derive(Debug, Default)]
pub(super) struct Subjects {
    kept: HashMap<u64, Kept>,
    bytes: usize,
}

/// The fields of a process, and what they were made from besides it.
#[derive(Debug)]
struct Kept {
    fields: Rc<ProcessFields>,
    uid: u32,
    user: Option<Rc<str>>,
    container: Option<Rc<Container>>,
}

impl Kept {
    fn is_of(&self, moment: &Moment<'_>) -> bool {
        let same = |a: &Option<Rc<Container>>, b: &Option<Rc<Container>>| match (a, b) {
            (Some(a), Some(b)) => Rc::ptr_eq(a, b),
            (a, b) => a.is_none() && b.is_none(),
        };
        self.uid == moment.actor.uid
            && self.user == moment.user
            && same(&self.container, &moment.container)
    }
}

impl Subjects {
    /// Something changed that no stamp tells.
    pub(super) fn forget(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// The fields that do not depend on the act.
    pub(super) fn of(&mut self, moment: &Moment<'_>, clock: Clock<'_>) -> Subject {
        let stamp = moment.process.stamp;
        let fields = match self.kept.get(&stamp).filter(|kept| kept.is_of(moment)) {
            Some(kept) => Rc::clone(&kept.fields),
            None => {
                let (fields, bytes) = build(moment, clock);
                let fields = Rc::new(fields);
                if self.kept.len() >= KEPT || self.bytes + bytes > KEPT_BYTES {
                    self.forget();
                }
                self.bytes += bytes;
                self.kept.insert(
                    stamp,
                    Kept {
                        fields: Rc::clone(&fields),
                        uid: moment.actor.uid,
                        user: moment.user.clone(),
                        container: moment.container.clone(),
                    },
                );
                fields
            }
        };
        // The category is the act's to set.
        Subject::of(Category::ProcessCreation, fields)
    }
}

fn build(moment: &Moment<'_>, clock: Clock<'_>) -> (ProcessFields, usize) {
    let process = moment.process;
    let mut subject = ProcessFields::default();
    let mut set = |field, value: Option<Rc<str>>| subject.set(field, value);
    set(Field::User, moment.user.clone());
    if let Some(container) = &moment.container {
        set(Field::ContainerId, Some(container.id.as_str().into()));
        let image = container.image.as_deref();
        set(Field::ContainerImage, image.map(Into::into));
    }
    let context = &process.context;
    let computer = clock.start.host.name.as_str();
    let session = clock.entity_id(moment.session());
    set(Field::SessionId, Some(session.into()));
    set(
        Field::Computer,
        (!computer.is_empty()).then(|| computer.into()),
    );
    set(Field::Scope, context.scope().map(Into::into));
    if let Some(install) = &context.install {
        set(Field::Installer, Some(Rc::clone(&install.installer)));
        set(Field::InstallCommand, Some(Rc::clone(&install.command)));
    }
    if let Some(ci) = &context.ci {
        set(Field::CiSystem, Some(Rc::clone(&ci.system)));
        set(Field::CiRepository, ci.repository.clone());
        set(Field::CiWorkflow, ci.workflow.clone());
        set(Field::CiJob, ci.job.clone());
    }
    if let Some(package) = &context.package {
        let package = package.borrow();
        set(Field::PackageType, Some(package.ecosystem.name().into()));
        set(Field::PackageName, package.name.clone());
        set(Field::PackageVersion, package.version.clone());
        set(Field::LifecycleEvent, package.lifecycle.clone());
        set(Field::LifecycleScript, package.script.clone());
        let registry = package.registry.as_ref();
        set(
            Field::PackageRegistry,
            registry.map(|(host, _)| Rc::clone(host)),
        );
        set(Field::PackageResembles, package.resembles().map(Into::into));
        let is_root = package.is_root;
        subject.set(Field::PackageIsRoot, Some(is_root));
    }
    if let Some(image) = process.image() {
        subject.set(Field::Image, Some(Rc::clone(&image.path)));
        subject.set(Field::CommandLine, Some(Rc::clone(&image.command_line)));
        subject.set(Field::CurrentDirectory, Some(Rc::clone(&image.directory)));
        subject.set(Field::Script, image.script.clone());
        subject.set(Field::CommandLineTruncated, Some(image.args_truncated));
        subject.set(Field::ImageIsMemfd, Some(image.memfd));
        subject.set(Field::ImageDeleted, Some(image.deleted));
        subject.set(Field::ImageDirWritable, image.directory_writable);
        // Set only where it is so: exemptions ask whether it exists.
        let first = process.context.loading.as_deref();
        let injected = first.is_some_and(|first| image.loading.differs_from(first));
        subject.set(Field::ImageInjected, injected.then_some(true));
    }
    subject.set(Field::Uid, Some(moment.actor.uid));
    subject.set(Field::ProcessId, Some(process.node.key.pid));
    let ancestors = process.node.ancestors();
    let mut bytes = 0;
    if let Some(parent) = ancestors.first() {
        subject.set(Field::ParentProcessId, Some(parent.key.pid));
        let image = parent.image.as_ref();
        let path = image.map(|image| Rc::clone(&image.path));
        let command_line = image.map(|image| Rc::clone(&image.command_line));
        subject.set(Field::ParentImage, path);
        subject.set(Field::ParentCommandLine, command_line);
        let images = joined(&ancestors, |node| &node.image.as_ref().expect(SEEN).path);
        let lines = joined(&ancestors, |node| {
            let line = &node.image.as_ref().expect(SEEN).command_line;
            &line[..line.floor_char_boundary(ANCESTOR_BYTES)]
        });
        bytes = images.len() + lines.len();
        subject.set(Field::AncestorImages, Some(images));
        subject.set(Field::AncestorCommandLines, Some(lines));
    }
    (subject, bytes)
}

const SEEN: &str = "only ancestors with an image are joined";

/// `|nearest|next|…|`, a `|` inside as `\|`.
fn joined<'n>(ancestors: &[&'n Rc<Node>], text: impl Fn(&'n Node) -> &'n str) -> String {
    let mut out = String::from("|");
    for node in ancestors.iter().filter(|node| node.image.is_some()) {
        let text = text(node);
        if text.contains('|') {
            out.push_str(&text.replace('|', "\\|"));
        } else {
            out.push_str(text);
        }
        out.push('|');
    }
    out
}
