use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::super::Edge;
use super::*;
use crate::event::{Open, ProcessKey, Text};

const CODE: &str = "import base64\n";

/// Some python's folder, in which this process writes.
struct Site {
    folder: tempfile::TempDir,
    edge: Edge,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("site-packages")).unwrap();
        Self {
            folder,
            edge: Edge::default(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        let folder = self.folder.path().canonicalize().unwrap();
        folder.join("site-packages").join(name)
    }

    /// What is told after these acts.
    fn after(&mut self, acts: &[Body]) -> Vec<String> {
        let events = acts.iter().map(event).collect();
        told(run(self.edge.enrich(events)))
    }

    fn rest(&mut self) -> Vec<String> {
        told(run(self.edge.rest()))
    }
}

fn told(events: Vec<Event>) -> Vec<String> {
    let words = |event: &Event| match &event.body {
        Body::StartupFile { code, .. } => Some(code.join(" ")),
        _ => None,
    };
    events.iter().filter_map(words).collect()
}

fn event(body: &Body) -> Event {
    Event {
        time: crate::edge::boottime(),
        cpu: 0,
        sequence: 1,
        body: body.clone(),
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap();
    runtime.block_on(future)
}

fn actor() -> Actor {
    let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
    let process = ProcessKey {
        pid: std::process::id(),
        start: stat.starttime * (1_000_000_000 / procfs::ticks_per_second()),
    };
    Actor {
        process,
        tid: process.pid,
        uid: 0,
        cgroup: 0,
        root: process,
    }
}

fn place(path: &Path) -> Place {
    Place {
        path: Text::from(path.to_str().unwrap()),
        ..Place::default()
    }
}

fn opened(path: &Path, inode: u64) -> Body {
    let open = Open {
        place: place(path),
        operations: Operations::WRITE | Operations::CREATE,
        inode,
        ..Open::default()
    };
    Body::Open {
        actor: actor(),
        open: Box::new(open),
    }
}

fn exit() -> Body {
    Body::Exit {
        actor: actor(),
        status: 0,
    }
}

#[test]
fn a_hook_is_read_when_its_writer_has_ended_and_told_before_the_end() {
    let mut site = Site::new();
    let path = site.path("x.pth");
    fs::write(&path, "").unwrap();
    let inode = fs::metadata(&path).unwrap().ino();
    assert!(site.after(&[opened(&path, inode)]).is_empty());
    fs::write(&path, CODE).unwrap();
    let events = run(site.edge.enrich(vec![event(&exit())]));
    assert!(
        matches!(events[0].body, Body::StartupFile { .. }),
        "{events:?}"
    );
    assert!(matches!(events[1].body, Body::Exit { .. }));
    assert_eq!(events[0].time, events[1].time);
    assert!(site.rest().is_empty(), "the same is told once");
}

#[test]
fn what_a_child_adds_after_the_writers_end_is_told_too() {
    let mut site = Site::new();
    let path = site.path("x.pth");
    fs::write(&path, "/srv\n").unwrap();
    assert!(site.after(&[opened(&path, 0), exit()]).is_empty());
    fs::write(&path, CODE).unwrap();
    assert_eq!(site.rest(), ["base64"]);
    assert!(site.rest().is_empty());
}

#[test]
fn another_name_after_the_writing_hides_nothing() {
    let mut site = Site::new();
    let path = site.path("x.pth");
    fs::write(&path, CODE).unwrap();
    assert!(site.after(&[opened(&path, 0)]).is_empty());
    fs::rename(&path, site.path("elsewhere")).unwrap();
    fs::write(&path, "/srv\n").unwrap();
    assert_eq!(site.after(&[exit()]), ["base64"]);
}

#[test]
fn a_file_that_gets_the_name_of_a_hook_is_one() {
    let mut site = Site::new();
    let path = site.path("x.pth");
    fs::write(&path, CODE).unwrap();
    let rename = Body::Rename {
        actor: actor(),
        from: place(&site.path("x.tmp")),
        to: place(&path),
        errno: 0,
    };
    assert_eq!(site.after(&[rename, exit()]), ["base64"]);
}

#[test]
fn a_fifo_is_not_waited_for_and_another_file_is_not_taken_for_the_one() {
    let mut site = Site::new();
    let (fifo, swapped) = (site.path("fifo.pth"), site.path("swapped.pth"));
    mkfifo(&fifo, Mode::S_IRWXU).unwrap();
    fs::write(&swapped, CODE).unwrap();
    let other = fs::metadata(&fifo).unwrap().ino();
    let acts = [opened(&fifo, 0), opened(&swapped, other), exit()];
    let overlay = fstatfs(fs::File::open(&swapped).unwrap())
        .is_ok_and(|system| system.filesystem_type() == OVERLAYFS_SUPER_MAGIC);
    match overlay {
        true => assert_eq!(site.after(&acts).len(), 1),
        false => assert!(site.after(&acts).is_empty()),
    }
}

#[test]
fn what_python_does_not_look_for_is_not_read() {
    let mut site = Site::new();
    fs::create_dir(site.path("below")).unwrap();
    let (below, other) = (site.path("below/x.pth"), site.path("x.py"));
    for path in [&below, &other] {
        fs::write(path, CODE).unwrap();
    }
    let acts = [opened(&below, 0), opened(&other, 0), exit()];
    assert!(site.after(&acts).is_empty());
}

#[test]
fn more_files_than_are_held_are_read_all_the_same() {
    let mut site = Site::new();
    let mut acts = Vec::new();
    for number in 0..HELD + 8 {
        let path = site.path(&format!("{number}.pth"));
        fs::write(&path, CODE).unwrap();
        acts.push(opened(&path, 0));
    }
    assert_eq!(site.after(&acts).len(), 8);
    assert_eq!(site.edge.startup.held.len(), HELD);
    assert_eq!(site.rest().len(), HELD);
}

#[test]
fn more_than_is_read_is_told() {
    let mut site = Site::new();
    let path = site.path("x.pth");
    let blank = "\n".repeat(usize::try_from(SIZE_LIMIT).unwrap());
    fs::write(&path, blank + CODE).unwrap();
    assert_eq!(site.after(&[opened(&path, 0), exit()]), ["unread"]);
}
