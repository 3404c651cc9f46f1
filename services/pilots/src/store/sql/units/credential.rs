//! Secrets and refresh tokens are kept, used and taken away.
//!
//! Nothing is locked while it is looked at, but for refresh tokens that are used or repeated. A use is taken by comparing and changing in one statement; whoever finds
//! it changed meanwhile is run again, and sees what the other did. What is revoked while a token is made is found by the
//! next use of that token.

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diracx_core::PilotStamp;
use diracx_db::{DbError, DbResult, Deadline};
use futures::FutureExt;
use uuid::Uuid;

use super::{super::Conn, Store, Tx, access_bar, holder, pilot, refresh_token, secret, stamp};
use crate::{
    error::Result,
    logic::exchange,
    store::{
        credential::{
            CredentialStore, Holder, NewSecret, Redemption, Revocation, Revoked, Rotation, Secret, Shown,
            ShownToken, TokenState,
        },
        registration::NewPilot,
        schema::PILOT_AGENTS_DB,
    },
};

#[async_trait]
impl CredentialStore for Store {
    async fn insert_secrets(&self, deadline: Deadline, secrets: Vec<NewSecret>) -> Result<()> {
        let secrets: Arc<[NewSecret]> = secrets.into();
        self.0
            .write(deadline, move |tx| {
                let secrets = Arc::clone(&secrets);
                async move { Ok(secret::insert(tx.on(PILOT_AGENTS_DB).await?, &secrets).await?) }.boxed()
            })
            .await
    }

    async fn secrets(
        &self,
        deadline: Deadline,
        vo: Option<String>,
        after: Option<Uuid>,
        limit: usize,
        now: DateTime<Utc>,
    ) -> Result<Vec<Secret>> {
        self.0
            .read(deadline, move |tx| {
                let vo = vo.clone();
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    Ok(secret::usable(conn, vo.as_deref(), after, limit, now).await?)
                }
                .boxed()
            })
            .await
    }

    async fn shown(&self, deadline: Deadline, hashes: Vec<String>, stamp: PilotStamp) -> Result<Shown> {
        self.0
            .read(deadline, move |tx| {
                let (hashes, stamp) = (hashes.clone(), stamp.clone());
                async move { Ok(shown(tx.on(PILOT_AGENTS_DB).await?, &hashes, &stamp).await?) }.boxed()
            })
            .await
    }

    async fn redeem(&self, deadline: Deadline, redemption: Redemption) -> Result<()> {
        let redemption = Arc::new(redemption);
        self.0
            .write(deadline, move |tx| {
                let redemption = Arc::clone(&redemption);
                async move { redeem(tx, &redemption).await }.boxed()
            })
            .await
    }

    async fn shown_token(
        &self,
        deadline: Deadline,
        hashes: Vec<String>,
        stamp: PilotStamp,
    ) -> Result<ShownToken> {
        self.0
            .read(deadline, move |tx| {
                let (hashes, stamp) = (hashes.clone(), stamp.clone());
                async move { Ok(shown_token(tx.on(PILOT_AGENTS_DB).await?, &hashes, &stamp).await?) }.boxed()
            })
            .await
    }

    async fn rotate(&self, deadline: Deadline, rotation: Rotation) -> Result<()> {
        let rotation = Arc::new(rotation);
        self.0
            .write(deadline, move |tx| {
                let rotation = Arc::clone(&rotation);
                async move { rotate(tx, &rotation).await }.boxed()
            })
            .await
    }

    async fn revoke_family(
        &self,
        deadline: Deadline,
        secret: Uuid,
        stamp: PilotStamp,
        at: DateTime<Utc>,
    ) -> Result<usize> {
        self.0
            .write(deadline, move |tx| {
                let stamp = stamp.clone();
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    secret::bar(conn, &BTreeSet::from([stamp.clone()]), at).await?;
                    access_bar::set(conn, std::iter::once(stamp.as_str()), at).await?;
                    Ok(refresh_token::revoke_family(conn, secret, stamp.as_str()).await?)
                }
                .boxed()
            })
            .await
    }

    async fn revoke(&self, deadline: Deadline, revocation: Revocation, at: DateTime<Utc>) -> Result<Revoked> {
        let revocation = Arc::new(revocation);
        self.0
            .write(deadline, move |tx| {
                let revocation = Arc::clone(&revocation);
                async move { Ok(revoke(tx.on(PILOT_AGENTS_DB).await?, &revocation, at).await?) }.boxed()
            })
            .await
    }

    async fn clean_credentials(&self, deadline: Deadline, now: DateTime<Utc>, limit: usize) -> Result<usize> {
        self.0
            .write(deadline, move |tx| {
                async move {
                    let conn = tx.on(PILOT_AGENTS_DB).await?;
                    let tokens = refresh_token::clean(conn, now, limit).await?;
                    access_bar::clean(conn, now, limit).await?;
                    Ok(tokens + secret::clean(conn, now, limit).await?)
                }
                .boxed()
            })
            .await
    }
}

