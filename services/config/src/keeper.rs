//! Keeps the newest good configuration in memory and looks for a newer one in the background.
//!
//! Whatever happens to the source, what was good stays: a network that is gone or a commit that is
//! broken is reported and looked at again, and never takes a served configuration away.

use std::{
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use chrono::{DateTime, Utc};
use diracx_core::{Clock, config::Config};
use diracx_cs::{ConfigSource, Revision, SourceError};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval_at},
};
use tracing::{error, info, warn};

/// A configuration that is served.
#[derive(Debug)]
pub struct Loaded {
    /// Which state of the source it is.
    pub revision: Revision,
    /// The configuration.
    pub config: Arc<Config>,
    /// The same as JSON, the body of `GET /api/config/`.
    pub document: String,
    /// When this process began to serve it.
    pub loaded: DateTime<Utc>,
}

/// The last look at the source that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In one sentence, without credentials.
    pub message: String,
    /// When.
    pub time: DateTime<Utc>,
}

/// What is known at an instant.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What is served; absent until the first configuration was read.
    pub loaded: Option<Arc<Loaded>>,
    /// When the source last confirmed that there is nothing newer.
    pub checked: Option<DateTime<Utc>>,
    /// Set while the last look failed.
    pub failure: Option<Failure>,
    /// Whether the source has not confirmed it for longer than it may be. It is served nevertheless.
    pub stale: bool,
}

/// How often to look for a newer configuration, and for how long one may go unconfirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Between two looks.
    pub every: Duration,
    /// After that it counts as stale, and operators are told.
    pub stale_after: Duration,
}

/// How long DiracX would serve a configuration that it cannot refresh.
pub const STALE_AFTER: Duration = Duration::from_secs(3600);

impl From<Duration> for Refresh {
    fn from(every: Duration) -> Self {
        Self { every, stale_after: STALE_AFTER }
    }
}

/// The configuration of this process, and the looking after it. Cheap to clone; the background work
/// ends with the last clone.
#[derive(Clone)]
pub struct ConfigKeeper(Arc<Inner>);

struct Inner {
    source: Mutex<ConfigSource>,
    followed: String,
    stale_after: Duration,
    clock: Arc<dyn Clock>,
    state: watch::Sender<Snapshot>,
    /// Whether streams are to end.
    ending: watch::Sender<bool>,
    /// One refresh at a time.
    refreshing: tokio::sync::Mutex<()>,
}

impl ConfigKeeper {
    /// Reads the configuration once, and from then on looks for a newer one as often as `refresh` says.
    ///
    /// A first reading that fails is no error here: it is logged, reported, and tried again.
    pub async fn start(source: ConfigSource, clock: Arc<dyn Clock>, refresh: impl Into<Refresh>) -> Self {
        let Refresh { every, stale_after } = refresh.into();
        let followed = source.url().followed_revision().to_owned();
        info!(config.source = %source.url(), "following the configuration of {}", source.url());
        let keeper = Self(Arc::new(Inner {
            source: Mutex::new(source),
            followed,
            stale_after,
            clock,
            state: watch::Sender::default(),
            ending: watch::Sender::default(),
            refreshing: tokio::sync::Mutex::default(),
        }));
        keeper.refresh().await;
        diracx_server::spawn(look_regularly(Arc::downgrade(&keeper.0), every));
        keeper
    }

    /// What is known now.
    pub fn snapshot(&self) -> Snapshot {
        self.0.state.borrow().clone()
    }

    /// What is served now, if anything is.
    pub fn loaded(&self) -> Option<Arc<Loaded>> {
        self.0.state.borrow().loaded.clone()
    }

    /// Wakes up whenever something changes.
    pub fn subscribe(&self) -> watch::Receiver<Snapshot> {
        self.0.state.subscribe()
    }

    /// Ends the streams of those who watch, and of all who come later, as soon as `end` is ready: the process
    /// is about to end, and they had better watch another one.
    pub fn end_streams_at(&self, end: impl Future<Output = ()> + Send + 'static) {
        let ending = self.0.ending.clone();
        diracx_server::spawn(async move {
            end.await;
            ending.send_replace(true);
        });
    }

    /// Turns true when streams are to end.
    pub fn ending(&self) -> watch::Receiver<bool> {
        self.0.ending.subscribe()
    }

    /// The branch, tag or commit that is followed; empty for a plain file.
    pub fn followed_revision(&self) -> &str {
        &self.0.followed
    }

    /// Looks at the source now. Returns when what it found is served.
    pub async fn refresh(&self) {
        self.0.clone().refresh().await;
    }
}

async fn look_regularly(inner: Weak<Inner>, every: Duration) {
    let mut ticks = interval_at(tokio::time::Instant::now() + every, every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(inner) = inner.upgrade() else { return };
        inner.refresh().await;
    }
}

impl Inner {
    async fn refresh(self: Arc<Self>) {
        let _alone = self.refreshing.lock().await;
        let known = self.state.borrow().loaded.clone();
        let reader = self.clone();
        let looked = spawn_blocking(move || reader.look(known.as_deref())).await;
        let now = self.clock.now();
        match looked {
            Ok(Ok(newer)) => self.admit(newer, now),
            Ok(Err(error)) => self.fail(error.to_string(), now),
            Err(panic) => {
                error!("reading the configuration panicked: {panic}");
                self.fail("reading the configuration failed; the log has the details".to_owned(), now);
            }
        }
    }

    /// The newest configuration, unless it is the one that is known.
    fn look(&self, known: Option<&Loaded>) -> Result<Option<Loaded>, SourceError> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = source.latest()?;
        if known.is_some_and(|known| known.revision == revision) {
            return Ok(None);
        }
        let config = source.read(&revision)?;
        let document = config.to_document();
        Ok(Some(Loaded { revision, config: Arc::new(config), document, loaded: self.clock.now() }))
    }

    fn admit(&self, newer: Option<Loaded>, now: DateTime<Utc>) {
        if let Some(newer) = &newer {
            let Revision { id, modified } = &newer.revision;
            let vos = newer.config.registry.len();
            info!(config.revision = id, vo.count = vos, "serving configuration {id} of {modified}");
        }
        let recovered = self.state.borrow().failure.is_some();
        if recovered {
            info!("the configuration can be read again");
        }
        let changed = newer.is_some() || recovered;
        self.state.send_if_modified(|state| {
            if let Some(newer) = newer {
                state.loaded = Some(Arc::new(newer));
            }
            state.checked = Some(now);
            state.failure = None;
            state.stale = false;
            changed
        });
    }

    fn fail(&self, message: String, now: DateTime<Utc>) {
        let before = self.state.borrow().clone();
        if before.failure.is_none_or(|failure| failure.message != message) {
            // Once per cause; every look would fill the log.
            warn!("the configuration cannot be refreshed, keeping the last good one: {message}");
        }
        let age = before.checked.and_then(|checked| (now - checked).to_std().ok()).unwrap_or_default();
        let stale = before.stale || (before.loaded.is_some() && age > self.stale_after);
        if stale && !before.stale {
            error!(
                config.age_s = age.as_secs(),
                "nobody has confirmed the configuration for {} s; it is served as it is: {message}",
                age.as_secs()
            );
        }
        self.state.send_modify(|state| {
            state.failure = Some(Failure { message, time: now });
            state.stale = stale;
        });
    }
}
