//! Which pilot ran which job; compiled once per backend.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{
    Bind, DbResult, UtcTime,
    statement::{BulkInsert, one_of},
};

use super::{Conn, dialect};
use crate::store::{link::Link, schema::job_to_pilot_mapping as mapping};

/// How many numbers one statement names.
const NUMBERS: usize = 1_000;

/// The numbers of the pilots that ran any of these jobs, each once.
pub(super) async fn pilots_of(conn: &mut Conn, jobs: &[JobId]) -> DbResult<Vec<i64>> {
    let mut pilots: Vec<i64> = Vec::new();
    for jobs in jobs.chunks(NUMBERS) {
        let found: Vec<i64> = mapping::table
            .filter(one_of(mapping::job_id, jobs.iter().map(|job| job.get())))
            .select(mapping::pilot_id)
            .load(conn)
            .await?;
        pilots.extend(found);
    }
    pilots.sort_unstable();
    pilots.dedup();
    Ok(pilots)
}

type Row = (i64, i64, Option<UtcTime>);

/// Each link once: DIRAC's own table has no key, so there may be several; the last start counts, since DIRAC adds a row
/// when a job comes back.
fn collect(rows: Vec<Row>) -> Vec<Link> {
    let mut links: BTreeMap<(i64, i64), Option<DateTime<Utc>>> = BTreeMap::new();
    for (pilot, job, start) in rows {
        let start = start.map(UtcTime::utc);
        let known = links.entry((pilot, job)).or_insert(start);
        *known = start.max(*known);
    }
    links.into_iter().map(|((pilot, job), start)| Link { pilot, job: JobId(job), start }).collect()
}

/// The links of pilots.
pub(super) async fn of_pilots(conn: &mut Conn, pilots: &[i64]) -> DbResult<Vec<Link>> {
    let mut all = Vec::new();
    for pilots in pilots.chunks(NUMBERS) {
        let rows: Vec<Row> = mapping::table
            .filter(one_of(mapping::pilot_id, pilots.iter().copied()))
            .select((mapping::pilot_id, mapping::job_id, mapping::start_time))
            .load(conn)
            .await?;
        all.extend(rows);
    }
    Ok(collect(all))
}

/// The links of jobs.
pub(super) async fn of_jobs(conn: &mut Conn, jobs: &[JobId]) -> DbResult<Vec<Link>> {
    let mut all = Vec::new();
    for jobs in jobs.chunks(NUMBERS) {
        let rows: Vec<Row> = mapping::table
            .filter(one_of(mapping::job_id, jobs.iter().map(|job| job.get())))
            .select((mapping::pilot_id, mapping::job_id, mapping::start_time))
            .load(conn)
            .await?;
        all.extend(rows);
    }
    Ok(collect(all))
}

/// Gives jobs to a pilot whose row is locked. Those that it has stay as they are; one that another pilot has had
/// meanwhile comes back, and starts anew.
///
/// Whoever started last has a job, so a start that was not said lies behind that of the pilot before, also where a column
/// has whole seconds only.
pub(super) async fn insert(
    conn: &mut Conn,
    pilot: i64,
    jobs: &[JobId],
    said: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> DbResult<()> {
    let own: Vec<Row> = dialect::locked!(mapping::table.filter(mapping::pilot_id.eq(pilot)).select((
        mapping::pilot_id,
        mapping::job_id,
        mapping::start_time
    )))
    .load(conn)
    .await?;
    let own: BTreeMap<JobId, Link> = collect(own).into_iter().map(|link| (link.job, link)).collect();
    let mut before: BTreeMap<JobId, Link> = BTreeMap::new();
    for link in of_jobs(conn, jobs).await?.into_iter().filter(|link| link.pilot != pilot) {
        let known = before.entry(link.job).or_insert_with(|| link.clone());
        if known.is_before(&link) {
            *known = link;
        }
    }
    let (mut new, mut back) = (Vec::new(), BTreeMap::<DateTime<Utc>, Vec<i64>>::new());
    for job in jobs.iter().copied().collect::<BTreeSet<JobId>>() {
        let before = before.get(&job);
        let behind = before.and_then(|link| link.start).map(|start| start + TimeDelta::seconds(1));
        let start = said.unwrap_or_else(|| behind.map_or(now, |behind| behind.max(now)));
        match own.get(&job) {
            None => new.push(vec![Bind::Int(pilot), Bind::Int(job.get()), UtcTime::from(start).into()]),
            Some(own) if before.is_some_and(|before| own.is_before(before)) && own.start < Some(start) => {
                back.entry(start).or_default().push(job.get());
            }
            Some(_) => {}
        }
    }
    let columns = &["PilotID", "JobID", "StartTime"];
    for rows in new.chunks(BulkInsert::rows_per_statement(columns.len())) {
        BulkInsert { table: "JobToPilotMapping", columns, rows, or_keep: false }.execute(conn).await?;
    }
    for (start, jobs) in back {
        for jobs in jobs.chunks(NUMBERS) {
            let links = mapping::table
                .filter(mapping::pilot_id.eq(pilot))
                .filter(one_of(mapping::job_id, jobs.iter().copied()));
            let start = mapping::start_time.eq(Some(UtcTime::from(start)));
            diesel::update(links).set(start).execute(conn).await?;
        }
    }
    Ok(())
}
