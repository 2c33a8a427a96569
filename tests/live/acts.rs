//! Ways to exec, open, rename, connect and send that a naive hook misses.

use serde_json::Value;
use tests::{Scratch, Seen, Turn, Watched, fixture, need, require};

const ACT: &str = env!("CARGO_BIN_EXE_act");

/// Runs a command under the rules that watch `*.numbered`.
pub(super) fn watch(scratch: &Scratch, command: &[&str], options: &str) -> Seen {
    let rules = fixture::folder("rules/numbered");
    let run = Watched::run(scratch, command).options([
        "--no-default-rules".as_ref(),
        "--rules".as_ref(),
        rules.as_os_str(),
    ]);
    let run = run.min_level("informational");
    let run = if options.is_empty() {
        run
    } else {
        run.tuning(options)
    };
    let seen = run.finish();
    seen.ended_with(0);
    seen
}

/// Runs three numbered acts of one kind.
fn act(scratch: &Scratch, kind: &str, options: &str) -> Seen {
    let folder = scratch.tmp();
    watch(
        scratch,
        &[ACT, kind, "3", "in", folder.to_str().unwrap()],
        options,
    )
}

/// The one event of a kind about this path.
pub(super) fn one<'a>(seen: &'a Seen, kind: &str, path: &str) -> &'a Value {
    let found: Vec<_> = seen.capture.paths(kind, path).collect();
    let [event] = found.as_slice() else {
        panic!("{} {kind} events on {path}\n{seen:?}", found.len());
    };
    event
}

#[test]
fn a_file_reached_through_symlinks_is_reported_where_it_lies() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "symlinked", "");
    let path = scratch.tmp().join("real/in-000002.numbered");
    let event = one(&seen, "open", path.to_str().unwrap());
    assert_eq!(event["open"]["observed"], "kernel");
    seen.complete();
}

/// Whoever has a user namespace can show a file under any name; the rules ask about both.
#[test]
fn a_file_shown_under_an_innocent_name_by_a_bind_mount_is_reported_as_both() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let hidden = scratch.write("tmp/secret.numbered", "");
    let shown = scratch.write("tmp/innocent", "");
    let (hidden, shown) = (hidden.to_str().unwrap(), shown.to_str().unwrap());
    let script = "mount --bind \"$1\" \"$2\" && cat \"$2\"";
    let command = ["unshare", "-Urm", "sh", "-c", script, "sh", hidden, shown];
    let seen = watch(&scratch, &command, "");
    let event = one(&seen, "open", shown);
    assert_eq!(event["open"]["source"]["path"], hidden);
    seen.complete();
}

#[test]
fn a_store_read_through_a_new_link_or_name_is_reported_by_the_one_it_had() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let store = scratch.write("tmp/secret.numbered", "");
    let folder = scratch.project().join("tmp");
    let script = "cd \"$1\" && ln secret.numbered a && ln -s ./secret.numbered b && cat a b && \
                  mv secret.numbered c && cat c";
    let seen = watch(
        &scratch,
        &["sh", "-c", script, "sh", folder.to_str().unwrap()],
        "",
    );
    let links: Vec<_> = seen.capture.of("link").collect();
    let [hard, soft] = links.as_slice() else {
        panic!("not two links: {links:?}");
    };
    for (link, name, symbolic) in [(hard, "a", false), (soft, "b", true)] {
        assert_eq!(link["from"]["path"], store.to_str().unwrap());
        assert_eq!(link["to"]["path"], folder.join(name).to_str().unwrap());
        assert_eq!(link["symbolic"], symbolic);
    }
    one(&seen, "rename", store.to_str().unwrap());
    // The link and the rename by the store's old name, and the read through the symbolic link.
    let path = store.to_str().unwrap();
    let asked = seen
        .alerts
        .iter()
        .filter(|alert| alert.text("/file/path") == path);
    assert_eq!(asked.count(), 3, "{seen:?}");
    seen.complete();
}

#[test]
fn a_file_sixty_folders_deep_keeps_its_whole_path() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "deep", "");
    let mut path = scratch.tmp();
    path.extend((0..60).map(|level| format!("level-{level:02}")));
    let event = one(
        &seen,
        "open",
        path.join("in-000003.numbered").to_str().unwrap(),
    );
    assert_eq!(event["open"]["truncated"], Value::Null, "{event}");
    seen.complete();
}

#[test]
fn an_open_relative_to_a_folder_descriptor_has_its_whole_path() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "dirfd", "");
    let path = scratch.tmp().join("in-000001.numbered");
    one(&seen, "open", path.to_str().unwrap());
    seen.complete();
}

