//! What becomes of pilots that somebody names.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write,
    sync::Arc,
};

use chrono::TimeDelta;
use diracx_core::PilotStamp;
use diracx_server::Identity;
use sha2::{Digest, Sha256};

use super::secrets::{self, Told};
use crate::{
    Deps, audit,
    error::{Error, Result},
    policy::{AdministerCredentials, RegisterPilots},
    store::registration::{Call, Made, NewPilot, Registration},
};

/// Registers pilots; one outcome for each, in their order, with its secret if they are to have some. A repetition of a
/// call gets what the first one got, but for the secrets.
pub async fn register(
    deps: &Deps,
    permit: RegisterPilots,
    pilots: Vec<NewPilot>,
    call: Option<Call>,
    secrets: Option<(TimeDelta, AdministerCredentials)>,
) -> Result<Vec<Result<Option<Told>>>> {
    let config = deps.config.current()?;
    let refused: Vec<Option<Error>> = pilots
        .iter()
        .map(|pilot| match permit.allows(&pilot.vo) {
            Err(forbidden) => Some(forbidden.into()),
            Ok(()) => config.vo(&pilot.vo).is_none().then(|| Error::UnknownVo(pilot.vo.clone())),
        })
        .collect();
    let good: Arc<[NewPilot]> = pilots
        .iter()
        .zip(&refused)
        .filter(|(_, refused)| refused.is_none())
        .map(|(pilot, _)| pilot.clone())
        .collect();
    let (kept, told) = match &secrets {
        None => (Vec::new(), Vec::new()),
        Some((lifetime, permit)) => {
            let pilots = good.iter().map(|pilot| (&pilot.stamp, pilot.vo.as_str()));
            secrets::of_pilots(deps, permit, *lifetime, pilots)?.into_iter().unzip()
        }
    };
    let stamps: Vec<PilotStamp> = good.iter().map(|pilot| pilot.stamp.clone()).collect();
    let made = if good.is_empty() {
        Made { taken: BTreeSet::new(), repeated: false }
    } else {
        let registration =
            Registration { pilots: good, secrets: kept.clone().into(), at: deps.clock.now(), call };
        deps.store.register(crate::deadline(), registration).await?
    };
    let Made { taken, repeated } = made;
    // a repetition registers nothing, and gives no secrets again
    let told = if repeated { Vec::new() } else { told };
    if let Some((_, permit)) = secrets.filter(|_| !repeated) {
        let bound = kept.into_iter().zip(&stamps).filter(|(_, stamp)| !taken.contains(*stamp));
        audit::secrets_made(&bound.map(|(secret, _)| secret).collect::<Vec<_>>(), &permit);
    }
    let mut told: BTreeMap<PilotStamp, Told> = stamps.into_iter().zip(told).collect();
    Ok(pilots
        .into_iter()
        .zip(refused)
        .map(|(pilot, refused)| match refused {
            Some(error) => Err(error),
            None if taken.contains(&pilot.stamp) => Err(Error::PilotExists(pilot.stamp)),
            None => Ok(told.remove(&pilot.stamp)),
        })
        .collect())
}

/// What a repetition of this call is known by: the same text of two callers means two calls.
pub fn call(identity: &Identity, request_id: &str, content: &[u8]) -> Call {
    let who = match identity.as_user() {
        Some(user) => [user.sub.clone(), user.dirac_group.clone()],
        None => ["component".to_owned(), component(identity)],
    };
    let key = [who[0].as_bytes(), who[1].as_bytes(), request_id.as_bytes()];
    Call { key: hash(&key), digest: hash(&[content]) }
}

fn component(identity: &Identity) -> String {
    identity.as_component().map(|component| component.name.clone()).unwrap_or_default()
}

/// A hash of texts, each with its length.
fn hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
