//! Where the keys to verify with come from: our own key store, or the JWKS of the auth service.

use std::{
    error::Error,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};

use arc_swap::ArcSwapOption;
use diracx_core::Clock;
use futures::future::BoxFuture;
use tokio::{
    sync::{Mutex, Semaphore},
    time::Instant,
};

use super::{KeyStore, Keyring, TokenError};

/// Fetches the text of a JWKS.
pub type FetchJwks =
    Arc<dyn Fn() -> BoxFuture<'static, Result<String, Box<dyn Error + Send + Sync>>> + Send + Sync>;

/// Why a fetch failed; everybody who waited for it is told.
type Failure = Arc<dyn Error + Send + Sync>;

/// Fetched keys are asked for again after this many milliseconds.
const MAX_AGE_MS: i64 = 300_000;
/// A key id that we do not know makes us ask again, but not sooner than this after the last time: whoever invents key
/// ids must not keep the auth service busy. Who has a token of a fresh key waits so long and is not turned away.
const MIN_AGE: Duration = Duration::from_millis(500);
/// So many may wait for keys that we do not know. It is the number of those who come within a moment after a rotation;
/// more than that have invented them.
const MOST_WAITING: usize = 512;

/// A fetch that hangs must not keep everybody waiting.
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

/// Where keys come from.
#[derive(Debug, Clone)]
pub enum KeySource {
    /// The key store of this process.
    Store(Keyring),
    /// The published keys of the auth service, fetched when needed and kept.
    Jwks(Arc<JwksSource>),
}

impl From<Arc<KeyStore>> for KeySource {
    fn from(store: Arc<KeyStore>) -> Self {
        Self::Store(store.into())
    }
}

impl From<Keyring> for KeySource {
    fn from(keys: Keyring) -> Self {
        Self::Store(keys)
    }
}

impl From<JwksSource> for KeySource {
    fn from(source: JwksSource) -> Self {
        Self::Jwks(Arc::new(source))
    }
}

impl KeySource {
    /// The keys to verify a token with. Fetched keys are fetched anew when they are old or do not
    /// hold `kid`, which may take half a second; if that fails, the last good ones serve.
    pub(super) async fn keys(&self, kid: Option<&str>) -> Result<Arc<KeyStore>, TokenError> {
        match self {
            Self::Store(keys) => Ok(keys.knowing(kid)),
            Self::Jwks(source) => source.keys(kid).await,
        }
    }

    /// Changes whenever the keys change, so that what was verified with old ones is forgotten. Old
    /// keys are renewed in the background.
    pub(super) fn generation(&self) -> u64 {
        match self {
            Self::Store(keys) => keys.generation(),
            Self::Jwks(source) => {
                source.renew_if_old();
                source.shared.generation.load(Ordering::Relaxed)
            }
        }
    }
}

/// Keys fetched from elsewhere.
pub struct JwksSource {
    shared: Arc<Shared>,
}

struct Shared {
    fetch: FetchJwks,
    clock: Arc<dyn Clock>,
    current: ArcSwapOption<(String, Arc<KeyStore>)>,
    generation: AtomicU64,
    /// How many fetches have ended.
    fetches: AtomicU64,
    /// When the last fetch began, in milliseconds since 1970.
    asked_at_ms: AtomicI64,
    /// Held by whoever fetches, so that only one does.
    last: Mutex<Option<Fetch>>,
    /// Places to wait in for a key that is not known.
    waiting: Semaphore,
}

/// A fetch that has ended.
struct Fetch {
    began: Instant,
    ended: Result<(), Failure>,
}

impl fmt::Debug for JwksSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksSource").finish_non_exhaustive()
    }
}

impl JwksSource {
    /// A source that has fetched nothing yet.
    pub fn new(fetch: FetchJwks, clock: Arc<dyn Clock>) -> Self {
        let shared = Shared {
            fetch,
            clock,
            current: ArcSwapOption::empty(),
            generation: AtomicU64::new(0),
            fetches: AtomicU64::new(0),
            asked_at_ms: AtomicI64::new(i64::MIN / 2),
            last: Mutex::new(None),
            waiting: Semaphore::new(MOST_WAITING),
        };
        Self { shared: Arc::new(shared) }
    }

