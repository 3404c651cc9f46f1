//! Making, listing and taking away secrets.

use chrono::{DateTime, TimeDelta, Utc};
use diracx_core::PilotStamp;
use diracx_proto::Invalid;
use diracx_server::token::new_token_id;
use uuid::Uuid;

use super::pepper::{Kind, new_secret};
use crate::{
    Deps, audit,
    error::{Error, Result},
    policy::AdministerCredentials,
    store::credential::{Constraints, NewSecret, Revocation, Revoked, Secret},
};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Ask {
    /// How many.
    pub count: usize,
    /// The VO they are for.
    pub vo: String,
    /// How long they are good; nothing: as the settings say.
    pub lifetime: Option<TimeDelta>,
    /// How often each may be used; nothing: without a limit.
    pub uses: Option<i64>,
    /// Who may use them.
    pub constraints: Constraints,
}

/// A secret that is told to whoever asked for it, once. Not `Debug`: it is a secret.
pub struct Told {
    /// What it is called.
    pub id: Uuid,
    /// The secret.
    pub secret: String,
    /// Until when it is good.
    pub expires: DateTime<Utc>,
}

/// Makes secrets for pilots of a VO.
pub async fn create(deps: &Deps, permit: &AdministerCredentials, ask: &Ask) -> Result<Vec<Told>> {
    if deps.config.current()?.vo(&ask.vo).is_none() {
        return Err(Error::UnknownVo(ask.vo.clone()));
    }
    let now = deps.clock.now();
    let expires = expiry(deps, "lifetime", ask.lifetime, now)?;
    let made = (0..ask.count).map(|_| make(deps, permit, ask, expires, now)).collect::<Result<Vec<_>>>()?;
    let (kept, told): (Vec<NewSecret>, Vec<Told>) = made.into_iter().unzip();
    deps.store.insert_secrets(crate::deadline(), kept.clone()).await?;
    audit::secrets_made(&kept, permit);
    Ok(told)
}

/// A secret for each of these pilots, to be kept when the pilot is; each good for one use.
pub fn of_pilots<'p>(
    deps: &Deps,
    permit: &AdministerCredentials,
    lifetime: TimeDelta,
    pilots: impl Iterator<Item = (&'p PilotStamp, &'p str)>,
) -> Result<Vec<(NewSecret, Told)>> {
    let now = deps.clock.now();
    let expires = expiry(deps, "secret_lifetime", Some(lifetime), now)?;
    pilots
        .map(|(stamp, vo)| {
            let constraints =
                Constraints { pilot_stamps: [stamp.to_string()].into(), ..Constraints::default() };
            let ask = Ask { count: 1, vo: vo.to_owned(), lifetime: None, uses: Some(1), constraints };
            make(deps, permit, &ask, expires, now)
        })
        .collect()
}

fn make(
    deps: &Deps,
    permit: &AdministerCredentials,
    ask: &Ask,
    expires: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(NewSecret, Told)> {
    let (id, secret) = (new_token_id(now), new_secret()?);
    let kept = NewSecret {
        id,
        hash: deps.credentials.pepper.hash(Kind::Secret, &secret),
        vo: ask.vo.clone(),
        uses: ask.uses,
        expires,
        constraints: ask.constraints.clone(),
        created_by: permit.by().chars().take(255).collect(),
    };
    Ok((kept, Told { id, secret, expires }))
}

fn expiry(
    deps: &Deps,
    field: &str,
    lifetime: Option<TimeDelta>,
    now: DateTime<Utc>,
) -> Result<DateTime<Utc>, Invalid> {
    let longest = deps.credentials.longest_secret_lifetime;
    let lifetime = lifetime.unwrap_or(deps.credentials.secret_lifetime);
    if lifetime <= TimeDelta::zero() || lifetime > longest {
        let hours = longest.num_hours();
        return Err(Invalid::field(field, format!("must be more than nothing and at the most {hours} h")));
    }
    Ok(now + lifetime)
}

/// A page of secrets that can still be used, and whether there are more.
pub async fn list(
    deps: &Deps,
    _: &AdministerCredentials,
    vo: Option<String>,
    after: Option<Uuid>,
    size: usize,
) -> Result<(Vec<Secret>, bool)> {
    let now = deps.clock.now();
    let mut found = deps.store.secrets(crate::deadline(), vo, after, size + 1, now).await?;
    let more = found.len() > size;
    found.truncate(size);
    Ok((found, more))
}

/// Takes away what fits.
pub async fn revoke(deps: &Deps, permit: &AdministerCredentials, revocation: Revocation) -> Result<Revoked> {
    let now = deps.clock.now();
    let revoked = deps.store.revoke(crate::deadline(), revocation.clone(), now).await?;
    audit::revoked(&revocation, revoked, permit.by());
    Ok(revoked)
}

/// Takes away everything of pilots that somebody stops.
pub async fn revoke_pilots(deps: &Deps, stamps: Vec<PilotStamp>, by: &str) -> Result<Revoked> {
    let revocation = Revocation { stamps, ..Revocation::default() };
    let revoked = deps.store.revoke(crate::deadline(), revocation.clone(), deps.clock.now()).await?;
    audit::revoked(&revocation, revoked, by);
    Ok(revoked)
}
