//! What heartbeats told of jobs; compiled once per backend.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use diesel_async::RunQueryDsl;
use diracx_db::{
    Bind, DbResult, UtcTime,
    statement::{BulkInsert, BulkUpsert},
};

use super::Conn;
use crate::logic::heartbeat::Heartbeat;

const KEY: &[&str] = &["JobID", "Name", "HeartBeatTime"];
const COLUMNS: &[&str] = &["Value"];

/// Notes the figures of jobs that exist; of those within a second the last ones stay.
pub(super) async fn note(conn: &mut Conn, beats: &[&Heartbeat], now: DateTime<Utc>) -> DbResult<()> {
    let second = UtcTime::from(now.duration_trunc(TimeDelta::seconds(1)).unwrap_or(now));
    let rows: Vec<Vec<Bind>> = beats
        .iter()
        .flat_map(|beat| beat.figures.iter().map(|(name, value)| (beat.job, *name, *value)))
        // As Python writes it: always with a point.
        .map(|(job, name, value)| {
            vec![Bind::Int(job.get()), name.into(), second.into(), format!("{value:?}").into()]
        })
        .collect();
    for rows in rows.chunks(BulkInsert::rows_per_statement(KEY.len() + COLUMNS.len())) {
        BulkUpsert { table: "HeartBeatLoggingInfo", key: KEY, columns: COLUMNS, rows }.execute(conn).await?;
    }
    Ok(())
}
