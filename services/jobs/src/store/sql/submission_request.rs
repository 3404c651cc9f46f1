//! Which jobs a call made, for its repetitions; compiled once per backend.

use chrono::TimeDelta;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkInsert};

use super::Conn;
use crate::{
    error::{Error, Result},
    store::{Call, Submitted, schema::submission_requests},
};

/// What is remembered of a call.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Remembered {
    #[serde(flatten)]
    submitted: Submitted,
    /// The hash of what it brought; earlier versions did not always keep it.
    #[serde(default)]
    digest: Option<String>,
}

/// What an earlier call with this key made.
pub(super) async fn find(conn: &mut Conn, call: &Call) -> Result<Option<Submitted>> {
    let jobs: Option<String> = submission_requests::table
        .find(&call.key)
        .select(submission_requests::jobs)
        .get_result(conn)
        .await
        .optional()
        .map_err(DbError::from)?;
    let Some(jobs) = jobs else { return Ok(None) };
    let remembered: Remembered = serde_json::from_str(&jobs).map_err(|error| DbError::Inconsistency {
        table: "SubmissionRequests",
        column: "Jobs",
        row: call.key.clone(),
        problem: error.to_string(),
    })?;
    match remembered.digest {
        Some(digest) if digest != call.digest => Err(Error::RequestIdReused),
        _ => Ok(Some(remembered.submitted)),
    }
}

/// How long a call is remembered: the contract promises a day.
const KEPT: TimeDelta = TimeDelta::days(1);

/// Old calls are forgotten along the way, at every so many jobs.
const FORGET_EVERY: i64 = 50;

/// Remembers what a call made. Two of the same call at once meet here: one of them is undone,
/// run again, and finds what the other made.
pub(super) async fn remember(conn: &mut Conn, call: &Call, submitted: &Submitted) -> DbResult<()> {
    if submitted.ids.iter().any(|id| id.get() % FORGET_EVERY == 0) {
        let old = submission_requests::reception_time.lt(UtcTime::from(submitted.at - KEPT));
        diesel::delete(submission_requests::table.filter(old)).execute(conn).await?;
    }
    let remembered = Remembered { submitted: submitted.clone(), digest: Some(call.digest.clone()) };
    let jobs = serde_json::to_string(&remembered).map_err(|error| DbError::Refused(error.to_string()))?;
    let rows = [vec![Bind::from(call.key.as_str()), UtcTime::from(submitted.at).into(), jobs.into()]];
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
