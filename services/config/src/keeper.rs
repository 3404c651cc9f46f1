//! Keeps the newest good configuration in memory and looks for a newer one in the background.
//!
//! Whatever happens to the source, what was good stays: a network that is gone or a commit that is
//! broken is reported and looked at again, and never takes a served configuration away.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError, Weak},
    time::Duration,
};

use chrono::{DateTime, Utc};
use diracx_core::{Clock, config::Served};
use diracx_cs::{ConfigSource, Document, Revision, SourceError};
use tokio::{
    sync::watch,
    task::spawn_blocking,
    time::{MissedTickBehavior, interval},
};
use tracing::{error, info, warn};

use crate::kept::{Kept, Remembered};

/// A configuration that is served. It is there as text only: whoever works with it has read the text.
#[derive(Debug)]
pub struct Loaded {
    /// Which state of the source it is.
    pub revision: Revision,
    /// As JSON, the body of `GET /api/config/`.
    pub document: String,
    /// How many VOs it has.
    pub vos: usize,
    /// When this process began to serve it.
    pub loaded: DateTime<Utc>,
}

/// The last look at the source that went wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// In one sentence, without credentials.
    pub message: String,
    /// Since when this is so.
    pub since: DateTime<Utc>,
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
    /// Whether it is the copy that an earlier process kept: the source has not answered since this one started.
    pub kept: bool,
}

/// How often to look for a newer configuration, for how long one may go unconfirmed, and how large it may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refresh {
    /// Between two looks.
    pub every: Duration,
    /// After that it counts as stale, and operators are told.
    pub stale_after: Duration,
    /// The bytes of the largest message that can be sent. A configuration that does not fit is not served.
    pub most_bytes: usize,
}

/// How long DiracX would serve a configuration that it cannot refresh.
pub const STALE_AFTER: Duration = Duration::from_secs(3600);

/// What a message has besides the document.
const ENVELOPE: usize = 1024;

impl From<Duration> for Refresh {
    fn from(every: Duration) -> Self {
        Self { every, stale_after: STALE_AFTER, most_bytes: diracx_client::MAX_ANSWER_BYTES }
    }
}

impl Refresh {
    /// Nobody reads longer messages than our clients do.
    fn most_of_the_document(&self) -> usize {
        self.most_bytes.min(diracx_client::MAX_ANSWER_BYTES).saturating_sub(ENVELOPE)
    }
}

/// The configuration of this process, and the looking after it. Cheap to clone; the background work
/// ends with the last clone.
#[derive(Clone)]
pub struct ConfigKeeper(Arc<Inner>);

struct Inner {
    reader: Mutex<Reader>,
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
    /// As [`ConfigKeeper::begin`], and waits for the first look.
    pub async fn start(source: ConfigSource, clock: Arc<dyn Clock>, refresh: impl Into<Refresh>) -> Self {
        let keeper = Self::begin(source, clock, refresh);
        keeper.first_look().await;
        keeper
    }

    /// Looks for the configuration at once and then as often as `refresh` says, in the background.
    ///
    /// A look that fails is no error here: it is logged, reported, and tried again.
    pub fn begin(source: ConfigSource, clock: Arc<dyn Clock>, refresh: impl Into<Refresh>) -> Self {
        Self::run(Reader::new(source), clock, refresh.into())
    }

    /// As [`ConfigKeeper::begin`], and the last good document is kept on disk: it is served until the source answers,
    /// should a process start while the source is away.
    pub(crate) fn begin_keeping(
        source: ConfigSource,
        clock: Arc<dyn Clock>,
        refresh: impl Into<Refresh>,
        kept: Kept,
    ) -> Self {
        Self::run(Reader { kept: Some(kept), ..Reader::new(source) }, clock, refresh.into())
    }

    fn run(reader: Reader, clock: Arc<dyn Clock>, refresh: Refresh) -> Self {
        let reader = Reader { most: refresh.most_of_the_document(), ..reader };
        let url = reader.source.url();
        info!(config.source = %url, "following the configuration of {url}");
        let keeper = Self(Arc::new(Inner {
            followed: url.followed_revision().to_owned(),
            reader: Mutex::new(reader),
            stale_after: refresh.stale_after,
            clock,
            state: watch::Sender::default(),
            ending: watch::Sender::default(),
            refreshing: tokio::sync::Mutex::default(),
        }));
        diracx_server::spawn(look_regularly(Arc::downgrade(&keeper.0), refresh.every));
        keeper
    }

