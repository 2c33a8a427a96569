//! Answers that an attacker makes: none gives a name that counts.

use super::*;

/// What a connection shows after the answer; the name would be trusted if it counted.
fn after(told: impl FnOnce(&mut Lookups, Dns)) -> (String, String) {
    let mut lookups = Lookups::new();
    let question = lookups.ask(lookups.root, package_host());
    let forged = answer(&question, &[(package_host(), ADDRESS)]);
    told(&mut lookups, forged);
    let seen = lookups.seen(lookups.root);
    let (name, resolved, trusted) = seen.all();
    assert_eq!(trusted == "true", !name.is_empty());
    (name.to_owned(), resolved.to_owned())
}

fn is(name: &str, resolved: &str) -> (String, String) {
    (name.to_owned(), resolved.to_owned())
}

#[test]
fn the_right_answer_counts() {
    let right = after(|lookups, dns| lookups.message(lookups.root, dns));
    assert_eq!(right, is(package_host(), "yes"));
}

#[test]
fn an_answer_that_nobody_asked_for() {
    let unsolicited = after(|lookups, mut dns| {
        // On a socket that never asked, and once more on one that was answered.
        dns.cookie += 1;
        lookups.message(lookups.root, dns.clone());
        dns.cookie -= 1;
        lookups.message(lookups.root, answer(&dns, &[]));
        lookups.message(lookups.root, dns);
    });
    assert_eq!(unsolicited, is("", "no"));
}

#[test]
fn an_answer_with_another_id_port_question_or_namespace() {
    type Change = fn(&mut Dns);
    let changes: [Change; 6] = [
        |dns| dns.message.id += 1,
        |dns| dns.server.set_port(5353),
        |dns| dns.server.set_ip("127.0.0.53".parse().unwrap()),
        |dns| dns.message.question.as_mut().unwrap().kind = 28,
        |dns| dns.message.question.as_mut().unwrap().name = "x.example".into(),
        |dns| dns.netns += 1,
    ];
    for (at, change) in changes.into_iter().enumerate() {
        let wrong = after(|lookups, mut dns| {
            change(&mut dns);
            lookups.message(lookups.root, dns);
        });
        assert_eq!(wrong, is("", "no"), "change {at}");
    }
}

impl Lookups {
    /// Asked of that server, which answers.
    fn told_by(&mut self, process: ProcessKey, server: &str) {
        let mut question = self.ask(process, package_host());
        question.server = server.parse().unwrap();
        question.cookie += 1000;
        self.message(process, question.clone());
        let told = answer(&question, &[(package_host(), ADDRESS)]);
        self.message(process, told);
    }
}

#[test]
fn an_answer_of_a_server_that_is_not_in_resolv_conf() {
    // It was told a name, so `no` would not be true either.
    for server in ["45.33.32.1:53", "10.0.0.2:5353", "127.0.0.1:53"] {
        let mut lookups = Lookups::new();
        lookups.told_by(lookups.root, server);
        let seen = lookups.seen(lookups.root);
        assert_eq!(seen.all(), ("", "unknown", "false"), "{server}");
    }
}

#[test]
fn an_answer_of_a_responder_of_its_own_behind_a_configured_address() {
    for own in ["127.0.0.53:53", "0.0.0.0:53", "[::ffff:127.0.0.53]:53"] {
        let mut lookups = Lookups::new();
        let actor = lookups.stage.actor(lookups.root);
        let own = socket(Transport::Udp, own);
        lookups.stage.push(Body::Listen { actor, socket: own });
        lookups.told_by(lookups.root, "127.0.0.53:53");
        assert_eq!(lookups.seen(lookups.root).all(), ("", "no", "false"));
    }
    // One that is bound and not connected is seen only when it answers.
    let mut lookups = Lookups::new();
    let mut question = lookups.ask(lookups.root, package_host());
    question.server = "127.0.0.53:53".parse().unwrap();
    lookups.message(lookups.root, question.clone());
    let actor = lookups.stage.actor(lookups.root);
    let client = socket(Transport::Udp, "127.0.0.1:40000");
    lookups.stage.push(Body::Send {
        actor,
        socket: client,
    });
    lookups.message(
        lookups.root,
        answer(&question, &[(package_host(), ADDRESS)]),
    );
    assert_eq!(lookups.seen(lookups.root).all(), ("", "no", "false"));
    // Nobody watched listens there: the host's own stub resolver.
    let mut lookups = Lookups::new();
    lookups.told_by(lookups.root, "127.0.0.53:53");
    let seen = lookups.seen(lookups.root);
    assert_eq!(seen.all(), (package_host(), "yes", "true"));
}

#[test]
fn an_answer_to_who_can_send_packets_in_anybodys_name() {
    let mut lookups = Lookups::new();
    let actor = lookups.stage.actor(lookups.root);
    lookups.stage.push(Body::RawSocket {
        actor,
        family: 2,
        protocol: 17,
    });
    lookups.told(lookups.root, package_host(), ADDRESS);
    assert_eq!(lookups.seen(lookups.root).all(), ("", "unknown", "false"));
}

#[test]
fn a_resolv_conf_that_a_script_rewrote_for_the_next_install() {
    let mut lookups = Lookups::bare();
    let shell = ["sh", "-c", "npm ci; npm ci"];
    let root = lookups.root;
    lookups.stage.exec(root, "/usr/bin/dash", &shell, APP, &[]);
    lookups.read(root, &["10.0.0.2", "10.0.0.3"], &[], &[]);
    let npm = |lookups: &mut Lookups| {
        let args = ["node", "/usr/bin/npm", "ci"];
        lookups.stage.spawn(root, "/usr/bin/node", &args, APP, &[])
    };
    let first = npm(&mut lookups);
    lookups.read(first, &["10.0.0.2"], &[], &[]);
    lookups.script_of(first);
    let second = npm(&mut lookups);
    lookups.read(second, &["45.33.32.1", "10.0.0.3"], &[], &[]);
    lookups.told_by(second, "45.33.32.1:53");
    assert_eq!(lookups.seen(second).all(), ("", "unknown", "false"));
    // What was there before it ran still counts.
    lookups.told_by(second, "10.0.0.3:53");
    lookups.connect(second, ADDRESS, 4445, 0);
    assert_eq!(lookups.last().field("DestinationTrusted"), "true");
}

#[test]
fn an_answer_that_says_there_is_no_such_name_names_no_address() {
    let failed = after(|lookups, mut dns| {
        dns.message.code = 3;
        lookups.message(lookups.root, dns);
    });
    assert_eq!(failed, is("", "no"));
}
