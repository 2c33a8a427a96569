//! A client that asks something.

use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::time::timeout;

use super::{Shared, write_out};
use crate::control::Request;
use crate::control::call::{Call, Found, Peer, Refusal};
use crate::control::line::{End, Word};
use crate::control::wire::json_line;
use crate::state::Query;

/// Of an answer, held at a time.
const PART: usize = 256 << 10;
/// Sentences in one answer about what can't be read.
const TROUBLES: usize = 16;

/// Gives the answer; what it can't give is a sentence.
pub(super) async fn answer(
    shared: &Arc<Shared>,
    peer: Peer,
    request: Request,
    input: BufReader<OwnedReadHalf>,
    output: &mut OwnedWriteHalf,
) -> Result<(), Refusal> {
    let stalled = shared.limits.stalled;
    let word = match request {
        // The caller's.
        Request::Run {} => return Ok(()),
        Request::Query { query, drain } => {
            let _slot = shared.readers.take(peer.uid)?;
            if drain {
                shared.drains.join(None).await?;
                shared.stored.join(None).await?;
            }
            let query = own(query, peer);
            let call = |answer| Call::Query { query, answer };
            let found = shared.ask(call).await?;
            return entries(found, peer, output, stalled).await;
        }
        Request::Follow { query } => {
            follow(shared, peer, own(query, peer), input, output).await;
            return Ok(());
        }
        Request::Metrics {} => Word::Metrics(shared.ask(Call::Metrics).await?),
        Request::Status {} => Word::Status(Box::new(shared.ask(Call::Status).await?)),
    };
    send(output, &json_line(&word), stalled).await
}

/// Everyone but root sees what they may.
fn own(query: Query, peer: Peer) -> Query {
    match peer.uid {
        0 => query,
        uid => Query {
            viewer: Some(uid),
            ..query
        },
    }
}

async fn send(output: &mut OwnedWriteHalf, lines: &[u8], stalled: Duration) -> Result<(), Refusal> {
    match timeout(stalled, output.write_all(lines)).await {
        Ok(Ok(())) => Ok(()),
        // There is nobody to tell.
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("the answer was not read".to_owned()),
    }
}

/// Part by part: the store is read where that may take its time, and a client that takes its own
/// keeps no thread.
async fn entries(
    found: Found,
    peer: Peer,
    output: &mut OwnedWriteHalf,
    stalled: Duration,
) -> Result<(), Refusal> {
    let mut reading = Reading {
        found,
        peer,
        lines: Vec::new(),
        over: false,
    };
    while !reading.over {
        let read = tokio::task::spawn_blocking(move || {
            reading.read();
            reading
        });
        reading = read
            .await
            .map_err(|_| "the store can't be read: this is a fault of the daemon".to_owned())?;
        send(output, &std::mem::take(&mut reading.lines), stalled).await?;
    }
    let end = std::mem::take(&mut reading.found.end);
    send(output, &json_line(&Word::End(end)), stalled).await
}

struct Reading {
    found: Found,
    peer: Peer,
    lines: Vec<u8>,
    over: bool,
}

impl Reading {
    fn read(&mut self) {
        while self.lines.len() < PART {
            match self.found.entries.next() {
                None => {
                    self.over = true;
                    return;
                }
                // The store was asked for those; this is the last look before it leaves.
                Some(Ok(entry)) if entry.is_for(self.peer.uid) => {
                    self.lines.extend(json_line(&entry));
                }
                Some(Ok(_)) => {}
                Some(Err(trouble)) => note(&mut self.found.end, trouble),
            }
        }
    }
}

fn note(end: &mut End, trouble: String) {
    end.complete = false;
    if end.troubles.len() < TROUBLES {
        end.troubles.push(trouble);
    }
}

async fn follow(
    shared: &Arc<Shared>,
    peer: Peer,
    query: Query,
    mut input: BufReader<OwnedReadHalf>,
    output: &mut OwnedWriteHalf,
) {
    let (outbox, mut pieces) = shared.outboxes.open(peer.uid);
    let registered = shared.register();
    let call = Call::Follow {
        client: registered.client,
        peer,
        query,
        outbox,
    };
    if shared.calls.send(call).is_err() {
        return;
    }
    let hung_up = async {
        // A follower says nothing more; what it says all the same ends it too.
        let _ = input.read_u8().await;
    };
    tokio::select! {
        () = write_out(&mut pieces, output) => {},
        () = hung_up => {},
        () = shared.calls.closed() => {},
    }
}
