//! How connects ended, by the state of their sockets.

use super::play;
use crate::alert::schema::Outcome;
use crate::event::stage::Stage;
use crate::event::{Actor, Body, Observed, Socket, Transport};

/// A connect of a socket.
fn connect(actor: Actor, ip: &str, cookie: u64) -> Body {
    Body::Connect {
        actor,
        socket: Socket {
            transport: Transport::Tcp,
            ip: Some(ip.parse().unwrap()),
            port: 5432,
            path: None,
            cookie,
            netns: 0,
            observed: Observed::Kernel,
        },
    }
}

#[test]
fn the_state_of_a_socket_decides_whatever_its_thread_did_since() {
    let mut stage = Stage::new("python app.py");
    let actor = stage.actor(stage.root);
    let ended = |errno, cookie| Body::ConnectResult {
        actor,
        errno,
        cookie,
    };
    // Two that don't block, decided in the other order; the second call's result is of neither.
    stage.push(connect(actor, "10.0.0.1", 1));
    stage.push(ended(115, 0));
    stage.push(connect(actor, "10.0.0.2", 2));
    stage.push(ended(115, 0));
    stage.push(ended(0, 2));
    stage.push(ended(0, 0));
    stage.push(ended(111, 1));
    // Blocking: told by state and by call, and counted once.
    stage.push(connect(actor, "10.0.0.3", 3));
    stage.push(ended(0, 3));
    stage.push(ended(0, 0));
    // The call says that all is well, before the handshake.
    stage.push(connect(actor, "10.0.0.4", 4));
    stage.push(ended(0, 0));
    stage.push(ended(110, 4));
    // One socket, again and again.
    for errno in [111, 111, 0] {
        stage.push(connect(actor, "10.0.0.5", 5));
        stage.push(ended(errno, 5));
        stage.push(ended(errno, 0));
    }
    // Nobody's.
    stage.push(ended(0, 77));
    let report = play(&stage).report;
    let seen: Vec<_> = report
        .connections
        .iter()
        .map(|c| (c.ip.as_deref().unwrap(), c.outcome, c.count))
        .collect();
    assert_eq!(
        seen,
        [
            ("10.0.0.1", Outcome::Refused, 1),
            ("10.0.0.2", Outcome::Connected, 1),
            ("10.0.0.3", Outcome::Connected, 1),
            ("10.0.0.4", Outcome::Unreachable, 1),
            ("10.0.0.5", Outcome::Connected, 1),
            ("10.0.0.5", Outcome::Refused, 2),
        ]
    );
}
