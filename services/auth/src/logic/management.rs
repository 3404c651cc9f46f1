//! Looking after refresh tokens: which there are, and taking one back by its id.

use diracx_server::Identity;
use uuid::Uuid;

use super::batch::page_size;
use crate::{
    audit,
    deps::Deps,
    error::{Error, Result},
    policy,
    store::StoredToken,
};

/// Some tokens, and where the next ones begin.
pub(crate) struct Page {
    pub(crate) tokens: Vec<StoredToken>,
    /// Empty on the last page.
    pub(crate) next: String,
}

/// The tokens that somebody may see, oldest first.
pub(crate) async fn list(deps: &Deps, identity: &Identity, size: i32, after: &str) -> Result<Page> {
    let scope = policy::list(identity)?;
    let size = page_size(size)?;
    let after = match after {
        "" => None,
        text => Some(text.parse::<Uuid>().map_err(|_| Error::Field {
            field: "page_token",
            problem: "must be the next_page_token of an answer",
        })?),
    };
    // one more than asked for tells whether there are more
    let mut tokens = deps.store().refresh_tokens(scope, after, size + 1).await?;
    let more = tokens.len() > size;
    tokens.truncate(size);
    let next = tokens.last().filter(|_| more).map(|last| last.jti.to_string()).unwrap_or_default();
    Ok(Page { tokens, next })
}

/// Revokes a token by its id. One that is revoked already stays so.
pub(crate) async fn revoke(deps: &Deps, identity: &Identity, jti: &str) -> Result<()> {
    let jti: Uuid = jti.parse().map_err(|_| Error::BadTokenId)?;
    let stored = deps.store().refresh_token(jti).await?.ok_or(Error::NoSuchToken(jti))?;
    let permit = policy::revoke(identity, &stored.sub)?;
    deps.store().revoke_refresh_token(jti).await?;
    audit::revoked(jti, &stored.sub, identity, &permit);
    Ok(())
}
