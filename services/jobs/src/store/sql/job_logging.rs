//! The history of jobs; compiled once per backend.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use diesel::{
    dsl::sql,
    prelude::*,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    sql_types::{BigInt, Double},
};
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, one_of},
};

use super::Conn;
use crate::{
    error::{Error, MOST_BYTES_IN_ANSWER, Result},
    logic::{
        submission::initial_status,
        transitions::{self, to_millis},
    },
    store::{HistoryRecord, Submitted, schema::logging_info},
};

/// What a record says where it has no news.
const SAME: &str = "idem";

/// `StatusTimeOrder` counts seconds from here.
const EPOCH: i64 = 1_270_000_000;

const COLUMNS: &[&str] = &[
    "JobID",
    "SeqNum",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "StatusTime",
    "StatusTimeOrder",
    "StatusSource",
];

/// Where the history of a job stands.
#[derive(Debug, Clone, Default)]
pub(super) struct Mark {
    /// The time of the last record; none without records.
    pub(super) last: Option<DateTime<Utc>>,
    /// The number of the last record.
    sequence: i64,
}

/// Records that the jobs were accepted.
pub(super) async fn insert_first(conn: &mut Conn, submitted: &Submitted) -> DbResult<()> {
    let (status, minor_status) = initial_status(submitted.parametric);
    let rows: Vec<_> = submitted
        .ids
        .iter()
        .map(|id| row(*id, 1, submitted.at, [status.as_str(), minor_status, "Unknown"], "JobManager"))
        .collect();
    match insert(conn, &rows).await {
        // Left by a crash before the jobs of that number were committed: nobody's records.
        Err(DbError::Duplicate(_)) => {
            for ids in submitted.ids.chunks(10_000) {
                let ids: Vec<i64> = ids.iter().map(|id| id.get()).collect();
                diesel::delete(logging_info::table.filter(one_of(logging_info::job_id, ids)))
                    .execute(conn)
                    .await?;
            }
            insert(conn, &rows).await
        }
        other => other,
    }
}

/// Where the histories of the jobs stand; jobs without records are absent.
///
/// The last time is that of the latest among each status's newest records, as DiracX takes it.
pub(super) async fn last_records(conn: &mut Conn, jobs: &[JobId]) -> DbResult<BTreeMap<JobId, Mark>> {
    let ids = jobs.iter().map(|id| id.get());
    let newest: Vec<(i64, i64, f64)> =
        NewestOfEachStatus(one_of(logging_info::job_id, ids)).load(conn).await?;
    let mut marks: BTreeMap<JobId, Mark> = BTreeMap::new();
    for (job, sequence, order) in newest {
        let mark = marks.entry(JobId(job)).or_default();
        mark.sequence = mark.sequence.max(sequence);
        mark.last = mark.last.max(from_order(order));
    }
    Ok(marks)
}

/// Of the jobs that fit, the newest record of each status: job, number, time. Histories may be long, and there are few
/// statuses.
#[derive(QueryId)]
struct NewestOfEachStatus<F>(F);

impl<F> Query for NewestOfEachStatus<F> {
    type SqlType = (BigInt, BigInt, Double);
}

impl<F: QueryFragment<DB>, DB: diesel::backend::Backend> QueryFragment<DB> for NewestOfEachStatus<F> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT record.JobID, record.SeqNum, record.StatusTimeOrder + 0.0e0 FROM \
             (SELECT JobID, MAX(SeqNum) AS SeqNum FROM LoggingInfo WHERE ",
        );
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(
            " GROUP BY JobID, Status) AS newest INNER JOIN LoggingInfo AS record \
             ON record.JobID = newest.JobID AND record.SeqNum = newest.SeqNum",
        );
        Ok(())
    }
}

/// Records what the plans say, behind what is recorded already.
pub(super) async fn append(
    conn: &mut Conn,
    plans: &[(JobId, transitions::Plan)],
    marks: &BTreeMap<JobId, Mark>,
) -> DbResult<()> {
    let mut rows = Vec::new();
    for (id, plan) in plans {
        let first = marks.get(id).map_or(1, |mark| mark.sequence + 1);
        for (sequence, record) in (first..).zip(&plan.records) {
            let status = record.status.map_or(SAME, diracx_core::JobStatus::as_str);
            let minor = record.minor_status.as_deref().unwrap_or(SAME);
            let application = record.application_status.as_deref().unwrap_or(SAME);
            rows.push(row(*id, sequence, record.time, [status, minor, application], &record.source));
        }
    }
    match insert(conn, &rows).await {
        // DIRAC and DiracX number their records without locks, and were quicker: the next attempt sees theirs.
        Err(DbError::Duplicate(text)) => Err(DbError::Conflict(text)),
        other => other,
    }
}

