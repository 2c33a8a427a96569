//! Registries that an install is configured for: a real pip and a real npm fetch from a stand-in on a
//! private address and an odd port. The manager may; a package's script may not.

use std::fs;
use std::path::{Path, PathBuf};

use tests::{
    Background, NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, mounts, need, require,
};

const ADDRESS: &str = "10.0.0.7";
/// The same machine, by an address that looks public.
const PUBLIC: &str = "45.33.32.156";
const PORT: u16 = 4444;
const CALLBACK: &str = "MaliciousLibraryC2Callback";

/// A stand-in that serves what is in `folder` at every address of the network.
fn serve(scratch: &Scratch, network: &NetworkNamespace, folder: &Path) -> Background {
    let ready = scratch.tmp().join("ready");
    let script = format!(
        "import functools, http.server, pathlib\n\
         handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory='{}')\n\
         server = http.server.ThreadingHTTPServer(('0.0.0.0', {PORT}), handler)\n\
         pathlib.Path('{}').touch()\n\
         server.serve_forever()\n",
        folder.display(),
        ready.display()
    );
    let mut line = network.enter();
    line.extend(["/usr/bin/python3".into(), "-c".into(), script]);
    let server = Background::start(scratch, line);
    server.until("the stand-in listens", || ready.exists());
    server
}

/// An install with this machine's names left out of it.
fn watched(scratch: &Scratch, network: &NetworkNamespace, command: &[&str]) -> Seen {
    let etc = scratch.tmp().join("resolv.conf");
    fs::write(&etc, format!("nameserver {ADDRESS}\n")).unwrap();
    let bind = format!("mount --bind '{}' /etc/resolv.conf", etc.display());
    let seen = Watched::run(scratch, command)
        .min_level("low")
        .inside(mounts::private(&bind))
        .inside(network.enter())
        .finish();
    seen.ended_with(0).complete();
    let fetched = seen.connections(PORT);
    assert!(
        fetched.iter().any(|one| one["outcome"] == "connected"),
        "nothing was fetched\n{seen:?}"
    );
    seen
}

/// An index with one package, by address: `simple/` as PEP 503 has it.
fn index(scratch: &Scratch, setup: &str) -> PathBuf {
    let source = scratch.tmp().join("stand-in-fixture");
    fs::create_dir(&source).unwrap();
    fs::write(
        source.join("setup.py"),
        format!(
            "{setup}\nimport setuptools\nsetuptools.setup(name='stand-in-fixture', version='1.0')\n"
        ),
    )
    .unwrap();
    let folder = scratch.tmp().join("index");
    let files = folder.join("simple/stand-in-fixture");
    fs::create_dir_all(&files).unwrap();
    fixture::build_sdist(scratch, &source, &files);
    folder
}

fn pip_install(setup: &str, address: &str, configure: impl Fn(&Scratch, &str)) -> Seen {
    let scratch = Scratch::new();
    let folder = index(&scratch, setup);
    let network = NetworkNamespace::with_addresses(&[ADDRESS, PUBLIC]);
    let _server = serve(&scratch, &network, &folder);
    let url = format!("http://{address}:{PORT}/simple");
    configure(&scratch, &url);
    let pip = fixture::venv_with_pip(&scratch).join("bin/pip");
    let line = [
        pip.to_str().unwrap(),
        "install",
        "--no-build-isolation",
        "--no-cache-dir",
        "--disable-pip-version-check",
        "--trusted-host",
        address,
        "-r",
        "requirements.txt",
    ];
    watched(&scratch, &network, &line)
}

fn by_requirements(scratch: &Scratch, url: &str) {
    scratch.write(
        "requirements.txt",
        format!("--index-url {url}\nstand-in-fixture\n"),
    );
}

fn by_user(scratch: &Scratch, url: &str) {
    scratch.write("requirements.txt", "stand-in-fixture\n");
    let folder = scratch.home().join(".config/pip");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("pip.conf"),
        format!("[global]\nindex-url = {url}\n"),
    )
    .unwrap();
}

fn by_environment(scratch: &Scratch, url: &str) {
    scratch.write("requirements.txt", "stand-in-fixture\n");
    let folder = scratch.project().join(".venv");
    fs::create_dir_all(&folder).unwrap();
    fs::write(
        folder.join("pip.conf"),
        format!("[install]\nindex-url = {url}\n"),
    )
    .unwrap();
}

