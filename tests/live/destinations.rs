//! Names of destinations, end to end: a package's script looks names up with real clients, from a real
//! server, in a network of the test's own.

use serde_json::Value;
use tests::{
    Alert, Background, NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, mounts, need,
    require,
};

const SERVER: &str = "45.33.32.156";
/// Nobody's name.
const BARE: &str = "45.33.32.157";
const CALLBACK: &str = "MaliciousLibraryC2Callback";

/// What a package's postinstall script does where `SERVER` is the resolver, or the one that is given.
fn install(postinstall: &str, resolver: &str, project: &[(&str, &str)]) -> Seen {
    let scratch = Scratch::new();
    let network = NetworkNamespace::with_addresses(&[SERVER, BARE]);
    let ready = scratch.tmp().join("ready");
    let mut serve = network.enter();
    let server = fixture::act("dns_server.py").display().to_string();
    serve.extend(["/usr/bin/python3".into(), server]);
    serve.extend([SERVER.into(), BARE.into(), ready.display().to_string()]);
    let server = Background::start(&scratch, serve);
    server.until("the server listens", || ready.exists());

    let archive = fixture::npm_archive_that_runs(&scratch, postinstall);
    for (name, content) in project {
        scratch.write(name, content);
    }
    let etc = scratch.tmp().join("etc");
    std::fs::create_dir(&etc).unwrap();
    for (name, content) in [
        ("resolv.conf", format!("nameserver {resolver}\n")),
        ("hosts", "127.0.0.1 localhost\n".to_owned()),
        ("nsswitch.conf", "hosts: files dns\n".to_owned()),
    ] {
        std::fs::write(etc.join(name), content).unwrap();
    }
    // Names of the test's machine stay out of it.
    let bind = ["resolv.conf", "hosts", "nsswitch.conf"].map(|name| {
        let from = etc.join(name);
        format!("mount --bind '{}' /etc/{name}", from.display())
    });
    let line = [
        "npm",
        "install",
        "--offline",
        "--no-audit",
        "--no-fund",
        &archive,
    ];
    Watched::run(&scratch, line)
        .min_level("low")
        .inside(mounts::private(&bind.join("\n")))
        .inside(network.enter())
        .finish()
}

fn leads_to(alert: &Alert, address: &str, port: u16) -> bool {
    let destination = alert.at("/destination");
    destination["ip"] == address && destination["port"] == port
}

fn connection(seen: &Seen, port: u16) -> &Value {
    let found = seen.connections(port);
    assert_eq!(found.len(), 1, "{port}: {seen:?}");
    found[0]
}

#[test]
fn a_callback_is_told_by_the_name_that_real_clients_looked_up() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm", "curl"])
    );
    let _turn = Turn::shared();
    let script = "\
        node -e 'require(\"net\").connect(4441, \"public.example\").on(\"error\", () => {})'; \
        python3 -c 'import socket\ntry: socket.create_connection((\"public.example\", 4442), 9)\n\
        except OSError: pass'; \
        curl -s -m 9 http://public.example:4443/ || true";
    let seen = install(script, SERVER, &[]);
    seen.ended_with(0).complete();
    for port in [4441, 4442, 4443] {
        let alert = seen.alert(CALLBACK, "high", "on a named address", |alert| {
            leads_to(alert, SERVER, port)
        });
        let destination = alert.at("/destination");
        assert_eq!(destination["domain"], "public.example", "{alert:?}");
        assert_eq!(destination["domain_source"], "dns", "{alert:?}");
        assert_eq!(destination["resolved"], "yes", "{alert:?}");
        let told = connection(&seen, port);
        assert_eq!(told["domain"], "public.example", "{seen:?}");
        assert_eq!(told["outcome"], "refused", "{seen:?}");
    }
}

#[test]
fn an_address_that_no_name_was_looked_up_for_is_told_as_that() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    let script = "node -e 'const net = require(\"net\"); \
        net.connect(80, \"public.example\").on(\"error\", \
        () => net.connect(443, \"45.33.32.157\").on(\"error\", () => {}))'";
    let seen = install(script, SERVER, &[]);
    seen.ended_with(0).complete();
    let title = "Package Script Connects To An Address It Never Looked Up";
    let bare = seen.alert(CALLBACK, "medium", "on a bare address", |alert| {
        leads_to(alert, BARE, 443)
    });
    assert_eq!(bare.text("/title"), title, "{bare:?}");
    assert_eq!(bare.text("/destination/resolved"), "no", "{bare:?}");
    let named = |alert: &Alert| alert.text("/title") == title && leads_to(alert, SERVER, 80);
    assert!(!seen.alerts.iter().any(named), "{seen:?}");
}

#[test]
fn a_resolver_that_the_script_makes_itself_gives_no_name() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    let script = fixture::act("own_resolver.py");
    let script = format!("python3 '{}' {SERVER} 4444", script.display());
    let seen = install(&script, "127.0.0.1", &[]);
    seen.ended_with(0);
    let alert = seen.alert(CALLBACK, "high", "on the callback", |alert| {
        leads_to(alert, SERVER, 4444)
    });
    assert!(alert.at("/destination/domain").is_null(), "{alert:?}");
    assert_ne!(alert.text("/destination/resolved"), "yes", "{alert:?}");
}

#[test]
fn a_registry_that_the_project_configures_stands_in_the_report() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    let npmrc = "registry=http://user:SECRET-VALUE@public.example:4873/\n";
    let seen = install("true", SERVER, &[(".npmrc", npmrc)]);
    seen.ended_with(0).complete();
    let registries = seen.report["registries"].as_array().unwrap();
    let ours = registries
        .iter()
        .find(|one| one["host"] == "public.example")
        .unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(ours["port"], 4873, "{seen:?}");
    let source = ours["source"].as_str().unwrap();
    assert!(
        source.starts_with("npmrc /") && source.ends_with("/.npmrc"),
        "{source}"
    );
    assert!(!format!("{:?}{:?}", seen.report, seen.capture.events).contains("SECRET-VALUE"));
}
