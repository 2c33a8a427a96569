//! The daemon's side of the socket, on a thread of its own: whatever clients do, the loop that reads
//! the rings is asked for little and waits for nobody.
//!
//! - `slots`: how many clients there may be.
//! - `rounds`: questions that all clients ask together.
//! - `run`: a client that runs a command.
//! - `answer`: a client that asks something.

mod answer;
mod rounds;
mod run;
mod slots;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::io::{AsyncWriteExt, BufReader};
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::task::TaskTracker;

use super::Request;
use super::call::{Answer, Call, ClientId, Drain, Living, Offer, Refusal};
use super::line::Word;
use super::outbox::{Outboxes, Piece};
use super::peer::PeerProcess;
use super::socket::Socket;
use super::wire::{json_line, line};
use rounds::Rounds;
use slots::Slots;

pub use slots::Limits;

/// A query names an id and a few words.
const REQUEST_LIMIT: usize = 64 << 10;
/// The loop may be busy with a burst.
const LOOP_LIMIT: Duration = Duration::from_secs(30);
/// What is queued for a client that hangs up, or when the daemon ends.
const FLUSH_LIMIT: Duration = Duration::from_secs(1);
/// Calls that the loop is handed one after the other, and what it has to itself after them: longer
/// than the rings take to be read, so that no number of clients keeps it from them.
const BURST: usize = 32;
const REST: Duration = Duration::from_millis(5);
/// Threads that send what is read in the store.
const READERS: usize = 2;
/// Each query has the daemon read the store on a thread of its own: a bound on these.
const READING: Limits = Limits {
    clients: 16,
    for_root: 6,
    per_user: 4,
    first_line: Duration::ZERO,
    stalled: Duration::ZERO,
};

/// The running server, as the loop sees it. It ends when this is dropped.
#[derive(Debug)]
pub struct Control {
    calls: mpsc::UnboundedReceiver<Call>,
    offers: watch::Sender<Arc<Offer>>,
    thread: Option<JoinHandle<()>>,
    burst: usize,
    rest_until: Option<Instant>,
}

impl Control {
    /// Serves the socket.
    pub fn start(socket: Socket, offer: Arc<Offer>, limits: Limits) -> io::Result<Self> {
        let (sender, calls) = mpsc::unbounded_channel();
        let (offers, offered) = watch::channel(offer);
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(READERS)
            .build()?;
        let (listener, file) = socket.into_parts();
        let listener = {
            let _context = runtime.enter();
            UnixListener::from_std(listener)?
        };
        let thread = std::thread::Builder::new()
            .name("control".to_owned())
            .spawn(move || {
                runtime.block_on(serve(listener, sender, offered, limits));
                drop(file);
                // A read of the store may hang with its disk.
                runtime.shutdown_background();
            })?;
        Ok(Self {
            calls,
            offers,
            thread: Some(thread),
            burst: 0,
            rest_until: None,
        })
    }

    /// What a client asks next; `None` when the server has ended. Can be cancelled.
    ///
    /// Calls come in bursts with a rest after each: a loop that waits for its rings beside this, and
    /// begins to wait anew after each call, gets to them.
    pub async fn next(&mut self) -> Option<Call> {
        if let Some(until) = self.rest_until {
            sleep_until(until).await;
            self.rest_until = None;
        }
        let call = self.calls.recv().await;
        self.burst += 1;
        if self.calls.is_empty() || self.burst >= BURST {
            self.burst = 0;
            self.rest_until = Some(Instant::now() + REST);
        }
        call
    }

    /// The rules were reloaded. [`super::Runs`] is to be told too.
    pub fn renew(&self, offer: Arc<Offer>) {
        self.offers.send_replace(offer);
    }

    /// Hangs up on everyone, after what is queued for them, and removes the socket's file.
    pub fn stop(mut self) {
        self.calls.close();
        drop(std::mem::replace(
            &mut self.calls,
            mpsc::unbounded_channel().1,
        ));
        if let Some(thread) = self.thread.take() {
            // It has said all there is to say where it panicked.
            let _ = thread.join();
        }
    }
}

/// What all connections share.
#[derive(Debug)]
struct Shared {
    calls: mpsc::UnboundedSender<Call>,
    offers: watch::Receiver<Arc<Offer>>,
    outboxes: Outboxes,
    drains: Rounds<()>,
    stored: Rounds<()>,
    /// Queries that are answered at a time.
    readers: Arc<Slots>,
    alive: Rounds<Arc<Vec<Living>>>,
    clients: AtomicU64,
    limits: Limits,
}

