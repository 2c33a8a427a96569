//! Every read of what watched code can influence: its /proc folder, its files, its cgroup.
//!
//! The core is pure, so what it needs to know beyond the kernel's events is fetched here and handed
//! in as events of its own, which a capture keeps. Watched code is hostile: it may plant a FIFO, a
//! link to the host's files, a FUSE mount, or be gone and its pid taken over. Therefore: openat2
//! inside the process's own root, regular files only, a size limit, a deadline, and after three
//! reads that hung none any more.

mod bounded;
pub mod container;
mod host;
mod manifest;
mod parent;
mod process;
mod resolver;
mod scan;
mod startup;

pub use host::{boottime, host, users, wall_offset};
pub use process::Held;
pub use scan::{Look, executable_name};

use std::os::fd::OwnedFd;

use bounded::Bounded;
use manifest::{Asked, Wanted};
use parent::Last;
use process::Views;

use crate::event::{Body, Event, Manifest, Place, ProcessKey, Resolver, Text};

/// Whether files of other users' processes can be read at all: a sandbox may refuse a call, silently.
pub fn works() -> Result<(), String> {
    process::probe().map_err(|(what, error)| {
        format!(
            "files of watched processes can't be read ({what}: {}): many packages will have no name",
            error.desc()
        )
    })
}

/// Adds to a run's events what only the edge can know.
#[derive(Debug, Default)]
pub struct Edge {
    reads: Bounded,
    manifests: manifest::Seen,
    resolvers: resolver::Seen,
    cgroups: container::Known,
    startup: startup::Files,
}

impl Edge {
    /// The same events in the same order, argument paths resolved. What is known of an event's
    /// container stands before it, so that it holds for an alert on the event itself; what is known
    /// of its package stands behind it, since the process begins with it.
    pub async fn enrich(&mut self, events: Vec<Event>) -> Vec<Event> {
        let mut events = self.answered(events).await;
        let now = boottime();
        let due = self.startup.due(&events, now);
        // From the last one on, so that the places of those before stay as they are.
        for (at, body) in self.read_startup(due).await.into_iter().rev() {
            let time = events
                .get(at)
                .or(events.last())
                .map_or(now, |event| event.time);
            events.insert(at, own(time, body));
        }
        events
    }

    /// What is held to be read when its writer has ended, at the end of the watch.
    pub async fn rest(&mut self) -> Vec<Event> {
        let due = self.startup.rest();
        let told = self.read_startup(due).await;
        let now = boottime();
        told.into_iter().map(|(_, body)| own(now, body)).collect()
    }

    async fn read_startup(&mut self, due: Vec<startup::Due>) -> Vec<(usize, Body)> {
        let files = due.iter().map(startup::Due::file).collect();
        let read = |(): &mut (), file: &std::sync::Arc<_>| startup::words(file);
        let found = self.reads.all(files, read).await;
        self.startup.read(due, found)
    }

    async fn answered(&mut self, mut events: Vec<Event>) -> Vec<Event> {
        let mut questions = Vec::new();
        let mut known = Vec::new();
        for (at, event) in events.iter_mut().enumerate() {
            self.ask(at, event, &mut questions, &mut known);
        }
        if questions.is_empty() && known.is_empty() {
            return events;
        }
        let about: Vec<usize> = questions.iter().map(|(at, _)| *at).collect();
        let answers = self
            .reads
            .all(questions, |views, (_, question)| question.answer(views));
        let mut answers = about.into_iter().zip(answers.await).peekable();
        let mut known = known.into_iter().peekable();

        let mut out = Vec::with_capacity(events.len() + answers.len());
        for (at, mut event) in events.into_iter().enumerate() {
            let mut places = parent::unresolved(&mut event.body).into_iter();
            let mut before = None;
            let known = known.next_if(|(of, _)| *of == at);
            let mut behind: Vec<Body> = known.into_iter().map(|(_, body)| body).collect();
            while let Some((_, answer)) = answers.next_if(|(of, _)| *of == at) {
                match answer {
                    Some(Answer::Place(real)) => {
                        if let (Some((place, _)), Some(real)) = (places.next(), real) {
                            place.path = real;
                        }
                    }
                    Some(Answer::Container(body)) => before = Some(body),
                    Some(Answer::Manifest(about, manifest)) => {
                        self.manifests.keep(&manifest);
                        behind.push(Body::Metadata { about, manifest });
                    }
                    Some(Answer::Startup(wanted, file)) => {
                        self.startup.keep(*wanted, file, boottime());
                    }
                    Some(Answer::Resolver(about, resolver)) => {
                        behind.push(Body::Resolver { about, resolver });
                    }
                    None => {}
                }
            }
            drop(places);
            out.extend(before.map(|body| beside(&event, body)));
            let at = out.len();
            out.push(event);
            for body in behind {
                let beside = beside(&out[at], body);
                out.push(beside);
            }
        }
        out
    }

