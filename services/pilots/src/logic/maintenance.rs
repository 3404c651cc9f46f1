//! What the system does by itself: pilots that are silent are given up, those that ended long ago are forgotten.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp};

use super::{credentials, jobs, links};
use crate::{Deps, error::Result, policy::Maintain, store::KnownPilot};

/// Pilots that were given up, and whether there are no more of them now.
#[derive(Debug)]
pub struct GivenUp {
    /// Which.
    pub pilots: Vec<PilotStamp>,
    /// No more of them.
    pub done: bool,
}

/// Gives up to `count` pilots up that have given no sign of life for long, and whose jobs have not, either. A sign of
/// life of a job counts as one of its pilot, and is noted as such, so that nobody looks at it again tomorrow.
pub async fn give_up_silent(deps: &Deps, _: &Maintain, count: usize) -> Result<GivenUp> {
    let now = deps.clock.now();
    let since = now - deps.lives.stalled_after;
    let silent = deps.store.silent_since(crate::deadline(), since, count).await?;
    let done = silent.len() < count;
    let pilots: Vec<&KnownPilot> = silent.iter().collect();
    let signs = signs_of_life(deps, &pilots, since).await?;
    let (alive, given_up): (Vec<_>, Vec<_>) =
        pilots.into_iter().partition(|pilot| signs.contains_key(&pilot.id));
    if !alive.is_empty() {
        deps.store.heard_of(crate::deadline(), signs).await?;
    }
    credentials::revoke(deps, &given_up).await?;
    let ids = given_up.iter().map(|pilot| pilot.id).collect();
    let reason = format!("No sign of life since {}", since.format("%Y-%m-%d %H:%M:%S"));
    let pilots = deps.store.give_up(crate::deadline(), ids, since, reason, now).await?;
    if !pilots.is_empty() {
        tracing::info!(pilot.count = pilots.len(), "gave up {} pilots without a sign of life", pilots.len());
    }
    Ok(GivenUp { pilots, done })
}

/// When the jobs of the pilots were last heard of, by pilot; silent ones are absent.
async fn signs_of_life(
    deps: &Deps,
    pilots: &[&KnownPilot],
    since: DateTime<Utc>,
) -> Result<BTreeMap<i64, DateTime<Utc>>> {
    let current = links::current_jobs(deps, pilots).await?;
    let all: Vec<JobId> = current.values().flatten().copied().collect();
    if all.is_empty() {
        return Ok(BTreeMap::new());
    }
    let heard = jobs::heard_of_since(deps, &all, since).await?;
    let last = |jobs: &Vec<JobId>| jobs.iter().filter_map(|job| heard.get(job)).max().copied();
    Ok(current.iter().filter_map(|(pilot, jobs)| Some((*pilot, last(jobs)?))).collect())
}

/// What was forgotten, and whether there is no more of it now.
#[derive(Debug)]
pub struct Forgotten {
    /// Pilots.
    pub pilots: usize,
    /// No more of it.
    pub done: bool,
}

/// Forgets up to `count` pilots that ended longer ago than pilots are remembered, and what came of old calls.
pub async fn forget_old(deps: &Deps, _: &Maintain, count: usize) -> Result<Forgotten> {
    let now = deps.clock.now();
    let (ended, aborted) = (now - deps.lives.retention, now - deps.lives.aborted_retention);
    let pilots = deps.store.forget_old(crate::deadline(), ended, aborted, count, now).await?;
    if pilots > 0 {
        tracing::info!(pilot.count = pilots, "forgot {pilots} pilots that had ended");
    }
    Ok(Forgotten { pilots, done: pilots < count })
}
