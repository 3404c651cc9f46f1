//! Which pilots ran which jobs.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diracx_core::{JobId, PilotStamp};

use crate::{
    Deps,
    error::Result,
    policy::{ManagePilots, PilotScope},
    store::{KnownPilot, Link},
};

/// Notes that a pilot runs jobs.
pub async fn assign(
    deps: &Deps,
    permit: ManagePilots,
    pilot: PilotStamp,
    jobs: Vec<JobId>,
    start: Option<DateTime<Utc>>,
) -> Result<()> {
    let now = deps.clock.now();
    let scope = permit.scope().clone();
    deps.store.assign_jobs(crate::deadline(), pilot, jobs, scope, start, now).await
}

/// The jobs of those of the pilots that may be seen and have jobs, in the order that was asked for.
pub async fn jobs_of(
    deps: &Deps,
    scope: &PilotScope,
    pilots: Vec<PilotStamp>,
) -> Result<Vec<(PilotStamp, Vec<Link>)>> {
    let known = deps.store.pilots(crate::deadline(), pilots.clone()).await?;
    let seen: Vec<&KnownPilot> = known.values().filter(|pilot| scope.has(&pilot.vo)).collect();
    let mut jobs = by_pilot(
        deps.store.links_of_pilots(crate::deadline(), seen.iter().map(|pilot| pilot.id).collect()).await?,
    );
    let mut asked = BTreeSet::new();
    Ok(pilots
        .into_iter()
        .filter(|stamp| asked.insert(stamp.clone()))
        .filter_map(|stamp| {
            let pilot = known.get(&stamp)?;
            let mut jobs = jobs.remove(&pilot.id)?;
            jobs.sort_by_key(|link| link.job);
            Some((stamp, jobs))
        })
        .collect())
}

/// A pilot that ran or runs a job.
#[derive(Debug, Clone)]
pub struct Runner {
    /// When.
    pub link: Link,
    /// The pilot.
    pub pilot: KnownPilot,
    /// Up to when access tokens were issued that do not count.
    pub barred: Option<DateTime<Utc>>,
}

/// The pilots of those of the jobs that have some that may be seen, in the order that was asked for; the newest last.
pub async fn pilots_of(
    deps: &Deps,
    scope: &PilotScope,
    jobs: Vec<JobId>,
) -> Result<Vec<(JobId, Vec<Runner>)>> {
    let links = deps.store.links_of_jobs(crate::deadline(), jobs.clone()).await?;
    let ids: BTreeSet<i64> = links.iter().map(|link| link.pilot).collect();
    let mut known = deps.store.pilots_by_id(crate::deadline(), ids.into_iter().collect()).await?;
    known.retain(|_, pilot| scope.has(&pilot.vo));
    let stamps = known.values().map(|pilot| pilot.stamp.clone()).collect();
    let barred = deps.store.access_bars(crate::deadline(), stamps).await?;
    let mut by_job: BTreeMap<JobId, Vec<Runner>> = BTreeMap::new();
    for link in links {
        if let Some(pilot) = known.get(&link.pilot).cloned() {
            let barred = barred.get(&pilot.stamp).copied();
            by_job.entry(link.job).or_default().push(Runner { link, pilot, barred });
        }
    }
    let mut asked = BTreeSet::new();
    Ok(jobs
        .into_iter()
        .filter(|job| asked.insert(*job))
        .filter_map(|job| {
            let mut pilots = by_job.remove(&job)?;
            pilots.sort_by_key(|runner| (runner.link.start, runner.link.pilot));
            Some((job, pilots))
        })
        .collect())
}

/// The jobs that each of the pilots has now: a job that went on to another pilot is no longer its own.
pub async fn current_jobs(deps: &Deps, pilots: &[&KnownPilot]) -> Result<BTreeMap<i64, Vec<JobId>>> {
    let ids: Vec<i64> = pilots.iter().map(|pilot| pilot.id).collect();
    let own = deps.store.links_of_pilots(crate::deadline(), ids.clone()).await?;
    let jobs: BTreeSet<JobId> = own.iter().map(|link| link.job).collect();
    let all = deps.store.links_of_jobs(crate::deadline(), jobs.into_iter().collect()).await?;
    Ok(newest(all, &ids.into_iter().collect()))
}

/// Of the pilots of each job the newest, if it is one of these.
fn newest(links: Vec<Link>, pilots: &BTreeSet<i64>) -> BTreeMap<i64, Vec<JobId>> {
    let mut newest: BTreeMap<JobId, Link> = BTreeMap::new();
    for link in links {
        let known = newest.entry(link.job).or_insert_with(|| link.clone());
        if known.is_before(&link) {
            *known = link;
        }
    }
    let mut jobs: BTreeMap<i64, Vec<JobId>> = BTreeMap::new();
    for (job, link) in newest {
        if pilots.contains(&link.pilot) {
            jobs.entry(link.pilot).or_default().push(job);
        }
    }
    jobs
}

fn by_pilot(links: Vec<Link>) -> BTreeMap<i64, Vec<Link>> {
    let mut jobs: BTreeMap<i64, Vec<Link>> = BTreeMap::new();
    for link in links {
        jobs.entry(link.pilot).or_default().push(link);
    }
    jobs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_belongs_to_the_pilot_that_took_it_last() {
        let link =
            |pilot, job, second| Link { pilot, job: JobId(job), start: DateTime::from_timestamp(second, 0) };
        let links = vec![
            link(2, 10, 5),
            link(1, 10, 1),
            link(1, 11, 1),
            link(3, 12, 1),
            link(1, 13, 2),
            link(2, 13, 2),
        ];
        let own = newest(links, &BTreeSet::from([1, 2]));
        assert_eq!(own, BTreeMap::from([(1, vec![JobId(11)]), (2, vec![JobId(10), JobId(13)])]));
    }
}
