//! Events through the pure core, in events a second.
//!
//! `PKGWARDEN_BENCH_CAPTURE` names a capture (`pkgwarden run --record FILE -- npm ci`); without it
//! the recordings of the shipped rules' tests are used, which are short and full of findings.

use std::fs;
use std::hint::black_box;
use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use pkgwarden::core::{Core, Settings, Trust};
use pkgwarden::detect::{RuleSet, Sources};
use pkgwarden::event::Event;
use pkgwarden::event::capture::Reader;

fn captures() -> Vec<Vec<u8>> {
    if let Some(capture) = std::env::var_os("PKGWARDEN_BENCH_CAPTURE") {
        return vec![fs::read(&capture).expect("the capture can be read")];
    }
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../rules/tests");
    let mut files: Vec<_> = fs::read_dir(tests)
        .expect("the rules' tests are there")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|end| end == "ndjson"))
        .collect();
    files.sort();
    let read = |path| fs::read(path).expect("a recording can be read");
    files.into_iter().map(read).collect()
}

fn events(capture: &[u8]) -> Vec<Event> {
    let reader = Reader::new(capture).expect("a capture");
    reader.map(|event| event.expect("an event")).collect()
}

fn core() -> Core {
    let sources = Sources {
        shipped: true,
        ..Sources::default()
    };
    Core::new(Settings {
        rules: RuleSet::load(&sources).expect("the shipped rules are sound"),
        trust: Trust::default(),
    })
}

fn replay(criterion: &mut Criterion) {
    let captures = captures();
    let decoded: Vec<Event> = captures.iter().flat_map(|bytes| events(bytes)).collect();
    let mut group = criterion.benchmark_group("replay");
    group.sample_size(20);
    group.throughput(Throughput::Elements(decoded.len() as u64));
    group.bench_function("read", |bencher| {
        bencher.iter(|| {
            for capture in &captures {
                for event in Reader::new(&capture[..]).expect("a capture") {
                    black_box(event.expect("an event"));
                }
            }
        });
    });
    group.bench_function("core", |bencher| {
        bencher.iter_batched_ref(
            core,
            |core| {
                for event in &decoded {
                    black_box(core.handle(event));
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.bench_function("both", |bencher| {
        bencher.iter_batched_ref(
            core,
            |core| {
                for capture in &captures {
                    for event in Reader::new(&capture[..]).expect("a capture") {
                        black_box(core.handle(&event.expect("an event")));
                    }
                }
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

criterion_group!(benches, replay);
criterion_main!(benches);
