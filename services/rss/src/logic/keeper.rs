//! Keeps all statuses in memory, and reads them anew in the background.
//!
//! No request asks the database for what may be used. While the database is away what was read last is served, for an
//! hour: then nobody knows any more, and whoever asks is told so.

use std::{
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::Clock;
use diracx_db::Deadline;
use tokio::{
    sync::{Mutex, watch},
    time::{MissedTickBehavior, interval_at},
};

use super::{due, view::View};
use crate::{
    error::{Error, Result},
    model::{ElementType, Kept},
    policy,
    store::StatusStore,
};

/// How often the database is read; DiracX looks as often.
pub const INTERVAL: Duration = Duration::from_secs(5);
/// How long statuses are served that cannot be read anew; DiracX serves them as long.
const STALE: TimeDelta = TimeDelta::hours(1);
/// How many due statuses are put into effect at a time.
const DUE_AT_ONCE: usize = 500;

/// All statuses at a time.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// As they are kept.
    pub kept: Kept,
    views: Vec<(ElementType, View)>,
    nothing: View,
}

impl Snapshot {
    /// What `kept` means at `now`.
    pub fn new(kept: Kept, now: DateTime<Utc>) -> Self {
        let views = ElementType::EACH.iter().map(|of| (*of, View::new(*of, &kept, now))).collect();
        Self { views, nothing: View::new(ElementType::Site, &Kept::default(), now), kept }
    }

    /// What may be used, of one type.
    pub fn view(&self, element_type: ElementType) -> &View {
        let found = self.views.iter().find(|(of, _)| *of == element_type);
        found.map_or(&self.nothing, |(_, view)| view)
    }
}

/// What is known at an instant.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// What is served; absent until it was read once.
    pub snapshot: Option<Arc<Snapshot>>,
    /// When it was read last.
    pub checked: Option<DateTime<Utc>>,
    /// Set while the database cannot be read.
    pub failure: Option<String>,
    /// The process is about to end.
    pub ended: bool,
}

/// The statuses of this process, and the looking after them. Cheap to clone; the background work ends with the last
/// clone.
#[derive(Clone)]
pub struct Keeper(Arc<Inner>);

struct Inner {
    store: Arc<dyn StatusStore>,
    clock: Arc<dyn Clock>,
    state: watch::Sender<State>,
    /// One refresh at a time.
    refreshing: Mutex<()>,
    refreshes: AtomicU64,
}

impl Keeper {
    /// Begins to look after the statuses, with a first look at once.
    ///
    /// Must be called within a runtime.
    pub fn start(store: Arc<dyn StatusStore>, clock: Arc<dyn Clock>) -> Self {
        let (state, refreshes) = (watch::Sender::default(), AtomicU64::new(0));
        let keeper = Self(Arc::new(Inner { store, clock, state, refreshing: Mutex::default(), refreshes }));
        diracx_server::spawn(look_regularly(Arc::downgrade(&keeper.0)));
        keeper
    }

    /// What is served now. Waits until it was read once.
    ///
    /// # Errors
    /// It cannot be read, and there is nothing yet or what there is is too old.
    pub async fn current(&self) -> Result<Arc<Snapshot>> {
        if let Some(snapshot) = self.usable() {
            return Ok(snapshot);
        }
        self.0.refresh().await;
        let cause = self.0.state.borrow().failure.clone();
        self.usable().ok_or(Error::NotLoaded { cause: cause.unwrap_or_default() })
    }

    /// What is served now, unless it is too old.
    pub fn usable(&self) -> Option<Arc<Snapshot>> {
        let state = self.0.state.borrow();
        let age = self.0.clock.now() - state.checked?;
        state.snapshot.clone().filter(|_| age < STALE)
    }

    /// Reads the statuses now. Returns when they are served, or cannot be read.
    pub async fn refresh(&self) {
        self.0.refresh().await;
    }

    /// Wakes up whenever something changes.
    pub fn subscribe(&self) -> watch::Receiver<State> {
        self.0.state.subscribe()
    }

    /// Ends those who watch.
    pub fn end(&self) {
        self.0.state.send_modify(|state| state.ended = true);
    }
}

async fn look_regularly(inner: Weak<Inner>) {
    let mut ticks = interval_at(tokio::time::Instant::now(), INTERVAL);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        inner.refresh().await;
    }
}

impl Inner {
    /// However many want it at once: a refresh that began after it was wanted will do. One that was under way will not,
    /// since it may have missed what was written meanwhile.
    async fn refresh(&self) {
        let wanted = self.refreshes.load(Ordering::SeqCst);
        let _alone = self.refreshing.lock().await;
        if self.refreshes.load(Ordering::SeqCst) > wanted {
            return;
        }
        self.refreshes.fetch_add(1, Ordering::SeqCst);
        let read = self.read().await;
        let now = self.clock.now();
        match read {
            Ok(kept) => self.admit(Snapshot::new(kept, now), now),
            Err(error) => self.fail(&error),
        }
    }

    /// Everything that is kept. What is due is put into effect first: it does not wait for whoever else should do so.
    async fn read(&self) -> Result<Kept> {
        let kept = self.store.everything(Deadline::after(INTERVAL)).await?;
        if !due::is_due(&kept, self.clock.now()) {
            return Ok(kept);
        }
        let deadline = Deadline::after(INTERVAL);
        let (permit, store, clock) = (policy::service_itself(), self.store.as_ref(), self.clock.as_ref());
        if let Err(error) = due::apply(&permit, store, clock, deadline, DUE_AT_ONCE).await {
            tracing::warn!("what is due is not put into effect: {error}");
            return Ok(kept);
        }
        self.store.everything(Deadline::after(INTERVAL)).await
    }

    fn admit(&self, snapshot: Snapshot, now: DateTime<Utc>) {
        self.state.send_if_modified(|state| {
            state.checked = Some(now);
            let recovered = state.failure.take().is_some();
            if recovered {
                tracing::info!("the resource statuses can be read again");
            }
            let changed = state.snapshot.as_deref() != Some(&snapshot);
            if changed {
                state.snapshot = Some(Arc::new(snapshot));
            }
            changed || recovered
        });
    }

    fn fail(&self, error: &Error) {
        let message = error.to_string();
        self.state.send_if_modified(|state| {
            let known = state.failure.as_ref() == Some(&message);
            if !known {
                // once per cause; every look would fill the log
                tracing::warn!("the resource statuses cannot be read, those of before are served: {message}");
                state.failure = Some(message);
            }
            !known
        });
    }
}
