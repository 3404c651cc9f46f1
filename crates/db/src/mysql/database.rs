//! The MySQL databases of a service, and the transaction over them.

use std::{
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesel::{ConnectionError, connection::TransactionManagerStatus};
use diesel_async::{
    AnsiTransactionManager, AsyncConnection, AsyncMysqlConnection, SimpleAsyncConnection, TransactionManager,
    pooled_connection::{AsyncDieselConnectionManager, ManagerConfig, RecyclingMethod, bb8::Pool},
};
use futures::{FutureExt, future::BoxFuture};
use tokio::time::{sleep, timeout};
use tracing::Instrument;

use super::{Conn, running::Running};
use crate::{
    error::{DbError, DbResult, UnitError},
    unit::{DbIndex, Deadline},
};

type Pooled = diesel_async::pooled_connection::bb8::PooledConnection<'static, AsyncMysqlConnection>;

/// How often a unit is run again because its connection was dead: after a restart of the server
/// every idle connection of the pool is.
const MOST_LOST_CONNECTIONS: u32 = 12;

/// How long a caller without a deadline waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a unit that writes begins where it is to see what others commit meanwhile.
const BEGIN_READ_COMMITTED: &str = "SET TRANSACTION ISOLATION LEVEL READ COMMITTED; BEGIN";

/// How long making or getting a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a unit past its deadline may take to roll back.
const GRACE: Duration = Duration::from_secs(5);

/// The databases of a service on MySQL or MariaDB servers, opened together.
#[derive(Clone)]
pub struct Databases {
    shared: Arc<Shared>,
}

struct Shared {
    names: Vec<&'static str>,
    /// For each [`DbIndex`] its pool: names with one URL share a pool, and one transaction.
    pool_of: Vec<usize>,
    pools: Vec<Pool<AsyncMysqlConnection>>,
    read_committed: AtomicBool,
}

impl Databases {
    /// Prepares the pools, in the order of the databases' [`DbIndex`]. Nothing is connected yet, so a server
    /// that is down does not keep us from starting.
    pub async fn open(databases: &[(&'static str, String)], connections: u32) -> DbResult<Self> {
        let mut urls: Vec<&str> = Vec::new();
        let mut pools = Vec::new();
        let mut pool_of = Vec::new();
        for (name, url) in databases {
            let index = if let Some(index) = urls.iter().position(|known| known == url) {
                index
            } else {
                urls.push(url);
                pools.push(pool(name, url, connections).await?);
                pools.len() - 1
            };
            pool_of.push(index);
        }
        let names = databases.iter().map(|(name, _)| *name).collect();
        let read_committed = AtomicBool::new(false);
        Ok(Self { shared: Arc::new(Shared { names, pool_of, pools, read_committed }) })
    }

    /// From now on units that write see in each statement what is committed by then, and lock the rows that they find
    /// but not what is between them: they get into each other's way less. That is for units which lock rows before
    /// they decide by them, and rely on keys where a row must not come into being twice.
    ///
    /// A server that logs statements for its replicas (`binlog_format=STATEMENT`) takes no such changes; there units
    /// go on with the server's own isolation.
    #[must_use]
    pub fn read_committed(self) -> Self {
        self.shared.read_committed.store(true, Ordering::Relaxed);
        self
    }

    /// Runs a unit of work that changes something. Its changes are committed when this returns `Ok`;
    /// when it returns an error, none of them is (but see [`DbIndex`] for several servers).
    ///
    /// It runs in a task of its own, so that a caller who hangs up leaves no transaction open, and
    /// again when it lost against another transaction, until the deadline.
    pub async fn write<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        self.run(true, deadline, unit).await
    }

    /// Runs a unit of work that only reads; each of its statements sees what is committed by then.
    pub async fn read<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        self.run(false, deadline, unit).await
    }

    async fn run<T, E, F>(&self, writes: bool, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        let shared = Arc::clone(&self.shared);
        let work = async move {
            let running = Arc::new(Running::default());
            let mut work = pin!(repeat(&shared, writes, deadline, &running, unit));
            tokio::select! {
                done = &mut work => return done,
                () = sleep(deadline.remaining(PATIENCE)) => {}
            }
            // Nobody waits any more. Once its statement is stopped on the server, the unit rolls back by itself.
            // If the server is silent, the connections are given up: their places are needed.
            if timeout(GRACE, async { tokio::join!(running.stop(), work) }).await.is_err() {
                tracing::warn!("a database server is silent, giving up connections to it");
            }
            Err(DbError::DeadlineExceeded.into())
        };
        let task = tokio::spawn(work.in_current_span());
        tokio::select! {
            done = task => done.unwrap_or_else(|_| Err(DbError::Panicked.into())),
            () = sleep(deadline.remaining(PATIENCE)) => Err(DbError::DeadlineExceeded.into()),
        }
    }

    /// Asks every database for a sign of life.
    pub async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        let count = self.shared.names.len();
        self.read(deadline, move |tx| {
            async move {
                for index in 0..count {
                    tx.on(index).await?.batch_execute("SELECT 1").await?;
                }
                Ok(())
            }
            .boxed()
        })
        .await
    }
}