async fn serve(
    listener: UnixListener,
    calls: mpsc::UnboundedSender<Call>,
    offers: watch::Receiver<Arc<Offer>>,
    limits: Limits,
) {
    let slots = Slots::new(limits, "connections");
    let shared = Arc::new(Shared::new(calls, offers, limits));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shared.calls.closed() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else {
            // No descriptors are left, or the client is gone already.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let Ok(process) = PeerProcess::of(&stream) else {
            continue;
        };
        match slots.take(process.peer.uid) {
            Ok(slot) => {
                let shared = Arc::clone(&shared);
                connections.spawn(async move {
                    shared.connection(stream, process).await;
                    drop(slot);
                });
            }
            // It fits into the socket's buffer, or is not heard.
            Err(refusal) => {
                let _ = stream.try_write(&json_line(&Word::Error(refusal)));
            }
        }
        // Accepting never makes the connections wait that are there.
        tokio::task::yield_now().await;
    }
    drop(listener);
    connections.close();
    // Who does not read does not hold the daemon up.
    let _ = timeout(FLUSH_LIMIT, connections.wait()).await;
}

impl Shared {
    fn new(
        calls: mpsc::UnboundedSender<Call>,
        offers: watch::Receiver<Arc<Offer>>,
        limits: Limits,
    ) -> Self {
        let to_drain = calls.clone();
        let to_store = calls.clone();
        let to_list = calls.clone();
        let drain = move |runs, answer| to_drain.send(Call::Drain(Drain { runs, answer })).is_ok();
        let stored = move |_, answer| to_store.send(Call::Stored(answer)).is_ok();
        let alive =
            move |_, answer: Answer<Arc<Vec<Living>>>| to_list.send(Call::Alive(answer)).is_ok();
        Self {
            calls,
            offers,
            outboxes: Outboxes::default(),
            drains: Rounds::new(drain),
            stored: Rounds::new(stored),
            readers: Slots::new(READING, "queries"),
            alive: Rounds::new(alive),
            clients: AtomicU64::new(0),
            limits,
        }
    }

    /// From its first line to its end.
    async fn connection(self: &Arc<Self>, stream: UnixStream, process: PeerProcess) {
        let (input, mut output) = stream.into_split();
        let mut input = BufReader::with_capacity(4 << 10, input);
        let ended = match timeout(self.limits.first_line, request(&mut input)).await {
            Ok(Ok(Some(Request::Run {}))) => {
                run::run(self, process, input, output).await;
                return;
            }
            Ok(Ok(Some(request))) => {
                answer::answer(self, process.peer, request, input, &mut output).await
            }
            // Nothing was asked.
            Ok(Ok(None)) => return,
            Ok(Err(refusal)) => Err(refusal),
            Err(_) => Err("nothing was asked in time".to_owned()),
        };
        if let Err(refusal) = ended {
            let line = json_line(&Word::Error(refusal));
            // Whoever does not read it does without.
            let _ = timeout(FLUSH_LIMIT, output.write_all(&line)).await;
        }
    }

    /// Puts a question to the loop.
    async fn ask<T>(&self, call: impl FnOnce(Answer<T>) -> Call) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the daemon is about to end".to_owned();
        self.calls.send(call(answer)).map_err(|_| gone())?;
        match timeout(LOOP_LIMIT, answered).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(_)) => Err(gone()),
            Err(_) => Err("the daemon is too busy to answer: try again".to_owned()),
        }
    }

    /// A name for a connection that the loop is to know.
    fn register(self: &Arc<Self>) -> Registered {
        Registered {
            client: ClientId(self.clients.fetch_add(1, Ordering::Relaxed)),
            shared: Arc::clone(self),
        }
    }
}

/// A connection that the loop knows, until this is dropped.
#[derive(Debug)]
struct Registered {
    client: ClientId,
    shared: Arc<Shared>,
}

impl Drop for Registered {
    fn drop(&mut self) {
        // Without a loop there is nobody to forget it.
        let _ = self.shared.calls.send(Call::End {
            client: self.client,
        });
    }
}

async fn request(input: &mut BufReader<OwnedReadHalf>) -> Result<Option<Request>, Refusal> {
    let unreadable = |error: &dyn std::fmt::Display| format!("the request can't be read: {error}");
    match line(input, REQUEST_LIMIT).await {
        Ok(None) => Ok(None),
        Ok(Some(line)) => serde_json::from_slice(&line)
            .map(Some)
            .map_err(|error| unreadable(&error)),
        Err(error) => Err(unreadable(&error)),
    }
}

/// Takes lines out of an outbox for as long as somebody reads them.
async fn write_out(pieces: &mut mpsc::UnboundedReceiver<Piece>, output: &mut OwnedWriteHalf) {
    while let Some(piece) = pieces.recv().await {
        if output.write_all(&piece.bytes).await.is_err() {
            return;
        }
    }
}
