//! debug
use pkgwarden::event::*;
use pkgwarden::kernel::*;
fn main() {
    let rt = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    rt.block_on(async {
        let e = |k, o| WatchEntry {
            key: k,
            operations: o,
        };
        let mut c = SensorConfig::default();
        if std::env::var("FB").is_ok() {
            c.hooks = HookPreference::Fallback;
        }
        c.watch.entries = vec![
            e(WatchKey::Component(b".ssh".to_vec()), Operations::all()),
            e(
                WatchKey::Component(b"tmp".to_vec()),
                Operations::METADATA | Operations::CREATE,
            ),
            e(
                WatchKey::BasenameSuffix(b".pth".to_vec()),
                Operations::all(),
            ),
        ];
        let t = std::time::Instant::now();
        let mut s = Sensor::start(&c).unwrap();
        println!("start {:?}", t.elapsed());
        for h in s.hooks() {
            println!(
                "HOOK {} {:?} {:?}",
                h.kind,
                h.chosen,
                h.refused
                    .iter()
                    .map(|r| r.1[r.1.len().saturating_sub(500)..].to_owned())
                    .collect::<Vec<_>>()
            );
        }
        for p in s.programs() {
            println!("{p:?}");
        }
        let mut args = std::env::args().skip(1);
        let mut child = std::process::Command::new(args.next().unwrap())
            .args(args)
            .spawn()
            .unwrap();
        println!("{:?}", s.watch(child.id()));
        let mut n = 0;
        loop {
            let r = tokio::time::timeout(std::time::Duration::from_millis(300), s.next()).await;
            match r {
                Ok(r) => {
                    for e in r.unwrap() {
                        n += 1;
                        if n < 400 {
                            println!("{}", serde_json::to_string(&e).unwrap());
                        }
                    }
                }
                Err(_) => {
                    if child.try_wait().unwrap().is_some() {
                        break;
                    }
                }
            }
        }
        let c = s.counters().unwrap();
        for (k, c) in c.kinds {
            println!("COUNT {k} {c:?}");
        }
        println!("{n} events {:?}", s.alive());
    });
}
