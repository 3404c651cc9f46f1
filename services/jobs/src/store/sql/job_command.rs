//! Commands for the pilots that run jobs; compiled once per backend.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::{AsyncConnectionCore, RunQueryDsl};
use diracx_core::JobId;
use diracx_db::{Bind, DbError, DbResult, UtcTime, statement::BulkInsert};

use super::Conn;
use crate::{
    logic::commands::{self, CommandKey, DROPPED, KILL, SENT, StoredCommand, WAITING},
    store::schema::job_commands::{self, arguments, command, job_id, reception_time, status},
};

const COLUMNS: &[&str] = &["JobID", "Command", "Arguments", "Status", "ReceptionTime"];

/// How many commands one statement names: SQLite bounds how deep a condition is.
const MOST_KEYS: usize = 200;

/// Tells the pilots of these jobs, whose rows are locked, to stop them, unless they are being told already.
pub(super) async fn kill(conn: &mut Conn, jobs: &[JobId], now: DateTime<Utc>) -> DbResult<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let mut earlier: BTreeMap<JobId, Vec<StoredCommand>> = BTreeMap::new();
    for given in load(conn, jobs, false).await? {
        earlier.entry(given.key.job).or_default().push(given);
    }
    let row = |job: &JobId| {
        let date = commands::date_of_kill(earlier.get(job).map_or(&[], Vec::as_slice), now)?;
        Some(vec![Bind::Int(job.get()), KILL.into(), "".into(), WAITING.into(), UtcTime::from(date).into()])
    };
    let rows: Vec<_> = jobs.iter().filter_map(row).collect();
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        let insert = BulkInsert { table: "JobCommands", columns: COLUMNS, rows, or_keep: false };
        match insert.execute(conn).await.map_err(DbError::from) {
            // Somebody who locks no jobs was quicker: the second is taken, and the next attempt sees it.
            Err(DbError::Duplicate(text)) => return Err(DbError::Conflict(text)),
            other => drop(other?),
        }
    }
    Ok(())
}

/// What waits for whoever runs these jobs.
pub(super) async fn waiting(conn: &mut Conn, jobs: &[JobId]) -> DbResult<Vec<StoredCommand>> {
    load(conn, jobs, true).await
}

/// Whoever gives or drops commands has the rows of the jobs locked, so that these need no locks of their own.
async fn load(conn: &mut Conn, jobs: &[JobId], only_waiting: bool) -> DbResult<Vec<StoredCommand>> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
    let query = job_commands::table.filter(job_id.eq_any(ids)).select((
        job_id,
        command,
        arguments,
        status,
        reception_time,
    ));
    let rows: Vec<(i64, String, String, String, UtcTime)> = if only_waiting {
        query.filter(status.eq(WAITING)).load(conn).await?
    } else {
        query.load(conn).await?
    };
    let read =
        |(job, name, given_arguments, is, time): (i64, String, String, String, UtcTime)| StoredCommand {
            key: CommandKey { job: JobId(job), reception_time: time.utc(), arguments: given_arguments },
            name,
            waits: is == WAITING,
        };
    Ok(rows.into_iter().map(read).collect())
}

/// Notes that commands have arrived; those that do not wait are passed over.
pub(super) async fn mark_sent(conn: &mut Conn, keys: &[CommandKey]) -> DbResult<()> {
    type Condition = Box<
        dyn BoxableExpression<
                job_commands::table,
                <Conn as AsyncConnectionCore>::Backend,
                SqlType = diesel::sql_types::Bool,
            >,
    >;
    let one = |key: &CommandKey| -> Condition {
        Box::new(
            job_id
                .eq(key.job.get())
                .and(reception_time.eq(UtcTime::from(key.reception_time)))
                .and(arguments.eq(key.arguments.clone())),
        )
    };
    for keys in keys.chunks(MOST_KEYS) {
        let any = keys.iter().map(one).reduce(|some, other| Box::new(some.or(other)));
        let Some(any) = any else { continue };
        diesel::update(job_commands::table.filter(status.eq(WAITING)).filter(any))
            .set(status.eq(SENT))
            .execute(conn)
            .await?;
    }
    Ok(())
}

/// Drops what waits for these jobs: it meant a run that is over.
pub(super) async fn drop_waiting(conn: &mut Conn, jobs: &[JobId]) -> DbResult<()> {
    let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
    diesel::update(job_commands::table.filter(job_id.eq_any(ids)).filter(status.eq(WAITING)))
        .set(status.eq(DROPPED))
        .execute(conn)
        .await?;
    Ok(())
}
