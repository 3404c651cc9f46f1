//! The feed of changes, for those who watch jobs; compiled once per backend.
//!
//! Whoever makes jobs, writes to their columns `Status`, `MinorStatus`, `ApplicationStatus` or `RescheduleCounter`, or
//! removes them, calls [`changed`] or [`removed`] in the same unit of work, once for each of its jobs.

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{max, min},
    prelude::*,
};
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{
    Bind, DbResult, UtcTime,
    statement::{BulkInsert, one_of},
};

use super::{Conn, dialect};
use crate::store::{
    FeedEnds,
    schema::{job_events, jobs},
};

const COLUMNS: &[&str] = &[
    "JobID",
    "EventTime",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "RescheduleCounter",
    "Removed",
    "Owner",
    "OwnerGroup",
    "VO",
    "JobGroup",
    "JobName",
];

/// Tells that these jobs were made or changed, after it was done. Jobs that do not exist are passed over.
pub(super) async fn changed(conn: &mut Conn, ids: &[JobId], at: DateTime<Utc>) -> DbResult<()> {
    append(conn, ids, at, false).await
}

/// Tells that these jobs are being removed, before it is done: the rows tell their last state.
pub(super) async fn removed(conn: &mut Conn, ids: &[JobId], at: DateTime<Utc>) -> DbResult<()> {
    append(conn, ids, at, true).await
}

/// In DIRAC's own table a job may have no application status.
type Row = (i64, String, String, Option<String>, i64, String, String, String, String, String);

/// The rows are locked before the events get their numbers: within a job no event overtakes another.
async fn append(conn: &mut Conn, ids: &[JobId], at: DateTime<Utc>, removed: bool) -> DbResult<()> {
    for ids in ids.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
        let rows: Vec<Row> =
            dialect::locked!(jobs::table.filter(one_of(jobs::job_id, ids)).order(jobs::job_id).select((
                jobs::job_id,
                jobs::status,
                jobs::minor_status,
                jobs::application_status,
                jobs::reschedule_counter,
                jobs::owner,
                jobs::owner_group,
                jobs::vo,
                jobs::job_group,
                jobs::job_name,
            )))
            .load(conn)
            .await?;
        let rows: Vec<_> = rows.into_iter().map(|row| event(row, at, removed)).collect();
        if !rows.is_empty() {
            BulkInsert { table: "JobEvents", columns: COLUMNS, rows: &rows, or_keep: false }
                .execute(conn)
                .await?;
        }
    }
    Ok(())
}

fn event(row: Row, at: DateTime<Utc>, removed: bool) -> Vec<Bind> {
    let (id, status, minor_status, application_status, counter, owner, owner_group, vo, job_group, job_name) =
        row;
    vec![
        Bind::Int(id),
        UtcTime::from(at).into(),
        status.into(),
        minor_status.into(),
        application_status.unwrap_or_else(|| "Unknown".to_owned()).into(),
        Bind::Int(counter),
        Bind::Int(i64::from(removed)),
        owner.into(),
        owner_group.into(),
        vo.into(),
        job_group.into(),
        job_name.into(),
    ]
}

/// Where the feed begins and ends.
pub(super) async fn ends(conn: &mut Conn) -> DbResult<FeedEnds> {
    // The end first: what is removed meanwhile then shows in the beginning.
    let last: Option<i64> = job_events::table.select(max(job_events::seq)).first(conn).await?;
    let first: Option<i64> = job_events::table.select(min(job_events::seq)).first(conn).await?;
    Ok(FeedEnds { first, last: last.unwrap_or(0), step: dialect::counting_step(conn).await? })
}

/// Removes the events up to this number.
pub(super) async fn forget(conn: &mut Conn, up_to: i64) -> DbResult<()> {
    diesel::delete(job_events::table.filter(job_events::seq.le(up_to))).execute(conn).await?;
    Ok(())
}
