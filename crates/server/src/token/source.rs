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
use tokio::sync::Mutex;

use super::{KeyStore, Keyring, TokenError};

/// Fetches the text of a JWKS.
pub type FetchJwks =
    Arc<dyn Fn() -> BoxFuture<'static, Result<String, Box<dyn Error + Send + Sync>>> + Send + Sync>;

/// Why a fetch failed; everybody who waited for it is told.
type Failure = Arc<dyn Error + Send + Sync>;

/// Fetched keys are asked for again after this many milliseconds.
const MAX_AGE_MS: i64 = 300_000;
/// A key id that we do not know makes us ask again, but not more often than this: whoever invents key ids must not
/// keep the auth service busy, and whoever has a token of a fresh key should not be turned away for long.
const MIN_AGE_MS: i64 = 500;

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
    /// hold `kid`; if that fails, the last good ones serve.
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
    /// Held by whoever fetches, so that only one does; holds how the last fetch ended.
    fetching: Mutex<Result<(), Failure>>,
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
            fetching: Mutex::new(Ok(())),
        };
        Self { shared: Arc::new(shared) }
    }

    async fn keys(&self, kid: Option<&str>) -> Result<Arc<KeyStore>, TokenError> {
        let known = |store: &KeyStore| kid.is_none_or(|kid| store.knows(kid));
        let current = self.shared.current.load_full();
        if let Some(current) = &current
            && (known(&current.1) || self.shared.age_ms() < MIN_AGE_MS)
        {
            return Ok(current.1.clone());
        }
        let fetched = self.shared.fetch_once().await;
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
            if shared.fetching.try_lock().is_ok() {
                crate::spawn(async move {
                    if let Err(error) = shared.fetch_once().await {
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

    /// Fetches; or, if somebody else did so while we waited for our turn, takes what that one got.
    async fn fetch_once(&self) -> Result<(), Failure> {
        let fetched_before = self.fetches.load(Ordering::Acquire);
        let mut last = self.fetching.lock().await;
        if self.fetches.load(Ordering::Acquire) == fetched_before {
            self.asked_at_ms.store(self.clock.now().timestamp_millis(), Ordering::Relaxed);
            *last = self.fetch().await;
            self.fetches.fetch_add(1, Ordering::Release);
        }
        last.clone()
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
