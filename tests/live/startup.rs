//! A `.pth` file with code in it, in a wheel: what it is made of is known when pip has ended.

use tests::{Scratch, Turn, Watched, fixture, need, require};

const RULE: &str = "persistence/python-startup-hook-with-code.yml";

/// Packs a wheel of `.pth` files that do nothing: what they would run is `pass`, and that only where there is a
/// file that there is not.
const PACK: &str = r#"import zipfile
condition = 'os.path.exists("/nonexistent")'
hooks = {
    "replica_init.pth": f'import os, base64; {condition} and exec(base64.b64decode("cGFzcw=="))\n',
    "__editable__.replica-1.0.0.pth": f'import os, subprocess; {condition} and subprocess.run(["true"])\n',
    "replica_cov.pth": f'import os; {condition} and exec("pass")\n',
    "replica-nspkg.pth": "import sys, types, os\n",
    "replica_paths.pth": "/srv/base64\n# import base64\n",
}
info = "replica-1.0.0.dist-info"
with zipfile.ZipFile("replica-1.0.0-py3-none-any.whl", "w") as wheel:
    for name, text in hooks.items():
        wheel.writestr(name, text)
    wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: replica\nVersion: 1.0.0\n")
    wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
    wheel.writestr(f"{info}/RECORD", "")
"#;

#[test]
fn code_in_a_wheels_hook_is_told_by_what_it_is_and_by_no_name() {
    need!(require::live(), require::python_build());
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let python = fixture::venv_with_pip(&scratch).join("bin/python");
    let python = python.to_str().unwrap();
    fixture::unwatched(&scratch, &scratch.project(), &[python, "-c", PACK]);
    let wheel = "./replica-1.0.0-py3-none-any.whl";
    let line = [python, "-m", "pip", "install", "--no-index", wheel];
    let seen = Watched::run(&scratch, line).finish();
    seen.ended_with(0).complete();

    let mut found: Vec<(&str, &str)> = seen
        .alerts
        .iter()
        .filter(|alert| alert.text("/rule/file") == RULE)
        .map(|alert| {
            assert_eq!(alert.text("/level"), "high", "{alert:?}");
            let path = alert.text("/file/path");
            let name = path.rsplit('/').next().unwrap();
            (name, alert.text("/evidence/fields/FileCode"))
        })
        .collect();
    found.sort_unstable();
    let expected = [
        ("__editable__.replica-1.0.0.pth", "|subprocess|"),
        ("replica_init.pth", "|exec|base64|b64decode|"),
    ];
    assert_eq!(found, expected, "{seen:?}");
    // Told before the writer's end, and in words of a list only.
    let told: Vec<_> = seen.capture.of("startup_file").collect();
    assert_eq!(told.len(), 3, "{seen:?}");
    assert!(
        told.iter()
            .all(|event| !event.to_string().contains("cGFzcw"))
    );
}
