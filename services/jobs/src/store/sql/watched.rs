//! The databases, and whoever waits for changes told of every commit; compiled once per backend.

use diracx_db::{DbResult, Deadline, UnitError};
use futures::future::BoxFuture;
use tokio::sync::watch;

use super::{Databases, Tx};

/// The databases of the service.
#[derive(Clone)]
pub(in crate::store) struct Watched {
    databases: Databases,
    commits: watch::Sender<u64>,
}

impl Watched {
    pub(in crate::store) fn new(databases: Databases) -> Self {
        Self { databases, commits: watch::Sender::new(0) }
    }

    /// Changes with every commit.
    pub(super) fn commits(&self) -> watch::Receiver<u64> {
        self.commits.subscribe()
    }

    /// Runs a unit of work that changes something, see [`Databases::write`].
    pub(super) async fn write<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        let done = self.databases.write(deadline, unit).await;
        // also after an error: its caller may have left while the commit was under way
        self.commits.send_modify(|count| *count = count.wrapping_add(1));
        done
    }

    /// Runs a unit of work that only reads, see [`Databases::read`].
    pub(super) async fn read<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        self.databases.read(deadline, unit).await
    }

    /// Asks every database for a sign of life.
    pub(super) async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        self.databases.ping(deadline).await
    }
}
