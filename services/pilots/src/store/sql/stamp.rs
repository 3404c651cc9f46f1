//! Who has which stamp; compiled once per backend.
//!
//! DIRAC's table has no unique key for stamps, so two registrations at once could both succeed, and no index, so every
//! look would read all of it. Our table has both. DIRAC knows nothing of it: rows that DIRAC made are missing in it,
//! and rows that DIRAC removed are still there. docs/adr/0008 tells what follows from that.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::PilotStamp;
use diracx_db::{
    Bind, DbResult,
    statement::{BulkDelete, BulkInsert, BulkUpsert},
};

use super::{Conn, dialect, pilot};
use crate::store::{KnownPilot, schema::pilot_stamps};

/// How many stamps one statement names.
const STAMPS: usize = 1_000;
/// The number that nobody has, of a stamp that is only claimed.
const NOBODY: i64 = 0;

/// Claims stamps until the end of the transaction; returns who is noted to have them.
pub(super) async fn claim(
    conn: &mut Conn,
    stamps: &BTreeSet<&PilotStamp>,
) -> DbResult<BTreeMap<PilotStamp, i64>> {
    // In one order, so that two calls with the same stamps do not wait for each other.
    let rows: Vec<_> =
        stamps.iter().map(|stamp| vec![Bind::from(stamp.as_str()), Bind::Int(NOBODY)]).collect();
    let columns = &["PilotStamp", "PilotID"];
    for rows in rows.chunks(STAMPS) {
        BulkInsert { table: "PilotStamps", columns, rows, or_keep: true }.execute(conn).await?;
    }
    let texts: Vec<&str> = stamps.iter().map(|stamp| stamp.as_str()).collect();
    let mut noted = BTreeMap::new();
    for texts in texts.chunks(STAMPS) {
        let rows: Vec<(String, i64)> = dialect::locked!(
            pilot_stamps::table
                .filter(pilot_stamps::pilot_stamp.eq_any(texts.to_vec()))
                .select((pilot_stamps::pilot_stamp, pilot_stamps::pilot_id))
        )
        .load(conn)
        .await?;
        collect(&mut noted, rows);
    }
    Ok(noted)
}

/// Who is noted to have stamps.
async fn noted(conn: &mut Conn, stamps: &BTreeSet<&PilotStamp>) -> DbResult<BTreeMap<PilotStamp, i64>> {
    let texts: Vec<&str> = stamps.iter().map(|stamp| stamp.as_str()).collect();
    let mut noted = BTreeMap::new();
    for texts in texts.chunks(STAMPS) {
        let rows: Vec<(String, i64)> = pilot_stamps::table
            .filter(pilot_stamps::pilot_stamp.eq_any(texts.to_vec()))
            .select((pilot_stamps::pilot_stamp, pilot_stamps::pilot_id))
            .load(conn)
            .await?;
        collect(&mut noted, rows);
    }
    Ok(noted)
}

fn collect(noted: &mut BTreeMap<PilotStamp, i64>, rows: Vec<(String, i64)>) {
    noted.extend(rows.into_iter().filter_map(|(text, id)| Some((text.parse().ok()?, id))));
}

/// The pilots with these stamps, by what is `noted` or else by a look through DIRAC's table. Of several with one stamp,
/// which DIRAC allows, the newest. Stamps that nobody has are absent.
pub(super) async fn holders(
    conn: &mut Conn,
    stamps: &BTreeSet<&PilotStamp>,
    noted: &BTreeMap<PilotStamp, i64>,
) -> DbResult<BTreeMap<PilotStamp, i64>> {
    let ids: Vec<i64> = noted.values().copied().filter(|id| *id != NOBODY).collect();
    let mut found = BTreeMap::new();
    for (id, stamp) in pilot::stamps_of(conn, &ids).await? {
        if noted.get(&stamp) == Some(&id) {
            found.insert(stamp, id);
        }
    }
    let missing: BTreeSet<&PilotStamp> =
        stamps.iter().copied().filter(|stamp| !found.contains_key(*stamp)).collect();
    for (stamp, ids) in pilot::with_stamps(conn, &missing).await? {
        found.extend(ids.into_iter().max().map(|id| (stamp, id)));
    }
    Ok(found)
}

/// The pilots with these stamps.
pub(super) async fn find(
    conn: &mut Conn,
    stamps: &BTreeSet<&PilotStamp>,
) -> DbResult<BTreeMap<PilotStamp, i64>> {
    let stamps = &possible(stamps);
    let noted = noted(conn, stamps).await?;
    holders(conn, stamps, &noted).await
}

/// Those that can be stamps at all: a text of megabytes is nobody's, and would be too much for a statement.
pub(super) fn possible<'s>(stamps: &BTreeSet<&'s PilotStamp>) -> BTreeSet<&'s PilotStamp> {
    stamps.iter().copied().filter(|stamp| stamp.as_str().parse::<PilotStamp>().is_ok()).collect()
}

/// Notes who has stamps.
pub(super) async fn note(conn: &mut Conn, pilots: impl Iterator<Item = (&PilotStamp, i64)>) -> DbResult<()> {
    let rows: Vec<_> = pilots.map(|(stamp, id)| vec![Bind::from(stamp.as_str()), Bind::Int(id)]).collect();
    for rows in rows.chunks(STAMPS) {
        let (key, columns) = (&["PilotStamp"], &["PilotID"]);
        BulkUpsert { table: "PilotStamps", key, columns, rows }.execute(conn).await?;
    }
    Ok(())
}

/// Gives the stamps of pilots back that are no more, and forgets what they went on with.
pub(super) async fn release(conn: &mut Conn, pilots: &[KnownPilot]) -> DbResult<()> {
    let stamps: Vec<Bind> = pilots.iter().map(|pilot| Bind::from(pilot.stamp.as_str())).collect();
    for values in stamps.chunks(STAMPS) {
        for table in ["PilotRefreshTokens", "PilotStamps"] {
            BulkDelete { table, column: "PilotStamp", values }.execute(conn).await?;
        }
    }
    Ok(())
}
