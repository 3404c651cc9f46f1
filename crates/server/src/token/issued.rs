//! The token of a component that has not the key store: the auth service issues it against an assertion.
//!
//! The assertion (RFC 7523) is signed with the component's own key. A token is kept until shortly before it ends; if
//! it cannot be renewed then, it serves to its end.

use std::{fmt, sync::Arc, time::Duration};

use chrono::TimeDelta;
use diracx_core::Clock;
use futures::future::BoxFuture;
use serde::Serialize;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{Algorithm, Keyring, claims::new_token_id, error::KeyStoreError, jws};
use crate::BoxError;

/// Assertions may be signed with any of these, whatever the installation's own tokens are signed with.
pub const ASSERTION_ALGORITHMS: [Algorithm; 3] = [Algorithm::Ed25519, Algorithm::Es256, Algorithm::Rs256];

/// How long an assertion is good: clocks differ, and twice this is the most that the auth service takes.
const ASSERTION_LIFETIME: TimeDelta = TimeDelta::minutes(5);
/// A token is replaced when it has less than this left, so that it survives the call.
const MARGIN_SECONDS: i64 = 60;
/// How soon after a failure the auth service is asked again.
const PAUSE_SECONDS: i64 = 1;

/// Shows an assertion to the auth service, and brings the token and how long it is good.
pub type ShowAssertion =
    Arc<dyn Fn(String) -> BoxFuture<'static, Result<(String, Duration), BoxError>> + Send + Sync>;

/// Why there is no token.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IssueError {
    /// The assertion cannot be signed.
    #[error("the assertion cannot be signed")]
    Signing(#[source] Arc<KeyStoreError>),
    /// The auth service is away, or refuses.
    #[error("the auth service gives no token: {0}")]
    Refused(Arc<dyn std::error::Error + Send + Sync>),
}

/// A component's token, issued by the auth service and renewed shortly before it ends. Cheap to clone; clones share
/// the token.
#[derive(Clone)]
pub struct IssuedToken(Arc<Inner>);

struct Inner {
    name: String,
    issuer: String,
    key: Keyring,
    show: ShowAssertion,
    clock: Arc<dyn Clock>,
    /// Held by whoever asks, so that one asks for all.
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The token of the moment and when it ends, in seconds since 1970.
    current: Option<(i64, Arc<str>)>,
    /// When asking failed, and why.
    failed: Option<(i64, IssueError)>,
}

/// What the component says: that it is itself, to this issuer, now.
#[derive(Serialize)]
struct Assertion<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    jti: Uuid,
    iat: i64,
    exp: i64,
}

impl fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedToken").field("name", &self.0.name).finish_non_exhaustive()
    }
}

impl IssuedToken {
    /// The token of the component `name` of the installation `issuer`; nothing is asked for yet.
    pub fn new(
        name: &str,
        issuer: &str,
        key: impl Into<Keyring>,
        show: ShowAssertion,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (name, issuer) = (name.to_owned(), issuer.to_owned());
        Self(Arc::new(Inner { name, issuer, key: key.into(), show, clock, state: Mutex::default() }))
    }

    /// A token that is good: for another minute, unless the auth service is away.
    ///
    /// # Errors
    /// If there is none, and none can be had.
    pub async fn get(&self) -> Result<Arc<str>, IssueError> {
        let inner = &*self.0;
        let mut state = inner.state.lock().await;
        let now = inner.clock.now().timestamp();
        let lasting = |left: i64| move |current: &&(i64, Arc<str>)| current.0 > now.saturating_add(left);
        if let Some((_, token)) = state.current.as_ref().filter(lasting(MARGIN_SECONDS)) {
            return Ok(token.clone());
        }
        let asked = match &state.failed {
            Some((at, error)) if now < at.saturating_add(PAUSE_SECONDS) => Err(error.clone()),
            _ => inner.ask().await,
        };
        match asked {
            Ok((token, lifetime)) => {
                let lifetime = i64::try_from(lifetime.as_secs()).unwrap_or(i64::MAX);
                let token: Arc<str> = token.into();
                // counted from before it was asked for, so that it never seems to last longer than it does
                *state = State { current: Some((now.saturating_add(lifetime), token.clone())), failed: None };
                Ok(token)
            }
            Err(error) => {
                if let Some((_, token)) = state.current.as_ref().filter(lasting(0)) {
                    return Ok(token.clone());
                }
                state.failed = Some((inner.clock.now().timestamp(), error.clone()));
                Err(error)
            }
        }
    }
}

impl Inner {
    async fn ask(&self) -> Result<(String, Duration), IssueError> {
        let assertion = self.assertion().map_err(|error| IssueError::Signing(Arc::new(error)))?;
        (self.show)(assertion).await.map_err(|error| IssueError::Refused(error.into()))
    }

    fn assertion(&self) -> Result<String, KeyStoreError> {
        let now = self.clock.now();
        let claims = Assertion {
            iss: &self.name,
            sub: &self.name,
            aud: &self.issuer,
            jti: new_token_id(now),
            iat: now.timestamp(),
            exp: (now + ASSERTION_LIFETIME).timestamp(),
        };
        let keys = self.key.current();
        jws::sign(keys.signing_key(&ASSERTION_ALGORITHMS)?, &serde_json::to_vec(&claims)?)
    }
}