    async fn keys(&self, kid: Option<&str>) -> Result<Arc<KeyStore>, TokenError> {
        if let Some(keys) = self.shared.knowing(kid) {
            return Ok(keys);
        }
        let current = self.shared.current.load_full();
        let _place = match (current, self.shared.waiting.try_acquire()) {
            (Some(current), Err(_)) => return Ok(current.1.clone()),
            // without any keys everybody has to wait
            (_, place) => place,
        };
        let fetched = self.shared.fetch_knowing(kid).await;
        match (self.shared.current.load_full(), fetched) {
            (Some(current), _) => Ok(current.1.clone()),
            (None, Err(error)) => Err(TokenError::KeysUnavailable(error)),
            (None, Ok(())) => Err(TokenError::KeysUnavailable(Failure::from(Box::from("no keys")))),
        }
    }

    fn renew_if_old(&self) {
        if self.shared.age_ms() >= MAX_AGE_MS && self.shared.current.load().is_some() {
            let shared = self.shared.clone();
            // only the first to see it asks
            if shared.last.try_lock().is_ok() {
                crate::spawn(async move {
                    if let Err(error) = shared.renew().await {
                        tracing::warn!(error = %error, "the keys of the token issuer cannot be renewed");
                    }
                });
            }
        }
    }
}

impl Shared {
    fn age_ms(&self) -> i64 {
        self.clock.now().timestamp_millis().saturating_sub(self.asked_at_ms.load(Ordering::Relaxed))
    }

    /// The keys, if they hold this one.
    fn knowing(&self, kid: Option<&str>) -> Option<Arc<KeyStore>> {
        let current = self.current.load();
        let keys = &current.as_ref()?.1;
        kid.is_none_or(|kid| keys.knows(kid)).then(|| keys.clone())
    }

    /// Fetches until the keys hold `kid`, or were asked for after it was met: then nobody has it. Takes what others
    /// got while we waited for our turn.
    async fn fetch_knowing(&self, kid: Option<&str>) -> Result<(), Failure> {
        let (met, fetched_before) = (Instant::now(), self.fetches.load(Ordering::Acquire));
        let mut last = self.last.lock().await;
        if let Some(Fetch { began, ended }) = &*last {
            let by_others = self.fetches.load(Ordering::Acquire) != fetched_before;
            if self.knowing(kid).is_some() || (by_others && (*began > met || ended.is_err())) {
                return ended.clone();
            }
            tokio::time::sleep_until(*began + MIN_AGE).await;
        }
        self.fetch_now(&mut last).await
    }

    /// Fetches, unless somebody else does or did.
    async fn renew(&self) -> Result<(), Failure> {
        match self.last.try_lock() {
            Ok(mut last) if self.age_ms() >= MAX_AGE_MS => self.fetch_now(&mut last).await,
            _ => Ok(()),
        }
    }

    async fn fetch_now(&self, last: &mut Option<Fetch>) -> Result<(), Failure> {
        let began = Instant::now();
        self.asked_at_ms.store(self.clock.now().timestamp_millis(), Ordering::Relaxed);
        let ended = self.fetch().await;
        *last = Some(Fetch { began, ended: ended.clone() });
        self.fetches.fetch_add(1, Ordering::Release);
        ended
    }

    async fn fetch(&self) -> Result<(), Failure> {
        let document = tokio::time::timeout(FETCH_TIMEOUT, (self.fetch)())
            .await
            .map_err(|_| Failure::from(Box::from("no answer in time")))?
            .map_err(Failure::from)?;
        if self.current.load().as_ref().is_some_and(|current| current.0 == document) {
            return Ok(());
        }
        let keys = KeyStore::parse(&document).map_err(|error| Arc::new(error) as Failure)?;
        self.current.store(Some(Arc::new((document, Arc::new(keys)))));
        self.generation.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}
