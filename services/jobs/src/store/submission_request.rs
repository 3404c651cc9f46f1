//! Which jobs a call made, for its repetitions; compiled once per backend.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkInsert};

use super::Conn;
use crate::store::{Submitted, schema::submission_requests};

/// What an earlier call with this key made.
pub(super) async fn find(conn: &mut Conn, key: &str) -> DbResult<Option<Submitted>> {
    let jobs: Option<String> = submission_requests::table
        .find(key)
        .select(submission_requests::jobs)
        .get_result(conn)
        .await
        .optional()?;
    jobs.map(|jobs| {
        serde_json::from_str(&jobs).map_err(|error| DbError::Inconsistency {
            table: "SubmissionRequests",
            column: "Jobs",
            row: key.to_owned(),
            problem: error.to_string(),
        })
    })
    .transpose()
}

/// How long a call is remembered: the contract promises a day.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Old calls are forgotten along the way, at every so many jobs.
const FORGET_EVERY: i64 = 50;

/// Remembers what a call made. Two of the same call at once meet here: one of them is undone,
/// run again, and finds what the other made.
pub(super) async fn remember(conn: &mut Conn, key: &str, submitted: &Submitted) -> DbResult<()> {
    if submitted.ids.iter().any(|id| id.get() % FORGET_EVERY == 0) {
        let old = submission_requests::reception_time.lt(UtcTime::from(submitted.at - KEPT));
        diesel::delete(submission_requests::table.filter(old)).execute(conn).await?;
    }
    let jobs = serde_json::to_string(submitted).map_err(|error| DbError::Refused(error.to_string()))?;
    let rows = [vec![Bind::from(key), UtcTime::from(submitted.at).into(), jobs.into()]];
    let insert = BulkInsert {
        table: "SubmissionRequests",
        columns: &["RequestKey", "ReceptionTime", "Jobs"],
        rows: &rows,
        or_keep: false,
    };
    match insert.execute(conn).await.map_err(DbError::from) {
        Err(DbError::Duplicate(text)) => Err(DbError::Conflict(text)),
        other => other.map(drop),
    }
}