async fn pool(name: &'static str, url: &str, connections: u32) -> DbResult<Pool<AsyncMysqlConnection>> {
    let mut config = ManagerConfig::default();
    // A round trip per use is too much: dead connections show themselves, and units are run again.
    config.recycling_method = RecyclingMethod::Fast;
    // The pool itself waits for ever, and an attempt takes the place of a connection.
    config.custom_setup = Box::new(|url| {
        let connected = timeout(CONNECT_TIMEOUT, AsyncMysqlConnection::establish(url));
        let silent = || ConnectionError::BadConnection("the server is silent".to_owned());
        connected.map(move |done| done.unwrap_or_else(|_| Err(silent()))).boxed()
    });
    let manager = AsyncDieselConnectionManager::<AsyncMysqlConnection>::new_with_config(url, config);
    Pool::builder()
        .max_size(connections.max(1))
        .min_idle(Some(0))
        .connection_timeout(CONNECT_TIMEOUT)
        .build(manager)
        .await
        .map_err(|e| DbError::Unavailable { database: name, detail: e.to_string().into() })
}

async fn repeat<T, E, F>(
    shared: &Arc<Shared>,
    writes: bool,
    deadline: Deadline,
    running: &Arc<Running>,
    unit: F,
) -> Result<T, E>
where
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync,
    E: UnitError,
{
    let (mut conflicts, mut lost, mut isolated) = (0, 0, false);
    loop {
        let mut tx = Tx {
            shared: Arc::clone(shared),
            writes,
            conns: shared.pools.iter().map(|_| None).collect(),
            running: Arc::clone(running),
            deadline,
            connected: true,
        };
        let error = match unit(&mut tx).await {
            Ok(value) => match tx.commit().await {
                Ok(()) => return Ok(value),
                Err(CommitError { error, .. }) if error.is_conflict() => E::from(error),
                Err(CommitError { error, database }) => return Err(error.of(database).into()),
            },
            Err(error) => {
                tx.undo(error.db_error()).await;
                error
            }
        };
        match error.db_error() {
            _ if deadline.has_passed() || running.is_stopped() => return Err(error),
            Some(DbError::Conflict(why)) => {
                conflicts += 1;
                tracing::debug!(attempt = conflicts, %why, "a transaction lost against another; again");
                sleep(backoff(conflicts)).await;
            }
            Some(error) if !isolated && error.is_about_isolation() => {
                isolated = true;
                if shared.read_committed.swap(false, Ordering::Relaxed) {
                    tracing::warn!(
                        "binlog_format is STATEMENT: changes get into each other's way more often"
                    );
                }
            }
            Some(DbError::Unavailable { .. }) if tx.connected && lost < MOST_LOST_CONNECTIONS => lost += 1,
            _ => return Err(error),
        }
    }
}

/// Waits longer each time, and not all losers equally long.
fn backoff(attempt: u32) -> Duration {
    use std::hash::{BuildHasher, RandomState};
    let spread = RandomState::new().hash_one(attempt) % 1000;
    let most = 2_000 * (1 << attempt.min(6));
    Duration::from_micros(most / 2 + most * spread / 2000)
}

struct CommitError {
    error: DbError,
    database: &'static str,
}

