//! Tokens for pilots.
//!
//! The pilots service knows the pilots and checks what they show; it has no keys, so it asks here. Such a token
//! names a pilot and nobody else: it has no properties, and opens only what the contract opens for pilots. docs/adr/0009
//! tells what else was considered.

use chrono::Duration;
use diracx_server::token::PilotClaims;

use crate::{
    audit,
    deps::Deps,
    error::{Error, Result},
    policy::IssuePilotToken,
};

/// The column of PilotAgentsDB has no room for more.
const LONGEST_STAMP: usize = 32;

/// A pilot's token. Not `Debug`: it is a secret.
pub(crate) struct Issued {
    pub(crate) access_token: String,
    pub(crate) expires_in: Duration,
}

/// The token of the pilot `stamp` of `vo`.
pub(crate) fn issue(deps: &Deps, vo: &str, stamp: &str, permit: &IssuePilotToken) -> Result<Issued> {
    if stamp.is_empty() || stamp.chars().count() > LONGEST_STAMP {
        return Err(Error::Field { field: "pilot_stamp", problem: "must have 1 to 32 characters" });
    }
    if !deps.config()?.registry.contains_key(vo) {
        return Err(Error::Field { field: "vo", problem: "is not in the configuration" });
    }
    let expires_in = deps.settings.access_token_lifetime;
    let claims = PilotClaims::new(vo, stamp, deps.minter.issuer(), deps.clock.now(), expires_in);
    let access_token = deps.minter.mint(&claims)?;
    audit::pilot(&claims, permit);
    Ok(Issued { access_token, expires_in })
}
