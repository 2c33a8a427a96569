//! A question that costs the daemon's loop something, asked for all clients together: whoever asks
//! while the loop answers waits for the next answer, and all who wait share it. So no number of
//! clients makes the loop answer more often than every [`GAP`].

use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use super::LOOP_LIMIT;
use crate::control::call::{Answer, ClientId, Refusal};

/// From one question to the next. A drain takes the loop 2 ms.
const GAP: Duration = Duration::from_millis(20);

/// The way to one such question.
#[derive(Debug)]
pub(super) struct Rounds<T> {
    waiting: mpsc::UnboundedSender<Waiting<T>>,
}

#[derive(Debug)]
struct Waiting<T> {
    client: Option<ClientId>,
    answer: Answer<T>,
}

impl<T: Clone + Send + 'static> Rounds<T> {
    /// `ask` puts the question, for these runs among others; false if there is no loop any more.
    pub(super) fn new(
        ask: impl Fn(Vec<ClientId>, Answer<T>) -> bool + Send + Sync + 'static,
    ) -> Self {
        let (waiting, mut asked) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            while let Some(first) = asked.recv().await {
                let begun = Instant::now();
                let mut round = vec![first];
                while let Ok(more) = asked.try_recv() {
                    round.push(more);
                }
                answer(round, &ask).await;
                sleep_until(begun + GAP).await;
            }
        });
        Self { waiting }
    }

    /// The answer to a question put after this call.
    pub(super) async fn join(&self, client: Option<ClientId>) -> Result<T, Refusal> {
        let (answer, answered) = oneshot::channel();
        let gone = || "the daemon is about to end".to_owned();
        let waiting = Waiting { client, answer };
        self.waiting.send(waiting).map_err(|_| gone())?;
        match timeout(LOOP_LIMIT, answered).await {
            Ok(answered) => answered.unwrap_or_else(|_| Err(gone())),
            Err(_) => Err("the daemon is too busy to answer: try again".to_owned()),
        }
    }
}

async fn answer<T: Clone>(
    round: Vec<Waiting<T>>,
    ask: &(impl Fn(Vec<ClientId>, Answer<T>) -> bool + Send + Sync),
) {
    let clients = round.iter().filter_map(|waiting| waiting.client).collect();
    let (answer, answered) = oneshot::channel();
    if !ask(clients, answer) {
        return;
    }
    let Ok(result) = answered.await else { return };
    for waiting in round {
        // It may have hung up meanwhile.
        let _ = waiting.answer.send(result.clone());
    }
}
