//! Tokens for pilots: first for a secret, then for the refresh token that came along.
//!
//! The auth service signs the access token. It is asked before anything is used up, when a look has shown that the pilot
//! will get it; then the secret or refresh token is used up in one unit of work that looks again. So a pilot
//! whose call fails halfway still has what it came with, and of two who come at once one goes away with nothing.

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::PilotStamp;
use diracx_proto::{auth::v1::IssuePilotTokenRequest, time};
use tonic::Code;

use super::{
    exchange::{self, Refusal},
    pepper::{Kind, new_secret},
};
use crate::{
    Deps, audit,
    error::{Error, Result},
    store::{
        credential::{Holder, NewToken, Redemption, Rotation, TokenState},
        registration::NewPilot,
    },
};

/// What a pilot gets. Not `Debug`: it is a secret.
pub struct Tokens {
    /// The access token.
    pub access: String,
    /// How long it is good.
    pub expires_in: TimeDelta,
    /// The refresh token.
    pub refresh: String,
    /// How long it is good.
    pub refresh_expires_in: TimeDelta,
}

/// Tokens for a secret. `registration` is what a pilot tells about itself that nobody knows.
pub async fn by_secret(
    deps: &Deps,
    stamp: PilotStamp,
    secret: &str,
    registration: Option<NewPilot>,
) -> Result<Tokens> {
    let at = deps.clock.now();
    let hashes = deps.credentials.hashes(Kind::Secret, secret);
    let itself = registration.as_ref().map(|new| Holder {
        vo: new.vo.clone(),
        grid_site: new.grid_site.clone(),
        destination_site: new.destination_site.clone(),
        status: new.status.as_str().to_owned(),
    });
    let shown = deps.store.shown(crate::deadline(), hashes.clone(), stamp.clone()).await?;
    let admitted = exchange::by_secret(shown, &stamp, itself.as_ref(), at);
    let admitted = admitted.map_err(|why| noted(&stamp, why.into()))?;
    let issued = issue(deps, &admitted.pilot.vo, &stamp).await;
    let (access, expires_in) = issued.map_err(|error| noted(&stamp, error))?;
    let (refresh, next) = next(deps, at)?;
    let redemption = Redemption { hashes, stamp: stamp.clone(), registration, next, at };
    deps.store.redeem(crate::deadline(), redemption).await.map_err(|error| noted(&stamp, error))?;
    audit::exchanged(&stamp, &admitted.pilot.vo, admitted.secret.id, admitted.is_new);
    let refresh_expires_in = deps.credentials.refresh_token_lifetime;
    Ok(Tokens { access, expires_in, refresh, refresh_expires_in })
}

/// Tokens for a refresh token, which is used up. Whoever shows one a second time has lost the answer, if that is a moment
/// ago and nobody has gone on with what was answered; else he has stolen it, or was robbed, and everything that the
/// pilot got is taken away.
pub async fn by_token(deps: &Deps, stamp: PilotStamp, token: &str) -> Result<Tokens> {
    let at = deps.clock.now();
    let hashes = deps.credentials.hashes(Kind::RefreshToken, token);
    let shown = deps.store.shown_token(crate::deadline(), hashes.clone(), stamp.clone()).await?;
    let family = shown.token.as_ref().map(|token| token.secret);
    let rotated = match exchange::by_token(shown, &stamp, at) {
        Ok((token, pilot)) => go_on(deps, &stamp, &pilot.vo, hashes, at).await.inspect(|_| {
            audit::refreshed(&stamp, &pilot.vo, token.secret, token.state == TokenState::Used);
        }),
        Err(refusal) => Err(refusal.into()),
    };
    if let (Err(Error::Grant(Refusal::Reused)), Some(secret)) = (&rotated, family) {
        let closed = deps.store.revoke_family(crate::deadline(), secret, stamp.clone(), at).await?;
        audit::reused(&stamp, secret, closed);
    }
    rotated.map_err(|error| noted(&stamp, error))
}

async fn go_on(
    deps: &Deps,
    stamp: &PilotStamp,
    vo: &str,
    hashes: Vec<String>,
    at: DateTime<Utc>,
) -> Result<Tokens> {
    let (access, expires_in) = issue(deps, vo, stamp).await?;
    let (refresh, next) = next(deps, at)?;
    deps.store.rotate(crate::deadline(), Rotation { hashes, stamp: stamp.clone(), next, at }).await?;
    let refresh_expires_in = deps.credentials.refresh_token_lifetime;
    Ok(Tokens { access, expires_in, refresh, refresh_expires_in })
}

/// What the pilot goes on with, and what is kept of it.
fn next(deps: &Deps, at: DateTime<Utc>) -> Result<(String, NewToken)> {
    let token = new_secret()?;
    let hash = deps.credentials.pepper.hash(Kind::RefreshToken, &token);
    Ok((token, NewToken { hash, expires: at + deps.credentials.refresh_token_lifetime }))
}

/// Has the auth service sign an access token.
async fn issue(deps: &Deps, vo: &str, stamp: &PilotStamp) -> Result<(String, TimeDelta)> {
    let request = IssuePilotTokenRequest { vo: vo.to_owned(), pilot_stamp: stamp.to_string() };
    let issued = diracx_client::auth(deps.auth.clone()).issue_pilot_token(request).await;
    let issued = issued.map_err(|status| match status.code() {
        // a VO that the configuration does not know any more
        Code::InvalidArgument => Refusal::OtherVo.into(),
        _ => Error::Auth(Box::new(status)),
    })?;
    let issued = issued.into_inner();
    let expires_in = time::whole_seconds(issued.expires_in.as_ref());
    Ok((issued.access_token, TimeDelta::try_seconds(expires_in).unwrap_or_default()))
}

/// Notes why a pilot was refused.
fn noted(stamp: &PilotStamp, error: Error) -> Error {
    if let Error::Grant(why) = error {
        audit::refused(stamp, why);
    }
    error
}
