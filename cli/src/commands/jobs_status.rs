//! `dirac jobs status`.

use std::{
    collections::{BTreeSet, HashMap},
    io::Read as _,
};

use clap::Args;
use diracx_client::proto::jobs::v1::SearchJobsRequest;
use diracx_core::{
    JobId,
    search::{Cell, Filter, Search, SearchValue, Table, VectorOperator},
};
use serde_json::Value;

use crate::{
    arguments::Global,
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

const PARAMETERS: [&str; 5] = ["JobID", "Status", "MinorStatus", "ApplicationStatus", "LastUpdateTime"];
/// How many jobs go into one call.
const BATCH: i32 = 10_000;

/// Show the status of jobs
///
/// Ends with 1 if one of them is not there, or not yours to see.
#[derive(Debug, Args)]
pub(crate) struct StatusArguments {
    /// Job numbers; - reads them from the standard input, as they are or as other commands print them
    #[arg(required = true, value_name = "ID")]
    ids: Vec<String>,
}

/// Shows the jobs in the order they were asked for.
pub(crate) async fn run(global: &Global, arguments: StatusArguments) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for argument in &arguments.ids {
        if argument == "-" {
            let mut text = String::new();
            let read = std::io::stdin().lock().read_to_string(&mut text);
            read.map_err(|error| Failure::Usage(format!("cannot read the standard input: {error}")))?;
            ids.extend(numbers(&text)?);
        } else {
            ids.extend(numbers(argument)?);
        }
    }
    let mut seen = BTreeSet::new();
    ids.retain(|id| seen.insert(*id));
    if ids.is_empty() {
        return Err(Failure::Usage("there are no job numbers".to_owned()));
    }

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

fn search(ids: &[JobId]) -> Search {
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

/// The job numbers in a text: separated by anything usual, or JSON as `jobs submit` and `jobs search` print it.
fn numbers(text: &str) -> Result<Vec<JobId>, Failure> {
    let wrong = |what: &str| Failure::Usage(format!("{what:?} is no job number"));
    if let Ok(Value::Array(items)) = serde_json::from_str::<Value>(text) {
        let id = |item: &Value| item.as_i64().or_else(|| item.get("JobID")?.as_i64()).map(JobId);
        return items.iter().map(|item| id(item).ok_or_else(|| wrong(&item.to_string()))).collect();
    }
    let list = text.rsplit_once("ids:").map_or(text, |(_, list)| list);
    let words = list.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
    words.map(|word| word.parse().ok().filter(|id: &JobId| id.get() > 0).ok_or_else(|| wrong(word))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn job_numbers_are_found_in_what_other_commands_print() {
        let check = |text: &str, expected: &[i64]| {
            let found = numbers(text).unwrap();
            assert_eq!(found.iter().map(|id| id.get()).collect::<Vec<_>>(), expected, "{text}");
        };
        check("7", &[7]);
        check("1,2\n3 4\n", &[1, 2, 3, 4]);
        check("[1, 2]", &[1, 2]);
        check(r#"[{"JobID": 5, "Status": "Received"}]"#, &[5]);
        check("Inserted 2 jobs with ids: 1,2\n", &[1, 2]);
        check("", &[]);
        for wrong in ["x", "1;2", "-1", "0", r#"["a"]"#, "1.5"] {
            assert!(numbers(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn jobs_come_in_the_order_they_were_asked_for_and_missing_ones_are_named() {
        let row = |id| vec![Cell::Int(id)];
        let mut found = Table { columns: vec!["JobID".into()], rows: vec![row(1), row(3)], total: 2 };
        let missing = arrange(&mut found, &[JobId(3), JobId(2), JobId(1)]);
        assert_eq!(found.rows, [row(3), row(1)]);
        assert_eq!(missing, [JobId(2)]);
    }
}
