//! Who waits for connections: a package's script must not, a server of the user's may.

use tests::{NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, need, require};

const CALLBACK: &str = "MaliciousLibraryC2Callback";
const SCRIPT: &str = "Package Script Listens On A Port";
const SHELL: &str = "Shell Listens On A Port";

/// Binds, listens, and is done.
const SERVER: &str = "import socket; socket.create_server((\"0.0.0.0\", 4444)).close()";

/// A command in a network of its own.
fn watched(scratch: &Scratch, command: &[&str]) -> Seen {
    let network = NetworkNamespace::with_addresses(&[]);
    let seen = Watched::run(scratch, command)
        .min_level("low")
        .inside(network.enter())
        .finish();
    seen.ended_with(0).complete();
    assert!(
        seen.capture.of("listen").next().is_some(),
        "nobody listened\n{seen:?}"
    );
    seen
}

/// npm installs a package whose postinstall is that.
fn install(postinstall: &str) -> Seen {
    let scratch = Scratch::new();
    let archive = fixture::npm_archive_that_runs(&scratch, postinstall);
    let line = ["npm", "install", "--offline", "--no-audit", "--no-fund"];
    watched(&scratch, &[&line[..], &[&archive]].concat())
}

#[test]
fn an_interpreter_of_a_packages_script_that_listens_is_told_with_the_package() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm", "python3"])
    );
    let _turn = Turn::shared();
    let node = "node -e 'require(\"net\").createServer().listen(4444, \
                function () { this.close() })'";
    for (script, address) in [
        (format!("python3 -c '{SERVER}'"), "0.0.0.0"),
        (node.to_owned(), "::"),
    ] {
        let seen = install(&script);
        let alert = seen.alert(CALLBACK, "medium", "on the listener", |alert| {
            alert.text("/title") == SCRIPT
        });
        assert_eq!(alert.text("/package/name"), "hostile-fixture", "{alert:?}");
        assert_eq!(alert.text("/evidence/event"), "listen", "{alert:?}");
        assert_eq!(alert.text("/destination/ip"), address, "{alert:?}");
        assert_eq!(alert.at("/destination/port"), 4444, "{alert:?}");
        assert_eq!(
            alert.text("/evidence/fields/Initiated"),
            "false",
            "{alert:?}"
        );
        assert!(
            alert.text("/summary").contains("listened on"),
            "{}",
            alert.text("/summary")
        );
    }
}

#[test]
fn a_shell_that_is_bound_to_a_port_is_high() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm", "busybox"])
    );
    let _turn = Turn::shared();
    let seen = install("busybox nc -lp 4444 -e /bin/sh & sleep 0.5; kill $!");
    let alert = seen.alert(CALLBACK, "high", "on the shell", |alert| {
        alert.text("/title") == SHELL
    });
    assert_eq!(alert.text("/package/name"), "hostile-fixture", "{alert:?}");
    assert_eq!(alert.at("/destination/port"), 4444, "{alert:?}");
}

#[test]
fn servers_of_the_user_and_of_the_project_being_installed_raise_nothing() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm", "python3"])
    );
    let _turn = Turn::shared();
    let scratch = Scratch::new();
    let manifest = format!(
        r#"{{"name": "app", "version": "1.0.0", "private": true, "scripts": {{"dev": "node server.js", "postinstall": {}}}}}"#,
        serde_json::to_string(&format!("python3 -c '{SERVER}'")).unwrap()
    );
    scratch.write("package.json", manifest);
    // As a development server does it: a library of the project's is what listens.
    scratch.write(
        "node_modules/devserver/package.json",
        r#"{"name": "devserver", "version": "1.0.0"}"#,
    );
    scratch.write(
        "node_modules/devserver/index.js",
        "const server = require('net').createServer().listen(5173, () => server.close())",
    );
    scratch.write("server.js", "require('devserver')");
    let python = ["/usr/bin/python3", "-c", SERVER];
    let commands: [&[&str]; 4] = [
        &python,
        &["node", "server.js"],
        &["npm", "run", "dev"],
        // What it runs is the user's own.
        &["npm", "install", "--offline", "--no-audit", "--no-fund"],
    ];
    for command in commands {
        watched(&scratch, command).quiet();
    }
}
