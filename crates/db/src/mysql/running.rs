//! What a unit of work has running on servers, and how that is stopped.

use std::sync::{Mutex, MutexGuard, PoisonError};

use diesel_async::MysqlCancelToken;

/// The connections whose statements a stop would kill.
///
/// A `KILL QUERY` is for a connection, whoever has it when it arrives. So once a unit was stopped, its connections
/// are closed instead of lent again.
#[derive(Default)]
pub(super) struct Running(Mutex<State>);

#[derive(Default)]
struct State {
    tokens: Vec<MysqlCancelToken>,
    stopped: bool,
}

impl Running {
    /// A connection takes part.
    pub(super) fn takes(&self, token: MysqlCancelToken) {
        self.state().tokens.push(token);
    }

    /// The statements are over, and a stop finds nothing from now on. False when it was there before: then kills
    /// may be on their way to the connections.
    pub(super) fn ends(&self) -> bool {
        let mut state = self.state();
        state.tokens.clear();
        !state.stopped
    }

    /// Whether somebody stopped it.
    pub(super) fn is_stopped(&self) -> bool {
        self.state().stopped
    }

    /// Stops the statements that run, on their servers.
    pub(super) async fn stop(&self) {
        let tokens: Vec<MysqlCancelToken> = {
            let mut state = self.state();
            state.stopped = true;
            state.tokens.drain(..).collect()
        };
        for token in tokens {
            if let Err(error) = token.cancel_query().await {
                tracing::debug!(%error, "a statement past its deadline could not be stopped");
            }
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
