//! From the text of an authorization header to an [`Identity`].

use std::{fmt, sync::Arc};

use chrono::{DateTime, Utc};
use diracx_core::Clock;
use moka::sync::Cache;
use serde_json::Value;

use super::{
    AccessClaims, Algorithm, Claims, ComponentClaims, KeySource, PilotClaims, RefreshClaims, TokenError, jws,
};
use crate::identity::{ComponentIdentity, Identity, PilotIdentity, RawToken, UserIdentity};

/// All verified tokens together take no more than this.
const CACHE_BYTES: u64 = 32 * 1024 * 1024;

/// Verifies tokens, remembering those it has verified until they expire. Cheap to clone.
#[derive(Clone)]
pub struct TokenVerifier {
    inner: Arc<Inner>,
}

struct Inner {
    issuer: String,
    algorithms: Vec<Algorithm>,
    keys: KeySource,
    clock: Arc<dyn Clock>,
    verified: Cache<Arc<str>, Verified>,
}

#[derive(Clone)]
struct Verified {
    identity: Arc<Identity>,
    exp: i64,
    /// Of the keys, before they were asked for.
    generation: u64,
}

impl fmt::Debug for TokenVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenVerifier")
            .field("issuer", &self.inner.issuer)
            .field("algorithms", &self.inner.algorithms)
            .finish_non_exhaustive()
    }
}

impl TokenVerifier {
    /// A verifier of the tokens that `issuer` signs with one of `algorithms`.
    pub fn new(
        issuer: impl Into<String>,
        algorithms: impl Into<Vec<Algorithm>>,
        keys: impl Into<KeySource>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let verified = Cache::builder()
            .max_capacity(CACHE_BYTES)
            // the text, the claims read from it, and what holds them
            .weigher(|token: &Arc<str>, _: &Verified| {
                u32::try_from(token.len() * 2 + 512).unwrap_or(u32::MAX)
            })
            .time_to_live(std::time::Duration::from_secs(3600))
            .build();
        let inner = Inner {
            issuer: issuer.into(),
            algorithms: algorithms.into(),
            keys: keys.into(),
            clock,
            verified,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Who sends this authorization header (or metadata of that name).
    pub async fn authenticate(&self, header: Option<&[u8]>) -> Result<Arc<Identity>, TokenError> {
        self.verify(bearer_token(header)?).await
    }

    /// Whose token this is: a user's, a pilot's or a component's.
    pub async fn verify(&self, token: &str) -> Result<Arc<Identity>, TokenError> {
        let inner = &*self.inner;
        let generation = inner.keys.generation();
        // what other keys verified counts no more
        if let Some(known) = inner.verified.get(token).filter(|known| known.generation == generation) {
            if known.exp >= inner.clock.now().timestamp() {
                return Ok(known.identity);
            }
            inner.verified.invalidate(token);
            return Err(TokenError::Expired);
        }
        let payload = self.payload(token).await?;
        let (identity, exp) = inner.identity(token, &payload)?;
        let identity = Arc::new(identity);
        inner.verified.insert(Arc::from(token), Verified { identity: identity.clone(), exp, generation });
        Ok(identity)
    }

    /// The claims of a refresh token that is genuine and has not ended. Whether it was revoked only
    /// the database knows.
    pub async fn refresh_claims(&self, token: &str) -> Result<RefreshClaims, TokenError> {
        let claims = RefreshClaims::from_payload(&self.payload(token).await?)?;
        claims.check_expiry(self.inner.clock.now())?;
        Ok(claims)
    }

    async fn payload(&self, token: &str) -> Result<Vec<u8>, TokenError> {
        let decoded = jws::decode(token)?;
        let keys = self.inner.keys.keys(decoded.header.kid.as_deref()).await?;
        keys.verify_decoded(decoded, &self.inner.algorithms)
    }
}

/// A time that no calendar has is the end of all of them.
fn instant(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

impl Inner {
    fn identity(&self, token: &str, payload: &[u8]) -> Result<(Identity, i64), TokenError> {
        #[derive(serde::Deserialize)]
        struct Kind {
            dirac_component: Option<Value>,
            pilot_stamp: Option<Value>,
        }
        let kind: Kind =
            serde_json::from_slice(payload).map_err(|_| TokenError::Invalid("claims are no object"))?;
        if kind.dirac_component.is_some() {
            let claims = ComponentClaims::from_payload(payload)?;
            self.check(&claims, &claims.iss)?;
            if claims.sub.strip_prefix("component:") != Some(&claims.dirac_component) {
                return Err(TokenError::Invalid("sub does not name the component"));
            }
            let exp = claims.exp;
            let component = ComponentIdentity {
                name: claims.dirac_component,
                token_id: claims.jti,
                expires: instant(exp),
            };
            return Ok((Identity::Component(component), exp));
        }
        if kind.pilot_stamp.is_some() {
            return self.pilot(token, payload);
        }
        let claims = AccessClaims::from_payload(payload)?;
        self.check(&claims, &claims.iss)?;
        let exp = claims.exp;
        let user = UserIdentity {
            sub: claims.sub,
            vo: claims.vo,
            dirac_group: claims.dirac_group,
            properties: claims.dirac_properties,
            preferred_username: claims.preferred_username,
            policies: Value::Object(claims.dirac_policies),
            token_id: claims.jti,
            expires: instant(exp),
            token: RawToken::new(token),
        };
        Ok((Identity::User(Arc::new(user)), exp))
    }

    fn pilot(&self, token: &str, payload: &[u8]) -> Result<(Identity, i64), TokenError> {
        let claims = PilotClaims::from_payload(payload)?;
        self.check(&claims, &claims.iss)?;
        if claims.vo.is_empty() || claims.pilot_stamp.is_empty() {
            return Err(TokenError::Invalid("a pilot without VO or stamp"));
        }
        if claims.sub != format!("{}:{}", claims.vo, claims.pilot_stamp) {
            return Err(TokenError::Invalid("sub does not name the pilot"));
        }
        let pilot = PilotIdentity {
            vo: claims.vo,
            stamp: claims.pilot_stamp,
            token_id: claims.jti,
            expires: instant(claims.exp),
            token: RawToken::new(token),
        };
        Ok((Identity::Pilot(Arc::new(pilot)), claims.exp))
    }

    fn check(&self, claims: &impl Claims, issuer: &str) -> Result<(), TokenError> {
        if issuer != self.issuer {
            return Err(TokenError::Invalid("another issuer"));
        }
        claims.check_expiry(self.clock.now())
    }
}

/// The token in `Bearer <token>`. The scheme is case-sensitive, as in DiracX.
fn bearer_token(header: Option<&[u8]>) -> Result<&str, TokenError> {
    let header = header.unwrap_or_default();
    if header.is_empty() {
        return Err(TokenError::Missing);
    }
    let token = header.strip_prefix(b"Bearer ").ok_or(TokenError::HeaderInvalid)?;
    if token.is_empty() {
        return Err(TokenError::HeaderInvalid);
    }
    std::str::from_utf8(token).map_err(|_| TokenError::Invalid("not text"))
}
