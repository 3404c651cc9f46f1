//! `dirac jobs status`.

use std::collections::HashMap;

use clap::Args;
use diracx_client::proto::jobs::v1::SearchJobsRequest;
use diracx_core::{
    JobId,
    search::{Cell, Filter, Search, SearchValue, Table, VectorOperator},
};

use crate::{
    arguments::Global,
    failure::Failure,
    job_numbers,
    output::{Format, print, print_json, tell},
    table,
};

const PARAMETERS: [&str; 5] = ["JobID", "Status", "MinorStatus", "ApplicationStatus", "LastUpdateTime"];
/// How many jobs go into one call.
const BATCH: i32 = 10_000;

/// Show the status of jobs
///
/// Exits with 1 if one of them does not exist, or is not yours to see.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Shows the jobs in the order they were asked for.
pub(crate) async fn run(global: &Global, arguments: StatusArguments) -> Result<(), Failure> {
    let ids = job_numbers::of(&arguments.ids)?;
    let mut jobs = diracx_client::jobs(global.connect()?);
    let mut found = Table::default();
    for batch in ids.chunks(BATCH.unsigned_abs() as usize) {
        let request = SearchJobsRequest { page_size: BATCH, ..search(batch).into() };
        let answer = jobs.search_jobs(request).await?.into_inner();
        let page = table::of_answer(answer.table, None)?;
        found.columns = page.columns;
        found.rows.extend(page.rows);
    }
    let missing = arrange(&mut found, &ids);
    if global.format() == Format::Json {
        print_json(&table::json(&found))?;
    } else if !found.rows.is_empty() {
        print(&table::draw(&found, table::terminal_width()))?;
    }
    for id in &missing {
        tell(&format!("error: job {id} is not there, or not yours to see"));
    }
    if missing.is_empty() { Ok(()) } else { Err(Failure::Incomplete) }
}

/// A search for the status of these jobs.
pub(super) fn search(ids: &[JobId]) -> Search {
    let values = ids.iter().map(|id| SearchValue::Int(id.get())).collect();
    Search {
        parameters: PARAMETERS.map(str::to_owned).to_vec(),
        filters: vec![Filter::Vector { parameter: "JobID".to_owned(), operator: VectorOperator::In, values }],
        ..Search::default()
    }
}

/// Puts the rows in the order of `ids`; returns those without a row.
fn arrange(found: &mut Table, ids: &[JobId]) -> Vec<JobId> {
    let column = found.columns.iter().position(|column| column == "JobID");
    let mut rows: HashMap<JobId, Vec<Cell>> = HashMap::new();
    for row in std::mem::take(&mut found.rows) {
        if let Some(Cell::Int(id)) = column.and_then(|column| row.get(column)) {
            rows.insert(JobId(*id), row);
        }
    }
    let mut missing = Vec::new();
    for id in ids {
        match rows.remove(id) {
            Some(row) => found.rows.push(row),
            None => missing.push(*id),
        }
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_come_in_the_order_they_were_asked_for_and_missing_ones_are_named() {
        let row = |id| vec![Cell::Int(id)];
        let mut found = Table { columns: vec!["JobID".into()], rows: vec![row(1), row(3)], total: 2 };
        let missing = arrange(&mut found, &[JobId(3), JobId(2), JobId(1)]);
        assert_eq!(found.rows, [row(3), row(1)]);
        assert_eq!(missing, [JobId(2)]);
    }
}
