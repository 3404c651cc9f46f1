//! `dirac jobs search`.

use clap::Args;
use diracx_client::proto::jobs::v1::SearchJobsRequest;
use diracx_core::search::{Filter, Search, Sort, Table};

use super::all_jobs;
use crate::{
    arguments::Global,
    condition,
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

/// What is shown if nothing else is asked for.
const DEFAULT_PARAMETERS: [&str; 9] = [
    "JobID",
    "Status",
    "MinorStatus",
    "ApplicationStatus",
    "JobGroup",
    "Site",
    "JobName",
    "Owner",
    "LastUpdateTime",
];

/// What is left out, in this order, until a job fits into a line of the terminal.
const LEFT_OUT_FIRST: [&str; 4] = ["JobGroup", "Owner", "ApplicationStatus", "MinorStatus"];

const CONDITION: &str = r#"What must hold: 'NAME OPERATOR VALUE'; may be repeated, and then all must.

Operators are eq, neq, gt, lt, like, not like, regex; and in, not in with a JSON list.
  --condition 'Status not in ["Done", "Failed"]'
  --condition 'SubmissionTime gt 2026-11'
  --condition 'PilotStamp eq 4d4f1c2e'      (the jobs of a pilot)"#;

const EXAMPLES: &str = "\
Examples:
  dirac jobs search --sort LastUpdateTime:desc
  dirac jobs search --condition 'Site eq LCG.One.ch' --parameter JobID --parameter Status --all-jobs
  dirac jobs search --condition 'Status eq Failed' | dirac jobs reschedule -";

/// Find jobs
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SearchArguments {
    /// A column to show instead of the usual ones; may be repeated
    #[arg(long = "parameter", value_name = "NAME")]
    parameters: Vec<String>,

    /// What must hold: "NAME OPERATOR VALUE"; may be repeated, and then all must
    #[arg(long = "condition", value_name = "CONDITION", value_parser = condition::condition, long_help = CONDITION)]
    conditions: Vec<Filter>,

    /// The order: NAME, NAME:asc or NAME:desc; may be repeated, the first counts most
    #[arg(long, value_name = "KEY", value_parser = condition::sort)]
    sort: Vec<Sort>,

    /// Show all columns
    #[arg(long, overrides_with = "no_all")]
    all: bool,

    /// Show the usual columns
    #[arg(long, hide = true)]
    no_all: bool,

    /// Which page to show
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    page: u32,

    /// How many jobs are on a page
    #[arg(long, value_name = "COUNT", default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    per_page: u16,

    /// Show all jobs that are found, as they come, instead of a page
    #[arg(long, conflicts_with_all = ["page", "per_page"])]
    all_jobs: bool,
}

/// Shows what is found.
pub(crate) async fn run(global: &Global, arguments: SearchArguments) -> Result<(), Failure> {
    let width = if global.format() == Format::Table { table::terminal_width() } else { None };
    let parameters = parameters(arguments.all, arguments.parameters, width);
    if arguments.all_jobs {
        let search =
            Search { parameters, filters: arguments.conditions, sort: arguments.sort, ..Search::default() };
        return all_jobs::run(global, search).await;
    }
    let skip = (u64::from(arguments.page) - 1) * u64::from(arguments.per_page);
    let request = SearchJobsRequest {
        page_size: i32::from(arguments.per_page),
        skip: i64::try_from(skip).unwrap_or(i64::MAX),
        include_total: true,
        ..Search { parameters, filters: arguments.conditions, sort: arguments.sort, ..Search::default() }
            .into()
    };
    let answer = diracx_client::jobs(global.connect()?).search_jobs(request).await?.into_inner();
    let found = table::of_answer(answer.table, answer.total_size)?;
    if global.format() == Format::Json {
        return print_json(&table::json(&found));
    }
    if !found.rows.is_empty() {
        print(&table::draw(&found, width))?;
    }
    tell(&caption(&found, skip));
    Ok(())
}

fn parameters(all: bool, chosen: Vec<String>, width: Option<u16>) -> Vec<String> {
    match (all, chosen.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => usual(width).into_iter().map(str::to_owned).collect(),
        (false, false) => chosen,
    }
}

/// The usual columns, or as many of them as a terminal of this width has room for.
fn usual(width: Option<u16>) -> Vec<&'static str> {
    let mut columns = DEFAULT_PARAMETERS.to_vec();
    for name in LEFT_OUT_FIRST {
        if !table::fits(&columns, width) {
            columns.retain(|column| *column != name);
        }
    }
    columns
}

/// What part of everything is shown.
fn caption(found: &Table, skip: u64) -> String {
    let (shown, total) = (found.rows.len() as u64, found.total);
    if total == 0 {
        "No jobs found".to_owned()
    } else if shown == 0 {
        format!("There are only {total} jobs; this page is behind the last")
    } else if shown >= total {
        format!("Showing all {total} jobs")
    } else {
        format!("Showing {}-{} of {total} jobs", skip + 1, skip + shown)
    }
}

#[cfg(test)]
mod tests {
    use diracx_core::search::Cell;

    use super::*;

    #[test]
    fn captions_count_as_people_do() {
        let check = |rows: usize, total, skip, expected: &str| {
            let found = Table { columns: vec![], rows: vec![vec![Cell::Null]; rows], total };
            assert_eq!(caption(&found, skip), expected);
        };
        check(10, 20, 0, "Showing 1-10 of 20 jobs");
        check(10, 20, 10, "Showing 11-20 of 20 jobs");
        check(3, 3, 0, "Showing all 3 jobs");
        check(0, 3, 10, "There are only 3 jobs; this page is behind the last");
        check(0, 0, 0, "No jobs found");
    }

    #[test]
    fn all_columns_win_over_chosen_ones() {
        assert_eq!(parameters(true, vec!["JobID".into()], Some(80)), Vec::<String>::new());
        assert_eq!(parameters(false, vec!["JobID".into()], Some(80)), ["JobID"]);
        assert_eq!(parameters(false, vec![], None), DEFAULT_PARAMETERS);
    }

    #[test]
    fn a_job_is_a_line_in_a_terminal_of_the_usual_width() {
        assert_eq!(usual(Some(80)), ["JobID", "Status", "Site", "JobName", "LastUpdateTime"]);
        assert_eq!(usual(Some(200)), DEFAULT_PARAMETERS);
    }
}
