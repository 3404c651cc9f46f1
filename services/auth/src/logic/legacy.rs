//! Tokens for a DIRAC server that has authenticated a user by other means, such as a proxy.
//!
//! The server shows a key that the installation knows only as a hash. Its refresh token may be used many
//! times, because several of its processes share it, and jobs take it along. So it stays good when another token of the
//! user is used twice: that says nothing about it, and running jobs should not pay for it. It is revoked by its id.

use base64::{Engine, engine::general_purpose::URL_SAFE};
use chrono::Duration;

use super::{
    identity,
    tokens::{self, Holder, Tokens},
};
use crate::{
    audit, codes,
    deps::Deps,
    error::{Error, Result},
};

/// Before the key, in the authorization header.
const SCHEME: &str = "Bearer diracx:legacy:";

/// Nobody needs a token for longer, in either direction, in seconds: ten years.
const MOST_SECONDS: i64 = 10 * 366 * 86_400;

/// What the DIRAC server asks for.
pub(crate) struct Ask {
    pub(crate) authorization: String,
    pub(crate) preferred_username: String,
    pub(crate) scope: String,
    /// In seconds; as after a login if absent.
    pub(crate) refresh_token_lifetime: Option<i64>,
}

/// Tokens for the user whom the server names.
///
/// # Source
/// DiracX `routers/auth/token.py`, `perform_legacy_exchange`, in its order of checks; that the hashes are
/// compared in constant time and that lifetimes are bounded is ours.
pub(crate) async fn exchange(deps: &Deps, ask: &Ask) -> Result<Tokens> {
    let expected = deps.settings.legacy_exchange_key.as_ref().ok_or(Error::LegacyDisabled)?;
    let key = ask.authorization.strip_prefix(SCHEME).and_then(|key| URL_SAFE.decode(key).ok());
    let key = key.filter(|key| !key.is_empty()).ok_or(Error::LegacyHeader)?;
    if !codes::same_secret(&codes::hashed_bytes(&key), expected.expose()) {
        return Err(Error::LegacyKey);
    }
    let lifetime = lifetime(ask.refresh_token_lifetime, deps.settings.refresh_token_lifetime)?;
    let config = deps.config()?;
    // who may ask for anybody needs no help in finding out who there is
    let scope = deps.scope(&ask.scope, &config).map_err(|_| Error::LegacyAsk)?;
    let subject =
        config.vo(&scope.vo).and_then(|vo| vo.sub_of(&ask.preferred_username)).ok_or(Error::LegacyAsk)?;
    let grant = identity::grant(&config, scope, subject)?;
    let exp = (deps.clock.now() + lifetime).timestamp();
    let holder = Holder { grant: &grant, scope: &ask.scope, config: &config };
    let (kept, draft) = tokens::first_legacy(deps, &holder, exp)?;
    let (jti, tokens) = (kept.jti, draft.sign(deps)?);
    deps.store().insert_legacy_token(kept).await?;
    audit::login("legacy exchange", &grant, jti);
    Ok(tokens)
}

fn lifetime(asked: Option<i64>, default: Duration) -> Result<Duration> {
    match asked {
        None => Ok(default),
        Some(seconds) if (-MOST_SECONDS..=MOST_SECONDS).contains(&seconds) => Ok(Duration::seconds(seconds)),
        Some(_) => {
            Err(Error::Field { field: "refresh_token_lifetime", problem: "must be less than ten years" })
        }
    }
}
