//! What came of a registration, for its repetitions; compiled once per backend.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkInsert};

use super::Conn;
use crate::{
    error::{Error, Result},
    store::{registration::Call, schema::pilot_requests},
};

/// How long a call is remembered: the contract promises a day.
const KEPT: TimeDelta = TimeDelta::days(1);

/// What is remembered of a call.
#[derive(Debug, serde::Serialize, serde::Deserialize)]
struct Remembered {
    /// The hash of what it brought.
    digest: String,
    /// The stamps that others had.
    taken: BTreeSet<PilotStamp>,
}

/// Which stamps others had when an earlier call with this key came.
pub(super) async fn find(conn: &mut Conn, call: &Call) -> Result<Option<BTreeSet<PilotStamp>>> {
    let outcome: Option<String> = pilot_requests::table
        .find(&call.key)
        .select(pilot_requests::outcome)
        .get_result(conn)
        .await
        .optional()
        .map_err(DbError::from)?;
    let Some(outcome) = outcome else { return Ok(None) };
    let remembered: Remembered = serde_json::from_str(&outcome).map_err(|error| DbError::Inconsistency {
        table: "PilotRequests",
        column: "Outcome",
        row: call.key.clone(),
        problem: error.to_string(),
    })?;
    if remembered.digest == call.digest { Ok(Some(remembered.taken)) } else { Err(Error::RequestIdReused) }
}

/// Remembers what came of a call. Two of the same call at once meet here, if they bring different stamps: one of them
/// is undone, run again, and finds what the other did.
pub(super) async fn remember(
    conn: &mut Conn,
    call: &Call,
    taken: &BTreeSet<PilotStamp>,
    at: DateTime<Utc>,
) -> DbResult<()> {
    let remembered = Remembered { digest: call.digest.clone(), taken: taken.clone() };
    let outcome = serde_json::to_string(&remembered).map_err(|error| DbError::Refused(error.to_string()))?;
    let rows = [vec![Bind::from(call.key.as_str()), UtcTime::from(at).into(), outcome.into()]];
    let insert = BulkInsert {
        table: "PilotRequests",
        columns: &["RequestKey", "ReceptionTime", "Outcome"],
        rows: &rows,
        or_keep: false,
    };
    match insert.execute(conn).await.map_err(DbError::from) {
        Err(DbError::Duplicate(text)) => Err(DbError::Conflict(text)),
        other => other.map(drop),
    }
}

/// Forgets calls that nobody repeats any more.
pub(super) async fn forget_old(conn: &mut Conn, now: DateTime<Utc>) -> DbResult<()> {
    let old = pilot_requests::reception_time.lt(UtcTime::from(now - KEPT));
    diesel::delete(pilot_requests::table.filter(old)).execute(conn).await?;
    Ok(())
}
