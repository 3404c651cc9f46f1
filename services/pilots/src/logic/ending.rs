//! Stopping pilots, and forgetting them.

use std::collections::BTreeMap;

use diracx_core::{JobId, PilotStamp};

use super::{credentials, jobs, links};
use crate::{
    Deps,
    error::{Error, Result},
    policy::{ForgetPilots, ManagePilots},
    store::KnownPilot,
};

/// How many pilots are forgotten in one transaction: nobody should wait long behind it.
const AT_ONCE: usize = 500;

/// Stops pilots; one outcome for each, in their order. Those that have ended stay as they are.
///
/// They are marked last: a call that breaks off before, or finds the jobs service away, is simply repeated.
pub async fn kill(
    deps: &Deps,
    permit: ManagePilots,
    pilots: Vec<PilotStamp>,
    reason: Option<String>,
) -> Result<Vec<(PilotStamp, Result<()>)>> {
    let known = deps.store.pilots(crate::deadline(), pilots.clone()).await?;
    let seen = |stamp: &PilotStamp| known.get(stamp).filter(|pilot| permit.scope().has(&pilot.vo));
    let alive: Vec<&KnownPilot> =
        pilots.iter().filter_map(seen).filter(|pilot| !pilot.status.is_final()).collect();
    credentials::revoke(deps, &alive).await?;
    let current = links::current_jobs(deps, &alive).await?;
    let to_kill: BTreeMap<JobId, String> = alive
        .iter()
        .flat_map(|pilot| current.get(&pilot.id).into_iter().flatten().map(|job| (*job, pilot.vo.clone())))
        .collect();
    if !to_kill.is_empty() {
        jobs::kill(deps, &to_kill).await?;
    }
    let reason = reason.unwrap_or_else(|| format!("Killed by {}", permit.by()));
    let ids: Vec<i64> = alive.iter().map(|pilot| pilot.id).collect();
    if !ids.is_empty() {
        deps.store.abort(crate::deadline(), ids, reason, deps.clock.now()).await?;
    }
    let outcome = |stamp: PilotStamp| {
        let outcome = if seen(&stamp).is_some() { Ok(()) } else { Err(Error::PilotNotFound(stamp.clone())) };
        (stamp, outcome)
    };
    Ok(pilots.iter().cloned().map(outcome).collect())
}

/// Forgets pilots; one outcome for each, in their order. Those that are gone already are no error, so a call that broke
/// off is simply repeated.
pub async fn forget(
    deps: &Deps,
    permit: ForgetPilots,
    pilots: Vec<PilotStamp>,
) -> Result<Vec<(PilotStamp, Result<()>)>> {
    if permit.forced() {
        let known = deps.store.pilots(crate::deadline(), pilots.clone()).await?;
        credentials::revoke(deps, &known.values().collect::<Vec<_>>()).await?;
    }
    let mut outcomes = Vec::with_capacity(pilots.len());
    for some in pilots.chunks(AT_ONCE) {
        let mut kept = deps.store.forget(crate::deadline(), some.to_vec(), permit.forced()).await?;
        outcomes.extend(some.iter().cloned().map(|pilot| {
            let outcome = match kept.remove(&pilot) {
                Some(status) => Err(Error::NotEnded { pilot: pilot.clone(), status: status.to_string() }),
                None => Ok(()),
            };
            (pilot, outcome)
        }));
    }
    Ok(outcomes)
}
