//! Logs of pilots and their lines; compiled once per backend.

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_db::{Bind, DbResult, UtcTime, statement::BulkInsert};

use super::{Conn, dialect};
use crate::store::{
    log::{LogLine, LogPart},
    own_schema::{pilot_log_lines as lines, pilot_logs},
};

/// How many keys one statement names.
const KEYS: usize = 1_000;

const COLUMNS: &[&str] =
    &["PilotID", "LineNumber", "ReceptionTime", "LineTime", "Level", "Component", "Line"];

/// The next line of a log and its size, kept from others until the end of the transaction. Made if there is none.
pub(super) async fn lock(conn: &mut Conn, pilot: i64) -> DbResult<(i64, i64)> {
    let rows = [vec![Bind::Int(pilot), Bind::Int(0), Bind::Int(0)]];
    let columns = &["PilotID", "NextLine", "SizeBytes"];
    BulkInsert { table: "PilotLogs", columns, rows: &rows, or_keep: true }.execute(conn).await?;
    let of_pilot = pilot_logs::table
        .filter(pilot_logs::pilot_id.eq(pilot))
        .select((pilot_logs::next_line, pilot_logs::size_bytes));
    Ok(dialect::locked!(of_pilot).first(conn).await?)
}

/// The number of the line that comes next.
pub(super) async fn next(conn: &mut Conn, pilot: i64) -> DbResult<i64> {
    let next: Option<i64> =
        pilot_logs::table.find(pilot).select(pilot_logs::next_line).first(conn).await.optional()?;
    Ok(next.unwrap_or_default())
}

/// Adds lines to a log that is locked.
pub(super) async fn insert(
    conn: &mut Conn,
    pilot: i64,
    first: i64,
    new: &[LogLine],
    size: i64,
    at: DateTime<Utc>,
) -> DbResult<()> {
    let at = UtcTime::from(at);
    let rows: Vec<Vec<Bind>> = (first..)
        .zip(new)
        .map(|(number, line)| {
            vec![
                Bind::Int(pilot),
                Bind::Int(number),
                at.into(),
                line.time.map(UtcTime::from).into(),
                Bind::Int(line.level.into()),
                line.component.as_str().into(),
                line.text.as_str().into(),
            ]
        })
        .collect();
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        BulkInsert { table: "PilotLogLines", columns: COLUMNS, rows, or_keep: false }.execute(conn).await?;
    }
    let next = first + i64::try_from(new.len()).unwrap_or(i64::MAX);
    diesel::update(pilot_logs::table.find(pilot))
        .set((pilot_logs::next_line.eq(next), pilot_logs::size_bytes.eq(size)))
        .execute(conn)
        .await?;
    Ok(())
}

/// Some lines, with their numbers, in order.
pub(super) async fn read(conn: &mut Conn, part: LogPart) -> DbResult<Vec<(i64, LogLine)>> {
    let rows: Vec<(i64, Option<UtcTime>, i64, String, String)> = lines::table
        .filter(lines::pilot_id.eq(part.pilot))
        .filter(lines::line_number.ge(part.from))
        .filter(lines::level.ge(i64::from(part.min_level)))
        .order(lines::line_number)
        .limit(i64::try_from(part.limit).unwrap_or(i64::MAX))
        .select((lines::line_number, lines::line_time, lines::level, lines::component, lines::line))
        .load(conn)
        .await?;
    let line = |(number, time, level, component, text): (i64, Option<UtcTime>, i64, String, String)| {
        let level = i32::try_from(level).unwrap_or_default();
        (number, LogLine { time: time.map(UtcTime::utc), level, component, text })
    };
    Ok(rows.into_iter().map(line).collect())
}

/// Forgets lines that came before `before`. How far the log is stays known, so that no line comes twice.
pub(super) async fn clean(conn: &mut Conn, before: DateTime<Utc>, limit: usize) -> DbResult<usize> {
    let old: Vec<(i64, i64)> = lines::table
        .filter(lines::reception_time.lt(UtcTime::from(before)))
        .order(lines::reception_time)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .select((lines::pilot_id, lines::line_number))
        .load(conn)
        .await?;
    let mut numbers: std::collections::BTreeMap<i64, Vec<i64>> = std::collections::BTreeMap::new();
    for (pilot, number) in &old {
        numbers.entry(*pilot).or_default().push(*number);
    }
    for (pilot, numbers) in numbers {
        for numbers in numbers.chunks(KEYS) {
            let of_pilot = lines::table
                .filter(lines::pilot_id.eq(pilot))
                .filter(lines::line_number.eq_any(numbers.to_vec()));
            diesel::delete(of_pilot).execute(conn).await?;
        }
    }
    Ok(old.len())
}