/// A transaction over the databases of a service; a database takes part once it is asked for.
pub struct Tx {
    shared: Arc<Shared>,
    writes: bool,
    conns: Vec<Option<Pooled>>,
    running: Arc<Running>,
    deadline: Deadline,
    /// Whether every connection that was asked for was got.
    connected: bool,
}

impl Tx {
    /// The connection to a database, inside the transaction.
    pub async fn on(&mut self, database: DbIndex) -> DbResult<&mut Conn> {
        let index = self.shared.pool_of[database];
        let name = self.shared.names[database];
        if self.running.is_stopped() {
            return Err(DbError::DeadlineExceeded);
        }
        if self.conns[index].is_none() {
            if self.deadline.has_passed() {
                return Err(DbError::DeadlineExceeded);
            }
            let mut conn = self.lent(index).await.map_err(|error| error.of(name))?;
            self.running.takes(conn.cancel_token());
            let begun = if !self.writes {
                Ok(())
            } else if self.shared.read_committed.load(Ordering::Relaxed) {
                AnsiTransactionManager::begin_transaction_sql(&mut *conn, BEGIN_READ_COMMITTED).await
            } else {
                AnsiTransactionManager::begin_transaction(&mut *conn).await
            };
            if let Err(error) = begun {
                // the pool must not lend it again: whoever comes next would be told the same
                forsake(&mut conn);
                return Err(DbError::from(error).of(name));
            }
            self.conns[index] = Some(conn);
        }
        self.conns[index].as_deref_mut().ok_or(DbError::Panicked)
    }

    /// A connection of a pool. Where some are lent there is one again in time, so only the caller's deadline ends the
    /// wait; where there are none and none can be made, the database is away.
    async fn lent(&mut self, pool: usize) -> DbResult<Pooled> {
        loop {
            let pool = &self.shared.pools[pool];
            let error = match pool.get_owned().await {
                Ok(conn) => return Ok(conn),
                Err(error) => error,
            };
            if self.deadline.has_passed() || self.running.is_stopped() {
                return Err(DbError::DeadlineExceeded);
            }
            if pool.state().connections == 0 {
                self.connected = false;
                return Err(DbError::Unavailable {
                    database: "the database",
                    detail: error.to_string().into(),
                });
            }
        }
    }

    fn name_of(&self, pool: usize) -> &'static str {
        let database = self.shared.pool_of.iter().position(|p| *p == pool).unwrap_or(0);
        self.shared.names[database]
    }

    /// Commits; the first database comes last.
    async fn commit(&mut self) -> Result<(), CommitError> {
        if !self.running.ends() {
            self.give_up();
            return Err(CommitError { error: DbError::DeadlineExceeded, database: self.shared.names[0] });
        }
        for index in (0..self.conns.len()).rev() {
            let database = self.name_of(index);
            let Some(conn) = self.conns[index].as_deref_mut() else { continue };
            if self.writes {
                AnsiTransactionManager::commit_transaction(conn)
                    .await
                    .map_err(|e| CommitError { error: DbError::from(e), database })?;
            }
            self.conns[index] = None;
        }
        Ok(())
    }

    /// Rolls back. A connection on which that fails is closed by the pool, and so rolled back by the server.
    async fn undo(&mut self, why: Option<&DbError>) {
        let lost = matches!(why, Some(DbError::Unavailable { .. }));
        if !self.running.ends() || lost {
            return self.give_up();
        }
        for place in &mut self.conns {
            if let Some(conn) = place.as_deref_mut().filter(|_| self.writes) {
                let _ = AnsiTransactionManager::rollback_transaction(conn).await;
            }
            *place = None;
        }
    }

    /// Has the pool close the connections that are left, instead of lending them again.
    fn give_up(&mut self) {
        self.conns.drain(..).flatten().for_each(|mut conn| forsake(&mut conn));
    }
}

/// Has the pool close the connection once it gets it back.
fn forsake(conn: &mut AsyncMysqlConnection) {
    *AnsiTransactionManager::transaction_manager_status_mut(conn) = TransactionManagerStatus::InError;
}

impl Drop for Tx {
    /// A unit that is dropped in the middle leaves connections in the middle of an answer.
    fn drop(&mut self) {
        self.give_up();
    }
}
