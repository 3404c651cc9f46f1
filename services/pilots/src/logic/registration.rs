//! What becomes of pilots that somebody names.

use std::{fmt::Write, sync::Arc};

use diracx_server::Identity;
use sha2::{Digest, Sha256};

use crate::{
    Deps,
    error::{Error, Result},
    policy::RegisterPilots,
    store::registration::{Call, NewPilot, Registration},
};

/// Registers pilots; one outcome for each, in their order. A repetition of a call gets what the first one got.
pub async fn register(
    deps: &Deps,
    permit: RegisterPilots,
    pilots: Vec<NewPilot>,
    call: Option<Call>,
) -> Result<Vec<Result<()>>> {
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
    let taken = if good.is_empty() {
        Default::default()
    } else {
        let registration = Registration { pilots: good, at: deps.clock.now(), call };
        deps.store.register(crate::deadline(), registration).await?.taken
    };
    Ok(pilots
        .into_iter()
        .zip(refused)
        .map(|(pilot, refused)| match refused {
            Some(error) => Err(error),
            None if taken.contains(&pilot.stamp) => Err(Error::PilotExists(pilot.stamp)),
            None => Ok(()),
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