    /// What is to be read for an event, and what is known without.
    fn ask(
        &mut self,
        at: usize,
        event: &mut Event,
        questions: &mut Vec<(usize, Question)>,
        known: &mut Vec<(usize, Body)>,
    ) {
        let Some(actor) = event.body.actor().copied() else {
            return;
        };
        for (place, last) in parent::unresolved(&mut event.body) {
            questions.push((at, Question::Place(actor.process, place.clone(), last)));
        }
        if self.cgroups.is_new(&actor) {
            questions.push((at, Question::Container(actor.cgroup, actor.process)));
        }
        match self.manifests.asked(event) {
            Some(Asked::Known(about, manifest)) => {
                known.push((at, Body::Metadata { about, manifest }));
            }
            Some(Asked::Read(wanted)) => questions.push((at, Question::Manifest(wanted))),
            None => {}
        }
        if let Some(wanted) = self.resolvers.asked(event) {
            questions.push((at, Question::Resolver(Box::new(wanted))));
        }
        if let Some(wanted) = startup::asked(event) {
            questions.push((at, Question::Startup(Box::new(wanted))));
        }
    }

    /// What a process runs that ran before the watch began; `None` if it has ended, or won't be read.
    pub async fn look(&mut self, process: ProcessKey, parent_pid: u32) -> Option<Look> {
        let look = |(): &mut (), &(process, parent_pid): &_| scan::look(process, parent_pid);
        let answers = self.reads.all(vec![(process, parent_pid)], look);
        answers.await.pop().flatten()
    }

    /// Hostile reads have hung so often that there are none any more.
    pub fn is_broken(&self) -> bool {
        self.reads.is_broken()
    }
}

/// One thing to be read.
#[derive(Debug)]
enum Question {
    Place(ProcessKey, Place, Last),
    /// Of a cgroup, and a process in it.
    Container(u64, ProcessKey),
    Manifest(Wanted),
    Resolver(Box<resolver::Wanted>),
    Startup(Box<startup::Wanted>),
}

#[derive(Debug)]
enum Answer {
    /// `None` where it could not be resolved.
    Place(Option<Text>),
    Container(Body),
    Manifest(ProcessKey, Manifest),
    Resolver(ProcessKey, Box<Resolver>),
    Startup(Box<startup::Wanted>, OwnedFd),
}

impl Question {
    /// May block: for the bounded pool only.
    fn answer(&self, views: &mut Views) -> Option<Answer> {
        match self {
            Question::Place(process, place, last) => {
                let view = views.of(*process);
                let real = view.and_then(|view| parent::resolved(view, place, *last));
                Some(Answer::Place(real))
            }
            Question::Container(cgroup, process) => {
                let named = container::look_up(*cgroup, *process)?;
                Some(Answer::Container(Body::Container {
                    cgroup: *cgroup,
                    id: named.id,
                    runtime: named.runtime.to_owned(),
                    name: None,
                    image: None,
                }))
            }
            Question::Manifest(wanted) => {
                let manifest = wanted.read(views)?;
                Some(Answer::Manifest(wanted.about(), manifest))
            }
            Question::Resolver(wanted) => {
                let resolver = Box::new(wanted.read(views)?);
                Some(Answer::Resolver(wanted.about(), resolver))
            }
            Question::Startup(wanted) => {
                let file = wanted.hold(views)?;
                Some(Answer::Startup(wanted.clone(), file))
            }
        }
    }
}

/// A record of our own at the time of the event it belongs to.
fn beside(event: &Event, body: Body) -> Event {
    Event {
        cpu: event.cpu,
        ..own(event.time, body)
    }
}

fn own(time: u64, body: Body) -> Event {
    Event {
        time,
        cpu: 0,
        sequence: 0,
        body,
    }
}
