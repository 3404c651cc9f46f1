//! `dirac jobs summary`.

use clap::Args;
use diracx_client::proto::jobs::v1::SummariseJobsRequest;
use diracx_core::search::{Filter, Summary};

use crate::{
    arguments::Global,
    condition,
    failure::Failure,
    output::{Format, print, print_json, tell},
    table,
};

/// Count jobs by the values of columns
#[derive(Debug, Args)]
pub(crate) struct SummaryArguments {
    /// A column to count by; may be repeated
    #[arg(long = "group", alias = "parameter", value_name = "NAME", default_value = "Status")]
    grouping: Vec<String>,

    /// Which jobs to count: "NAME OPERATOR VALUE", as for search; may be repeated
    #[arg(long = "condition", value_name = "CONDITION", value_parser = condition::condition)]
    conditions: Vec<Filter>,
}

/// Shows the counts.
pub(crate) async fn run(global: &Global, arguments: SummaryArguments) -> Result<(), Failure> {
    let summary = Summary { grouping: arguments.grouping, filters: arguments.conditions };
    let request = SummariseJobsRequest::from(summary);
    let answer = diracx_client::jobs(global.connect()?).summarise_jobs(request).await?.into_inner();
    let counts = table::of_answer(answer.table, None)?;
    if global.format() == Format::Json {
        return print_json(&table::json(&counts));
    }
    if counts.rows.is_empty() {
        tell("No jobs found");
        return Ok(());
    }
    print(&table::draw(&counts, table::terminal_width()))
}
