//! Names by whatever resolves them: the resolvers of containers and of hosts, either family, TCP, aliases.

use tests::{
    Alert, Background, NetworkNamespace, Scratch, Seen, Turn, Watched, fixture, mounts, need,
    require,
};

const V4: &str = "45.33.32.156";
const V6: &str = "2600:3c01::f03c:91ff:fe18:bb2f";
/// Nobody's name.
const BARE: &str = "45.33.32.157";
const CALLBACK: &str = "MaliciousLibraryC2Callback";

/// How names are resolved.
struct Resolving<'r> {
    server: &'r str,
    /// What the server says that `public.example` is.
    public: &'r str,
    options: &'r str,
    /// Where an AF_UNIX socket is that answers nothing.
    socket: Option<&'r str>,
}

impl Resolving<'_> {
    fn by(server: &str) -> Resolving<'_> {
        Resolving {
            server,
            public: V4,
            options: "",
            socket: None,
        }
    }

    /// A package's script, in a network of the test's own.
    fn script(&self, postinstall: &str) -> Seen {
        let scratch = Scratch::new();
        let network = NetworkNamespace::with_addresses(&[V4, BARE, V6]);
        let ready = scratch.tmp().join("ready");
        let other = if self.server.contains(':') {
            "::1"
        } else {
            "127.0.0.99"
        };
        let serve = fixture::act("dns_server.py").display().to_string();
        let mut line = network.enter();
        line.extend(["/usr/bin/python3".into(), serve, self.server.into()]);
        line.extend([
            other.into(),
            ready.display().to_string(),
            self.public.into(),
        ]);
        let server = Background::start(&scratch, line);
        server.until("the server listens", || ready.exists());

        let etc = scratch.tmp().join("etc");
        std::fs::create_dir(&etc).unwrap();
        let resolv = format!("nameserver {}\n{}\n", self.server, self.options);
        for (name, content) in [
            ("resolv.conf", resolv.as_str()),
            ("hosts", "127.0.0.1 localhost\n"),
            ("nsswitch.conf", "hosts: files dns\n"),
        ] {
            std::fs::write(etc.join(name), content).unwrap();
        }
        let bind = ["resolv.conf", "hosts", "nsswitch.conf"].map(|name| {
            let from = etc.join(name);
            format!("mount --bind '{}' /etc/{name}", from.display())
        });
        let mut script = bind.join("\n");
        if let Some(path) = self.socket {
            // Bound where it is connected to, since that is what a peer is named by.
            let folder = std::path::Path::new(path).parent().unwrap().display();
            let serve = fixture::act("mute_socket.py");
            script.push_str(&format!(
                "\nmount -t tmpfs tmpfs /run\nmkdir -p {folder}\n\
                 /usr/bin/python3 '{}' {path} &\n\
                 until [ -S {path} ]; do sleep 0.05; done",
                serve.display()
            ));
        }

        let archive = fixture::npm_archive_that_runs(&scratch, postinstall);
        let line = [
            "npm",
            "install",
            "--offline",
            "--no-audit",
            "--no-fund",
            &archive,
        ];
        let seen = Watched::run(&scratch, line)
            .min_level("low")
            .inside(mounts::private(&script))
            .inside(network.enter())
            .finish();
        seen.ended_with(0).complete();
        seen
    }
}

/// A client that looks the name up and connects to what it is told.
fn client(name: &str, port: u16) -> String {
    format!(
        "python3 -c 'import socket\ntry: socket.create_connection((\"{name}\", {port}), 3)\n\
         except OSError: pass'"
    )
}

fn told(resolving: &Resolving<'_>) {
    let seen = resolving.script(&client("public.example", 4444));
    let alert = seen.alert(CALLBACK, "high", "on a named address", |alert| {
        leads_to(alert, resolving.public, 4444)
    });
    let destination = alert.at("/destination");
    assert_eq!(destination["domain"], "public.example", "{alert:?}");
    assert_eq!(destination["domain_source"], "dns", "{alert:?}");
    assert_eq!(destination["resolved"], "yes", "{alert:?}");
}

fn leads_to(alert: &Alert, address: &str, port: u16) -> bool {
    let destination = alert.at("/destination");
    destination["ip"] == address && destination["port"] == port
}

/// docker's embedded resolver, and the stub of systemd-resolved.
#[test]
fn resolvers_on_loopback_addresses_tell_names() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    for server in ["127.0.0.11", "127.0.0.53"] {
        told(&Resolving::by(server));
    }
}

#[test]
fn a_name_of_an_ipv6_address_is_told_by_a_server_of_either_family() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    for server in [V6, V4] {
        told(&Resolving {
            public: V6,
            ..Resolving::by(server)
        });
    }
}

#[test]
fn answers_over_tcp_tell_names() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    told(&Resolving {
        options: "options use-vc",
        ..Resolving::by(V4)
    });
}

#[test]
fn an_address_behind_an_alias_has_the_name_that_was_asked_for() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    let seen = Resolving::by(V4).script(&client("alias.example", 4444));
    let to = seen.connections(4444);
    let v4 = to.iter().find(|one| one["ip"] == "198.18.0.7");
    let v4 = v4.unwrap_or_else(|| panic!("{seen:?}"));
    assert_eq!(v4["domain"], "alias.example", "{v4}");
}

/// What one of these may have told is not seen, so that no address is known to have no name.
#[test]
fn with_a_service_that_caches_names_no_address_is_unresolved() {
    need!(
        require::live(),
        require::programs(&["ip", "nsenter", "npm"])
    );
    let _turn = Turn::shared();
    let script = format!("{}; {}", client("public.example", 80), client(BARE, 4444));
    for (socket, resolved) in [(None, "no"), (Some("/run/nscd/socket"), "unknown")] {
        let resolving = Resolving {
            socket,
            ..Resolving::by(V4)
        };
        let seen = resolving.script(&script);
        let alert = seen.alert(CALLBACK, "high", "on a bare address", |alert| {
            leads_to(alert, BARE, 4444)
        });
        assert_eq!(
            alert.text("/destination/resolved"),
            resolved,
            "{socket:?} {alert:?}"
        );
    }
}
