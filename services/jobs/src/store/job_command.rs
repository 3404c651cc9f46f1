//! Commands for the pilots that run jobs; compiled once per backend.

use chrono::{DateTime, Utc};
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{Bind, DbResult, UtcTime, statement::BulkInsert};

use super::Conn;

const COLUMNS: &[&str] = &["JobID", "Command", "Arguments", "Status", "ReceptionTime"];

/// Tells the pilots of these jobs to stop them.
///
/// The key is job and second: a second command within the same one says nothing new.
pub(super) async fn kill(conn: &mut Conn, jobs: &[JobId], now: DateTime<Utc>) -> DbResult<()> {
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            vec![Bind::Int(job.get()), "Kill".into(), "".into(), "Received".into(), UtcTime::from(now).into()]
        })
        .collect();
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        BulkInsert { table: "JobCommands", columns: COLUMNS, rows, or_keep: true }.execute(conn).await?;
    }
    Ok(())
}
