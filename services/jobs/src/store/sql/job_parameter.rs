//! The parameters of jobs; compiled once per backend.
//!
//! Ours are in `JobParameterValues`, with their types. DIRAC writes texts into its own `JobParameters`, where we only
//! read.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use diracx_core::JobId;
use diracx_db::{
    Bind, DbError, DbResult, UtcTime,
    statement::{BulkInsert, BulkUpsert, one_of},
};

use super::Conn;
use crate::{
    logic::parameters::ParameterValue,
    store::{
        metadata::Parameters,
        schema::{dirac_job_parameters, job_parameter_values},
    },
};

const KEY: &[&str] = &["JobID", "Name"];
const COLUMNS: &[&str] = &["Kind", "Value", "LastUpdateTime"];

/// How much text one statement carries: servers limit its size (`max_allowed_packet`).
const MOST_BYTES: usize = 1024 * 1024;

/// Sets parameters of jobs, which must exist. Of several values of one parameter the last one counts.
pub(super) async fn set(
    conn: &mut Conn,
    values: &[(JobId, &str, ParameterValue)],
    now: DateTime<Utc>,
) -> DbResult<()> {
    let row = |(job, name, value): &(JobId, &str, ParameterValue)| {
        let (name, kind, json) = (Bind::from(*name), value.kind().into(), value.to_json().into());
        vec![Bind::Int(job.get()), name, kind, json, UtcTime::from(now).into()]
    };
    let rows: Vec<_> = values.iter().map(row).collect();
    for rows in statements(&rows) {
        BulkUpsert { table: "JobParameterValues", key: KEY, columns: COLUMNS, rows }.execute(conn).await?;
    }
    Ok(())
}

/// Cuts rows into pieces that fit into a statement each.
fn statements(rows: &[Vec<Bind>]) -> impl Iterator<Item = &[Vec<Bind>]> {
    let most_rows = BulkInsert::rows_per_statement(KEY.len() + COLUMNS.len());
    let mut rest = rows;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |row: &&Vec<Bind>| {
            bytes += row
                .iter()
                .map(|value| if let Bind::Text(text) = value { text.len() } else { 8 })
                .sum::<usize>();
            bytes <= MOST_BYTES
        };
        let count = rest.iter().take(most_rows).take_while(fits).count().max(1).min(rest.len());
        let (piece, others) = rest.split_at(count);
        rest = others;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The parameters of jobs with these names, all if there are none; jobs without any are absent.
///
/// Where DIRAC and we have one of the same name, ours counts.
pub(super) async fn get(
    conn: &mut Conn,
    jobs: &[JobId],
    names: &BTreeSet<String>,
) -> DbResult<BTreeMap<JobId, Parameters>> {
    let mut found: BTreeMap<JobId, Parameters> = BTreeMap::new();
    let ids: Vec<i64> = jobs.iter().map(|job| job.get()).collect();
    for (job, name, value) in of_dirac(conn, &ids, names).await? {
        if names.is_empty() || names.contains(&name) {
            found.entry(JobId(job)).or_default().insert(name, ParameterValue::Text(value));
        }
    }
    for (job, name, kind, json) in ours(conn, &ids, names).await? {
        let value = ParameterValue::read(&kind, json).ok_or_else(|| DbError::Inconsistency {
            table: "JobParameterValues",
            column: "Value",
            row: format!("{job} {name}"),
            problem: format!("is no {kind}"),
        })?;
        found.entry(JobId(job)).or_default().insert(name, value);
    }
    Ok(found)
}

async fn ours(
    conn: &mut Conn,
    ids: &[i64],
    names: &BTreeSet<String>,
) -> DbResult<Vec<(i64, String, String, String)>> {
    use job_parameter_values as table;
    let columns = (table::job_id, table::name, table::kind, table::value);
    let query = table::table.filter(one_of(table::job_id, ids.iter().copied())).select(columns);
    let rows = if names.is_empty() {
        query.load(conn).await
    } else {
        query.filter(table::name.eq_any(names.iter().cloned().collect::<Vec<_>>())).load(conn).await
    };
    Ok(rows?)
}

async fn of_dirac(
    conn: &mut Conn,
    ids: &[i64],
    names: &BTreeSet<String>,
) -> DbResult<Vec<(i64, String, String)>> {
    use dirac_job_parameters as table;
    let columns = (table::job_id, table::name, table::value);
    let query = table::table.filter(one_of(table::job_id, ids.iter().copied())).select(columns);
    let rows = if names.is_empty() {
        query.load(conn).await
    } else {
        query.filter(table::name.eq_any(names.iter().cloned().collect::<Vec<_>>())).load(conn).await
    };
    Ok(rows?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_statement_is_too_large_and_no_row_is_lost() {
        let row = |size: usize| vec![Bind::Int(1), Bind::from("x".repeat(size))];
        let sizes = |rows: Vec<Vec<Bind>>| statements(&rows).map(<[_]>::len).collect::<Vec<_>>();
        assert_eq!(sizes(vec![]), [0; 0]);
        assert_eq!(sizes(vec![row(1); 2_500]), [1_000, 1_000, 500]);
        assert_eq!(sizes(vec![row(400_000); 5]), [2, 2, 1]);
        assert_eq!(sizes(vec![row(3_000_000), row(1), row(3_000_000)]), [1, 1, 1]);
    }
}