/// Whoever has no secret learns nothing from how long it takes: the pilot is not even looked for. That costs most, since
/// DIRAC's table has no index for stamps.
async fn shown(conn: &mut Conn, hashes: &[String], stamp: &PilotStamp) -> DbResult<Shown> {
    let Some(secret) = secret::find(conn, hashes).await? else {
        return Ok(Shown { secret: None, pilot: None, barred: None });
    };
    Ok(Shown {
        secret: Some(secret),
        pilot: holder::find(conn, stamp).await?.map(|(_, holder)| holder),
        barred: secret::barred(conn, stamp).await?,
    })
}

async fn shown_token(conn: &mut Conn, hashes: &[String], stamp: &PilotStamp) -> DbResult<ShownToken> {
    let Some(token) = refresh_token::find(conn, hashes).await?.filter(|token| token.stamp == stamp.as_str())
    else {
        return Ok(ShownToken { token: None, secret_revoked: false, pilot: None, barred: None });
    };
    Ok(ShownToken {
        secret_revoked: secret::is_revoked(conn, token.secret).await?,
        pilot: holder::find(conn, stamp).await?.map(|(_, holder)| holder),
        barred: secret::barred(conn, stamp).await?,
        token: Some(token),
    })
}

/// The stamp of a pilot that may be new is claimed before anything is looked at: what is seen then is what everybody
/// before us has left, as in a registration.
async fn redeem(tx: &mut Tx, redemption: &Redemption) -> Result<()> {
    let Redemption { hashes, stamp, registration, next, at } = redemption;
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    let of_stamp = BTreeSet::from([stamp]);
    if registration.is_some() {
        stamp::claim(conn, &of_stamp).await?;
    }
    let itself = registration.as_ref().map(|new| Holder {
        vo: new.vo.clone(),
        grid_site: new.grid_site.clone(),
        destination_site: new.destination_site.clone(),
        status: new.status.as_str().to_owned(),
    });
    let admitted = exchange::by_secret(shown(conn, hashes, stamp).await?, stamp, itself.as_ref(), *at)?;
    if let Some(left) = admitted.secret.uses
        && !secret::take_use(conn, admitted.secret.id, left).await?
    {
        return Err(DbError::Conflict("a secret was used by somebody else".to_owned()).into());
    }
    if admitted.is_new
        && let Some(new) = registration
    {
        let new = NewPilot { vo: admitted.pilot.vo.clone(), ..new.clone() };
        let ids = pilot::insert(conn, &[&new], *at).await?;
        stamp::note(conn, std::iter::once(stamp).zip(ids)).await?;
    }
    Ok(refresh_token::insert(conn, next, None, admitted.secret.id, stamp, &admitted.pilot).await?)
}

/// A pilot that lost the answer, or calls twice at once, gets another token beside the first one.
async fn rotate(tx: &mut Tx, rotation: &Rotation) -> Result<()> {
    let Rotation { hashes, stamp, next, at } = rotation;
    let conn = tx.on(PILOT_AGENTS_DB).await?;
    refresh_token::lock(conn, hashes).await?;
    let (token, pilot) = exchange::by_token(shown_token(conn, hashes, stamp).await?, stamp, *at)?;
    if token.state == TokenState::Fresh && !refresh_token::use_up(conn, &token.hash, *at).await? {
        return Err(DbError::Conflict("a refresh token was used by somebody else".to_owned()).into());
    }
    Ok(refresh_token::insert(conn, next, Some(&token.hash), token.secret, stamp, &pilot).await?)
}

/// Pilots are barred first, and secrets revoked before what was got with them: whoever gets a token meanwhile cannot go
/// on with it.
pub(super) async fn revoke(conn: &mut Conn, revocation: &Revocation, at: DateTime<Utc>) -> DbResult<Revoked> {
    let vo = revocation.vo.as_deref();
    let sites: BTreeSet<String> = revocation.grid_sites.iter().cloned().collect();
    let elements: BTreeSet<String> = revocation.destination_sites.iter().cloned().collect();
    let named: BTreeSet<PilotStamp> = revocation.stamps.iter().cloned().collect();
    let foreign: BTreeSet<PilotStamp> = holder::vos(conn, &named)
        .await?
        .into_iter()
        .filter(|(_, of)| vo.is_some_and(|vo| vo != of))
        .map(|(stamp, _)| stamp)
        .collect();
    let mut stamps: BTreeSet<PilotStamp> = named.difference(&foreign).cloned().collect();
    let mut secrets: BTreeSet<String> = revocation.secrets.iter().copied().map(secret::key).collect();
    if !sites.is_empty() || !elements.is_empty() {
        let (used_there, were_there) = refresh_token::at_sites(conn, &sites, &elements, vo).await?;
        secrets.extend(used_there);
        stamps.extend(were_there);
        stamps.extend(holder::alive_at(conn, &sites, &elements, vo).await?);
    }
    secrets.extend(secret::bound_to(conn, &stamps, &sites, &elements).await?);
    secret::bar(conn, &stamps, at).await?;
    let (revoked, secrets) = secret::revoke(conn, &secrets, vo, at).await?;
    // who got something for a secret that was taken away may come with another one, but its access tokens are no good
    let mut holders = refresh_token::holders(conn, &secrets).await?;
    holders.extend(stamps.iter().map(ToString::to_string));
    access_bar::set(conn, holders.iter().map(String::as_str), at).await?;
    let tokens = refresh_token::revoke(conn, &secrets, &stamps, vo, at).await?;
    Ok(Revoked { secrets: revoked, tokens })
}