    /// Waits until the source was looked at once, whatever came of it.
    pub async fn first_look(&self) {
        let mut states = self.subscribe();
        // the sender lives as long as we do
        let _ = states.wait_for(|state| state.checked.is_some() || state.failure.is_some()).await;
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

    /// The time.
    pub(crate) fn clock(&self) -> Arc<dyn Clock> {
        self.0.clock.clone()
    }

    /// Looks at the source now. Returns when what it found is served.
    pub async fn refresh(&self) {
        self.0.clone().refresh().await;
    }
}

async fn look_regularly(inner: Weak<Inner>, every: Duration) {
    let mut ticks = interval(every);
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
        let inner = self.clone();
        let looked = spawn_blocking(move || {
            let mut reader = inner.reader.lock().unwrap_or_else(PoisonError::into_inner);
            let now = inner.clock.now();
            let found = reader.look(known.as_deref(), now);
            // without anything better, what an earlier process has left
            let kept = if found.is_err() && known.is_none() { reader.kept(now) } else { None };
            (found, kept)
        })
        .await;
        let now = self.clock.now();
        match looked {
            Ok((Ok(newer), _)) => self.admit(newer, now),
            Ok((Err(message), kept)) => {
                self.fail(message, now);
                if let Some((loaded, confirmed)) = kept {
                    self.make_do(loaded, confirmed);
                }
            }
            Err(panic) => {
                error!("reading the configuration panicked: {panic}");
                self.fail("reading the configuration failed; the log has the details".to_owned(), now);
            }
        }
    }

    fn admit(&self, newer: Option<Loaded>, now: DateTime<Utc>) {
        if let Some(newer) = &newer {
            let Revision { id, modified } = &newer.revision;
            info!(config.revision = id, vo.count = newer.vos, "serving configuration {id} of {modified}");
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
            state.kept = false;
            changed
        });
    }

    /// Serves what an earlier process has kept.
    fn make_do(&self, loaded: Loaded, confirmed: DateTime<Utc>) {
        let id = &loaded.revision.id;
        warn!(
            config.revision = id,
            "serving configuration {id} as it was kept on disk, confirmed {confirmed}"
        );
        self.state.send_modify(|state| {
            state.loaded = Some(Arc::new(loaded));
            state.checked = Some(confirmed);
            state.kept = true;
        });
    }

    fn fail(&self, message: String, now: DateTime<Utc>) {
        let before = self.state.borrow().clone();
        let known = before.failure.filter(|failure| failure.message == message);
        if known.is_none() {
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
        let changed = known.is_none() || stale != before.stale;
        self.state.send_if_modified(|state| {
            state.failure = Some(known.unwrap_or(Failure { message, since: now }));
            state.stale = stale;
            changed
        });
    }
}

/// What looks at the source.
struct Reader {
    source: ConfigSource,
    /// The most bytes of a document that can be sent.
    most: usize,
    /// The newest revision, if it is no good: reading it again makes it no better.
    refused: Option<(Revision, String)>,
    /// Where the last good document is kept.
    kept: Option<Kept>,
}

impl Reader {
    fn new(source: ConfigSource) -> Self {
        Self { source, most: usize::MAX, refused: None, kept: None }
    }

    /// The newest configuration, unless it is the one that is known.
    fn look(&mut self, known: Option<&Loaded>, now: DateTime<Utc>) -> Result<Option<Loaded>, String> {
        let revision = self.source.latest().map_err(|error| error.to_string())?;
        if known.is_some_and(|known| known.revision == revision) {
            self.keep(|kept| kept.confirm(now));
            return Ok(None);
        }
        if let Some((_, problem)) = self.refused.as_ref().filter(|(refused, _)| *refused == revision) {
            return Err(problem.clone());
        }
        match self.read(&revision) {
            Ok((Served { document, vos }, written)) => {
                self.refused = None;
                self.keep(|kept| kept.save(&revision, &written).and_then(|()| kept.confirm(now)));
                Ok(Some(Loaded { revision, document, vos, loaded: now }))
            }
            Err(error) => {
                if error.is_about_the_document() {
                    self.refused = Some((revision, error.to_string()));
                }
                Err(error.to_string())
            }
        }
    }

    fn read(&mut self, revision: &Revision) -> Result<(Served, Document), SourceError> {
        let written = self.source.document(revision)?;
        Ok((written.expand(self.most)?, written))
    }

    /// What an earlier process has kept, and when the source confirmed it.
    fn kept(&self, now: DateTime<Utc>) -> Option<(Loaded, DateTime<Utc>)> {
        let Remembered { revision, document, confirmed } = self.kept.as_ref()?.load()?;
        match document.expand(self.most) {
            Ok(Served { document, vos }) => {
                Some((Loaded { revision, document, vos, loaded: now }, confirmed.min(now)))
            }
            Err(error) => {
                warn!("what is kept on disk is of no use: {error}");
                None
            }
        }
    }

    /// Does something with the file; that it cannot be done harms nobody now.
    fn keep(&self, act: impl FnOnce(&Kept) -> io::Result<()>) {
        if let Some(kept) = &self.kept
            && let Err(error) = act(kept)
        {
            warn!("the configuration cannot be kept in {}: {error}", kept.path().display());
        }
    }
}