#[test]
fn openat2_is_seen() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("openat2.py");
    let folder = scratch.tmp();
    let seen = watch(
        &scratch,
        &[
            "/usr/bin/python3",
            script.to_str().unwrap(),
            folder.to_str().unwrap(),
            "made.numbered",
        ],
        "",
    );
    one(
        &seen,
        "open",
        folder.join("made.numbered").to_str().unwrap(),
    );
    seen.complete();
}

#[test]
fn an_open_that_fails_is_an_event_with_its_errno() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "failed-open", "");
    let path = scratch.tmp().join("in-000002.missing.numbered");
    let event = one(&seen, "open", path.to_str().unwrap());
    assert_eq!(event["open"]["errno"], 2);
    assert_eq!(event["open"]["observed"], "argument");
    seen.complete();
}

#[test]
fn an_exec_that_fails_is_an_event_with_its_errno() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "failed-exec", "");
    let path = scratch.tmp().join("no-such-program-in-000002");
    let event = one(&seen, "exec_failed", path.to_str().unwrap());
    assert_eq!(event["errno"], 2);
    seen.complete();
}

#[test]
fn a_rename_relative_to_folder_descriptors_has_both_whole_paths() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "dirfd-rename", "");
    let path = scratch.tmp().join("in-000002.after.numbered");
    let event = one(&seen, "rename", path.to_str().unwrap());
    let from = scratch.tmp().join("in-000002.before.numbered");
    assert_eq!(event["from"]["path"], from.to_str().unwrap());
    assert_eq!(event["errno"], 0);
    seen.complete();
}

#[test]
fn a_chmod_to_executable_is_an_event_with_its_mode() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "chmod", "");
    let path = scratch.tmp().join("in-000001.numbered");
    let event = one(&seen, "chmod", path.to_str().unwrap());
    assert_eq!(event["mode"].as_u64().unwrap() & 0o7777, 0o755, "{event}");
    seen.complete();
}

#[test]
fn a_program_that_lives_in_memory_only_is_marked_so() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "memfd", "");
    let execs: Vec<_> = seen.capture.execs_with("exec-in-000003").collect();
    assert_eq!(execs.len(), 1, "{seen:?}");
    assert_eq!(execs[0]["exec"]["memfd"], true, "{}", execs[0]);
    seen.complete();
}

#[test]
fn a_datagram_without_a_connect_is_an_event() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let seen = act(&scratch, "udp", "");
    let sends: Vec<_> = seen
        .capture
        .of("send")
        .filter(|event| event["socket"]["ip"] == "127.10.0.2")
        .collect();
    assert_eq!(sends.len(), 1, "{seen:?}");
    assert_eq!(sends[0]["socket"]["port"], 9);
    assert_eq!(sends[0]["socket"]["transport"], "udp");
    seen.complete();
}

#[test]
fn an_open_through_io_uring_is_seen_as_what_it_is() {
    need!(require::live());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let script = fixture::act("io_uring.py");
    let path = scratch.tmp().join("made.numbered");
    let rules = fixture::folder("rules/numbered");
    let seen = Watched::run(
        &scratch,
        [
            "/usr/bin/python3",
            script.to_str().unwrap(),
            path.to_str().unwrap(),
        ],
    )
    .options([
        "--no-default-rules".as_ref(),
        "--rules".as_ref(),
        rules.as_os_str(),
    ])
    .finish();
    if seen.code() == 77 {
        return require::skip(&format!("no io_uring here: {}", seen.stderr.trim()));
    }
    seen.ended_with(0).sums();
    assert!(
        seen.capture
            .of("io_uring")
            .any(|event| event["operation"] == "open"),
        "{seen:?}"
    );
    // What such a request does later can't be told for sure, and the session says so.
    let degraded = seen.report["completeness"]["degraded"].to_string();
    assert!(degraded.contains("io_uring"), "{seen:?}");
    assert!(
        seen.health
            .iter()
            .any(|health| health["code"] == "io_uring_used"),
        "{seen:?}"
    );
}

#[test]
fn the_fallback_hooks_see_the_same_acts() {
    need!(require::live());
    let _turn = Turn::shared();
    for kind in [
        "exec",
        "open",
        "connect",
        "rename",
        "chmod",
        "udp",
        "failed-open",
        "failed-exec",
    ] {
        let best = act(&Scratch::new(), kind, "");
        let fallback = act(&Scratch::new(), kind, "hooks=fallback");
        fallback.complete();
        let event = match kind {
            "failed-open" => "open",
            "failed-exec" => "exec_failed",
            "udp" => "send",
            other => other,
        };
        let count = |seen: &Seen| seen.capture.of(event).count();
        assert!(count(&best) >= 3, "{kind}\n{best:?}");
        assert_eq!(
            count(&best),
            count(&fallback),
            "{kind}\n{best:?}\n{fallback:?}"
        );
    }
}