/// How many jobs' histories are read at once.
const HISTORIES_AT_ONCE: usize = 1_000;
/// How many records they may have: a usual job has ten.
const MOST_RECORDS: usize = 100_000;

/// The histories of the jobs, oldest first; jobs without records are absent. They are given up when they are too much
/// for an answer.
pub(super) async fn histories(
    conn: &mut Conn,
    jobs: &[JobId],
) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>> {
    let mut found = BTreeMap::new();
    let mut bytes = 0;
    for jobs in jobs.chunks(HISTORIES_AT_ONCE) {
        let some = some_histories(conn, jobs).await?;
        bytes += some.values().flatten().map(HistoryRecord::bytes).sum::<usize>();
        if bytes > MOST_BYTES_IN_ANSWER {
            return Err(Error::too_large("The histories"));
        }
        found.extend(some);
    }
    Ok(found)
}

async fn some_histories(conn: &mut Conn, jobs: &[JobId]) -> Result<BTreeMap<JobId, Vec<HistoryRecord>>> {
    type Row = (i64, String, String, String, f64, UtcTime, String);
    let ids: Vec<i64> = jobs.iter().map(|id| id.get()).collect();
    let rows: Vec<Row> = logging_info::table
        .filter(one_of(logging_info::job_id, ids))
        .select((
            logging_info::job_id,
            logging_info::status,
            logging_info::minor_status,
            logging_info::application_status,
            order_number(),
            logging_info::status_time,
            logging_info::status_source,
        ))
        .order((
            logging_info::job_id,
            sql::<Double>("StatusTimeOrder"),
            logging_info::status_time,
            logging_info::seq_num,
        ))
        .limit(i64::try_from(MOST_RECORDS).unwrap_or(i64::MAX).saturating_add(1))
        .load(conn)
        .await
        .map_err(DbError::from)?;
    if rows.len() > MOST_RECORDS {
        let limit = format!("{MOST_RECORDS} records");
        return Err(Error::AnswerTooLarge { what: "The histories", limit });
    }
    let mut histories: BTreeMap<JobId, Vec<HistoryRecord>> = BTreeMap::new();
    for (id, status, minor_status, application_status, _, time, source) in rows {
        let history = histories.entry(JobId(id)).or_default();
        let before = history.last();
        let filled = |text: String, same: fn(&HistoryRecord) -> &String| {
            if text == SAME {
                before.map_or_else(|| "Unknown".to_owned(), |record| same(record).clone())
            } else {
                text
            }
        };
        let record = HistoryRecord {
            status: filled(status, |record| &record.status),
            minor_status: filled(minor_status, |record| &record.minor_status),
            application_status: filled(application_status, |record| &record.application_status),
            time: time.utc(),
            source,
        };
        history.push(record);
    }
    Ok(histories)
}

fn row(
    id: JobId,
    sequence: i64,
    time: DateTime<Utc>,
    [status, minor, application]: [&str; 3],
    source: &str,
) -> Vec<Bind> {
    vec![
        Bind::Int(id.get()),
        Bind::Int(sequence),
        status.into(),
        minor.into(),
        application.into(),
        UtcTime::from(time).into(),
        Bind::Float(to_order(time)),
        source.into(),
    ]
}

async fn insert(conn: &mut Conn, rows: &[Vec<Bind>]) -> DbResult<()> {
    for rows in rows.chunks(BulkInsert::rows_per_statement(COLUMNS.len())) {
        BulkInsert { table: "LoggingInfo", columns: COLUMNS, rows, or_keep: false }.execute(conn).await?;
    }
    Ok(())
}

/// The column is a decimal for DiracX and a double for DIRAC; as a sum it is a double for both.
fn order_number() -> diesel::expression::SqlLiteral<Double> {
    sql::<Double>("StatusTimeOrder + 0.0e0")
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 2010 are far from 2^53")]
fn to_order(time: DateTime<Utc>) -> f64 {
    (to_millis(time).timestamp_millis() - EPOCH * 1000) as f64 / 1000.0
}

#[expect(clippy::cast_possible_truncation, reason = "a number of milliseconds that the column can hold")]
fn from_order(order: f64) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp_millis((order * 1000.0).round() as i64 + EPOCH * 1000)
}
