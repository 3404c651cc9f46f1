//! Making the tokens of a session: first decided upon, then signed, then kept in the database. A session is not lost
//! because its tokens cannot be signed.

use diracx_core::{config::Config, property::SecurityProperty};
use diracx_server::token::{AccessClaims, RefreshClaims, new_token_id};
use serde_json::{Map, Value};

use super::identity::Grant;
use crate::{deps::Deps, enrichment::Occasion, error::Result, store::NewRefreshToken};

/// The tokens of a session. Not `Debug`: they are secrets.
pub(crate) struct Tokens {
    pub(crate) access_token: String,
    pub(crate) expires_in: chrono::Duration,
    pub(crate) refresh_token: String,
}

/// For whom tokens are made.
pub(crate) struct Holder<'a> {
    pub(crate) grant: &'a Grant,
    /// The scope as it was asked for.
    pub(crate) scope: &'a str,
    /// What the grant follows from.
    pub(crate) config: &'a Config,
}

/// Tokens that are decided upon and not yet signed. Nobody gets them before they are kept.
pub(crate) struct Draft {
    access: AccessClaims,
    refresh: RefreshToken,
}

enum RefreshToken {
    New(RefreshClaims),
    /// A DIRAC server keeps the one it has.
    Kept(String),
}

/// The tokens of a session that begins now: what is kept of it, and what its tokens say.
pub(crate) fn first(deps: &Deps, holder: &Holder<'_>) -> Result<(NewRefreshToken, Draft)> {
    let exp = (deps.clock.now() + deps.settings.refresh_token_lifetime).timestamp();
    new(deps, holder, None, exp, false)
}

/// The tokens of a session that begins now for a DIRAC server, and lasts until `exp`.
pub(crate) fn first_legacy(deps: &Deps, holder: &Holder<'_>, exp: i64) -> Result<(NewRefreshToken, Draft)> {
    new(deps, holder, None, exp, true)
}

/// The next tokens of the session whose refresh token said this. It ends when it would have.
pub(crate) fn next(
    deps: &Deps,
    holder: &Holder<'_>,
    shown: &RefreshClaims,
) -> Result<(NewRefreshToken, Draft)> {
    new(deps, holder, Some(&shown.dirac_policies), shown.exp, false)
}

/// Another access token for the refresh token that is shown, which stays as it is.
pub(crate) fn again(deps: &Deps, holder: &Holder<'_>, shown: &RefreshClaims, token: &str) -> Result<Draft> {
    let (access, _) = enriched(deps, holder, Some(&shown.dirac_policies), false)?;
    Ok(Draft { access, refresh: RefreshToken::Kept(token.to_owned()) })
}

fn new(
    deps: &Deps,
    holder: &Holder<'_>,
    carried: Option<&Map<String, Value>>,
    exp: i64,
    legacy_exchange: bool,
) -> Result<(NewRefreshToken, Draft)> {
    let (access, dirac_policies) = enriched(deps, holder, carried, true)?;
    let jti = new_token_id(deps.clock.now());
    let kept = NewRefreshToken { jti, scope: holder.scope.to_owned(), sub: access.sub.clone() };
    let refresh = RefreshToken::New(RefreshClaims { jti, exp, dirac_policies, legacy_exchange });
    Ok((kept, Draft { access, refresh }))
}

/// What the access token says, and what the policies say in the refresh token.
fn enriched(
    deps: &Deps,
    holder: &Holder<'_>,
    carried: Option<&Map<String, Value>>,
    has_new_refresh_token: bool,
) -> Result<(AccessClaims, Map<String, Value>)> {
    let now = deps.clock.now();
    let Grant { sub, preferred_username, scope } = holder.grant;
    let access = AccessClaims {
        jti: new_token_id(now),
        exp: (now + deps.settings.access_token_lifetime).timestamp(),
        dirac_policies: Map::new(),
        sub: sub.clone(),
        vo: scope.vo.clone(),
        iss: deps.minter.issuer().to_owned(),
        dirac_properties: scope.properties.iter().map(SecurityProperty::to_string).collect(),
        preferred_username: preferred_username.clone(),
        dirac_group: scope.group.clone(),
    };
    let occasion = Occasion {
        access: &access,
        scope: holder.scope,
        config: holder.config,
        carried: None,
        has_new_refresh_token,
    };
    let claims = deps.token_policies.enrich(&occasion, carried)?;
    Ok((AccessClaims { dirac_policies: claims.access, ..access }, claims.refresh))
}

impl Draft {
    /// Signs the tokens.
    pub(crate) fn sign(self, deps: &Deps) -> Result<Tokens> {
        let refresh_token = match self.refresh {
            RefreshToken::New(claims) => deps.minter.mint(&claims)?,
            RefreshToken::Kept(token) => token,
        };
        let access_token = deps.minter.mint(&self.access)?;
        Ok(Tokens { access_token, expires_in: deps.settings.access_token_lifetime, refresh_token })
    }
}
