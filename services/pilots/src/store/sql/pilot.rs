//! Pilots; compiled once per backend.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, one_of},
};

use super::{Conn, dialect};
use crate::store::{registration::NewPilot, schema::pilot_agents};

/// How many stamps one statement names.
const STAMPS: usize = 1_000;

/// All of them: DiracX's own tables have no defaults.
const COLUMNS: &[&str] = &[
    "InitialJobID",
    "CurrentJobID",
    "PilotJobReference",
    "PilotStamp",
    "DestinationSite",
    "Queue",
    "GridSite",
    "VO",
    "GridType",
    "BenchMark",
    "SubmissionTime",
    "LastUpdateTime",
    "Status",
    "StatusReason",
    "AccountingSent",
];

/// Inserts pilots, and returns the numbers they got.
pub(super) async fn insert(conn: &mut Conn, pilots: &[&NewPilot], at: DateTime<Utc>) -> DbResult<Vec<i64>> {
    let at = UtcTime::from(at);
    let rows: Vec<Vec<Bind>> = pilots
        .iter()
        .map(|pilot| {
            vec![
                Bind::Int(0),
                Bind::Int(0),
                pilot.reference.as_str().into(),
                pilot.stamp.as_str().into(),
                pilot.destination_site.as_str().into(),
                "Unknown".into(),
                pilot.grid_site.as_str().into(),
                pilot.vo.as_str().into(),
                pilot.grid_type.as_str().into(),
                Bind::Float(0.0),
                at.into(),
                at.into(),
                pilot.status.as_str().into(),
                "Unknown".into(),
                "False".into(),
            ]
        })
        .collect();
    let mut ids = Vec::with_capacity(rows.len());
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        BulkInsert { table: "PilotAgents", columns: COLUMNS, rows, or_keep: false }.execute(conn).await?;
        ids.extend(dialect::inserted_ids(conn, rows.len()).await.map_err(DbError::from)?);
    }
    Ok(ids)
}

/// The stamps of pilots; missing pilots are absent.
pub(super) async fn stamps_of(conn: &mut Conn, ids: &[i64]) -> DbResult<Vec<(i64, PilotStamp)>> {
    let rows: Vec<(i64, String)> = pilot_agents::table
        .filter(one_of(pilot_agents::pilot_id, ids.iter().copied()))
        .select((pilot_agents::pilot_id, pilot_agents::pilot_stamp))
        .load(conn)
        .await?;
    Ok(rows.into_iter().filter_map(|(id, stamp)| Some((id, stamp.parse().ok()?))).collect())
}

/// All pilots with these stamps, looked for in DIRAC's table, which may have no index for it.
pub(super) async fn with_stamps(
    conn: &mut Conn,
    stamps: &BTreeSet<&PilotStamp>,
) -> DbResult<BTreeMap<PilotStamp, Vec<i64>>> {
    let texts: Vec<&str> = stamps.iter().map(|stamp| stamp.as_str()).collect();
    let mut found: BTreeMap<PilotStamp, Vec<i64>> = BTreeMap::new();
    for texts in texts.chunks(STAMPS) {
        let rows: Vec<(i64, String)> = pilot_agents::table
            .filter(pilot_agents::pilot_stamp.eq_any(texts.to_vec()))
            .select((pilot_agents::pilot_id, pilot_agents::pilot_stamp))
            .load(conn)
            .await?;
        for (id, stamp) in rows {
            // MySQL compares without regard to case.
            if let Ok(stamp) = stamp.parse()
                && stamps.contains(&stamp)
            {
                found.entry(stamp).or_default().push(id);
            }
        }
    }
    Ok(found)
}