/// The registries of the report: host, port and source.
fn configured(seen: &Seen) -> Vec<(String, u64, String)> {
    let registries = seen.report["registries"].as_array().cloned();
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let registries = registries.unwrap_or_default();
    let told = |one: &serde_json::Value| {
        (
            text(&one["host"]),
            one["port"].as_u64().unwrap_or(0),
            text(&one["source"]),
        )
    };
    registries.iter().map(told).collect()
}

#[test]
fn pip_may_fetch_from_the_index_that_it_is_configured_for() {
    need!(
        require::live(),
        require::python_build(),
        require::programs(&["ip", "nsenter"])
    );
    let _turn = Turn::shared();
    type Configure = fn(&Scratch, &str);
    let ways: [(Configure, &str); 3] = [
        (by_requirements, "requirements /"),
        (by_user, "pip.conf /"),
        (by_environment, "pip.conf /"),
    ];
    for (configure, source) in ways {
        for address in [ADDRESS, PUBLIC] {
            let seen = pip_install("", address, configure);
            seen.quiet();
            let told = configured(&seen);
            assert!(
                told.iter().any(|(host, port, from)| host == address
                    && *port == u64::from(PORT)
                    && from.starts_with(source)),
                "{told:?}"
            );
        }
    }
}

#[test]
fn a_packages_script_may_not_reach_the_same_index_at_its_odd_port() {
    need!(
        require::live(),
        require::python_build(),
        require::programs(&["ip", "nsenter"])
    );
    let _turn = Turn::shared();
    let setup = format!("import socket\nsocket.create_connection(('{PUBLIC}', {PORT}), 9).close()");
    let seen = pip_install(&setup, PUBLIC, by_requirements);
    let alert = seen.alert(CALLBACK, "high", "on the script", |alert| {
        alert.at("/destination")["ip"] == PUBLIC && alert.at("/destination")["port"] == PORT
    });
    assert_eq!(alert.text("/package/name"), "stand-in-fixture", "{alert:?}");
    // pip spoke to no other host.
    assert_eq!(alert.text("/package/registry"), PUBLIC, "{alert:?}");
    assert_eq!(
        alert.text("/package/registry_source"),
        "connection",
        "{alert:?}"
    );
}

/// npm asks a registry for a document of the package, which names the archive's address.
fn npm_install(postinstall: &str, address: &str, configure: impl Fn(&Scratch, &str)) -> Seen {
    let scratch = Scratch::new();
    let archive = fixture::npm_archive_that_runs(&scratch, postinstall);
    let archive = scratch.project().join(archive);
    let folder = scratch.tmp().join("registry");
    fs::create_dir(&folder).unwrap();
    fs::rename(&archive, folder.join("archive.tgz")).unwrap();
    let document = serde_json::json!({
        "name": "hostile-fixture",
        "dist-tags": {"latest": "6.6.6"},
        "versions": {"6.6.6": {
            "name": "hostile-fixture",
            "version": "6.6.6",
            "scripts": {"postinstall": postinstall},
            "hasInstallScript": true,
            "dist": {"tarball": format!("http://{address}:{PORT}/archive.tgz")},
        }},
    });
    fs::write(folder.join("hostile-fixture"), document.to_string()).unwrap();
    let network = NetworkNamespace::with_addresses(&[ADDRESS, PUBLIC]);
    let _server = serve(&scratch, &network, &folder);
    configure(&scratch, &format!("http://{address}:{PORT}/"));
    let line = [
        "npm",
        "install",
        "--no-audit",
        "--no-fund",
        "hostile-fixture",
    ];
    watched(&scratch, &network, &line)
}

fn by_npmrc(scratch: &Scratch, url: &str) {
    scratch.write(".npmrc", format!("registry={url}\n"));
}

#[test]
fn npm_may_fetch_from_its_registry_and_a_packages_script_may_not() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    for address in [ADDRESS, PUBLIC] {
        let seen = npm_install("true", address, by_npmrc);
        seen.quiet();
        let package = &seen.report["packages"][0]["package"];
        assert_eq!(package["registry"], address, "{package}");
        assert_eq!(package["registry_source"], "manager", "{package}");
    }
    let script = format!("node -e 'require(\"net\").connect({PORT}, \"{PUBLIC}\").end()'");
    let seen = npm_install(&script, PUBLIC, by_npmrc);
    seen.alert(CALLBACK, "high", "on the script", |alert| {
        alert.at("/destination")["ip"] == PUBLIC && alert.at("/destination")["port"] == PORT
    });
}
