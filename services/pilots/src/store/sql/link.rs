//! Which pilot ran which job; compiled once per backend.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
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

/// Each link once: DIRAC's own table has no key, so there may be several; the first start counts.
fn collect(rows: Vec<Row>) -> Vec<Link> {
    let mut links: BTreeMap<(i64, i64), Option<DateTime<Utc>>> = BTreeMap::new();
    for (pilot, job, start) in rows {
        let start = start.map(UtcTime::utc);
        let known = links.entry((pilot, job)).or_insert(start);
        *known = [*known, start].into_iter().flatten().min();
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

/// Links jobs to a pilot whose row is locked; those that are linked stay as they are.
pub(super) async fn insert(
    conn: &mut Conn,
    pilot: i64,
    jobs: &[JobId],
    start: DateTime<Utc>,
) -> DbResult<()> {
    let linked: Vec<i64> =
        dialect::locked!(mapping::table.filter(mapping::pilot_id.eq(pilot)).select(mapping::job_id))
            .load(conn)
            .await?;
    let linked: BTreeSet<i64> = linked.into_iter().collect();
    let new: BTreeSet<i64> = jobs.iter().map(|job| job.get()).filter(|job| !linked.contains(job)).collect();
    let start = UtcTime::from(start);
    let rows: Vec<_> =
        new.into_iter().map(|job| vec![Bind::Int(pilot), Bind::Int(job), start.into()]).collect();
    let columns = &["PilotID", "JobID", "StartTime"];
    for rows in rows.chunks(BulkInsert::rows_per_statement(columns.len())) {
        BulkInsert { table: "JobToPilotMapping", columns, rows, or_keep: false }.execute(conn).await?;
    }
    Ok(())
}
