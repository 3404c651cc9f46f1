//! The SQLite databases of a service, and the transaction over them.

use std::{path::PathBuf, sync::Arc, time::Duration};

use diesel::connection::SimpleConnection;
use diesel_async::SimpleAsyncConnection;
use futures::{
    FutureExt,
    future::{BoxFuture, Either, select},
};
use tokio::sync::{Semaphore, oneshot};

use super::{
    Conn,
    thread::{Mode, Queue, open, start_readers, start_writer},
};
use crate::{
    error::{DbError, DbResult, UnitError},
    unit::{DbIndex, Deadline},
};

/// How many units may wait for the threads; beyond it callers wait outside, within their deadline.
const MOST_WAITING: usize = 1024;

/// How long a caller without a deadline waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The databases of a service in SQLite files, opened together.
#[derive(Clone)]
pub struct Databases {
    names: Arc<[&'static str]>,
    writer: Queue,
    readers: Queue,
    room: Arc<Semaphore>,
}

impl Databases {
    /// Opens the files, in the order of their [`DbIndex`]. Two names may share a file.
    pub fn open(databases: &[(&'static str, PathBuf)]) -> DbResult<Self> {
        let names: Arc<[&'static str]> = databases.iter().map(|(name, _)| *name).collect();
        let paths: Arc<[PathBuf]> = databases.iter().map(|(_, path)| path.clone()).collect();
        Ok(Self {
            names,
            writer: start_writer(Arc::clone(&paths))?,
            readers: start_readers(&paths, 2)?,
            room: Arc::new(Semaphore::new(MOST_WAITING)),
        })
    }

    /// Runs a unit of work that changes something. Its changes are on disk when this returns `Ok`;
    /// when it returns an error, none of them is.
    pub async fn write<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        self.run(&self.writer, deadline, unit).await
    }

    /// Runs a unit of work that only reads.
    pub async fn read<T, E, F>(&self, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        self.run(&self.readers, deadline, unit).await
    }

    async fn run<T, E, F>(&self, queue: &Queue, deadline: Deadline, unit: F) -> Result<T, E>
    where
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
        T: Send + 'static,
        E: UnitError,
    {
        let answer = async {
            let permit = Arc::clone(&self.room).acquire_owned().await.map_err(|_| DbError::Panicked)?;
            let (tell, told) = oneshot::channel();
            queue.send(Box::new(move |tx: &mut Tx| {
                let result = if deadline.has_passed() {
                    Err(DbError::DeadlineExceeded.into())
                } else {
                    // Every future below is ready: the connection works on the spot.
                    unit(tx).now_or_never().unwrap_or_else(|| Err(DbError::Panicked.into()))
                };
                let keep = result.is_ok();
                let reply = Box::new(move |committed: DbResult<()>| {
                    drop(permit);
                    // Nobody listening means the caller left; the work is done all the same.
                    let _ = tell.send(match committed {
                        Ok(()) => result,
                        Err(error) => result.and(Err(error.into())),
                    });
                });
                (keep, reply as _)
            }))?;
            told.await.unwrap_or_else(|_| Err(DbError::Panicked.into()))
        };
        let patience = tokio::time::sleep(deadline.remaining(PATIENCE));
        match select(std::pin::pin!(answer), std::pin::pin!(patience)).await {
            Either::Left((answer, _)) => answer,
            Either::Right(_) => Err(DbError::DeadlineExceeded.into()),
        }
    }

    /// Asks every database for a sign of life.
    pub async fn ping(&self, deadline: Deadline) -> DbResult<()> {
        let count = self.names.len();
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

/// One connection, and how far its transaction is.
struct Slot {
    path: PathBuf,
    conn: Option<Conn>,
    /// `BEGIN` was said.
    begun: bool,
    /// The savepoint of the running unit was set.
    in_unit: bool,
}

/// A transaction over the databases of a service; a database takes part once it is asked for.
pub struct Tx {
    mode: Mode,
    /// For each [`DbIndex`] its slot: names that share a file share a slot.
    slot_of: Vec<usize>,
    slots: Vec<Slot>,
}

impl Tx {
    pub(super) fn new(paths: Arc<[PathBuf]>, mode: Mode) -> Self {
        let mut slots: Vec<Slot> = Vec::new();
        let slot_of = paths
            .iter()
            .map(|path| {
                slots.iter().position(|slot| slot.path == *path).unwrap_or_else(|| {
                    slots.push(Slot { path: path.clone(), conn: None, begun: false, in_unit: false });
                    slots.len() - 1
                })
            })
            .collect();
        Self { mode, slot_of, slots }
    }

    /// The same databases, with no connection open yet.
    pub(super) fn fresh(&self) -> Self {
        Self {
            mode: self.mode,
            slot_of: self.slot_of.clone(),
            slots: self
                .slots
                .iter()
                .map(|slot| Slot { path: slot.path.clone(), conn: None, begun: false, in_unit: false })
                .collect(),
        }
    }

    /// The connection to a database, inside the transaction.
    #[expect(clippy::unused_async, reason = "the same call waits for a pool on MySQL")]
    pub async fn on(&mut self, database: DbIndex) -> DbResult<&mut Conn> {
        let mode = self.mode;
        let slot = &mut self.slots[self.slot_of[database]];
        if slot.conn.is_none() {
            slot.conn = Some(open(&slot.path, mode)?);
        }
        if mode == Mode::Write {
            if !slot.begun {
                slot.say("BEGIN IMMEDIATE")?;
                slot.begun = true;
            }
            if !slot.in_unit {
                slot.say("SAVEPOINT unit")?;
                slot.in_unit = true;
            }
        }
        slot.conn.as_mut().ok_or(DbError::Panicked)
    }

    /// Ends the running unit, keeping or undoing its changes.
    pub(super) fn end_unit(&mut self, keep: bool) -> DbResult<()> {
        let mut result = Ok(());
        for slot in self.slots.iter_mut().filter(|slot| slot.in_unit) {
            slot.in_unit = false;
            let said = slot.say(if keep { "RELEASE unit" } else { "ROLLBACK TO unit; RELEASE unit" });
            result = result.and(said);
        }
        result
    }

    /// Gives up the whole group: closing a connection undoes what it did not commit.
    pub(super) fn abandon(&mut self) {
        for slot in self.slots.iter_mut().filter(|slot| slot.begun) {
            *slot = Slot { path: slot.path.clone(), conn: None, begun: false, in_unit: false };
        }
    }

    /// Commits what the units of the group left; the first database comes last.
    pub(super) fn end_group(&mut self) -> DbResult<()> {
        let mut result = Ok(());
        for slot in self.slots.iter_mut().rev().filter(|slot| slot.begun) {
            slot.begun = false;
            let said = if result.is_ok() { slot.say("COMMIT") } else { slot.say("ROLLBACK") };
            if said.is_err() {
                // Whatever state it is in, it is not used again.
                slot.conn = None;
            }
            result = result.and(said);
        }
        result
    }
}

impl Slot {
    fn say(&mut self, sql: &str) -> DbResult<()> {
        let conn = self.conn.as_mut().ok_or(DbError::Panicked)?;
        let sql = sql.to_owned();
        conn.spawn_blocking(move |conn| conn.batch_execute(&sql))
            .now_or_never()
            .unwrap_or(Ok(()))
            .map_err(DbError::from)
    }
}
