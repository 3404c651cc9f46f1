//! Sessions that go on, and sessions that end.
//!
//! A refresh token works once. Its successor expires when it would have, so a session never gets longer.
//! Whoever shows one a second time has stolen it, or was robbed: all sessions of the user are closed, but for those of
//! DIRAC servers.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use diracx_server::token::TokenError;
use serde::Deserialize;
use uuid::Uuid;

use super::{
    identity::{self, subject_at_provider},
    tokens::{self, Holder, Tokens},
};
use crate::{
    audit,
    deps::Deps,
    error::{Error, Result},
    store::Rotation,
};

/// New tokens for a refresh token.
///
/// # Source
/// DiracX `logic/auth/token.py`, `get_oidc_token_info_from_refresh_flow`; that a revoked token of a DIRAC
/// server is refused is ours.
pub(crate) async fn refresh(deps: &Deps, token: &str) -> Result<Tokens> {
    let claims = deps
        .verifier
        .refresh_claims(token)
        .await
        .map_err(|error| Error::RefreshToken(error, kid_of(token)))?;
    let stored = deps.store().refresh_token(claims.jti).await?.ok_or(Error::TokenNotFound(claims.jti))?;
    if stored.revoked {
        if claims.legacy_exchange {
            // it was revoked on purpose; that its DIRAC server goes on using it says nothing of theft
            return Err(Error::LegacyTokenRevoked);
        }
        let closed = deps.store().revoke_session(&stored.sub).await?;
        return Err(reused(&stored.sub, claims.jti, closed));
    }
    let config = deps.config()?;
    let scope = deps.scope(&stored.scope, &config)?;
    let subject = subject_at_provider(&stored.sub, &scope.vo)
        .ok_or_else(|| Error::NotRegistered { vo: scope.vo.clone(), sub: stored.sub.clone() })?;
    let grant = identity::grant(&config, scope, subject)?;
    let holder = Holder { grant: &grant, scope: &stored.scope, config: &config };
    if claims.legacy_exchange {
        let tokens = tokens::again(deps, &holder, &claims, token)?.sign(deps)?;
        audit::refreshed(&grant, claims.jti, None);
        return Ok(tokens);
    }
    let (kept, draft) = tokens::next(deps, &holder, &claims)?;
    let (successor, tokens) = (kept.jti, draft.sign(deps)?);
    if let Rotation::Reused { closed } = deps.store().rotate_refresh_token(claims.jti, kept).await? {
        return Err(reused(&stored.sub, claims.jti, closed));
    }
    audit::refreshed(&grant, claims.jti, Some(successor));
    Ok(tokens)
}

/// Revokes the token that somebody gives back. What is no token of ours, or no good any more, is fine.
pub(crate) async fn revoke(deps: &Deps, token: &str, client_id: Option<&str>, hint: &str) -> Result<()> {
    if hint == "access_token" {
        return Err(Error::UnsupportedTokenType);
    }
    if client_id.is_some_and(|client_id| client_id != deps.settings.client_id) {
        return Err(Error::RevokingClient);
    }
    match deps.verifier.refresh_claims(token).await {
        Ok(claims) => {
            if deps.store().revoke_refresh_token(claims.jti).await? {
                audit::given_back(claims.jti);
            }
            Ok(())
        }
        Err(error @ TokenError::KeysUnavailable(_)) => Err(Error::RefreshToken(error, None)),
        Err(_) => Ok(()),
    }
}

fn reused(sub: &str, jti: Uuid, closed: usize) -> Error {
    audit::reused(sub, jti, closed);
    Error::Reused
}

/// The key that a token names, for the message.
fn kid_of(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Header {
        kid: String,
    }
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next()?).ok()?;
    serde_json::from_slice::<Header>(&header).ok().map(|header| header.kid.chars().take(100).collect())
}
