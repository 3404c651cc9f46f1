//! Making tokens: any claims for the auth service, component tokens for calls of the system itself.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use chrono::Duration;
use diracx_core::Clock;

use super::{Algorithm, Claims, ComponentClaims, Keyring, error::KeyStoreError, jws};

/// How long a component token is good.
pub const COMPONENT_TOKEN_LIFETIME: Duration = Duration::minutes(5);
/// A component token is replaced when it has less than this left, so that it survives the call.
const COMPONENT_TOKEN_MARGIN: Duration = Duration::minutes(1);

/// Signs tokens with the first signing key of a key store. Cheap to clone.
#[derive(Clone)]
pub struct TokenMinter {
    keys: Keyring,
    algorithms: Arc<[Algorithm]>,
    issuer: Arc<str>,
    clock: Arc<dyn Clock>,
}

impl fmt::Debug for TokenMinter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenMinter").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl TokenMinter {
    /// A minter, if the store has a key that may sign with one of the allowed algorithms.
    pub fn new(
        keys: impl Into<Keyring>,
        issuer: &str,
        algorithms: &[Algorithm],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, KeyStoreError> {
        let keys = keys.into();
        keys.current().signing_key(algorithms)?;
        Ok(Self { keys, algorithms: algorithms.into(), issuer: issuer.into(), clock })
    }

    /// The issuer, for the claims of access tokens.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// A token that says this.
    pub fn mint(&self, claims: &impl Claims) -> Result<String, KeyStoreError> {
        let keys = self.keys.current();
        jws::sign(keys.signing_key(&self.algorithms)?, &serde_json::to_vec(claims)?)
    }

    /// A token that says anything at all: for claims that are no [`Claims`], as tests need them.
    pub fn mint_json(&self, claims: &serde_json::Value) -> Result<String, KeyStoreError> {
        let keys = self.keys.current();
        jws::sign(keys.signing_key(&self.algorithms)?, &serde_json::to_vec(claims)?)
    }

    /// The tokens that a component of this process shows to others.
    pub fn component(&self, name: &str) -> ComponentToken {
        ComponentToken { minter: self.clone(), name: name.into(), current: Arc::default() }
    }
}

/// The token of the moment and when it ends.
type Current = (i64, Arc<str>);

/// A component's token, renewed shortly before it ends. Cheap to clone; clones share the token.
#[derive(Debug, Clone)]
pub struct ComponentToken {
    minter: TokenMinter,
    name: Arc<str>,
    current: Arc<Mutex<Option<Current>>>,
}

impl ComponentToken {
    /// The component's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A token that is good for another minute at least.
    pub fn get(&self) -> Result<Arc<str>, KeyStoreError> {
        let now = self.minter.clock.now();
        // nothing can panic while the lock is held, and half a token cannot be seen
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((exp, token)) = &*current
            && *exp > (now + COMPONENT_TOKEN_MARGIN).timestamp()
        {
            return Ok(token.clone());
        }
        let claims = ComponentClaims::new(&self.name, self.minter.issuer(), now, COMPONENT_TOKEN_LIFETIME);
        let token: Arc<str> = self.minter.mint(&claims)?.into();
        *current = Some((claims.exp, token.clone()));
        Ok(token)
    }
}
