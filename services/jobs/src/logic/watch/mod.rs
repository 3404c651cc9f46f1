//! Watching jobs: one reader of the feed for the process, and a stream for each who watches.
//!
//! docs/adr/0006 tells why it is so.

mod selection;
mod stream;
mod tail;

use std::{ops::RangeInclusive, sync::Arc, time::Duration};

use diracx_core::{Clock, Explain, Explanation, Reason};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit, Semaphore, broadcast, watch},
    task::AbortHandle,
    time::Instant,
};

pub use self::{
    selection::Selection,
    stream::{Ask, Update, Watch},
};
use crate::store::{JobEvent, JobStore};

/// How many streams there may be at once. A gateway has 256 places on its connection to us.
const MOST_STREAMS: usize = 200;

/// How many batches a stream may be behind before it has to read the table itself.
const MOST_BEHIND: usize = 64;

/// How long to wait for the reader to know where the feed ends.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why a stream does not begin, or ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// There are too many.
    #[error("too many watch jobs already, try again later")]
    TooMany,
    /// The process ends.
    #[error("this server is shutting down; go on with the last resume token")]
    Ending,
    /// Whoever watches for long shows a token from time to time.
    #[error("this stream has lasted long enough; go on with the last resume token")]
    Lasted,
    /// The feed cannot be read.
    #[error("the changes of jobs cannot be read at the moment")]
    NotReadable,
    /// The caller's deadline passed.
    #[error("the deadline of the call passed")]
    DeadlinePassed,
}

impl Explain for WatchError {
    fn explain(&self) -> Explanation {
        let soon = Duration::from_secs(1);
        match self {
            Self::TooMany => Explanation::resource_exhausted(Reason::Overloaded).retry_after(soon * 5),
            Self::Ending | Self::Lasted => {
                Explanation::unavailable(Reason::ServiceUnavailable).retry_after(soon)
            }
            Self::NotReadable => Explanation::unavailable(Reason::DatabaseUnavailable).retry_after(soon * 5),
            Self::DeadlinePassed => Explanation::deadline_exceeded(Reason::DeadlineExceeded),
        }
    }
}

/// Events that the reader found, for all streams.
#[derive(Debug)]
struct Batch {
    /// By number.
    events: Vec<JobEvent>,
    /// Up to here nothing will appear any more.
    settled: i64,
}

/// Where the reader is.
#[derive(Debug, Clone, Default)]
struct Known {
    settled: i64,
    last: i64,
    /// Numbers between these two that the reader has not seen: they come in a later batch, or never.
    missing: Arc<[RangeInclusive<i64>]>,
}

struct Shared {
    /// None while nobody watches. A batch is sent under its lock, so that a stream which begins misses none.
    known: watch::Sender<Option<Known>>,
    batches: broadcast::Sender<Arc<Batch>>,
    wanted: Notify,
    ending: watch::Sender<bool>,
    places: Arc<Semaphore>,
}

/// The changes of jobs as they happen. Clones are the same; the reader stops when the last of them is dropped.
#[derive(Clone)]
pub struct Feed {
    shared: Arc<Shared>,
    _tasks: Arc<StopOnDrop>,
}

struct StopOnDrop([AbortHandle; 2]);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.iter().for_each(AbortHandle::abort);
    }
}

impl Feed {
    /// Begins to follow what the store keeps. Must be called within a runtime.
    pub fn start(store: Arc<dyn JobStore>, clock: Arc<dyn Clock>) -> Self {
        let shared = Arc::new(Shared {
            known: watch::Sender::new(None),
            batches: broadcast::Sender::new(MOST_BEHIND),
            wanted: Notify::new(),
            ending: watch::Sender::new(false),
            places: Arc::new(Semaphore::new(MOST_STREAMS)),
        });
        let reading = tail::follow(Arc::clone(&shared), Arc::clone(&store), Arc::clone(&clock));
        let tasks = [diracx_server::spawn(reading), diracx_server::spawn(tail::forget(store, clock))];
        Self { shared, _tasks: Arc::new(StopOnDrop(tasks.map(|task| task.abort_handle()))) }
    }

    /// Ends all streams, and begins no more: the process is about to end.
    pub fn end(&self) {
        self.shared.ending.send_replace(true);
    }

    /// A place for a stream.
    fn enter(&self) -> Result<OwnedSemaphorePermit, WatchError> {
        if *self.shared.ending.borrow() {
            return Err(WatchError::Ending);
        }
        Arc::clone(&self.shared.places).try_acquire_owned().map_err(|_| WatchError::TooMany)
    }

    /// Where the reader is, and every batch from there on.
    async fn subscribe(&self) -> Result<(Known, broadcast::Receiver<Arc<Batch>>), WatchError> {
        let mut changes = self.shared.known.subscribe();
        let give_up = Instant::now() + PATIENCE;
        loop {
            {
                let known = changes.borrow_and_update();
                if let Some(known) = &*known {
                    return Ok((known.clone(), self.shared.batches.subscribe()));
                }
            }
            self.shared.wanted.notify_one();
            match tokio::time::timeout_at(give_up, changes.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(WatchError::Ending),
                Err(_) => return Err(WatchError::NotReadable),
            }
        }
    }
}
