//! Pilots; compiled once per backend.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, BulkUpdate, one_of},
};

use super::{Conn, dialect};
use crate::{
    logic::{
        metadata::PilotChange,
        transitions::{AT_WORK, StoredStatus},
    },
    store::{KnownPilot, registration::NewPilot, schema::pilot_agents},
};

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

/// What is read of a pilot that is known.
type Row = (i64, String, String, String, Option<UtcTime>, Option<UtcTime>);

/// The columns of a [`Row`].
const KNOWN: (
    pilot_agents::pilot_id,
    pilot_agents::pilot_stamp,
    pilot_agents::vo,
    pilot_agents::status,
    pilot_agents::last_update_time,
    pilot_agents::submission_time,
) = (
    pilot_agents::pilot_id,
    pilot_agents::pilot_stamp,
    pilot_agents::vo,
    pilot_agents::status,
    pilot_agents::last_update_time,
    pilot_agents::submission_time,
);

fn read((id, stamp, vo, status, last_update, submission): Row) -> KnownPilot {
    KnownPilot {
        id,
        stamp: PilotStamp::said(stamp),
        vo,
        status: StoredStatus::read(&status),
        last_update: last_update.or(submission).map(UtcTime::utc),
    }
}

/// The pilots with these numbers; missing ones are absent.
pub(super) async fn known(conn: &mut Conn, ids: &[i64]) -> DbResult<Vec<KnownPilot>> {
    let rows: Vec<Row> = pilot_agents::table
        .filter(one_of(pilot_agents::pilot_id, ids.iter().copied()))
        .select(KNOWN)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// The same, locked.
pub(super) async fn lock(conn: &mut Conn, ids: &[i64]) -> DbResult<Vec<KnownPilot>> {
    // In one order, so that two calls with the same pilots do not wait for each other.
    let rows: Vec<Row> = dialect::locked!(
        pilot_agents::table
            .filter(one_of(pilot_agents::pilot_id, ids.iter().copied()))
            .order(pilot_agents::pilot_id)
            .select(KNOWN)
    )
    .load(conn)
    .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// Pilots at work that were not heard of since then. One of which no time is known was never heard of.
pub(super) async fn silent(conn: &mut Conn, since: DateTime<Utc>, count: usize) -> DbResult<Vec<KnownPilot>> {
    let since = UtcTime::from(since);
    let before = pilot_agents::last_update_time.lt(since);
    let unknown = pilot_agents::last_update_time
        .is_null()
        .and(pilot_agents::submission_time.lt(since).or(pilot_agents::submission_time.is_null()));
    let rows: Vec<Row> = pilot_agents::table
        .filter(pilot_agents::status.eq_any(AT_WORK))
        .filter(before.or(unknown))
        .order(pilot_agents::pilot_id)
        .limit(i64::try_from(count).unwrap_or(i64::MAX))
        .select(KNOWN)
        .load(conn)
        .await?;
    Ok(rows.into_iter().map(read).collect())
}

/// The numbers of pilots that ended before these times. Not locked: that would lock all the others on the way, too.
pub(super) async fn ended(
    conn: &mut Conn,
    ended: DateTime<Utc>,
    aborted: DateTime<Utc>,
    count: usize,
) -> DbResult<Vec<i64>> {
    let (ended, aborted) = (UtcTime::from(ended), UtcTime::from(aborted));
    let before = |time: UtcTime| {
        pilot_agents::last_update_time
            .lt(time)
            .or(pilot_agents::last_update_time.is_null().and(pilot_agents::submission_time.lt(time)))
    };
    let old = pilot_agents::status
        .eq_any(["Done", "Failed", "Deleted"])
        .and(before(ended))
        .or(pilot_agents::status.eq("Aborted").and(before(aborted)));
    let ids = pilot_agents::table
        .filter(old)
        .order(pilot_agents::pilot_id)
        .limit(i64::try_from(count).unwrap_or(i64::MAX))
        .select(pilot_agents::pilot_id)
        .load(conn)
        .await?;
    Ok(ids)
}

const CHANGEABLE: &[&str] = &[
    "Status",
    "StatusReason",
    "BenchMark",
    "DestinationSite",
    "Queue",
    "GridSite",
    "GridType",
    "AccountingSent",
    "CurrentJobID",
    "LastUpdateTime",
];

/// Writes changes, each of which changes something, and that the pilots were heard of.
pub(super) async fn update(
    conn: &mut Conn,
    changes: &[(i64, &PilotChange)],
    now: DateTime<Utc>,
) -> DbResult<()> {
    let text = |text: &Option<String>| text.as_deref().map(Bind::from);
    let rows: Vec<_> = changes
        .iter()
        .map(|(id, change)| {
            let values = vec![
                change.status.map(|status| Bind::from(status.as_str())),
                text(&change.status_reason),
                change.benchmark.map(Bind::Float),
                text(&change.destination_site),
                text(&change.queue),
                text(&change.grid_site),
                text(&change.grid_type),
                change.accounting_sent.map(|sent| Bind::from(if sent { "True" } else { "False" })),
                change.current_job_id.map(Bind::Int),
                Some(UtcTime::from(now).into()),
            ];
            (Bind::Int(*id), values)
        })
        .collect();
    for rows in rows.chunks(500) {
        BulkUpdate { table: "PilotAgents", key: "PilotID", columns: CHANGEABLE, rows }.execute(conn).await?;
    }
    Ok(())
}

/// Notes when pilots were last heard of.
pub(super) async fn touch(
    conn: &mut Conn,
    pilots: impl Iterator<Item = (i64, DateTime<Utc>)>,
) -> DbResult<()> {
    let rows: Vec<_> =
        pilots.map(|(id, time)| (Bind::Int(id), vec![Some(UtcTime::from(time).into())])).collect();
    for rows in rows.chunks(1_000) {
        let columns = &["LastUpdateTime"];
        BulkUpdate { table: "PilotAgents", key: "PilotID", columns, rows }.execute(conn).await?;
    }
    Ok(())
}
