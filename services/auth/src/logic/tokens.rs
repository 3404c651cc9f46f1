//! Making the tokens of a session.

use diracx_core::property::SecurityProperty;
use diracx_server::token::{AccessClaims, RefreshClaims, new_token_id};
use serde_json::Map;

use super::identity::Grant;
use crate::{deps::Deps, error::Result, store::NewRefreshToken};

/// The tokens of a session. Not `Debug`: they are secrets.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) expires_in: chrono::Duration,
    pub(crate) refresh_token: String,
}

/// The refresh token of a session that begins now: what is kept of it, and what it says.
pub(crate) fn first_refresh_token(
    deps: &Deps,
    grant: &Grant,
    scope: &str,
) -> (NewRefreshToken, RefreshClaims) {
    let exp = (deps.clock.now() + deps.settings.refresh_token_lifetime).timestamp();
    refresh_token(deps, grant, scope, exp)
}

/// A refresh token of a session that ends at `exp`.
pub(crate) fn refresh_token(
    deps: &Deps,
    grant: &Grant,
    scope: &str,
    exp: i64,
) -> (NewRefreshToken, RefreshClaims) {
    let jti = new_token_id(deps.clock.now());
    let kept = NewRefreshToken { jti, scope: scope.to_owned(), sub: grant.sub.clone() };
    (kept, RefreshClaims { jti, exp, dirac_policies: Map::new(), legacy_exchange: false })
}

/// The tokens with this refresh token.
pub(crate) fn with_new_refresh_token(deps: &Deps, grant: Grant, refresh: &RefreshClaims) -> Result<Tokens> {
    let refresh_token = deps.minter.mint(refresh)?;
    with_refresh_token(deps, grant, refresh_token)
}

/// The tokens with a refresh token that was made before.
pub(crate) fn with_refresh_token(deps: &Deps, grant: Grant, refresh_token: String) -> Result<Tokens> {
    let now = deps.clock.now();
    let lifetime = deps.settings.access_token_lifetime;
    let claims = AccessClaims {
        jti: new_token_id(now),
        exp: (now + lifetime).timestamp(),
        dirac_policies: Map::new(),
        sub: grant.sub,
        vo: grant.scope.vo,
        iss: deps.minter.issuer().to_owned(),
        dirac_properties: grant.scope.properties.iter().map(SecurityProperty::to_string).collect(),
        preferred_username: grant.preferred_username,
        dirac_group: grant.scope.group,
    };
    Ok(Tokens { access_token: deps.minter.mint(&claims)?, expires_in: lifetime, refresh_token })
}
