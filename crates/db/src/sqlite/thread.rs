//! The threads that own the connections, and the work they are given.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};

use diesel::{Connection, SqliteConnection, connection::SimpleConnection};
use diesel_async::sync_connection_wrapper::SyncConnectionWrapper;

use super::{Conn, OnTheSpot, database::Tx, functions};
use crate::error::{DbError, DbResult};

/// How many units of work share one commit at the most.
const GROUP: usize = 64;

/// What a unit came to, told to the caller once its group is committed.
pub(super) type Reply = Box<dyn FnOnce(DbResult<()>) + Send>;

/// A unit of work: runs, says whether its changes are to stay, and how to answer.
pub(super) type Work = Box<dyn FnOnce(&mut Tx) -> (bool, Reply) + Send>;

/// Gives work to the writer or to the readers.
#[derive(Clone)]
pub(super) struct Queue(Sender<Work>);

impl Queue {
    /// Hands a unit over. It fails only when the thread is gone.
    pub(super) fn send(&self, work: Work) -> DbResult<()> {
        self.0.send(work).map_err(|_| DbError::Panicked)
    }
}

/// Whether the connection may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Write,
    Read,
}

/// Opens a file. `busy_timeout` comes before the journal mode: else opening a second
/// connection while another writes fails with "database is locked".
///
/// The writer keeps up to 32 MiB of pages, and moves them from the log into the file when it has 2000 of them: each
/// time the disk is waited for, and a page that was changed often moves once.
pub(super) fn open(path: &std::path::Path, mode: Mode) -> DbResult<Conn> {
    let unavailable = |detail: String| DbError::Unavailable {
        database: "the database",
        detail: format!("{}: {detail}", path.display()).into(),
    };
    let mut conn =
        SqliteConnection::establish(&path.to_string_lossy()).map_err(|e| unavailable(e.to_string()))?;
    let settings = match mode {
        Mode::Write => {
            "PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; \
             PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -32768; \
             PRAGMA wal_autocheckpoint = 2000;"
        }
        Mode::Read => {
            "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY; \
             PRAGMA mmap_size = 268435456;"
        }
    };
    conn.batch_execute(settings).map_err(|e| unavailable(e.to_string()))?;
    functions::register(&mut conn)?;
    Ok(SyncConnectionWrapper::with_runtime(conn, OnTheSpot))
}

/// Starts the thread that writes. Units that wait while one is being committed share the next commit.
pub(super) fn start_writer(paths: Arc<[PathBuf]>) -> DbResult<Queue> {
    let (sender, receiver) = channel::<Work>();
    spawn("db-writer", move || write(&Tx::new(paths, Mode::Write), &receiver))?;
    Ok(Queue(sender))
}

/// Starts `count` threads that read, each with connections of its own.
pub(super) fn start_readers(paths: &Arc<[PathBuf]>, count: usize) -> DbResult<Queue> {
    let (sender, receiver) = channel::<Work>();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..count {
        let (paths, receiver) = (Arc::clone(paths), Arc::clone(&receiver));
        spawn("db-reader", move || read(&Tx::new(paths, Mode::Read), &receiver))?;
    }
    Ok(Queue(sender))
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> DbResult<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map(drop)
        .map_err(|e| DbError::Unavailable { database: "the database", detail: e.to_string().into() })
}

fn run(tx: &mut Tx, work: Work) -> (bool, Reply) {
    // The reply of a unit that panicked is dropped, and its caller sees that.
    catch_unwind(AssertUnwindSafe(|| work(tx))).unwrap_or_else(|_| (false, Box::new(|_| ())))
}

fn read(template: &Tx, receiver: &Mutex<Receiver<Work>>) {
    let mut tx = template.fresh();
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(work) = next else { return };
        let (_, reply) = run(&mut tx, work);
        reply(Ok(()));
    }
}

fn write(template: &Tx, receiver: &Receiver<Work>) {
    let mut tx = template.fresh();
    while let Ok(first) = receiver.recv() {
        let mut replies = Vec::new();
        let mut failed = Ok(());
        let mut next = Some(first);
        while let Some(work) = next.take() {
            let (keep, reply) = run(&mut tx, work);
            let ended = tx.end_unit(keep);
            replies.push(reply);
            if ended.is_err() {
                // SQLite undid more than the unit (a full disk, a broken file): nothing of the group stays.
                tx.abandon();
                failed = ended;
            } else if replies.len() < GROUP {
                next = receiver.try_recv().ok();
            }
        }
        let committed = failed.and_then(|()| tx.end_group());
        for reply in replies {
            reply(committed.clone_result());
        }
    }
}

/// A commit's result, told to every unit of its group.
trait CloneResult {
    fn clone_result(&self) -> DbResult<()>;
}

impl CloneResult for DbResult<()> {
    fn clone_result(&self) -> DbResult<()> {
        match self {
            Ok(()) => Ok(()),
            Err(DbError::Conflict(text)) => Err(DbError::Conflict(text.clone())),
            Err(error) => Err(DbError::Unavailable {
                database: "the database",
                detail: format!("commit failed: {error}").into(),
            }),
        }
    }
}
