//! Pilots whose access tokens were taken away; compiled once per backend.
//!
//! Nobody can take back a token that says itself how long it is good. So whoever lets a pilot do something looks here
//! whether its token was issued before that moment.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{
    Bind, DbResult, UtcTime,
    statement::{BulkDelete, BulkUpsert},
};

use super::Conn;
use crate::{
    error::Result,
    policy::Forbidden,
    store::own_schema::pilot_access_bars::{self as bars, barred_time, pilot_stamp},
};

/// How many keys one statement names.
const KEYS: usize = 1_000;
/// Longer than any access token is good.
const KEPT: TimeDelta = TimeDelta::days(7);

/// From now on no access token of these pilots counts that was issued before.
pub(super) async fn set(
    conn: &mut Conn,
    stamps: impl Iterator<Item = &str>,
    at: DateTime<Utc>,
) -> DbResult<()> {
    let at = UtcTime::from(at);
    let rows: Vec<_> = stamps.map(|stamp| vec![Bind::from(stamp), at.into()]).collect();
    for rows in rows.chunks(KEYS) {
        let (key, columns) = (&["PilotStamp"], &["BarredTime"]);
        BulkUpsert { table: "PilotAccessBars", key, columns, rows }.execute(conn).await?;
    }
    Ok(())
}

/// Since when the access tokens of pilots do not count; pilots of which all count are absent.
pub(super) async fn of(
    conn: &mut Conn,
    stamps: &BTreeSet<&PilotStamp>,
) -> DbResult<BTreeMap<PilotStamp, DateTime<Utc>>> {
    let stamps: Vec<&str> = stamps.iter().map(|stamp| stamp.as_str()).collect();
    let mut found = BTreeMap::new();
    for stamps in stamps.chunks(KEYS) {
        let rows: Vec<(String, UtcTime)> = bars::table
            .filter(pilot_stamp.eq_any(stamps.to_vec()))
            .select((pilot_stamp, barred_time))
            .load(conn)
            .await?;
        found.extend(rows.into_iter().filter_map(|(stamp, at)| Some((stamp.parse().ok()?, at.utc()))));
    }
    Ok(found)
}

/// Refuses a pilot whose token was issued before its access was taken away.
pub(super) async fn check(conn: &mut Conn, stamp: &PilotStamp, issued: DateTime<Utc>) -> Result<()> {
    let barred = of(conn, &BTreeSet::from([stamp])).await?.remove(stamp);
    if barred.is_some_and(|barred| issued <= barred) { Err(Forbidden::Barred.into()) } else { Ok(()) }
}

/// Forgets what no token can be old enough for.
pub(super) async fn clean(conn: &mut Conn, now: DateTime<Utc>, limit: usize) -> DbResult<usize> {
    let outdated: Vec<String> = bars::table
        .filter(barred_time.lt(UtcTime::from(now - KEPT)))
        .select(pilot_stamp)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .load(conn)
        .await?;
    let outdated: Vec<Bind> = outdated.into_iter().map(Bind::from).collect();
    for values in outdated.chunks(KEYS) {
        BulkDelete { table: "PilotAccessBars", column: "PilotStamp", values }.execute(conn).await?;
    }
    Ok(outdated.len())
}
